"""When a position must end. Pure: (position, view, settings, times) -> reason or None."""

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


def time_stop(position: PositionView, params: ExitParams, wall_ms: int) -> ExitReason | None:
    """Held for longer than allowed, by epoch time, which a restart does not reset."""
    held = wall_ms - position.entry_ms
    return ExitReason.TIME_STOP if held > params.time_stop_ms else None


def mark_regression(
    position: PositionView, view: MarketView | None, params: ExitParams, wall_ms: int
) -> ExitReason | None:
    """The touch we would sell to (buy from) is back within the distance of the oracle."""
    if view is None or view.oracle is None or not view.two_sided:
        return None
    if wall_ms - position.entry_ms < params.min_holding_ms:
        return None
    if position.szi > 0:
        back = view.bid is not None and view.bid.px >= shift_bps(view.oracle, -params.regression_bps)
    else:
        back = view.ask is not None and view.ask.px <= shift_bps(view.oracle, params.regression_bps)
    return ExitReason.MARK_REGRESSION if back else None


def decide(position: PositionView, view: MarketView | None, params: ExitParams, wall_ms: int) -> ExitReason | None:
    """The first rule that says so."""
    return time_stop(position, params, wall_ms) or mark_regression(position, view, params, wall_ms)
