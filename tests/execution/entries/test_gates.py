"""The gates one by one, and the executor's way through them."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from hip3.core.decisions import Rejected, RejectReason, Skipped, SkipReason
from hip3.core.ledger import LedgerView
from hip3.core.orders import Side
from hip3.execution.entries.gates import GATES, LEDGER_GATES, Entry, run
from tests.builders import COIN, D

ORDER = (
    "HardStop", "READY-TRADING", "MaxPositionPerMarket", "MaxPositionTotal", "MaxConcurrentPositions",
    "FlattenInProgress", "has_position", "PendingOrder", "ActionBudget",
)  # fmt: skip


def _ledger(**kw: Any) -> LedgerView:
    base: dict[str, Any] = {"positions": {}, "held": {}, "entries": {}, "reducing": frozenset(), "foreign": {}}
    asked = base | kw
    buys = {
        c: asked["entries"].get(c, D(0)) + asked["foreign"].get(c, D(0)) for c in asked["entries"] | asked["foreign"]
    }
    return LedgerView(**({"buys": buys} | asked))


def _entry(**kw: Any) -> Entry:
    base: dict[str, Any] = {
        "coin": COIN, "side": Side.BUY, "size": D("0.012"), "limit_px": D(4000), "sz_decimals": 4, "hard_stop": None, "not_ready": (),
        "blocked": None, "marks": {COIN: D(4000), "xyz:TSLA": D(400)}, "ledger": _ledger(), "exiting": False,
        "max_per_market": D(50), "max_total": D(100), "max_positions": 5,
    }  # fmt: skip
    return Entry(**(base | kw))


def _run(**kw: Any) -> tuple[str | None, Decimal]:
    refusal, entry = run(GATES, _entry(**kw))
    return (None if refusal is None else refusal.gate), entry.size


def test_the_order_is_the_documented_one() -> None:
    assert tuple(g.name for g in GATES) == ORDER
    assert [g.number for g in GATES] == list(range(1, 10))


@pytest.mark.parametrize(
    ("gate", "facts"),
    [
        ("HardStop", {"hard_stop": "max_loss: 21"}),
        ("READY-TRADING", {"not_ready": ("connecting",)}),
        ("MaxPositionPerMarket", {"marks": {}}),
        ("MaxPositionPerMarket", {"ledger": None}),
        ("MaxPositionPerMarket", {"blocked": "tick_size_unknown"}),
        ("MaxPositionPerMarket", {"ledger": _ledger(positions={COIN: D("0.01")})}),
        ("MaxPositionPerMarket", {"side": Side.SELL, "ledger": _ledger(positions={COIN: D("-0.01")})}),
        ("has_position", {"ledger": _ledger(positions={COIN: D("-0.01")})}),  # a buy makes it smaller
        ("PendingOrder", {"side": Side.SELL, "ledger": _ledger(entries={COIN: D(45)})}),  # only one of both adds up
        ("MaxPositionPerMarket", {"ledger": _ledger(entries={COIN: D(45)})}),
        ("MaxPositionPerMarket", {"ledger": _ledger(foreign={COIN: D(45)})}),
        ("MaxPositionTotal", {"ledger": _ledger(positions={"xyz:TSLA": D("0.23")})}),
        ("MaxPositionTotal", {"ledger": _ledger(positions={"xyz:NVDA": D("0.1")})}),  # its mark is missing
        ("MaxConcurrentPositions", {"max_positions": 1, "ledger": _ledger(entries={"xyz:TSLA": D(11)})}),
        ("MaxConcurrentPositions", {"max_positions": 1, "ledger": _ledger(reducing=frozenset({"xyz:TSLA"}))}),
        ("FlattenInProgress", {"exiting": True}),
        ("FlattenInProgress", {"ledger": _ledger(reducing=frozenset({COIN}))}),
        ("has_position", {"ledger": _ledger(positions={COIN: D("0.001")})}),
        ("PendingOrder", {"ledger": _ledger(entries={COIN: D(11)})}),
        (None, {}),
    ],
)
def test_each_gate_refuses_what_it_is_for(gate: str | None, facts: dict[str, Any]) -> None:
    assert _run(**facts)[0] == gate


def test_a_missing_input_is_market_data_unavailable_and_never_a_pass() -> None:
    for facts in ({"marks": {}}, {"ledger": None}, {"ledger": _ledger(positions={"xyz:NVDA": D(1)})}):
        refusal, _ = run(GATES, _entry(**facts))
        assert isinstance(refusal, Rejected)
        assert refusal.reason is RejectReason.MARKET_DATA_UNAVAILABLE
        assert refusal.numbers


def test_the_size_is_cut_to_what_is_left_and_below_eleven_dollars_is_a_refusal() -> None:
    assert _run(size=D("0.02"))[1] == D("0.0125")
    gate, size = _run(ledger=_ledger(positions={"xyz:TSLA": D("0.2")}), size=D("0.0125"))
    assert (gate, size) == (None, D("0.005"))
    assert _run(ledger=_ledger(entries={COIN: D("37.9")}))[0] == "PendingOrder"
    assert _run(ledger=_ledger(entries={COIN: D("39.1")}))[0] == "MaxPositionPerMarket"


def test_an_entry_counts_at_the_larger_of_limit_and_mark() -> None:
    assert _run(size=D("0.02"), marks={COIN: D(5000)})[1] == D("0.01")
    assert _run(size=D("0.02"), marks={COIN: D(3000)})[1] == D("0.0125")


def test_a_position_counts_at_the_larger_of_mark_and_admission() -> None:
    lost = _ledger(positions={"xyz:TSLA": D("0.2")}, held={"xyz:TSLA": D(88)})  # its mark says 80
    assert _run(ledger=lost, size=D("0.0125"))[1] == D("0.003")
    assert _run(ledger=_ledger(positions={"xyz:TSLA": D("0.2")}, held={"xyz:TSLA": D(70)}))[1] == D("0.005")


def test_refusals_carry_the_numbers_that_decided() -> None:
    refusal, _ = run(LEDGER_GATES, _entry(ledger=_ledger(entries={COIN: D(45)})))
    assert isinstance(refusal, Rejected)
    assert dict(refusal.numbers) == {"used_usd": "45.00", "limit_usd": "50", "wanted_usd": "48.00"}
    refusal, _ = run(LEDGER_GATES, _entry(exiting=True))
    assert refusal == Skipped(SkipReason.FLATTEN_IN_PROGRESS, "FlattenInProgress")


def test_the_first_refusal_wins() -> None:
    entry = msgspec.structs.replace(_entry(), hard_stop="x", not_ready=("y",), marks={})
    refusal, _ = run(GATES, entry)
    assert refusal is not None
    assert refusal.gate == "HardStop"
