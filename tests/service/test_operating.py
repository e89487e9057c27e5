"""`cancel-all` and `flatten` through the running service's core: what they end, what they leave, what they say."""

from copy import copy
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from hip3.config.reading import MarketSettings
from hip3.core.money import taker_price
from hip3.core.order_state import OrderState
from hip3.core.orders import ExitReason, PendingOrder, Side, Tif
from hip3.execution.exits.exiting import reopen
from hip3.service.operating import CancelAll, Flatten, Operation
from tests.service.apps import status_of
from tests.world import World, quiet_world

D = Decimal
GOLD, TSLA, NVDA = "xyz:GOLD", "xyz:TSLA", "xyz:NVDA"


def _run(world: World, operation: Operation) -> dict[str, Any]:
    """Poll it like the control thread until it answers."""
    answers: list[dict[str, Any]] = []

    def polled() -> bool:
        answer = operation.poll()
        if answer is not None:
            answers.append(answer)
        return bool(answers)

    assert world.run_until(polled, 60_000, step_ms=50)
    return answers[0]


def _stop_order(world: World, coin: str) -> int:
    """A protective stop of somebody else's making; its order id."""
    spec = world.trading.specs[coin]
    trigger = (world.venue.engine.markets[coin].oracle * D("0.8")).quantize(D(1))
    answer = world.by_hand(
        coin, Side.SELL, D("0.01"), px=trigger, tif=Tif.GTC, trigger_px=trigger, reduce_only=True
    )  # fmt: skip
    assert spec.coin == coin
    return int(answer["resting"]["oid"])


def _resting(world: World, coin: str) -> int:
    """Somebody else's buy far below the market; its order id."""
    px = (world.venue.engine.markets[coin].oracle * D("0.9")).quantize(D(1))
    return int(world.by_hand(coin, Side.BUY, D("0.2"), px=px, tif=Tif.GTC)["resting"]["oid"])


def _oids(world: World) -> set[int]:
    return {o["oid"] for o in world.listed("xyz", "para")}


def _unconfigured(world: World) -> None:
    """From here on the service of this world is configured for one market only."""
    base = msgspec.structs.replace(world.settings.base, markets=GOLD, dex="xyz,para")
    world.settings = MarketSettings(base)
    world.restart()
    assert world.run_until(lambda: world.ready, 20_000)


def test_cancel_all_ends_every_order_whoever_placed_it_but_the_stops_of_positions_that_stay(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    kept, foreign = _stop_order(world, GOLD), _resting(world, TSLA)
    other = _resting(world, NVDA)
    _unconfigured(world)
    assert {kept, foreign, other} <= _oids(world)
    answer = _run(world, CancelAll(world.running))
    assert answer["code"] == 0
    assert _oids(world) == {kept}
    assert str(foreign) in answer["before"]
    assert str(other) in answer["before"]
    assert str(foreign) not in answer["proof"]
    assert f"{GOLD} 0.01" in answer["proof"]  # the position stays, and is named
    assert world.exchange_positions() == {GOLD: D("0.01")}


def test_flatten_closes_everything_also_what_is_only_watched_and_what_is_not_configured(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, foreign_positions="watch")
    for coin in (GOLD, TSLA):
        world.by_hand(coin, Side.BUY, D("0.05"))
    _unconfigured(world)
    assert world.run_until(lambda: len(world.trading.tracker.booked()) == 2, 10_000)
    answer = _run(world, Flatten(world.running, None))
    assert answer["code"] == 0
    assert "positions" in answer["before"]
    assert answer["proof"].startswith("flat, no open orders, 0 unknown")
    assert world.exchange_positions() == {}
    assert {f["order"].exit_reason for f in world.journal.of("exit")} == {ExitReason.MANUAL}


def test_flatten_of_one_market_leaves_the_others_and_their_entries(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    for coin in (GOLD, TSLA):
        world.by_hand(coin, Side.BUY, D("0.05"))
    world.run(500)
    answer = _run(world, Flatten(world.running, GOLD))
    assert answer["code"] == 0
    assert set(world.exchange_positions()) == {TSLA}
    assert TSLA in answer["proof"]
    assert "nothing" not in answer
    assert _run(world, Flatten(world.running, GOLD))["nothing"] == f"{GOLD}: nothing to close"
    closed = status_of(world)["closed_ms"]
    assert set(closed) == {GOLD}
    assert 50_000 < closed[GOLD] <= 60_000
    assert set(world.journal.kept["closed"]) == {GOLD}


def test_a_market_that_was_flattened_takes_no_entry_for_a_minute_and_then_does(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, min_holding_ms=10_000_000, time_stop_ms=2000)
    assert world.run_until(lambda: world.ready, 8000)
    assert _run(world, Flatten(world.running, None))["code"] == 0
    sent = len([o for o in world.intents.placed if not o.reduce_only])
    began = world.clock.mono_ms()
    closed = world.trading.exits.closed(began)
    assert set(closed) >= set(world.trading.specs)
    world.run(min(closed.values()) - 20)
    refused = {getattr(f["verdict"], "gate", None) for f in world.journal.of("signal")}
    assert "FlattenInProgress" in refused
    assert len([o for o in world.intents.placed if not o.reduce_only]) == sent
    assert world.run_until(lambda: len([o for o in world.intents.placed if not o.reduce_only]) > sent, 60_000)


def test_a_start_within_the_minute_keeps_the_market_closed_and_a_clock_set_back_does_not_keep_it_longer(
    tmp_path: Path,
) -> None:
    world = quiet_world(tmp_path)
    until = world.clock.wall_ms() + 45_000
    reopen(world.trading.exits, {GOLD: until, TSLA: until - 50_000}, world.clock)
    world.clock.step_wall(-3_600_000)
    reopen(world.trading.exits, {NVDA: until}, world.clock)
    assert world.trading.exits.closed(world.clock.mono_ms()) == {GOLD: 45_000, NVDA: 60_000}


def test_an_entry_that_is_queued_when_its_market_is_flattened_dies(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    assert world.run_until(lambda: world.ready, 8000)
    world.sender.connected = False  # nothing leaves for a moment
    assert world.run_until(lambda: world.trading.scheduler.counts()[2] > 0, 30_000)
    flatten = Flatten(world.running, None)
    assert flatten.poll() is None
    assert world.trading.scheduler.counts()[2] == 0
    assert not world.trading.tracker.live()
    world.sender.connected = True
    assert _run(world, flatten)["code"] == 0


def test_both_work_with_the_latch_tripped(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    world.by_hand(GOLD, Side.BUY, D("0.05"))
    oid = _resting(world, TSLA)
    world.latch.trip("manual", "by the test", world.clock.wall_ms())
    world.run(500)
    assert _run(world, CancelAll(world.running))["code"] == 0
    assert oid not in _oids(world)
    assert _run(world, Flatten(world.running, None))["code"] == 0
    assert world.exchange_positions() == {}


def test_an_exchange_that_refuses_is_8_with_the_name_of_what_is_open_and_the_price_got_worse(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    world.by_hand(GOLD, Side.BUY, D("0.05"))
    world.run(500)
    world.venue.engine.markets[GOLD].halted = True
    answer = _run(world, Flatten(world.running, GOLD, timeout_ms=5000))
    assert answer["code"] == 8
    assert f"{GOLD} 0.05" in answer["proof"]
    prices = [f["order"].px for f in world.journal.of("exit")]
    assert len(prices) > 2
    assert min(prices) < prices[0]


@pytest.mark.parametrize("failing", ["frontendOpenOrders", "*"])
def test_an_exchange_that_cannot_be_read_is_5_and_proves_nothing(tmp_path: Path, failing: str) -> None:
    world = quiet_world(tmp_path)
    world.rest.failing |= {failing, "frontendOpenOrders"}
    answer = _run(world, CancelAll(world.running, timeout_ms=2000))
    assert answer["code"] == 5
    assert "not proved" in answer["proof"]


def test_where_positions_cannot_be_read_no_protection_is_taken_away(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    kept, foreign = _stop_order(world, GOLD), _resting(world, TSLA)
    world.rest.failing |= {"clearinghouseState", "userFills"}
    assert _run(world, CancelAll(world.running, timeout_ms=3000))["code"] == 5, "nothing is proved"
    assert kept in _oids(world)
    assert foreign not in _oids(world)


def test_a_market_that_does_not_exist_a_start_that_hangs_and_observe_are_named(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    app = copy(world.running)
    assert _run(world, Flatten(app, "xyz:GOLDD"))["code"] == 2
    app.trading = None
    assert _run(world, CancelAll(app, timeout_ms=100))["code"] == 5
    app.trading = SimpleNamespace(loop=None)
    assert _run(world, CancelAll(app))["code"] == 2


def _wish(world: World, coin: str, *, resting: bool) -> PendingOrder:
    """An entry of ours: queued, or resting far below the market."""
    view, spec = world.trading.market_state.view(coin), world.trading.specs[coin]
    assert view is not None
    assert view.ask is not None
    px = taker_price(view.ask.px * (D("0.9") if resting else D("1.01")), spec.sz_decimals, is_buy=True)
    assert world.trading.executor is not None
    wished = PendingOrder(
        cloid=world.trading.executor._cloids.next(), coin=coin, side=Side.BUY, px=px, sz=D("0.2"), reduce_only=False,
        created_ms=world.clock.wall_ms(), tif=Tif.GTC if resting else Tif.IOC, epoch=world.trading.link.generation,
        admission_px=px, touch_px=view.ask.px,
    )  # fmt: skip
    world.trading.tracker.admit(wished, lambda ledger, w: w)
    world.trading.scheduler.enqueue_new(wished, 0)
    return wished


def test_flatten_ends_a_resting_entry_of_ours_and_leaves_other_markets_theirs(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    orders = [_wish(world, coin, resting=True) for coin in (TSLA, NVDA)]
    assert world.run_until(lambda: len(world.trading.tracker.live(OrderState.OPEN)) == 2, 5000)
    assert _run(world, Flatten(world.running, TSLA))["code"] == 0
    assert [t.order.cloid for t in world.trading.tracker.live()] == [orders[1].cloid]


def test_a_closed_market_takes_no_entry_at_the_last_look_either(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    world.trading.exits.close([TSLA], world.clock.mono_ms() + 1000)
    closed, other = _wish(world, TSLA, resting=False), _wish(world, NVDA, resting=False)
    world.run(200)
    tracked = [world.trading.tracker.get(o.cloid) for o in (closed, other)]
    assert [t.state for t in tracked if t is not None] == [OrderState.DROPPED, OrderState.FILLED]


def test_a_position_that_our_books_do_not_know_is_found_and_closed(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    world.run(3000)
    hidden = ('{"channel":"userFills"', '{"channel":"orderUpdates"')
    world.filter_frame = lambda text: [] if text.startswith(hidden) else [text]
    world.by_hand(GOLD, Side.BUY, D("0.05"))
    world.run(200)
    assert not world.trading.tracker.positions()
    world.filter_frame = lambda text: [text]
    answer = _run(world, Flatten(world.running, None, timeout_ms=15_000))
    assert answer["code"] == 0
    assert GOLD in answer["before"]
    assert world.exchange_positions() == {}
