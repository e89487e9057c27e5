"""What an order would have got of a recorded market: the race for a stale quote, and the queue at a price. Pure.

An order that arrives at X is executed at the end of its block. `before` is what stood at X, `after` what is left at
the block's end: what went in between was either cancelled, which is never ours since cancels run first, or traded by
others, for which we race. The models differ in who wins.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from hip3.core.money import ZERO, floor_size
from hip3.errors import ConfigError
from hip3.venue.market.tape import Side, Trade

BLOCK_MS = 70
"""About the time between two blocks (docs/venue-facts.md F32)."""
Kind = Literal["pessimistic", "share", "optimistic"]


class Fills(NamedTuple):
    """A fill model: `share` of what others took in our block is ours."""

    kind: Kind = "pessimistic"
    share: Decimal = ZERO

    @property
    def text(self) -> str:
        """As the command takes it."""
        return f"share:{self.share.normalize():f}" if self.kind == "share" else self.kind


def parse_fills(text: str) -> Fills:
    """`pessimistic`, `share:P` with P from 0 to 1, or `optimistic`. ConfigError."""
    if text == "pessimistic":
        return Fills()
    if text == "optimistic":
        return Fills("optimistic")
    kind, _, share = text.partition(":")
    try:
        p = Decimal(share)
    except ArithmeticError:
        p = Decimal(-1)
    if kind != "share" or not 0 <= p <= 1:
        raise ConfigError([f"--fills {text}: expected pessimistic, optimistic or share:P with P from 0 to 1"])
    return Fills("share", p)


def _at_least(side: Side | None, px: Decimal, *, is_ask: bool) -> Decimal:
    """What of a side can be had at `px` or better for who takes it."""
    if side is None:
        return ZERO
    return side.sz if (side.px <= px if is_ask else side.px >= px) else ZERO


def offered(
    model: Fills, before: Side | None, after: Side | None, traded: Sequence[Trade], *, is_ask: bool, sz_decimals: int
) -> Side | None:
    """What a taker is offered of one side of the touch; None: nothing.

    The price is that of the moment at which the order arrived, or the worse one that stands at the end of its block:
    a price that got better meanwhile is not believed, since nobody knows that it would have waited. `traded`: the
    trades of others in between. Never more than `before`, so that the models are in order for any order.
    """
    if before is None:
        return None
    if model.kind == "optimistic":
        return before
    worse = after is not None and (after.px > before.px if is_ask else after.px < before.px)
    if worse:
        assert after is not None
        left, px = min(before.sz, after.sz), after.px
        ours = _share(model, before, ZERO, traded, is_ask=is_ask, sz_decimals=sz_decimals)
        if ours:  # what we won stood at the better price
            return Side(before.px, ours)
        return Side(px, left)
    left = min(before.sz, _at_least(after, before.px, is_ask=is_ask))
    left += _share(model, before, left, traded, is_ask=is_ask, sz_decimals=sz_decimals)
    return Side(before.px, left) if left > 0 else None


def _share(
    model: Fills, before: Side, left: Decimal, traded: Sequence[Trade], *, is_ask: bool, sz_decimals: int
) -> Decimal:
    """Our part of what others took at that price."""
    if model.kind != "share":
        return ZERO
    taken = sum((t.sz for t in traded if t.px == before.px and t.sold is not is_ask), ZERO)
    return floor_size(model.share * min(taken, before.sz - left), sz_decimals)


class Queue:
    """Our place in the queue at one price: risk-averse. `front` is what stands before us; None: not known yet.

    It shrinks by trades at our price, and to the size that is shown where that is less: who cancels stood before us
    only where nobody is left behind.
    """

    def __init__(self, px: Decimal, *, is_buy: bool, front: Decimal | None) -> None:
        self.px, self.is_buy, self.front = px, is_buy, front

    def shown(self, side: Side | None) -> None:
        """The touch of our side."""
        if side is None or side.px != self.px:
            return
        self.front = side.sz if self.front is None else min(self.front, side.sz)

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


def first_place(px: Decimal, own_side: Side | None, *, is_buy: bool) -> Decimal | None:
    """What stands before an order that comes to rest at `px`: the touch's size at its price, nothing ahead of it,
    and behind it nobody knows."""
    if own_side is None or (px > own_side.px if is_buy else px < own_side.px):
        return ZERO
    return own_side.sz if px == own_side.px else None
