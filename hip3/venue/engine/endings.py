"""How orders end, and what follows for the rest of their family. Pure.

An order's TP/SL children are armed when it is filled and go when it is cancelled; of a group whose member is
filled the others go (docs/venue-facts.md F17, F18). `status` is the exchange's word and is told as it is; one that
ends in `Canceled` makes a `nonUserCancel` event, too (docs/venue-facts.md F22).
"""

from hip3.venue.engine.account import Account
from hip3.venue.engine.book import BookOrder
from hip3.venue.engine.model import Market
from hip3.venue.engine.state import State


def remove(state: State, account: Account, market: Market, order: BookOrder, status: str, now_ms: int) -> None:
    """End an open order: it leaves its book or its triggers, and its family follows. KeyError if it is not open.

    It is delisted before anybody else is ended for it: an ending that leads back here finds it gone.
    """
    state.delist(account, order)
    ended(state, account, order, status, now_ms)


def ended(state: State, account: Account, order: BookOrder, status: str, now_ms: int) -> None:
    """An order that stands nowhere any longer is over: say so, and let its TP/SL family follow."""
    state.tell(account, order, status, now_ms)
    if order.children or order.siblings:
        _after_end(state, account, order, status, now_ms)


def arm_children(state: State, account: Account, parent: BookOrder, now_ms: int) -> bool:
    """The parent is filled: its children wait for the mark now; False if there is no position to protect.

    Without one the children end as `reduceOnlyCanceled`. Children are cut to the position. Those already due do not
    fire here: the coin is put down for `triggers.settle`.
    """
    market = state.markets[parent.coin]
    position = state.position(account, market)
    held = position != 0 and (position > 0) == parent.is_buy
    for child in list(parent.children):  # a copy: a child that ends leaves its parent
        if not held:
            remove(state, account, market, child, "reduceOnlyCanceled", now_ms)
            continue
        child.waiting = False
        child.sz = min(child.sz, abs(position))
    state.recheck[parent.coin] = None
    return held


def _after_end(state: State, account: Account, order: BookOrder, status: str, now_ms: int) -> None:
    """An order of a family or group has ended: what follows for the others."""
    market = state.markets[order.coin]
    if order.waiting:
        for parent in account.open_orders.values():
            if order in parent.children:
                parent.children.remove(order)
    if order.children:
        # What was filled before margin ran out is a position to protect.
        filled = status == "filled" or (status == "marginCanceled" and order.sz < order.orig_sz)
        if filled:
            arm_children(state, account, order, now_ms)
        else:
            for child in list(order.children):
                remove(state, account, market, child, "canceled", now_ms)
        order.children = []
    if status == "filled":
        for sibling in order.siblings:
            if sibling is not order and sibling.oid in account.open_orders:
                remove(state, account, market, sibling, "siblingFilledCanceled", now_ms)
