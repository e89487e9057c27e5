"""An exchange's own answers as the setup of one like it: dexs and markets, precision, fees and margins. Pure."""

from decimal import Decimal
from typing import Any

import msgspec

from hip3.core.money import parse
from hip3.venue.setup.settings import Dex, MarketSetup, VenueSetup

DEPLOYER = "0x" + "0" * 40
NO_PX = Decimal(1)
"""Where a market begins whose price no answer has, until its first context."""
Answered = tuple[dict[str, Any], Any]
"""A request and its answer, decoded."""


def setup_from(answers: list[Answered], built_in: VenueSetup) -> tuple[VenueSetup, dict[str, Decimal]] | None:
    """(the setup with the dexs and markets of the answers in place of its own, starting price of each market); None
    where `perpDexs`, or every `meta`, is missing. Raises what code does that reads an answer of another shape
    (`errors.ODD_ANSWERS`)."""
    whole = {request.get("type"): answer for request, answer in answers if "dex" not in request}
    by_dex: dict[str, Any] = {}
    for kind in ("meta", "metaAndAssetCtxs"):  # the second has prices, too
        by_dex |= {r["dex"]: answer for r, answer in answers if isinstance(r.get("dex"), str) and r["type"] == kind}
    if "perpDexs" not in whole or not by_dex:
        return None
    px: dict[str, Decimal] = {}
    dexs = [_dex(entry) for entry in whole["perpDexs"] if isinstance(entry, dict)]
    markets: list[MarketSetup] = []
    for dex in dexs:
        if dex.name in by_dex:
            markets += _markets(dex, by_dex[dex.name], px)
    return msgspec.structs.replace(built_in, dexs=dexs, markets=markets), px


def delisted(answers: list[Answered]) -> set[str]:
    """The markets that their `meta` calls delisted."""
    metas = [a[0] if isinstance(a, list) else a for r, a in answers if r.get("type") in ("meta", "metaAndAssetCtxs")]
    return {str(m["name"]) for meta in metas for m in meta["universe"] if m.get("isDelisted")}


def _dex(entry: dict[str, Any]) -> Dex:
    name = str(entry["name"])
    return Dex(
        name=name, full_name=str(entry.get("fullName") or name), deployer=str(entry.get("deployer") or DEPLOYER),
        fee_scale=parse(str(entry.get("deployerFeeScale", "1.0"))), permissioned=bool(entry.get("isStar", False)),
    )  # fmt: skip


def _markets(dex: Dex, answer: Any, px: dict[str, Decimal]) -> list[MarketSetup]:
    meta, contexts = answer if isinstance(answer, list) else (answer, [])
    tables = {t[0]: t[1].get("marginTiers", []) for t in meta.get("marginTables", [])}
    out = []
    for at, entry in enumerate(meta["universe"]):
        context = contexts[at] if at < len(contexts) else {}
        coin = str(entry["name"])
        shown = context.get("oraclePx") or context.get("markPx")
        px[coin] = NO_PX if shown is None else parse(str(shown))
        scale = entry.get("deployerFeeScale")
        tiers = [
            (Decimal(str(t["lowerBound"])), int(t["maxLeverage"])) for t in tables.get(entry.get("marginTableId"), [])
        ]
        out.append(
            MarketSetup(
                coin=coin, px=px[coin], sz_decimals=int(entry["szDecimals"]), max_leverage=int(entry["maxLeverage"]),
                spread_bps=1.0, basis_bps=0.0, oracle_step_bps=0.0, touch_usd=0, margin_mode=_mode(entry),
                growth=entry.get("growthMode") == "enabled",
                fee_scale=None if scale is None else parse(str(scale)), margin_tiers=tiers,
                oi_cap=Decimal(10) ** 12,
            )
        )  # fmt: skip
    return out


def _mode(entry: dict[str, Any]) -> str | None:
    mode = entry.get("marginMode")
    if mode in ("noCross", "strictIsolated"):
        return str(mode)
    return "noCross" if entry.get("onlyIsolated") else None
