"""A session in paper, all in one thread and fast time: an exchange, a mirror of it, and the service on the mirror."""

import heapq
import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from hip3 import locks
from hip3.config.reading import load, load_markets_file
from hip3.exchange.embedded import key_number_one
from hip3.exchange.signing import SigningKey
from hip3.onethread.clock import SimClock
from hip3.onethread.threads import Actor
from hip3.replay.run import Around, Calm, Runtime
from hip3.service.app import App
from hip3.service.stop_wish import StopMode
from hip3.venue.books.kept import dump, read
from hip3.venue.market.answers import setup_from
from hip3.venue.market.filling import Fills
from hip3.venue.market.latency import Drawn, parse_latency
from hip3.venue.mirrored import MirrorVenue
from hip3.venue.serving.gateway import Http, Post
from hip3.venue.serving.output import HttpReply, WsText
from hip3.venue.setup.settings import load_setup
from hip3.venue.upstream.link import by_turn, public_channel
from hip3.venue.upstream.words import Read, Stream, Word, body_of, frame_of
from hip3.venue.venue import Venue
from tests.replay.session import TRADING, Wire

READS_MS = 15
PESSIMISTIC = Fills()


class Upstream:
    """An exchange and the ways to it: what a mirror's threads do, in fast time. `said` has all that it was told."""

    def __init__(self, venue: Venue, mirror: MirrorVenue, clock: SimClock, seed: int) -> None:
        self.venue, self.mirror, self.clock = venue, mirror, clock
        self.said: list[str] = []
        self._rng = random.Random(seed)
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._serial = 0
        self._last_ms = 0
        self._conn, self._up = 0, False
        self._wanted: frozenset[Stream] = frozenset()
        self._asked: dict[int, Http | Post] = {}
        self.cuts: list[tuple[int, int]] = []
        """From when to when there is no way to it (monotonic)."""
        mirror.asks, mirror.wants = self._read, self._want
        self._open()

    def _later(self, at_ms: int, what: Callable[[], None]) -> None:
        self._serial += 1
        heapq.heappush(self._due, (at_ms, self._serial, what))

    def _open(self) -> None:
        self._conn, self._up = self._conn + 1, True
        self.venue.connect(self._conn, self.clock.wall_ms(), "mirror")
        self.mirror.link(self.clock.wall_ms(), up=True)
        for stream in sorted(self._wanted, key=by_turn):
            self._say(Word.SUBSCRIBE, stream)

    def _want(self, streams: frozenset[Stream]) -> None:
        for word, some in ((Word.UNSUBSCRIBE, self._wanted - streams), (Word.SUBSCRIBE, streams - self._wanted)):
            for stream in sorted(some, key=by_turn):
                self._say(word, stream)
        self._wanted = streams

    def _say(self, word: Word, stream: Stream) -> None:
        text = frame_of(word, stream)
        self.said.append(text)
        if self._up:
            self.venue.ws(self._conn, text, self.clock.wall_ms())

    def _read(self, asked: Http | Post, read: Read) -> None:
        if not self._up:
            self.mirror.answered(asked, 502, b"the upstream does not answer")
            return
        self._serial += 1
        self._asked[self._serial] = asked
        self.said.append(body_of(read).decode())
        self.venue.http(self._serial, "/info", body_of(read), self.clock.wall_ms(), "mirror")

    def due(self) -> int:
        now = self.clock.mono_ms()
        times = [self.venue.next_due() - self.clock.wall_ms() + now, *(item[0] for item in self._due[:1])]
        return min([*times, *(at for cut in self.cuts for at in cut if at > now)])

    def step(self) -> None:
        now = self.clock.mono_ms()
        for begin, end in list(self.cuts):
            if begin <= now < end and self._up:
                self.venue.disconnect(self._conn)
                self._up, self._due = False, []
                self.mirror.link(self.clock.wall_ms(), up=False)
            elif end <= now:
                self.cuts.remove((begin, end))
                self._open()
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()
        self.venue.advance(self.clock.wall_ms())
        for item in self.venue.take_output():
            if isinstance(item, HttpReply):
                asked = self._asked.pop(item.token)
                self._later(now + READS_MS, lambda a=asked, i=item: self.mirror.answered(a, i.status, i.body))  # type: ignore[misc]
            elif isinstance(item, WsText) and item.conn == self._conn and self._up:
                self._last_ms = max(self._last_ms, now + self._rng.randint(10, 40))
                self._later(self._last_ms, lambda text=item.text: self._hear(text.encode()))  # type: ignore[misc]

    def _hear(self, data: bytes) -> None:
        if channel := public_channel(data):
            self.mirror.frame(channel, data, self.clock.wall_ms())


class PaperWire(Wire):
    """The service's ways to the mirror; its turn is the upstream's, too."""

    def __init__(self, mirror: MirrorVenue, upstream: Upstream, clock: SimClock, threads: Calm) -> None:
        super().__init__(mirror, clock, threads)
        self.upstream = upstream

    def due(self) -> int:
        return min(super().due(), self.upstream.due())

    def step(self) -> None:
        self.upstream.step()
        super().step()


class PaperSession:
    """What a session was: its recording, its journal, the account by the mirror's own books, what the upstream was told."""

    def __init__(self, folder: Path, seed: int, minutes: float, monkeypatch: pytest.MonkeyPatch, *, env: dict[str, str],
                 cuts: tuple[tuple[int, int], ...] = (), fills: Fills = PESSIMISTIC, latency: str | None = None,
                 during: Callable[["PaperSession"], None] = lambda s: None) -> None:  # fmt: skip
        clock = self.clock = SimClock(1_790_000_000_000)
        threads = Calm(clock)
        self.seed, self.folder, self.recording = seed, folder, folder / "rec"
        self.env = TRADING | {
            "HIP3_NETWORK": "mainnet", "HIP3_MODE": "paper", "HIP3_MARKETS": "xyz:GOLD,xyz:TSLA,xyz:SILVER",
            "HIP3_STATE_DIR": str(folder / "state"), "HIP3_LOG_DIR": str(folder / "logs"),
            "HIP3_RECORD": str(self.recording), "HIP3_HTTP_PORT": "0", "HIP3_EXCHANGE_SEED": str(seed),
        } | env  # fmt: skip
        real = Venue(load_setup(), seed=seed, profile="lively", now_ms=clock.wall_ms(), latency_ms=100, limited=False)
        found = setup_from(answers_of(real, clock.wall_ms()), load_setup())
        assert found is not None
        self.venue = MirrorVenue(
            found[0], found[1], travels=Drawn(parse_latency(latency, 0), seed), fills=fills, seed=seed,
            now_ms=clock.wall_ms(), limited=False,
        )  # fmt: skip
        self.upstream = Upstream(real, self.venue, clock, seed)
        self.upstream.cuts = [(clock.mono_ms() + a, clock.mono_ms() + b) for a, b in cuts]
        wire = PaperWire(self.venue, self.upstream, clock, threads)
        self.user = SigningKey(key_number_one(seed)).address
        self.records: list[tuple[str, dict[str, Any]]] = []
        around: Any = Around(wire, f"{seed:012x}", lambda kind, fields: self.records.append((kind, fields)))  # type: ignore[arg-type]
        around.session, around.connect = wire.session, wire.connect
        monkeypatch.setattr("hip3.service.app.OwnExchange", _Own)
        runtime = Runtime(threads, around)
        app = self.app = runtime.app = App(load_markets_file(load(self.env, None)), clock, runtime)
        threads.actors["exchange"] = Actor("exchange", wire.due, wire.step)
        before = locks.replace_factory(threads.lock)
        logger.disable("hip3")
        next_main = [0]

        def main() -> None:
            next_main[0] = clock.mono_ms() + 200
            app.watch()
            during(self)

        try:
            app.start_helpers()
            assert app.start_trading()
            next_main[0] = clock.mono_ms()
            threads.actors["main"] = Actor("main", lambda: next_main[0], main)
            threads.sleep(int(minutes * 60_000))
            del threads.actors["main"]
            self.stopping_ms = clock.wall_ms()
            app.running.stop.ask(StopMode.LEAVE, 5000)
            app.stop()
        finally:
            app.close()
            locks.replace_factory(before)
            logger.enable("hip3")

    @property
    def journal(self) -> Path:
        return next((self.folder / "state").glob("*/journal.db"))

    def restarted(self) -> MirrorVenue:
        """The mirror as its next process would have it."""
        now = self.clock.wall_ms()
        found = setup_from(answers_of(self.upstream.venue, now), load_setup())
        assert found is not None
        kept = read(dump(self.venue.books, now), "state")
        return MirrorVenue(
            found[0], found[1], travels=Drawn(parse_latency(None, 0), self.seed), fills=PESSIMISTIC, seed=self.seed,
            now_ms=now, kept=kept,
        )  # fmt: skip


class _Own:
    """In place of the child process."""

    url, what, alive = "http://127.0.0.1:9", "a mirror", True

    def __init__(self, settings: Any) -> None:
        assert settings.paper

    def listening(self) -> "_Own":
        """At once."""
        return self

    def stop(self, patience_s: float = 0) -> None:
        """Nothing to end."""


def answers_of(venue: Venue, now_ms: int) -> list[tuple[dict[str, Any], Any]]:
    import json

    from hip3.venue.answers.info import answer

    requests = [{"type": "perpDexs"}, *({"type": "metaAndAssetCtxs", "dex": d.name} for d in venue.books.dexs)]
    return [(r, json.loads(json.dumps(answer(venue.books, r, now_ms)[1]))) for r in requests]


def fills_of(venue: Venue, user: str) -> list[tuple[Any, ...]]:
    """The account's fills by the exchange's books: market, side, price, size, fee, time."""
    account = venue.engine.account(user)
    assert account is not None
    keys = ("coin", "side", "px", "sz", "fee", "closedPnl", "crossed", "time")
    return [tuple(f[k] for k in keys) for f in account.fills]


def money_of(venue: Venue, user: str) -> dict[str, Decimal]:
    """What the account has in each dex, positions at their entry."""
    account = venue.engine.account(user)
    assert account is not None
    return {
        n: d.raw_usd + sum((p.iso_raw_usd for p in d.positions.values()), Decimal(0)) for n, d in account.dexs.items()
    }
