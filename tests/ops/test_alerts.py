"""What is alerted of and when: the table, the Judge over facts, and what the Desk keeps back. Pure."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip3.ops.alert_records import RECORDS
from hip3.ops.alerts import DAY_MS, KINDS, Alert, AlertLimits, Desk, Facts, Judge, Unknown, message

FINE = Facts(state="READY", found="READY: flat", disk_percent=50, budget=(0, 10_000), clock_offset_ms=0)
FILL = SimpleNamespace(sz=1, coin="xyz:GOLD", px=2, tid=3)
SAMPLES: dict[str, tuple[dict[str, Any], str]] = {
    "exit_stuck": ({"coin": "xyz:GOLD", "failures": 6, "reason": "no match"}, "exit_stuck"),
    "adopted": ({"coin": "xyz:GOLD", "ours": 1, "theirs": 2}, "mismatch"),
    "orders_differ": ({"cloid": "0x1", "oid": 5, "status": "gone"}, "mismatch"),
    "gap_accepted": ({"coin": "xyz:GOLD"}, "mismatch"),
    "storm": ({"unknown": 40}, "mismatch"),
    "second_instance": ({"cloid": "0x1", "coin": "xyz:GOLD", "oid": 5}, "second_instance"),
    "forced_fill": ({"fill": FILL, "effect": "liquidation"}, "forced_fill"),
    "market_blocked": ({"coin": "xyz:GOLD", "why": "delisted"}, "market_blocked"),
    "market_gate": ({"coin": "xyz:GOLD", "gate": "unbelievable", "why": "the oracle leapt"}, "market_blocked"),
    "leverage_refused": ({"coin": "xyz:GOLD", "text": "Invalid leverage value"}, "market_blocked"),
    "margin_differs": ({"coin": "xyz:GOLD", "leverage": 20}, "market_blocked"),
    "orphan": ({"coin": "xyz:GOLD", "why": "not configured any more"}, "orphan"),
    "stop_nearer": (
        {"coin": "xyz:GOLD", "wished_bps": 500, "bps": 233.1, "liquidation_px": "3900"},
        "protection",
    ),
    "mode_changed": ({"was": "standard", "now": "unified"}, "account_mode"),
    "journal_set_aside": ({"path": "x"}, "journal"),
    "halted": ({"coin": "xyz:GOLD", "why": "Trading is halted."}, "market_blocked"),
    "stream_dead": ({"coin": "xyz:GOLD", "why": "its quotes stood still"}, "market_blocked"),
    "hard_stop": ({"step": "verify", "outcome": "done: flat, no open orders"}, "hard_stop"),
    "quote_stuck": ({"coin": "xyz:GOLD", "cloid": "0x686970330000"}, "quotes"),
    "quotes_not_moved": ({"coin": "xyz:GOLD", "why": "Attempted to modify to invalid new order"}, "quotes"),
    "quotes_off": ({"coin": "xyz:GOLD", "why": "there is too little free margin"}, "quotes"),
    "recording_lost": ({"why": "less than 2.0 GiB are free"}, "recording"),
    "stop": ({"mode": "cancel", "clean": True, "proof": "flat", "bare": ()}, "stop"),
}
"""Record -> its fields as they are written, and the alert's kind."""


def _judge(**limits: int) -> Judge:
    judge = Judge(AlertLimits(**({"unknown_ms": 30_000, "not_ready_ms": 60_000} | limits)))
    assert [a.kind for a in judge.look(FINE, 0)] == ["start"]
    return judge


def _with(**changes: Any) -> Facts:
    return msgspec.structs.replace(FINE, **changes)


def _kinds(alerts: list[Alert]) -> list[tuple[str, bool]]:
    return [(a.kind, a.over) for a in alerts]


def test_every_record_of_the_table_is_an_alert_of_a_known_kind() -> None:
    assert set(SAMPLES) == set(RECORDS)
    for record, (fields, kind) in SAMPLES.items():
        alert = RECORDS[record](fields)
        assert alert is not None
        assert alert.kind == kind
        assert alert.text


def test_a_stop_that_left_something_open_is_a_page() -> None:
    alert = RECORDS["stop"]({"mode": "flatten", "clean": False, "proof": "positions xyz:GOLD 1"})
    assert alert is not None
    assert (alert.kind, alert.level) == ("stop_open", "page")
    assert "xyz:GOLD 1" in alert.text


def test_a_stop_that_leaves_a_position_without_a_stop_is_a_warning() -> None:
    alert = RECORDS["stop"]({"mode": "cancel", "clean": True, "proof": "positions xyz:GOLD 1", "bare": ("xyz:GOLD",)})
    assert alert is not None
    assert (alert.kind, alert.level) == ("stop_bare", "warn")


def test_of_a_hard_stop_s_steps_the_proof_is_told_and_a_page_if_something_is_open() -> None:
    told = RECORDS["hard_stop"]
    assert told({"step": "purge", "outcome": "done"}) is None
    assert told({"step": "flatten", "outcome": "closing xyz:GOLD"}) is None
    open_, unproved = (told({"step": "verify", "outcome": o}) for o in ("xyz:GOLD is held", "not proved: no answer"))
    assert open_ is not None
    assert unproved is not None
    assert [a.level for a in (open_, unproved)] == ["page", "page"]
    assert "xyz:GOLD is held" in open_.text


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        (_with(latch="max_loss: 21 USD", latch_at_ms=5, state="HARD_STOP"), "latch"),
        (_with(unknown=(Unknown("0x1", "xyz:GOLD", 30_001),)), "unknown_order"),
        (_with(budget=(8_001, 10_000)), "address_budget"),
        (_with(disk_percent=9), "disk"),
        (_with(agent_left_ms=7 * DAY_MS - 1), "agent"),
        (_with(agent_left_ms=-1), "agent"),
        (_with(clock_offset_ms=-2001), "clock"),
        (_with(dead=("control",)), "thread"),
    ],
)
def test_each_condition_begins_holds_and_is_over(facts: Facts, kind: str) -> None:
    judge = _judge()
    assert _kinds(judge.look(facts, 1000)) == [(kind, False)]
    assert _kinds(judge.look(facts, 2000)) == [(kind, False)]  # the Desk keeps it back
    assert _kinds(judge.look(FINE, 3000)) == [(kind, True)]
    assert judge.look(FINE, 4000) == []


@pytest.mark.parametrize(
    "facts",
    [
        _with(unknown=(Unknown("0x1", "xyz:GOLD", 30_000),)),
        _with(budget=(8_000, 10_000)),
        _with(disk_percent=10),
        _with(agent_left_ms=7 * DAY_MS),
        _with(agent_left_ms=None, budget=None, disk_percent=None, clock_offset_ms=None),
        _with(clock_offset_ms=2000),
    ],
)
def test_at_the_limit_nothing_is_told(facts: Facts) -> None:
    assert _judge().look(facts, 1000) == []


def test_ready_lost_is_told_after_the_limit_and_each_loss_anew() -> None:
    judge, lost = _judge(), _with(state="NOT_READY", reasons=("connecting",))
    assert judge.look(lost, 1000) == []
    assert judge.look(lost, 61_000) == []
    (alert,) = judge.look(lost, 61_001)
    assert (alert.kind, alert.over) == ("not_ready", False)
    assert "connecting" in alert.text
    assert _kinds(judge.look(FINE, 62_000)) == [("not_ready", True)]
    assert judge.look(lost, 63_000) == []
    (again,) = judge.look(lost, 130_000)
    assert again.key != alert.key


def test_a_pause_that_somebody_asked_for_is_no_page_unless_more_is_wrong() -> None:
    judge = _judge()
    paused = _with(state="REDUCING", reasons=("paused by the operator",), paused=True)
    judge.look(paused, 0)
    (alert,) = judge.look(paused, 61_000)
    assert (alert.kind, alert.level) == ("paused", "warn")
    worse = msgspec.structs.replace(paused, state="NOT_READY", reasons=("connecting", "paused by the operator"))
    assert _kinds(judge.look(worse, 62_000)) == [("not_ready", False), ("paused", True)]


def test_zero_turns_the_two_limits_off() -> None:
    judge = _judge(unknown_ms=0, not_ready_ms=0)
    facts = _with(state="NOT_READY", unknown=(Unknown("0x1", "x", 10**9),))
    assert judge.look(facts, 0) == []
    assert judge.look(facts, 10**9) == []


def test_a_start_is_told_once_with_what_it_found_or_late_without() -> None:
    judge = Judge(AlertLimits(1, 60_000))
    waiting = _with(found=None, state="NOT_READY", reasons=("connecting",), uptime_ms=9_999)
    assert judge.look(waiting, 0) == []
    (alert,) = judge.look(msgspec.structs.replace(waiting, uptime_ms=10_000), 1)
    assert alert.kind == "start"
    assert "connecting" in alert.text
    assert judge.look(FINE, 2) == []
    (proved,) = Judge(AlertLimits(1, 1)).look(_with(found="READY: flat, 0 open orders"), 0)
    assert "flat, 0 open orders" in proved.text


def test_a_latch_that_is_set_again_is_told_again() -> None:
    judge, desk = _judge(), Desk()
    first = _with(state="HARD_STOP", latch="manual: x", latch_at_ms=1)
    assert [a for a in judge.look(first, 0) if desk.due(a, 0)]
    assert not [a for a in judge.look(first, 10) if desk.due(a, 10)]
    second = msgspec.structs.replace(first, latch_at_ms=2)
    assert [a.over for a in judge.look(second, 20) if desk.due(a, 20)] == [False, True]


@given(
    st.lists(st.tuples(st.sampled_from(["mismatch", "latch"]), st.integers(0, 3), st.integers(0, 600_000)), max_size=60)
)
def test_the_same_is_never_told_twice_within_its_interval(steps: list[tuple[str, int, int]]) -> None:
    desk, now, told = Desk(), 0, dict[str, int]()
    for kind, subject, wait in steps:
        now += wait
        alert = Alert(kind=kind, subject=str(subject), text="x")
        last = told.get(alert.key)
        due = desk.due(alert, now) is not None
        assert due == (last is None or now - last >= KINDS[kind].repeat_ms)
        if due:
            told[alert.key] = now


def test_an_end_is_told_only_of_what_was_told_and_once() -> None:
    desk, alert = Desk(), Alert(kind="disk", text="9 %")
    over = msgspec.structs.replace(alert, over=True)
    assert desk.due(over, 0) is None
    assert desk.due(alert, 0) is not None
    assert desk.due(over, 1) is not None
    assert desk.due(over, 2) is None
    assert desk.due(alert, 3) is None  # it flaps: kept back
    assert desk.due(over, 4) is None


def test_the_desk_does_not_grow_without_end() -> None:
    desk = Desk()
    for number in range(5000):
        desk.due(Alert(kind="mismatch", subject=str(number), text="x"), number)
    assert len(desk._sent) <= 1000
    assert desk.due(Alert(kind="mismatch", subject="4999", text="x"), 5000) is None


def test_a_message_names_level_kind_and_runbook_and_no_secret() -> None:
    text = message(Alert(kind="latch", text="a SECRET b"), "mainnet", "now", lambda t: t.replace("SECRET", "***"))
    assert text.title == "hip3 page: latch"
    assert "a *** b" in text.body
    assert "docs/runbook.md, latch" in text.body


def test_what_begins_anew_after_its_end_was_told_is_told_again() -> None:
    """A disk went from 9 % to 10 % and on to nothing, and the last word for six hours was that it was over."""
    desk, alert = Desk(), Alert(kind="disk", text="9 %")
    over = msgspec.structs.replace(alert, over=True)
    assert desk.due(alert, 0) is not None
    assert desk.due(over, 60_000) is not None
    assert desk.due(alert, 70_000) is None  # it flaps
    assert desk.due(alert, 121_000) is not None
    assert desk.due(alert, 180_000) is None
    assert desk.due(over, 200_000) is not None
