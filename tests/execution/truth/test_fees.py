"""What fills cost is held against what is assumed: a difference closes the market until a person takes it."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hip3.core.orders import Side
from hip3.execution.truth.fees import FeeWatch
from hip3.venue.setup.settings import VenueSetup, load_setup
from tests.builders import COIN, D, fill, spec
from tests.world import World

GOLD, NVDA = "xyz:GOLD", "xyz:NVDA"
OURS = "0x68697033" + "c" * 24
NOTIONAL = fill().px * fill().sz


def _told(taken: Any, **market: Any) -> list[tuple[str, bool, Decimal, Decimal]]:
    out: list[tuple[str, bool, Decimal, Decimal]] = []
    FeeWatch({COIN: spec(**market)}, lambda *told: out.append(told)).look(taken)
    return out


@pytest.mark.parametrize("bps", ["9", "0.9", "27", "8.991"])
@pytest.mark.parametrize("cut", [True, False])
def test_the_assumed_fee_is_none_of_the_news(bps: str, cut: bool) -> None:
    exact = NOTIONAL * D(bps) / 10_000
    assert not _told(fill(fee=exact.quantize(D("0.000001"), "ROUND_DOWN") if cut else exact), taker_fee_bps=D(bps))


@pytest.mark.parametrize(
    ("paid", "assumed"), [("27", "9"), ("9", "27"), ("9", "8.9"), ("0.9", "9"), ("0", "9"), ("-0.2", "9")]
)
def test_another_fee_is_told_with_what_it_was(paid: str, assumed: str) -> None:
    (found,) = _told(fill(fee=NOTIONAL * D(paid) / 10_000), taker_fee_bps=D(assumed))
    assert found == (COIN, True, D(assumed), D(paid))


def test_resting_fills_go_by_the_maker_rate_and_a_rate_that_nobody_told_judges_nothing() -> None:
    rested = fill(crossed=False, fee=NOTIONAL * D("3") / 10_000)
    assert not _told(rested, maker_fee_bps=D(3))
    assert not _told(rested, maker_fee_bps=None)
    assert _told(rested, maker_fee_bps=D(-1)) == [(COIN, False, D(-1), D(3))]


def test_what_the_exchange_closes_and_markets_that_are_not_ours_are_not_judged() -> None:
    assert not _told(fill(fee=D(0), liquidation=True))
    assert not _told(fill(fee=D(0), coin="xyz:OTHER"))


def test_growth_volume_counts_a_tenth_in_the_address_budget() -> None:
    watch = FeeWatch({COIN: spec(growth=True)}, lambda *_: None)
    assert watch.credit(fill()) == NOTIONAL / 10
    assert watch.credit(fill(coin="xyz:OTHER")) == NOTIONAL


def _setup(scale: str, *, growth: bool) -> VenueSetup:
    built_in = load_setup()
    markets = [
        msgspec.structs.replace(m, fee_scale=D(scale), growth=growth) if m.coin == GOLD else m for m in built_in.markets
    ]
    return msgspec.structs.replace(built_in, markets=markets)


def _world(tmp_path: Path, **more: Any) -> World:
    world = World(tmp_path, seed=1, markets=f"{GOLD},{NVDA}", **more)
    assert world.run_until(lambda: world.ready, 10_000)
    return world


def _lie(world: World, factor: str) -> None:
    """From now on the exchange takes another fee than it tells."""
    honest = world.venue.engine.fee_rate

    def fee_rate(account: Any, market: Any, now_ms: int, *, crossed: bool) -> Decimal:
        rate = honest(account, market, now_ms, crossed=crossed)
        return rate * D(factor) if market.info.coin == GOLD and not account.is_agent else rate

    world.venue.engine.fee_rate = fee_rate  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("scale", "growth", "bps"), [("3", False, "27"), ("9.99", True, "8.991"), ("0.5", False, "6.75")]
)
def test_the_books_are_right_at_any_scale_and_nothing_trips(tmp_path: Path, scale: str, growth: bool, bps: str) -> None:
    world = _world(tmp_path, setup=_setup(scale, growth=growth), foreign_positions="manage", time_stop_ms=500)
    assert world.trading.specs[GOLD].taker_fee_bps == D(bps)
    assert world.trading.detector._params[GOLD].cost_bps == 2 * D(bps) + 7
    world.by_hand(GOLD, Side.BUY, D("0.01"), cloid=OURS)
    assert world.run_until(lambda: bool(world.journal.of("round_trip")), 20_000)
    world.run(1000)
    account = world.venue.engine.account(world.user)
    assert account is not None
    fees = sum((D(f["fee"]) for f in account.fills), D(0))
    realized = sum((D(f["closedPnl"]) for f in account.fills), D(0))
    assert world.trading.tracker.totals()[:2] == (realized, fees)
    assert GOLD not in world.trading.blocked


@pytest.mark.parametrize("factor", ["3", "0.5"])
def test_a_fee_that_differs_closes_its_market_until_a_person_takes_it(tmp_path: Path, factor: str) -> None:
    world = _world(tmp_path, foreign_positions="manage", time_stop_ms=500)
    cost = world.trading.detector._params[GOLD].cost_bps
    _lie(world, factor)
    world.by_hand(GOLD, Side.BUY, D("0.01"), cloid=OURS)
    assert world.run_until(lambda: GOLD in world.trading.blocked, 3000)
    assert "not 9.0000" in world.trading.blocked[GOLD]
    assert NVDA not in world.trading.blocked
    assert [f["coin"] for f in world.journal.of("market_blocked")] == [GOLD]
    assert world.run_until(lambda: GOLD not in world.trading.tracker.booked(), 20_000), "it is left all the same"
    world.run(65_000, 50)
    assert GOLD in world.trading.blocked, "no reading opens it"
    told = world.trading.markets.approve(GOLD)
    assert f"a taker leg costs {D(factor) * 9:f}"[:24] in told
    assert GOLD not in world.trading.blocked
    assert abs(world.trading.detector._params[GOLD].cost_bps - cost - 18 * (D(factor) - 1)) < D("0.01")
    world.by_hand(GOLD, Side.BUY, D("0.01"), cloid=OURS.replace("c", "d"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 3000)
    world.run(3000)
    assert GOLD not in world.trading.blocked
