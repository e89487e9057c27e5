"""Answers about markets: universe, contexts, books, prices. Shapes and number formats: docs/venue-facts.md F13."""

from decimal import ROUND_FLOOR, Decimal
from typing import Any

from hip3.core.money import CTX, ZERO, truncate
from hip3.venue.answers.info_account import in_range
from hip3.venue.answers.replies import Answer, dex_of
from hip3.venue.books.books import Books
from hip3.venue.books.candles import INTERVALS
from hip3.venue.engine.funding import HOUR_MS, impact_prices, premium_of
from hip3.venue.engine.model import Market, MarketInfo
from hip3.venue.engine.numbers import num
from hip3.venue.setup.parameters import FundingTerms

FIRST_TABLE = 50
NEVER = "1970-01-01T00:00:00"
"""When a fee scale that was never changed was changed."""


def perp_dexs(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    out: list[Any] = [None]
    for dex in books.dexs:
        entry = {
            "name": dex.name, "fullName": dex.full_name, "deployer": dex.deployer, "oracleUpdater": None,
            "feeRecipient": dex.deployer, "assetToStreamingOiCap": _caps(books, dex.name),
            "subDeployers": [["setOracle", [dex.deployer]]],
            **_funding_lists(books, dex.name),
        }  # fmt: skip
        if dex.permissioned:
            entry["isStar"] = True
        if not books.engine.parameters.market_fee_scales:
            entry |= {"deployerFeeScale": num(dex.fee_scale), "lastDeployerFeeScaleChangeTime": NEVER}
        out.append(entry)
    return 200, out


def _funding_lists(books: Books, dex: str) -> dict[str, Any]:
    """What is not as by default, of each market of a dex (docs/venue-facts.md F28)."""
    usual, out = FundingTerms(), {}
    names = ("assetToFundingMultiplier", "assetToFundingClamp", "assetToFundingInterestRate")
    for at, name in enumerate(names):
        rows = [(m.info.coin, m.info.funding[at]) for m in books.markets_of(dex)]
        out[name] = [[coin, num(value)] for coin, value in rows if value != usual[at]]
    return out


def meta_of(books: Books, dex: str) -> dict[str, Any]:
    universe = []
    for market in books.markets_of(dex):
        info = market.info
        entry: dict[str, Any] = {
            "szDecimals": info.sz_decimals, "name": info.coin, "maxLeverage": info.max_leverage,
            "marginTableId": _table_id(books, info),
        }  # fmt: skip
        if info.margin_mode is not None:
            entry |= {"onlyIsolated": True, "marginMode": info.margin_mode}
        if info.fee_scale is not None and books.engine.parameters.market_fee_scales:
            growth = "enabled" if info.growth else "disabled"
            entry |= {
                "deployerFeeScale": num(info.fee_scale), "growthMode": growth, "lastFeeScaleChangeTime": NEVER,
            }  # fmt: skip
        elif info.growth:
            entry |= {"growthMode": "enabled", "lastGrowthModeChangeTime": "2025-11-23T17:37:10.033211662"}
        if market.halted:
            entry["isDelisted"] = True
        universe.append(entry)
    listed = {market.info.tiers for market in books.markets_of(dex)}
    tables = [[n, _table(tiers)] for n, tiers in _tables(books).items() if tiers in listed]
    return {"universe": universe, "marginTables": tables, "collateralToken": books.engine.tokens.get(dex, 0)}


def _caps(books: Books, dex: str) -> list[list[str]]:
    infos = sorted((m.info for m in books.markets_of(dex)), key=lambda info: info.coin)
    return [[info.coin, num(info.oi_cap)] for info in infos if info.oi_cap is not None]


Tiers = tuple[tuple[Decimal, int], ...]


def _tables(books: Books) -> dict[int, Tiers]:
    """Margin tables with more than one tier, by id; ids below 50 are single tiers of that leverage."""
    found = dict.fromkeys(m.info.tiers for m in books.engine.markets.values() if m.info.tiers)
    return dict(enumerate(found, FIRST_TABLE))


def _table_id(books: Books, info: MarketInfo) -> int:
    return next((n for n, tiers in _tables(books).items() if tiers == info.tiers), info.max_leverage)


def _table(tiers: Tiers) -> dict[str, Any]:
    rows = [{"lowerBound": num(lower), "maxLeverage": leverage} for lower, leverage in tiers]
    return {"description": f"tiered {tiers[0][1]}x" if len(tiers) > 1 else "", "marginTiers": rows}


def margin_table(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """One margin table by its id."""
    number = request["id"]
    tiers = _tables(books).get(number, ((Decimal(0), number),))
    if not isinstance(number, int) or (number >= FIRST_TABLE and len(tiers) == 1):
        raise ValueError("id")
    return 200, _table(tiers)


def at_cap(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """The coins of a dex whose open interest is at its cap."""
    return 200, [m.info.coin for m in books.markets_of(dex_of(request)) if m.at_cap]


def dex_limits(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """Caps of a builder dex; null for the main one."""
    dex = dex_of(request)
    if not dex or not books.has_dex(dex):
        return 200, None
    return 200, {
        "totalOiCap": "400000000.0", "oiSzCapPerPerp": "1000000000.0", "maxTransferNtl": "150000000.0",
        "coinToOiCap": _caps(books, dex),
    }  # fmt: skip


def dex_status(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """What was put into a dex, less what was taken out."""
    dex = dex_of(request)
    users = (a for a in books.engine.accounts.values() if not a.is_agent and dex in a.dexs)
    marks = books.engine.marks()
    return 200, {"totalNetDeposit": num(truncate(sum((a.dex(dex).value(marks) for a in users), ZERO), 10))}


def funding_history(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """Rates that were paid, oldest first."""
    return 200, in_range(books.engine.markets[request["coin"]].funding_history, request, now_ms)


def predicted_fundings(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """The rates of the main dex as they would be paid next."""
    due = now_ms - now_ms % HOUR_MS + HOUR_MS
    return 200, [
        [m.info.coin, [["HlPerp", {"fundingRate": num(m.funding), "nextFundingTime": due}]]]
        for m in books.markets_of("")
    ]


def meta(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    dex = dex_of(request)
    return (200, meta_of(books, dex)) if books.has_dex(dex) else (500, None)


def ctx_of(market: Market) -> dict[str, Any]:
    """An asset context, as activeAssetCtx and metaAndAssetCtxs carry it."""
    book = market.book
    bid, ask = book.best_bid(), book.best_ask()
    mid = None if bid is None or ask is None else (bid + ask) / 2
    impact = impact_prices(market)
    premium = premium_of(market, impact)
    return {
        "funding": num(market.funding), "openInterest": num(market.open_interest),
        "prevDayPx": num(market.prev_day_px), "dayNtlVlm": num(truncate(market.day_notional, 10)),
        "premium": None if premium is None else num(premium), "oraclePx": num(market.oracle),
        "markPx": num(market.mark), "midPx": None if mid is None else num(mid),
        "impactPxs": None if impact is None else [num(truncate(px, 8)) for px in impact],
        "dayBaseVlm": num(market.day_base),
    }  # fmt: skip


def meta_and_ctxs(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    dex = dex_of(request)
    if not books.has_dex(dex):
        return 500, None
    return 200, [meta_of(books, dex), [ctx_of(m) for m in books.markets_of(dex)]]


def mids_of(books: Books, dex: str) -> dict[str, str]:
    """Mid price by coin; the last trade where a side is empty."""
    out = {}
    for market in books.markets_of(dex):
        bid, ask = market.book.best_bid(), market.book.best_ask()
        out[market.info.coin] = num(market.last_px if bid is None or ask is None else (bid + ask) / 2)
    return out


def all_mids(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    return 200, mids_of(books, dex_of(request))


def levels_of(
    market: Market, count: int = 20, figures: int | None = None, mantissa: int | None = None
) -> list[list[dict[str, Any]]]:
    """[bids, asks] with {px, sz, n} of each level; prices of `figures` significant figures if told."""
    sides = []
    for buy in (True, False):
        if figures is None:
            depth = market.book.depth(is_buy=buy, levels=count)
        else:
            depth = _aggregated(market.book.depth(is_buy=buy, levels=1 << 30), figures, mantissa or 1, buy)[:count]
        sides.append([{"px": num(px), "sz": num(sz), "n": n} for px, sz, n in depth])
    return sides


def _aggregated(
    levels: list[tuple[Decimal, Decimal, int]], figures: int, mantissa: int, is_bid: bool
) -> list[tuple[Decimal, Decimal, int]]:
    """Levels merged onto coarser prices, bids down and asks up."""
    out: dict[Decimal, tuple[Decimal, int]] = {}
    for px, sz, n in levels:
        step = Decimal(mantissa).scaleb(px.adjusted() - figures + 1)
        coarse = px.quantize(Decimal(1).scaleb(step.adjusted()), ROUND_FLOOR, CTX) if mantissa == 1 else px
        coarse -= coarse % step
        if not is_bid and coarse < px:
            coarse += step
        size, count = out.get(coarse, (ZERO, 0))
        out[coarse] = (size + sz, count + n)
    return [(px, size, count) for px, (size, count) in out.items()]


def spread_of(market: Market) -> str | None:
    """Distance of the touches."""
    bid, ask = market.book.best_bid(), market.book.best_ask()
    return None if bid is None or ask is None else num(ask - bid)


def legal_aggregation(request: dict[str, Any]) -> bool:
    """nSigFigs 2 to 5; mantissa 1, 2 or 5, only with 5."""
    figures, mantissa = request.get("nSigFigs"), request.get("mantissa")
    if figures is not None and figures not in (2, 3, 4, 5):
        return False
    return mantissa is None or (figures == 5 and mantissa in (1, 2, 5))


def l2_book(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """The book; null for an unlisted coin, HTTP 500 for an aggregation that is none."""
    market = books.engine.markets.get(request["coin"])
    if market is None:
        return 200, None
    if not legal_aggregation(request):
        return 500, None
    figures = request.get("nSigFigs")
    data = {"coin": market.info.coin, "time": now_ms, "levels": levels_of(market, 20, figures, request.get("mantissa"))}
    return 200, data if figures is None else data | {"spread": spread_of(market)}


def candle_snapshot(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """Candles that begin within a range, the last one still forming."""
    wanted = request["req"]
    candles = books.candles.get(wanted["coin"])
    if wanted["interval"] not in INTERVALS:
        raise ValueError("interval")
    if candles is None:
        return 200, []
    candles.advance(now_ms)
    return 200, candles.snapshot(wanted["interval"], int(wanted["startTime"]), int(wanted.get("endTime") or now_ms))
