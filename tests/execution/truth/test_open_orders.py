"""Orders on the exchange against the books: others', an earlier run's, a second instance's, and storms."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hip3.core.orders import RUN_TAG, Side
from hip3.exchange.wire import parse_order_updates
from hip3.execution.truth.strangers import MINUTE_MS, STORM, Strangers
from tests.builders import D, order
from tests.world import ALONE, World, quiet_world

GOLD = "xyz:GOLD"


def _ours(number: int) -> str:
    """A cloid with our tag that no run of this test has made."""
    return f"0x{RUN_TAG}{number:024x}"


def _listed(world: World) -> list[int]:
    return [order["oid"] for order in world.listed("xyz", "para")]


def test_somebody_else_s_resting_order_is_counted_and_left_alone(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    oid = world.rest_by_hand(GOLD)
    world.run(500)
    foreign = world.trading.tracker.ledger().foreign
    assert foreign[GOLD] > 0
    assert GOLD not in world.trading.tracker.ledger().entries  # it takes no pending mark
    world.run(65_000, step_ms=50)
    world.restart()
    assert world.run_until(lambda: world.ready, 10_000)
    assert _listed(world) == [oid]
    assert world.trading.tracker.ledger().foreign == foreign
    assert {f["whose"] for f in world.journal.of("stranger")} == {"not ours"}


@pytest.mark.parametrize("whose", ["foreign", "ours"])
def test_the_policy_cancel_all_begins_with_an_empty_list(tmp_path: Path, whose: str) -> None:
    world = quiet_world(tmp_path, start_policy="cancel_all")
    world.rest_by_hand(GOLD, **({"cloid": _ours(5)} if whose == "ours" else {}))
    world.restart()
    assert not world.ready
    assert world.run_until(lambda: world.ready, 10_000)
    assert _listed(world) == []


def test_an_order_of_an_earlier_run_has_no_place_now_and_is_cancelled(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    world.rest_by_hand(GOLD, cloid=_ours(5))
    foreign = world.rest_by_hand(GOLD)
    world.restart()
    assert world.run_until(lambda: world.ready, 10_000)
    assert _listed(world) == [foreign]


def test_a_second_instance_stops_entries_until_it_is_gone(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    oid = world.rest_by_hand(GOLD, cloid=_ours(7))
    assert world.run_until(lambda: not world.ready, 3000)
    reasons = world.readiness.reasons(world.clock.mono_ms())
    assert any("another hip3" in reason for reason in reasons)
    world.run(5000)
    assert _listed(world) == [oid]  # it is the other one's
    assert len(world.journal.of("second_instance")) == 1
    account = world.venue.engine.account(world.user)
    assert account is not None
    world.venue.engine.cancel_oid(account, world.venue.engine.markets[GOLD], oid, world.clock.wall_ms())
    assert world.run_until(lambda: world.ready, 700_000, step_ms=200)


def test_a_second_instance_that_only_fills_is_seen_too(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    world.by_hand(GOLD, Side.BUY, D("0.01"), cloid=_ours(8))
    assert world.run_until(lambda: bool(world.journal.of("second_instance")), 5000)
    assert not world.ready


def test_what_an_earlier_run_sent_without_an_intent_is_not_a_second_instance_s(tmp_path: Path) -> None:
    """A stop leaves without an intent where the disk is full, and the exchange may deliver it after the next start."""
    world = quiet_world(tmp_path)
    cloid = f"{world.intents.runs[-1]}{7:012x}"
    world.restart()
    assert world.run_until(lambda: world.ready, 10_000)
    world.rest_by_hand(GOLD, cloid=cloid)
    world.run(65_000, step_ms=50)
    assert _listed(world) == []
    assert world.ready
    assert world.journal.of("second_instance") == []


@pytest.mark.parametrize(("after_ms", "second"), [(2000, False), (16_000, True)])
def test_an_exit_of_a_run_that_could_write_nothing_is_not_a_second_instance_s(
    tmp_path: Path, after_ms: int, *, second: bool
) -> None:
    """Seed 261909188: the disk was full, its only exit was delayed, and it was killed: nothing told of exit or run."""
    world = quiet_world(tmp_path, protective_stop_bps=D(0))
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 3000)
    world.restart()
    world.run(after_ms, step_ms=50)
    world.by_hand(GOLD, Side.SELL, D("0.01"), cloid=_ours(9), reduce_only=True)
    world.run(5000, step_ms=50)
    assert bool(world.journal.of("second_instance")) is second
    assert GOLD not in world.trading.tracker.booked()


def _strange_update(number: int) -> str:
    body = {
        "coin": GOLD, "side": "B", "limitPx": "3000", "sz": "0.01", "oid": 900_000 + number, "timestamp": 1,
        "origSz": "0.01",
    }  # fmt: skip
    data = [{"order": body, "status": "open", "statusTimestamp": 1}]
    return msgspec.json.encode({"channel": "orderUpdates", "data": data}).decode()


def test_a_storm_of_unknown_orders_stops_entries_and_reads_everything(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    world.rest.asked.clear()
    for number in range(STORM):
        world.inject(_strange_update(number))
    assert world.ready
    world.inject(_strange_update(STORM))
    assert not world.ready
    world.run(3000)
    assert not world.ready
    assert {"clearinghouseState", "frontendOpenOrders", "userFills"} <= {r["type"] for r in world.rest.asked}
    assert world.trading.tracker.ledger().foreign == {}  # the exchange lists none of them
    assert sum(r["type"] == "orderStatus" for r in world.rest.asked) == 0  # not one by one
    assert world.run_until(lambda: world.ready, 70_000)
    assert [k for k, _ in world.journal.records if k.startswith("storm")] == ["storm", "storm_over"]


def test_strangers_are_bounded_and_asked_for_once() -> None:
    strangers = Strangers()

    def seen(number: int) -> Any:
        frame = msgspec.json.decode(_strange_update(number))
        return parse_order_updates(msgspec.json.encode(frame["data"])).items[0]

    for number in range(1000):
        strangers.note(seen(number), number * MINUTE_MS)
    assert len(strangers.take(10_000)) == 200
    first = strangers.take(1)[0]
    strangers.explained(first.oid)
    assert not strangers.note(first, 0)
    assert first.oid not in {u.oid for u in strangers.take(10_000)}
    assert not strangers.storm(10**9)


def test_an_order_that_is_gone_without_a_word_is_asked_for(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, protective_stop_bps=D(200))
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: len(_listed(world)) == 1, 3000)
    (oid,) = _listed(world)
    account = world.venue.engine.account(world.user)
    assert account is not None
    world.filter_frame = lambda text: [] if '"orderUpdates"' in text else [text]
    world.venue.engine.cancel_oid(account, world.venue.engine.markets[GOLD], oid, world.clock.wall_ms())
    world.run(200)
    world.filter_frame = lambda text: [text]
    assert world.run_until(lambda: _listed(world) not in ([], [oid]), 70_000)  # noticed, and placed anew
    assert world.journal.of("orders_differ")[0]["status"] == "canceled"


def test_an_order_that_lives_against_our_books_is_cancelled(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    wished = order(77, coin=GOLD, epoch=world.generation)
    world.trading.tracker.admit(wished, lambda ledger, w: w)
    world.trading.consequences.dispatch(world.trading.tracker.drop(wished.cloid, "never sent, as we think"), 0)
    world.rest_by_hand(GOLD, cloid=wished.cloid)
    assert world.run_until(lambda: _listed(world) == [], 70_000, step_ms=50)


def test_a_position_in_a_market_that_is_not_configured_is_shown_and_never_touched(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, **(ALONE | {"markets": "xyz:TSLA", "time_stop_ms": 1000}))
    account = world.venue.engine.account(world.user)
    assert account is not None
    account.dex("xyz").apply_fill(GOLD, D("0.01"), Decimal(4000), 5, isolated=True)
    world.run(65_000, step_ms=50)
    assert world.trading.tracker.booked() == {GOLD: D("0.01")}
    assert GOLD in world.trading.tracker.ledger().occupied
    assert world.journal.of("exit") == []
