"""Answers about markets: universe, contexts, books, prices. Shapes and number formats: docs/venue-facts.md F13."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hip3.core.money import ZERO, truncate
from hip3.venue.funding import HOUR_MS, impact_prices, premium_of
from hip3.venue.info_account import in_range
from hip3.venue.model import Market, MarketInfo
from hip3.venue.numbers import num
from hip3.venue.replies import Answer, dex_of

if TYPE_CHECKING:
    from hip3.venue.venue import Venue

FIRST_TABLE = 50
USDC_ID = "0x6d1e7cde53ba9467b783cb7c530ce054"


def perp_dexs(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    out: list[Any] = [None]
    for dex in venue.dexs:
        caps = _caps(venue, dex.name)
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


def meta_of(venue: "Venue", dex: str) -> dict[str, Any]:
    universe = []
    for market in venue.markets_of(dex):
        info = market.info
        entry: dict[str, Any] = {
            "szDecimals": info.sz_decimals, "name": info.coin, "maxLeverage": info.max_leverage,
            "marginTableId": _table_id(venue, info),
        }  # fmt: skip
        if info.margin_mode is not None:
            entry |= {"onlyIsolated": True, "marginMode": info.margin_mode}
        if info.growth:
            entry |= {"growthMode": "enabled", "lastGrowthModeChangeTime": "2025-11-23T17:37:10.033211662"}
        if market.halted:
            entry["isDelisted"] = True
        universe.append(entry)
    listed = {market.info.tiers for market in venue.markets_of(dex)}
    tables = [[n, _table(tiers)] for n, tiers in _tables(venue).items() if tiers in listed]
    return {"universe": universe, "marginTables": tables, "collateralToken": 0}


def _caps(venue: "Venue", dex: str) -> list[list[str]]:
    infos = sorted((m.info for m in venue.markets_of(dex)), key=lambda info: info.coin)
    return [[info.coin, num(info.oi_cap)] for info in infos if info.oi_cap is not None]


Tiers = tuple[tuple[Decimal, int], ...]


def _tables(venue: "Venue") -> dict[int, Tiers]:
    """Margin tables with more than one tier, by id; ids below 50 are single tiers of that leverage."""
    found = dict.fromkeys(m.info.tiers for m in venue.engine.markets.values() if m.info.tiers)
    return dict(enumerate(found, FIRST_TABLE))


def _table_id(venue: "Venue", info: MarketInfo) -> int:
    return next((n for n, tiers in _tables(venue).items() if tiers == info.tiers), info.max_leverage)


def _table(tiers: Tiers) -> dict[str, Any]:
    rows = [{"lowerBound": num(lower), "maxLeverage": leverage} for lower, leverage in tiers]
    return {"description": f"tiered {tiers[0][1]}x" if len(tiers) > 1 else "", "marginTiers": rows}


def margin_table(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    """One margin table by its id."""
    number = request["id"]
    tiers = _tables(venue).get(number, ((Decimal(0), number),))
    if not isinstance(number, int) or (number >= FIRST_TABLE and len(tiers) == 1):
        raise ValueError("id")
    return 200, _table(tiers)


def at_cap(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    """The coins of a dex whose open interest is at its cap."""
    return 200, [m.info.coin for m in venue.markets_of(dex_of(request)) if m.at_cap]


def dex_limits(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    """Caps of a builder dex; null for the main one."""
    dex = dex_of(request)
    if not dex or not venue.has_dex(dex):
        return 200, None
    return 200, {
        "totalOiCap": "400000000.0", "oiSzCapPerPerp": "1000000000.0", "maxTransferNtl": "150000000.0",
        "coinToOiCap": _caps(venue, dex),
    }  # fmt: skip


def dex_status(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    """What was put into a dex, less what was taken out."""
    dex = dex_of(request)
    users = (a for a in venue.engine.accounts.values() if not a.is_agent and dex in a.dexs)
    marks = venue.engine.marks()
    return 200, {"totalNetDeposit": num(truncate(sum((a.dex(dex).value(marks) for a in users), ZERO), 10))}


def funding_history(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    """Rates that were paid, oldest first."""
    return 200, in_range(venue.engine.markets[request["coin"]].funding_history, request, now_ms)


def predicted_fundings(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    """The rates of the main dex as they would be paid next."""
    due = now_ms - now_ms % HOUR_MS + HOUR_MS
    return 200, [
        [m.info.coin, [["HlPerp", {"fundingRate": num(m.funding), "nextFundingTime": due}]]]
        for m in venue.markets_of("")
    ]


def meta(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    dex = dex_of(request)
    return (200, meta_of(venue, dex)) if venue.has_dex(dex) else (500, None)


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


def meta_and_ctxs(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    dex = dex_of(request)
    if not venue.has_dex(dex):
        return 500, None
    return 200, [meta_of(venue, dex), [ctx_of(m) for m in venue.markets_of(dex)]]


def mids_of(venue: "Venue", dex: str) -> dict[str, str]:
    """Mid price by coin; the last trade where a side is empty."""
    out = {}
    for market in venue.markets_of(dex):
        bid, ask = market.book.best_bid(), market.book.best_ask()
        out[market.info.coin] = num(market.last_px if bid is None or ask is None else (bid + ask) / 2)
    return out


def all_mids(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    return 200, mids_of(venue, dex_of(request))


def levels_of(market: Market, count: int = 20) -> list[list[dict[str, Any]]]:
    """[bids, asks] with {px, sz, n} of each level."""
    return [
        [{"px": num(px), "sz": num(sz), "n": n} for px, sz, n in market.book.depth(is_buy=buy, levels=count)]
        for buy in (True, False)
    ]


def l2_book(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    market = venue.engine.markets.get(request["coin"])
    if market is None:
        return 200, None
    return 200, {"coin": market.info.coin, "time": now_ms, "levels": levels_of(market)}
