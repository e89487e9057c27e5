"""Trigger orders: TP/SL on the mark, alone, on a position, or as children of an order. Pure.

A trigger order is dormant, off the book, until the mark reaches its price; then it is told as `triggered`
and becomes an IOC within 10 % of the mark (market) or a GTC at its own limit. Children of `normalTpsl` wait
until their parent is filled and go when it is cancelled; when one order of a group is filled, its siblings
are cancelled (docs/venue-facts.md F17, F18).
"""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hip3.core.money import round_price
from hip3.venue.engine import rules
from hip3.venue.engine.account import Account
from hip3.venue.engine.book import BookOrder
from hip3.venue.engine.matching import execute, ids
from hip3.venue.engine.model import Market, Request

if TYPE_CHECKING:
    from hip3.venue.engine.engine import Engine

SLIPPAGE = Decimal("0.1")
_WAITING, _ARMED = "waitingForFill", "waitingForTrigger"


def place_group(engine: "Engine", account: Account, requests: list[Request], grouping: str, now_ms: int) -> list[Any]:
    """Status entries of an order action with TP/SL grouping."""
    if grouping == "normalTpsl" and requests[0].trigger is None:
        return _place_family(engine, account, requests, now_ms)
    entries, group = [], []
    for r in requests:
        order, entry = engine.admit(account, r, now_ms)
        entries.append(entry)
        if order is not None and r.trigger is not None and grouping != "na":
            group.append(order)
    _join(group)
    return entries


def _join(group: list[BookOrder]) -> None:
    for order in group:
        order.siblings = group


def _place_family(engine: "Engine", account: Account, requests: list[Request], now_ms: int) -> list[Any]:
    """A parent and its TP/SL children. Children of a refused parent are refused with its text."""
    parent, entry = engine.admit(account, requests[0], now_ms)
    if parent is None:
        return [entry] * len(requests)
    entries: list[Any] = [entry]
    children: list[BookOrder] = []
    for r in requests[1:]:
        refused = rules.child_refusal(r, parent) if r.trigger is not None else ("Invalid TP/SL price.", None)
        if refused is not None:
            entries.append(engine.refuse(account, r, refused, now_ms))
            continue
        child = engine.new_order(account, r, now_ms)
        child.waiting = True
        children.append(child)
        rest(engine, account, r.market, child, now_ms)
        entries.append(_WAITING)
    _join(children)
    parent.children = list(children)
    if parent.oid not in account.open_orders:  # an immediate order: what it got is all it will get
        armed = arm_children(engine, account, parent, now_ms)
        entries = [entry, *(_ARMED if e == _WAITING and armed else e for e in entries[1:])]
    return entries


def rest(engine: "Engine", account: Account, market: Market, order: BookOrder, now_ms: int) -> dict[str, Any]:
    """Put a trigger order to sleep: its status entry."""
    market.triggers[order.oid] = order
    engine.tell(account, order, "open", now_ms)
    engine.enlist(account, order)
    return {"resting": ids(order)}


def arm_children(engine: "Engine", account: Account, parent: BookOrder, now_ms: int) -> bool:
    """The parent is filled: its children wait for the mark now; False if there is no position to protect."""
    market = engine.markets[parent.coin]
    position = engine.position(account, market)
    held = position != 0 and (position > 0) == parent.is_buy
    for child in list(parent.children):
        if not held:
            engine.remove(account, market, child, "reduceOnlyCanceled", now_ms)
            continue
        child.waiting = False
        child.sz = min(child.sz, abs(position))
    engine.recheck[parent.coin] = None
    return held


def check(engine: "Engine", market: Market, now_ms: int) -> None:
    """The mark may have moved: fire what is due, in the order of placement."""
    due = [
        o for o in market.triggers.values() if not o.waiting and o.trigger is not None and o.trigger.due(market.mark)
    ]
    for order in due:
        if order.oid in market.triggers:  # it may have gone with a sibling
            _fire(engine, market, order, now_ms)


def _fire(engine: "Engine", market: Market, order: BookOrder, now_ms: int) -> None:
    account = engine.accounts[order.owner]
    assert order.trigger is not None
    engine.delist(account, order)
    order.fired = True
    held = abs(engine.position(account, market))
    if order.sz == 0 or order.sz > held:  # sized to the position; its size is known only now
        order.sz = held
    if order.trigger.is_market:
        share = 1 + SLIPPAGE if order.is_buy else 1 - SLIPPAGE
        order.limit_px = round_price(market.mark * share, market.info.sz_decimals, up=not order.is_buy)
    engine.tell(account, order, "triggered", now_ms)
    if order.trigger.is_market and not market.book.would_cross(is_buy=order.is_buy, limit_px=order.limit_px):
        engine.ended(account, order, "marketOrderNoLiquidityRejected", now_ms)
        return
    execute(engine, account, market, order, now_ms)


def after_end(engine: "Engine", account: Account, order: BookOrder, status: str, now_ms: int) -> None:
    """An order of a family or group has ended: what follows for the others."""
    market = engine.markets[order.coin]
    if order.waiting:
        for parent in account.open_orders.values():
            if order in parent.children:
                parent.children.remove(order)
    if order.children:
        filled = status == "filled" or (status == "marginCanceled" and order.sz < order.orig_sz)
        if filled:
            arm_children(engine, account, order, now_ms)
        else:
            for child in list(order.children):
                engine.remove(account, market, child, "canceled", now_ms)
        order.children = []
    if status == "filled":
        for sibling in order.siblings:
            if sibling is not order and sibling.oid in account.open_orders:
                engine.remove(account, market, sibling, "siblingFilledCanceled", now_ms)
