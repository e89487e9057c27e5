"""Placing and moving quotes: through the gates and into the books in one critical section, then into the queue.

Everything that an entry obeys a quote obeys: READY epoch, limits in the tracker's critical section, budgets. A move
that cannot be had at once is left to the caller, who cancels instead: nothing that must leave waits for room. Confined
to the tick.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

import msgspec

from hip3.core.ledger import LedgerView
from hip3.core.market import MarketSpec
from hip3.core.orders import PendingOrder, Tif
from hip3.core.ports import Clock
from hip3.execution.entries.budget import ActionBudget
from hip3.execution.entries.executor import EntryLimits
from hip3.execution.entries.gates import QUOTE_GATES, Entry, run
from hip3.execution.quotes.keys import key_of
from hip3.execution.quotes.market import QuotedMarket
from hip3.execution.quotes.pacing import Pacing
from hip3.execution.readiness import Readiness
from hip3.execution.sending.cloids import CloidSource
from hip3.execution.sending.scheduler import BatchScheduler
from hip3.feed.market_state import MarketState
from hip3.position.tracker import PositionTracker
from hip3.strategy.ladder import Key
from hip3.strategy.quote_diff import Slot, Step, Why


class Placing:
    """See the module. `limits(coin)`: as for entries; `other_marks()`: of markets that are not configured."""

    def __init__(
        self,
        *,
        clock: Clock,
        limits: Callable[[str], EntryLimits],
        other_marks: Callable[[], dict[str, Decimal]],
        readiness: Readiness,
        market_state: MarketState,
        tracker: PositionTracker,
        scheduler: BatchScheduler,
        budget: ActionBudget,
        pacing: Pacing,
        cloids: CloidSource,
    ) -> None:
        self._clock = clock
        self._limits = limits
        self._other_marks = other_marks
        self._readiness = readiness
        self._market_state = market_state
        self._tracker = tracker
        self._scheduler = scheduler
        self._budget = budget
        self._pacing = pacing
        self._cloids = cloids

    def place(
        self, market: QuotedMarket, steps: Iterable[Step], spec: MarketSpec, slots: Mapping[Key, Slot], now_ms: int
    ) -> list[PendingOrder]:
        """New orders for the rungs of `steps`, whose keys are empty, or for moves, in the place of those in `slots`:
        all of the one kind or all of the other. Those that are on their way."""
        epoch = self._readiness.epoch(now_ms)
        if epoch is None:
            return []
        marks = self._other_marks() | self._market_state.marks(epoch)
        mark = marks.get(market.coin)
        if mark is None:
            return []
        wished = []
        for step in steps:
            if not self._pacing.take(urgent=step.why is Why.RETREAT):
                break
            if not self._budget.try_consume(now_ms):
                self._pacing.give_back()
                break
            wished.append(self._order(market, step, slots, mark, epoch))
        admitted = self._tracker.admit_all(
            wished, lambda ledger, order: self._gated(market, spec, marks, ledger, order)
        )
        full = self._scheduler.enqueue_quotes(admitted)
        for order in full:
            self._tracker.drop(order.cloid, "QueueFull")
        for _ in range(len(wished) - len(admitted) + len(full)):
            self._pacing.give_back()
            self._budget.refund(now_ms)
        sizes = {order.cloid: order.sz for order in wished}
        for order in admitted:
            market.keys.changed(key_of(order), now_ms)
            if order.sz < sizes[order.cloid]:
                market.keys.note_cut(key_of(order), order.sz, now_ms)
        return [order for order in admitted if order not in full]

    def _order(
        self, market: QuotedMarket, step: Step, slots: Mapping[Key, Slot], mark: Decimal, epoch: int
    ) -> PendingOrder:
        assert step.rung is not None
        return PendingOrder(
            cloid=self._cloids.next(), coin=market.coin, side=step.key[0], level=step.key[1], px=step.rung.px,
            sz=step.rung.sz, tif=Tif.ALO, reduce_only=False, created_ms=self._clock.wall_ms(), epoch=epoch,
            admission_px=max(step.rung.px, mark), decided_us=self._clock.mono_us(),
            replaces=slots[step.key].oid if step.moves else None,
        )  # fmt: skip

    def _gated(
        self, market: QuotedMarket, spec: MarketSpec, marks: dict[str, Decimal], ledger: LedgerView,
        order: PendingOrder,
    ) -> PendingOrder | None:  # fmt: skip
        """The order as the gates leave it, or None. Pure but for what it is given: the tracker's lock is held.

        An order and the one that replaces it count both, in full: until the exchange has run the move the old one may
        execute in part, and the new one is placed with its whole size. A move is never cut to what there is room for.
        """
        limits = self._limits(market.coin)
        entry = Entry(
            coin=market.coin, side=order.side, size=order.sz, limit_px=order.px, sz_decimals=spec.sz_decimals,
            hard_stop=None, not_ready=(), blocked=None, marks=marks, ledger=ledger, exiting=False,
            max_per_market=min(limits.max_per_market, market.params.ladder.max_inventory_usd),
            max_total=limits.max_total, max_positions=limits.max_positions, max_weight=limits.max_weight,
            weights=limits.weights,
        )  # fmt: skip
        refusal, passed = run(QUOTE_GATES, entry)
        if refusal is not None:
            if order.replaces is None:
                market.figures.counts["refused by " + refusal.gate] += 1
            return None
        if passed.size == order.sz:
            return order
        return None if order.replaces is not None else msgspec.structs.replace(order, sz=passed.size)
