"""A clock that is wrong, or stood still, keeps no exit from leaving and leaves nothing wrong behind."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hip3.core.order_state import OrderState
from hip3.core.orders import ExitReason, Side
from hip3.errors import VenueReadError
from hip3.ops.intents import IntentLog
from hip3.service.supervisor import Supervisor
from tests.world import World, quiet_world

GOLD = "xyz:GOLD"
HOUR_MS = 3_600_000
WRONG = [25 * HOUR_MS, 72 * HOUR_MS, -21 * HOUR_MS, -72 * HOUR_MS]


def _held(tmp_path: Path, *, on_disk: bool = False) -> World:
    world = quiet_world(tmp_path, on_disk=on_disk, hard_stop_max_flatten_failures=3)
    world.by_hand(GOLD, Side.BUY, Decimal("0.01"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 3000)
    return world


@pytest.mark.parametrize("step_ms", WRONG)
def test_an_exit_leaves_while_the_machine_s_clock_is_days_off(tmp_path: Path, step_ms: int) -> None:
    world = _held(tmp_path)
    world.step_clock(step_ms)
    world.trading.exiting.request(ExitReason.STOP)
    assert world.run_until(lambda: not world.exchange_positions(), 2000)
    assert not world.latch.tripped


@pytest.mark.parametrize("step_ms", WRONG)
def test_a_clock_that_was_wrong_for_a_moment_leaves_no_floor(tmp_path: Path, step_ms: int) -> None:
    world = _held(tmp_path, on_disk=True)
    world.step_clock(step_ms)
    world.trading.exiting.request(ExitReason.STOP)
    assert world.run_until(lambda: not world.exchange_positions(), 2000)
    world.step_clock(-step_ms)
    world.restart()
    assert world.run_until(lambda: world.ready, 20_000)
    assert abs(world.intents.recovered.nonce_floor - world.exchange_ms()) < HOUR_MS
    world.by_hand(GOLD, Side.BUY, Decimal("0.01"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 3000)
    assert world.flatten(2000)


def test_a_floor_that_an_older_run_left_days_ahead_blocks_nothing(tmp_path: Path) -> None:
    world = _held(tmp_path, on_disk=True)

    def poison() -> None:
        log = IntentLog(world.folder / "intents.log")
        log.action("noop", world.exchange_ms() + 72 * HOUR_MS, world.clock.wall_ms())
        log.close()

    world.restart(poison)
    assert world.run_until(lambda: world.ready, 20_000)
    assert world.flatten(2000)


@pytest.mark.parametrize("gone_ms", [8000, 60_000])
@pytest.mark.parametrize("wall_goes_on", [True, False])
def test_after_a_suspend_exits_are_in_time(tmp_path: Path, gone_ms: int, *, wall_goes_on: bool) -> None:
    """The monotonic clock stood still, as in a machine that somebody else paused; with the wall clock, too."""
    world = _held(tmp_path)
    world.running.workers["rest"] = world.running.runtime.worker("rest", world.clock, trades=False)
    supervisor = Supervisor(world.running, world.trading)
    if wall_goes_on:
        world.clock.step_wall(gone_ms)
    else:
        world.skew_ms -= gone_ms
    supervisor.watch(world.clock.mono_ms() + 200)
    world.trading.exiting.request(ExitReason.STOP)
    assert world.run_until(lambda: not world.exchange_positions(), 4000)
    assert not world.latch.tripped
    assert world.trading.exits.exiting() == {}


def test_quotes_from_our_future_say_that_our_clock_stood_still(tmp_path: Path) -> None:
    """Nobody noticed the pause: neither clock of ours moved."""
    world = _held(tmp_path)
    world.skew_ms -= 20_000
    assert world.run_until(lambda: abs(world.trading.offset.exchange_ms() - world.exchange_ms()) < 1000, 3000)


def test_nonces_rise_over_a_restart_although_the_exchange_s_time_is_read_as_earlier(tmp_path: Path) -> None:
    world = _held(tmp_path, on_disk=True)
    signed = world.exchange_ms() + 5000

    def sign_ahead() -> None:
        log = IntentLog(world.folder / "intents.log")
        log.action("noop", signed, world.clock.wall_ms())
        log.close()

    world.restart(sign_ahead)
    assert world.run_until(lambda: world.ready, 4000)
    before = len(world.sender.sent)
    assert world.flatten(2000)
    assert min(post["request"]["payload"]["nonce"] for post in world.sender.posts()[before:]) > signed


def test_a_clock_that_is_doubted_is_asked_for_again_until_it_is_told(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    world.rest.failing.add("exchangeStatus")
    world.trading.view.clock_doubted = True
    world.run(2000)
    assert world.trading.view.clock_doubted
    world.rest.failing.clear()
    assert world.run_until(lambda: not world.trading.view.clock_doubted, 2500)


@pytest.mark.parametrize("expires_after_ms", [0, 5000])
def test_what_a_clock_a_day_ahead_signed_while_nobody_told_the_time_ends_and_keeps_nothing_away(
    tmp_path: Path, expires_after_ms: int
) -> None:
    """Its nonce was above all later ones for a day, and so was its expiry: no exit could be signed, and no end proved."""
    world = quiet_world(tmp_path, post_timeout_ms=1000, expires_after_ms=expires_after_ms)
    world.by_hand(GOLD, Side.BUY, Decimal("0.01"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 3000)
    offset, honest = world.trading.offset, world.rest.info

    def no_answer(request: Any) -> bytes:
        raise VenueReadError("HTTP 429", status=429)

    world.rest.info = no_answer  # type: ignore[method-assign]
    offset._boot.clear()
    offset._base = None
    world.step_clock(25 * HOUR_MS)
    world.filter_frame = lambda text: [] if text.startswith('{"channel":"post"') else [text]
    world.trading.exiting.request(ExitReason.STOP)
    assert world.run_until(lambda: bool(world.trading.tracker.live(OrderState.UNKNOWN)), 5000)
    world.step_clock(-25 * HOUR_MS)
    world.rest.info, world.filter_frame = honest, lambda text: [text]  # type: ignore[method-assign]
    assert world.run_until(lambda: not world.exchange_positions(), 5000)
    assert world.run_until(lambda: not world.trading.tracker.live(OrderState.UNKNOWN), 60_000)
    assert abs(world.trading.loop.last_nonce - world.exchange_ms()) < HOUR_MS  # type: ignore[union-attr]


@pytest.mark.parametrize("found", ["by the watchdog", "by the exchange's word"])
def test_after_a_suspend_in_a_quiet_market_the_clock_is_read_anew(tmp_path: Path, found: str) -> None:
    """No quote comes that would show it: the watchdog, or the first order that expired on the way, has to."""
    world = _held(tmp_path)
    world.filter_frame = lambda text: (
        [] if text.startswith(('{"channel":"bbo"', '{"channel":"activeAssetCtx"')) else [text]
    )
    world.run(200)
    world.skew_ms -= 60_000
    if found == "by the watchdog":
        world.running.workers["rest"] = world.running.runtime.worker("rest", world.clock, trades=False)
        supervisor = Supervisor(world.running, world.trading)
        supervisor.watch(world.clock.mono_ms() + 200)
        world.clock.step_wall(60_000)
        supervisor.watch(world.clock.mono_ms() + 400)
    else:
        world.trading.exiting.request(ExitReason.STOP)
    assert world.run_until(lambda: abs(world.trading.offset.exchange_ms() - world.exchange_ms()) < 1000, 4000)
