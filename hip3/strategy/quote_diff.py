"""What to do about a ladder that is not as it should be: the desired rungs against what may be alive, by key. Pure.

One slot for each key (side, level). A key whose order may be alive in any way gets no second one: it is cancelled, that
is proved, and then the key is placed anew. Retreat is at once; improvement is patient, for a place in the queue is
worth more than a basis point. Where quotes are moved, an order that rests whole is replaced in one step instead.

    an order rests that is not desired, or is larger than a limit lets it be    cancelled at once
    its price is too aggressive                                                 cancelled at once
    it was filled in part, and little is left of it                             like an improvement
    its price is too far away, or it is much too small                          an improvement
    otherwise                                                                   nothing: it keeps its place
"""

import enum
from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from hip3.core.money import BASIS_POINT, HALF, ONE, bps_of, meets_minimum, tick_of
from hip3.core.orders import Side
from hip3.strategy.fair import Fair
from hip3.strategy.ladder import Key, Ladder, Rung

QUARTER = Decimal("0.25")
LARGER = Decimal("1.1")
"""An order that is so much larger than it should be goes at once: a limit asked for that."""


class SlotState(enum.Enum):
    """What is known of the order of a key; a key without one is empty."""

    PLACING = "placing"
    """Queued or sent, no answer yet."""
    LIVE = "live"
    CANCELLING = "cancelling"
    """A cancel is wished, and its proof outstanding."""
    MOVING = "moving"
    """Another order is to take its place, or has: until one of the two is proved to be over neither is moved."""
    UNKNOWN = "unknown"


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """The order that may be alive for a key."""

    state: SlotState
    px: Decimal
    left: Decimal
    """What may still execute of it."""
    cloid: str
    oid: int | None = None
    whole: bool = False
    """It rests untouched, and nothing is doubted of it: it may be replaced."""


class Why(enum.Enum):
    """The class of a step, the most urgent first."""

    RISK = "risk"
    RETREAT = "retreat"
    REPLENISH = "replenish"
    IMPROVE = "improve"
    PLACE = "place"


_URGENCY = tuple(Why)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to do: end the order of a key, place one where none can be alive, or put one in another's place."""

    key: Key
    why: Why
    rung: Rung | None = None
    """What to place, if `why` is PLACE; what to move the key's order to, if it is not. None: that is cancelled."""

    @property
    def moves(self) -> bool:
        """Whether it replaces an order that rests."""
        return self.rung is not None and self.why is not Why.PLACE


class Tolerance(msgspec.Struct, frozen=True, kw_only=True):
    """How far a resting order may be from what is desired."""

    half_bps: Decimal
    """Half the spread of this pass."""
    keep_bps: Decimal
    """An order that has less than this left to fair, and is not where it should be, goes at once."""
    width_bps: Decimal
    """No improvement for less: what the budget of actions can carry."""
    grow: Decimal
    """A rung that should be larger by this share is improved, if `rich`."""
    rich: bool
    """More than half of the budget of actions is left."""
    sz_decimals: int


def diff(
    desired: Ladder,
    slots: Mapping[Key, Slot],
    fair: Fair,
    t: Tolerance,
    *,
    may_place: Callable[[Key], bool],
    may_improve: Callable[[Key], bool],
    may_move: Callable[[Key], bool],
) -> list[Step]:
    """The steps, in a fixed order: cancels first, the most urgent class and the outermost rung first; then moves, in
    the same order, so that what leaves the market goes before what comes after it; then placements, the innermost
    rung first.

    `may_place`, `may_improve`: what time allows for a key. `may_move`: whether the key's order may be replaced in one
    step; one that may not is cancelled. Given its own result it finds nothing more to do.
    """
    cancels: list[Step] = []
    moved: list[Step] = []
    placed: list[Step] = []
    retreat = BASIS_POINT * max(ONE, t.half_bps * QUARTER)
    improve = BASIS_POINT * max(3 * ONE, t.half_bps * HALF, t.width_bps)
    for key, slot in slots.items():
        rung = desired.get(key)
        if slot.state is SlotState.MOVING and rung is None:
            cancels.append(Step(key=key, why=Why.RISK))
        if slot.state is not SlotState.LIVE:
            continue
        why = _cancel(key[0], slot, rung, fair, t, retreat, improve)
        if why is None or (why not in (Why.RISK, Why.RETREAT) and not may_improve(key)):
            continue
        moves = why is not Why.RISK and slot.whole and may_move(key) and may_place(key)
        (moved if moves else cancels).append(Step(key=key, why=why, rung=rung if moves else None))
    for key, rung in desired.items():
        if key not in slots and may_place(key):
            placed.append(Step(key=key, why=Why.PLACE, rung=rung))
    for some in (cancels, moved):
        some.sort(key=lambda s: (_URGENCY.index(s.why), -s.key[1], s.key[0].value))
    placed.sort(key=lambda s: (s.key[1], s.key[0].value))
    return cancels + moved + placed


def _cancel(
    side: Side, slot: Slot, rung: Rung | None, fair: Fair, t: Tolerance, retreat: Decimal, improve: Decimal
) -> Why | None:
    """Why a resting order should go; None: it stays. `retreat`, `improve`: shares of a price that make one of it."""
    if rung is None or slot.left >= rung.sz * LARGER:
        return Why.RISK
    ahead = (slot.px - rung.px) * side.sign
    tick = tick_of(rung.px, t.sz_decimals)
    if ahead >= tick:
        worth = fair.bid if side.is_buy else fair.ask
        if ahead >= rung.px * retreat or bps_of((worth - slot.px) * side.sign, worth) < t.keep_bps:
            return Why.RETREAT
    if slot.left < rung.sz * HALF or not meets_minimum(slot.px, slot.left):
        return Why.REPLENISH
    if -ahead >= 2 * tick and -ahead >= rung.px * improve:
        return Why.IMPROVE
    if t.rich and rung.sz >= slot.left * (ONE + t.grow):
        return Why.IMPROVE
    return None
