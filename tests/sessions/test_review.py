"""Defects that a review of positions, exits and restarts found, each held by a story that failed before."""

import os
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from hip3.core.events import Funding
from hip3.core.orders import RUN_TAG, ExitReason, OrderBatch, PendingCancel, Side, Tif
from hip3.errors import JournalError
from hip3.exchange.wire_out import cancel_action
from hip3.ops.intents import Intent, IntentLog
from hip3.ops.journal import EventLog
from hip3.position.results import KEPT_FUNDINGS, Results
from tests.builders import D, exit_order
from tests.world import ALONE, World, quiet_world

GOLD = "xyz:GOLD"


def test_a_ladder_placed_by_hand_is_a_storm_that_ends(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    for number in range(60):
        world.rest_by_hand(GOLD, cloid=f"0x{number + 1:032x}")
    assert world.run_until(lambda: not world.ready, 3000)
    world.rest.asked.clear()
    assert world.run_until(lambda: world.ready, 90_000, step_ms=50)
    assert sum(r["type"] == "clearinghouseState" for r in world.rest.asked) <= 2 * 12  # every ten seconds
    assert len(world.listed("xyz")) == 60
    world.restart()
    assert world.run_until(lambda: world.ready, 10_000)


@pytest.mark.parametrize("tif", [Tif.IOC, Tif.GTC])
def test_a_second_instance_is_seen_beside_our_own_journal(tmp_path: Path, tif: Tif) -> None:
    """Its fills and orders are named in our records, too; that makes them none of ours."""
    world = World(tmp_path, seed=1, on_disk=True, **ALONE)
    assert world.run_until(lambda: world.ready, 5000)
    theirs = f"0x{RUN_TAG}{'ab' * 12}"
    if tif is Tif.IOC:
        world.by_hand(GOLD, Side.BUY, D("0.01"), cloid=theirs)
    else:
        world.rest_by_hand(GOLD, cloid=theirs)
    assert world.run_until(lambda: not world.ready, 3000)
    assert any("another hip3" in r for r in world.readiness.reasons(world.clock.mono_ms()))
    world.run(130_000, step_ms=50)
    if tif is Tif.GTC:
        assert [o["cloid"] for o in world.listed("xyz")] == [theirs]  # still there, still its own
    assert any("another hip3" in r for r in world.readiness.reasons(world.clock.mono_ms()))


def test_a_stop_that_the_exchange_shrank_hides_nothing(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, protective_stop_bps=D(200))
    world.by_hand(GOLD, Side.BUY, D("0.02"))
    assert world.run_until(lambda: [o["sz"] for o in world.listed("xyz")] == ["0.02"], 3000)
    world.by_hand(GOLD, Side.SELL, D("0.012"), reduce_only=True)
    for _ in range(500):
        world.run(10)
        position = world.trading.tracker.position(GOLD)
        assert position is not None
        assert position.szi in (D("0.02"), D("0.008"))
        assert any(o["isTrigger"] for o in world.listed("xyz"))
    assert [o["sz"] for o in world.listed("xyz")] == ["0.008"]


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_what_was_kept_of_a_position_is_not_taken_for_another(tmp_path: Path, side: Side) -> None:
    world = quiet_world(tmp_path, foreign_positions="watch")
    world.by_hand(GOLD, Side.BUY, D("0.01"), cloid=f"0x{RUN_TAG}{7:024x}")
    world.run(500)
    world.trading.exits.request(GOLD, ExitReason.MANUAL, world.clock.mono_ms() + 10_000_000)
    world.run(200)
    world.cut()
    world.by_hand(GOLD, Side.SELL, D("0.01"), reduce_only=True)  # our last exit, as it were
    world.clock.advance(30_000)
    world.by_hand(GOLD, side, D("0.02"))  # and a person's own position
    world.clock.advance(1000)
    world.readiness.hold("second_instance", "")
    world.restart()
    world.run(10_000)
    assert world.exchange_positions() == {GOLD: D("0.02") * side.sign}
    assert not world.trading.exits.exiting()


def test_attempts_without_a_price_cost_no_step(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    world.run(500)
    world.restart()
    world.filter_frame = lambda t: [] if f'"coin":"{GOLD}"' in t and '"channel":"order' not in t else [t]
    honest = world.rest.info_json
    world.rest.info_json = lambda r: None if r["type"] == "l2Book" else honest(r)  # type: ignore[method-assign]
    world.trading.exiting._read_mark = lambda coin: None  # nor has the account's reading one
    world.trading.exiting.request(ExitReason.MANUAL)
    world.run(5000)
    assert world.journal.of("exit") == []
    world.filter_frame = lambda t: [t]
    assert world.run_until(lambda: bool(world.journal.of("exit")), 10_000)
    assert world.journal.of("exit")[0]["order"].attempt == 1


def test_a_stop_that_is_refused_is_placed_ever_more_rarely_and_trips_nothing(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, protective_stop_bps=D(200))
    market = world.venue.engine.markets[GOLD]
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    market.halted = True
    world.run(120_000, step_ms=50)
    refused = [f["event"] for f in world.journal.of("order") if f["event"].order.protective]
    assert 3 <= len([e for e in refused if e.why]) <= 16
    assert not world.latch.tripped
    market.halted = False
    assert world.run_until(lambda: any(o["isTrigger"] for o in world.listed("xyz")), 70_000, step_ms=50)


def test_an_order_that_the_exchange_has_forgotten_does_not_keep_ready_away(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, protective_stop_bps=D(200))
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: bool(world.listed("xyz")), 3000)
    oid = world.listed("xyz")[0]["oid"]
    world.filter_frame = lambda text: [] if '"orderUpdates"' in text else [text]
    world.sign(cancel_action([PendingCancel(coin=GOLD, oid=oid, created_ms=0)], {GOLD: 110003}))
    account = world.venue.engine.account(world.user)
    assert account is not None
    account.history.clear()
    account.by_cloid.clear()
    world.cut()
    world.filter_frame = lambda text: [text]
    world.connect()
    assert world.run_until(lambda: world.ready, 20_000)
    assert world.run_until(lambda: world.listed("xyz") not in ([], [oid]), 130_000, step_ms=50)


def test_a_long_history_of_funding_counts_once() -> None:
    results = Results()
    history = [Funding(GOLD, 1000 + n, D(1)) for n in range(KEPT_FUNDINGS + 50)]
    for _ in range(3):
        for item in history:
            results.fund(item)
    assert results.totals.funding == len(history)


def test_a_torn_intent_takes_no_later_one_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, write = IntentLog(tmp_path / "intents.log"), os.write
    monkeypatch.setattr(os, "write", lambda fd, line: write(fd, line[:40]))
    with pytest.raises(JournalError):
        log.orders(OrderBatch((exit_order(1),)), 5, None, 1)
    monkeypatch.undo()
    log.orders(OrderBatch((exit_order(2),)), 6, None, 1)
    log.close()
    found = IntentLog(tmp_path / "intents.log").recovered
    assert [o.cloid for o, _, _ in found.open] == [exit_order(2).cloid]


def test_records_that_no_disk_takes_are_counted_when_they_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("hip3.ops.journal.CAPACITY", 3)
    journal, lost = EventLog(lambda: 0), []
    journal.on_fill_lost = lambda: lost.append(1)
    journal.open(tmp_path / "none" / "journal.db", IntentLog(tmp_path / "intents.log"))
    for kind in ("fill", "a", "b", "c", "d"):
        journal.record(kind)
        journal.drain(0)
    assert (journal.lost, lost) == (2, [1])


def test_a_step_of_zero_is_at_its_bound_from_the_first_failure(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, exit_step_bps=Decimal(0), hard_stop_max_flatten_failures=1000)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    world.run(500)
    world.venue.engine.markets[GOLD].book.would_cross = lambda **_: False  # type: ignore[method-assign]
    world.trading.exiting.request(ExitReason.MANUAL)
    world.run(20_000)
    assert len(world.journal.of("exit")) <= 5
    assert len(world.journal.of("exit_stuck")) == 1


def test_a_clock_set_back_does_not_put_off_the_next_try_to_write(tmp_path: Path) -> None:
    now, told = [10_000_000], []
    journal = EventLog(lambda: now[0])
    journal.on_state = told.append
    journal.open(tmp_path / "later" / "journal.db", IntentLog(tmp_path / "intents.log"))
    assert told[-1]
    (tmp_path / "later").mkdir()
    now[0] -= 3_600_000
    journal.drain(0)
    assert told[-1] == ""
    journal.close()


def test_what_the_tick_keeps_while_the_rest_is_retried_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, write = IntentLog(tmp_path / "intents.log"), os.write
    monkeypatch.setattr(os, "write", lambda fd, line: 0)
    for number in (1, 2):
        with pytest.raises(JournalError):
            log.orders(OrderBatch((exit_order(number),)), number, None, 1)
    meanwhile = [exit_order(3)]

    def overtaken(fd: int, line: bytes) -> int:
        if meanwhile:  # as if the tick's own write had just failed
            log._kept.append(Intent("orders", 1, 3, None, (meanwhile.pop(),)))
        return write(fd, line)

    monkeypatch.setattr(os, "write", overtaken)
    log.retry(2)
    log.retry(3)
    log.close()
    monkeypatch.undo()
    found = IntentLog(tmp_path / "intents.log").recovered
    assert {o.cloid for o, _, _ in found.open} == {exit_order(n).cloid for n in (1, 2, 3)}


def test_an_order_the_exchange_does_not_know_is_not_called_somebody_s(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    body = {"coin": GOLD, "side": "B", "limitPx": "3000", "sz": "0.01", "oid": 987, "timestamp": 1, "origSz": "0.01"}
    data = [{"order": body, "status": "open", "statusTimestamp": 1}]
    world.inject(msgspec.json.encode({"channel": "orderUpdates", "data": data}).decode())
    assert world.run_until(lambda: bool(world.journal.of("stranger")), 3000)
    assert world.journal.of("stranger")[0]["whose"] == "not known to the exchange"
