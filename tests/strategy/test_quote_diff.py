"""The diff of ladders: what it does about each difference, and that its own result leaves nothing to do."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip3.core.orders import Side
from hip3.strategy.fair import Fair
from hip3.strategy.ladder import Key, Ladder, Rung
from hip3.strategy.quote_diff import Slot, SlotState, Step, Tolerance, Why, diff
from tests.builders import D

WORTH = Fair(bid=D("100.00"), ask=D("100.02"), gap_bps=D(2))
T = Tolerance(half_bps=D(6), keep_bps=D(4), width_bps=D(0), grow=D("0.25"), rich=True, sz_decimals=2)
BID: Key = (Side.BUY, 0)
WANTED: Ladder = {BID: Rung(D("99.94"), D("0.50")), (Side.SELL, 0): Rung(D("100.08"), D("0.50"))}


def _slot(rung: Rung, state: SlotState = SlotState.LIVE, **kw: Any) -> Slot:
    base: dict[str, Any] = {"state": state, "px": rung.px, "left": rung.sz, "cloid": "0x1", "oid": 7}
    return Slot(**(base | kw))


def _live(desired: Ladder) -> dict[Key, Slot]:
    return {key: _slot(rung) for key, rung in desired.items()}


def _diff(
    desired: Ladder, slots: dict[Key, Slot], *, t: Tolerance = T, may_place: dict[Key, bool] | None = None,
    may_improve: dict[Key, bool] | None = None, may_move: dict[Key, bool] | None = None,
) -> list[Step]:  # fmt: skip
    """What time allows for the keys named; of others it allows all but a move."""
    return diff(
        desired, slots, WORTH, t,
        may_place=lambda key: (may_place or {}).get(key, True),
        may_improve=lambda key: (may_improve or {}).get(key, True),
        may_move=lambda key: (may_move or {}).get(key, False),
    )  # fmt: skip


def test_an_empty_book_is_filled_from_inside_and_then_nothing_is_left_to_do() -> None:
    wide = WANTED | {(Side.BUY, 1): Rung(D("99.89"), D("0.30"))}
    steps = _diff(wide, {})
    assert [s.key[1] for s in steps] == [0, 0, 1]
    assert all(s.why is Why.PLACE for s in steps)
    assert _diff(wide, _live(wide)) == []


@pytest.mark.parametrize(
    ("px", "left", "why"),
    [
        ("99.94", "0.50", None),
        ("99.945", "0.50", None),  # half a basis point
        ("99.955", "0.50", Why.RETREAT),  # 1.5 basis points, a quarter of the half spread
        ("99.915", "0.50", None),  # two and a half basis points away
        ("99.90", "0.50", Why.IMPROVE),
        ("99.94", "0.55", Why.RISK),
        ("99.94", "0.54", None),
        ("99.94", "0.24", Why.REPLENISH),
        ("99.94", "0.10", Why.REPLENISH),  # less than eleven dollars
        ("99.94", "0.40", Why.IMPROVE),  # a quarter larger is wished
        ("99.94", "0.41", None),
    ],
)
def test_what_a_difference_means(px: str, left: str, why: Why | None) -> None:
    slots = _live(WANTED) | {BID: _slot(Rung(D(px), D(left)))}
    assert [s.why for s in _diff(WANTED, slots)] == ([] if why is None else [why])


def test_too_little_left_to_fair_is_a_retreat_within_every_tolerance() -> None:
    wide = Tolerance(half_bps=D(40), keep_bps=D(4), width_bps=D(0), grow=D(1), rich=False, sz_decimals=2)
    desired = {BID: Rung(D("99.95"), D("0.50"))}
    near = {BID: _slot(Rung(D("99.97"), D("0.50")))}
    assert [s.why for s in _diff(desired, near, t=wide)] == [Why.RETREAT]
    assert _diff(desired, {BID: _slot(Rung(D("99.955"), D("0.50")))}, t=wide) == []


def test_what_is_not_desired_goes_first_the_outermost_rung_before_the_others() -> None:
    slots = _live(WANTED) | {(Side.BUY, level): _slot(Rung(D("99.8"), D("0.5"))) for level in (1, 2)}
    slots[BID] = _slot(Rung(D("99.96"), D("0.50")))
    steps = _diff(WANTED, slots)
    assert [(s.why, s.key[1]) for s in steps] == [(Why.RISK, 2), (Why.RISK, 1), (Why.RETREAT, 0)]


@pytest.mark.parametrize("state", [SlotState.PLACING, SlotState.CANCELLING, SlotState.UNKNOWN])
def test_nothing_is_done_about_a_key_whose_order_is_not_known(state: SlotState) -> None:
    for desired in (WANTED, {}):
        slots = {key: _slot(rung, state) for key, rung in WANTED.items()}
        assert _diff(desired, slots) == []


def test_patience_holds_improvements_back_and_no_retreat() -> None:
    far, near = Rung(D("99.80"), D("0.50")), Rung(D("99.97"), D("0.50"))
    assert _diff({BID: WANTED[BID]}, {BID: _slot(far)}, may_improve={BID: False}) == []
    assert len(_diff({BID: WANTED[BID]}, {BID: _slot(near)}, may_improve={BID: False})) == 1
    assert _diff({BID: WANTED[BID]}, {}, may_place={BID: False}) == []


def test_a_quote_that_rests_whole_is_moved_where_it_may_be_and_what_goes_away_goes_first() -> None:
    ask = (Side.SELL, 0)
    off = {BID: _slot(Rung(D("99.96"), D("0.50")), whole=True), ask: _slot(Rung(D("100.30"), D("0.50")), whole=True)}
    both = {BID: True, ask: True}
    steps = _diff(WANTED, off, may_move=both)
    assert [(s.key, s.why, s.rung) for s in steps] == [
        (BID, Why.RETREAT, WANTED[BID]), (ask, Why.IMPROVE, WANTED[ask]),
    ]  # fmt: skip
    assert all(s.moves for s in steps)
    assert not any(s.moves for s in _diff(WANTED, off))
    assert not any(s.moves for s in _diff(WANTED, off, may_move=both, may_place={BID: False, ask: False}))
    touched = {key: _slot(Rung(slot.px, slot.left)) for key, slot in off.items()}
    assert not any(s.moves for s in _diff(WANTED, touched, may_move=both))


def test_what_is_not_desired_or_too_large_is_cancelled_and_never_moved() -> None:
    large = {BID: _slot(Rung(D("99.94"), D("0.60")), whole=True)}
    for desired in ({}, {BID: WANTED[BID]}):
        (step,) = _diff(desired, large, may_move={BID: True})
        assert (step.why, step.moves) == (Why.RISK, False)


def test_a_quote_that_is_being_moved_is_left_alone_while_it_is_desired() -> None:
    slots = {BID: _slot(Rung(D("99.97"), D("0.50")), SlotState.MOVING)}
    assert _diff({BID: WANTED[BID]}, slots, may_move={BID: True}) == []
    assert [s.why for s in _diff({}, slots)] == [Why.RISK]


KEYS = st.sampled_from([(side, level) for side in Side for level in range(3)])
RUNGS = st.builds(
    lambda key, off, sz: (key, Rung(Decimal(100) - key[0].sign * Decimal(off) / 1000, Decimal(sz) / 100)),
    KEYS, st.integers(20, 500), st.integers(12, 90),
)  # fmt: skip
LADDERS = st.lists(RUNGS, max_size=6).map(dict)


@given(
    desired=LADDERS, live=LADDERS, states=st.lists(st.sampled_from(SlotState), min_size=6, max_size=6),
    moves=st.dictionaries(KEYS, st.booleans()),
)  # fmt: skip
def test_its_result_leaves_nothing_to_do_and_no_key_gets_a_second_order(
    desired: Ladder, live: Ladder, states: list[SlotState], moves: dict[Key, bool]
) -> None:
    slots = {key: _slot(rung, state, whole=True) for (key, rung), state in zip(live.items(), states, strict=False)}
    first = _diff(desired, slots, may_move=moves)
    shuffled = _diff(dict(reversed(desired.items())), dict(reversed(slots.items())), may_move=moves)
    assert first == shuffled
    for step in first:
        if step.rung is None:
            del slots[step.key]  # proved gone
        else:
            assert step.moves is (step.key in slots)
            slots[step.key] = _slot(step.rung)
    for step in _diff(desired, slots):  # what was cancelled is placed anew, and that is all
        assert step.rung is not None
        slots[step.key] = _slot(step.rung)
    assert _diff(desired, slots) == []
