"""What an order would have got of a recorded market: the race for a stale quote. Pure.

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
) -> list[Side]:
    """What a taker is offered of one side of the touch, the better price first.

    The price is that of the moment at which the order arrived, or the worse one that stands at the end of its block:
    a price that got better meanwhile is not believed, since nobody knows that it would have waited. `traded`: the
    trades of others in between. In sum never more than `before`, so that the models are in order for any order.
    """
    if before is None:
        return []
    if model.kind == "optimistic":
        return [before]
    worse = after is not None and (after.px > before.px if is_ask else after.px < before.px)
    left = ZERO if worse else min(before.sz, _at_least(after, before.px, is_ask=is_ask))
    left += _share(model, before, left, traded, is_ask=is_ask, sz_decimals=sz_decimals)
    found = [Side(before.px, left)]
    if worse:
        assert after is not None
        found.append(Side(after.px, min(before.sz - left, after.sz)))
    return [side for side in found if side.sz > 0]


def _share(
    model: Fills, before: Side, left: Decimal, traded: Sequence[Trade], *, is_ask: bool, sz_decimals: int
) -> Decimal:
    """Our part of what others took at that price."""
    if model.kind != "share":
        return ZERO
    taken = sum((t.sz for t in traded if t.px == before.px and t.sold is not is_ask), ZERO)
    return floor_size(model.share * min(taken, before.sz - left), sz_decimals)
