"""Whose a position is, and what becomes of it: ours is left wherever it stands, others' are watched."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hip3.config.reading import MarketSettings
from hip3.core.orders import RUN_TAG, ExitReason, Side
from hip3.errors import VenueReadError
from hip3.service.alerting import found
from hip3.service.stop_wish import StopMode
from hip3.service.stopping import Stopper
from tests.service.apps import status_of
from tests.world import World, quiet_world

D = Decimal
GOLD, TSLA, AVGO = "xyz:GOLD", "xyz:TSLA", "para:AVGO"
OURS = f"0x{RUN_TAG}" + "1" * 24


def _settings(world: World, **changes: Any) -> None:
    """What the next process is started with."""
    world.settings = MarketSettings(msgspec.structs.replace(world.settings.base, **changes))


@pytest.mark.parametrize("coin", [TSLA, AVGO])
def test_a_position_of_ours_in_a_market_that_is_configured_no_more_is_left(tmp_path: Path, coin: str) -> None:
    world = quiet_world(tmp_path, markets=f"{GOLD},{TSLA},{AVGO}", foreign_positions="watch")
    world.by_hand(coin, Side.BUY, D("0.1"), cloid=OURS)
    assert world.run_until(lambda: coin in world.trading.tracker.booked(), 3000)
    world.cut()
    _settings(world, markets=GOLD, time_stop_ms=2000)
    world.restart()
    assert [f["coin"] for f in world.journal.of("orphan")] == [coin]
    assert coin in status_of(world)["blocked"]
    assert world.run_until(lambda: coin not in world.exchange_positions(), 10_000)
    assert [f["order"].exit_reason for f in world.journal.of("exit")] == [ExitReason.TIME_STOP]


def test_a_position_of_others_in_a_market_that_is_not_configured_is_none_of_ours(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, markets=f"{GOLD},{TSLA}", foreign_positions="watch")
    world.by_hand(TSLA, Side.BUY, D("0.1"))
    assert world.run_until(lambda: TSLA in world.trading.tracker.booked(), 3000)
    world.cut()
    _settings(world, markets=GOLD, time_stop_ms=2000)
    world.restart()
    world.run(6000)
    assert not world.journal.of("orphan")
    assert TSLA in world.exchange_positions()


def _stop(world: World, mode: StopMode) -> Any:
    """Stopped as asked: the steps of the world stand for the threads that would go on meanwhile."""
    stopper = Stopper(world.running, world.trading, mode, 10_000)
    stopper._running.runtime.event = lambda: _Steps(world)  # type: ignore[method-assign,assignment,return-value]
    return stopper.run()


class _Steps:
    def __init__(self, world: World) -> None:
        self._world = world

    def wait(self, seconds: float) -> None:
        self._world.run(int(seconds * 1000))


def test_a_stop_with_flatten_closes_what_is_ours_and_leaves_what_is_watched(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, foreign_positions="watch")
    world.by_hand(TSLA, Side.BUY, D("0.1"))
    world.by_hand(GOLD, Side.BUY, D("0.01"), cloid=OURS)
    assert world.run_until(lambda: len(world.trading.tracker.booked()) == 2, 3000)
    outcome = _stop(world, StopMode.FLATTEN)
    assert outcome.clean
    assert set(world.exchange_positions()) == {TSLA}
    assert f"{TSLA} 0.1 WITHOUT a stop on the exchange" in outcome.sentence


@pytest.mark.parametrize("mode", [StopMode.LEAVE, StopMode.CANCEL])
def test_a_stop_that_could_not_ask_the_exchange_is_not_as_asked(tmp_path: Path, mode: StopMode) -> None:
    world = quiet_world(tmp_path)
    world.rest.failing.add("clearinghouseState")
    world.rest.failing.add("userFills")
    assert not _stop(world, mode).clean


def test_a_stop_names_the_stop_of_what_it_leaves(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, protective_stop_bps=D(200))
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: any(t.oid for t in world.trading.tracker.protective().get(GOLD, [])), 5000)
    outcome = _stop(world, StopMode.CANCEL)
    assert outcome.clean
    assert f"{GOLD} 0.01 with a stop at 39" in outcome.sentence


def test_a_stop_says_what_it_leaves_to_nobody_and_how_it_is_closed(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, foreign_positions="watch", protective_stop_bps=D(0))
    world.by_hand(TSLA, Side.BUY, D("0.1"))
    world.by_hand(GOLD, Side.BUY, D("0.01"), cloid=OURS)
    assert world.run_until(lambda: len(world.trading.tracker.booked()) == 2, 3000)
    outcome = _stop(world, StopMode.CANCEL)
    assert (outcome.clean, outcome.bare) == (True, (GOLD,)), "what is watched is others' to look after"
    assert "./run.sh flatten" in outcome.sentence
    protected = quiet_world(tmp_path / "b", protective_stop_bps=D(200))
    protected.by_hand(GOLD, Side.BUY, D("0.01"))
    assert protected.run_until(lambda: bool(protected.listed("xyz")), 5000)
    assert _stop(protected, StopMode.CANCEL).bare == ()


def test_a_start_says_whose_the_positions_are_that_it_found(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, foreign_positions="watch")
    world.by_hand(TSLA, Side.BUY, D("0.1"))
    world.by_hand(GOLD, Side.BUY, D("0.01"), cloid=OURS)
    assert world.run_until(lambda: len(world.trading.tracker.booked()) == 2, 3000)
    assert found(status_of(world)).startswith(
        f"READY: {GOLD} 0.01, {TSLA} 0.1 (opened by others: watched, never touched)"
    )


def test_a_market_in_which_no_order_fits_its_limit_says_so(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, max_notional_per_market=D(12), max_notional_total=D(12))
    coin = "xyz:XYZ100"
    assert world.run_until(lambda: world.trading.market_state.view(coin) is not None, 3000)
    sentences = status_of(world)["flags"]
    assert [s for s in sentences if s.startswith(coin) and "no entry is possible" in s]
    assert not [s for s in sentences if s.startswith("xyz:NVDA")]


# A start of which a part cannot be read.


def _unreadable(world: World, *dexs: str, also: tuple[str, ...] = ()) -> None:
    """The state of these dexs answers nothing, until the returned is undone."""
    honest = type(world.rest).info_json.__get__(world.rest)

    def info_json(request: dict[str, Any]) -> Any:
        if request["type"] in also or (request["type"] == "clearinghouseState" and request["dex"] in dexs):
            raise VenueReadError("/info: HTTP 500: null")
        return honest(request)

    world.rest.info_json = info_json  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("dexs", "also"),
    [(("para",), ()), (("xyz",), ()), (("xyz", "para"), ("activeAssetData", "userAbstraction", "userRole"))],
)
def test_a_start_leaves_a_position_while_a_part_of_the_account_cannot_be_read(
    tmp_path: Path, dexs: tuple[str, ...], also: tuple[str, ...]
) -> None:
    world = quiet_world(tmp_path, markets=f"{GOLD},{AVGO}", on_disk=True, time_stop_ms=3000)
    world.by_hand(GOLD, Side.BUY, D("0.01"), cloid=OURS)
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 3000)
    world.run(100)
    _unreadable(world, *dexs, also=also)
    world.restart()
    assert world.run_until(lambda: GOLD not in world.exchange_positions(), 15_000)
    assert not world.ready
    world.rest.info_json = type(world.rest).info_json.__get__(world.rest)  # type: ignore[method-assign]
    assert world.run_until(lambda: world.ready, 30_000)
    assert world.trading.view.mode == "standard"


def test_what_only_the_journal_knows_is_left_too(tmp_path: Path) -> None:
    """Two thousand later fills of another market hide the one that opened the position."""
    world = quiet_world(tmp_path, markets=f"{GOLD},{AVGO}", on_disk=True, time_stop_ms=3000)
    world.by_hand(GOLD, Side.BUY, D("0.01"), cloid=OURS)
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 3000)
    world.run(1500)
    _unreadable(world, "xyz")
    info = world.rest.info
    world.rest.info = lambda request: b"[]" if "userFills" in request["type"] else info(request)  # type: ignore[method-assign]
    world.restart()
    world.rest.info = info  # type: ignore[method-assign]
    assert world.run_until(lambda: GOLD not in world.exchange_positions(), 15_000)


def test_a_start_with_nothing_to_leave_waits_for_the_whole_account(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, markets=f"{GOLD},{AVGO}", on_disk=True)
    _unreadable(world, "para")
    with pytest.raises(VenueReadError):
        world.restart()


def test_the_status_shows_whose_orders_and_positions_there_are_and_what_backs_them(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, foreign_positions="watch")
    world.isolate(TSLA, GOLD)
    world.by_hand(TSLA, Side.BUY, D("0.1"))
    world.by_hand(GOLD, Side.BUY, D("0.01"), cloid=OURS)
    oid = world.rest_by_hand(GOLD)
    world.run(500)
    world.trading.view.doubt()
    world.run(4000)
    status = status_of(world)
    assert status["orders"]["foreign"] == 1
    (order,) = status["foreign_orders"]
    assert (order["market"], order["side"], order["oid"]) == (GOLD, "buy", oid)
    assert (status["account_mode"], float(status["equity_usd"]) > 900) == ("standard", True)
    owners = {p["market"]: (p["owner"], p["margin"]) for p in status["positions"]}
    assert owners == {TSLA: ("foreign", "isolated"), GOLD: ("take", "isolated")}
    assert all(p["liquidation_px"] for p in status["positions"])
