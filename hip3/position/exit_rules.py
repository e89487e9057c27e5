"""When a position must end. Pure: (position, view, memory, settings, time) -> reason or None.

Distances and results are basis points, results of the entry price and before fees; ages are milliseconds of exchange
time. A rule that lacks its input says no: without a price only the time stop and the oracle's steps can end a
position, so that a market which fell silent is left by its age at the latest.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from hip3.core.ledger import PositionView
from hip3.core.market import MarketView
from hip3.core.money import HALF, ONE, ZERO, bps_of, div, shift_bps
from hip3.core.orders import ExitReason
from hip3.position.flatten import BELIEVED_BPS


class ExitParams(msgspec.Struct, frozen=True, kw_only=True):
    """Exit settings of one market. A gain, a loss or a trailing distance of 0 turns its rule off."""

    time_stop_ms: int
    """The longest age; an older position is left at any price."""
    regression_bps: Decimal
    """How near to the oracle the touch one leaves at must be; 0: at the oracle or beyond it."""
    min_holding_ms: int
    """No exit for that distance before this age; the two cases below have ages of their own."""
    slippage_bps: Decimal
    """How much worse than the touch the first attempt's limit is."""
    step_bps: Decimal
    """So much is added with each further attempt; 0: all are alike, and each counts as one at the largest slippage."""
    max_slippage_bps: Decimal
    quick_profit_bps: Decimal = ZERO
    """A gain at which the distance from the oracle does not matter any more."""
    quick_profit_min_holding_ms: int = 500
    evaporation: bool = False
    """Whether an entry whose edge is gone is left, see `mark_regression`."""
    evaporation_bps: Decimal = Decimal(2)
    """What counts as no edge; may be negative."""
    evaporation_min_holding_ms: int = 500
    min_loss_bps: Decimal = ZERO
    """Mark regression takes no loss that is smaller: the other rules may. 0: it takes any."""
    edge_scale: Decimal = ZERO
    """Share of the entry edge that the regression distance may be; 0: not scaled."""
    decay_start_ms: int = 0
    """0: the regression distance does not shrink with time."""
    decay_min: Decimal = ONE
    """The share of the distance that is left at the time stop, 0 to 1."""
    take_profit_bps: Decimal = ZERO
    stop_loss_bps: Decimal = ZERO
    trailing_activation_bps: Decimal = ZERO
    """The trailing stop is armed once the best gain was so large."""
    trailing_distance_bps: Decimal = ZERO
    oracle_exit: bool = False
    oracle_against: int = 2
    """So many oracle steps in a row against the position end it."""
    oracle_with: int = 3
    oracle_min_holding_ms: int = 1000
    oracle_move_bps: Decimal = Decimal(2)
    """What counts as an oracle step; a smaller change moves the baseline and neither counts nor ends a run."""


class ExitMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules remember of one position; it survives a resync and a restart."""

    long: bool
    """The side of the position it is about; for one of the other side a new memory begins."""
    best_bps: Decimal = ZERO
    """The best result so far at the price one could have left at; never negative."""
    oracle: Decimal | None = None
    """The oracle last seen, from which the next step is measured; None: none was seen yet."""
    against: int = 0
    """Consecutive oracle steps against the position since it was opened; a step with it ends the run."""
    along: int = 0
    """The same with it. Counted from the opening, so that a run from before is no baseline to subtract, and a
    fresh run after a turn counts from its first step."""


def result_bps(position: PositionView, view: MarketView | None, believed_bps: Decimal = BELIEVED_BPS) -> Decimal | None:
    """What leaving now would make: at the touch of a two-sided book, else at the mark; None without a price.

    A touch that is further than `believed_bps` from the mark, and from the other side of its book, is one quote's word
    against the market's: then it is the mark, too. A gain is never more than the other side of the book leaves of it,
    since nobody pays more than he is asked for: after a jump the mark is of before it for seconds. Basis points of the
    entry price, negative for a loss. None, too, where the entry price is not known.
    """
    if view is None or position.entry_px <= 0:
        return None
    long, px = position.szi > 0, view.mark
    if view.two_sided:
        px = _believed(view, bid=long, within_bps=believed_bps)
    if px is None:
        return None
    gained, other = _gained_bps(position, px), view.ask if long else view.bid
    if other is None or gained <= 0:
        return gained
    return min(gained, max(ZERO, _gained_bps(position, other.px)))


def _gained_bps(position: PositionView, px: Decimal) -> Decimal:
    entry_px = position.entry_px
    return bps_of(px - entry_px if position.szi > 0 else entry_px - px, entry_px)


def _believed(view: MarketView, *, bid: bool, within_bps: Decimal = BELIEVED_BPS) -> Decimal | None:
    """The bid or the ask, or the mark where nothing bears it out; None: there is no mark either. Of a two-sided book.

    When the whole book moves ahead of the mark its two sides stay together; when a maker is away for an instant one
    side is far from both. Before the first mark the oracle stands for it.
    """
    assert view.bid is not None
    assert view.ask is not None
    px, anchor = view.bid.px if bid else view.ask.px, view.mark or view.oracle
    if anchor is not None and abs(bps_of(px - anchor, anchor)) <= within_bps:
        return px
    return px if bps_of(view.ask.px - view.bid.px, view.bid.px) <= within_bps else anchor


def remember(
    memory: ExitMemory | None, position: PositionView, view: MarketView | None, move_bps: Decimal
) -> ExitMemory:
    """The memory after one look at the market; a new one for a position of the other side.

    Without a view nothing is learnt. `move_bps`: the smallest change of the oracle that is a step.
    """
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
    # By sign seen from the position: a step with it ends a run against it, and the other way round.
    if change >= move_bps:
        against, along = 0, along + 1
    elif -change >= move_bps:
        against, along = against + 1, 0
    return msgspec.structs.replace(memory, oracle=oracle, against=against, along=along)


class Look(msgspec.Struct, frozen=True):
    """One evaluation: everything a rule may read."""

    position: PositionView
    view: MarketView | None
    """The market by this connection's data since the position's last fill; None while there are none: older ones end no
    position."""
    memory: ExitMemory
    params: ExitParams
    now_ms: int
    """Exchange time: ages run from the fill that opened the position."""

    @property
    def held_ms(self) -> int:
        """The position's age."""
        return self.now_ms - self.position.entry_ms


def time_stop(e: Look) -> bool:
    """Held for longer than allowed, by the exchange's time, which a restart does not reset."""
    return e.held_ms > e.params.time_stop_ms


def stop_loss(e: Look) -> bool:
    """The loss at the price one could leave at reached its limit."""
    limit = e.params.stop_loss_bps
    result = result_bps(e.position, e.view)
    if limit <= 0 or result is None or -result < limit:
        return False
    return -_borne_out_bps(e, result, limit) >= limit


def _borne_out_bps(e: Look, result: Decimal, distance_bps: Decimal) -> Decimal:
    """The `result` for a rule that would end a position at that distance: one thin frame must not be the whole of it,
    so that a touch which nothing else bears out within half of that is not worse than the mark."""
    near = result_bps(e.position, e.view, min(BELIEVED_BPS, distance_bps * HALF))
    return result if near is None else max(result, near)


def take_profit(e: Look) -> bool:
    """The gain at the price one could leave at reached its aim."""
    result = result_bps(e.position, e.view)
    return e.params.take_profit_bps > 0 and result is not None and result >= e.params.take_profit_bps


def trailing_stop(e: Look) -> bool:
    """It once was far enough in gain, and has given back the distance since."""
    p, result = e.params, result_bps(e.position, e.view)
    if p.trailing_activation_bps <= 0 or p.trailing_distance_bps <= 0 or result is None:
        return False
    best, distance = e.memory.best_bps, p.trailing_distance_bps
    if best < p.trailing_activation_bps or best - result < distance:
        return False
    return best - _borne_out_bps(e, result, distance) >= distance


def oracle_exit(e: Look) -> bool:
    """The oracle turned against the position, or went far enough with it: so many steps in a row."""
    p = e.params
    if not p.oracle_exit or e.held_ms < p.oracle_min_holding_ms:
        return False
    return e.memory.against >= p.oracle_against or e.memory.along >= p.oracle_with


def mark_regression(e: Look) -> bool:
    """The quote has come back to the oracle: the reason for the position is gone.

    In this order: a quick profit; the entry's edge has evaporated; the touch one would leave at is within the
    distance of the oracle. None of them takes a loss smaller than `min_loss_bps`. All need a two-sided book and an
    oracle.
    """
    result, p = result_bps(e.position, e.view), e.params
    if e.view is None or e.view.oracle is None or not e.view.two_sided or result is None:
        return False
    if -p.min_loss_bps < result < 0:
        return False
    if 0 < p.quick_profit_bps <= result and e.held_ms >= p.quick_profit_min_holding_ms:
        return True
    edge = _entry_edge_bps(e)
    if p.evaporation and e.held_ms >= p.evaporation_min_holding_ms and edge is not None and edge <= p.evaporation_bps:
        return True
    return e.held_ms >= p.min_holding_ms and _within(e, _regression_bps(e))


def _entry_edge_bps(e: Look) -> Decimal | None:
    """What the side we entered at would still offer against the oracle, by a touch that is borne out; None: unknown."""
    assert e.view is not None
    assert e.view.oracle is not None
    long, oracle = e.position.szi > 0, e.view.oracle
    px = _believed(e.view, bid=not long)
    return None if px is None else bps_of(oracle - px if long else px - oracle, oracle)


def _regression_bps(e: Look) -> Decimal:
    """The distance: the base or a share of the entry's edge, shrinking between its start and the time stop."""
    p = e.params
    distance = max(p.regression_bps, e.position.entry_edge_bps * p.edge_scale)
    if not p.decay_start_ms or e.held_ms <= p.decay_start_ms or p.time_stop_ms <= p.decay_start_ms:
        return distance
    # In a straight line from the whole distance at the start to `decay_min` of it at the time stop.
    gone = min(ONE, div(Decimal(e.held_ms - p.decay_start_ms), Decimal(p.time_stop_ms - p.decay_start_ms)))
    return distance * (ONE - (ONE - p.decay_min) * gone)


def _within(e: Look, distance_bps: Decimal) -> bool:
    """Whether the touch one leaves at is that near to the oracle, or beyond it, and borne out."""
    assert e.view is not None
    assert e.view.oracle is not None
    long, oracle = e.position.szi > 0, e.view.oracle
    touch = e.view.bid if long else e.view.ask
    if touch is None or touch.px != _believed(e.view, bid=long):
        return False
    return touch.px >= shift_bps(oracle, -distance_bps) if long else touch.px <= shift_bps(oracle, distance_bps)


RULES: tuple[tuple[ExitReason, Callable[[Look], bool]], ...] = (
    (ExitReason.TIME_STOP, time_stop),
    (ExitReason.STOP_LOSS, stop_loss),
    (ExitReason.TAKE_PROFIT, take_profit),
    (ExitReason.TRAILING_STOP, trailing_stop),
    (ExitReason.ORACLE_EXIT, oracle_exit),
    (ExitReason.MARK_REGRESSION, mark_regression),
)
"""In the order in which they are asked: the reason of an exit is the first that holds, not the only one."""
BY_RULES = frozenset(reason for reason, _ in RULES)
"""Reasons that are of one position. All others are somebody's wish that the market be flat."""


def decide(look: Look) -> ExitReason | None:
    """The first rule that says so; None: the position stays."""
    for reason, rule in RULES:
        if rule(look):
            return reason
    return None
