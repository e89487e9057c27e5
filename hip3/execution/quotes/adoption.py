"""HIP3_QUOTE_START=adopt: quotes of an earlier run that keep their place over a restart. Pure.

Only what the intent log and the exchange's list agree on stays: the order, its side, its price, and no more left of it
than was placed. Its key is the one it was placed for; a rank among prices says nothing. Whatever else rests goes as at
any start. Until a market can be priced anew nothing is placed in it, and what was adopted stays unless its side is full
or it has become too good for the others.
"""

from collections.abc import Callable, Collection, Iterable
from decimal import Decimal

from hip3.core.events import OrderUpdate
from hip3.core.money import bps_of
from hip3.core.order_state import OrderState
from hip3.core.orders import Side
from hip3.execution.quotes.keys import key_of
from hip3.position.tracked import TrackedOrder
from hip3.strategy.fair import Fair
from hip3.strategy.ladder import Key, Ladder, Rung

LONGEST_MS = 30_000
"""Beyond the warm-up: a start that takes longer leaves nothing resting that nobody can price."""


def adoptable(
    orders: Iterable[OrderUpdate], known: Callable[[str], TrackedOrder | None], quoted: Collection[str]
) -> frozenset[int]:
    """Ids of the listed `orders` that stay: of two with one key the older, which has the better place.

    `known(cloid)`: the order as the books restored it; `quoted`: the markets that are quoted now.
    """
    oldest: dict[tuple[str, Key], tuple[int, int]] = {}
    for order in orders:
        tracked = known(order.cloid) if order.cloid is not None else None
        if tracked is None or order.coin not in quoted or not _agrees(order, tracked):
            continue
        at = (order.coin, key_of(tracked.order))
        mine = (tracked.order.created_ms, order.oid)
        oldest[at] = min(mine, oldest.get(at, mine))
    return frozenset(oid for _, oid in oldest.values())


def _agrees(order: OrderUpdate, tracked: TrackedOrder) -> bool:
    """Whether the list shows what the intent said."""
    placed = tracked.order
    return (
        not tracked.generation and not tracked.state.terminal and placed.level is not None
        and (placed.coin, placed.side, placed.px) == (order.coin, order.side, order.limit_px)
        and order.remaining <= placed.sz
    )  # fmt: skip


def as_they_rest(
    orders: Iterable[TrackedOrder], fair: Fair | None, sides: Collection[Side], keep_bps: Decimal
) -> Ladder:
    """The ladder that changes nothing about adopted quotes, but for those that must go.

    `sides`: those that inventory leaves; `keep_bps`: what a quote must have left to fair, once that is known.
    """
    out: Ladder = {}
    for tracked in orders:
        order = tracked.order
        if tracked.generation or tracked.state is not OrderState.OPEN or order.side not in sides:
            continue
        worth = None if fair is None else fair.bid if order.side.is_buy else fair.ask
        if worth is None or bps_of((worth - order.px) * order.side.sign, worth) >= keep_bps:
            out.setdefault(key_of(order), Rung(order.px, order.sz - tracked.executed))
    return out
