"""The exchange of a recording: its dexs and markets as the recorded answers say, fees and precision included. Pure."""

from decimal import Decimal
from typing import Any

import msgspec

from hip3.core.money import parse
from hip3.errors import ConfigError
from hip3.replay.head import Head
from hip3.venue.setup.settings import Dex, MarketSetup, VenueSetup, load_setup

DEPLOYER = "0x" + "0" * 40
NO_PX = Decimal(1)
"""Where a market begins whose price no answer has, until its first context."""


def setup_of(head: Head) -> tuple[VenueSetup, dict[str, Decimal]]:
    """(setup, starting price of each market). ConfigError where nobody knows a recorded market.

    Without recorded answers the markets are those of the embedded exchange, and that is noted as assumed.
    """
    built_in = load_setup()
    answers = {m["request"].get("type"): m["answer"] for m in head.metas if "dex" not in m["request"]}
    by_dex: dict[str, dict[str, Any]] = {}
    for kind in ("meta", "metaAndAssetCtxs"):  # the second has prices, too
        by_dex |= {m["request"]["dex"]: m for m in head.metas if isinstance(m["request"].get("dex"), str)
                   and m["request"]["type"] == kind}  # fmt: skip
    px: dict[str, Decimal] = {}
    if "perpDexs" not in answers or not by_dex:
        head.assumed.append("the markets are those of the embedded exchange: the recording has no meta")
        setup, known = built_in, {m.coin for m in built_in.markets}
    else:
        dexs = [_dex(entry) for entry in answers["perpDexs"] if isinstance(entry, dict)]
        markets: list[MarketSetup] = []
        for dex in dexs:
            body = by_dex.get(dex.name)
            if body is not None:
                markets += _markets(dex, body["answer"], px)
        setup = msgspec.structs.replace(built_in, dexs=dexs, markets=markets)
        known = {m.coin for m in markets}
    head.assumed += [f"{coin} begins at {NO_PX}: no recorded answer has its price" for coin in head.coins
                     if px.get(coin) is NO_PX]  # fmt: skip
    unknown = [coin for coin in head.coins if coin not in known]
    if unknown:
        raise ConfigError([f"{coin} is recorded, but no recorded meta has it" for coin in unknown])
    return setup, px


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
