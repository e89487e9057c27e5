"""What the books look like from outside: pure functions over orders, holdings and foreign orders.

Called by the tracker under its lock; they keep nothing and raise nothing. Sizes are signed units, negative for a
short; prices and exposures are USD. What they return shares nothing with the books and may leave the lock.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from hip3.core.events import OrderUpdate
from hip3.core.ledger import LedgerView, PositionView
from hip3.core.money import ZERO
from hip3.position.holding import Holding
from hip3.position.order_index import OrderIndex
from hip3.position.tracked import TrackedOrder

Holdings = Mapping[str, Holding]


def effective_sizes(orders: OrderIndex, holdings: Holdings) -> dict[str, Decimal]:
    """Signed size by coin: booked, plus what only replies and updates know. None of them is zero.

    This is what gates and exits go by: a reply comes before its fill, and what it closed must not be closed again.
    """
    coins = dict.fromkeys(coin for coin, h in holdings.items() if h.szi)
    coins |= dict.fromkeys(t.order.coin for t in _told(orders))
    sizes = {coin: effective_size(orders, holdings, coin) for coin in coins}
    return {coin: szi for coin, szi in sizes.items() if szi}


def effective_size(orders: OrderIndex, holdings: Holdings, coin: str) -> Decimal:
    """The same of one coin, 0 when flat. Each frame of market data asks this."""
    holding = holdings.get(coin)
    held = ZERO if holding is None else holding.szi
    if not orders.provisional:
        return held
    for tracked in _told(orders):
        if tracked.order.coin != coin:
            continue
        signed = tracked.provisional * tracked.order.side.sign
        if tracked.order.reduce_only:
            # It shrinks what was there and never flips it, whatever size the word was about.
            was = held - _booked_since(orders, tracked)
            signed = ZERO if (was > 0) == (signed > 0) else max(-abs(was), min(abs(was), signed))
        held += signed
    return held


def _told(orders: OrderIndex) -> list[TrackedOrder]:
    """Orders of which more was told than is booked, in the order of their sending."""
    return sorted((t for t in orders.provisional.values() if not t.contained), key=lambda t: t.nonce)


def _booked_since(orders: OrderIndex, tracked: TrackedOrder) -> Decimal:
    """What was booked of orders sent after this one: no word about it is about them."""
    others = (t for many in (orders.live, orders.done) for t in many.values())
    later = (t for t in others if t.nonce > tracked.nonce and t.order.coin == tracked.order.coin)
    return sum((t.booked * t.order.side.sign for t in later), ZERO)


def ledger_view(orders: OrderIndex, holdings: Holdings, foreign: Iterable[OrderUpdate]) -> LedgerView:
    """What the gates decide on.

    Entries count whole until they are proven dead, at their admission price; others' resting orders at their limit
    and original size, unless they are reduce-only. A protective stop occupies nothing. By sides an entry counts with
    what it has not executed yet: the rest is in the position.
    """
    buys: dict[str, Decimal] = {}
    sells: dict[str, Decimal] = {}
    entries: dict[str, Decimal] = {}
    reducing = set()
    for tracked in orders.live.values():
        order = tracked.order
        if order.protective:
            continue  # it stands beside the position and asks for no room
        if order.reduce_only:
            reducing.add(order.coin)
        else:
            entries[order.coin] = entries.get(order.coin, ZERO) + order.exposure
            by_side = buys if order.side.is_buy else sells
            left = max(ZERO, order.sz - tracked.executed)
            by_side[order.coin] = by_side.get(order.coin, ZERO) + left * order.admission_px
    others: dict[str, Decimal] = {}
    for update in foreign:
        if not update.reduce_only:
            usd = update.limit_px * update.orig_sz
            others[update.coin] = others.get(update.coin, ZERO) + usd
            by_side = buys if update.side.is_buy else sells
            by_side[update.coin] = by_side.get(update.coin, ZERO) + usd
    positions = effective_sizes(orders, holdings)
    held = {coin: abs(szi) * _admission_px(orders, holdings, coin, szi) for coin, szi in positions.items()}
    return LedgerView(
        positions=positions, held=held, entries=entries, reducing=frozenset(reducing), foreign=others,
        buys=buys, sells=sells,
    )  # fmt: skip


def _entry_of(orders: OrderIndex, coin: str, szi: Decimal) -> TrackedOrder | None:
    """The order that last entered a position of this side; one that made it smaller is none."""
    entry = orders.entry.get(coin)
    return entry if entry is not None and (entry.order.side.sign > 0) == (szi > 0) else None


def _admission_px(orders: OrderIndex, holdings: Holdings, coin: str, szi: Decimal) -> Decimal:
    """The price at which the limits count the entry: this run's, else an earlier run's or the entry price; 0: none."""
    entry, holding = _entry_of(orders, coin, szi), holdings.get(coin)
    if entry is not None:
        return entry.order.admission_px
    return max(holding.entry_px, holding.admission_px) if holding is not None else ZERO


def position_view(orders: OrderIndex, holdings: Holdings, coin: str, szi: Decimal) -> PositionView:
    """One effective position, with what is known of its entry. `szi`: its effective size, not zero.

    Before its first fill is booked it has the entry order's price and, for want of the exchange's, our wall time of
    that order. An entry price of 0 means that nobody knows it.
    """
    holding, entry = holdings.get(coin), _entry_of(orders, coin, szi)
    px, since, edge, foreign = ZERO, 0, ZERO, False
    if holding is not None and holding.szi:
        px, since, edge, foreign = holding.entry_px, holding.entry_ms, holding.edge_bps, holding.foreign
    if entry is not None:
        edge = entry.order.edge_bps
        if not since:
            px, since = entry.avg_px, entry.order.created_ms
    whole = holding is not None and holding.szi == szi
    return PositionView(
        coin=coin, szi=szi, entry_px=px, entry_ms=since, entry_edge_bps=edge, foreign=foreign,
        as_of_ms=holding.as_of_ms if whole and holding is not None else 0,
        admission_px=_admission_px(orders, holdings, coin, szi),
    )  # fmt: skip
