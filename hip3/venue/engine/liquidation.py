"""Liquidation and auto-deleveraging of the embedded exchange. Pure; runs whenever a mark changes.

What backs a position (its isolated margin, or the cross account of the dex) below maintenance: its open orders
are cancelled and it goes to the book as a market order, whole, or a fifth at a time with 30 s between above
100,000 USDC. The order has a limit where nothing would be left, so that a user's debt never becomes anybody
else's. Below two thirds of maintenance a backstop account takes over position and margin where the market
allows cross margin; elsewhere, with nothing left, the position is closed against the most profitable positions
of the other side at its bankruptcy price (docs/venue-facts.md F20, F21).

Whatever leaves an account goes to the other side, into a fee, or to the backstop: cash adds up, but for what the
backstop is given at its beginning.
"""

from decimal import Decimal
from typing import Any, NamedTuple

from hip3.core.money import ZERO, ceil_size, div, round_price
from hip3.venue.engine.account import Account, DexAccount, Position
from hip3.venue.engine.book import BookOrder
from hip3.venue.engine.endings import remove
from hip3.venue.engine.margin import bankruptcy_px, cross_maintenance, equity, maintenance
from hip3.venue.engine.matching import Deal, book_fill, count_open_interest, execute, shrink_reduce_only
from hip3.venue.engine.model import Market, Request, UserEvent
from hip3.venue.engine.numbers import num
from hip3.venue.engine.orders import fill_id, mix
from hip3.venue.engine.state import State

SLICE_ABOVE = Decimal(100_000)
"""USD at mark above which a position goes in slices."""
SLICE = Decimal("0.2")
"""Share of the position that one slice is."""
COOLDOWN_MS = 30_000
"""Between two slices of one position."""
BACKSTOP_CASH = Decimal(10) ** 12
"""What the backstop of a dex is given when it is first needed."""
_NOBODY = "0x" + "0" * 40
_FURTHEST = Decimal("0.05")
"""A liquidation order never goes further from the mark than this share of it (below), or twice less this (above)."""


class _Case(NamedTuple):
    """One position that may be liquidated, with what it hangs on."""

    account: Account
    held: DexAccount
    """The account's part on the market's dex."""
    position: Position
    market: Market


def check(state: State, market: Market, now_ms: int) -> None:
    """The mark of a market moved: liquidate whoever cannot hold any longer. Called as often as one likes.

    A cross account is looked at whenever the mark of one of its markets moves, and all its positions with it. Agents
    are no holders and are never liquidated.
    """
    for address in list(market.holders):  # a copy: whoever is closed out leaves, and rivals with them
        account = state.accounts[address]
        held = account.dex(market.info.dex)
        position = held.positions.get(market.info.coin)
        if position is None:
            continue
        if position.isolated:
            _check_isolated(state, _Case(account, held, position, market), now_ms)
        elif held.cross_value(state.marks()) < cross_maintenance(held, state.markets):
            _liquidate_cross(state, account, held, market.info.dex, now_ms)


def _needed(state: State, case: _Case) -> Decimal:
    """Maintenance margin, in USD, of what the position hangs on."""
    if case.position.isolated:
        return maintenance(case.market.info, abs(case.position.szi) * case.market.mark)
    return cross_maintenance(case.held, state.markets)


def _backing(state: State, case: _Case) -> Decimal:
    return equity(case.held, case.position, case.market, state.marks())


def _open(case: _Case) -> bool:
    # By identity: a position that was closed and opened anew meanwhile is another one.
    return case.held.positions.get(case.market.info.coin) is case.position


def _check_isolated(state: State, case: _Case, now_ms: int) -> None:
    """One isolated position: its coin's orders go, then it, by the book, the backstop or the other side."""
    if _backing(state, case) >= _needed(state, case):
        return
    _announce(state, case.account, [case], now_ms)
    coin = case.market.info.coin
    for order in state.open_orders(case.account):
        if order.coin == coin and order.oid in case.account.open_orders:
            remove(state, case.account, case.market, order, "liquidatedCanceled", now_ms)
    _to_the_book(state, case, now_ms)
    if not _open(case):
        return
    if case.market.info.margin_mode is None and _backing(state, case) < _needed(state, case) * 2 / 3:
        _to_the_backstop(state, case, now_ms)
    elif _backing(state, case) <= 0:
        _deleverage(state, case, now_ms)


def _liquidate_cross(state: State, account: Account, held: DexAccount, dex: str, now_ms: int) -> None:
    """Position by position, the one that needs most first, until the rest can be held."""
    cases = [_Case(account, held, p, state.markets[c]) for c, p in held.positions.items() if not p.isolated]
    cases.sort(key=lambda c: maintenance(c.market.info, abs(c.position.szi) * c.market.mark), reverse=True)
    _announce(state, account, cases, now_ms)
    isolated = {coin for coin, p in held.positions.items() if p.isolated}
    for order in [o for name in account.sharing(dex) for o in state.open_orders(account, name)]:
        if order.coin not in isolated and order.oid in account.open_orders:
            remove(state, account, state.markets[order.coin], order, "liquidatedCanceled", now_ms)
    for case in cases:
        if held.cross_value(state.marks()) >= cross_maintenance(held, state.markets):
            return
        _to_the_book(state, case, now_ms)
    if held.cross_value(state.marks()) < cross_maintenance(held, state.markets) * 2 / 3:
        for case in cases:
            if _open(case):
                _to_the_backstop(state, case, now_ms)
        # No cross position is left: what remains of the cash goes along, and so does a debt.
        left, held.raw_usd = held.raw_usd, ZERO
        _backstop(state, dex).dex(dex).raw_usd += left


def _announce(state: State, account: Account, cases: list[_Case], now_ms: int) -> None:
    """Once per position's way into liquidation: the user event and the ledger entry."""
    fresh = [c for c in cases if c.position.liquidated_ms is None]
    if not fresh:
        return
    notional = sum((abs(c.position.szi) * c.market.mark for c in cases), ZERO)
    value = _backing(state, cases[0])
    ntl, worth = num(notional), num(value)
    liquidation = {
        "lid": mix(len(account.ledger) * 7 + now_ms) >> 20, "liquidator": _NOBODY, "liquidated_user": account.address,
        "liquidated_ntl_pos": ntl, "liquidated_account_value": worth,
    }  # fmt: skip
    state.events.append(UserEvent(account.address, {"liquidation": liquidation}))
    kind = "Isolated" if cases[0].position.isolated else "Cross"
    delta: dict[str, Any] = {
        "type": "liquidation", "liquidatedNtlPos": ntl, "accountValue": worth, "leverageType": kind,
        "liquidatedPositions": [{"coin": c.market.info.coin, "szi": num(c.position.szi)} for c in cases],
    }  # fmt: skip
    state.note(account, delta, now_ms)


def _to_the_book(state: State, case: _Case, now_ms: int) -> None:
    """A market order for the position, or for a fifth of a large one."""
    account, position, market = case.account, case.position, case.market
    size = abs(position.szi)
    # A position that is small enough to go as a whole has no cooldown.
    if size * market.mark > SLICE_ABOVE:
        last = position.liquidated_ms
        if last is not None and now_ms < last + COOLDOWN_MS:
            return
        size = min(size, ceil_size(size * SLICE, market.info.sz_decimals))
    position.liquidated_ms = now_ms
    order = _order(state, case, size, _limit(state, case, now_ms), now_ms)
    if not market.book.would_cross(is_buy=order.is_buy, limit_px=order.limit_px):
        return
    state.tell(account, order, "open", now_ms)
    execute(state, account, market, order, now_ms, _said(case, "market"))


def _limit(state: State, case: _Case, now_ms: int) -> Decimal:
    """The last legal price at which the close does not cost more than there is."""
    market = case.market
    fee = state.fee_rate(case.account, market, now_ms, crossed=True)
    px = bankruptcy_px(case.held, case.position, market, state.marks(), fee)
    nearest, furthest = market.mark * _FURTHEST, market.mark * (2 - _FURTHEST)
    return round_price(min(max(px, nearest), furthest), market.info.sz_decimals, up=case.position.szi > 0)


def _order(state: State, case: _Case, size: Decimal, px: Decimal, now_ms: int) -> BookOrder:
    """An order that closes `size` of the position; no rule is asked, the exchange sends it itself."""
    request = Request(case.market, case.position.szi < 0, px, size, True, "LiquidationMarket", None)
    return state.new_order(case.account, request, now_ms)


def _said(case: _Case, method: str) -> dict[str, Any]:
    """The `liquidation` object that the fills of both sides carry (docs/venue-facts.md F20)."""
    return {"liquidatedUser": case.account.address, "markPx": num(case.market.mark), "method": method}


def _backstop(state: State, dex: str) -> Account:
    """The account that takes over on a dex, made when first needed; its address has the number of the dex."""
    index = next(m.info.asset_id for m in state.markets.values() if m.info.dex == dex) // 10_000 % 10
    address = f"0x4{index:039x}"
    account = state.account(address)
    if account is None or dex not in account.dexs:
        account = state.fund(address, dex, BACKSTOP_CASH, agent=True)
    return account


def _to_the_backstop(state: State, case: _Case, now_ms: int) -> None:
    """The backstop takes the position at mark, and the margin with it."""
    backstop, dex = _backstop(state, case.market.info.dex), case.market.info.dex
    isolated, side = case.position.isolated, "Long" if case.position.szi > 0 else "Short"
    before = case.held.raw_usd
    label = f"Liquidated {'Isolated' if isolated else 'Cross'} {side}"
    _hand_over(state, case, backstop, abs(case.position.szi), case.market.mark, label, "backstop", now_ms)
    if isolated:  # what was set aside came free; of a cross account everything goes when all positions have gone
        freed = case.held.raw_usd - before
        case.held.raw_usd -= freed
        backstop.dex(dex).raw_usd += freed


def _deleverage(state: State, case: _Case, now_ms: int) -> None:
    """Close against the other side, the most profitable and most leveraged first."""
    market, coin = case.market, case.market.info.coin
    long = case.position.szi > 0
    px = bankruptcy_px(case.held, case.position, market, state.marks(), ZERO)
    px = round_price(px, market.info.sz_decimals, up=long)
    rivals: list[tuple[Decimal, Account]] = []
    for account in state.accounts.values():
        other = account.dex(market.info.dex).positions.get(coin)
        if other is not None and other.szi and (other.szi > 0) != long:
            gain = div(other.unrealized(market.mark), other.entry_ntl)
            rivals.append((gain * other.leverage, account))
    rivals.sort(key=lambda r: r[0], reverse=True)
    for _, rival in rivals:
        if not _open(case):
            return
        size = min(abs(case.position.szi), abs(state.position(rival, market)))
        _hand_over(state, case, rival, size, px, "Auto-Deleveraging", None, now_ms)


def _hand_over(
    state: State,
    case: _Case,
    other: Account,
    size: Decimal,
    px: Decimal,
    label: str,
    method: str | None,
    now_ms: int,
) -> None:
    """Close `size` of the position against `other` at `px`, past the book and without a fee."""
    market, account = case.market, case.account
    before = state.position(account, market), state.position(other, market)
    mine = _order(state, case, size, px, now_ms)
    request = Request(market, not mine.is_buy, px, size, False, "LiquidationMarket", None)
    theirs = state.new_order(other, request, now_ms)
    said = None if method is None else _said(case, method)
    deal = Deal(px, size, fill_id(mine.oid, theirs.oid), state.tx_hash(), now_ms, said)
    book_fill(state, account, market, mine, deal, crossed=True, free=True, label=label)
    book_fill(state, other, market, theirs, deal, crossed=False, free=True, label=label)
    count_open_interest(state, market, before, (account, other))
    for who in (account, other):
        shrink_reduce_only(state, who, market, now_ms)
