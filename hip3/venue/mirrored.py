"""An exchange whose market is a real one's, as it is heard: frames pass through unchanged, accounts and orders are its
own, filled by the same code as a replay's. Confined to the venue's thread, no IO.

Frames come late, so everything that is executed waits until what the market did by then is known: until the touches of
its market are newer, else for as long as 99 of 100 frames take. Only then is it executed, at its own time, and
answered. Nothing is invented: while the upstream is silent so is this exchange, and when its connection ends so do the
connections of those who listened.
"""

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from hip3.venue.answers.state_streams import STATES
from hip3.venue.books.kept import Kept
from hip3.venue.engine import halts
from hip3.venue.market.filling import Fills
from hip3.venue.market.tape import Tape, coin_of, time_of
from hip3.venue.recorded import NEVER, Model, RecordedVenue, Travels
from hip3.venue.serving.gateway import Http, Post
from hip3.venue.serving.hub import stream_key
from hip3.venue.serving.output import Output, WsClose, WsText
from hip3.venue.setup.settings import VenueSetup
from hip3.venue.upstream.words import PUBLIC, READS, Read, Stream, read_of, stream_of
from hip3.venue.venue import Venue

LAGS = 2001
"""Frames whose way is remembered."""
LEAST_HOLD_MS, FIRST_HOLD_MS, MOST_HOLD_MS = 50, 500, 5000
"""How long an action waits for the market's own news: at least, before any way is known, at most."""
MARGIN_MS = 20
EVERY = 50
"""Frames between two looks at their ways."""
TICK_MS = 500
OWN = frozenset({"exchangeStatus"})
"""Reads of public facts that are answered here: this exchange has its own clock."""


class Ways:
    """How long frames were under way, in exchange milliseconds."""

    def __init__(self) -> None:
        self._ways: deque[int] = deque(maxlen=LAGS)
        self._count = 0
        self.hold_ms = FIRST_HOLD_MS
        self.middle_ms = 0

    def add(self, way_ms: int) -> None:
        """One frame's way."""
        self._ways.append(way_ms)
        self._count += 1
        if self._count % EVERY == 0 or self._count == 20:
            ordered = sorted(self._ways)
            late = ordered[len(ordered) * 99 // 100]
            self.hold_ms = min(MOST_HOLD_MS, max(LEAST_HOLD_MS, late + MARGIN_MS))
            self.middle_ms = max(0, ordered[len(ordered) // 2])


class MirrorVenue(RecordedVenue):
    """See the module. `asks` is told of reads for the upstream, whose answers come by `answered`; `wants` of the
    streams that are to be heard, whose frames come by `frame`."""

    def __init__(
        self, setup: VenueSetup, px: dict[str, Decimal], *, travels: Travels, fills: Fills, seed: int, now_ms: int,
        limited: bool = True, kept: Kept | None = None,
    ) -> None:  # fmt: skip
        self.asks: Callable[[Http | Post, Read], None] = lambda asked, read: None
        self.wants: Callable[[frozenset[Stream]], None] = lambda streams: None
        self.ways = Ways()
        self._interest: set[str] = set()
        """Coins that somebody sent an order for."""
        self._last: dict[str, str] = {}
        """key -> the newest frame of a stream that is a state, while the upstream's connection lasts."""
        self._told: tuple[frozenset[str], frozenset[str]] | None = None
        self._up = False
        self._wanted: frozenset[Stream] = frozenset()
        self._done_ms = now_ms
        self._next_tick_ms = now_ms

        def noting(at_ms: int, request: Any) -> int:
            self._interest.update(m.info.coin for m in self._markets_of(request))
            return travels(at_ms, request)

        tapes = {m.coin: Tape() for m in setup.markets}
        super().__init__(
            setup, tapes=tapes, travels=noting, model=Model(fills=fills), own=None, px=px, seed=seed, now_ms=now_ms,
            limited=limited, kept=kept,
        )  # fmt: skip
        self.hub.elsewhere = self._elsewhere
        self._gateway.elsewhere = self._read_elsewhere
        self._watch(now_ms)

    # The upstream.

    def frame(self, channel: str, data: bytes, now_ms: int) -> None:
        """A frame of the upstream, received at `now_ms`: to whoever listens, and onto its market's tape."""
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return
        coin = coin_of(data)
        for key in self._keys(channel, coin, data):
            if channel != "trades":
                self._last[key] = text
            self._out.extend(WsText(conn, text) for conn in self.hub.listeners(key))
        tape = self._tapes.get(coin)
        if tape is None:
            return
        te = time_of(data) if channel in ("bbo", "trades") else None
        if te is not None and channel == "bbo":
            self.ways.add(now_ms - te)
        try:
            if channel == "bbo":
                tape.bbo(te or now_ms - self.ways.middle_ms, data, now_ms - self.ways.middle_ms)
            elif channel == "trades":
                tape.traded(data)
            elif channel == "activeAssetCtx":
                tape.ctx(now_ms - self.ways.middle_ms, data)
        except msgspec.DecodeError:
            return  # who listens is shown it all the same

    def link(self, now_ms: int, *, up: bool) -> None:
        """The upstream's connection began or ended; with it end those of everybody who listened through it, and nothing
        is there to be taken until it shows a touch again."""
        was, self._up = self._up, up
        if was and not up:
            self._last.clear()
            for tape in self._tapes.values():
                tape.gap(now_ms)
            heard = {conn for key in self.hub.outside for conn in self.hub.listeners(key)}
            self._out.extend(WsClose(conn) for conn in sorted(heard))

    def answered(self, asked: Http | Post, status: int, body: bytes) -> None:
        """The upstream's answer to a read."""
        self._gateway.answered(asked, status, body)

    def relisted(self, gone: set[str], now_ms: int) -> None:
        """The upstream's delisted markets as of now: each is settled here, too; one that is back is open."""
        for coin, market in self.engine.markets.items():
            if coin in gone and not market.halted:
                halts.halt(self.engine, market, now_ms)
            elif coin not in gone and market.halted:
                halts.resume(market)

    def _keys(self, channel: str, coin: str, data: bytes) -> list[str]:
        """The streams that a frame belongs to."""
        if channel == "l2Book":
            return [k for k, s in self.hub.outside.items() if s["type"] == "l2Book" and s["coin"] == coin]
        if channel == "candle":
            return [
                k for k, s in self.hub.outside.items()
                if s["type"] == "candle" and f'"s":"{s["coin"]}"'.encode() in data
                and f'"i":"{s["interval"]}"'.encode() in data
            ]  # fmt: skip
        if channel in ("allMids", "assetCtxs"):
            at = data.rfind(b'"dex":"')
            dex = data[at + 7 : data.find(b'"', at + 7)].decode() if at >= 0 else ""
            return [stream_key({"type": channel, "dex": dex})]
        return [channel] if channel == "allDexsAssetCtxs" else [f"{channel}:{coin}"]

    # Clients.

    def http(self, token: int, path: str, body: bytes, now_ms: int, ip: str = "") -> None:
        """As ever; public reads go to the upstream."""
        Venue.http(self, token, path, body, now_ms, ip)

    def _elsewhere(self, key: str, subscription: dict[str, Any]) -> list[str] | str | None:
        kind = subscription["type"]
        if kind not in PUBLIC:
            user = STATES.get(kind, True)
            return None if user else f"{kind} is not passed on by a mirror"
        coin = subscription.get("coin")
        if coin is not None and coin not in self.engine.markets:
            return f"{coin} is not passed on by this mirror: it has the markets of the builder dexs"
        if stream_of(subscription) is None:
            return f"Invalid subscription {key}"
        if kind == "l2Book" and any(
            s["type"] == kind and s["coin"] == coin and k != key for k, s in self.hub.outside.items()
        ):
            return f"l2Book of {coin} is heard in another aggregation: a mirror passes one at a time"
        return [self._last[key]] if key in self._last else []

    def _read_elsewhere(self, asked: Http | Post) -> bool:
        request = asked.request
        kind = request.get("type") if isinstance(request, dict) else None
        if not isinstance(kind, str) or kind not in READS - OWN:
            return False
        read = read_of(request)
        if read is None:
            self.answered(asked, 422, b"Failed to deserialize the JSON body into the target type")
        else:
            self.asks(asked, read)
        return True

    def take_output(self) -> list[Output]:
        """Everything to be sent; the upstream is told what is wanted of it, where that has changed."""
        coins = frozenset(self._interest | self._seen.keys())
        if self._told is None or self._told[0] != self.hub.outside.keys() or self._told[1] != coins:
            self._told = (frozenset(self.hub.outside), coins)
            streams = self._streams(coins)
            self._forget(streams)
            self.wants(streams)
        return super().take_output()

    def _forget(self, wanted: frozenset[Stream]) -> None:
        """What nobody listens to upstream any more told last is no news to who comes next."""
        for stream in self._wanted - wanted:
            tape = self._tapes.get(stream.coin or "")
            if stream.type == "bbo" and tape is not None:
                tape.gap(self._now)
        self._wanted = wanted
        left = self.hub.outside.keys() | {f"{stream.type}:{stream.coin}" for stream in wanted}
        self._last = {key: text for key, text in self._last.items() if key in left}

    def _streams(self, coins: frozenset[str]) -> frozenset[Stream]:
        """Those that clients listen to, and of each market that concerns anybody what the fills are judged by."""
        heard = [stream for s in self.hub.outside.values() if (stream := stream_of(s)) is not None]
        concerned = coins | {s.coin for s in heard if s.coin is not None}
        kinds: tuple[Any, ...] = ("bbo", "activeAssetCtx", "trades")
        return frozenset(heard) | {Stream(kind, coin=coin) for coin in concerned for kind in kinds}

    # Time.

    def next_due(self) -> int:
        """When `advance` has something to do again."""
        due = self._soonest()
        return min(self._next_tick_ms, NEVER if due >= NEVER else max(due, self._done_ms + 1) + self.ways.hold_ms)

    def advance(self, now_ms: int) -> None:
        """Let everything happen whose market is known; see the module."""
        if self._quiet:
            return
        while (known := self._known(now_ms)) > self._done_ms:
            self._done_ms = known
            super().advance(known)
        self._now = max(self._now, now_ms)
        if self._next_tick_ms <= now_ms:
            self._next_tick_ms = now_ms + TICK_MS
            self.publisher.tick(now_ms)
            for tape in self._tapes.values():
                tape.forget(self._done_ms)

    def _known(self, now_ms: int) -> int:
        """Up to when it is known what the market did."""
        known, due = now_ms - self.ways.hold_ms, self._pool.next_due()
        if due is None or not known < due <= now_ms:
            return known
        coins = {market.info.coin for market in self._markets_of(self._pool.peek())}
        newer = all(tape.newest_ms > due for coin in coins if (tape := self._tapes.get(coin)) is not None)
        return due if coins and newer and self._seen.keys() <= coins else known
