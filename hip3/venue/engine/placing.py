"""How orders come in: admitted or refused, alone or with their TP/SL family. Pure.

Rules and texts: docs/venue-facts.md F11 (validity), F12 (matching), F17 and F18 (families and groups). A status
entry is what the answer has for one order: an object, or a word for a child. Triggers that an order set off are
fired by `triggers.settle` afterwards, which is the caller's.
"""

from typing import Any

from hip3.venue.engine import matching, rules, triggers
from hip3.venue.engine.account import Account
from hip3.venue.engine.book import BookOrder
from hip3.venue.engine.endings import arm_children
from hip3.venue.engine.model import Request
from hip3.venue.engine.state import State

_WAITING, _ARMED = "waitingForFill", "waitingForTrigger"


def admit(state: State, account: Account, r: Request, now_ms: int) -> tuple[BookOrder | None, dict[str, Any]]:
    """One order into the engine: (the order, its status entry); None for the order if it was refused or met nobody.

    The order may be over already, filled or cut off as an IOC. `rules.prevalidate` must have passed it.
    """
    refusal = rules.refusal(state, account, r)
    if refusal is not None:
        return None, refuse(state, account, r, refusal, now_ms)
    market, order = r.market, state.new_order(account, r, now_ms)
    if r.reduce_only and order.sz:
        order.sz = min(order.sz, abs(state.position(account, market)))
    if order.trigger is not None:
        return order, triggers.rest(state, account, market, order, now_ms)
    state.tell(account, order, "open", now_ms)
    entry = matching.execute(state, account, market, order, now_ms)
    return (None if "error" in entry else order), entry


def refuse(state: State, account: Account, r: Request, refusal: rules.Refusal, now_ms: int) -> dict[str, Any]:
    """The status entry of a refused order; it has an id and a status nevertheless.

    The status is told and remembered under the order's cloid, if the refusal has one.
    """
    text, status = refusal
    order = state.new_order(account, r, now_ms)
    if status is not None:
        state.tell(account, order, status, now_ms)
    return {"error": text + state.suffix(r.market)}


def place_group(state: State, account: Account, requests: list[Request], grouping: str, now_ms: int) -> list[Any]:
    """Status entries of an order action, one per order, in order.

    `grouping` is the action's: "na" places each by itself, "normalTpsl" makes the first order the parent of the
    others unless it is a trigger itself, and the trigger orders of any other group become siblings. `requests` must
    not be empty.
    """
    if grouping == "normalTpsl" and requests[0].trigger is None:
        return _place_family(state, account, requests, now_ms)
    entries, group = [], []
    for r in requests:
        order, entry = admit(state, account, r, now_ms)
        entries.append(entry)
        if order is not None and r.trigger is not None and grouping != "na":
            group.append(order)
    _join(group)
    return entries


def _join(group: list[BookOrder]) -> None:
    """Make orders siblings: they share the list itself."""
    for order in group:
        order.siblings = group


def _place_family(state: State, account: Account, requests: list[Request], now_ms: int) -> list[Any]:
    """A parent and its TP/SL children. Children of a refused parent are refused with its text."""
    parent, entry = admit(state, account, requests[0], now_ms)
    if parent is None:
        return [entry] * len(requests)
    entries: list[Any] = [entry]
    children: list[BookOrder] = []
    for r in requests[1:]:
        refused = rules.child_refusal(r, parent) if r.trigger is not None else ("Invalid TP/SL price.", None)
        if refused is not None:
            entries.append(refuse(state, account, r, refused, now_ms))
            continue
        child = state.new_order(account, r, now_ms)
        child.waiting = True
        children.append(child)
        triggers.rest(state, account, r.market, child, now_ms)
        entries.append(_WAITING)
    _join(children)
    # A list of its own: children leave their parent as they end, and stay among the siblings.
    parent.children = list(children)
    if parent.oid not in account.open_orders:  # an immediate order: what it got is all it will get
        armed = arm_children(state, account, parent, now_ms)
        entries = [entry, *(_ARMED if e == _WAITING and armed else e for e in entries[1:])]
    return entries
