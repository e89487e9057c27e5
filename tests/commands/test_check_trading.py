"""What `check` says of sizes, stops and of what is open."""

import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hip3.commands.check import Finding, shown
from hip3.commands.check_trading import costs, margins, prices_of, sizes, stops, what_is_open
from hip3.config.reading import MarketSettings
from hip3.config.settings import Settings
from hip3.core.orders import RUN_TAG, Side
from hip3.errors import PreflightError
from hip3.execution.truth.margin import Margin
from tests.builders import spec
from tests.world import quiet_world

D = Decimal
GOLD, TSLA, META = "xyz:GOLD", "xyz:TSLA", "xyz:META"


def _settings(**values: Any) -> MarketSettings:
    return MarketSettings(Settings(**values))


def test_a_market_in_which_no_order_fits_the_limit_is_named(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    specs = world.trading.specs
    marks = prices_of(world.rest, specs)
    assert set(specs) <= set(marks)
    tight = _settings(max_notional_per_market=D(12), max_notional_total=D(12))
    with pytest.raises(PreflightError) as error:
        sizes(tight, specs, marks)
    assert any(fault.startswith("xyz:XYZ100: the smallest order is") for fault in error.value.faults)
    assert "fits its limit" in sizes(_settings(), specs, marks)


def test_a_stop_beyond_the_liquidation_price_is_a_fault_where_somebody_asked_for_it() -> None:
    specs, margins = {GOLD: spec()}, {GOLD: Margin(isolated=True, leverage=20)}
    with pytest.raises(PreflightError) as error:
        stops(_settings(protective_stop_bps=D(500), stop_loss_bps=D(400)), specs, margins)
    assert [f.partition(" lies beyond")[0] for f in error.value.faults] == [
        f"{GOLD}: HIP3_PROTECTIVE_STOP_BPS=500", f"{GOLD}: HIP3_STOP_LOSS_BPS=400",
    ]  # fmt: skip
    told = stops(_settings(), specs, margins)  # drawn nearer by the run
    assert "drawn nearer than 300 bps" in told
    assert f"{GOLD} 20x: " in told
    assert "fire before" in stops(_settings(leverage=5), specs, margins)
    assert "not looked at" in stops(_settings(), specs, {})
    assert "fire before" in stops(_settings(leverage=5, protective_stop_bps=D(500)), specs, margins)
    assert "nothing protects" in stops(_settings(protective_stop_bps=D(0)), specs, margins)
    free, cross = {GOLD: spec(isolated_only=False)}, {GOLD: Margin(isolated=False, leverage=20)}
    assert "nearer" not in stops(_settings(margin="keep"), free, cross)
    assert "drawn nearer" in stops(_settings(margin="isolated"), free, cross)  # it is set before the first entry


@pytest.mark.parametrize(("policy", "fate"), [("watch", "never touched"), ("manage", "CLOSED by our rules")])
def test_what_becomes_of_what_is_open_is_said_before_the_start(tmp_path: Path, policy: str, fate: str) -> None:
    world = quiet_world(tmp_path)
    world.isolate(GOLD, TSLA)
    world.by_hand(GOLD, Side.BUY, D("0.01"), cloid=f"0x{RUN_TAG}" + "2" * 24)
    world.by_hand(TSLA, Side.BUY, D("0.1"))
    text = what_is_open(_settings(foreign_positions=policy), world.trading.specs, world.rest, world.user)
    ours, others = text.split("; ")
    assert ours.startswith(f"position {GOLD} 0.01 (isolated ")
    assert ours.endswith("% away), ours: left by its rules")
    assert others.startswith(f"position {TSLA} 0.1 (isolated ")
    assert "opened by others" in others
    assert fate in others


@pytest.mark.parametrize("ours", [True, False])
def test_what_is_ours_in_a_dex_that_is_configured_no_more_is_told(tmp_path: Path, ours: bool) -> None:
    world = quiet_world(tmp_path, markets=f"{GOLD},para:AVGO")
    world.by_hand(GOLD, Side.BUY, D("0.01"), **({"cloid": f"0x{RUN_TAG}" + "2" * 24} if ours else {}))
    specs = {"para:AVGO": world.trading.specs["para:AVGO"]}
    text = what_is_open(_settings(margin="keep"), specs, world.rest, world.user)
    if ours:
        assert text.startswith(f"position {GOLD} 0.01 (")
        assert text.endswith("ours: left by its rules, though its market is not configured")
    else:
        assert text == "no position in para; others are not looked at"


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"min_oracle_change_bps": D(400)}, "HIP3_MAX_ORACLE_STEP_BPS=300"),
        ({"oracle_move_bps": D(400)}, "HIP3_MAX_ORACLE_STEP_BPS=300"),
        ({"min_oracle_change_bps": D(300)}, ""),
        ({"oracle_move_bps": D(400), "max_oracle_step_bps": D(0)}, ""),
        ({"blackout": "00:00-23:59,23:59-00:00"}, "HIP3_BLACKOUT"),
        ({"blackout": "00:00-23:59"}, ""),
    ],
)
def test_gates_that_together_let_nothing_through_are_a_fault(values: dict[str, Any], named: str) -> None:
    if not named:
        assert costs(_settings(**values), {GOLD: spec()}).startswith("fees for")
        return
    with pytest.raises(PreflightError) as error:
        costs(_settings(**values), {GOLD: spec()})
    (fault,) = error.value.faults
    assert named in fault
    assert "never traded" in fault


def test_a_finding_that_warns_is_no_fault_and_is_not_said_to_be_well() -> None:
    text = stops(_settings(protective_stop_bps=D(0)), {GOLD: spec()}, {})
    line = shown([Finding(name="stops", ok=True, text=text)], io.StringIO())
    assert line.startswith("warn  stops")
    assert "warning:" not in line


def test_orders_that_a_start_would_cancel_are_counted(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    assert what_is_open(_settings(), world.trading.specs, world.rest, world.user) == (
        "no position in xyz, para; others are not looked at"
    )
    world.rest_by_hand(GOLD)
    assert "1 orders rest, cancelled at the start (HIP3_START_POLICY=cancel_all)" in what_is_open(
        _settings(start_policy="cancel_all"), world.trading.specs, world.rest, world.user
    )
    assert what_is_open(_settings(), world.trading.specs, world.rest, world.user) == "1 orders rest that a start leaves"


def test_the_stop_of_what_is_held_is_not_said_to_be_cancelled(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, protective_stop_bps=D(200))
    world.isolate(GOLD)
    world.by_hand(GOLD, Side.BUY, D("0.01"), cloid=f"0x{RUN_TAG}" + "2" * 24)
    assert world.run_until(lambda: len(world.listed("xyz")) == 1, 3000)
    for policy in ("cancel_all", "reconcile"):
        said = what_is_open(_settings(start_policy=policy), world.trading.specs, world.rest, world.user)
        assert said.endswith("1 orders rest that a start leaves")


def test_what_backs_a_position_is_said_and_a_leverage_that_is_not_taken_is_a_fault(tmp_path: Path) -> None:
    specs = quiet_world(tmp_path, markets=f"{GOLD},{META}").trading.specs
    assert "isolated" in margins(_settings(margin="isolated"), specs)
    kept = margins(_settings(margin="keep"), specs)
    assert GOLD in kept
    assert "cross" in kept
    assert META not in kept, "it is isolated only"
    with pytest.raises(PreflightError) as error:
        margins(_settings(leverage=25), specs)
    assert error.value.faults == [
        f"{META}: HIP3_LEVERAGE=25 is more than the market's 10x, so it stays closed; lower it"
    ]
