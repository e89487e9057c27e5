"""Where a resting order of ours stands in the queue at its price, and what would have filled it. Pure.

`front` is what stands before it. A trade at the price takes from the front first; what is left of it meets us. Who
cancels is not recorded, and here the models differ: `risk-averse` says that everybody behind us goes first, so that
the front shrinks only where less is shown than stood there; `probabilistic` shares a cancel out by how much stands
before and behind us (the family of hftbacktest's queue models: f(back) / (f(back) + f(front)) of it was behind).
"""

from decimal import Decimal
from typing import NamedTuple

from hip3.core.money import ZERO, div
from hip3.errors import ConfigError
from hip3.venue.market.tape import Side, Trade

MOST_POWER = 5


class Queueing(NamedTuple):
    """A queue model. `power`: None is risk-averse; 0 is f(x) = log(1 + x), else f(x) = x ** power."""

    power: Decimal | None = None

    @property
    def text(self) -> str:
        """As the command takes it."""
        if self.power is None:
            return "risk-averse"
        return f"probabilistic:{self.power.normalize():f}" if self.power else "probabilistic"

    def queue(self, px: Decimal, *, is_buy: bool, front: Decimal | None) -> "Queue":
        """The place of an order that comes to rest; `front` None: it is not known yet."""
        if self.power is None:
            return Queue(px, is_buy=is_buy, front=front)
        return LikelyQueue(px, is_buy=is_buy, front=front, power=self.power)


def parse_queue(text: str) -> Queueing:
    """`risk-averse`, `probabilistic` or `probabilistic:N`, N above 0 and at most 5. ConfigError."""
    if text == "risk-averse":
        return Queueing()
    kind, colon, power = text.partition(":")
    try:
        n = Decimal(power) if colon else ZERO
    except ArithmeticError:
        n = Decimal(-1)
    if kind != "probabilistic" or not (n.is_finite() and 0 <= n <= MOST_POWER) or (colon and not n):
        raise ConfigError(
            [f"--queue {text}: expected risk-averse, probabilistic or probabilistic:N, N above 0 up to {MOST_POWER}"]
        )
    return Queueing(n)


class Queue:
    """Risk-averse, see the module."""

    def __init__(self, px: Decimal, *, is_buy: bool, front: Decimal | None) -> None:
        self.px, self.is_buy, self.front = px, is_buy, front

    def shown(self, side: Side | None) -> None:
        """The touch of our side. One that is worse than our price: nobody stands before us any more."""
        if side is None:
            return
        if side.px == self.px:
            self._level(side.sz)
        elif side.px < self.px if self.is_buy else side.px > self.px:
            self._level(ZERO)

    def _level(self, size: Decimal) -> None:
        self.front = size if self.front is None else min(self.front, size)

    def traded(self, trade: Trade, left: Decimal) -> Decimal:
        """How much of `left` a trade of others would have filled: one at our price what is behind the front, one
        through it all that it traded."""
        if trade.sold is not self.is_buy:
            return ZERO
        through = trade.px < self.px if self.is_buy else trade.px > self.px
        if through:
            return min(left, trade.sz)
        if trade.px != self.px or self.front is None:
            return ZERO
        passed = min(self.front, trade.sz)
        self.front -= passed
        return min(left, trade.sz - passed)

    def met(self, other: Side | None, left: Decimal) -> Decimal:
        """How much the touch of the other side would have filled, had we stood there: it lies at our price or
        through it."""
        if other is None or (other.px > self.px if self.is_buy else other.px < self.px):
            return ZERO
        return min(left, other.sz)


class LikelyQueue(Queue):
    """Probabilistic, see the module. Trades first: what they took of a level is no cancel."""

    def __init__(self, px: Decimal, *, is_buy: bool, front: Decimal | None, power: Decimal) -> None:
        super().__init__(px, is_buy=is_buy, front=front)
        self._power, self._level_sz = power, front
        self._traded = ZERO
        """At our price, since the level was shown last."""

    def traded(self, trade: Trade, left: Decimal) -> Decimal:
        if trade.px == self.px and trade.sold is self.is_buy:
            self._traded += trade.sz
        return super().traded(trade, left)

    def _level(self, size: Decimal) -> None:
        before, self._level_sz = self._level_sz, size
        gone, self._traded = (ZERO if before is None else before - size) - self._traded, ZERO
        front = self.front
        if front is None:
            self.front = size
            return
        if gone > 0 and before is not None:
            back = max(before - front, ZERO)
            behind = self._f(back) + self._f(front)
            share = div(self._f(back), behind) if behind else ZERO
            # What would be more than stands behind us was before us.
            front = front - (1 - share) * gone + min(back - share * gone, ZERO)
        self.front = min(max(front, ZERO), size)

    def _f(self, x: Decimal) -> Decimal:
        return x**self._power if self._power else (1 + x).ln()


def first_place(
    px: Decimal, own_side: Side | None, *, is_buy: bool, levels: dict[Decimal, Decimal] | None = None
) -> Decimal | None:
    """What stands before an order that comes to rest at `px`: the touch's size at its price, nothing ahead of it;
    behind it what the order book shows (`levels`), where it is recorded, else nobody knows."""
    if own_side is None or (px > own_side.px if is_buy else px < own_side.px):
        return ZERO
    if px == own_side.px:
        return own_side.sz
    return None if levels is None else levels.get(px)
