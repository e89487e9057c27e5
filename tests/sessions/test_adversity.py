"""Bad days, one each: what the exchange, the network, the clock and other people can do to a position."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hip3.core.ledger import PositionView
from hip3.core.orders import ExitReason, Side
from tests.builders import D
from tests.world import World, quiet_world

GOLD = "xyz:GOLD"


def _hold(world: World, coin: str = GOLD, sz: str = "0.01") -> PositionView:
    world.by_hand(coin, Side.BUY, D(sz))
    assert world.run_until(lambda: coin in world.trading.tracker.booked(), 3000)
    position = world.trading.tracker.position(coin)
    assert position is not None
    return position


def _empty(world: World, dex: str) -> Any:
    """clearinghouseState of one dex answers as if nothing were held; returns how to end it."""
    honest = world.rest.info_json

    def lie(request: dict[str, Any]) -> Any:
        answer = honest(request)
        if request["type"] == "clearinghouseState" and request["dex"] == dex:
            answer["assetPositions"] = []
        return answer

    world.rest.info_json = lie  # type: ignore[method-assign]
    return lambda: setattr(world.rest, "info_json", honest)


def test_an_empty_answer_erases_nothing(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    held = _hold(world)
    honest = _empty(world, "xyz")
    world.trading.view.doubt()
    world.run(50_000, step_ms=50)
    assert world.trading.tracker.position(GOLD) == held
    honest()
    world.run(70_000, step_ms=50)
    assert world.trading.tracker.position(GOLD) == held  # age and entry as before
    assert world.journal.of("adopted") == []


def test_an_empty_answer_that_stays_is_believed_after_three_readings_over_a_minute(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    _hold(world)
    _empty(world, "xyz")
    world.trading.view.doubt()
    began = world.clock.mono_ms()
    assert world.run_until(lambda: GOLD not in world.trading.tracker.booked(), 200_000, step_ms=50)
    assert world.clock.mono_ms() - began >= 60_000
    assert len(world.journal.of("adopted")) == 1


def test_an_old_answer_that_shows_a_closed_position_is_not_believed(tmp_path: Path) -> None:
    """The fills are newer than such an answer: a position adopted from it would block its market for a minute."""
    world = quiet_world(tmp_path)
    _hold(world)
    honest = world.rest.info_json
    old = honest({"type": "clearinghouseState", "user": world.user, "dex": "xyz"})
    world.by_hand(GOLD, Side.SELL, D("0.01"))
    assert world.run_until(lambda: not world.trading.tracker.booked(), 3000)

    def stale(request: dict[str, Any]) -> Any:
        return old if (request["type"], request.get("dex")) == ("clearinghouseState", "xyz") else honest(request)

    world.rest.info_json = stale  # type: ignore[method-assign]
    world.trading.view.doubt()
    world.run(30_000, step_ms=50)
    assert world.journal.of("adopted") == []


def test_an_empty_answer_at_the_start_is_put_right(tmp_path: Path) -> None:
    """A restart that is told "flat" believes what the fills say of the position, and takes no risk meanwhile."""
    world = quiet_world(tmp_path)
    _hold(world)
    honest = _empty(world, "xyz")
    world.restart()
    world.run(5000)
    assert world.trading.tracker.booked() == {GOLD: D("0.01")}
    assert not world.ready
    honest()
    assert world.run_until(lambda: world.ready, 70_000, step_ms=50)
    assert world.trading.tracker.booked() == {GOLD: D("0.01")}
    position = world.trading.tracker.position(GOLD)
    assert position is not None
    assert position.entry_ms < world.clock.wall_ms() - 1000  # from its opening fill, not from now


def test_a_start_that_a_node_behind_answers_finds_the_position_soon(tmp_path: Path) -> None:
    """Seed 103067007: account and fills of before the trade, at the start; the next comparison was a minute away."""
    world = quiet_world(tmp_path, foreign_positions="manage")
    old = _old_answers(world)
    told = ('{"channel":"userFills"', '{"channel":"orderUpdates"')
    world.filter_frame = lambda text: [] if text.startswith(told) else [text]
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    old.set(True)
    world.restart()
    assert world.run_until(lambda: world.ready, 10_000)
    assert world.trading.tracker.booked() == {}
    old.set(False)
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 15_000, step_ms=50)


def test_an_execution_that_only_an_update_told_is_asked_for_while_answers_are_old(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, foreign_positions="manage")
    world.run(15_000, step_ms=50)  # past the comparison that follows a start
    old = _old_answers(world)
    old.set(True)
    world.filter_frame = lambda text: [] if '"userFills"' in text else [text]
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    world.run(10_000, step_ms=50)
    assert world.trading.tracker.booked() == {}
    old.set(False)
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 8000, step_ms=50)
    asked = len(world.rest.asked)
    world.run(30_000, step_ms=50)
    fills = [r for r in world.rest.asked[asked:] if r["type"] == "userFills"]
    assert len(fills) <= 2  # once it is found nobody asks on


class _Old:
    """What was answered once is answered again while it is set."""

    def __init__(self, world: World) -> None:
        self._honest, self._on = world.rest.info, False
        kinds = [{"type": "clearinghouseState", "user": world.user, "dex": dex} for dex in ("xyz", "para")]
        asked = [*kinds, {"type": "userFills", "user": world.user}]
        self._kept = [(request, self._honest(request)) for request in asked]

    def set(self, on: bool) -> None:
        self._on = on

    def info(self, request: dict[str, Any]) -> bytes:
        said = next((body for r, body in self._kept if r == request), None) if self._on else None
        return said if said is not None else self._honest(request)


def _old_answers(world: World) -> _Old:
    old = _Old(world)
    world.rest.info = old.info  # type: ignore[method-assign]
    return old


def test_one_failing_dex_of_two_is_unknown_and_not_flat(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    _hold(world)
    _hold(world, "para:UNITREE", "0.2")
    honest = world.rest.info

    def fail(request: dict[str, Any]) -> bytes:
        if request.get("dex") == "para":
            world.rest.failing.add(request["type"])
        try:
            return honest(request)
        finally:
            world.rest.failing.clear()

    world.rest.info = fail  # type: ignore[method-assign]
    world.run(130_000, step_ms=50)
    assert set(world.trading.tracker.booked()) == {GOLD, "para:UNITREE"}
    world.cut()
    world.connect()
    world.run(5000)
    assert not world.ready  # half an account is none
    world.trading.exiting.request(ExitReason.MANUAL)
    assert world.run_until(lambda: not world.exchange_positions(), 10_000)  # exits go on
    world.rest.info = honest  # type: ignore[method-assign]
    assert world.run_until(lambda: world.ready, 10_000)


def _deaf_for(world: World, coin: str, attempts: int) -> None:
    """The first so many IOC orders of the market meet nobody."""
    book = world.venue.engine.markets[coin].book
    meets, left = book.would_cross, [attempts]

    def deaf(*, is_buy: bool, limit_px: Decimal) -> bool:
        if not is_buy and left[0] > 0 and limit_px < world.venue.engine.markets[coin].oracle * D("0.9975"):
            left[0] -= 1  # an exit of ours; the makers' own quotes are nearer
            return False
        return meets(is_buy=is_buy, limit_px=limit_px)

    book.would_cross = deaf  # type: ignore[method-assign]


def test_an_exit_unfilled_five_times_trips_the_latch_at_the_fourth_and_is_flat_at_the_sixth(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    _hold(world)
    _deaf_for(world, GOLD, 5)
    world.trading.exiting.request(ExitReason.MANUAL)
    tripped_at = None
    while GOLD in world.exchange_positions():
        world.run(10)
        if tripped_at is None and world.latch.tripped:
            tripped_at = len(world.journal.of("exit"))
        assert len(world.journal.of("exit")) <= 6
    exits = [f["order"] for f in world.journal.of("exit")]
    assert [o.attempt for o in exits] == [1, 2, 3, 4, 5, 6]
    assert tripped_at == 4
    assert (world.latch.state().reason or "").startswith("flatten_failures")
    prices = [o.px for o in exits]
    assert prices == sorted(prices, reverse=True)  # each worse than the one before
    world.run(500)
    assert world.trading.tracker.booked() == {}


def test_a_rejected_exit_is_tried_again_and_is_no_end(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, hard_stop_max_flatten_failures=100)
    _hold(world)
    market = world.venue.engine.markets[GOLD]
    market.halted = True
    world.trading.exiting.request(ExitReason.MANUAL)
    world.run(1500)
    refused = [f["event"].why for f in world.journal.of("order") if f["event"].order.reduce_only]
    assert any("halted" in why for why in refused)
    market.halted = False
    assert world.run_until(lambda: not world.exchange_positions(), 20_000)
    assert world.run_until(lambda: not world.trading.tracker.live(), 5000)


@pytest.mark.parametrize("told", [True, False], ids=["its fill comes", "its fill is lost"])
def test_a_reduce_only_race_with_somebody_s_hand(tmp_path: Path, told: bool) -> None:
    """The position is closed by hand while our exit is on its way: benign, and the account is read at once."""
    world = quiet_world(tmp_path)
    _hold(world)
    if not told:
        world.filter_frame = lambda text: [] if text.startswith('{"channel":"userFills"') else [text]
    world.by_hand(GOLD, Side.SELL, D("0.01"), reduce_only=True)
    world.rest.asked.clear()
    world.trading.exiting.request(ExitReason.MANUAL)
    world.tick()  # before a frame of it is read
    world.run(3000)
    refused = [f["event"].why for f in world.journal.of("order") if f["event"].order.reduce_only]
    assert any(why.startswith("Reduce only order would increase position") for why in refused)
    assert any(r["type"] == "clearinghouseState" for r in world.rest.asked)
    reads = sum(r["type"] == "userFills" for r in world.rest.asked)
    assert reads <= 4  # at most every 2 s, and once for what is missing
    assert world.run_until(lambda: world.trading.tracker.booked() == {}, 5000)
    assert world.trading.risk.monitor.rejects == type(world.trading.risk.monitor.rejects)()  # it does not count
    assert not world.latch.tripped
    assert world.trading.tracker.totals()[:2] == world.exchange_totals()


def test_a_liquidation_is_recognised_and_ends_the_exit(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    world.isolate(GOLD)
    _hold(world)
    market = world.venue.engine.markets[GOLD]
    while GOLD in world.exchange_positions():
        world.venue.engine.set_mark(market, market.mark * D("0.99"), world.clock.wall_ms())
        world.clock.advance(10)
    world.run(3000)
    assert world.journal.of("forced_fill")[0]["fill"].liquidation
    assert world.trading.tracker.booked() == {}
    assert world.trading.tracker.totals()[:2] == world.exchange_totals()
    assert [f["trip"].coin for f in world.journal.of("round_trip")] == [GOLD]
    assert not world.trading.exits.exiting()


@pytest.mark.parametrize("step_ms", [3_600_000, -3_600_000])
def test_a_clock_that_is_stepped_keeps_time_stops_and_nonces(tmp_path: Path, step_ms: int) -> None:
    world = World(tmp_path, seed=1, time_stop_ms=5000, min_holding_ms=10_000_000)
    assert world.run_until(lambda: bool(world.trading.tracker.booked()), 90_000)
    world.step_clock(step_ms)
    world.run(9000)
    trips = [f["trip"] for f in world.journal.of("round_trip")]
    assert trips
    assert all(t.closed_ms - t.opened_ms < 7000 for t in trips[:1])
    nonces = [n for _, n in world.intents.records]
    assert nonces == sorted(set(nonces))
    world.restart()
    world.run(1000)
    world.run_until(lambda: len(world.intents.records) > len(nonces), 60_000)
    later = [n for _, n in world.intents.records]
    assert later == sorted(set(later))  # the floor outlives the process


def test_a_full_disk_stops_entries_and_not_exits(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, min_holding_ms=10_000_000, time_stop_ms=2000)
    assert world.run_until(lambda: bool(world.trading.tracker.booked()), 90_000)
    world.intents.broken = True
    entries = len([o for o in world.intents.placed if not o.reduce_only])
    world.run(30_000)
    assert world.exchange_positions() == {}
    assert len([o for o in world.intents.placed if not o.reduce_only]) == entries
    assert "told to fail" in "; ".join(world.readiness.reasons(world.clock.mono_ms()))
    world.intents.broken = False
    world.readiness.hold("intents", "")  # the journal thread found that writing works again
    assert world.run_until(lambda: bool(world.exchange_positions()), 90_000)


def test_a_fill_while_the_account_is_read_keeps_ready_away_for_a_moment_only(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    _hold(world)
    world.cut()
    honest = world.rest.info_json
    old = honest({"type": "clearinghouseState", "user": world.user, "dex": "xyz"})
    readings = []

    def overtaken(request: dict[str, Any]) -> Any:
        if (request["type"], request.get("dex")) == ("clearinghouseState", "xyz"):
            readings.append(request)
            return old if len(readings) == 1 else honest(request)
        return honest(request)

    world.rest.info_json = overtaken  # type: ignore[method-assign]
    world.by_hand(GOLD, Side.SELL, D("0.01"))
    world.connect()
    assert world.run_until(lambda: world.ready, 4000)
    assert len(readings) >= 2
