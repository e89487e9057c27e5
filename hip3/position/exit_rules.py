"""When a position must end. Pure: (position, view, settings, time) -> reason or None."""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from hip3.core.ledger import PositionView
from hip3.core.market import MarketView
from hip3.core.money import shift_bps
from hip3.core.orders import ExitReason


class ExitParams(msgspec.Struct, frozen=True, kw_only=True):
    """Exit settings of one market."""

    time_stop_ms: int
    regression_bps: Decimal
    min_holding_ms: int
    slippage_bps: Decimal
    step_bps: Decimal
    max_slippage_bps: Decimal


def time_stop(position: PositionView, view: MarketView | None, params: ExitParams, now_ms: int) -> bool:
    """Held for longer than allowed, by the exchange's time, which a restart does not reset."""
    return now_ms - position.entry_ms > params.time_stop_ms


def mark_regression(position: PositionView, view: MarketView | None, params: ExitParams, now_ms: int) -> bool:
    """The touch we would sell to (buy from) is back within the distance of the oracle."""
    if view is None or view.oracle is None or not view.two_sided:
        return False
    if now_ms - position.entry_ms < params.min_holding_ms:
        return False
    if position.szi > 0:
        return view.bid is not None and view.bid.px >= shift_bps(view.oracle, -params.regression_bps)
    return view.ask is not None and view.ask.px <= shift_bps(view.oracle, params.regression_bps)


Rule = Callable[[PositionView, MarketView | None, ExitParams, int], bool]
RULES: tuple[tuple[ExitReason, Rule], ...] = (
    (ExitReason.TIME_STOP, time_stop),
    (ExitReason.MARK_REGRESSION, mark_regression),
)
"""In the order in which they are asked."""


def decide(position: PositionView, view: MarketView | None, params: ExitParams, now_ms: int) -> ExitReason | None:
    """The first rule that says so."""
    for reason, rule in RULES:
        if rule(position, view, params, now_ms):
            return reason
    return None
