"""What the candles of a market say of the time before the exchange began: bots that warm up on them need some. Pure.

Nobody traded then, so a walk is made up: backwards from the first price, seeded, minutes for the last days and hours
for the months before, which the longer intervals are folded from. The same seed tells the same past.
"""

import random
from decimal import Context, Decimal
from typing import NamedTuple

from hip3.venue.books.candles import HOUR, INTERVALS, MINUTE, Bar, bounds

MINUTES, HOURS = 5000, 5000
STEPS = 20
"""Steps of the oracle in a minute, one each three seconds."""
UNIT, MILLI_BPS = 100_000_000, 10_000_000
_PART = {
    "3m": "1m", "5m": "1m", "15m": "5m", "30m": "15m", "2h": "1h", "4h": "2h", "8h": "4h", "12h": "4h", "1d": "12h",
    "3d": "1d", "1w": "1d", "1M": "1d",
}  # fmt: skip
"""What an interval is folded from: the longest that it is made of."""
_FIGURES = Context(prec=5)


class Walk(NamedTuple):
    """How a market moved: `step_bps` is the size of one step of its oracle."""

    seed: str
    step_bps: float
    volume_usd: int
    """Of a minute, on average."""


def past(walk: Walk, px: Decimal, now_ms: int) -> dict[str, list[Bar]]:
    """The candles of each interval up to the minute of `now_ms`, oldest first; the last closes at `px`, and is not over
    yet where its interval reaches beyond that minute."""
    rng = random.Random(f"{walk.seed}:past")
    first = bounds("1m", now_ms)[0]
    units = int(px * UNIT)
    minutes, units = _back(rng, walk, first, MINUTE, MINUTES + (first - MINUTES * MINUTE) % HOUR // MINUTE, units)
    hours, _ = _back(rng, walk, minutes[0].start, HOUR, HOURS, units)
    out = {"1m": minutes}
    for interval in INTERVALS[1:]:
        out[interval] = hours + _folded("1h", minutes) if interval == "1h" else _folded(interval, out[_PART[interval]])
    return out


def _back(rng: random.Random, walk: Walk, end_ms: int, length: int, count: int, units: int) -> tuple[list[Bar], int]:
    """Bars of one length before `end_ms`, oldest first, and the price where the first opens."""
    minutes = length // MINUTE
    deviation = walk.step_bps * 1000 * (STEPS * minutes) ** 0.5
    bars = []
    for number in range(1, count + 1):
        close = units
        units = max(1, close - close * int(rng.gauss(0, deviation)) // MILLI_BPS)
        high = max(units, close) + max(units, close) * int(abs(rng.gauss(0, deviation / 3))) // MILLI_BPS
        low = min(units, close) - min(units, close) * int(abs(rng.gauss(0, deviation / 3))) // MILLI_BPS
        start = end_ms - number * length
        bar = Bar(start, start + length - 1, _price(units))
        bar.close, bar.high, bar.low = _price(close), _price(high), _price(max(1, low))
        usd = rng.randrange(walk.volume_usd * minutes, 3 * walk.volume_usd * minutes) // 2
        bar.volume = _FIGURES.divide(Decimal(usd * UNIT), Decimal(units))
        bar.count = 1 + minutes + rng.randrange(3 * minutes)
        bars.append(bar)
    return bars[::-1], units


def _price(units: int) -> Decimal:
    return _FIGURES.create_decimal(Decimal(units).scaleb(-8))


def _folded(interval: str, bars: list[Bar]) -> list[Bar]:
    """`bars` in longer ones; but for the first, where it has not all of its bars."""
    out: list[Bar] = []
    for bar in bars:
        start, end = bounds(interval, bar.start)
        if out and out[-1].start == start:
            out[-1].fold(bar)
            continue
        longer = bar.copy()
        longer.start, longer.end = start, end
        out.append(longer)
    return out if out[0].start == bars[0].start else out[1:]
