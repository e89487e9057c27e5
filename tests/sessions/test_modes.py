"""The service against the exchange in every mode of an account: what it says the account is worth is what the exchange's
books say, to the last digit, with collateral of two tokens; and limits in percent trip exactly at their value."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hip3.core.money import ZERO, truncate
from hip3.core.orders import Side
from hip3.service.control_requests import pause
from hip3.venue.engine.modes import set_mode
from hip3.venue.setup.parameters import Parameters
from hip3.venue.setup.settings import Dex, VenueSetup, load_setup
from tests.builders import D
from tests.service.apps import status_of
from tests.world import ALONE, World

GOLD, AVGO = "xyz:GOLD", "para:AVGO"
SHOWN = {
    "default": "standard", "disabled": "standard", "unifiedAccount": "unified", "portfolioMargin": "portfolio",
    "dexAbstraction": "unknown",
}  # fmt: skip


def _setup(mode: str) -> VenueSetup:
    built_in = load_setup()
    dexs = [Dex(d.name, d.full_name, d.deployer, d.fee_scale, 360 if d.name == "para" else 0) for d in built_in.dexs]
    parameters: Any = Parameters(account_mode=mode)  # type: ignore[arg-type]
    return msgspec.structs.replace(built_in, dexs=dexs, parameters=parameters)


def _world(tmp_path: Path, mode: str, **settings: Any) -> World:
    world = World(tmp_path, setup=_setup(mode), markets=f"{GOLD},{AVGO}", **(ALONE | {"leverage": 5} | settings))
    assert world.run_until(lambda: world.ready, 20_000)
    return world


def _books(world: World) -> Decimal | None:
    """What the account is worth by the exchange's own books."""
    account, marks = world.venue.engine.account(world.user), world.venue.engine.marks()
    assert account is not None
    if account.mode == "dexAbstraction":
        return None
    if account.pooled:
        return sum((truncate(held.value(marks), 8) for held in account.parts()), ZERO)
    return sum((truncate(account.dexs[dex].value(marks), 6) for dex in ("xyz", "para")), ZERO)


def _same(world: World) -> bool:
    """A reading shows what is so now: both are asked at one instant."""
    world.trading.housekeeping._apply(world.clock.mono_ms())
    shown, truth = status_of(world)["equity_usd"], _books(world)
    return (None if shown is None else Decimal(shown)) == truth


@pytest.mark.parametrize("mode", SHOWN)
def test_the_worth_is_the_exchange_s_through_fills_funding_and_marks(tmp_path: Path, mode: str) -> None:
    world = _world(tmp_path, mode)
    assert status_of(world)["account_mode"] == SHOWN[mode]
    assert _same(world)
    for coin, side, sz in ((GOLD, Side.BUY, "0.0137"), (AVGO, Side.SELL, "0.31")):
        world.by_hand(coin, side, D(sz))
        assert world.run_until(lambda coin=coin: coin in world.trading.tracker.booked(), 5000)  # type: ignore[misc]
        assert _same(world)
    engine = world.venue.engine
    for px in ("4011.3", "3987.9"):
        engine.set_mark(engine.markets[GOLD], D(px), world.exchange_ms())
        assert _same(world)
    for coin in (GOLD, AVGO):
        engine.markets[coin].funding = D("0.00031")
        world.venue._funding.pay(engine.markets[coin], world.exchange_ms())
        assert _same(world)
    world.by_hand(GOLD, Side.SELL, D("0.0137"))
    assert world.run_until(lambda: GOLD not in world.trading.tracker.booked(), 5000)
    assert _same(world)
    assert world.trading.tracker.totals()[1] > 0


@pytest.mark.parametrize(("before", "after"), [("default", "unifiedAccount"), ("unifiedAccount", "disabled")])
def test_a_switch_makes_it_unknown_until_resume_and_entries_wait_where_a_share_is_the_limit(
    tmp_path: Path, before: str, after: str
) -> None:
    world = _world(tmp_path, before, max_drawdown_pct=D(5), margin="isolated")
    world.by_hand(GOLD, Side.BUY, D("0.0137"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 5000)
    account = world.venue.engine.account(world.user)
    assert account is not None
    assert set_mode(world.venue.engine, account, after, by_agent=False) is None
    assert world.run_until(lambda: status_of(world)["equity_usd"] is None, 70_000)
    world.run(2000)
    shown = status_of(world)
    assert shown["account_mode"] == SHOWN[after]
    assert shown["state"] == "REDUCING"
    assert any("resume" in why for why in shown["reasons"])
    assert not world.latch.tripped
    assert len(world.journal.of("mode_changed")) == 1
    world.restart()
    assert world.run_until(lambda: not world.ready and any("resume" in w for w in status_of(world)["reasons"]), 20_000)
    pause(world.running, "")
    assert world.run_until(lambda: world.ready, 20_000)
    assert _same(world)
    assert not world.latch.tripped


@pytest.mark.parametrize("mode", ["default", "unifiedAccount"])
def test_a_limit_in_percent_trips_exactly_at_its_value(tmp_path: Path, mode: str) -> None:
    world = _world(tmp_path, mode, max_drawdown_pct=D(1), hard_stop_max_loss_usd=D(10_000), hard_stop_flatten=False)
    world.by_hand(GOLD, Side.BUY, D("0.1"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 5000)
    assert world.run_until(lambda: world.trading.risk._drawdown.kept.equity is not None, 5000)
    risk, kept = world.trading.risk, world.trading.risk._drawdown.kept
    value, equity = risk._value(), world.trading.view.equity
    assert value is not None
    assert equity is not None
    assert kept.equity is not None
    limit = kept.equity / 100
    for more, trips in ((D("-0.000001"), False), (D(0), False), (D("0.000001"), True)):
        breach = risk._drawdown.look(kept.peak - limit - more, kept.equity - limit - more, world.exchange_ms())
        assert (breach is not None) is trips
