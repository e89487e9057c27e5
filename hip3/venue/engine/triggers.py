"""Trigger orders: TP/SL on the mark, alone, on a position, or as children of an order. Pure.

A trigger order is dormant, off the book, until the mark reaches its price; then it is told as `triggered`
and becomes an IOC within 10 % of the mark (market) or a GTC at its own limit. Children of `normalTpsl` wait
until their parent is filled and go when it is cancelled; when one order of a group is filled, its siblings
are cancelled (docs/venue-facts.md F17, F18).
"""

from decimal import Decimal
from typing import Any

from hip3.core.money import round_price
from hip3.venue.engine.account import Account
from hip3.venue.engine.book import BookOrder
from hip3.venue.engine.endings import ended
from hip3.venue.engine.matching import execute, ids
from hip3.venue.engine.model import Market
from hip3.venue.engine.state import State

SLIPPAGE = Decimal("0.1")
"""How far from the mark a market trigger may fill, as a fraction of it."""


def rest(state: State, account: Account, market: Market, order: BookOrder, now_ms: int) -> dict[str, Any]:
    """Put a trigger order to sleep: its status entry. It does not fire here, even if it is due."""
    market.triggers[order.oid] = order
    state.tell(account, order, "open", now_ms)
    state.enlist(account, order)
    return {"resting": ids(order)}


def check(state: State, market: Market, now_ms: int) -> None:
    """The mark may have moved: fire what is due, in the order of placement.

    What is due is decided once, before the first fires. Children that wait for their parent do not fire.
    """
    due = [
        o for o in market.triggers.values() if not o.waiting and o.trigger is not None and o.trigger.due(market.mark)
    ]
    for order in due:
        if order.oid in market.triggers:  # it may have gone with a sibling
            _fire(state, market, order, now_ms)


def _fire(state: State, market: Market, order: BookOrder, now_ms: int) -> None:
    account = state.accounts[order.owner]
    assert order.trigger is not None
    # Delisted while it is still dormant: afterwards it would be looked for on the book.
    state.delist(account, order)
    order.fired = True
    held = abs(state.position(account, market))
    if order.sz == 0 or order.sz > held:  # sized to the position; its size is known only now
        order.sz = held
    if order.trigger.is_market:
        share = 1 + SLIPPAGE if order.is_buy else 1 - SLIPPAGE
        order.limit_px = round_price(market.mark * share, market.info.sz_decimals, up=not order.is_buy)
    state.tell(account, order, "triggered", now_ms)
    if order.trigger.is_market and not market.book.would_cross(is_buy=order.is_buy, limit_px=order.limit_px):
        ended(state, account, order, "marketOrderNoLiquidityRejected", now_ms)
        return
    execute(state, account, market, order, now_ms)


def settle(state: State, now_ms: int) -> None:
    """What an order set off: TP/SL children that are armed now may be due at once.

    Called at the end of everything that may trade. It ends, since every trigger fires once.
    """
    while state.recheck:
        coin = next(iter(state.recheck))
        del state.recheck[coin]
        check(state, state.markets[coin], now_ms)
