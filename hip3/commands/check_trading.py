"""What `check` says of orders and positions: sizes that fit, stops that would fire, and what is open on the account.

Reads alone; main. USD, prices USD for one unit.
"""

from collections.abc import Mapping
from decimal import Decimal

from hip3.config.reading import MarketSettings, shown
from hip3.config.settings import Settings
from hip3.core.market import MarketSpec
from hip3.core.money import parse
from hip3.errors import PreflightError
from hip3.execution.truth.account import AccountReport, Rest
from hip3.execution.truth.bootstrap import opening
from hip3.execution.truth.margin import Margin
from hip3.position.protection import ROOM_SHARE, liquidation_bps
from hip3.service.params import detector_params
from hip3.strategy.sizing import impossible

DEFAULT = Settings().protective_stop_bps


def marks_of(rest: Rest, specs: Mapping[str, MarketSpec]) -> dict[str, Decimal]:
    """The mark of every market of these dexs. VenueReadError, KeyError, TypeError, ValueError: it cannot be read."""
    marks: dict[str, Decimal] = {}
    for dex in dict.fromkeys(spec.dex for spec in specs.values()):
        meta, contexts = rest.info_json({"type": "metaAndAssetCtxs", "dex": dex})
        for entry, context in zip(meta["universe"], contexts, strict=False):
            if context.get("markPx"):
                marks[entry["name"]] = parse(context["markPx"])
    return marks


def sizes(settings: MarketSettings, specs: dict[str, MarketSpec], marks: Mapping[str, Decimal]) -> str:
    """Whether an order of each market can be large enough and within its limit. PreflightError names the others."""
    params = detector_params(settings, specs)
    found = ((coin, impossible(params[coin].sizing, marks[coin])) for coin in specs if coin in marks)
    faults = [f"{coin}: {why}" for coin, why in found if why]
    if faults:
        raise PreflightError(faults)
    return f"an order of each of {len(specs)} markets fits its limit"


def stops(settings: MarketSettings, specs: dict[str, MarketSpec], margins: Mapping[str, Margin]) -> str:
    """Whether stops fire before the exchange liquidates. PreflightError names the markets where they would not.

    The default distance is nobody's wish: where it does not fit the run draws the stop nearer, and this says so.
    """
    faults, nearer = [], []
    for coin, spec in specs.items():
        margin, s = margins.get(coin), settings.for_market(coin)
        if margin is None or not (margin.isolated or spec.isolated_only):
            continue
        leverage = s.leverage or margin.leverage
        room = liquidation_bps(leverage, spec.max_leverage)
        where = f"the liquidation price, {room:.0f} bps away at {leverage}x isolated"
        if s.protective_stop_bps == DEFAULT:
            if room * ROOM_SHARE < DEFAULT:
                nearer.append(f"{coin} {room * ROOM_SHARE:.0f}")
        elif s.protective_stop_bps >= room:
            faults.append(f"{coin}: HIP3_PROTECTIVE_STOP_BPS={shown(s.protective_stop_bps)} lies beyond {where}")
        if s.stop_loss_bps >= room:
            faults.append(f"{coin}: HIP3_STOP_LOSS_BPS={shown(s.stop_loss_bps)} lies beyond {where}")
    if faults:
        raise PreflightError([f"{fault}: lower it, or set HIP3_LEVERAGE" for fault in faults])
    if not any(settings.for_market(coin).protective_stop_bps > 0 for coin in specs):
        return "none stands on the exchange (HIP3_PROTECTIVE_STOP_BPS=0): while the service is dead nothing protects"
    near = f", nearer than {DEFAULT} bps: {', '.join(nearer)}" if nearer else ""
    return f"they fire before the exchange liquidates{near}"


def what_is_open(settings: MarketSettings, specs: Mapping[str, MarketSpec], report: AccountReport) -> str:
    """Positions and orders of the account, and what a start makes of them."""
    out = []
    for coin, (szi, _) in sorted(report.positions.items()):
        if not szi:
            continue
        if not opening(report, coin, None).foreign:
            fate = "ours: left by its rules" + ("" if coin in specs else ", though its market is not configured")
        elif coin in specs and settings.base.foreign_positions == "manage":
            fate = "opened by others, and CLOSED by our rules from the start on (HIP3_FOREIGN_POSITIONS=manage)"
        else:
            fate = "opened by others: shown and counted, never touched"
        out.append(f"position {coin} {szi}, {fate}")
    if report.orders:
        what = "cancelled at the start" if settings.base.start_policy == "cancel_all" else "others' are left alone"
        out.append(f"{len(report.orders)} orders rest; {what}")
    return "; ".join(out) or "no position and no order"
