"""How orders meet: price-time matching, self-trade, fills, fees, reduce-only shrinking. Pure.

Functions on the engine's state. Rules: docs/venue-facts.md F12 (matching), F7 and F27 (fees, closedPnl) and F33
(margin of resting orders).

Of every trade both sides are booked before anything follows from it, so size and cash add up whenever an order
ends on the way.
"""

from decimal import Decimal
from typing import Any, NamedTuple

from hip3.core.money import ZERO, to_wire
from hip3.venue.engine import fees
from hip3.venue.engine.account import Account
from hip3.venue.engine.book import BookOrder
from hip3.venue.engine.endings import ended, remove
from hip3.venue.engine.model import FillEvent, Market, Request, TradeEvent, UserEvent
from hip3.venue.engine.numbers import num
from hip3.venue.engine.orders import average, direction, fill_id
from hip3.venue.engine.rules import IMMEDIATE, has_margin
from hip3.venue.engine.state import State

_NO_MATCH = "Order could not immediately match against any resting orders."


class Deal(NamedTuple):
    """What both sides of one trade share."""

    px: Decimal
    """The maker's."""
    size: Decimal
    """Positive."""
    tid: int
    tx: str
    """Its transaction hash."""
    now_ms: int
    liquidation: dict[str, Any] | None = None
    """The `liquidation` object of both fills, if the taker is being liquidated."""


def execute(
    state: State,
    account: Account,
    market: Market,
    order: BookOrder,
    now_ms: int,
    liquidation: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Match, then rest or drop what is left: the status entry. The order is known as open already.

    No rule is asked, and the order must be on no book. `resting` says that something is left and stands, with or
    without fills; `filled` that it is over with a size of at least one fill; `error` that it met nobody.
    """
    asked = order.sz
    paid = _match(state, account, market, order, now_ms, liquidation)
    done = asked - order.sz
    state.touched.add(order.coin)
    if order.sz > 0 and order.tif not in IMMEDIATE:
        market.book.add(order)
        state.enlist(account, order)
        return {"resting": ids(order)}
    if not done:
        ended(state, account, order, "iocCancelRejected", now_ms)
        return {"error": _NO_MATCH + state.suffix(market)}
    ended(state, account, order, "filled" if order.sz == 0 else "canceled", now_ms)
    entry = {"totalSz": num(done), "avgPx": num(average(paid, done, market.info.sz_decimals))}
    return {"filled": entry | ids(order)}


def ids(order: BookOrder) -> dict[str, Any]:
    """oid, and cloid if there is one, as a status entry carries them."""
    return {"oid": order.oid} if order.cloid is None else {"oid": order.oid, "cloid": order.cloid}


def _match(
    state: State,
    account: Account,
    market: Market,
    order: BookOrder,
    now_ms: int,
    liquidation: dict[str, Any] | None,
) -> Decimal:
    """Trade against the book within the limit; returns the notional paid."""
    paid = ZERO
    while order.sz > 0:
        maker = market.book.next_maker(is_buy=order.is_buy, limit_px=order.limit_px)
        if maker is None:
            break
        other = state.accounts[maker.owner]
        # Both removals take the maker off the book, so the next round meets another order and the loop ends.
        if maker.owner == account.address:
            remove(state, other, market, maker, "selfTradeCanceled", now_ms)
            continue
        if not _affords(state, other, market, maker):
            remove(state, other, market, maker, "marginCanceled", now_ms)
            continue
        size = min(order.sz, maker.sz)
        deal = Deal(maker.limit_px, size, fill_id(order.oid, maker.oid), state.tx_hash(), now_ms, liquidation)
        _trade(state, account, other, market, order, maker, deal)
        paid += size * maker.limit_px
    return paid


def _affords(state: State, account: Account, market: Market, resting: BookOrder) -> bool:
    """Margin is looked at once more when a resting order is met: losses may have eaten it."""
    if account.is_agent or resting.reduce_only:
        return True
    request = Request(market, resting.is_buy, resting.limit_px, resting.sz, False, resting.tif, None)
    return has_margin(state, account, request, state.position(account, market), resting)


def _trade(
    state: State,
    taker: Account,
    maker: Account,
    market: Market,
    order: BookOrder,
    resting: BookOrder,
    deal: Deal,
) -> None:
    """One trade between a coming order and a resting one, and what follows for both accounts' other orders."""
    before = state.position(taker, market), state.position(maker, market)
    order.sz -= deal.size
    resting.sz -= deal.size
    market.book.resized()
    book_fill(state, taker, market, order, deal, crossed=True)
    book_fill(state, maker, market, resting, deal, crossed=False)
    count_open_interest(state, market, before, (taker, maker))
    market.last_px = deal.px
    market.day_notional += deal.size * deal.px
    market.day_base += deal.size
    users = [taker.address, maker.address] if order.is_buy else [maker.address, taker.address]  # buyer first
    trade = {
        "coin": order.coin, "side": "B" if order.is_buy else "A", "px": num(deal.px), "sz": num(deal.size),
        "time": deal.now_ms, "hash": deal.tx, "tid": deal.tid, "users": users,
    }  # fmt: skip
    market.trades.append(trade)
    del market.trades[:-30]
    state.events.append(TradeEvent(order.coin, trade, deal.px, deal.size))
    shrink_reduce_only(state, taker, market, deal.now_ms)
    if resting.sz == 0:  # first: what goes with it is told as its sibling, and not as a reduce-only order
        remove(state, maker, market, resting, "filled", deal.now_ms)
        _notify(state, maker, resting)
    shrink_reduce_only(state, maker, market, deal.now_ms)


def _notify(state: State, account: Account, order: BookOrder) -> None:
    """What the front end pops up."""
    if not account.is_agent:
        what = f"{'Bought' if order.is_buy else 'Sold'} {to_wire(order.orig_sz)} {order.coin}"
        text = f"Resting order filled: {what} at ${to_wire(order.limit_px)}"
        state.events.append(UserEvent(account.address, {"notification": text}, "notification"))


def count_open_interest(
    state: State, market: Market, before: tuple[Decimal, Decimal], pair: tuple[Account, Account]
) -> None:
    """Add what a trade changed: open interest is one side, in units, the sum of all longs.

    `before` are the signed sizes of the two accounts before the trade, which must not be the same account.
    """
    longs = sum((max(state.position(account, market), ZERO) for account in pair), ZERO)
    market.open_interest += longs - sum((max(b, ZERO) for b in before), ZERO)


def book_fill(
    state: State,
    account: Account,
    market: Market,
    order: BookOrder,
    deal: Deal,
    *,
    crossed: bool,
    free: bool = False,
    label: str | None = None,
) -> None:
    """One side of a trade: position, cash, fee, and the fill its owner sees; an agent sees none.

    Called once for each side, with the same `deal`. Open interest and the sizes of orders are the caller's.
    `crossed`: it was the taker. `free`: no fee and no volume, as in settlements. `label` replaces the usual `dir`.
    """
    dex = account.dex(market.info.dex)
    leverage, isolated = state.leverage_of(account, market)
    signed = deal.size if order.is_buy else -deal.size
    before, pnl = dex.apply_fill(order.coin, signed, deal.px, leverage, isolated=isolated)
    if account.is_agent:
        if not free:
            _pay(state, account, market, deal, crossed=crossed)
        return
    fee = ZERO if free else _pay(state, account, market, deal, crossed=crossed)
    built = ZERO if free else _pay_builder(state, account, market, order, deal)
    if order.coin in dex.positions:
        market.holders[account.address] = None
    else:
        market.holders.pop(account.address, None)
    fill: dict[str, Any] = {
        "coin": order.coin, "px": num(deal.px), "sz": num(deal.size), "side": "B" if order.is_buy else "A",
        "time": deal.now_ms, "startPosition": num(before), "dir": label or direction(before, signed),
        "closedPnl": num(pnl), "hash": deal.tx, "oid": order.oid, "crossed": crossed, "fee": num(fee + built),
        "tid": deal.tid, "feeToken": "USDC", "twapId": None,
    }  # fmt: skip
    if built:
        fill["builderFee"] = num(built)
    if order.cloid is not None:
        fill["cloid"] = order.cloid
    if deal.liquidation is not None:
        fill["liquidation"] = deal.liquidation
    account.fills.append(fill)
    state.events.append(FillEvent(account.address, fill))


def _pay(state: State, account: Account, market: Market, deal: Deal, *, crossed: bool) -> Decimal:
    """The exchange's fee, and the volume that counts for tiers."""
    notional = deal.size * deal.px
    fee = fees.charged(notional, state.fee_rate(account, market, deal.now_ms, crossed=crossed))
    account.dex(market.info.dex).raw_usd -= fee
    account.fees += fee
    account.volume += notional
    credit = notional * fees.GROWTH if market.info.growth else notional
    account.credited += credit
    state.count_volume(account, credit, deal.now_ms, crossed=crossed)
    return fee


def _pay_builder(state: State, account: Account, market: Market, order: BookOrder, deal: Deal) -> Decimal:
    """The builder's part, on top, to the builder's account on the same dex."""
    if order.builder is None:
        return ZERO
    address, tenths = order.builder
    fee = fees.charged(deal.size * deal.px, tenths * fees.BUILDER_UNIT)
    account.dex(market.info.dex).raw_usd -= fee
    state.fund(address, market.info.dex, fee)
    return fee


def shrink_reduce_only(state: State, account: Account, market: Market, now_ms: int) -> None:
    """Reduce-only orders, dormant ones too, shrink with the position and go when it is gone.

    They never grow again. Children that wait for their parent are left alone: their position is still to come.
    """
    if account.is_agent:
        return
    position = state.position(account, market)
    for order in state.open_orders(account):
        if order.coin != market.info.coin or not order.reduce_only or order.waiting:
            continue
        if order.oid not in account.open_orders or (order.sz == 0 and not order.dormant):
            continue  # gone with a sibling meanwhile; or just filled and about to leave the book
        if position == 0 or (position > 0) == order.is_buy:
            rival = any(s.fired and s.sz == 0 for s in order.siblings)
            remove(state, account, market, order, "siblingFilledCanceled" if rival else "reduceOnlyCanceled", now_ms)
        elif order.sz > abs(position):
            order.sz = abs(position)
            market.book.resized()
