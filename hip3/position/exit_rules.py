"""When a position must end. Pure: (position, view, memory, settings, time) -> reason or None."""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from hip3.core.ledger import PositionView
from hip3.core.market import MarketView
from hip3.core.money import ONE, ZERO, bps_of, div, shift_bps
from hip3.core.orders import ExitReason


class ExitParams(msgspec.Struct, frozen=True, kw_only=True):
    """Exit settings of one market. A distance of 0 turns its rule off."""

    time_stop_ms: int
    regression_bps: Decimal
    min_holding_ms: int
    slippage_bps: Decimal
    step_bps: Decimal
    max_slippage_bps: Decimal
    quick_profit_bps: Decimal = ZERO
    quick_profit_min_holding_ms: int = 500
    evaporation: bool = False
    evaporation_bps: Decimal = Decimal(2)
    evaporation_min_holding_ms: int = 500
    min_loss_bps: Decimal = ZERO
    edge_scale: Decimal = ZERO
    """Share of the entry edge that the regression distance may be; 0: not scaled."""
    decay_start_ms: int = 0
    """0: the regression distance does not shrink with time."""
    decay_min: Decimal = ONE
    take_profit_bps: Decimal = ZERO
    stop_loss_bps: Decimal = ZERO
    trailing_activation_bps: Decimal = ZERO
    trailing_distance_bps: Decimal = ZERO
    oracle_exit: bool = False
    oracle_against: int = 2
    oracle_with: int = 3
    oracle_min_holding_ms: int = 1000
    oracle_move_bps: Decimal = Decimal(2)


class ExitMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules remember of one position; it survives a resync and a restart."""

    long: bool
    best_bps: Decimal = ZERO
    """The best result so far at the price one could have left at; never negative."""
    oracle: Decimal | None = None
    against: int = 0
    """Consecutive oracle steps against the position since it was opened; a step with it ends the run."""
    along: int = 0
    """The same with it. Counted from the opening, so that a run from before is no baseline to subtract, and a
    fresh run after a turn counts from its first step."""


def result_bps(position: PositionView, view: MarketView | None) -> Decimal | None:
    """What leaving now would make: at the touch of a two-sided book, else at the mark; None without a price."""
    if view is None or position.entry_px <= 0:
        return None
    px = view.mark
    if view.two_sided:
        touch = view.bid if position.szi > 0 else view.ask
        px = touch.px if touch is not None else px
    if px is None:
        return None
    gained = bps_of(px - position.entry_px, position.entry_px)
    return gained if position.szi > 0 else -gained


def remember(
    memory: ExitMemory | None, position: PositionView, view: MarketView | None, move_bps: Decimal
) -> ExitMemory:
    """The memory after one look at the market; a new one for a position of the other side."""
    long = position.szi > 0
    if memory is None or memory.long is not long:
        memory = ExitMemory(long=long, oracle=None if view is None else view.oracle)
    if view is None:
        return memory
    result = result_bps(position, view)
    if result is not None and result > memory.best_bps:
        memory = msgspec.structs.replace(memory, best_bps=result)
    if view.oracle is not None and view.oracle != memory.oracle:
        memory = _oracle_moved(memory, view.oracle, move_bps)
    return memory


def _oracle_moved(memory: ExitMemory, oracle: Decimal, move_bps: Decimal) -> ExitMemory:
    if memory.oracle is None:
        return msgspec.structs.replace(memory, oracle=oracle)
    change = bps_of(oracle - memory.oracle, memory.oracle) * (1 if memory.long else -1)
    against, along = memory.against, memory.along
    if change >= move_bps:
        against, along = 0, along + 1
    elif -change >= move_bps:
        against, along = against + 1, 0
    return msgspec.structs.replace(memory, oracle=oracle, against=against, along=along)


class Look(msgspec.Struct, frozen=True):
    """One evaluation: everything a rule may read."""

    position: PositionView
    view: MarketView | None
    memory: ExitMemory
    params: ExitParams
    now_ms: int
    """Exchange time: ages run from the fill that opened the position."""

    @property
    def held_ms(self) -> int:
        return self.now_ms - self.position.entry_ms


def time_stop(e: Look) -> bool:
    """Held for longer than allowed, by the exchange's time, which a restart does not reset."""
    return e.held_ms > e.params.time_stop_ms


def stop_loss(e: Look) -> bool:
    """The loss reached its limit."""
    result = result_bps(e.position, e.view)
    return e.params.stop_loss_bps > 0 and result is not None and -result >= e.params.stop_loss_bps


def take_profit(e: Look) -> bool:
    """The gain reached its aim."""
    result = result_bps(e.position, e.view)
    return e.params.take_profit_bps > 0 and result is not None and result >= e.params.take_profit_bps


def trailing_stop(e: Look) -> bool:
    """It once was far enough in gain, and has given back the distance since."""
    p, result = e.params, result_bps(e.position, e.view)
    if p.trailing_activation_bps <= 0 or p.trailing_distance_bps <= 0 or result is None:
        return False
    best = e.memory.best_bps
    return best >= p.trailing_activation_bps and best - result >= p.trailing_distance_bps


def oracle_exit(e: Look) -> bool:
    """The oracle turned against the position, or went far enough with it."""
    p = e.params
    if not p.oracle_exit or e.held_ms < p.oracle_min_holding_ms:
        return False
    return e.memory.against >= p.oracle_against or e.memory.along >= p.oracle_with


def mark_regression(e: Look) -> bool:
    """The quote has come back to the oracle: the reason for the position is gone.

    In this order: a quick profit; the entry's edge has evaporated; the touch one would leave at is within the
    distance of the oracle. None of them takes a loss smaller than `min_loss_bps`.
    """
    result, p = result_bps(e.position, e.view), e.params
    if e.view is None or e.view.oracle is None or not e.view.two_sided or result is None:
        return False
    if -p.min_loss_bps < result < 0:
        return False
    if 0 < p.quick_profit_bps <= result and e.held_ms >= p.quick_profit_min_holding_ms:
        return True
    if p.evaporation and e.held_ms >= p.evaporation_min_holding_ms and _entry_edge_bps(e) <= p.evaporation_bps:
        return True
    return e.held_ms >= p.min_holding_ms and _within(e, _regression_bps(e))


def _entry_edge_bps(e: Look) -> Decimal:
    """What the side we entered at would still offer against the oracle."""
    assert e.view is not None
    assert e.view.oracle is not None
    assert e.view.bid is not None
    assert e.view.ask is not None
    oracle = e.view.oracle
    return bps_of(oracle - e.view.ask.px if e.position.szi > 0 else e.view.bid.px - oracle, oracle)


def _regression_bps(e: Look) -> Decimal:
    """The distance: the base or a share of the entry's edge, shrinking between its start and the time stop."""
    p = e.params
    distance = max(p.regression_bps, e.position.entry_edge_bps * p.edge_scale)
    if not p.decay_start_ms or e.held_ms <= p.decay_start_ms or p.time_stop_ms <= p.decay_start_ms:
        return distance
    gone = min(ONE, div(Decimal(e.held_ms - p.decay_start_ms), Decimal(p.time_stop_ms - p.decay_start_ms)))
    return distance * (ONE - (ONE - p.decay_min) * gone)


def _within(e: Look, distance_bps: Decimal) -> bool:
    assert e.view is not None
    assert e.view.oracle is not None
    if e.position.szi > 0:
        return e.view.bid is not None and e.view.bid.px >= shift_bps(e.view.oracle, -distance_bps)
    return e.view.ask is not None and e.view.ask.px <= shift_bps(e.view.oracle, distance_bps)


RULES: tuple[tuple[ExitReason, Callable[[Look], bool]], ...] = (
    (ExitReason.TIME_STOP, time_stop),
    (ExitReason.STOP_LOSS, stop_loss),
    (ExitReason.TAKE_PROFIT, take_profit),
    (ExitReason.TRAILING_STOP, trailing_stop),
    (ExitReason.ORACLE_EXIT, oracle_exit),
    (ExitReason.MARK_REGRESSION, mark_regression),
)
"""In the order in which they are asked."""


def decide(look: Look) -> ExitReason | None:
    """The first rule that says so."""
    for reason, rule in RULES:
        if rule(look):
            return reason
    return None
