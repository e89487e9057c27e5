"""Risk that holds: counters over restarts, resets, the day's limits, the trial, and what a tripped latch does."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hip3.core.orders import ExitReason, Side
from hip3.risk.drawdown import DAY_MS, Drawdown, DrawdownLimits
from hip3.risk.hard_stop import HardStopLatch, LatchState, Reset, read_latch, write_latch
from hip3.risk.monitor import TRIGGERS
from hip3.service.control_requests import handle
from tests.risk.test_guards import trip
from tests.risk.test_market_gates import Feed, ready
from tests.world import World, quiet_world

D = Decimal
GOLD = "xyz:GOLD"


def _lose(world: World, usd: int) -> None:
    """A position is opened and closed by hand with about so much loss: the price moves between."""
    world.by_hand(GOLD, Side.BUY, D("0.1"))
    world.run(500)
    market = world.venue.engine.markets[GOLD]
    world.venue.move(GOLD, market.oracle - usd * 10, world.exchange_ms())
    world.run(1000)
    world.by_hand(GOLD, Side.SELL, D("0.1"), reduce_only=True)
    world.run(500)


def _reset(world: World, reason: str = "looked at it") -> None:
    """`latch reset`, as the command does it."""
    path = world.folder / "latch.json"
    was = read_latch(path).reason or ""
    write_latch(path, LatchState(False, reset=Reset(at_ms=world.clock.wall_ms(), user="me", reason=reason, was=was)))


# Counters over restarts.


def test_losses_count_over_restarts_and_the_latch_stays(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, hard_stop_max_loss_usd=D(20), on_disk=True, max_notional_per_market=D(1000))
    _lose(world, 12)
    world.restart()
    assert world.run_until(lambda: world.ready, 5000)
    assert not world.latch.tripped
    _lose(world, 12)
    assert (world.latch.state().reason or "").startswith("max_loss")
    for _ in range(20):
        world.restart()
        world.run(200)
        assert (world.latch.state().reason or "").startswith("max_loss")


def test_a_round_trip_that_ended_while_nobody_ran_counts_before_ready(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, hard_stop_max_loss_usd=D(5), on_disk=True)
    world.by_hand(GOLD, Side.BUY, D("0.1"))
    world.run(500)
    world.cut()
    world.venue.move(GOLD, world.venue.engine.markets[GOLD].oracle - 100, world.exchange_ms())
    world.by_hand(GOLD, Side.SELL, D("0.1"), reduce_only=True)
    world.restart()
    assert world.latch.tripped
    assert (world.latch.state().reason or "").startswith("max_loss")


def test_killed_between_breach_and_write_it_trips_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = quiet_world(tmp_path, hard_stop_max_loss_usd=D(5), on_disk=True)
    monkeypatch.setattr(world.latch, "persist", lambda: "killed before")
    _lose(world, 12)
    assert world.latch.tripped
    assert not read_latch(tmp_path / "latch.json").tripped
    world.restart()
    assert (world.latch.state().reason or "").startswith("max_loss")


def test_a_reset_makes_the_tripped_counter_begin_anew_and_no_other(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, hard_stop_max_loss_usd=D(5), hard_stop_max_consecutive_losses=2, on_disk=True)
    _lose(world, 12)
    assert world.latch.tripped
    _reset(world)
    world.restart()
    assert not world.latch.tripped
    assert world.trading.risk.monitor.net_usd == 0
    assert world.trading.risk.monitor.losing_run == 1
    world.restart()
    assert not world.latch.tripped  # the reset is acted on once, and stays
    assert world.run_until(lambda: world.ready, 5000)
    _lose(world, 12)
    assert (world.latch.state().reason or "").startswith("max_loss")


def _reset_live(world: World) -> dict[str, Any]:
    """`latch reset` beside the running service."""
    asked = handle(world.running, {"command": "latch-reset", "reason": "looked at it", "user": "me", "account": None})
    assert callable(asked)
    world.run(200)
    answer = asked()
    assert answer is not None
    return answer


def test_a_reset_beside_the_running_service_leads_back_to_ready(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, hard_stop_max_loss_usd=D(5), hard_stop_max_consecutive_losses=2, on_disk=True)
    _lose(world, 12)
    assert world.latch.tripped
    assert "entries again" in _reset_live(world)["told"]
    assert not read_latch(tmp_path / "latch.json").tripped
    assert world.ready
    assert world.trading.risk.monitor.net_usd == 0
    assert world.trading.risk.monitor.losing_run == 1
    world.restart()
    assert not world.latch.tripped  # acted on once
    assert world.trading.risk.monitor.losing_run == 1


def test_a_reset_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, hard_stop_max_loss_usd=D(5), on_disk=True)
    _lose(world, 12)
    (tmp_path / "latch.new").mkdir()
    assert "stays tripped" in _reset_live(world)["error"]
    assert world.latch.tripped


def test_a_reset_with_another_counter_over_its_limit_trips_again_at_once(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, hard_stop_max_loss_usd=D(5), hard_stop_max_consecutive_losses=1, on_disk=True)
    _lose(world, 12)
    _lose(world, 12)
    assert "tripped again at once: consecutive_losses" in _reset_live(world)["told"]
    assert world.latch.tripped


def test_what_was_lost_before_a_reset_does_not_count_even_without_the_journal(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, hard_stop_max_loss_usd=D(5), on_disk=True)
    _lose(world, 12)
    _reset(world)

    def lose_it() -> None:
        for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)

    world.restart(lose_it)
    assert not world.latch.tripped
    world.restart()
    assert not world.latch.tripped


def test_refusals_and_slippage_count_over_restarts(tmp_path: Path) -> None:
    from tests.stories.test_wiring import _refusals

    world = World(tmp_path, seed=1, on_disk=True, hard_stop_max_rejects_per_hour=20)
    with pytest.raises(AssertionError):
        _refusals(world)  # 11 of 20
    assert len(world.trading.risk.monitor.rejects) == 11
    world.restart()
    assert len(world.trading.risk.monitor.rejects) == 11
    world.clock.advance(3_600_001)
    world.restart()
    assert len(world.trading.risk.monitor.rejects) == 0


def test_no_trigger_is_forgotten_by_a_reset(tmp_path: Path) -> None:
    """Every counter can begin anew: a code without its line would trip again at every start."""
    from hip3.core.ledger import OrderFinished
    from hip3.core.order_state import OrderState
    from hip3.risk.monitor import RiskMonitor
    from tests.builders import order
    from tests.risk.test_monitor_and_latch import LIMITS, _changed, _trip

    monitor = RiskMonitor(LIMITS)
    refused = _changed(OrderState.REJECTED, "new text")
    for event in [
        *[_trip("-5")] * 6,
        *[refused] * 11,
        *[OrderFinished(executed=D(1), avg_px=D(5000), order=order())] * 3,
    ]:
        monitor.apply(event, 1)
    for code in ("max_loss", "consecutive_losses", "rejects", "slippage"):
        breach = monitor.judge(2)
        assert breach is not None
        assert breach.code == code
        monitor.begin_anew(code)
    assert monitor.judge(2) is None
    assert {"max_loss", "consecutive_losses", "rejects", "slippage", "flatten_failures"} == set(TRIGGERS)


# The latch.


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"tripped": fal', b"garbage", b"\x00" * 20])
def test_a_latch_file_that_says_nothing_beside_a_journal_is_tripped(tmp_path: Path, content: bytes | None) -> None:
    world = World(tmp_path, seed=1, on_disk=True)
    path = tmp_path / "latch.json"
    assert not read_latch(path).tripped
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    world.restart()
    assert (world.latch.state().reason or "").startswith("latch_unreadable")
    world.restart()
    assert world.latch.tripped


def test_a_latch_that_cannot_be_written_is_tripped(tmp_path: Path) -> None:
    (tmp_path / "latch.new").mkdir()
    latch = HardStopLatch(tmp_path / "latch.json", 5)
    assert (latch.state().reason or "").startswith("latch_unreadable")
    assert latch.persist() != ""
    (tmp_path / "latch.new").rmdir()
    assert latch.persist() == ""
    assert HardStopLatch(tmp_path / "latch.json", 6).tripped


def test_a_thousand_restarts_never_clear_it(tmp_path: Path) -> None:
    HardStopLatch(tmp_path / "latch.json", 1).trip("max_loss", "21 USD", 5, {"net_usd": "-21"})
    for number in range(1000):
        latch = HardStopLatch(tmp_path / "latch.json", 10 + number)
        assert latch.state() == LatchState(True, "max_loss: 21 USD", 5, {"net_usd": "-21"})
        assert not latch.trip("rejects", "later", 20 + number)


# What follows.


def test_the_sequence_runs_to_its_end_and_begins_again_when_something_turns_up(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    world.run(500)
    world.trip("manual", "test", None)
    sequence = world.trading.risk.sequence
    assert sequence is not None
    assert world.run_until(lambda: sequence.verified, 10_000)
    assert world.exchange_positions() == {}
    steps = [(f["step"], f["outcome"].split()[0]) for f in world.journal.of("hard_stop")]
    assert {step for step, _ in steps} == {"purge", "cancel", "flatten", "verify"}
    assert steps[-1] == ("verify", "done:")
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: not sequence.verified, 5000)
    assert world.run_until(lambda: sequence.verified, 10_000)
    assert world.exchange_positions() == {}


def test_without_flatten_positions_stay_and_time_stops_still_close_them(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, hard_stop_flatten=False, time_stop_ms=20_000)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    world.run(500)
    world.trip("manual", "test", None)
    world.run(10_000)
    assert GOLD in world.exchange_positions()
    assert world.trading.risk.sequence is not None
    assert world.trading.risk.sequence.verified
    assert world.run_until(lambda: not world.exchange_positions(), 20_000)
    assert world.journal.of("exit")[0]["order"].exit_reason is ExitReason.TIME_STOP


def test_a_manual_flatten_works_with_the_latch_set(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, hard_stop_flatten=False)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    world.run(500)
    world.trip("manual", "test", None)
    world.trading.exiting.request(ExitReason.MANUAL)
    assert world.run_until(lambda: not world.exchange_positions(), 10_000)


def test_an_exchange_that_cannot_be_read_leaves_the_stop_unverified(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    world.rest.failing |= {"frontendOpenOrders", "clearinghouseState"}
    world.trip("manual", "test", None)
    world.run(12_000)
    assert world.trading.risk.sequence is not None
    assert not world.trading.risk.sequence.verified
    world.rest.failing.clear()
    assert world.run_until(lambda: world.trading.risk.sequence.verified, 10_000)  # type: ignore[union-attr]


def test_it_trips_while_an_entry_is_being_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hip3.execution.sending import loop

    feed = ready(tmp_path)
    world, sign = feed.world, loop.sign_l1_action

    def trips(*args: Any, **kw: Any) -> Any:
        world.latch.trip("manual", "test", 1)
        return sign(*args, **kw)

    monkeypatch.setattr(loop, "sign_l1_action", trips)
    assert feed.refused_by() is None
    world.tick()
    assert world.sender.sent_entries() == []
    assert world.intents.placed == []


# Limits per day.


def test_the_day_s_loss_and_the_fall_from_its_peak() -> None:
    usd = Drawdown(DrawdownLimits(max_daily_loss_usd=D(10)))
    assert usd.look(D(5), None, DAY_MS) is None
    assert usd.look(D(-5), None, DAY_MS + 1) is None
    found = usd.look(D("-5.01"), None, DAY_MS + 2)
    assert found is not None
    assert found.code == "drawdown"
    assert usd.look(D("-5.01"), None, 2 * DAY_MS) is None  # another day
    again = Drawdown(DrawdownLimits(max_daily_loss_usd=D(1)), usd.kept)
    assert again.look(D(-7), None, 2 * DAY_MS + 5) is not None  # a restart goes on
    again.begin_anew("drawdown")
    assert again.look(D(-7), None, 2 * DAY_MS + 6) is None
    share = Drawdown(DrawdownLimits(max_drawdown_pct=D(10)))
    assert share.look(D(0), D(100), DAY_MS) is None
    assert share.look(D(20), D(120), DAY_MS + 1) is None
    assert share.look(D(8), D(108), DAY_MS + 2) is None  # 10 % of 120 is not more
    assert share.look(D("7.9"), D("107.9"), DAY_MS + 3) is not None


def test_open_losses_count_and_the_limit_holds_over_a_restart(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, max_daily_loss_usd=D(5), on_disk=True, hard_stop_flatten=False)
    world.run(1500)
    world.by_hand(GOLD, Side.BUY, D("0.1"))
    world.run(1500)
    world.restart()
    assert world.run_until(lambda: world.ready, 5000)
    world.venue.move(GOLD, world.venue.engine.markets[GOLD].oracle - 100, world.exchange_ms())
    assert world.run_until(lambda: world.latch.tripped, 30_000)
    assert (world.latch.state().reason or "").startswith("drawdown")


def test_a_share_of_an_unknown_equity_stops_entries(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, max_drawdown_pct=D(10))
    world.trading.view.mode = "unknown"
    world.rest.failing.add("userAbstraction")
    world.run(5000)
    assert not world.ready
    assert any("equity" in reason for reason in world.readiness.reasons(world.clock.mono_ms()))


# The trial.


def _micro(tmp_path: Path) -> Feed:
    return ready(tmp_path, profile="micro", order_notional=D(11), max_notional_per_market=D(15),
                 max_notional_total=D(15), hard_stop_max_consecutive_losses=1000)  # fmt: skip


def test_the_trial_ends_after_a_hundred_trades_and_goes_on_counting_over_restarts(tmp_path: Path) -> None:
    feed = _micro(tmp_path)
    world = feed.world
    found = feed.signal()
    assert found is not None
    assert D(11) <= found["signal"].size * found["signal"].touch_px < D(12)
    world.trading.risk._trial.kept = type(world.trading.risk._trial.kept)(orders=60, filled=60)  # type: ignore[union-attr]
    for _ in range(60):
        trip(feed, "0.01")
    world.risk()
    assert not world.latch.tripped
    feed.hear()
    world.restart()
    for _ in range(40):
        trip(feed, "0.01")
    world.risk()
    assert (world.latch.state().reason or "").startswith("manual: the micro trial is over and passed")


@pytest.mark.parametrize(
    ("trades", "net", "orders", "filled", "word"),
    [
        (10, "0.1", 10, 7, "fill rate must be 0.8"),
        (50, "-0.2", 50, 50, "loss no more than 5 USD"),
        (100, "-0.01", 100, 100, "failed"),
    ],
)
def test_a_checkpoint_that_is_not_passed_stops_the_trial(
    tmp_path: Path, trades: int, net: str, orders: int, filled: int, word: str
) -> None:
    feed = _micro(tmp_path)
    world = feed.world
    trial = world.trading.risk._trial
    assert trial is not None
    trial.kept = type(trial.kept)(orders=orders, filled=filled)
    for _ in range(trades - 1):
        trip(feed, net)
    world.risk()
    assert not world.latch.tripped
    trip(feed, net)
    world.risk()
    assert word in (world.latch.state().reason or "")


def test_a_post_s_time_counts_from_when_it_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round that was held up before its send must not make the reply look late (simulate found it)."""
    from hip3.execution.sending import loop

    world, sign = quiet_world(tmp_path), loop.sign_l1_action
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 3000)

    def slow(*args: Any, **kw: Any) -> Any:
        world.clock.advance(6000)
        return sign(*args, **kw)

    monkeypatch.setattr(loop, "sign_l1_action", slow)
    world.trading.exiting.request(ExitReason.STOP)
    world.tick()
    (post,) = world.trading.posts.waiting()
    assert post.sent_ms == world.clock.mono_ms()


def test_an_entry_that_was_held_up_before_it_left_does_not_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hip3.execution.sending import loop

    feed = ready(tmp_path)
    world, sign = feed.world, loop.sign_l1_action

    def slow(*args: Any, **kw: Any) -> Any:
        world.clock.advance(600)
        return sign(*args, **kw)

    monkeypatch.setattr(loop, "sign_l1_action", slow)
    assert feed.refused_by() is None
    world.tick()
    assert world.sender.sent_entries() == []
    assert not world.trading.tracker.live()


def test_a_position_that_turns_through_zero_and_loses_all_the_while_trips_max_loss(tmp_path: Path) -> None:
    """It ends no round trip, so nothing was counted, and a restart forgot what had been lost."""
    world = quiet_world(tmp_path, on_disk=True, foreign_positions="manage", hard_stop_max_loss_usd=D("0.3"))
    limits = world.trading.risk.monitor.limits
    assert limits.max_loss_usd == D("0.3")

    def turn(side: Side) -> None:
        world.by_hand(GOLD, side, D("0.02"))
        world.run(1500)

    world.by_hand(GOLD, Side.BUY, D("0.01"))
    for side in (Side.SELL, Side.BUY, Side.SELL):
        turn(side)
    lost = -world.trading.tracker.open_net()
    assert 0 < lost < D("0.3")
    world.restart()
    assert world.run_until(lambda: world.ready, 10_000)
    assert -world.trading.tracker.open_net() == lost
    assert world.trading.tracker.totals()[3] == 0, "no round trip has ended"
    for side in (Side.BUY, Side.SELL, Side.BUY):
        if not world.latch.tripped:
            turn(side)
    assert (world.latch.state().reason or "").startswith("max_loss")
