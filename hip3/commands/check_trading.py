"""What `check` says of orders and positions: sizes that fit, stops that would fire, and what is open on the account.

Reads alone; main. USD, prices USD for one unit.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from hip3.config.reading import MarketSettings, shown
from hip3.config.settings import Settings
from hip3.core.market import MarketSpec
from hip3.core.money import parse
from hip3.errors import PreflightError
from hip3.exchange.wire import parse_fill_list
from hip3.execution.truth.account import Rest, positions_in
from hip3.execution.truth.bootstrap import opened_by_us
from hip3.execution.truth.fill_order import newest_first
from hip3.execution.truth.margin import Margin
from hip3.position.protection import liquidation_bps
from hip3.service.params import detector_params
from hip3.strategy.sizing import impossible

DEFAULT = Settings().protective_stop_bps


def prices_of(rest: Rest, specs: Mapping[str, MarketSpec]) -> dict[str, Decimal]:
    """The middle price of every market of these dexs. VenueReadError, AttributeError, ValueError: it cannot be read."""
    prices: dict[str, Decimal] = {}
    for dex in dict.fromkeys(spec.dex for spec in specs.values()):
        prices |= {coin: parse(px) for coin, px in rest.info_json({"type": "allMids", "dex": dex}).items()}
    return prices


def sizes(settings: MarketSettings, specs: dict[str, MarketSpec], prices: Mapping[str, Decimal]) -> str:
    """Whether an order of each market can be large enough and within its limit. PreflightError names the others."""
    params = detector_params(settings, specs)
    found = ((coin, impossible(params[coin].sizing, prices[coin])) for coin in specs if coin in prices)
    faults = [f"{coin}: {why}" for coin, why in found if why]
    if faults:
        raise PreflightError(faults)
    return f"an order of each of {len(specs)} markets fits its limit"


def asks_for_margins(settings: MarketSettings, coins: Iterable[str]) -> list[str]:
    """The markets whose leverage decides whether a stop that somebody asked for can fire; the rest is not worth the
    request weight."""
    return [
        coin
        for coin in coins
        if (s := settings.for_market(coin)).stop_loss_bps > 0 or s.protective_stop_bps not in (DEFAULT, 0)
    ]


def stops(settings: MarketSettings, specs: dict[str, MarketSpec], margins: Mapping[str, Margin]) -> str:
    """Whether stops fire before the exchange liquidates. PreflightError names the markets where they would not.

    The default distance is nobody's wish: where it does not fit the run draws the stop nearer, and says so.
    """
    faults = []
    for coin, spec in specs.items():
        margin, s = margins.get(coin), settings.for_market(coin)
        if margin is None or not (margin.isolated or spec.isolated_only):
            continue
        leverage = s.leverage or margin.leverage
        room = liquidation_bps(leverage, spec.max_leverage)
        where = f"the liquidation price, {room:.0f} bps away at {leverage}x isolated"
        if s.protective_stop_bps >= room and s.protective_stop_bps != DEFAULT:
            faults.append(f"{coin}: HIP3_PROTECTIVE_STOP_BPS={shown(s.protective_stop_bps)} lies beyond {where}")
        if s.stop_loss_bps >= room:
            faults.append(f"{coin}: HIP3_STOP_LOSS_BPS={shown(s.stop_loss_bps)} lies beyond {where}")
    if faults:
        raise PreflightError([f"{fault}: lower it, or set HIP3_LEVERAGE" for fault in faults])
    if not any(settings.for_market(coin).protective_stop_bps > 0 for coin in specs):
        return "none stands on the exchange (HIP3_PROTECTIVE_STOP_BPS=0): while the service is dead nothing protects"
    return "they fire before the exchange liquidates"


def what_is_open(settings: MarketSettings, specs: Mapping[str, MarketSpec], rest: Rest, user: str) -> str:
    """Positions of the account and orders that a start would cancel, and what a start makes of them."""
    out, held = [], dict[str, Decimal]()
    dexs = list(dict.fromkeys(spec.dex for spec in specs.values()))
    for dex in dexs:
        held |= positions_in(rest, user, dex)
    fills = newest_first(parse_fill_list(rest.info({"type": "userFills", "user": user}))[0]) if held else ()
    for coin, szi in sorted(held.items()):
        if opened_by_us(fills, coin):
            fate = "ours: left by its rules" + ("" if coin in specs else ", though its market is not configured")
        elif coin in specs and settings.base.foreign_positions == "manage":
            fate = "opened by others, and CLOSED by our rules from the start on (HIP3_FOREIGN_POSITIONS=manage)"
        else:
            fate = "opened by others: shown and counted, never touched"
        out.append(f"position {coin} {szi}, {fate}")
    if settings.base.start_policy == "cancel_all":
        count = sum(len(rest.info_json({"type": "openOrders", "user": user, "dex": dex})) for dex in dexs)
        out.append(f"{count} orders rest, ALL cancelled at the start (HIP3_START_POLICY=cancel_all)")
    return "; ".join(out) or "no position"
