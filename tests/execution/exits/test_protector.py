"""The stop that stands on the exchange: placed after the first fill, resized, spared, and never closing twice."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hip3.commands.check_trading import margins
from hip3.config.reading import MarketSettings
from hip3.core.ledger import PositionView
from hip3.core.money import bps_of
from hip3.core.order_state import OrderState
from hip3.core.orders import ExitReason, Side
from hip3.errors import PreflightError
from hip3.execution.account_view import AccountView, Liquidation
from hip3.ops.status_text import status_text
from hip3.position.protection import Protection, bounded_bps, decide, liquidation_bps, trigger_px
from hip3.position.tracked import TrackedOrder
from hip3.service.stopping import cancel_entries
from tests.builders import COIN, D, exit_order, spec
from tests.service.apps import status_of
from tests.venue.desk import Desk
from tests.world import World, quiet_world

GOLD, META = "xyz:GOLD", "xyz:META"
"""META is isolated only."""


def _standing(number: int, sz: str, state: OrderState = OrderState.OPEN, side: Side = Side.SELL) -> TrackedOrder:
    tracked = TrackedOrder(exit_order(number, sz=D(sz), side=side, trigger_px=D(3900), exit_reason=None))
    tracked.state, tracked.oid = state, number
    return tracked


def _position(szi: str = "0.012") -> PositionView:
    return PositionView(coin=COIN, szi=D(szi), entry_px=D(4000), entry_ms=0, entry_edge_bps=D(0))


@pytest.mark.parametrize(
    ("position", "standing", "todo"),
    [
        (_position(), [], Protection(place=True)),
        (_position(), [_standing(1, "0.012")], Protection()),
        (_position(), [_standing(1, "0.012", OrderState.SENT)], Protection()),
        (_position(), [_standing(1, "0.006")], Protection(place=True)),  # the old one stays until the new one is there
        (_position(), [_standing(1, "0.006"), _standing(2, "0.012", OrderState.SENT)], Protection()),
        (_position(), [_standing(1, "0.006"), _standing(2, "0.012", OrderState.UNKNOWN)], Protection()),
        (_position(), [_standing(1, "0.006"), _standing(2, "0.012")], Protection(cancel=(1,))),
        (_position(), [_standing(1, "0.012"), _standing(2, "0.012")], Protection(cancel=(1,))),
        (_position("-0.012"), [_standing(1, "0.012")], Protection(place=True)),  # the other side
        (None, [_standing(1, "0.012"), _standing(2, "0.012", OrderState.SENT)], Protection(cancel=(1,))),
    ],
)
def test_what_to_do(position: PositionView | None, standing: list[TrackedOrder], todo: Protection) -> None:
    assert decide(position, standing) == todo


def test_the_trigger_is_the_distance_from_the_entry_rounded_towards_it() -> None:
    assert trigger_px(_position(), D(100), spec()) == D(3960)
    assert trigger_px(_position("-0.012"), D(100), spec()) == D(4040)
    assert trigger_px(_position(), D("33.333"), spec()) == D("3986.7")  # 3986.6668, up


def _world(tmp_path: Path, **settings: Any) -> World:
    """Alone with a stop of 200 bps."""
    return quiet_world(tmp_path, **({"protective_stop_bps": D(200)} | settings))


def _stops(world: World) -> list[dict[str, Any]]:
    return [order for order in world.listed("xyz") if order["isTrigger"]]


def _stop_loss(world: World, coin: str = GOLD) -> Decimal:
    """Where the rule would leave what is held."""
    exiting, position = world.trading.exiting, world.trading.tracker.position(coin)
    assert position is not None
    return exiting._bounded(position, exiting._params[coin]).stop_loss_bps


def test_it_stands_after_the_first_fill_and_follows_the_size(tmp_path: Path) -> None:
    world = _world(tmp_path)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: len(_stops(world)) == 1, 2000)
    stop = _stops(world)[0]
    assert (stop["sz"], stop["side"], stop["reduceOnly"], stop["isPositionTpsl"]) == ("0.01", "A", True, True)
    assert stop["orderType"] == "Stop Market"
    position = world.trading.tracker.position(GOLD)
    assert position is not None
    assert D(stop["triggerPx"]) == trigger_px(position, D(200), world.trading.specs[GOLD])
    world.by_hand(GOLD, Side.BUY, D("0.005"))
    assert world.run_until(lambda: [o["sz"] for o in _stops(world)] == ["0.015"], 5000)
    world.run(3000)
    assert [o["sz"] for o in _stops(world)] == ["0.015"]
    assert world.trading.tracker.ledger().reducing == frozenset()  # it asks for no room and blocks nothing


def test_a_stop_that_the_exchange_has_shrunk_is_not_taken_for_whole(tmp_path: Path) -> None:
    """A quote took half of the position and another gave it back: the stop fitted again, and covered half."""
    world = _world(tmp_path)
    world.by_hand(GOLD, Side.BUY, D("0.02"))
    assert world.run_until(lambda: [o["sz"] for o in _stops(world)] == ["0.02"], 2000)
    world.run(3000)
    world.by_hand(GOLD, Side.SELL, D("0.01"))
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert [o["sz"] for o in _stops(world)] == ["0.01"]
    world.run(5000)
    assert [o["sz"] for o in _stops(world)] == ["0.02"]


def test_a_size_that_changes_all_the_time_makes_no_stop_wait_longer(tmp_path: Path) -> None:
    """Each stop was accepted, and each counted as a try that came to nothing: after ten of them a minute passed."""
    world = _world(tmp_path)
    for _ in range(12):
        world.by_hand(GOLD, Side.BUY, D("0.004"))
        world.run(900)
    held = str(world.exchange_positions()[GOLD])
    assert world.run_until(lambda: held in [o["sz"] for o in _stops(world)], 1500)


def test_it_closes_the_position_while_the_service_is_dead(tmp_path: Path) -> None:
    world = _world(tmp_path)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: len(_stops(world)) == 1, 2000)
    world.cut()
    market = world.venue.engine.markets[GOLD]
    for _ in range(200):  # the mark falls through the trigger
        world.clock.advance(100)
        world.venue.engine.set_mark(market, market.mark * D("0.999"), world.clock.wall_ms())
        if GOLD not in world.exchange_positions():
            break
    assert GOLD not in world.exchange_positions()
    world.restart()
    world.run(3000)
    assert world.trading.tracker.booked() == {}
    assert world.trading.tracker.protective() == {}
    realized, fees, _, _ = world.trading.tracker.totals()
    assert (realized, fees) == world.exchange_totals()


def test_a_local_exit_and_the_stop_never_close_twice(tmp_path: Path) -> None:
    world = _world(tmp_path)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: len(_stops(world)) == 1, 2000)
    world.trading.exiting.request(ExitReason.MANUAL)
    world.tick()  # the exit is on its way; before it arrives the stop fires
    market = world.venue.engine.markets[GOLD]
    world.venue.engine.set_mark(market, D(_stops(world)[0]["triggerPx"]) - 1, world.clock.wall_ms())
    world.run(5000)
    assert world.exchange_positions() == {}
    assert world.trading.tracker.booked() == {}
    assert world.trading.tracker.protective() == {}
    assert not world.trading.tracker.live()
    assert not world.latch.tripped


def test_an_exit_takes_its_stop_with_it(tmp_path: Path) -> None:
    world = _world(tmp_path)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: len(_stops(world)) == 1, 2000)
    world.trading.exiting.request(ExitReason.STOP)
    assert world.run_until(lambda: not world.trading.tracker.live(), 10_000)
    assert (_stops(world), world.exchange_positions()) == ([], {})


@pytest.mark.parametrize("policy", ["reconcile", "cancel_all"])
def test_it_is_spared_by_cancels_and_restarts_while_its_position_stays(tmp_path: Path, policy: str) -> None:
    world = _world(tmp_path, start_policy=policy)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: len(_stops(world)) == 1, 2000)
    oid = _stops(world)[0]["oid"]
    cancel_entries(world.trading, world.clock.wall_ms())
    world.run(1000)
    world.restart()
    assert world.run_until(lambda: world.ready, 10_000)
    world.run(3000)
    assert [o["oid"] for o in _stops(world)] == [oid]  # the very same one
    assert [t.oid for t in world.trading.tracker.protective()[GOLD]] == [oid]


def test_without_intents_the_stop_that_stands_is_adopted(tmp_path: Path) -> None:
    world = _world(tmp_path)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: len(_stops(world)) == 1, 2000)
    oid = _stops(world)[0]["oid"]
    world.intents.open.clear()
    world.journal.kept.clear()
    world.restart()
    assert world.run_until(lambda: world.ready, 10_000)
    world.run(3000)
    assert [o["oid"] for o in _stops(world)] == [oid]
    assert [t.oid for t in world.trading.tracker.protective()[GOLD]] == [oid]
    assert not world.journal.of("second_instance")


def test_a_mark_beyond_the_stop_is_an_exit_at_once(tmp_path: Path) -> None:
    world = _world(tmp_path, protective_stop_bps=D(1))
    oracle = world.venue.engine.markets[GOLD].oracle
    world.by_hand(GOLD, Side.BUY, D("0.01"), px=D(round(oracle * D("1.02"))))
    market = world.venue.engine.markets[GOLD]
    market.mark = market.mark * D("0.99")
    world.run(4000)
    assert world.exchange_positions() == {}
    reasons = {f["order"].exit_reason for f in world.journal.of("exit")}
    assert reasons <= {ExitReason.STOP_LOSS}


@pytest.mark.parametrize("szi", ["0.012", "-0.012"])
def test_a_stop_is_drawn_nearer_than_the_liquidation_price(szi: str) -> None:
    position = _position(szi)
    sign = 1 if position.szi > 0 else -1
    beyond = position.entry_px * (1 - sign * D("0.02"))
    assert bounded_bps(position, D(300), beyond) == 200 * D("0.8")
    assert bounded_bps(position, D(100), beyond) == 100
    assert bounded_bps(position, D(300), None) == 300
    other = position.entry_px * (1 + sign * D("0.02"))  # of the position before it turned
    assert bounded_bps(position, D(300), other) == 300


def test_a_liquidation_price_is_of_the_position_that_was_read() -> None:
    position, view = _position(), AccountView()
    assert view.liquidation_px(position) is None
    sign = 1 if position.szi > 0 else -1
    beyond, within = position.entry_px * (1 - sign * D("0.02")), position.entry_px * (1 + sign * D("0.02"))
    told = [
        (Liquidation(beyond, position.entry_ms), beyond), (Liquidation(beyond, position.entry_ms - 1), None),
        (Liquidation(within, position.entry_ms + 1), None),
    ]  # fmt: skip
    for read, px in told:
        view.take({}, {position.coin: read}, {}, 0)
        assert view.liquidation_px(position) == px


def test_the_liquidation_distance_is_the_exchange_s_own(tmp_path: Path) -> None:
    """Of an isolated position, by leverage alone, and as the exchange shows it."""
    world = quiet_world(tmp_path)
    world.isolate(GOLD)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    world.run(500)
    world.trading.view.doubt()
    assert world.run_until(lambda: GOLD in world.trading.view.liquidations, 5000)
    position, spec = world.trading.tracker.position(GOLD), world.trading.specs[GOLD]
    assert position is not None
    state = world.rest.info_json({"type": "clearinghouseState", "user": world.user, "dex": "xyz"})
    leverage = state["assetPositions"][0]["position"]["leverage"]["value"]
    shown = bps_of(position.entry_px - world.trading.view.liquidations[GOLD].px, position.entry_px)
    assert abs(shown - liquidation_bps(leverage, spec.max_leverage, long=True)) < 3


def test_a_stop_beyond_the_liquidation_price_is_placed_nearer_and_told(tmp_path: Path) -> None:
    world = _world(tmp_path, protective_stop_bps=D(1000))
    world.isolate(GOLD)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: len(_stops(world)) == 1, 2000)
    world.trading.view.doubt()
    world.run(5000)
    liquidation = world.trading.view.liquidations[GOLD].px
    assert D(_stops(world)[0]["triggerPx"]) > liquidation
    assert [f["coin"] for f in world.journal.of("stop_nearer")] == [GOLD]


def test_a_reading_of_the_position_before_says_nothing_of_this_one(tmp_path: Path) -> None:
    """Its room was another: a stop by it lay beyond the price at which this one is liquidated."""
    world = _world(tmp_path, protective_stop_bps=D(1000))
    view = world.trading.view
    view.take({}, {META: Liquidation(D(100), world.clock.wall_ms())}, {}, world.clock.mono_ms())
    world.run(100)
    world.by_hand(META, Side.BUY, D("0.1"))
    assert world.run_until(lambda: len(_stops(world)) == 1, 2000)
    first, position = _stops(world)[0], world.trading.tracker.position(META)
    assert position is not None
    assert view.liquidation_px(position) is None
    view.doubt()
    world.run(5000)
    assert view.liquidation_px(position) == view.liquidations[META].px
    assert _stops(world) == [first]


def test_a_market_that_is_told_no_context_has_its_stop_by_the_mark_that_was_read(tmp_path: Path) -> None:
    """What was held as the stream of contexts died stood without a stop for as long as that lasted."""
    world = _world(tmp_path, markets=f"{GOLD},xyz:NVDA")
    world.filter_frame = lambda text: [] if GOLD in text and text.startswith('{"channel":"activeAssetCtx"') else [text]
    world.restart()
    world.run(1000)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 20_000)
    world.trading.view.doubt()
    assert world.run_until(lambda: len(_stops(world)) == 1, 10_000)


def test_a_stop_that_a_reading_shows_beyond_the_liquidation_price_is_replaced() -> None:
    position = _position()
    stop = _standing(1, "0.012")
    assert stop.order.trigger_px is not None
    assert decide(position, [stop], stop.order.trigger_px - 1) == Protection()
    assert decide(position, [stop], stop.order.trigger_px + 1) == Protection(place=True)


def test_a_stop_loss_beyond_the_liquidation_price_is_drawn_nearer(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, stop_loss_bps=D(1000), margin="isolated")
    world.isolate(GOLD)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 2000)
    assert _stop_loss(world) < 500


def test_a_stop_loss_follows_what_the_exchange_shows(tmp_path: Path) -> None:
    """A person raises the leverage of what is held: the stop loss of the start lay beyond its new liquidation price."""
    world = quiet_world(tmp_path, stop_loss_bps=D(1500), margin="isolated", leverage=3)
    assert world.run_until(lambda: not world.trading.blocked, 10_000)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 2000)
    assert _stop_loss(world) == 1500
    world.sign({"type": "updateLeverage", "asset": 110003, "isCross": False, "leverage": 25})
    taken = {"type": "updateIsolatedMargin", "asset": 110003, "isBuy": True, "ntli": -9_000_000}
    assert world.sign(taken)["status"] == "ok"
    world.trading.view.doubt()
    world.run(5000)
    assert _stop_loss(world) < 900
    world.venue.move(GOLD, world.venue.engine.markets[GOLD].oracle * D("0.925"), world.exchange_ms())
    assert world.run_until(lambda: not world.exchange_positions(), 5000)
    assert not world.journal.of("forced_fill")


def test_what_was_cross_at_the_start_has_no_liquidation_price_of_its_own(tmp_path: Path) -> None:
    """It was taken for isolated, its stop was drawn nearer, and people were told of a price that there is not."""
    world = quiet_world(tmp_path, markets=GOLD)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 2000)
    base = world.settings.base
    bps = D(1000)
    wished = msgspec.structs.replace(base, margin="isolated", protective_stop_bps=bps, stop_loss_bps=bps)
    world.settings = MarketSettings(wished)
    world.restart()
    assert world.run_until(lambda: len(_stops(world)) == 1, 10_000)
    position = world.trading.tracker.position(GOLD)
    assert position is not None
    assert D(_stops(world)[0]["triggerPx"]) == trigger_px(position, bps, world.trading.specs[GOLD])
    assert not world.journal.of("stop_nearer")
    assert _stop_loss(world) == 1000
    assert "cross margin: a loss is paid by all" in status_text(status_of(world))


def test_a_leverage_beyond_the_market_s_leaves_the_stop_loss_where_it_is(tmp_path: Path) -> None:
    """Of 60x the room was less than nothing, and the stop loss was off."""
    world = quiet_world(tmp_path, markets=GOLD, stop_loss_bps=D(100))
    world.isolate(GOLD)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 2000)
    world.settings = MarketSettings(msgspec.structs.replace(world.settings.base, margin="isolated", leverage=60))
    world.restart()
    assert world.run_until(lambda: world.ready, 10_000)
    assert _stop_loss(world) == 100
    with pytest.raises(PreflightError, match="more than the market's 25x"):
        margins(world.settings, world.trading.specs)


@pytest.mark.parametrize(("leverage", "most"), [(3, 3), (4, 4), (3, 5), (20, 25)])
@pytest.mark.parametrize("side", Side)
def test_a_side_s_room_is_the_exchange_s(leverage: int, most: int, side: Side) -> None:
    desk = Desk()
    market = desk.venue.engine.markets[GOLD]
    market.info = market.info._replace(max_leverage=most)
    one, two = desk.key(1, "100000"), desk.key(2, "100000")
    desk.isolate(one, two, leverage=leverage)
    desk.trade(*((one, two) if side.is_buy else (two, one)), "1")
    (held,) = desk.info("clearinghouseState", user=one.address, dex="xyz")["assetPositions"]
    away = bps_of(D(held["position"]["liquidationPx"]) - 4000, D(4000))
    assert abs(abs(away) - liquidation_bps(leverage, most, long=side.is_buy)) < 3


def test_an_entry_of_a_few_ticks_has_no_stop_and_ends_no_thread(tmp_path: Path) -> None:
    world = _world(tmp_path, protective_stop_bps=D(9000), margin="keep")
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 3000)
    holding = world.trading.tracker._holdings[GOLD]
    holding.entry_px = D("0.00001")
    for _ in range(3):
        world.tick()
        world.run(1000)
    assert world.ready


def test_a_market_that_is_set_isolated_after_the_start_has_an_isolated_one_s_room(tmp_path: Path) -> None:
    """The start finds it cross; it is set before its first entry, whose stop no reading of the position bounds yet."""
    coin = "xyz:XYZ100"
    world = quiet_world(
        tmp_path, markets=coin, margin="isolated", leverage=30, protective_stop_bps=D(300), stop_loss_bps=D(1000)
    )
    assert world.run_until(lambda: not world.trading.blocked, 10_000)
    spec = world.trading.specs[coin]
    assert not spec.isolated_only
    assert spec.max_leverage is not None
    room = liquidation_bps(30, spec.max_leverage, long=True)
    assert room < 300
    world.by_hand(coin, Side.BUY, D("0.002"))
    assert world.run_until(lambda: len(_stops(world)) == 1, 2000)
    position = world.trading.tracker.position(coin)
    assert position is not None
    assert coin not in world.trading.view.liquidations
    assert bps_of(position.entry_px - D(_stops(world)[0]["triggerPx"]), position.entry_px) < room
    assert _stop_loss(world, coin) < room


def test_a_market_that_stays_cross_has_no_room_of_its_own(tmp_path: Path) -> None:
    coin = "xyz:XYZ100"
    world = quiet_world(tmp_path, markets=coin, margin="keep", leverage=30, stop_loss_bps=D(1000))
    world.by_hand(coin, Side.BUY, D("0.002"))
    assert world.run_until(lambda: coin in world.trading.tracker.booked(), 2000)
    assert _stop_loss(world, coin) == 1000
