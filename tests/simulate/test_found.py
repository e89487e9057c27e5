"""What the fault simulation found, each as the shortest test of the part that was wrong.

Their seeds are regression plans, too (`tests/simulate/regressions`): the same faults against the whole service.
"""

import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from hip3.core.events import Filled, OrderUpdate
from hip3.core.order_state import OrderState
from hip3.core.orders import ExitReason, OrderBatch, PendingOrder, Post, Side
from hip3.core.ports import SendOutcome
from hip3.errors import JournalError
from hip3.exchange.rate_limit import IP_WEIGHT_PER_MINUTE
from hip3.exchange.rest import weight_of
from hip3.ops.intents import IntentLog
from hip3.ops.journal import EventLog
from hip3.ops.store import JournalStore
from hip3.position.tracker import PositionTracker
from tests.builders import COIN, D, exit_order, fill, order
from tests.world import World, quiet_world

LONG, NEXT = order(1, side=Side.BUY), order(3, side=Side.SELL)
EXIT = exit_order(2)


def _sent(tracker: PositionTracker, wished: PendingOrder, nonce: int) -> None:
    if wished.reduce_only:
        tracker.register(wished)
    else:
        tracker.admit(wished, lambda ledger, w: w)
    tracker.mark_sent(wished.cloid, nonce=nonce, expires_ms=None, generation=1, mono_ms=0)


def _filled(wished: PendingOrder, sz: str = "0.012") -> OrderUpdate:
    return OrderUpdate(
        coin=COIN, side=wished.side, oid=int(wished.cloid[-2:], 16), cloid=wished.cloid, limit_px=wished.px,
        remaining=D(0), orig_sz=D(sz), status="filled", status_ms=5,
    )  # fmt: skip


def test_an_entry_after_an_exit_whose_fills_are_missing_is_no_flat_market() -> None:
    """Long, out, short, and only updates tell: with entries counted first the exit found nothing to close."""
    tracker = PositionTracker()
    for nonce, wished in enumerate((LONG, EXIT, NEXT), 1):
        _sent(tracker, wished, nonce)
        tracker.on_order_update(_filled(wished))
    assert tracker.ledger().positions == {COIN: D("-0.012")}


def test_an_exit_whose_fills_are_missing_does_not_shrink_what_was_booked_later() -> None:
    tracker = PositionTracker()
    _sent(tracker, LONG, 1)
    tracker.on_fills([fill(1, cloid=LONG.cloid)])
    _sent(tracker, EXIT, 2)
    tracker.on_order_update(_filled(EXIT))
    _sent(tracker, NEXT, 3)
    tracker.on_fills([fill(2, cloid=NEXT.cloid, side=Side.SELL, oid=3, time_ms=3000, start_position=D("0.012"))])
    assert tracker.ledger().positions == {COIN: D("-0.012")}


def test_the_reply_of_an_ioc_is_the_last_word_about_its_size() -> None:
    """The exchange shrank the exit, whose update calls all of it filled: no fill of the rest will ever come."""
    tracker = PositionTracker()
    _sent(tracker, EXIT, 1)
    tracker.on_status(EXIT.cloid, Filled(77, D("0.005"), D(4000)))
    tracker.on_fills([fill(1, cloid=EXIT.cloid, side=Side.SELL, sz=D("0.005"), start_position=D("0.005"))])
    tracker.on_order_update(_filled(EXIT))
    assert tracker.unbooked() == []


def _full_disk(log: IntentLog) -> int:
    """The log's disk is full; the descriptor that works, to be put back."""
    good, log._fd = log._fd, os.open("/dev/full", os.O_WRONLY)
    return good


def _space(log: IntentLog, good: int) -> None:
    os.close(log._fd)
    log._fd = good


def _journal(tmp_path: Path) -> tuple[EventLog, IntentLog, list[int]]:
    now = [1000]
    journal, log = EventLog(lambda: now[0]), IntentLog(tmp_path / "intents.log")
    journal.open(tmp_path / "journal.db", log)
    return journal, log, now


def test_what_was_kept_is_written_although_others_write_first(tmp_path: Path) -> None:
    journal, log, now = _journal(tmp_path)
    good = _full_disk(log)
    try:
        log.cancels(101, 1)
    except JournalError:
        _space(log, good)
    log.orders(OrderBatch((order(1),)), 102, None, 2)  # writing works again: the tick sees it first
    now[0] += 2000
    journal.drain(0)
    assert b'"cancels"' in (tmp_path / "intents.log").read_bytes()
    journal.close()


def test_what_was_kept_is_written_at_the_end(tmp_path: Path) -> None:
    journal, log, _ = _journal(tmp_path)
    good = _full_disk(log)
    try:
        log.end(order(1).cloid, "filled", 1)
    except JournalError:
        _space(log, good)
    journal.close()
    assert order(1).cloid in (tmp_path / "intents.log").read_text()


def test_results_that_a_full_disk_refused_are_written_at_the_end(tmp_path: Path) -> None:
    journal, _, _ = _journal(tmp_path)
    store = journal._store
    assert store is not None
    store._db.execute("PRAGMA max_page_count=1")
    for number in range(100):
        journal.record("fault", what="x" * 1000 + str(number))
    journal.keep("totals", 7)
    journal.drain(0)
    assert journal.store_failed
    store._db.execute("PRAGMA max_page_count=1000000")
    journal.close()
    again = JournalStore(tmp_path / "journal.db")
    assert again.fact("totals") == "7"
    again.close()


def test_an_exit_that_waits_for_a_slow_tick_is_not_tried_again(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    world.by_hand("xyz:GOLD", Side.BUY, D("0.01"))
    assert world.run_until(lambda: bool(world.trading.tracker.positions()), 5000)
    exiting, now = world.trading.exiting, world.clock.mono_ms
    exiting.request(ExitReason.MANUAL)
    exiting.check(world.generation, now())
    first = world.journal.of("exit")
    world.clock.advance(60_000)  # nobody took it
    exiting.check(world.generation, now())
    assert world.journal.of("exit") == first
    world.tick()  # it leaves now, and its time runs from here
    assert world.trading.tracker.get(first[0]["order"].cloid).state is OrderState.SENT  # type: ignore[union-attr]
    exiting.check(world.generation, now())
    assert world.journal.of("exit") == first


def test_a_used_nonce_of_a_clock_that_was_ahead_is_settled_all_the_same(tmp_path: Path) -> None:
    """Without an expiry its age counts from when it was seen to be used, not from hours ahead."""
    world = quiet_world(tmp_path, expires_after_ms=0)
    world.step_clock(7_200_000)
    world.sender.hold()
    _queued(world)
    world.tick()
    world.sender.drop_held()
    tracked = world.trading.tracker.live()[0]
    world.sign({"type": "noop"}, tracked.nonce)  # of a process that was killed before the answer
    assert world.run_until(lambda: not world.trading.tracker.live(), 60_000, step_ms=50)
    assert tracked.certificate is not None
    assert tracked.certificate.startswith("processed")


def test_many_doubtful_orders_share_what_is_read_about_the_account(tmp_path: Path) -> None:
    """Read for each by itself, the weight was spent before any of them was settled."""
    world = quiet_world(tmp_path, expires_after_ms=0)
    world.sender.hold()
    for number in range(12):
        _exit_queued(world, number)
        world.tick()
        world.clock.advance(10)
    world.sender.drop_held()
    live = world.trading.tracker.live()
    for nonce in {t.nonce for t in live}:
        world.sign({"type": "noop"}, nonce)
    info, spent = world.rest.info, [0]

    def weighed(request: dict[str, Any]) -> bytes:
        spent[0] += weight_of(request)
        return info(request)

    world.rest.info = weighed  # type: ignore[method-assign]
    assert len(live) == 12
    began_ms = world.clock.mono_ms()
    assert world.run_until(lambda: not world.trading.tracker.live(), 50_000, step_ms=50)
    minutes = Decimal(world.clock.mono_ms() - began_ms) / 60_000
    assert spent[0] < minutes * IP_WEIGHT_PER_MINUTE


def test_a_nonce_that_no_disk_holds_is_not_given_out_again(tmp_path: Path) -> None:
    """Signed while the disk was full; then the clock was set back, and the process began anew."""
    world = quiet_world(tmp_path)
    signed_ms = world.exchange_ms()
    world.clock.advance(1000)
    world.step_clock(-7_200_000)
    world.restart()
    wished = _exit_queued(world, 1)
    world.tick()
    tracked = world.trading.tracker.get(wished.cloid)
    assert tracked is not None
    assert tracked.nonce > signed_ms


def _once_registered(world: World, then: Callable[[], None]) -> None:
    """Between a post's registration and its bytes, another thread does this."""
    posts = world.trading.posts
    register = posts.register

    def cut_in(post: Post) -> None:
        register(post)
        then()

    posts.register = cut_in  # type: ignore[method-assign]


def _exit_queued(world: World, number: int) -> PendingOrder:
    wished = exit_order(number, coin="xyz:GOLD")
    world.trading.tracker.register(wished)
    world.trading.scheduler.enqueue_reduce_only(wished)
    return wished


def _queued(world: World) -> PendingOrder:
    wished = order(9, coin="xyz:GOLD", px=D(1), epoch=world.generation)
    world.trading.tracker.admit(wished, lambda ledger, w: w)
    world.trading.scheduler.enqueue_new(wished, 0)
    return wished


def test_a_disconnect_that_takes_a_post_before_its_bytes_leave_finds_its_orders(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    wished = _queued(world)
    _once_registered(world, lambda: world.trading.flow.on_disconnected(world.generation, "just now"))
    world.sender.fail_next(SendOutcome.NOT_SENT)
    world.tick()
    tracked = world.trading.tracker.get(wished.cloid)
    assert tracked is not None
    assert tracked.state is OrderState.UNKNOWN


def test_a_post_whose_connection_is_gone_does_not_leave_on_the_next(tmp_path: Path) -> None:
    """Its orders may be proved dead by then: the same nonce would be signed for two things."""
    world = quiet_world(tmp_path)
    wished = _queued(world)

    def reconnect() -> None:
        world.cut()
        world.connect()

    _once_registered(world, reconnect)
    world.tick()
    assert world.sender.sent_entries() == []
    tracked = world.trading.tracker.get(wished.cloid)
    assert tracked is not None
    assert tracked.state is OrderState.UNKNOWN


def test_a_post_by_http_that_was_given_up_while_it_waited_is_not_sent(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    batch = OrderBatch((exit_order(2),))
    post = Post(post_id=999, batch=batch, nonce=1, generation=1, sent_ms=0, sent_us=0)
    sent: list[str] = []
    world.trading.orders_in.send_by_http(post, lambda: sent.append("it"))
    assert sent == []
