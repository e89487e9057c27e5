"""Candles of every interval from trades. Pure.

Trades touch the running minute only; when a minute is over it is folded into the longer intervals. A minute
without trades has a flat candle at the last price. The last row of an answer is still forming
(docs/venue-facts.md F30). Candles begin at multiples of their interval in UTC, weeks on Monday, months on the first.
"""

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hip3.core.money import ZERO
from hip3.venue.engine.numbers import num

MINUTE = 60_000
HOUR, DAY = 60 * MINUTE, 1440 * MINUTE
KEPT = 5000
"""Closed candles of each interval; older ones are gone."""
_FIXED = {
    "1m": MINUTE, "3m": 3 * MINUTE, "5m": 5 * MINUTE, "15m": 15 * MINUTE, "30m": 30 * MINUTE, "1h": HOUR,
    "2h": 2 * HOUR, "4h": 4 * HOUR, "8h": 8 * HOUR, "12h": 12 * HOUR, "1d": DAY, "3d": 3 * DAY,
}  # fmt: skip
INTERVALS = (*_FIXED, "1w", "1M")
"""All there are, "1m" first: every other one is made of minutes."""
_MONDAY = 4 * DAY
"""1970-01-01 was a Thursday."""


def bounds(interval: str, when_ms: int) -> tuple[int, int]:
    """(first, last) millisecond of the candle that holds `when_ms`.

    KeyError for an unknown interval. ValueError or OverflowError for a month beyond what a calendar has.
    """
    if interval == "1M":
        day = datetime.fromtimestamp(when_ms // 1000, UTC)
        start = datetime(day.year, day.month, 1, tzinfo=UTC)
        end = datetime(day.year + day.month // 12, day.month % 12 + 1, 1, tzinfo=UTC)
        return int(start.timestamp()) * 1000, int(end.timestamp()) * 1000 - 1
    length = 7 * DAY if interval == "1w" else _FIXED[interval]
    shift = _MONDAY if interval == "1w" else 0
    start_ms = when_ms - (when_ms - shift) % length
    return start_ms, start_ms + length - 1


class Bar:
    """One candle from `start` to `end`, both included.

    `volume` is in units, `count` in trades. Without any trade it is flat at `px`; the first one replaces that price.
    """

    __slots__ = ("close", "count", "end", "high", "low", "open", "start", "volume")

    def __init__(self, start: int, end: int, px: Decimal) -> None:
        self.start, self.end = start, end
        self.open = self.high = self.low = self.close = px
        self.volume, self.count = ZERO, 0

    def trade(self, px: Decimal, sz: Decimal) -> None:
        """Add one trade of `sz` units at `px`; when it happened is not looked at."""
        if not self.count:
            self.open = self.high = self.low = px
        self.high, self.low, self.close = max(self.high, px), min(self.low, px), px
        self.volume += sz
        self.count += 1

    def fold(self, other: "Bar") -> None:
        """Add a shorter candle that follows: opening price and bounds stay."""
        self.high, self.low, self.close = max(self.high, other.high), min(self.low, other.low), other.close
        self.volume += other.volume
        self.count += other.count

    def copy(self) -> "Bar":
        """A candle of the same figures, on its own."""
        twin = Bar(self.start, self.end, self.open)
        twin.high, twin.low, twin.close = self.high, self.low, self.close
        twin.volume, twin.count = self.volume, self.count
        return twin

    def shown(self, coin: str, interval: str) -> dict[str, Any]:
        """As candleSnapshot and the stream print it: figures as strings, times and count as integers."""
        return {
            "t": self.start, "T": self.end, "s": coin, "i": interval, "o": num(self.open), "c": num(self.close),
            "h": num(self.high), "l": num(self.low), "v": num(self.volume), "n": self.count,
        }  # fmt: skip


class Candles:
    """All candles of one market, beginning with the minute that holds `now_ms`, at the price `px`.

    `past` makes those of before, oldest first, when they are first asked for; without it there are none.
    """

    def __init__(
        self, coin: str, px: Decimal, now_ms: int, past: Callable[[], dict[str, list["Bar"]]] | None = None
    ) -> None:
        self._coin, self._past = coin, past
        self._minute = Bar(*bounds("1m", now_ms), px)
        self._began_ms = self._minute.start
        self._closed: dict[str, deque[Bar]] = {i: deque(maxlen=KEPT) for i in INTERVALS}
        self._forming: dict[str, Bar | None] = dict.fromkeys(INTERVALS[1:])

    def trade(self, px: Decimal, sz: Decimal, now_ms: int) -> None:
        """One trade of the tape at `now_ms`. One that is late counts to the running minute."""
        self.advance(now_ms)
        self._minute.trade(px, sz)

    def advance(self, now_ms: int) -> bool:
        """Close the minutes that are over; whether one was. The clock going back changes nothing.

        Minutes that were leapt over get flat candles, one by one.
        """
        if now_ms <= self._minute.end:
            return False
        while now_ms > self._minute.end:
            self._close_minute()
        return True

    def _close_minute(self) -> None:
        """Fold the minute into every interval; a candle is over when its last minute is."""
        minute = self._minute
        self._closed["1m"].append(minute)
        for interval in INTERVALS[1:]:
            bar = self._merged(interval)
            over = minute.end == bar.end
            self._forming[interval] = None if over else bar
            if over:
                self._closed[interval].append(bar)
        self._minute = Bar(minute.end + 1, minute.end + MINUTE, minute.close)

    def _merged(self, interval: str) -> Bar:
        """The forming candle with the running minute in it."""
        if interval == "1m":
            return self._minute
        forming = self._forming[interval]
        if forming is None:
            bar = self._minute.copy()
            bar.start, bar.end = bounds(interval, bar.start)
            return bar
        # A copy: the running minute is folded in again each time, until it is over.
        bar = forming.copy()
        bar.fold(self._minute)
        return bar

    def _remember(self) -> None:
        """Put what is said of the past before what has happened: an interval that holds both becomes one candle."""
        if self._past is None:
            return
        past, self._past = self._past(), None
        for interval, bars in past.items():
            live, forming = list(self._closed[interval]), self._forming.get(interval)
            began = [*live, *([] if forming is None else [forming])]
            if interval == "1m" or bars[-1].end < self._began_ms:
                self._closed[interval] = deque([*bars, *live], maxlen=KEPT)
                continue
            if began:  # what happened of this candle follows what is said of it
                bars[-1].fold(began[0])
            if live:
                live[0] = bars[-1]
            else:
                self._forming[interval] = bars[-1]
            self._closed[interval] = deque([*bars[:-1], *live], maxlen=KEPT)

    def current(self, interval: str) -> dict[str, Any]:
        """The candle that is forming, as the stream sends it. KeyError for an unknown interval."""
        self._remember()
        return self._merged(interval).shown(self._coin, interval)

    def snapshot(self, interval: str, start_ms: int, end_ms: int) -> list[dict[str, Any]]:
        """Candles from the one that holds `start_ms` to the last that begins by `end_ms`, oldest first.

        At most the 5000 closed ones that are kept and the forming one. What `bounds` raises. Call `advance` before:
        the forming candle is as of then.
        """
        self._remember()
        bars = [*self._closed[interval], self._merged(interval)]
        first, _ = bounds(interval, start_ms)
        return [bar.shown(self._coin, interval) for bar in bars if first <= bar.start <= end_ms][-KEPT - 1 :]
