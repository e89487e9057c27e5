"""Ending quotes: what was wished is sent, sent again, and doubted; of a key one order is left. Confined to the tick."""

from hip3.core.order_state import OrderState
from hip3.core.orders import PendingCancel
from hip3.core.ports import Clock, Journal
from hip3.execution.account_view import AccountView
from hip3.execution.quotes.keys import ASK_MS, DOUBT_MS, LOST_MS, key_of, pairs
from hip3.execution.quotes.market import QuotedMarket
from hip3.execution.sending.scheduler import BatchScheduler
from hip3.position.tracked import TrackedOrder
from hip3.position.tracker import PositionTracker

QUEUED_US = 500_000
"""A move that waits longer in the queue is given up, and the quote cancelled."""
SIDE_LOST_MS = 30_000


class Cancelling:
    """See the module."""

    def __init__(
        self, *, clock: Clock, view: AccountView, tracker: PositionTracker, scheduler: BatchScheduler, journal: Journal
    ) -> None:
        self._clock = clock
        self._view = view
        self._tracker = tracker
        self._scheduler = scheduler
        self._journal = journal

    def send(self, market: QuotedMarket, orders: list[TrackedOrder], now_ms: int) -> None:
        """Wish for the end of what was decided, first and again; doubt the account where no proof comes."""
        if not market.keys.wishes:
            return
        wall_ms = self._clock.wall_ms()
        for tracked in market.keys.due(orders, now_ms):
            assert tracked.oid is not None
            wish = PendingCancel(coin=market.coin, oid=tracked.oid, created_ms=wall_ms, limit=True)
            self._scheduler.enqueue_cancel(wish)
        if market.keys.unproved(now_ms, DOUBT_MS):
            self._view.doubt()
        by_cloid = {t.order.cloid: t.order for t in orders}
        for cloid in market.keys.unproved(now_ms, LOST_MS):
            if cloid in by_cloid:
                market.pulls.pull_side(by_cloid[cloid].side, now_ms + SIDE_LOST_MS)
                if market.keys.tell_once(cloid):
                    self._journal.record("quote_stuck", coin=market.coin, cloid=cloid)

    def end_extras(self, market: QuotedMarket, orders: list[TrackedOrder], now_ms: int) -> None:
        """See to it that of each key one order is left: of one that replaces another the end of that is asked for, and
        any other second one goes, whatever is desired."""
        replacing = set()
        for old, new in pairs(orders):
            replacing.add(new.order.cloid)
            waited_ms = market.keys.waited(new.order.cloid, now_ms) if new.state is OrderState.OPEN else 0
            if new.state is OrderState.QUEUED and self._clock.mono_us() - new.order.decided_us >= QUEUED_US:
                market.keys.cancel(old.order.cloid, now_ms)  # it could not leave: nothing that must go waits for that
            elif new.state is OrderState.OPEN and waited_ms >= DOUBT_MS:
                market.keys.cancel(old.order.cloid, now_ms)
            elif new.state is OrderState.OPEN and waited_ms >= ASK_MS and old.oid is not None:
                self._tracker.say_gone(old.oid)
        first = {key_of(t.order): t for t in reversed(orders)}
        if len(first) == len(orders):
            return
        for extra in orders:
            if first[key_of(extra.order)] is not extra and extra.order.cloid not in replacing:
                market.keys.cancel(extra.order.cloid, now_ms)
