"""RiskMonitor's five triggers and the latch that only a person resets."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from hip3.core.ledger import OrderChanged, OrderFinished, RoundTrip
from hip3.core.order_state import OrderState
from hip3.risk import hard_stop
from hip3.risk.hard_stop import HardStopLatch, LatchState, Reset, read_latch
from hip3.risk.monitor import HOUR_MS, FlattenFailed, RiskLimits, RiskMonitor
from tests.builders import COIN, D, exit_order, order

LIMITS = RiskLimits(
    max_loss_usd=D(20), max_consecutive_losses=5, max_flatten_failures=3, max_rejects_per_hour=10,
    max_slippage_bps=D(50), slippage_streak=3,
)  # fmt: skip


def _trip(net: str) -> RoundTrip:
    return RoundTrip(coin=COIN, opened_ms=0, closed_ms=1, realized=D(net), fees=D(0), entry_px=D(1), exit_px=D(1))


def _changed(after: OrderState, why: str = "", **kw: Any) -> OrderChanged:
    base: dict[str, Any] = {"order": order(), "before": OrderState.SENT, "executed": D(0), "avg_px": D(0)}
    return OrderChanged(after=after, why=why, **(base | kw))


def _codes(monitor: RiskMonitor, events: list[Any], every_ms: int = 0) -> list[str | None]:
    out = []
    for number, event in enumerate(events):
        breach = monitor.apply(event, number * every_ms)
        out.append(None if breach is None else breach.code)
    return out


def test_loss_is_more_than_the_limit_and_gains_count_against_it() -> None:
    monitor = RiskMonitor(LIMITS)
    assert _codes(monitor, [_trip("-12"), _trip("4"), _trip("-12"), _trip("-0.01")]) == [None, None, None, "max_loss"]


def test_losses_in_a_row_and_what_ends_the_run() -> None:
    losses = [_trip("-0.1")] * 5
    assert _codes(RiskMonitor(LIMITS), [*losses, _trip("0"), *losses]) == [None] * 11
    assert _codes(RiskMonitor(LIMITS), [*losses, _trip("-0.1")])[-1] == "consecutive_losses"


def test_flatten_failures_of_one_position() -> None:
    assert _codes(RiskMonitor(LIMITS), [FlattenFailed(COIN, n) for n in (1, 2, 3, 4)])[-1] == "flatten_failures"


def test_refusals_within_any_rolling_hour() -> None:
    refused = [_changed(OrderState.REJECTED, "Insufficient margin to place order. asset=5")] * 11
    assert _codes(RiskMonitor(LIMITS), refused, HOUR_MS // 11)[-1] == "rejects"
    assert _codes(RiskMonitor(LIMITS), refused * 3, HOUR_MS // 10) == [None] * 33


@pytest.mark.parametrize(
    "text",
    [
        "Order could not immediately match against any resting orders. asset=5",
        "Reduce only order would increase position. asset=5",
        "Order must have minimum value of $10. asset=5",
        "Post only order would have immediately matched, bbo was 1@2. asset=5",
        "iocCancelRejected",
    ],
)
def test_expected_refusals_never_count(text: str) -> None:
    assert set(_codes(RiskMonitor(LIMITS), [_changed(OrderState.REJECTED, text)] * 50)) == {None}


def test_slippage_in_three_finished_orders_in_a_row_adverse_only() -> None:
    def filled(avg: str, o: Any = None) -> OrderFinished:
        return OrderFinished(executed=D("0.012"), avg_px=D(avg), order=o or order())

    bad, better, exit_bad = filled("4021"), filled("3900"), filled("3979", exit_order())
    assert _codes(RiskMonitor(LIMITS), [bad, exit_bad, better, bad, bad]) == [None] * 5
    assert _codes(RiskMonitor(LIMITS), [bad, exit_bad, bad])[-1] == "slippage"
    assert _codes(RiskMonitor(LIMITS), [filled("4020")] * 3) == [None] * 3  # exactly 50 bps is not more


def test_the_latch_keeps_its_first_reason_and_survives(tmp_path: Path) -> None:
    path = tmp_path / "latch.json"
    latch = HardStopLatch(path)
    assert not latch.tripped
    assert latch.trip("max_loss", "21 USD", 5, {"net_usd": "-21"})
    assert not latch.trip("rejects", "later", 6)
    for _ in range(100):
        again = HardStopLatch(path).state()
        assert (again.tripped, again.reason, again.at_ms) == (True, "max_loss: 21 USD", 5)
        assert again.evidence == {"net_usd": "-21"}


@pytest.mark.parametrize("content", ["", "{", "garbage", '{"tripped": "perhaps"}', "[]", "\x00" * 50])
def test_a_damaged_latch_counts_as_tripped(tmp_path: Path, content: str) -> None:
    path = tmp_path / "latch.json"
    path.write_text(content)
    state = HardStopLatch(path).state()
    assert state.tripped
    assert state.reason is not None
    assert state.reason.startswith("latch_unreadable")


def test_an_unreadable_latch_counts_as_tripped(tmp_path: Path) -> None:
    path = tmp_path / "latch.json"
    path.mkdir()
    assert read_latch(path).tripped


def test_reset_needs_a_reason_and_is_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from hip3.commands.latch import reset, show
    from hip3.errors import ConfigError

    folder = tmp_path / "embedded-0x12345678"
    folder.mkdir()
    HardStopLatch(folder / "latch.json").trip("max_loss", "21 USD", 5)
    with pytest.raises(ConfigError):
        reset(tmp_path, "  ")
    assert read_latch(folder / "latch.json").tripped
    assert show(tmp_path) == 0
    assert "tripped since 1970-01-01 00:00:00 UTC: max_loss: 21 USD" in capsys.readouterr().out
    assert reset(tmp_path, "looked at it") == [(folder.name, "max_loss: 21 USD")]
    assert not read_latch(folder / "latch.json").tripped
    record = json.loads((folder / "latch_resets.jsonl").read_text())
    assert (record["reason"], record["was"]) == ("looked at it", "max_loss: 21 USD")
    assert record["user"]
    capsys.readouterr()
    assert show(tmp_path) == 0
    assert f"by {record['user']}: looked at it (was: max_loss: 21 USD)" in capsys.readouterr().out, "its history"


def test_a_write_that_is_held_up_undoes_no_reset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads wrote at once, by one temporary file: one said that it had failed, or the older state came last."""
    path = tmp_path / "latch.json"
    latch = HardStopLatch(path)
    honest, begun, go_on = hard_stop.write_latch, threading.Event(), threading.Event()

    def full(at: Path, state: LatchState) -> None:
        raise OSError(28, "No space left on device")

    def held_up(at: Path, state: LatchState) -> None:
        begun.set()
        assert go_on.wait(10)
        honest(at, state)

    monkeypatch.setattr(hard_stop, "write_latch", full)
    latch.trip("manual", "a test", 1)
    assert latch.persist() != ""
    monkeypatch.setattr(hard_stop, "write_latch", held_up)
    said: list[str] = []
    main = threading.Thread(target=lambda: said.append(latch.persist()))
    main.start()
    assert begun.wait(10)
    monkeypatch.setattr(hard_stop, "write_latch", honest)
    risk = threading.Thread(target=lambda: latch.reset(Reset(at_ms=2, user="me", reason="looked", was="manual")))
    risk.start()
    go_on.set()
    for thread in (main, risk):
        thread.join(10)
    assert said == [""]
    assert not latch.tripped
    assert not read_latch(path).tripped
    assert latch.persist() == ""
