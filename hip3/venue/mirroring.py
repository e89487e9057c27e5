"""A mirror as a process: the upstream's threads beside those of `server`, and what passes between them.

    mirror-link     listens to the upstream and hands each frame to the venue's thread
    mirror-reads    asks the upstream what clients ask of public facts, its clock, and now and then for its markets

Nothing else of the process knows the upstream's address.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from hip3.core.ports import Clock
from hip3.core.urls import shown_url
from hip3.errors import ODD_ANSWERS, VenueReadError
from hip3.venue.market.answers import Answered, delisted
from hip3.venue.mirrored import MirrorVenue
from hip3.venue.server import ExchangeServer
from hip3.venue.serving.gateway import Http, Post
from hip3.venue.upstream.link import Link
from hip3.venue.upstream.reads import Reads
from hip3.venue.upstream.words import Read, Stream

CLOCK_MS, MARKETS_MS = 15_000, 600_000
READINGS = 5
"""Of the upstream's clock; their median holds."""
WAIT_S = 0.2


def delisted_of(answers: list[Answered]) -> set[str]:
    """The delisted markets. VenueReadError: the answers have another shape."""
    try:
        return delisted(answers)
    except ODD_ANSWERS as error:
        raise VenueReadError(f"the markets of the upstream cannot be read: {error}") from None


class Mirror:
    """One mirror. `url` is the upstream's without a path, `say` is told what people should know."""

    def __init__(self, url: str, clock: Clock, say: Callable[[str], None], *, speed: float = 1) -> None:
        self._clock, self._say, self._speed = clock, say, speed
        self._shown = shown_url(url)
        self._reads = Reads(url)
        self._ws_url = "ws" + url.rstrip("/").removeprefix("http") + "/ws"
        self._asked: queue.SimpleQueue[tuple[Http | Post, Read]] = queue.SimpleQueue()
        self._offsets: deque[int] = deque(maxlen=READINGS)
        self._next_clock_ms, self._next_markets_ms = clock.mono_ms(), clock.mono_ms() + MARKETS_MS
        self._unread = ""
        self._server: ExchangeServer
        self._venue: MirrorVenue
        self._link: Link
        self._threads: list[threading.Thread] = []

    def answers(self) -> list[Answered]:
        """What the upstream says of its dexs and markets. VenueReadError."""
        known = [self._answered(Read("perpDexs"))]
        try:
            names = [str(entry["name"]) for entry in known[0][1] if isinstance(entry, dict)]
        except ODD_ANSWERS:
            raise VenueReadError(f"perpDexs of {self._shown} cannot be read") from None
        return known + [self._answered(Read("metaAndAssetCtxs", dex=name)) for name in names]

    def _answered(self, read: Read) -> Answered:
        request: dict[str, Any] = msgspec.to_builtins(read)
        return request, msgspec.json.decode(self._reads.need(read))

    def fundings(self, coin: str, since_ms: int, to_ms: int) -> list[tuple[int, Decimal]]:
        """(when, hourly rate) of a market's payments after `since_ms`. VenueReadError, or one of ODD_ANSWERS."""
        rows = msgspec.json.decode(self._reads.need(Read("fundingHistory", coin=coin, start_time=since_ms)))
        found = [(int(row["time"]), Decimal(row["fundingRate"])) for row in rows]
        return [(at_ms, rate) for at_ms, rate in found if since_ms < at_ms <= to_ms]

    def begin(self, server: ExchangeServer, venue: MirrorVenue) -> None:
        """Start to listen; before the server's own threads run. VenueReadError: its clock cannot be read."""
        self._server, self._venue = server, venue
        venue.asks = lambda asked, read: self._asked.put((asked, read))
        venue.wants = self._wants
        self._link = Link(self._ws_url, self._clock, heard=self._heard, link=self._linked)
        venue.clock_offset_ms = self._offset()
        for name, run in (("mirror-link", self._link.run), ("mirror-reads", self._read_on)):
            thread = threading.Thread(target=run, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    @property
    def alive(self) -> bool:
        """Whether both threads run."""
        return all(thread.is_alive() for thread in self._threads)

    def end(self) -> None:
        """Hang up."""
        self._link.stop.set()
        for thread in self._threads:
            thread.join(0.5)
        self._reads.close()

    # mirror-link.

    def _wants(self, streams: frozenset[Stream]) -> None:
        self._link.want(streams)

    def _heard(self, channel: str, data: bytes) -> None:
        at_ms, venue = self._server.now_ms(), self._venue
        self._server.call(lambda now: venue.frame(channel, data, at_ms))

    def _linked(self, up: bool, why: str) -> None:
        self._say(f"listening to {self._shown}" if up else f"the upstream is gone: {why}")
        venue = self._venue
        self._server.call(lambda now: venue.link(now, up=up))

    # mirror-reads.

    def _read_on(self) -> None:
        while not self._link.stop.is_set():
            try:
                asked, read = self._asked.get(timeout=WAIT_S)
            except queue.Empty:
                self._duties()
            else:
                self._pass(asked, read)

    def _pass(self, asked: Http | Post, read: Read) -> None:
        try:
            status, body = self._reads.ask(read)
            if status == 200:
                msgspec.json.decode(body)
        except (VenueReadError, msgspec.DecodeError, RecursionError) as error:
            status, body = 502, f"the upstream does not answer: {error}".encode()
        venue = self._venue
        self._server.call(lambda now: venue.answered(asked, status, body))

    def _duties(self) -> None:
        now, venue = self._clock.mono_ms(), self._venue
        try:
            if now >= self._next_clock_ms:
                self._next_clock_ms = now + CLOCK_MS
                offset = self._offset()
                self._server.call(lambda _: setattr(venue, "clock_offset_ms", offset))
            if now >= self._next_markets_ms:
                self._next_markets_ms = now + MARKETS_MS
                gone = delisted_of(self.answers())
                self._server.call(lambda at: venue.relisted(gone, at))
            why = ""
        except VenueReadError as error:
            why = str(error)
        if why and not self._unread:
            self._say(f"the upstream cannot be read: {why}")
        self._unread = why

    def _offset(self) -> int:
        """The upstream's clock ahead of ours, in exchange milliseconds."""
        raw = self._server.now_ms() - self._venue.clock_offset_ms
        sent = self._clock.mono_ms()
        body = msgspec.json.decode(self._reads.need(Read("exchangeStatus")))
        way = int((self._clock.mono_ms() - sent) * self._speed)
        try:
            self._offsets.append(int(body["time"]) - raw - way // 2)
        except ODD_ANSWERS:
            raise VenueReadError(f"exchangeStatus of {self._shown} cannot be read") from None
        return sorted(self._offsets)[len(self._offsets) // 2]
