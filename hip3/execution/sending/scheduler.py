"""BatchScheduler: what waits to be sent. Cancels before reduce-only before quotes before new.

Guards: the four queues together, since one decision reads all three. Called from: ws-reader, tick,
risk, rest, main and control put; tick takes. Every queue is bounded and says so (`QueueFull`); nothing is dropped
silently. A batch is of one kind, and reduce-only orders never share an action with entries, because
one pre-validation error answers for a whole action.

The limit of posts in flight is the executor's: `inflight` is passed in, never counted here. It may be a little old: a
slot more or less is what the reserved share is for.

What is queued is not yet sent, and may be taken back by its owner (`purge_new`, `purge_coins`). Whoever does so tells
the tracker; the tick sends only what the tracker still knows as queued.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable
from queue import Empty, SimpleQueue
from typing import TypeVar

from hip3.core.decisions import Enqueued
from hip3.core.orders import ActionBatch, CancelBatch, OrderBatch, PendingCancel, PendingOrder
from hip3.locks import new_lock

_T = TypeVar("_T")

CANCELS = 200
"""So many wait at most; the same of the next two."""
REDUCE_ONLY = 500
NEW = 1000
QUOTES = 200
QUOTE_BATCH = 20
"""Quotes in one action, at most: one nonce, and one no-op proves all of them dead."""
BATCH = 50
"""Orders or cancels in one action, at most: they share one nonce, one signature and one post."""
RESERVED_SHARE = 5
"""One fifth of the slots in flight is kept for cancels and reduce-only orders."""


class BatchScheduler:
    """Three bounded queues behind one lock, and the tick's alarm clock.

    `max_inflight` is HIP3_MAX_INFLIGHT, in posts. Nothing here raises or blocks, except `wait`. `give_way` lets other
    threads run: whoever wakes the tick calls it with no lock held, since the tick would otherwise be awake and wait
    until this thread has done all else that it has to do.
    """

    def __init__(self, max_inflight: int, give_way: Callable[[], None] = lambda: None) -> None:
        self._lock = new_lock("BatchScheduler")
        self._give_way = give_way
        self._alarm: SimpleQueue[None] = SimpleQueue()
        """Holds one item while the tick is to wake; written in C, where a Condition would cost both sides more."""
        self._cancels: deque[PendingCancel] = deque()
        self._reduce: deque[PendingOrder] = deque()
        self._quotes: deque[PendingOrder] = deque()
        self._new: deque[PendingOrder] = deque()
        self._alone: set[str] = set()
        """Markets whose reduce-only orders share no action."""
        self.max_inflight = max_inflight
        self.high_watermark = max(1, max_inflight - max_inflight // RESERVED_SHARE)
        """From so many posts in flight on, entries are neither taken in nor sent."""
        self._woken = self._asleep = False
        """The alarm was rung; the tick waits for it."""

    def enqueue_new(self, order: PendingOrder, inflight: int) -> Enqueued:
        """An entry. InflightFull and QueueFull: it was not queued, and the caller takes it out of the books.

        DEGRADED: queued, but once it has left the next may be refused.
        """
        with self._lock:
            if inflight >= self.high_watermark:
                return Enqueued.INFLIGHT_FULL
            if len(self._new) >= NEW:
                return Enqueued.QUEUE_FULL
            self._new.append(order)
            self._wake_locked()
            degraded = inflight + 1 >= self.high_watermark
        self._let_the_tick()
        return Enqueued.DEGRADED if degraded else Enqueued.QUEUED

    def enqueue_quotes(self, orders: Iterable[PendingOrder]) -> list[PendingOrder]:
        """Quotes of one market, which go as one action. Those that were not queued, since that is full, are returned:
        the caller takes them out of the books."""
        with self._lock:
            wished = list(orders)
            room = max(0, QUOTES - len(self._quotes))
            self._quotes.extend(wished[:room])
            if wished[:room]:
                self._wake_locked()
            return wished[room:]

    def enqueue_reduce_only(self, order: PendingOrder) -> Enqueued:
        """An exit or a protective stop, queued whatever is in flight; a second one of its kind for its market is
        refused as such."""
        with self._lock:
            # Only those that wait are looked at: one in flight is its owner's to know.
            if any((o.coin, o.protective) == (order.coin, order.protective) for o in self._reduce):
                return Enqueued.DUPLICATE
            if len(self._reduce) >= REDUCE_ONLY:
                return Enqueued.QUEUE_FULL
            self._reduce.append(order)
            self._wake_locked()
        self._let_the_tick()
        return Enqueued.QUEUED

    def enqueue_cancel(self, cancel: PendingCancel) -> Enqueued:
        """A cancel; queued whatever is in flight. The same oid twice is one wish: DUPLICATE is no failure.

        QUEUE_FULL: not queued; the next reading or round asks again.
        """
        with self._lock:
            if any(c.oid == cancel.oid for c in self._cancels):
                return Enqueued.DUPLICATE
            if len(self._cancels) >= CANCELS:
                return Enqueued.QUEUE_FULL
            self._cancels.append(cancel)
            self._wake_locked()
        self._let_the_tick()
        return Enqueued.QUEUED

    def take(self, inflight: int, *, entries: bool = True) -> ActionBatch | None:
        """The next batch that may be sent now, or None; without `entries` they stay queued.

        Oldest first, at most `BATCH`. Who takes it sends it, gives it back by `put_back`, or drops its orders.
        """
        with self._lock:
            if inflight >= self.max_inflight:
                return None
            if self._cancels:
                return CancelBatch(tuple(self._take_cancels_locked()))
            if self._reduce:
                return OrderBatch(tuple(self._take_reduce_locked()))
            if entries and self._quotes and inflight < self.high_watermark:
                return OrderBatch(tuple(self._take_quotes_locked()))
            if entries and self._new and inflight < self.high_watermark:
                return OrderBatch(tuple(_take(self._new)))
            return None

    def _take_cancels_locked(self) -> list[PendingCancel]:
        """Those of plain limits share no action with those of stops, for which their flag is refused. Some go alone."""
        first = self._cancels[0]
        together = [c for c in self._cancels if c.limit is first.limit and not c.alone]
        taken = [first] if first.alone else together[:BATCH]
        if len(taken) == len(self._cancels):
            self._cancels.clear()
        else:
            for cancel in taken:
                self._cancels.remove(cancel)
        return taken

    def _take_reduce_locked(self) -> list[PendingOrder]:
        """Exits before protective stops, and never in one action: their groupings differ. Some go alone."""
        kind = [o for o in self._reduce if not o.protective] or list(self._reduce)
        together = [o for o in kind if o.coin not in self._alone]
        taken = kind[:1] if kind[0].coin in self._alone else together[:BATCH]
        for order in taken:
            self._reduce.remove(order)
        return taken

    def _take_quotes_locked(self) -> list[PendingOrder]:
        """Of one market, placed or moved, and never with entries: what is refused as one is of one market's ladder."""
        first = self._quotes[0]
        kind = first.coin, first.replaces is None
        taken = [o for o in self._quotes if (o.coin, o.replaces is None) == kind][:QUOTE_BATCH]
        for order in taken:
            self._quotes.remove(order)
        return taken

    def isolate(self, coins: Iterable[str]) -> None:
        """Reduce-only orders of these markets go alone from now on: one of them had all others refused with it."""
        with self._lock:
            self._alone.update(coins)

    def rejoin(self, coin: str) -> None:
        """The exchange took an order of this market for itself: it may go with others again."""
        with self._lock:
            self._alone.discard(coin)

    def sendable(self, inflight: int, *, entries: bool = True) -> bool:
        """Whether `take` would return something now."""
        with self._lock:
            if inflight >= self.max_inflight:
                return False
            new = entries and (bool(self._new) or bool(self._quotes)) and inflight < self.high_watermark
            return bool(self._cancels) or bool(self._reduce) or new

    def put_back(self, batch: ActionBatch) -> None:
        """What provably did not leave returns to the front, in its order. The tick does so itself, so nothing wakes it.

        Past the bounds, if others came meanwhile: what had its place keeps it.
        """
        with self._lock:
            if isinstance(batch, CancelBatch):
                self._cancels.extendleft(reversed(batch.cancels))
            else:
                target = self._reduce if batch.reduce_only else self._quotes if batch.quotes else self._new
                target.extendleft(reversed(batch.orders))

    def purge_new(self) -> list[PendingOrder]:
        """Drop every queued entry and quote and return them: their owner must be told."""
        with self._lock:
            purged = [*self._quotes, *self._new]
            self._quotes.clear()
            self._new.clear()
            return purged

    def purge_coins(self, coins: Collection[str]) -> list[PendingOrder]:
        """Drop the queued entries of these markets and return them: their owner must be told."""
        with self._lock:
            purged = [o for o in (*self._quotes, *self._new) if o.coin in coins]
            self._quotes = deque(o for o in self._quotes if o.coin not in coins)
            self._new = deque(o for o in self._new if o.coin not in coins)
            return purged

    def counts(self) -> tuple[int, int, int]:
        """(cancels, reduce-only, quotes and new) waiting, at one instant."""
        with self._lock:
            return len(self._cancels), len(self._reduce), len(self._quotes) + len(self._new)

    def wake(self) -> None:
        """End the tick's wait at once, also one that has not begun yet. Any thread."""
        with self._lock:
            self._wake_locked()
        self._let_the_tick()

    def wait(self, timeout_s: float) -> bool:
        """Block until something was enqueued or the time is up; True if woken. The tick alone; seconds.

        No call is lost between the alarm and the reset: whoever came in between has queued before the tick takes.
        """
        self._asleep = True
        try:
            self._alarm.get(timeout=max(0.0, timeout_s))
        except Empty:
            return False
        finally:
            self._asleep = False
        with self._lock:
            self._woken = False
        return True

    def _wake_locked(self) -> None:
        # One item at most: a hundred orders at once are one alarm, and the tick goes on until nothing can be sent.
        if not self._woken:
            self._woken = True
            self._alarm.put(None)

    def _let_the_tick(self) -> None:
        # One step each: where it is wrong, a thread gives way in vain, or the tick starts a little later.
        if self._woken and self._asleep:
            self._give_way()


def _take(queue: "deque[_T]") -> "list[_T]":
    return [queue.popleft() for _ in range(min(BATCH, len(queue)))]
