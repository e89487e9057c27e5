"""Answers about markets: universe, contexts, books, prices. Shapes and number formats: docs/venue-facts.md F13."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hip3.core.money import div, truncate
from hip3.venue.model import Market
from hip3.venue.numbers import num
from hip3.venue.replies import Answer, dex_of

if TYPE_CHECKING:
    from hip3.venue.venue import Venue

USDC_ID = "0x6d1e7cde53ba9467b783cb7c530ce054"


def perp_dexs(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
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


def meta_of(venue: "Venue", dex: str) -> dict[str, Any]:
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


def meta(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    dex = dex_of(request)
    return (200, meta_of(venue, dex)) if venue.has_dex(dex) else (500, None)


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
