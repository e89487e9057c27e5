"""Orders whose fate is open, several at once: what is read for all of them proves nothing too early for any."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hip3.core.order_state import OrderState
from hip3.core.orders import PendingOrder, Side
from hip3.position.tracked import TrackedOrder
from tests.builders import D, exit_order
from tests.world import World, quiet_world

GOLD, TSLA = "xyz:GOLD", "xyz:TSLA"


def _lost(world: World, *orders: PendingOrder) -> list[TrackedOrder]:
    """These left in one action and never arrived."""
    world.sender.hold()
    for wished in orders:
        world.trading.tracker.register(wished)
        world.trading.scheduler.enqueue_reduce_only(wished)
    world.tick()
    world.sender.drop_held()
    found = [world.trading.tracker.get(o.cloid) for o in orders]
    assert all(t is not None and t.state is OrderState.SENT for t in found)
    return [t for t in found if t is not None]


def test_a_fill_that_cannot_be_read_keeps_only_orders_of_its_own_time_doubtful(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, expires_after_ms=0)
    now = world.clock.wall_ms()
    (old,) = _lost(world, exit_order(1, coin=GOLD, created_ms=now - 600_000))
    (young,) = _lost(world, exit_order(2, coin=GOLD, created_ms=now))
    for tracked in (old, young):
        world.sign({"type": "noop"}, tracked.nonce)
    info = world.rest.info

    def torn(request: dict[str, Any]) -> bytes:
        answer = info(request)
        if request["type"] == "userFillsByTime" and request["startTime"] < now - 100_000:
            return msgspec.json.encode([*msgspec.json.decode(answer), {"coin": 1}])
        return answer

    world.rest.info = torn  # type: ignore[method-assign]
    assert world.run_until(lambda: young.state is OrderState.DEAD, 60_000, step_ms=50)
    assert old.state is OrderState.UNKNOWN


def test_a_reading_from_before_a_noop_proves_nothing_after_it(tmp_path: Path) -> None:
    """The second order's time runs out while its noop is under way; by then it may have landed."""
    world = quiet_world(tmp_path, expires_after_ms=8000)
    asked: list[str] = []
    (first,) = _lost(world, exit_order(1, coin=GOLD))
    world.sign({"type": "noop"}, first.nonce)
    world.rest.failing.add("/exchange")  # the first is left to time alone
    world.run(9000, step_ms=50)
    (second,) = _lost(world, exit_order(2, coin=GOLD))
    world.sign({"type": "noop"}, second.nonce)
    world.run(6000, step_ms=50)
    assert second.state is OrderState.UNKNOWN
    world.rest.failing.clear()
    info, exchange = world.rest.info, world.rest.exchange

    def noted(request: dict[str, Any]) -> bytes:
        asked.append(request["type"])
        return info(request)

    def slow(body: dict[str, Any]) -> Any:
        answer = exchange(body)
        asked.append("noop")
        world.clock.advance(10_000)
        return answer

    world.rest.info, world.rest.exchange = noted, slow  # type: ignore[method-assign]
    assert world.run_until(lambda: second.state is OrderState.DEAD, 30_000, step_ms=50)
    last_noop = len(asked) - asked[::-1].index("noop")
    assert asked[last_noop:].count("clearinghouseState") >= 2


def test_one_noop_asks_for_all_orders_of_its_action(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, expires_after_ms=0)
    lost = _lost(world, *(exit_order(n, coin=coin) for n, coin in enumerate(list(world.trading.specs)[:8])))
    (nonce,) = {t.nonce for t in lost}
    world.sign({"type": "noop"}, nonce)
    assert world.run_until(lambda: all(t.state is OrderState.DEAD for t in lost), 60_000, step_ms=50)
    assert len(world.rest.signed) == 1


def test_a_nonce_of_an_older_version_hours_ahead_is_not_waited_for(tmp_path: Path) -> None:
    """Its used nonce says when it was signed by a clock that was ahead; what proves it is when it was found used."""
    world = quiet_world(tmp_path, expires_after_ms=0)
    (lost,) = _lost(world, exit_order(1, coin=GOLD))
    lost.nonce += 7_200_000
    world.sign({"type": "noop"}, lost.nonce)
    assert world.run_until(lambda: lost.state is OrderState.DEAD, 60_000, step_ms=50)


def test_a_trade_of_others_is_found_while_an_order_of_an_earlier_run_is_unknown(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, expires_after_ms=0)
    _lost(world, exit_order(1, coin=GOLD))
    world.rest.failing.add("/exchange")  # nothing can prove it dead
    world.restart()
    world.run(5000, step_ms=50)
    assert not world.ready
    world.filter_frame = lambda text: [] if text.startswith('{"channel":"userFills"') else [text]
    world.by_hand(GOLD, Side.BUY, Decimal("0.01"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 15_000, step_ms=50)


def test_a_doubt_stands_until_a_reading_answers_it(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    world.filter_frame = lambda text: [] if text.startswith('{"channel":"userFills"') else [text]
    world.rest.failing |= {"frontendOpenOrders", "userFills"}
    world.by_hand(GOLD, Side.BUY, Decimal("0.01"))
    world.run(5000, step_ms=50)
    assert GOLD not in world.trading.tracker.booked()
    world.rest.failing.clear()
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 5000, step_ms=50)


def test_an_acknowledgement_that_is_lost_does_not_hide_what_happened_to_the_account(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, foreign_positions="manage")
    world.cut()
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    private = ('{"channel":"userFills"', '{"channel":"orderUpdates"', '{"channel":"subscriptionResponse"')
    world.filter_frame = lambda text: [] if text.startswith(private) else [text]
    world.connect()
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 6000)
    assert not world.ready


@pytest.mark.parametrize("before", [True, False], ids=["before the restart", "after it"])
@pytest.mark.parametrize("theirs", ["0.06", "0.16", "0"])
def test_a_position_that_changed_without_a_fill_keeps_no_order_of_before_unknown(
    tmp_path: Path, theirs: str, before: bool
) -> None:
    """As by a settlement. Its proof waits for positions that agree, and what would take over the exchange's waited for
    the proof: not READY for ever, over restarts and new connections."""
    world = quiet_world(tmp_path, expires_after_ms=0, foreign_positions="watch")
    world.by_hand(GOLD, Side.BUY, D("0.1"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 3000)
    (lost,) = _lost(world, exit_order(1, coin=GOLD))
    world.sign({"type": "noop"}, lost.nonce)

    def changes() -> None:
        account = world.venue.engine.account(world.user)
        assert account is not None
        positions = account.dex("xyz").positions
        if D(theirs):
            positions[GOLD].szi = D(theirs)
        else:
            del positions[GOLD]

    if before:
        changes()
        world.restart()
    else:
        world.restart()
        world.run(3000, step_ms=50)
        changes()
    assert world.run_until(lambda: world.ready, 150_000, step_ms=50)
    assert world.trading.tracker.booked().get(GOLD, D(0)) == D(theirs)
    assert world.trading.tracker.live(OrderState.UNKNOWN) == []


@pytest.mark.parametrize("coin", ["flx:OIL", TSLA, GOLD])
def test_a_row_of_another_market_that_cannot_be_read_keeps_no_order_unknown(tmp_path: Path, coin: str) -> None:
    world = quiet_world(tmp_path, expires_after_ms=0)
    (lost,) = _lost(world, exit_order(1, coin=GOLD))
    world.sign({"type": "noop"}, lost.nonce)
    info = world.rest.info

    def torn(request: dict[str, Any]) -> bytes:
        answer = info(request)
        if request["type"] != "userFillsByTime":
            return answer
        return msgspec.json.encode([*msgspec.json.decode(answer), {"coin": coin, "px": "?"}])

    world.rest.info = torn  # type: ignore[method-assign]
    world.run(60_000, step_ms=50)
    assert lost.state is (OrderState.UNKNOWN if coin == GOLD else OrderState.DEAD), "a row of its own might be its fill"
