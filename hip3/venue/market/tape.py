"""What a recorded market showed, on the exchange's own time: touches, contexts, trades. Pure.

One `Tape` for each market, filled ahead of the time that is asked about and forgotten behind it, so that it holds
seconds and not days. Frames are kept as they came and parsed when somebody looks: most never are. One that cannot be
read counts as not come. Times are exchange milliseconds; a context carries none of its own, who pushes it says which.
"""

import re
from bisect import bisect_left, bisect_right
from decimal import Decimal
from typing import NamedTuple

import msgspec

_DIGITS = re.compile(rb"[0-9]{1,19}")
NOTHING = b'{"data":{"bbo":[null,null]}}'
"""The touch of a gap."""
BEHIND_MS = 2000
"""So much is kept of what is over."""


class _Level(msgspec.Struct):
    px: Decimal
    sz: Decimal


class _Bbo(msgspec.Struct):
    bbo: tuple[_Level | None, _Level | None]


class _Ctx(msgspec.Struct):
    oraclePx: Decimal  # noqa: N815 the exchange's own name
    markPx: Decimal  # noqa: N815
    funding: Decimal = Decimal(0)


class _CtxData(msgspec.Struct):
    ctx: _Ctx


class _Trade(msgspec.Struct):
    side: str
    px: Decimal
    sz: Decimal
    time: int
    tid: int = 0


class _Book(msgspec.Struct):
    levels: tuple[list[_Level], list[_Level]]


class _BookFrame(msgspec.Struct):
    data: _Book


class _BboFrame(msgspec.Struct):
    data: _Bbo


class _CtxFrame(msgspec.Struct):
    data: _CtxData


class _TradesFrame(msgspec.Struct):
    data: list[_Trade]


_bbo = msgspec.json.Decoder(_BboFrame, strict=False)
_ctx = msgspec.json.Decoder(_CtxFrame, strict=False)
_trades = msgspec.json.Decoder(_TradesFrame, strict=False)
_book = msgspec.json.Decoder(_BookFrame, strict=False)


class Side(NamedTuple):
    """Price and size of one side of the touch."""

    px: Decimal
    sz: Decimal


class Look(NamedTuple):
    """The touch from `at_ms` on; a side without quotes is None."""

    at_ms: int
    bid: Side | None
    ask: Side | None

    def side(self, *, is_buy: bool) -> Side | None:
        """The bid, or the ask."""
        return self.bid if is_buy else self.ask


class Context(NamedTuple):
    """What a context said."""

    at_ms: int
    oracle: Decimal
    mark: Decimal
    funding: Decimal


class Depth(NamedTuple):
    """An order book: price -> size, the best price first."""

    at_ms: int
    bids: dict[Decimal, Decimal]
    asks: dict[Decimal, Decimal]

    def levels(self, *, is_buy: bool) -> dict[Decimal, Decimal]:
        """The bids, or the asks."""
        return self.bids if is_buy else self.asks


class Trade(NamedTuple):
    """One trade of others; `sold`: its taker sold."""

    at_ms: int
    px: Decimal
    sz: Decimal
    sold: bool


class _Track:
    """Frames of one kind, sorted by time; of the same time in order of arrival."""

    def __init__(self) -> None:
        self.times: list[int] = []
        self.frames: list[bytes] = []

    def push(self, at_ms: int, frame: bytes) -> None:
        at = bisect_right(self.times, at_ms) if self.times and at_ms < self.times[-1] else len(self.times)
        self.times.insert(at, at_ms)
        self.frames.insert(at, frame)

    def latest(self, at_ms: int, *, before: bool) -> int:
        """Index of the last one at `at_ms` or earlier, `before`: earlier; -1 for none."""
        return (bisect_left if before else bisect_right)(self.times, at_ms) - 1

    def forget(self, before_ms: int) -> None:
        """What was over before that; the last of it stays."""
        keep = self.latest(before_ms, before=False)
        if keep > 256:
            del self.times[:keep]
            del self.frames[:keep]


class Tape:
    """See the module. Confined to one thread."""

    def __init__(self) -> None:
        self._bbo, self._ctx, self._books = _Track(), _Track(), _Track()
        self.trades: list[Trade] = []
        self._tids: dict[int, None] = {}
        self._gap_ms = -1

    def bbo(self, at_ms: int, frame: bytes, heard_ms: int | None = None) -> None:
        """A touch. One of before a gap, told again after it, holds from `heard_ms` on: nobody saw it meanwhile."""
        late = heard_ms is not None and at_ms <= self._gap_ms
        self._bbo.push(heard_ms if late and heard_ms is not None else at_ms, frame)

    def gap(self, at_ms: int) -> None:
        """Nobody listens any more: until the next touch nothing is known to stand there."""
        self._gap_ms = at_ms
        self._bbo.push(at_ms, NOTHING)

    def ctx(self, at_ms: int, frame: bytes) -> None:
        """A context."""
        self._ctx.push(at_ms, frame)

    def book(self, at_ms: int, frame: bytes) -> None:
        """An order book."""
        self._books.push(at_ms, frame)

    def traded(self, frame: bytes) -> None:
        """Trades; those of before that a new connection repeats count once."""
        for t in _trades.decode(frame).data:
            if t.tid not in self._tids and _sound(t.px, t.sz):
                self._tids[t.tid] = None
                self.trades.append(Trade(t.time, t.px, t.sz, t.side == "A"))
        self.trades.sort(key=lambda t: t.at_ms)
        while len(self._tids) > 5000:
            del self._tids[next(iter(self._tids))]

    @property
    def newest_ms(self) -> int:
        """When the newest known touch began; 0 without any."""
        return self._bbo.times[-1] if self._bbo.times else 0

    def look(self, at_ms: int, *, before: bool = False) -> Look | None:
        """The touch at that time, `before`: as it was just before; None: none is known."""
        track = self._bbo
        for at in range(track.latest(at_ms, before=before), -1, -1):
            look = _look(track.times[at], track.frames[at])
            if look is not None:  # else it cannot be read, and the one before it still holds
                return look
        return None

    def depth(self, at_ms: int, most_old_ms: int) -> Depth | None:
        """The order book at that time; None: none is known that is no older than that."""
        at = self._books.latest(at_ms, before=False)
        if at < 0 or self._books.times[at] < at_ms - most_old_ms:
            return None
        bids, asks = (
            {level.px: level.sz for level in side} for side in _book.decode(self._books.frames[at]).data.levels
        )
        return Depth(self._books.times[at], bids, asks)

    def context(self, at_ms: int) -> Context | None:
        """The context that held then, the first one where that was before it."""
        track = self._ctx
        before = track.latest(at_ms, before=False)
        for at in (*range(before, -1, -1), *range(before + 1, len(track.times))):
            context = _context(track.times[at], track.frames[at])
            if context is not None:
                return context
        return None

    def contexts(self, from_ms: int, to_ms: int) -> list[Context]:
        """All of a stretch of time, its end included."""
        track = self._ctx
        span = range(bisect_left(track.times, from_ms), bisect_right(track.times, to_ms))
        found = (_context(track.times[at], track.frames[at]) for at in span)
        return [context for context in found if context is not None]

    def looks(self, after_ms: int, to_ms: int) -> list[Look]:
        """All touches that began later than `after_ms` and no later than `to_ms`."""
        track = self._bbo
        span = range(bisect_right(track.times, after_ms), bisect_right(track.times, to_ms))
        found = (_look(track.times[at], track.frames[at]) for at in span)
        return [look for look in found if look is not None]

    def traded_in(self, after_ms: int, to_ms: int) -> list[Trade]:
        """Trades of others later than `after_ms` and no later than `to_ms`."""
        return [t for t in self.trades if after_ms < t.at_ms <= to_ms]

    def next_after(self, at_ms: int) -> int | None:
        """When the next thing happens after that; None: nothing is known yet."""
        found = []
        for times in (self._bbo.times, self._ctx.times):
            at = bisect_right(times, at_ms)
            if at < len(times):
                found.append(times[at])
        found += [t.at_ms for t in self.trades if t.at_ms > at_ms][:1]
        return min(found, default=None)

    def forget(self, now_ms: int) -> None:
        """What lies far behind."""
        before = now_ms - BEHIND_MS
        self._bbo.forget(before)
        self._ctx.forget(before)
        self._books.forget(before)
        if len(self.trades) > 64 and self.trades[32].at_ms < before:
            self.trades = [t for t in self.trades if t.at_ms >= before]


def _sound(*numbers: Decimal) -> bool:
    return all(number.is_finite() and number > 0 for number in numbers)


def _look(at_ms: int, frame: bytes) -> Look | None:
    """None: it is no touch."""
    try:
        bid, ask = _bbo.decode(frame).data.bbo
    except msgspec.DecodeError:
        return None
    if not all(_sound(level.px, level.sz) for level in (bid, ask) if level is not None):
        return None
    return Look(
        at_ms, None if bid is None else Side(bid.px, bid.sz), None if ask is None else Side(ask.px, ask.sz)
    )  # fmt: skip


def _context(at_ms: int, frame: bytes) -> Context | None:
    """None: it is no context."""
    try:
        ctx = _ctx.decode(frame).data.ctx
    except msgspec.DecodeError:
        return None
    if not _sound(ctx.oraclePx, ctx.markPx) or not ctx.funding.is_finite():
        return None
    return Context(at_ms, ctx.oraclePx, ctx.markPx, ctx.funding)


def coin_of(frame: bytes) -> str:
    """The coin of a market frame, without parsing it; "" where none stands in it."""
    at = frame.find(b'"coin":"')
    return frame[at + 8 : frame.find(b'"', at + 8)].decode(errors="replace") if at >= 0 else ""


def time_of(frame: bytes) -> int | None:
    """The exchange's time in a frame, without parsing it; None where it has none."""
    at = frame.find(b'"time":')
    if at < 0:
        return None
    match = _DIGITS.match(frame, at + 7)
    return int(match[0]) if match else None
