"""Each entry guard: the service refuses and takes up again by what happened and by time alone."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hip3.core.ledger import RoundTrip
from hip3.execution.entries.gates import GATES
from hip3.risk.guards import GUARDS, EntryGuards, GuardSettings, TripNote, score
from tests.commands.stopped import GOLD
from tests.risk.test_market_gates import Feed, ready

D = Decimal
MINUTE = 60_000


def trip(feed: Feed, net: str = "-1", coin: str = GOLD) -> None:
    """A round trip ends now, as the tracker tells it."""
    now = feed.world.trading.offset.exchange_ms()
    ended = RoundTrip(
        coin=coin, opened_ms=now - 1000, closed_ms=now, realized=D(net), fees=D(0), entry_px=D(1), exit_px=D(1),
        entered_usd=D(50),
    )  # fmt: skip
    feed.world.trading.consequences.dispatch([ended], feed.world.clock.mono_ms())


def _trips(*nets: str) -> Callable[[Feed], None]:
    return lambda feed: [trip(feed, net) for net in nets] and None


def _signals(count: int) -> Callable[[Feed], None]:
    def step(feed: Feed) -> None:
        for _ in range(count):
            assert feed.refused_by() is None
            for tracked in feed.world.trading.tracker.live():
                feed.world.trading.consequences.dispatch(
                    feed.world.trading.tracker.drop(tracked.order.cloid, "test"), 0
                )
            feed.world.trading.scheduler.purge_new()

    return step


def _wait(ms: int) -> Callable[[Feed], None]:
    def step(feed: Feed) -> None:
        feed.world.clock.advance(ms)
        feed.usual(2)

    return step


def _gain(feed: Feed) -> None:
    _wait(6 * MINUTE)(feed)
    trip(feed, "1")
    trip(feed, "-1")


Step = Callable[[Feed], None]
WAYS: dict[str, tuple[dict[str, Any], Step, Step]] = {
    "MaxDrawdown": ({"max_hourly_drawdown_usd": D(3)}, _trips("-1", "-2"), _wait(61 * MINUTE)),
    "CorrelationCooldown": ({"correlation_close_threshold": 2}, _trips("1", "1"), _wait(61_000)),
    "BurstSignal": ({"burst_signal": True, "burst_max_signals": 2}, _signals(2), _wait(5 * MINUTE + 1)),
    "TiltGuard": ({"tilt_guard": True}, _trips("-1", "-1", "-1"), _gain),
    "ReEntryDelay": ({"re_entry_delay_ms": 30_000}, _trips("1"), _wait(30_001)),
    "MarketHealth": ({"market_health": True, "market_health_min_samples": 3}, _trips("-1", "-1", "-1"), _wait(61 * MINUTE)),
}  # fmt: skip


@pytest.mark.parametrize("guard", WAYS)
def test_a_guard_refuses_and_takes_up_again(tmp_path: Path, guard: str) -> None:
    settings, block, recover = WAYS[guard]
    feed = ready(tmp_path, **settings)
    block(feed)
    assert feed.refused_by() == guard
    assert feed.world.trading.executor is not None
    assert feed.world.trading.executor.rejected[guard] >= 1
    recover(feed)
    assert feed.refused_by() is None


def test_all_guards_are_here_and_stand_between_latch_and_ready(tmp_path: Path) -> None:
    assert tuple(WAYS) == GUARDS
    feed = ready(tmp_path, re_entry_delay_ms=30_000)
    trip(feed, "1")
    feed.world.readiness.reduce("test", "paused")
    assert feed.refused_by() == "ReEntryDelay"
    assert feed.world.latch.trip("manual", "test", 1)
    assert feed.refused_by() == GATES[0].name


@pytest.mark.parametrize("guard", WAYS)
def test_a_guard_that_is_off_refuses_nothing(tmp_path: Path, guard: str) -> None:
    block = _signals(4) if guard == "BurstSignal" else WAYS[guard][1]
    feed = ready(tmp_path)
    block(feed)
    assert feed.refused_by() is None


def test_what_a_guard_remembers_survives_a_restart(tmp_path: Path) -> None:
    feed = ready(tmp_path, tilt_guard=True)
    world = feed.world
    _trips("-1", "-1", "-1")(feed)
    world.risk()
    feed.hear()
    world.restart()
    assert world.run_until(lambda: world.ready, 5000)
    again = Feed(world)
    again.usual()
    assert again.refused_by() == "TiltGuard"


def test_a_pause_after_a_losing_run_is_followed_by_another_with_one_more_loss(tmp_path: Path) -> None:
    feed = ready(tmp_path, tilt_guard=True)
    _trips("-1", "-1", "-1")(feed)
    _wait(5 * MINUTE + 1)(feed)
    trip(feed, "-1")
    assert feed.refused_by() == "TiltGuard"


def test_a_large_edge_passes_a_burst(tmp_path: Path) -> None:
    feed = ready(tmp_path, burst_signal=True, burst_max_signals=1, burst_bypass_edge_bps=D(45))
    _signals(1)(feed)
    assert feed.refused_by(40) == "BurstSignal"
    found = feed.signal(60)
    assert found is not None
    assert getattr(found["verdict"], "gate", None) != "BurstSignal"


def test_the_share_of_equity_fails_closed(tmp_path: Path) -> None:
    guards = EntryGuards({}, GuardSettings(max_hourly_drawdown_pct=D(1)))
    refused = guards.refusal(GOLD, D(40), 1000)
    assert refused is not None
    assert dict(refused[1]) == {"missing": "equity"}
    guards.equity(D(100))
    assert guards.refusal(GOLD, D(40), 1000) is None
    guards.closed(TripNote(GOLD, 900, D(-1), D(-5)))
    assert guards.refusal(GOLD, D(40), 1000) is not None


def test_occupied_markets_are_weighed_where_asked(tmp_path: Path) -> None:
    file = tmp_path / "markets.toml"
    file.write_text('[groups.metals]\nmarkets = ["xyz:GOLD", "xyz:SILVER"]\nweight = 2.5\n')
    from hip3.config import reading

    settings = reading.load_markets_file(reading.load({"HIP3_MARKETS_FILE": str(file)}, None))
    assert settings.weights() == {"xyz:GOLD": D("2.5"), "xyz:SILVER": D("2.5")}
    folder = tmp_path / "world"
    folder.mkdir()
    feed = ready(folder, correlation_position=True, max_weighted_positions=D("0.5"))
    assert feed.refused_by() == "MaxConcurrentPositions"
    assert feed.world.trading.executor is not None
    assert feed.world.trading.executor.rejected["CorrelationPositionLimit"] >= 1


def test_health_is_a_share_of_gains_and_a_mean_result() -> None:
    def notes(*nets: str) -> list[TripNote]:
        return [TripNote(GOLD, 0, D(n), D(n)) for n in nets]

    assert score(notes("1", "1")) == 1
    assert score(notes("-2", "-3")) == 0
    assert score(notes("1", "-1")) == D("0.7")
    assert score(notes("0.5", "-1.5")) == D("0.5")
