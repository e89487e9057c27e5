"""Answers to `POST /info`. Shapes and number formats: docs/venue-facts.md F13.

`answer(venue, request, now)` returns (HTTP status, body): JSON values, or a `Text` for plain text.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hip3.core.money import ZERO, div, truncate
from hip3.venue.account import Account, DexAccount, Position
from hip3.venue.model import MAKER_RATE, TAKER_RATE, Market
from hip3.venue.numbers import num
from hip3.venue.orders import frontend_order, open_order

if TYPE_CHECKING:
    from hip3.venue.venue import Venue

USDC_ID = "0x6d1e7cde53ba9467b783cb7c530ce054"
MAX_FILLS = 2000


class Text(str):
    """A plain-text body."""


UNPROCESSABLE = (422, Text("Failed to deserialize the JSON body into the target type"))
Answer = tuple[int, Any]


def answer(venue: "Venue", request: Any, now_ms: int) -> Answer:
    """The answer to one info request."""
    if not isinstance(request, dict):
        return UNPROCESSABLE
    handler = HANDLERS.get(str(request.get("type")))
    if handler is None:
        return UNPROCESSABLE
    try:
        return handler(venue, request, now_ms)
    except (KeyError, TypeError, ValueError, AttributeError):
        return UNPROCESSABLE


def _user(request: dict[str, Any]) -> str:
    user = request["user"]
    if not isinstance(user, str) or len(user) != 42 or not user.startswith("0x"):
        raise ValueError("not an address")
    int(user, 16)
    return user.lower()


def _account(venue: "Venue", request: dict[str, Any]) -> Account | None:
    return venue.engine.account(_user(request))


def _perp_dexs(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    out: list[Any] = [None]
    for dex in venue.dexs:
        caps = [[m.info.coin, "25000000.0"] for m in venue.markets_of(dex.name)]
        out.append(
            {
                "name": dex.name, "fullName": dex.full_name, "deployer": dex.deployer, "oracleUpdater": None,
                "feeRecipient": dex.deployer, "assetToStreamingOiCap": caps,
                "subDeployers": [["setOracle", [dex.deployer]]], "deployerFeeScale": num(dex.fee_scale),
                "lastDeployerFeeScaleChangeTime": "1970-01-01T00:00:00",
                "assetToFundingMultiplier": [], "assetToFundingInterestRate": [],
            }
        )  # fmt: skip
    return 200, out


def _meta_of(venue: "Venue", dex: str) -> dict[str, Any]:
    universe = []
    for market in venue.markets_of(dex):
        info = market.info
        entry: dict[str, Any] = {
            "szDecimals": info.sz_decimals, "name": info.coin, "maxLeverage": info.max_leverage,
            "marginTableId": info.max_leverage,
        }  # fmt: skip
        if info.margin_mode is not None:
            entry |= {"onlyIsolated": True, "marginMode": info.margin_mode}
        if info.growth:
            entry |= {"growthMode": "enabled", "lastGrowthModeChangeTime": "2025-11-23T17:37:10.033211662"}
        if market.halted:
            entry["isDelisted"] = True
        universe.append(entry)
    return {"universe": universe, "marginTables": [], "collateralToken": 0}


def _dex(request: dict[str, Any]) -> str:
    dex = request.get("dex") or ""
    if not isinstance(dex, str):
        raise TypeError("dex")
    return dex


def _meta(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    dex = _dex(request)
    return (200, _meta_of(venue, dex)) if venue.has_dex(dex) else (500, None)


def ctx_of(market: Market) -> dict[str, Any]:
    """An asset context, as activeAssetCtx and metaAndAssetCtxs carry it."""
    book = market.book
    bid, ask = book.best_bid(), book.best_ask()
    mid = None if bid is None or ask is None else (bid + ask) / 2
    impact = [book.impact_px(is_buy=buy, notional=Decimal(6000)) for buy in (False, True)]
    impacts = None if None in impact else [num(truncate(px, 8)) for px in impact if px is not None]
    premium = None
    if impacts is not None and impact[0] is not None and impact[1] is not None:
        premium = num(truncate(div((impact[0] + impact[1]) / 2, market.oracle) - 1, 10))
    return {
        "funding": "0.00000625", "openInterest": num(market.open_interest), "prevDayPx": num(market.prev_day_px),
        "dayNtlVlm": num(truncate(market.day_notional, 10)), "premium": premium, "oraclePx": num(market.oracle),
        "markPx": num(market.mark), "midPx": None if mid is None else num(mid), "impactPxs": impacts,
        "dayBaseVlm": num(market.day_base),
    }  # fmt: skip


def _meta_and_ctxs(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    dex = _dex(request)
    if not venue.has_dex(dex):
        return 500, None
    return 200, [_meta_of(venue, dex), [ctx_of(m) for m in venue.markets_of(dex)]]


def mids_of(venue: "Venue", dex: str) -> dict[str, str]:
    """Mid price by coin; the last trade where a side is empty."""
    out = {}
    for market in venue.markets_of(dex):
        bid, ask = market.book.best_bid(), market.book.best_ask()
        out[market.info.coin] = num(market.last_px if bid is None or ask is None else (bid + ask) / 2)
    return out


def _all_mids(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    return 200, mids_of(venue, _dex(request))


def levels_of(market: Market, count: int = 20) -> list[list[dict[str, Any]]]:
    """[bids, asks] with {px, sz, n} of each level."""
    return [
        [{"px": num(px), "sz": num(sz), "n": n} for px, sz, n in market.book.depth(is_buy=buy, levels=count)]
        for buy in (True, False)
    ]


def _l2_book(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    market = venue.engine.markets.get(request["coin"])
    if market is None:
        return 200, None
    return 200, {"coin": market.info.coin, "time": now_ms, "levels": levels_of(market)}


def clearinghouse(venue: "Venue", account: Account | None, dex: str, now_ms: int) -> dict[str, Any]:
    """clearinghouseState of one dex; all zeros for an address that never was."""
    held = account.dex(dex) if account is not None else DexAccount()
    marks = venue.engine.marks()
    cross = [(c, p) for c, p in held.positions.items() if not p.isolated]
    isolated = [(c, p) for c, p in held.positions.items() if p.isolated]
    cross_value = held.cross_value(marks)
    cross_ntl = sum((abs(p.szi) * marks[c] for c, p in cross), ZERO)
    all_ntl = cross_ntl + sum((abs(p.szi) * marks[c] for c, p in isolated), ZERO)
    margin = held.cross_margin(marks)
    iso_margin = sum((p.margin_used(marks[c]) for c, p in isolated), ZERO)
    maintenance = sum(
        (div(abs(p.szi) * marks[c], Decimal(2 * venue.engine.markets[c].info.max_leverage)) for c, p in cross),
        ZERO,
    )
    free = max(ZERO, cross_value - max(margin, cross_ntl * Decimal("0.1")))
    raw = held.raw_usd
    return {
        "marginSummary": _summary(
            held.value(marks),
            all_ntl,
            raw + sum((p.iso_raw_usd for _, p in isolated), ZERO),
            margin + iso_margin,
        ),
        "crossMarginSummary": _summary(cross_value, cross_ntl, raw, margin),
        "crossMaintenanceMarginUsed": num(truncate(maintenance, 6)),
        "withdrawable": num(truncate(free, 6)),
        "assetPositions": [{"type": "oneWay", "position": _position(venue, c, p)} for c, p in held.positions.items()],
        "time": now_ms,
    }


def _summary(value: Decimal, ntl: Decimal, raw: Decimal, margin: Decimal) -> dict[str, str]:
    return {
        "accountValue": num(truncate(value, 6)), "totalNtlPos": num(truncate(ntl, 6)),
        "totalRawUsd": num(truncate(raw, 6)), "totalMarginUsed": num(truncate(margin, 6)),
    }  # fmt: skip


def _position(venue: "Venue", coin: str, p: Position) -> dict[str, Any]:
    market = venue.engine.markets[coin]
    mark, info = market.mark, market.info
    leverage: dict[str, Any] = {"type": "isolated" if p.isolated else "cross", "value": p.leverage}
    if p.isolated:
        leverage["rawUsd"] = num(truncate(p.iso_raw_usd, 6))
    pnl = p.unrealized(mark)
    return {
        "coin": coin, "szi": num(p.szi), "leverage": leverage,
        "entryPx": num(truncate(p.entry_px, max(0, 6 - info.sz_decimals))),
        "positionValue": num(truncate(abs(p.szi) * mark, 6)), "unrealizedPnl": num(truncate(pnl, 6)),
        "returnOnEquity": num(truncate(div(pnl * p.leverage, p.entry_ntl), 10)),
        "liquidationPx": None, "marginUsed": num(truncate(p.margin_used(mark), 6)),
        "maxLeverage": info.max_leverage,
        "cumFunding": {"allTime": "0.0", "sinceOpen": num(p.funding), "sinceChange": "0.0"},
    }  # fmt: skip


def _clearinghouse(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    dex = _dex(request)
    if not venue.has_dex(dex):
        return 500, None
    return 200, clearinghouse(venue, _account(venue, request), dex, now_ms)


def _spot_state(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    _user(request)
    return 200, {"balances": []}


def _orders(venue: "Venue", request: dict[str, Any]) -> list[Any]:
    account, dex = _account(venue, request), _dex(request)
    if account is None:
        return []
    markets = venue.engine.markets
    return [o for o in reversed(venue.engine.open_orders(account)) if markets[o.coin].info.dex == dex]


def _open_orders(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    return 200, [open_order(o) for o in _orders(venue, request)]


def _frontend_open_orders(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    return 200, [frontend_order(o, o.sz) for o in _orders(venue, request)]


def _order_status(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    account, wanted = _account(venue, request), request["oid"]
    if account is None:
        return 200, {"status": "unknownOid"}
    oid = account.by_cloid.get(wanted.lower(), -1) if isinstance(wanted, str) else int(wanted)
    record = account.history.get(oid)
    return 200, {"status": "unknownOid"} if record is None else {"status": "order", "order": record}


def _historical_orders(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    account = _account(venue, request)
    return 200, [] if account is None else list(reversed(account.history.values()))


def _user_fills(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    account = _account(venue, request)
    return 200, [] if account is None else list(reversed(account.fills))[:MAX_FILLS]


def _user_fills_by_time(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    account = _account(venue, request)
    start, end = int(request["startTime"]), int(request.get("endTime") or now_ms)
    fills = [] if account is None else [f for f in account.fills if start <= int(str(f["time"])) <= end]
    return 200, fills[:MAX_FILLS]


def _user_rate_limit(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    account = _account(venue, request)
    used, cap, volume = (
        (0, 10_000, ZERO) if account is None else (account.actions_used, account.action_cap, account.volume)
    )
    return 200, {"cumVlm": num(volume), "nRequestsUsed": used, "nRequestsCap": cap, "nRequestsSurplus": 0}


def _user_fees(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    _user(request)
    taker, maker = num(TAKER_RATE), num(MAKER_RATE)
    return 200, {
        "dailyUserVlm": [], "userCrossRate": taker, "userAddRate": maker, "userSpotCrossRate": "0.0007",
        "userSpotAddRate": "0.0004", "activeReferralDiscount": "0.0", "trial": None, "feeTrialReward": "0.0",
        "nextTrialAvailableTimestamp": None, "stakingLink": None,
        "activeStakingDiscount": {"bpsOfMaxSupply": "0.0", "discount": "0.0"},
        "feeSchedule": {
            "cross": taker, "add": maker, "spotCross": "0.0007", "spotAdd": "0.0004",
            "tiers": {"vip": [], "mm": []}, "referralDiscount": "0.04", "stakingDiscountTiers": [],
        },
    }  # fmt: skip


def _user_role(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    user = _user(request)
    master = venue.agents.account_of(user, now_ms)
    if master is not None:
        return 200, {"role": "agent", "data": {"user": master}}
    return 200, {"role": "missing" if venue.engine.account(user) is None else "user"}


def _active_asset_data(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    market = venue.engine.markets[request["coin"]]
    user = _user(request)
    account = venue.engine.account(user) or Account(user)
    leverage, isolated = venue.engine.leverage_of(account, market)
    held, marks = account.dex(market.info.dex), venue.engine.marks()
    free = max(ZERO, held.cross_value(marks) - held.cross_margin(marks))
    size = truncate(div(free * leverage, market.mark), market.info.sz_decimals)
    shown: dict[str, Any] = {"type": "isolated" if isolated else "cross", "value": leverage}
    if isolated:
        position = held.positions.get(market.info.coin)
        shown["rawUsd"] = num(position.iso_raw_usd if position is not None else ZERO)
    return 200, {
        "user": user, "coin": market.info.coin, "leverage": shown, "maxTradeSzs": [num(size)] * 2,
        "availableToTrade": [num(truncate(free, 6))] * 2, "markPx": num(market.mark),
    }  # fmt: skip


def _spot_meta(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    token = {
        "name": "USDC", "szDecimals": 8, "weiDecimals": 8, "index": 0, "tokenId": USDC_ID,
        "isCanonical": True, "evmContract": None, "fullName": None, "deployerTradingFeeShare": "0.0",
    }  # fmt: skip
    return 200, {"universe": [], "tokens": [token]}


def _drip(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    venue.drip(_user(request))
    return 200, None


def _constant(value: Any) -> Callable[["Venue", dict[str, Any], int], Answer]:
    return lambda venue, request, now_ms: (200, value)


HANDLERS: dict[str, Callable[["Venue", dict[str, Any], int], Answer]] = {
    "perpDexs": _perp_dexs,
    "meta": _meta,
    "metaAndAssetCtxs": _meta_and_ctxs,
    "allPerpMetas": lambda v, r, n: (200, [_meta_of(v, d) for d in ["", *(d.name for d in v.dexs)]]),
    "allMids": _all_mids,
    "l2Book": _l2_book,
    "recentTrades": lambda v, r, n: (200, list(reversed(v.engine.markets[r["coin"]].trades))),
    "clearinghouseState": _clearinghouse,
    "spotClearinghouseState": _spot_state,
    "openOrders": _open_orders,
    "frontendOpenOrders": _frontend_open_orders,
    "orderStatus": _order_status,
    "historicalOrders": _historical_orders,
    "userFills": _user_fills,
    "userFillsByTime": _user_fills_by_time,
    "userRateLimit": _user_rate_limit,
    "userFees": _user_fees,
    "userRole": _user_role,
    "extraAgents": lambda v, r, n: (200, v.agents.named_of(_user(r), n)),
    "activeAssetData": _active_asset_data,
    "userAbstraction": lambda v, r, n: (200, "disabled" if _user(r) else None),
    "exchangeStatus": lambda v, r, n: (200, {"time": n, "specialStatuses": None}),
    "spotMeta": _spot_meta,
    "spotMetaAndAssetCtxs": lambda v, r, n: (200, [_spot_meta(v, r, n)[1], []]),
    "perpsAtOpenInterestCap": _constant([]),
    "userFunding": _constant([]),
    "userNonFundingLedgerUpdates": _constant([]),
    "subAccounts": _constant(None),
    "claimDrip": _drip,
    "embeddedExchange": lambda v, r, n: (200, {"seed": v.seed, "profile": v.profile}),
}
"""`embeddedExchange` is our own: it tells a service without a key which seed's key number one to use."""
