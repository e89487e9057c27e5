"""Scheduler, posts, budget, replies: bounds, order, and accounts that always add up."""

import random
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip3.core.decisions import Enqueued
from hip3.core.events import Accepted, ActionRefused, Filled, Refused, RequestFailed, Resting, Statuses, Unreadable
from hip3.core.orders import CancelBatch, OrderBatch, PendingCancel, Post, Tif
from hip3.execution.entries.budget import ActionBudget
from hip3.execution.sending.posts import PostRequestManager
from hip3.execution.sending.replies import Fate, resolve
from hip3.execution.sending.scheduler import BATCH, CANCELS, NEW, REDUCE_ONLY, BatchScheduler
from tests.builders import D, exit_order, order


def _cancel(oid: int, *, limit: bool = False) -> PendingCancel:
    return PendingCancel(coin="xyz:GOLD", oid=oid, created_ms=0, limit=limit)


def _post(number: int, sent_ms: int = 0, generation: int = 1) -> Post:
    return Post(
        post_id=number,
        batch=OrderBatch((order(number),)),
        nonce=number,
        generation=generation,
        sent_ms=sent_ms,
        sent_us=0,
    )


def test_cancels_before_reduce_only_before_new_and_never_mixed() -> None:
    scheduler = BatchScheduler(100)
    scheduler.enqueue_new(order(1), 0)
    scheduler.enqueue_reduce_only(exit_order(2))
    scheduler.enqueue_cancel(_cancel(3))
    kinds = [scheduler.take(0) for _ in range(4)]
    assert isinstance(kinds[0], CancelBatch)
    assert isinstance(kinds[1], OrderBatch)
    assert kinds[1].reduce_only
    assert isinstance(kinds[2], OrderBatch)
    assert not kinds[2].reduce_only
    assert kinds[3] is None


@given(st.lists(st.booleans(), max_size=2 * BATCH))
def test_cancels_of_limits_and_of_stops_share_no_action_and_keep_their_order(kinds: list[bool]) -> None:
    scheduler, taken = BatchScheduler(100), []
    for oid, limit in enumerate(kinds):
        scheduler.enqueue_cancel(_cancel(oid, limit=limit))
    while (batch := scheduler.take(0)) is not None:
        assert isinstance(batch, CancelBatch)
        assert len({c.limit for c in batch.cancels}) == 1
        assert len(batch.cancels) <= BATCH
        taken += batch.cancels
    assert sorted(c.oid for c in taken) == list(range(len(kinds)))
    for limit in (True, False):
        oids = [c.oid for c in taken if c.limit is limit]
        assert oids == sorted(oids)


def test_moves_of_quotes_share_no_action_with_placements_and_keep_their_order() -> None:
    scheduler = BatchScheduler(100)
    quotes = [order(n, level=n, tif=Tif.ALO, replaces=n if n % 2 else None) for n in range(5)]
    assert scheduler.enqueue_quotes(quotes) == []
    first, second = scheduler.take(0), scheduler.take(0)
    assert isinstance(first, OrderBatch)
    assert isinstance(second, OrderBatch)
    assert ([o.level for o in first.orders], first.moves) == ([0, 2, 4], False)
    assert ([o.level for o in second.orders], second.moves) == ([1, 3], True)


def test_every_queue_is_bounded_and_says_so() -> None:
    scheduler = BatchScheduler(100)
    assert [scheduler.enqueue_new(order(n), 0) for n in range(NEW + 1)].count(Enqueued.QUEUE_FULL) == 1
    assert [scheduler.enqueue_cancel(_cancel(n)) for n in range(CANCELS + 1)].count(Enqueued.QUEUE_FULL) == 1
    exits = [scheduler.enqueue_reduce_only(exit_order(n, coin=f"x:{n}")) for n in range(REDUCE_ONLY + 1)]
    assert exits.count(Enqueued.QUEUE_FULL) == 1
    assert scheduler.counts() == (CANCELS, REDUCE_ONLY, NEW)


def test_a_batch_holds_at_most_fifty_in_order_of_arrival() -> None:
    scheduler = BatchScheduler(100)
    for n in range(BATCH + 5):
        scheduler.enqueue_new(order(n), 0)
    first, second = scheduler.take(0), scheduler.take(0)
    assert isinstance(first, OrderBatch)
    assert isinstance(second, OrderBatch)
    assert [o.cloid for o in (*first.orders, *second.orders)] == [order(n).cloid for n in range(BATCH + 5)]
    assert (len(first.orders), BATCH) == (50, 50)


def test_the_limit_in_flight_is_never_exceeded_and_slots_are_kept_for_exits() -> None:
    scheduler = BatchScheduler(10)
    assert scheduler.high_watermark == 8
    assert scheduler.enqueue_new(order(1), 6) is Enqueued.QUEUED
    assert scheduler.enqueue_new(order(2), 7) is Enqueued.DEGRADED
    assert scheduler.enqueue_new(order(3), 8) is Enqueued.INFLIGHT_FULL
    assert scheduler.take(8) is None
    assert scheduler.enqueue_reduce_only(exit_order(4)) is Enqueued.QUEUED
    assert scheduler.take(10) is None
    assert scheduler.take(9) is not None


def test_a_second_exit_of_a_market_is_answered_truthfully() -> None:
    scheduler = BatchScheduler(100)
    assert scheduler.enqueue_reduce_only(exit_order(1)) is Enqueued.QUEUED
    assert scheduler.enqueue_reduce_only(exit_order(2)) is Enqueued.DUPLICATE
    assert scheduler.enqueue_reduce_only(exit_order(3, coin="xyz:TSLA")) is Enqueued.QUEUED


def test_purge_returns_what_it_dropped_and_leaves_the_rest() -> None:
    scheduler = BatchScheduler(100)
    scheduler.enqueue_new(order(1), 0)
    scheduler.enqueue_reduce_only(exit_order(2))
    assert [o.cloid for o in scheduler.purge_new()] == [order(1).cloid]
    assert scheduler.counts() == (0, 1, 0)


def test_what_did_not_leave_returns_to_the_front() -> None:
    scheduler = BatchScheduler(100)
    for n in (1, 2):
        scheduler.enqueue_reduce_only(exit_order(n, coin=f"x:{n}"))
    batch = scheduler.take(0)
    assert batch is not None
    scheduler.enqueue_reduce_only(exit_order(3, coin="x:3"))
    scheduler.put_back(batch)
    again = scheduler.take(0)
    assert isinstance(again, OrderBatch)
    assert [o.coin for o in again.orders] == ["x:1", "x:2", "x:3"]


def test_an_enqueue_wakes_the_tick_even_before_it_waits() -> None:
    scheduler = BatchScheduler(100)
    scheduler.enqueue_new(order(1), 0)
    assert scheduler.wait(5) is True
    assert scheduler.wait(0) is False


@given(st.lists(st.tuples(st.sampled_from("rcewd"), st.integers(1, 12), st.integers(0, 9000)), max_size=80))
def test_sent_minus_completed_is_in_flight_at_every_instant(steps: list[tuple[str, int, int]]) -> None:
    posts, known = PostRequestManager(), set()
    for what, number, now in steps:
        if what == "r" and number not in known:
            posts.register(_post(number, now, generation=number % 3))
            known.add(number)
        elif what == "c":
            posts.complete(number)
        elif what == "e":
            posts.expire(now, 5000)
        elif what == "w":
            posts.withdraw(number)
        elif what == "d":
            posts.disconnected(number % 3)
        sent, completed, inflight = posts.accounts()
        assert sent - completed == inflight >= 0
    posts.disconnected(99)
    sent, completed, inflight = posts.accounts()
    assert (sent - completed, inflight) == (0, 0)


def test_each_post_ends_exactly_once_whatever_comes_after() -> None:
    posts = PostRequestManager()
    posts.register(_post(1))
    assert posts.complete(1) is not None
    assert posts.complete(1) is None
    assert posts.expire(10_000, 5000) == []
    posts.register(_post(2))
    assert [p.post_id for p in posts.expire(5001, 5000)] == [2]
    assert posts.complete(2) is None
    assert posts.late_replies == 2
    posts.register(_post(3, generation=2))
    assert posts.disconnected(1) == []
    assert [p.post_id for p in posts.disconnected(2)] == [3]


@pytest.mark.parametrize("shape", range(4))
def test_the_budget_is_never_overrun_by_threads(shape: int) -> None:
    budget, taken, barrier = ActionBudget(100), [0] * 8, threading.Barrier(8)
    rng = random.Random(shape)
    times = [rng.randint(0, 2999) for _ in range(4000)]

    def work(index: int) -> None:
        barrier.wait()
        for now in sorted(times[index::8]):
            taken[index] += budget.try_consume(5000)  # one window, whatever the thread's own time is
            del now

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum(taken) == 100


def test_the_budget_window_resets_and_refunds_only_its_own() -> None:
    budget = ActionBudget(2)
    assert [budget.try_consume(n) for n in (0, 999, 999)] == [True, True, False]
    budget.refund(999)
    assert budget.try_consume(999)
    assert budget.try_consume(1000)
    budget.refund(0)  # of a window that is over
    assert budget.used == 1


@pytest.mark.parametrize(
    ("outcome", "count", "fates"),
    [
        (ActionRefused("no"), 2, "RR"),
        (RequestFailed("422 Failed to deserialize"), 2, "RR"),
        (RequestFailed("429 Too Many Requests"), 1, "R"),
        (RequestFailed("500 Internal"), 2, "UU"),
        (RequestFailed("timeout"), 1, "U"),
        (Unreadable("?"), 3, "UUU"),
        (Statuses((Resting(1), Filled(2, D(1), D(1)))), 2, "SS"),
        (Statuses((Resting(1),)), 3, "SUU"),
        (Statuses((Refused("Order has invalid price."),)), 3, "RRR"),
        (Statuses((Refused("Insufficient margin. asset=5"),)), 3, "RUU"),
        (Statuses((Refused("Order has invalid price."),)), 1, "R"),
        (Statuses(()), 2, "UU"),
        (Statuses((None, Accepted("success"))), 2, "US"),
    ],
)
def test_what_a_reply_says_of_each_order(outcome: Any, count: int, fates: str) -> None:
    letters = {Fate.STATUS: "S", Fate.REFUSED: "R", Fate.UNKNOWN: "U"}
    assert "".join(letters[r.fate] for r in resolve(outcome, count)) == fates


def test_who_wakes_a_tick_that_sleeps_gives_way_with_no_lock_held() -> None:
    """Else the tick is awake and waits for the interpreter until its waker has done all else that it has to do."""
    gave: list[bool] = []
    scheduler = BatchScheduler(100, lambda: gave.append(scheduler.sendable(0)))  # which takes the lock
    scheduler.enqueue_new(order(1), 0)
    assert gave == [], "the tick is at work: it may itself have queued this"
    woken = threading.Event()
    tick = threading.Thread(target=lambda: (scheduler.wait(5), scheduler.wait(5), woken.set()))
    tick.start()
    while not scheduler._asleep or scheduler._woken:
        threading.Event().wait(0.001)
    scheduler.enqueue_cancel(_cancel(7))
    tick.join(5)
    assert woken.is_set()
    assert gave == [True]
