"""Which orders the embedded exchange takes: validity, limits and margin, in the order they are checked. Pure.

Texts, order statuses and what is said once for a whole action: docs/venue-facts.md F11; margin: F12; trigger
orders: F17; number of open orders: F19; caps: F29. Nothing is changed here but by `enforce_cap`.
"""

from decimal import Decimal

from hip3.core.money import ZERO, decimals_of, div, is_legal_price
from hip3.venue.engine.account import Account
from hip3.venue.engine.book import BookOrder
from hip3.venue.engine.endings import remove
from hip3.venue.engine.model import Market, Request
from hip3.venue.engine.numbers import num
from hip3.venue.engine.state import State
from hip3.venue.setup.parameters import Parameters

MIN_NOTIONAL = Decimal(10)
"""USD at the limit price."""
OPEN_ORDERS = 1000
OPEN_ORDERS_CAP = 5000
VOLUME_PER_ORDER = 5_000_000
"""USD traded for one open order more."""
MAX_MARKET_ORDER = ((25, 30_000_000), (20, 5_000_000), (10, 2_000_000), (0, 500_000))
"""(from this maximum leverage on, highest value of an order in USD), falling."""
IMMEDIATE = frozenset({"Ioc", "FrontendMarket", "LiquidationMarket"})
"""The times in force that never rest."""

Refusal = tuple[str, str | None]
"""(text without suffix, order status that says the same; None if no order came to be)."""


def prevalidate(requests: list[Request], parameters: Parameters) -> str | None:
    """The first fault that refuses a whole action, without suffix; None if there is none.

    It looks at the orders and at their markets alone, at no account: such a fault leaves no order and no status.
    """
    for r in requests:
        decimals = r.market.info.sz_decimals
        if r.sz < 0 or (r.sz == 0 and not r.position_tpsl):
            return "Order has zero size."
        if decimals_of(r.sz) > decimals:
            return "Order has invalid size."
        prices = [r.px] if r.trigger is None else [r.px, r.trigger.px]
        if any(px <= 0 or decimals_of(px) > max(0, 6 - decimals) for px in prices):
            return "Order has invalid price."
        if abs(r.px - r.market.oracle) > parameters.price_band * r.market.oracle:
            band = int(parameters.price_band * 100)
            return f"Order price cannot be more than {band}% away from the reference price"
        if r.trigger is not None and not r.reduce_only:
            return "Trigger order is not reduce only."
        most = max_value(r)
        if r.px * r.sz > most:
            return f"Order value too large. Max is ${most}."
    return None


def refusal(state: State, account: Account, r: Request, without: BookOrder | None = None) -> Refusal | None:
    """The first rule that an order breaks, None if it may come in. A user's has passed `prevalidate`.

    `without` is the open order that it would replace, whose margin is free again. The order of the rules is the
    exchange's: a client sees the text of the first one only.
    """
    market = r.market
    if market.halted:
        return "Trading is halted.", None
    if account.is_agent:  # the exchange's own traders ask for nothing illegal, and have no limits
        return _matching_refusal(state, account, r, ZERO, without)
    if state.post_only and (r.tif != "Alo" or r.trigger is not None):
        return "Only post-only orders allowed immediately after network upgrade", None
    if _too_many(account, r):
        return "Too many open orders", "tooManyOpenOrdersRejected"
    if not is_legal_price(r.px, market.info.sz_decimals):
        return "Price must be divisible by tick size.", "tickRejected"
    position = state.position(account, market)
    reduces = position != 0 and (position > 0) != r.is_buy
    # Closing everything is exempt from the minimum: what is left of a position must be able to go.
    closes = reduces and (r.sz >= abs(position) or (r.position_tpsl and r.sz == 0))
    if r.px * r.sz < MIN_NOTIONAL and not closes:
        return "Order must have minimum value of $10.", "minTradeNtlRejected"
    if r.reduce_only and not reduces:
        return "Reduce only order would increase position.", "reduceOnlyRejected"
    if r.reduce_only and r.sz:  # shrunk to what it can reduce before anything else is asked (docs/venue-facts.md F12)
        r = r._replace(sz=min(r.sz, abs(position)))
    if r.trigger is not None:
        return trigger_refusal(r, market.mark)
    limited = _exposure_refusal(state, account, r, position)
    if limited is not None:
        return limited
    return _matching_refusal(state, account, r, position, without)


def max_value(r: Request) -> int:
    """The most one order may be worth in USD: by the market's leverage, ten times more for limit orders
    (docs/venue-facts.md F29)."""
    most = next(ntl for leverage, ntl in MAX_MARKET_ORDER if r.market.info.max_leverage >= leverage)
    return most if r.tif in IMMEDIATE else most * 10


def _exposure_refusal(state: State, account: Account, r: Request, position: Decimal) -> Refusal | None:
    """Open-interest cap, distance from the oracle, and the tier that the position would come into."""
    market, signed = r.market, r.sz if r.is_buy else -r.sz
    grows = abs(position + signed) > abs(position) or (position + signed) * position < 0
    if market.at_cap and grows:
        flips = position != 0 and (position > 0) != r.is_buy
        status = f"position{'Flip' if flips else 'Increase'}AtOpenInterestCapRejected"
        return "Order would increase open interest while open interest is capped", status
    if market.at_cap and r.tif not in IMMEDIATE and not r.reduce_only and aggressive(market, r.is_buy, r.px):
        text = "Order rejected due to price more aggressive than oracle while at open interest cap"
        return text, "tooAggressiveAtOpenInterestCapRejected"
    distance = state.parameters.oracle_distance
    if distance and abs(r.px - market.oracle) > distance * market.oracle:
        return "Price too far from oracle", "oracleRejected"
    leverage, _ = state.leverage_of(account, market)
    notional = abs(position + signed) * market.mark
    allowed = [highest for lower, highest in market.info.margin_tiers if lower <= notional][-1]
    if grows and leverage > allowed:
        return "Order would cause position to exceed margin tier limit at current leverage", "perpMaxPositionRejected"
    return None


def aggressive(market: Market, is_buy: bool, px: Decimal) -> bool:
    """Whether a price is on the far side of the oracle: a buy above it, a sell below."""
    return px > market.oracle if is_buy else px < market.oracle


def enforce_cap(state: State, market: Market, now_ms: int) -> None:
    """At the cap, orders more aggressive than the oracle go as `openInterestCapCanceled`; reduce-only and agents'
    orders stay. Only the caller asks whether the market is at its cap (docs/venue-facts.md F29)."""
    for account in state.accounts.values():
        if account.is_agent:
            continue
        for order in state.open_orders(account, market.info.dex):
            if order.coin != market.info.coin or order.reduce_only or order.oid not in account.open_orders:
                continue
            if aggressive(market, order.is_buy, order.limit_px):
                remove(state, account, market, order, "openInterestCapCanceled", now_ms)


def trigger_refusal(r: Request, reference: Decimal) -> Refusal | None:
    """What is wrong with a trigger price, seen from the price it will be compared with; None if nothing.

    One that would fire at once is on the wrong side. `r` must have a trigger.
    """
    assert r.trigger is not None
    if not is_legal_price(r.trigger.px, r.market.info.sz_decimals):
        return "Price must be divisible by tick size.", "tickRejected"
    if r.trigger.due(reference):
        return "Invalid TP/SL price.", "badTriggerPxRejected"
    return None


def child_refusal(r: Request, parent: BookOrder) -> Refusal | None:
    """What is wrong with a TP/SL child that waits for its parent, whose price is its reference; None if nothing.

    It is judged by the parent and not by the position, which is not there yet; a child as large as its parent may
    be worth less than the minimum.
    """
    if r.is_buy == parent.is_buy:
        return "Reduce only order would increase position.", "reduceOnlyRejected"
    if r.px * r.sz < MIN_NOTIONAL and r.sz < parent.orig_sz:
        return "Order must have minimum value of $10.", "minTradeNtlRejected"
    return trigger_refusal(r, parent.limit_px)


def _matching_refusal(
    state: State, account: Account, r: Request, position: Decimal, without: BookOrder | None
) -> Refusal | None:
    """What the book and the account say to an order that may trade now."""
    book = r.market.book
    if account.is_agent and r.tif == "Gtc":
        return None
    crosses = book.would_cross(is_buy=r.is_buy, limit_px=r.px)
    if r.tif == "Alo" and crosses:
        bid, ask = book.best_bid(), book.best_ask()
        bbo = f"{'' if bid is None else num(bid)}@{'' if ask is None else num(ask)}"
        return f"Post only order would have immediately matched, bbo was {bbo}.", "badAloPxRejected"
    if not account.is_agent and not has_margin(state, account, r, position, without):
        return "Insufficient margin to place order.", "perpMarginRejected"
    if r.tif in IMMEDIATE and not crosses:
        return "Order could not immediately match against any resting orders.", "iocCancelRejected"
    return None


def _too_many(account: Account, r: Request) -> bool:
    """From 1000 open orders on nothing that only reduces or waits; 1000 + 1 per 5M traded, up to 5000, at all."""
    count = len(account.open_orders)
    if count < OPEN_ORDERS:
        return False
    cap = min(OPEN_ORDERS_CAP, OPEN_ORDERS + int(account.volume) // VOLUME_PER_ORDER)
    return r.reduce_only or (count >= cap and r.tif not in IMMEDIATE)


def has_margin(state: State, account: Account, r: Request, position: Decimal, without: BookOrder | None = None) -> bool:
    """Whether there is initial margin for what the order adds, at its limit price (docs/venue-facts.md F12).

    `position` is the signed size held; what does not make it larger always passes. `without` is left out of the
    resting orders that need margin: the order that is replaced, or the resting order itself that is looked at again.
    """
    signed = r.sz if r.is_buy else -r.sz
    added = abs(position + signed) - abs(position)
    if added <= 0:
        return True
    leverage, _ = state.leverage_of(account, r.market)
    return div(added * r.px, Decimal(leverage)) <= free_margin(state, account, r.market.info.dex, without)


def free_margin(state: State, account: Account, dex: str, without: BookOrder | None = None) -> Decimal:
    """Cross cash of a dex in USD that neither positions nor open orders need; negative if they need more."""
    held, marks = account.dex(dex), state.marks()
    return held.cross_value(marks) - held.cross_margin(marks) - resting_margin(state, account, dex, without)


def withdrawable(state: State, account: Account, dex: str) -> Decimal:
    """Cross cash in USD that may leave, never negative (docs/venue-facts.md F25).

    What positions and open orders need stays, and at least a tenth of the cross notional.
    """
    held, marks = account.dex(dex), state.marks()
    notional = sum((abs(p.szi) * marks[c] for c, p in held.positions.items() if not p.isolated), ZERO)
    needed = held.cross_margin(marks) + resting_margin(state, account, dex)
    return max(ZERO, held.cross_value(marks) - max(needed, notional / 10))


def resting_margin(state: State, account: Account, dex: str, without: BookOrder | None = None) -> Decimal:
    """What open orders bind of the cash that backs a dex, in USD: those that would raise exposure. What lies against a
    position binds nothing as far as it only closes that (docs/venue-facts.md F25)."""
    against: dict[str, Decimal] = {}
    total = ZERO
    for name in account.sharing(dex):
        for order in state.open_orders(account, name):
            if order is without or order.reduce_only:  # dormant orders are reduce-only and never need any
                continue
            market: Market = state.markets[order.coin]
            position, size = state.position(account, market), order.sz
            if position and (position > 0) != order.is_buy:
                left = against.setdefault(order.coin, abs(position))
                against[order.coin] = left - min(left, size)
                size -= min(left, size)
            leverage, _ = state.leverage_of(account, market)
            total += div(size * order.limit_px, Decimal(leverage))
    return total
