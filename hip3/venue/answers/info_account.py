"""Answers about accounts: margin, orders, fills, limits, roles. Shapes: docs/venue-facts.md F13."""

from collections.abc import Collection, Iterable
from decimal import Decimal
from typing import Any

from hip3.core.money import ZERO, div, truncate
from hip3.venue.answers.replies import UNPROCESSABLE, Answer, account_of, dex_of, is_cloid, user_of
from hip3.venue.books.books import Books
from hip3.venue.engine.account import Account, DexAccount, Position
from hip3.venue.engine.book import BookOrder
from hip3.venue.engine.margin import cross_maintenance, liquidation_px
from hip3.venue.engine.numbers import num
from hip3.venue.engine.orders import frontend_order, open_order
from hip3.venue.engine.rules import free_margin, withdrawable

MAX_FILLS = 2000
MAX_ROWS = 500
MAX_NEWEST = 2000


def clearinghouse(books: Books, account: Account | None, dex: str, now_ms: int) -> dict[str, Any]:
    """clearinghouseState of one dex; all zeros for an address that never was.

    Of a pooled account a dex shows its positions and the margin that is posted for them, and no cash
    (docs/venue-facts.md F16); under the older dex abstraction the main dex has what is left.
    """
    backing = account.dex(dex) if account is not None else DexAccount()
    held, marks = _shown(books, account, dex, backing), books.engine.marks()
    cross = [(c, p) for c, p in held.positions.items() if not p.isolated]
    isolated = [(c, p) for c, p in held.positions.items() if p.isolated]
    cross_ntl = sum((abs(p.szi) * marks[c] for c, p in cross), ZERO)
    all_ntl = cross_ntl + sum((abs(p.szi) * marks[c] for c, p in isolated), ZERO)
    margin = held.cross_margin(marks)
    iso_margin = sum((p.margin_used(marks[c]) for c, p in isolated), ZERO)
    free = ZERO if account is None or _in_spot(account, dex) else withdrawable(books.engine, account, dex)
    raw, paid = held.raw_usd, {} if account is None else account.funding_paid
    return {
        "marginSummary": _summary(
            held.value(marks),
            all_ntl,
            raw + sum((p.iso_raw_usd for _, p in isolated), ZERO),
            margin + iso_margin,
        ),
        "crossMarginSummary": _summary(held.cross_value(marks), cross_ntl, raw, margin),
        "crossMaintenanceMarginUsed": num(truncate(cross_maintenance(held, books.engine.markets), 6)),
        "withdrawable": num(truncate(free, 6)),
        "assetPositions": [
            {"type": "oneWay", "position": _position(books, backing, c, p, paid.get(c, ZERO))}
            for c, p in held.positions.items()
        ],
        "time": now_ms,
    }


def _in_spot(account: Account, dex: str) -> bool:
    """Whether the cash that backs a dex is shown elsewhere."""
    return account.pooled and not (account.mode == "dexAbstraction" and dex == "")


def _shown(books: Books, account: Account | None, dex: str, backing: DexAccount) -> DexAccount:
    """The part of an account that a dex shows as its own: of a pool its positions with the margin posted for them."""
    if account is None or not account.pooled:
        return backing
    marks, shown = books.engine.marks(), DexAccount()
    shown.positions = {c: p for c, p in backing.positions.items() if books.engine.markets[c].info.dex == dex}
    if _in_spot(account, dex):
        shown.raw_usd = shown.cross_margin(marks) - shown.cross_value(marks)
    else:
        elsewhere = ((c, p) for c, p in backing.positions.items() if c not in shown.positions and not p.isolated)
        posted = sum((p.margin_used(marks[c]) - p.szi * marks[c] for c, p in elsewhere), ZERO)
        shown.raw_usd = backing.raw_usd - posted
    return shown


def _summary(value: Decimal, ntl: Decimal, raw: Decimal, margin: Decimal) -> dict[str, str]:
    return {
        "accountValue": num(truncate(value, 6)), "totalNtlPos": num(truncate(ntl, 6)),
        "totalRawUsd": num(truncate(raw, 6)), "totalMarginUsed": num(truncate(margin, 6)),
    }  # fmt: skip


def _position(books: Books, held: DexAccount, coin: str, p: Position, all_time: Decimal) -> dict[str, Any]:
    market = books.engine.markets[coin]
    mark, info = market.mark, market.info
    leverage: dict[str, Any] = {"type": "isolated" if p.isolated else "cross", "value": p.leverage}
    if p.isolated:
        leverage["rawUsd"] = num(truncate(p.iso_raw_usd, 6))
    pnl = p.unrealized(mark)
    liquidation = liquidation_px(held, p, books.engine.markets, coin, books.engine.marks())
    return {
        "coin": coin, "szi": num(p.szi), "leverage": leverage,
        "entryPx": num(truncate(p.entry_px, max(0, 6 - info.sz_decimals))),
        "positionValue": num(truncate(abs(p.szi) * mark, 6)), "unrealizedPnl": num(truncate(pnl, 6)),
        "returnOnEquity": num(truncate(div(pnl * p.leverage, p.entry_ntl), 10)),
        "liquidationPx": None if liquidation is None else num(liquidation),
        "marginUsed": num(truncate(p.margin_used(mark), 6)),
        "maxLeverage": info.max_leverage,
        "cumFunding": {
            "allTime": num(all_time), "sinceOpen": num(p.funding), "sinceChange": num(p.funding_since_change),
        },
    }  # fmt: skip


def clearinghouse_answer(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    dex = dex_of(request)
    if not books.has_dex(dex):
        return 500, None
    return 200, clearinghouse(books, account_of(books, request), dex, now_ms)


def _orders(books: Books, account: Account | None, dex: str) -> list[BookOrder]:
    """Open orders of a dex, newest first."""
    return [] if account is None else list(reversed(books.engine.open_orders(account, dex)))


def open_orders(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """Open orders in short; a trigger order looks like a reduce-only limit."""
    return 200, [open_order(o) for o in _orders(books, account_of(books, request), dex_of(request))]


def open_list(books: Books, account: Account | None, dex: str) -> list[dict[str, Any]]:
    """Open orders in full."""
    return [frontend_order(o, o.sz) for o in _orders(books, account, dex)]


def frontend_open_orders(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """Open orders in full."""
    return 200, open_list(books, account_of(books, request), dex_of(request))


def order_status(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    account, wanted = account_of(books, request), request["oid"]
    if isinstance(wanted, str) and not is_cloid(wanted):
        return UNPROCESSABLE
    if account is None:
        return 200, {"status": "unknownOid"}
    oid = account.by_cloid.get(wanted.lower(), -1) if isinstance(wanted, str) else int(wanted)
    record = account.history.get(oid)
    return 200, {"status": "unknownOid"} if record is None else {"status": "order", "order": record}


def historical_orders(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    account = account_of(books, request)
    return 200, [] if account is None else list(reversed(account.history.values()))


def user_fills(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """The newest fills first."""
    account = account_of(books, request)
    fills = [] if account is None else list(account.fills)
    return 200, list(reversed(_aggregated(fills, request)))[:MAX_FILLS]


def user_fills_by_time(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """Fills of a time range, oldest first unless `reversed`."""
    account = account_of(books, request)
    start, end = int(request["startTime"]), int(request.get("endTime") or now_ms)
    fills = [] if account is None else [f for f in account.fills if start <= f["time"] <= end]
    fills = _aggregated(fills, request)
    return 200, (list(reversed(fills)) if request.get("reversed") else fills)[:MAX_FILLS]


def _aggregated(fills: list[dict[str, Any]], request: dict[str, Any]) -> list[dict[str, Any]]:
    """With `aggregateByTime` the fills of one crossing order at one time are one fill at their mean price."""
    if not request.get("aggregateByTime"):
        return fills
    out: list[dict[str, Any]] = []
    for fill in fills:
        last = out[-1] if out else None
        if last is None or not fill["crossed"] or (last["oid"], last["time"]) != (fill["oid"], fill["time"]):
            out.append(dict(fill))
            continue
        sizes = [Decimal(last["sz"]), Decimal(fill["sz"])]
        paid = Decimal(last["px"]) * sizes[0] + Decimal(fill["px"]) * sizes[1]
        last["px"], last["sz"] = num(truncate(div(paid, sum(sizes, ZERO)), 8)), num(sum(sizes, ZERO))
        for key in ("closedPnl", "fee"):
            last[key] = num(Decimal(last[key]) + Decimal(fill[key]))
    return out


def ledger(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """Deposits, transfers, liquidations within a time range, oldest first."""
    account = account_of(books, request)
    return 200, [] if account is None else _range_or_newest(account.ledger, request, now_ms)


def in_range(rows: Iterable[dict[str, Any]], request: dict[str, Any], now_ms: int) -> list[dict[str, Any]]:
    """The first 500 rows with startTime <= time <= endTime."""
    start, end = int(request["startTime"]), int(request.get("endTime") or now_ms)
    return [row for row in rows if start <= row["time"] <= end][:MAX_ROWS]


def _range_or_newest(rows: Collection[dict[str, Any]], request: dict[str, Any], now_ms: int) -> list[dict[str, Any]]:
    """Without a startTime the newest 2,000 rows, newest first (docs/venue-facts.md F40)."""
    if request.get("startTime") is not None:
        return in_range(rows, request, now_ms)
    end = int(request.get("endTime") or now_ms)
    return [row for row in reversed(list(rows)) if row["time"] <= end][:MAX_NEWEST]


def user_funding(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """Funding payments within a time range, oldest first."""
    account = account_of(books, request)
    return 200, [] if account is None else _range_or_newest(account.funding_rows, request, now_ms)


def user_role(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    user = user_of(request)
    master = books.agents.account_of(user, now_ms)
    if master is not None:
        return 200, {"role": "agent", "data": {"user": master}}
    sub = books.subs.get(user)
    if sub is not None:
        return 200, {"role": "subAccount", "data": {"master": sub.master}}
    if user in books.subs.vaults:
        return 200, {"role": "vault"}
    return 200, {"role": "missing" if books.engine.account(user) is None else "user"}


def user_abstraction(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """How the account's cash is kept; of an address that never was as of a new one."""
    account = account_of(books, request)
    return 200, books.engine.parameters.account_mode if account is None else account.mode


def user_dex_abstraction(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """Whether the account has one balance for all dexs by the older switch; null where it never set it."""
    _, mode = user_abstraction(books, request, now_ms)
    return 200, {"dexAbstraction": True, "disabled": False}.get(mode)


def active_asset_data(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    market = books.engine.markets[request["coin"]]
    user = user_of(request)
    account = books.engine.account(user) or Account(user)
    leverage, isolated = books.engine.leverage_of(account, market)
    held = account.dex(market.info.dex)
    free = max(ZERO, free_margin(books.engine, account, market.info.dex))
    size = truncate(div(free * leverage, market.mark), market.info.sz_decimals)
    shown: dict[str, Any] = {"type": "isolated" if isolated else "cross", "value": leverage}
    if isolated:
        position = held.positions.get(market.info.coin)
        shown["rawUsd"] = num(position.iso_raw_usd if position is not None else ZERO)
    return 200, {
        "user": user, "coin": market.info.coin, "leverage": shown, "maxTradeSzs": [num(size)] * 2,
        "availableToTrade": [num(truncate(free, 6))] * 2, "markPx": num(market.mark),
    }  # fmt: skip


def portfolio(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """Value, gain and volume of each period."""
    return 200, portfolio_of(books, account_of(books, request), now_ms)


def portfolio_of(books: Books, account: Account | None, now_ms: int) -> list[Any]:
    """The rows of each period: only the present value is known, and the volume so far."""
    marks = books.engine.marks()
    value = ZERO if account is None else sum((held.value(marks) for held in account.parts()), ZERO)
    row = {
        "accountValueHistory": [[now_ms, num(truncate(value, 6))]], "pnlHistory": [[now_ms, "0.0"]],
        "vlm": num(ZERO if account is None else account.volume),
    }  # fmt: skip
    periods = ("day", "week", "month", "allTime", "perpDay", "perpWeek", "perpMonth", "perpAllTime")
    return [[period, row] for period in periods]
