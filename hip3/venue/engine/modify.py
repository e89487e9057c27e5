"""Replacing an order: the new one has a new id and the last place in its queue, the old one is `canceled`. Pure.

Without `a: true` the new order must be ALO, or a GTC that does not cross, which becomes ALO; never a trigger
(docs/venue-facts.md F23). A new order that is refused leaves the old one where it is: rules are asked before the old
one is taken away, as if its margin were free. Only an ALO that would cross takes the old one with it.
"""

from typing import Any

from hip3.venue.engine import placing, rules, triggers
from hip3.venue.engine.account import Account
from hip3.venue.engine.book import BookOrder
from hip3.venue.engine.endings import arm_children, remove
from hip3.venue.engine.model import Request
from hip3.venue.engine.state import State

GONE = "Cannot modify canceled or filled order"
BAD_ALO = "badAloPxRejected"
INVALID = "Attempted to modify to invalid new order"


def modify(state: State, account: Account, target: int | str, r: Request, now_ms: int, *, place: bool) -> Any:
    """Replace the order of an oid or cloid: the status entry. `place` is the action's always_place.

    `r` must have passed `rules.prevalidate` and be for the same market. An `error` entry with the old order gone is
    possible only where the new one met nobody but the user's own orders.
    """
    oid = account.by_cloid.get(target, -1) if isinstance(target, str) else target
    old = account.open_orders.get(oid)
    if old is None:
        return {"error": GONE}
    fitting = r if place else _passive(r)
    if fitting is None or old.coin != r.market.info.coin or old.is_buy is not r.is_buy:
        return {"error": INVALID}
    refusal = rules.refusal(state, account, fitting, without=old)
    if refusal is not None:
        if refusal[1] == BAD_ALO and state.parameters.crossing_modify_ends_old:
            remove(state, account, r.market, old, "canceled", now_ms)
        return placing.refuse(state, account, fitting, refusal, now_ms)
    # Taken from the old order before it ends: they would be cancelled with it.
    children, old.children = old.children, []
    remove(state, account, r.market, old, "canceled", now_ms)
    new, entry = placing.admit(state, account, fitting, now_ms)
    _inherit(state, account, old, new, children, now_ms)
    triggers.settle(state, now_ms)
    return entry


def _passive(r: Request) -> Request | None:
    """The order as an ALO, if it can be one."""
    if r.trigger is not None or r.tif not in ("Alo", "Gtc"):
        return None
    if r.tif == "Gtc" and r.market.book.would_cross(is_buy=r.is_buy, limit_px=r.px):
        return None
    return r._replace(tif="Alo")


def _inherit(
    state: State,
    account: Account,
    old: BookOrder,
    new: BookOrder | None,
    children: list[BookOrder],
    now_ms: int,
) -> None:
    """TP/SL children stay with the new order, a member of a group is replaced in it."""
    if new is None:  # it may still have met only the user's own orders
        for child in children:
            remove(state, account, state.markets[child.coin], child, "canceled", now_ms)
        return
    if old.siblings:
        group = old.siblings
        group[group.index(old)] = new
        new.siblings = group
    new.children = children
    if children and new.oid not in account.open_orders:
        arm_children(state, account, new, now_ms)
