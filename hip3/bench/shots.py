"""A dislocation made by hand: the frames of a market whose oracle moves twice while its quote stays.

The synthetic market lies 5 % below the exchange's own, so that the order that follows is sound, is taken in, and
finds nothing to match: the market is free again at once, and no position is left.
"""

from decimal import Decimal

from hip3.bench import frames
from hip3.core.money import half_even

BELOW = Decimal("0.95")
TOUCH_USD = 10_000


def shot(coin: str, price: Decimal, number: int, time_ms: int) -> list[bytes]:
    """Frames of which only the last makes a signal. `number` keeps the oracle's prices apart."""
    base = price * BELOW * (1 + Decimal(number % 1000) / 100_000)
    size = half_even(TOUCH_USD / base, 2)

    moves = [frames.ctx(coin, base * Decimal(step), base) for step in ("1", "1.0005", "1.001")]
    bid, ask = (half_even(base * Decimal(part), 2) for part in ("0.98", "0.99"))
    stale = frames.bbo(coin, time_ms, bid, ask, size)
    return [_wide(coin, price, time_ms), *moves, stale]


def back(coin: str, price: Decimal, time_ms: int) -> list[bytes]:
    """Frames that end it: the market is where it was, and nothing follows from the way there."""
    return [
        _wide(coin, price, time_ms),
        frames.ctx(coin, price, price),
        frames.bbo(coin, time_ms, price * Decimal("0.9995"), price * Decimal("1.0005"), TOUCH_USD / price),
    ]


def _wide(coin: str, price: Decimal, time_ms: int) -> bytes:
    """A book in which no price of the oracle is a dislocation."""
    return frames.bbo(coin, time_ms, price / 2, price * 2, Decimal(1))
