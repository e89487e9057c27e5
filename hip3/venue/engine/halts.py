"""Taking a market off trading and back. Pure.

A halt cancels all orders and settles all positions at the oracle, or by a parameter at mark; `meta` says isDelisted
from then on, and the market keeps its place in the universe. It can be resumed (docs/venue-facts.md F29). The oracle
and the mark go on while it is halted.
"""

from hip3.core.money import ZERO
from hip3.venue.engine.endings import remove
from hip3.venue.engine.matching import Deal, book_fill
from hip3.venue.engine.model import Market, Request
from hip3.venue.engine.orders import fill_id
from hip3.venue.engine.state import State

_NOBODY = 0


def halt(state: State, market: Market, now_ms: int) -> None:
    """Cancel every order, settle every position at one price without a fee, refuse new orders; twice as good as once.

    Sizes add up to zero over all accounts, agents included, so settling everybody at one price moves cash between
    them and makes none.
    """
    market.halted = True
    coin, px = market.info.coin, market.oracle if state.parameters.settlement == "oracle" else market.mark
    for account in list(state.accounts.values()):
        for order in state.open_orders(account):
            if order.coin == coin and order.oid in account.open_orders:
                remove(state, account, market, order, "delistedCanceled", now_ms)
    # Orders go first: no reduce-only order is left that a settlement would have to shrink.
    for account in list(state.accounts.values()):
        size = state.position(account, market)
        if not size:
            continue
        request = Request(market, size < 0, px, abs(size), True, "Ioc", None)
        order = state.new_order(account, request, now_ms)
        deal = Deal(px, abs(size), fill_id(order.oid, _NOBODY), state.tx_hash(), now_ms)
        book_fill(state, account, market, order, deal, crossed=False, free=True, label="Settlement")
    market.open_interest = ZERO


def resume(market: Market) -> None:
    """Orders are taken again; what was cancelled and settled stays so."""
    market.halted = False
