"""Each market-health gate: the service blocks and recovers by frames, readings and time alone."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hip3.risk.market_gates import MARKET_GATES
from tests.commands.stopped import GOLD, SPREAD, Feed
from tests.world import World

D = Decimal
SECOND = 1000


def ready(tmp_path: Path, **settings: Any) -> Feed:
    """READY, then the exchange is still and the market has its usual spread."""
    world = World(tmp_path, seed=1, market_profile="calibrated", markets=GOLD, **settings)
    assert world.run_until(lambda: world.ready, 5000)
    world.run(1500)
    feed = Feed(world)
    feed.usual()
    return feed


def _touch_is_old(feed: Feed) -> None:
    feed.world.clock.advance(3 * SECOND)
    feed.ctx()


def _touch_is_new(feed: Feed) -> None:
    feed.usual(2)


def _contexts_stop(feed: Feed) -> None:
    for _ in range(9):
        feed.world.clock.advance(SECOND)
        feed.bbo()


def _goes_back(feed: Feed) -> None:
    feed.bbo(time_ms=feed.time_ms - 5000)
    feed.ctx()


def _mark_flees(feed: Feed) -> None:
    feed.ctx(mark=feed.px * D("1.006"))


def _spread_widens(feed: Feed) -> None:
    feed.bbo(spread=D("0.0013"))


def _capped(feed: Feed, *, at_cap: bool = True) -> None:
    market = feed.world.venue.engine.markets[GOLD]
    market.info = market.info._replace(oi_cap=D(0) if at_cap else None)
    feed.world.clock.advance(61 * SECOND)
    feed.world.trading.housekeeping.step(feed.world.clock.mono_ms())
    feed.usual(2)


def _fee_changes(feed: Feed) -> None:
    market = feed.world.venue.engine.markets[GOLD]
    market.info = market.info._replace(growth=not market.info.growth)
    _capped(feed, at_cap=False)


def _approved(feed: Feed) -> None:
    market = feed.world.venue.engine.markets[GOLD]
    market.info = market.info._replace(growth=not market.info.growth)
    _capped(feed, at_cap=False)
    assert feed.world.trading.gates.standing() == {GOLD: "param_change"}  # not by itself
    assert "approved" in feed.world.trading.markets.approve(GOLD)
    feed.usual(2)


def _halted(feed: Feed) -> None:
    feed.world.venue.engine.markets[GOLD].halted = True
    feed.signal()
    feed.world.run(1000)
    feed.usual(2)


def _resumed(feed: Feed) -> None:
    feed.world.venue.engine.markets[GOLD].halted = False
    feed.world.clock.advance(61 * SECOND)
    feed.usual(2)


def _oracle_still(feed: Feed) -> None:
    for _ in range(7):
        feed.world.clock.advance(SECOND)
        feed.usual(1)


def _oracle_moves(feed: Feed) -> None:
    feed.px *= D("1.0001")
    feed.usual(2)


def _oracle_leaps(feed: Feed) -> None:
    feed.px *= D("1.05")
    feed.usual(2)


def _a_minute_later(feed: Feed) -> None:
    feed.world.clock.advance(61 * SECOND)
    feed.usual(2)


Step = Callable[[Feed], None]
WAYS: dict[str, tuple[dict[str, Any], Step, Step]] = {
    "bbo_update": ({"max_bbo_age_ms": 2000}, _touch_is_old, _touch_is_new),
    "ctx_update": ({}, _contexts_stop, _touch_is_new),
    "time_regression": ({}, _goes_back, _touch_is_new),
    "mark_mid_divergence": ({}, _mark_flees, _touch_is_new),
    "spread_shock": ({}, _spread_widens, _touch_is_new),
    "oi_cap": ({}, _capped, lambda feed: _capped(feed, at_cap=False)),
    "param_change": ({}, _fee_changes, _approved),
    "halt": ({}, _halted, _resumed),
    "oracle_frozen": ({"max_oracle_still_ms": 5000}, _oracle_still, _oracle_moves),
    "unbelievable": ({}, _oracle_leaps, _a_minute_later),
}


@pytest.mark.parametrize("gate", WAYS)
def test_a_gate_blocks_before_there_is_a_signal_and_lets_go_by_itself(tmp_path: Path, gate: str) -> None:
    settings, block, recover = WAYS[gate]
    feed = ready(tmp_path, **settings)
    gates = feed.world.trading.gates
    assert gates.standing() == {}
    block(feed)
    assert gates.standing() == {GOLD: gate}
    assert gates.blocks[gate] >= 1
    told = [(f["coin"], f["gate"]) for f in feed.world.journal.of("market_gate") if f["coin"] == GOLD]
    assert told[-1] == (GOLD, gate)
    signals = feed.world.trading.detector.emitted
    recover(feed)
    assert gates.standing() == {}
    assert feed.world.trading.detector.emitted == signals
    assert feed.signal() is not None


@pytest.mark.parametrize("gate", ["mark_mid_divergence", "spread_shock", "time_regression"])
def test_while_it_blocks_there_is_no_signal(tmp_path: Path, gate: str) -> None:
    feed = ready(tmp_path)
    feed.px *= D("1.01")
    touch = feed.px * D("0.996")
    feed.ctx(feed.px * D("0.9990"), mark=touch)
    feed.ctx(feed.px * D("0.9995"), mark=touch)
    feed.ctx(feed.px, mark=touch * (D("1.006") if gate == "mark_mid_divergence" else 1))
    feed.bbo(
        touch,
        spread=D("0.0013") if gate == "spread_shock" else D("0.0002"),
        time_ms=1 if gate == "time_regression" else None,
    )
    assert feed.world.trading.detector.emitted == 0
    assert feed.world.trading.gates.standing() == {GOLD: gate}


def test_outside_its_hours_a_market_is_not_entered(tmp_path: Path) -> None:
    feed = ready(tmp_path, sessions="Mon-Sun 10:00-10:14 America/New_York")
    assert feed.world.trading.gates.standing() == {}
    feed.world.clock.advance(60 * SECOND)
    feed.usual(2)
    assert feed.world.trading.gates.standing() == {GOLD: "time_of_day"}
    assert "10:00-10:14 America/New_York" in feed.world.journal.of("market_gate")[-1]["why"]


def test_a_feed_that_is_slow_in_every_market_is_told_as_such(tmp_path: Path) -> None:
    feed = ready(tmp_path)
    gates, clock = feed.world.trading.gates, feed.world.clock
    assert gates.slowed(clock.mono_ms()) is None
    for _ in range(3):  # contexts every 15 s, as announced once
        clock.advance(15 * SECOND)
        feed.ctx()
        assert gates.slowed(clock.mono_ms()) == (15_000, 8000)
    clock.advance(SECOND)
    feed.ctx()
    assert gates.slowed(clock.mono_ms()) is None


def test_blackout_windows_block_and_may_wrap_midnight(tmp_path: Path) -> None:
    feed = ready(tmp_path, blackout="23:50-00:10")
    clock, day = feed.world.clock, 86_400_000
    to_midnight = day - clock.wall_ms() % day
    clock.advance(to_midnight - 5 * 60_000)
    feed.usual(2)
    assert feed.world.trading.gates.standing() == {GOLD: "time_of_day"}
    clock.advance(10 * 60_000)
    feed.usual(2)
    assert feed.world.trading.gates.standing() == {GOLD: "time_of_day"}
    clock.advance(6 * 60_000)
    feed.usual(2)
    assert feed.world.trading.gates.standing() == {}


def test_every_gate_has_its_way_in_and_out() -> None:
    assert {*WAYS, "time_of_day"} == {name for name, _ in MARKET_GATES}


def test_a_wide_spread_makes_orders_smaller_before_it_blocks(tmp_path: Path) -> None:
    sizes = []
    for number, spread in enumerate((D("0.0002"), D("0.0008"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        feed = ready(folder, max_notional_per_market=D(5000), max_notional_total=D(9000))
        feed.px *= D("1.01")
        touch = feed.px * D("0.996")
        for share in ("0.9990", "0.9995", "1"):
            feed.ctx(feed.px * D(share), mark=touch)
        feed.bbo(touch, spread=spread)
        sizes.append(feed.world.journal.of("signal")[-1]["signal"].size)
    assert sizes[1] < sizes[0] * D("0.25")


def test_a_wide_spread_that_stays_is_the_usual_one_after_a_while(tmp_path: Path) -> None:
    feed = ready(tmp_path)
    for _ in range(11):
        feed.world.clock.advance(60_000)
        feed.read()
        feed.bbo(spread=D("0.003"))
        feed.ctx()
    feed.bbo(spread=D("0.003"))
    assert feed.world.trading.gates.standing() == {}


def test_an_entry_whose_market_went_silent_in_the_queue_does_not_leave(tmp_path: Path) -> None:
    feed = ready(tmp_path)
    world = feed.world
    assert feed.refused_by() is None
    world.clock.advance(8500)
    world.trading.exiting.check(world.generation, world.clock.mono_ms())
    feed.bbo()  # the connection lives, the contexts do not
    world.tick()
    assert world.intents.placed == []
    assert [f["event"].why for f in world.journal.of("order")][-1] == "ctx_update"


def test_a_touch_that_does_not_change_is_not_old_while_contexts_come(tmp_path: Path) -> None:
    feed = ready(tmp_path, max_bbo_age_ms=2000)
    for _ in range(10):
        feed.world.clock.advance(SECOND)
        feed.ctx()
    assert feed.world.trading.gates.standing() == {}


def test_caps_that_cannot_be_read_block_after_five_minutes_and_from_the_start(tmp_path: Path) -> None:
    feed = ready(tmp_path)
    world = feed.world
    world.rest.failing.add("perpsAtOpenInterestCap")
    for _ in range(4):
        world.clock.advance(61 * SECOND)
        world.trading.housekeeping.step(world.clock.mono_ms())
    feed.usual(2)
    assert world.trading.gates.standing() == {}
    for _ in range(3):
        world.clock.advance(61 * SECOND)
        world.trading.housekeeping.step(world.clock.mono_ms())
    feed.usual(2)
    assert world.trading.gates.standing() == {GOLD: "oi_cap"}
    feed.hear()
    world.restart()
    world.run(3000)
    assert set(world.trading.gates.standing().values()) == {"oi_cap"}
    world.rest.failing.clear()
    assert world.run_until(lambda: not world.trading.gates.standing(), 10_000)


def test_changed_parameters_stay_unapproved_over_a_restart(tmp_path: Path) -> None:
    feed = ready(tmp_path)
    world = feed.world
    _fee_changes(feed)
    feed.hear()
    world.restart()
    assert world.run_until(lambda: world.ready, 5000)
    world.run(2000)
    assert world.trading.gates.standing().get(GOLD) == "param_change"
    world.trading.markets.approve(GOLD)
    world.run(2000)
    assert GOLD not in world.trading.gates.standing()
    feed.hear()
    world.restart()
    assert world.run_until(lambda: world.ready, 5000)
    world.run(2000)
    assert GOLD not in world.trading.gates.standing()


def test_a_market_that_is_delisted_is_a_halt_that_a_person_ends_once_it_is_back(tmp_path: Path) -> None:
    feed = ready(tmp_path)
    world, honest = feed.world, feed.world.rest.info_json

    def delisted(request: dict[str, Any]) -> Any:
        answer = honest(request)
        if (request["type"], request.get("dex")) == ("meta", "xyz"):
            for market in answer["universe"]:
                market["isDelisted"] = market["name"] == GOLD
        return answer

    world.rest.info_json = delisted  # type: ignore[method-assign]
    world.clock.advance(61 * SECOND)
    feed.usual(2)
    assert world.trading.gates.standing() == {GOLD: "halt"}
    assert "take it out" in world.trading.markets.approve(GOLD)
    assert world.trading.gates.standing() == {GOLD: "halt"}
    world.rest.info_json = honest  # type: ignore[method-assign]
    world.clock.advance(61 * SECOND)
    feed.usual(2)
    assert world.trading.gates.standing() == {GOLD: "halt"}
    assert world.trading.markets.approve(GOLD).startswith(f"{GOLD} is approved: a taker leg costs")
    feed.usual(2)
    assert world.trading.gates.standing() == {}


@pytest.mark.parametrize("factor", ["1.05", "0.95", "1.18", "0.82", "1.5", "0.5"])
def test_a_print_of_the_oracle_and_its_way_back_are_not_traded_on(tmp_path: Path, factor: str) -> None:
    """Of the oracle alone: book and mark stand, as when one source of it is wrong for a moment."""
    feed = ready(tmp_path)
    world, px = feed.world, feed.px
    emitted = world.trading.detector.emitted
    feed.ctx(oracle=px * D(factor))
    feed.ctx(oracle=px * D(factor) * D("1.0005"))
    feed.usual(2)
    assert world.trading.gates.standing() == {GOLD: "unbelievable"}
    assert world.trading.detector.emitted == emitted
    assert [f["gate"] for f in world.journal.of("market_gate")][-1] == "unbelievable"
    _a_minute_later(feed)
    assert world.trading.gates.standing() == {}
    assert feed.signal() is not None


def test_an_edge_that_nobody_would_leave_is_not_traded_on(tmp_path: Path) -> None:
    feed = ready(tmp_path, max_mark_mid_bps=D(0), max_oracle_step_bps=D(0))
    emitted = feed.world.trading.detector.emitted
    for step in range(1, 5):
        feed.ctx(oracle=feed.px * (1 + D("0.01") * step), mark=feed.px)
    assert feed.world.trading.gates.standing() == {GOLD: "unbelievable"}
    assert feed.world.trading.detector.emitted - emitted <= 1  # before it was too good


def _after_ten_quiet_minutes(tmp_path: Path) -> Feed:
    """Contexts came, and no bbo: the touch stood, and was read again at last."""
    feed = ready(tmp_path)
    feed.usual(60)
    for _ in range(605):
        feed.world.clock.advance(SECOND)
        feed.ctx()
    feed.read()
    return feed


def test_a_shock_after_a_quiet_touch_is_a_shock(tmp_path: Path) -> None:
    """A touch that stands is told by no bbo: after ten quiet minutes the first wide one was taken for the usual."""
    feed = _after_ten_quiet_minutes(tmp_path)
    feed.bbo(spread=SPREAD * 30)
    assert feed.world.trading.gates.standing()[GOLD] == "spread_shock"


def test_a_book_from_the_past_after_a_quiet_touch_is_none(tmp_path: Path) -> None:
    feed = _after_ten_quiet_minutes(tmp_path)
    feed.bbo(time_ms=feed.time_ms - 60_000)
    assert feed.world.trading.gates.standing()[GOLD] == "time_regression"


def test_no_signal_goes_by_a_touch_of_before_the_connection(tmp_path: Path) -> None:
    feed = ready(tmp_path)
    feed.usual(30)
    feed.world.cut()
    feed.world.connect()
    before = len(feed.world.journal.of("signal"))
    for share in ("1", "1.002", "1.004", "1.006"):
        feed.world.clock.advance(SECOND)
        feed.ctx(feed.px * D(share))
    assert len(feed.world.journal.of("signal")) == before
