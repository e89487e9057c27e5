"""What `check` says of orders and positions: what they cost, sizes that fit, stops that would fire, and what is open.

Reads alone; main. USD, prices USD for one unit.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from hip3.config.reading import MarketSettings, shown
from hip3.config.settings import Settings
from hip3.core.market import MarketSpec
from hip3.core.money import MIN_NOTIONAL_USD, TEN_THOUSAND, bps_of, div, parse
from hip3.core.orders import is_ours
from hip3.core.windows import DAY_MINUTES, MINUTE_MS, in_window, parse_windows
from hip3.errors import PreflightError
from hip3.exchange.registry import sum_fee_bps
from hip3.execution.truth.account import AccountReport, Rest, closed_since, read_account
from hip3.execution.truth.bootstrap import dexs_of_ours, opened_by_us
from hip3.execution.truth.margin import Margin
from hip3.execution.truth.open_orders import ends_at_start
from hip3.position.protection import ROOM_SHARE
from hip3.service.params import adopts, detector_params, isolated_room
from hip3.strategy.sizing import impossible

MOST_TOLD = 5
"""So many markets are named where all would be too long to read."""
FEW = 2
"""The leverage of so many markets is asked for in any case: it is the small-money trial's, and costs little weight."""
WARNING = "warning: "
"""How the text of a finding begins that is no fault, and that nobody should overlook."""
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


def needs(settings: MarketSettings, specs: dict[str, MarketSpec]) -> dict[str, Decimal]:
    """By dex, the collateral in USD that the smallest order of its markets takes."""
    out: dict[str, Decimal] = {}
    for coin, spec in specs.items():
        least = div(MIN_NOTIONAL_USD, Decimal(settings.for_market(coin).leverage or spec.max_leverage or 1))
        out[spec.dex] = min(least, out.get(spec.dex, least))
    return out


def costs(settings: MarketSettings, specs: dict[str, MarketSpec]) -> str:
    """What taking and leaving costs in each market, dearest first. PreflightError names those that no edge can pay."""
    params, out, faults = detector_params(settings, specs), [], []
    for coin, spec in specs.items():
        s = settings.for_market(coin)
        fees, cost = 2 * sum_fee_bps(s.taker_fee_bps, spec), params[coin].cost_bps
        size = s.max_notional_per_market
        usd = f"{fees * size / TEN_THOUSAND:.2f} USD of {shown(size)}"
        out.append((fees, f"{coin} {shown(fees.normalize())} bps ({usd})"))
        step, most = max(s.min_oracle_change_bps, s.oracle_move_bps), s.max_oracle_step_bps
        if 0 < most < step:
            faults.append(
                f"{coin}: no step of the oracle below {shown(step)} bps counts (HIP3_MIN_ORACLE_CHANGE_BPS, "
                f"HIP3_ORACLE_MOVE_BPS), and none above HIP3_MAX_ORACLE_STEP_BPS={shown(most)} is believed: never "
                "traded; set them apart"
            )
        windows = parse_windows(s.blackout)
        if windows and all(in_window(windows, minute * MINUTE_MS) for minute in range(DAY_MINUTES)):
            faults.append(f"{coin}: HIP3_BLACKOUT leaves no minute of the day: it is never traded; leave some")
        if 0 < s.max_edge_bps <= cost:
            faults.append(
                f"{coin}: taking and leaving costs {shown(fees.normalize())} bps of fees ({usd}), so an edge must be "
                f"more than {shown(cost.normalize())} bps, and none above HIP3_MAX_EDGE_BPS={shown(s.max_edge_bps)} "
                "is believed: it is never traded; take it out of HIP3_MARKETS"
            )
    if faults:
        raise PreflightError(faults)
    dearest = [text for _, text in sorted(out, key=lambda item: (-item[0], item[1]))]
    more = f", and {len(dearest) - MOST_TOLD} cheaper" if len(dearest) > MOST_TOLD else ""
    return "fees for taking and leaving: " + ", ".join(dearest[:MOST_TOLD]) + more


def asks_for_margins(settings: MarketSettings, coins: Iterable[str]) -> list[str]:
    """The markets whose leverage decides whether a stop that somebody asked for can fire, and all where they are few;
    more are not worth the request weight."""
    asked = list(coins)
    if len(asked) <= FEW:
        return asked
    return [
        coin
        for coin in asked
        if (s := settings.for_market(coin)).stop_loss_bps > 0 or s.protective_stop_bps not in (DEFAULT, 0)
    ]


def margins(settings: MarketSettings, specs: Mapping[str, MarketSpec]) -> str:
    """What backs a position, by the settings. PreflightError names the markets that take no such leverage."""
    faults, cross = [], []
    for coin, spec in specs.items():
        s = settings.for_market(coin)
        if spec.max_leverage is not None and s.leverage > spec.max_leverage:
            most = f"more than the market's {spec.max_leverage}x, so it stays closed; lower it"
            faults.append(f"{coin}: HIP3_LEVERAGE={s.leverage} is {most}")
        if s.margin == "keep" and not spec.isolated_only:
            cross.append(coin)
    if faults:
        raise PreflightError(faults)
    if not cross:
        return "isolated, each market before its first entry: a position is backed by its own margin alone"
    few = ", ".join(cross[:MOST_TOLD]) + (f" and {len(cross) - MOST_TOLD} more" if len(cross) > MOST_TOLD else "")
    return f"as the account has it (HIP3_MARGIN=keep): {few} may be cross, backed by all that it has on the dex"


def stops(settings: MarketSettings, specs: dict[str, MarketSpec], margins: Mapping[str, Margin]) -> str:
    """Whether stops fire before the exchange liquidates. PreflightError names the markets where they would not.

    The default distance is nobody's wish: where it does not fit the run draws the stop nearer, and says so.
    """
    faults, nearer = [], []
    for coin, spec in specs.items():
        isolated, s = isolated_room(settings, coin, margins, spec), settings.for_market(coin)
        if isolated is None:
            continue
        room, leverage = min(isolated.long_bps, isolated.short_bps), isolated.leverage
        if DEFAULT == s.protective_stop_bps > room * ROOM_SHARE:
            nearer.append(f"{coin} {leverage}x: {room * ROOM_SHARE:.0f} bps, liquidated at {room:.0f}")
        where = f"the liquidation price, {room:.0f} bps away at {leverage}x isolated"
        if s.protective_stop_bps >= room and s.protective_stop_bps != DEFAULT:
            faults.append(f"{coin}: HIP3_PROTECTIVE_STOP_BPS={shown(s.protective_stop_bps)} lies beyond {where}")
        if s.stop_loss_bps >= room:
            faults.append(f"{coin}: HIP3_STOP_LOSS_BPS={shown(s.stop_loss_bps)} lies beyond {where}")
    if faults:
        raise PreflightError([f"{fault}: lower it, or set HIP3_LEVERAGE" for fault in faults])
    if not any(settings.for_market(coin).protective_stop_bps > 0 for coin in specs):
        return f"{WARNING}none stands on the exchange (HIP3_PROTECTIVE_STOP_BPS=0): nothing protects while it is down"
    if nearer:
        more = f", and {len(nearer) - MOST_TOLD} more" if len(nearer) > MOST_TOLD else ""
        few = "; ".join(nearer[:MOST_TOLD])
        return f"drawn nearer than {shown(DEFAULT)} bps by the leverage (HIP3_LEVERAGE): {few}{more}"
    if not set(specs) <= set(margins):
        return f"{shown(DEFAULT)} bps away, or nearer where the leverage asks for it (not looked at in so many markets)"
    return "they fire before the exchange liquidates"


def what_is_open(settings: MarketSettings, specs: Mapping[str, MarketSpec], rest: Rest, user: str) -> str:
    """Positions of the account and orders that a start would end, and what a start makes of them. PreflightError where
    a position keeps its market from being margined as the settings wish."""
    dexs = list(dict.fromkeys(spec.dex for spec in specs.values()))
    report = read_account(rest, user, dexs)
    also = sorted(dexs_of_ours(report.fills) - set(dexs))
    if also:  # a start looks after what is ours there, too
        dexs += also
        report = read_account(rest, user, dexs)
    held = {coin: szi for coin, (szi, _) in sorted(report.positions.items()) if szi}
    out = [
        f"position {coin} {szi} ({_margined(report, coin)}), {_fate(settings, coin in specs, report, coin)}"
        for coin, szi in held.items()
    ]
    out += _orders(settings, report, held)
    wished = [coin for coin in held if coin in specs and settings.for_market(coin).margin == "isolated"]
    cross = [coin for coin in wished if report.margins[coin].type == "cross"]
    if cross:
        raise PreflightError(
            [
                f"{coin} {held[coin]} is cross: a loss there takes from all that the account has on its dex, and what "
                "is held cannot be made isolated, so the market takes no entries until it is closed; close it "
                f"(./run.sh flatten {coin}), or set HIP3_MARGIN=keep ({'; '.join(out)})"
                for coin in cross
            ]
        )
    return "; ".join(out) or f"no position in {', '.join(dexs)}; others are not looked at"


def _margined(report: AccountReport, coin: str) -> str:
    """How a position is margined and where the exchange would close it."""
    margin, liquidation, mark = report.margins[coin], report.liquidations.get(coin), report.marks.get(coin)
    kind = f"{margin.type} {margin.leverage or '?'}x"
    if liquidation is None or not mark:
        return f"{kind}, no liquidation price"
    return f"{kind}, liquidated at {shown(liquidation.px)}, {abs(bps_of(liquidation.px - mark, mark)) / 100:.1f} % away"


def _fate(settings: MarketSettings, configured: bool, report: AccountReport, coin: str) -> str:
    if opened_by_us(report.fills, coin):
        return "ours: left by its rules" + ("" if configured else ", though its market is not configured")
    if configured and settings.base.foreign_positions == "manage":
        return "opened by others, and CLOSED by our rules from the start on (HIP3_FOREIGN_POSITIONS=manage)"
    return "opened by others: shown and counted, never touched"


def _orders(settings: MarketSettings, report: AccountReport, held: Mapping[str, Decimal]) -> list[str]:
    """What rests, and what a start makes of it."""
    cancel_all = settings.base.start_policy == "cancel_all"
    ending = [
        o
        for o in report.orders
        if ends_at_start(
            o, cancel_all=cancel_all, ours=is_ours(o.cloid), held=o.coin in held or not closed_since(o, report.fills)
        )
    ]
    whose = "" if cancel_all else " of an earlier run"
    why = " (HIP3_START_POLICY=cancel_all)" if cancel_all else ""
    if adopts(settings.base):
        why = ", but for quotes that the intent log has as well (HIP3_QUOTE_START=adopt)"
    out = [f"{len(ending)} orders{whose} rest, cancelled at the start{why}"] if ending else []
    stay = len(report.orders) - len(ending)
    return [*out, f"{stay} orders rest that a start leaves"] if stay else out
