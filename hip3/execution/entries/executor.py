"""Executor: a signal in, a verdict out. Runs the gates, enters the order in the books, enqueues it.

No lock of its own: the tracker's critical section decides and marks in one step. Called from: the
ws-reader (signals); exits come from `flow`. A failure after the mark rolls back exactly what was
taken: the order, then the budget.

Prices are USD per unit, sizes units of the asset, limits USD. A refusal is a value; nothing is raised for one.
"""

from collections import Counter, deque
from collections.abc import Callable
from decimal import Decimal

import msgspec

from hip3.core.decisions import (
    DislocationSignal,
    Enqueued,
    Numbers,
    Queued,
    QueuedDegraded,
    Rejected,
    RejectReason,
    Skipped,
    SkipReason,
    Verdict,
)
from hip3.core.ledger import LedgerView
from hip3.core.market import MarketSpec
from hip3.core.money import shift_bps, taker_price
from hip3.core.orders import PendingOrder
from hip3.core.ports import Clock
from hip3.execution.entries.budget import ActionBudget
from hip3.execution.entries.gates import LATCH_GATES, LEDGER_GATES, READY_GATES, Entry, Refusal, run
from hip3.execution.readiness import Readiness
from hip3.execution.sending.address_budget import AddressBudget
from hip3.execution.sending.cloids import CloidSource
from hip3.execution.sending.posts import PostRequestManager
from hip3.execution.sending.scheduler import BatchScheduler
from hip3.feed.market_state import MarketState
from hip3.position.exit_attempts import ExitDesk
from hip3.position.tracker import PositionTracker
from hip3.risk.guards import EntryGuards
from hip3.risk.hard_stop import HardStopLatch

LAST_REFUSED = 5
"""So many refusals are shown in the details of the status."""


class EntryLimits:
    """Limits of one market and of the account, from the settings.

    `max_per_market` and `max_total` are USD, `max_positions` is a number of markets, `slippage_bps` is how much worse
    than the touch an entry's limit may be.
    """

    __slots__ = ("max_per_market", "max_positions", "max_total", "max_weight", "slippage_bps", "weights")

    def __init__(
        self,
        *,
        max_per_market: Decimal,
        max_total: Decimal,
        max_positions: int,
        slippage_bps: Decimal,
        max_weight: Decimal | None = None,
        weights: dict[str, Decimal] | None = None,
    ) -> None:
        """`max_weight` replaces `max_positions`: the sum of `weights` of occupied markets (1 where there is none)."""
        self.max_weight, self.weights = max_weight, weights or {}
        self.max_per_market = max_per_market
        self.max_total = max_total
        self.max_positions = max_positions
        self.slippage_bps = slippage_bps


class Executor:
    """See the module. Confined to the ws-reader; the status reads the counters.

    Asked by coin: `limits`, `blocked` (why a market must not be traded, or None), and `quoted` (then it is not taken).
    `other_marks`: mark prices of the last reading, for positions in markets that are not configured. `exchange_ms`: the
    exchange's time by our clock.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        specs: dict[str, MarketSpec],
        limits: Callable[[str], EntryLimits],
        blocked: Callable[[str], str | None],
        other_marks: Callable[[], dict[str, Decimal]],
        latch: HardStopLatch,
        readiness: Readiness,
        market_state: MarketState,
        tracker: PositionTracker,
        guards: EntryGuards,
        exchange_ms: Callable[[], int],
        exits: ExitDesk,
        budget: ActionBudget,
        address: AddressBudget,
        scheduler: BatchScheduler,
        posts: PostRequestManager,
        cloids: CloidSource,
        quoted: Callable[[str], bool],
    ) -> None:
        self._clock = clock
        self._specs = specs
        self._limits = limits
        self._blocked = blocked
        self._other_marks = other_marks
        self._latch = latch
        self._readiness = readiness
        self._market_state = market_state
        self._tracker = tracker
        self._guards = guards
        self._exchange_ms = exchange_ms
        self._exits = exits
        self._budget = budget
        self._address = address
        self._scheduler = scheduler
        self._posts = posts
        self._cloids = cloids
        self._quoted = quoted
        self.refused: Counter[str] = Counter()
        """Refusals by gate; written by the ws-reader only."""
        self.skipped: Counter[str] = Counter()
        """By reason, as in the next one."""
        self.rejected: Counter[str] = Counter()
        self.last_refused: deque[tuple[int, str, Refusal]] = deque(maxlen=LAST_REFUSED)
        """The latest refusals: wall time, coin, verdict. The status copies it, which is one step like an append."""
        self.queued = 0
        """Signals that became an order in the queue."""
        self.seen: Entry | None = None
        """The facts the last signal was decided on; ws-reader only."""

    def on_signal(self, signal: DislocationSignal) -> Verdict:
        """Decide on one signal of a configured market, and count the verdict.

        Queued and QueuedDegraded: the order is in the books and waits for the tick. Otherwise nothing of it is left.
        """
        verdict = self._decide(signal)
        if isinstance(verdict, Rejected):
            self.rejected[verdict.reason.value] += 1
            self.refused[verdict.gate] += 1
        elif isinstance(verdict, Skipped):
            self.skipped[verdict.reason.value] += 1
            self.refused[verdict.gate] += 1
        else:
            self.queued += 1
        if isinstance(verdict, Refusal):
            self.last_refused.append((signal.at_ms, signal.coin, verdict))
        return verdict

    def facts(self, signal: DislocationSignal) -> Entry:
        """What every gate would decide on now, books included: for who looks at a signal without deciding on it."""
        now_ms = self._clock.mono_ms()
        reasons, epoch = self._readiness.look(now_ms)
        return _with(
            self._entry(signal, self._specs[signal.coin], tuple(reasons), epoch, now_ms), self._tracker.ledger()
        )

    def _decide(self, signal: DislocationSignal) -> Verdict:
        spec = self._specs[signal.coin]
        now_ms = self._clock.mono_ms()
        # Of one instant: an order carries the epoch that it was approved in, and leaves in no other.
        reasons, epoch = self._readiness.look(now_ms)
        entry = self._entry(signal, spec, tuple(reasons), epoch, now_ms)
        if self._quoted(signal.coin):
            self.seen = entry
            return Skipped(SkipReason.QUOTED, "quoted")
        refusal, self.seen = run(LATCH_GATES, entry)
        refusal = refusal or self._guarded(signal)
        if refusal is None:
            refusal, self.seen = run(READY_GATES, entry)
        if refusal is not None:
            return refusal
        order = self._order(signal, entry, epoch)
        refusal, admitted = self._admit(entry, order)
        if admitted is None:
            assert refusal is not None
            return refusal
        spent = self._take_budget(now_ms)
        if spent is not None:
            self._tracker.drop(admitted.cloid, "BudgetExhausted")
            return spent
        verdict = self._enqueue(admitted, now_ms)
        if isinstance(verdict, Queued | QueuedDegraded):
            self._guards.accepted(signal.coin, self._exchange_ms())
        return verdict

    def _guarded(self, signal: DislocationSignal) -> Rejected | None:
        """Between 1 and 2: pauses that the account's own results impose. None: no guard objects."""
        found = self._guards.refusal(signal.coin, signal.raw_edge_bps, self._exchange_ms())
        return None if found is None else Rejected(found[0], found[0].value, found[1])

    def _take_budget(self, now_ms: int) -> Skipped | None:
        """9: one action of the address's and of this second's budget; what is spent is named."""
        numbers: Numbers
        # The address first: asking it takes nothing, so there is nothing to give back if it says no.
        if not self._address.may_enter():
            state = self._address.state()
            numbers = (("budget", "address"), ("used", str(state.used)), ("cap", str(state.cap)))
            return Skipped(SkipReason.BUDGET_EXHAUSTED, "ActionBudget", numbers)
        if not self._budget.try_consume(now_ms):
            numbers = (("budget", "orders per second"), ("used", str(self._budget.used)))
            return Skipped(SkipReason.BUDGET_EXHAUSTED, "ActionBudget", numbers)
        return None

    def _entry(
        self, signal: DislocationSignal, spec: MarketSpec, reasons: tuple[str, ...], epoch: int, now_ms: int
    ) -> Entry:
        """The facts around a signal, before the books are looked at; the limit price is the touch and the slippage.

        They may be a moment older than the ledger that gates 3 to 8 see: what trips, or is closed by hand, in between
        is caught by the last look before signing.
        """
        limits = self._limits(signal.coin)
        latch = self._latch.state()
        slip = limits.slippage_bps if signal.side.is_buy else -limits.slippage_bps
        limit_px = taker_price(shift_bps(signal.touch_px, slip), spec.sz_decimals, is_buy=signal.side.is_buy)
        # A market that is not configured is not fed; its position counts at the mark of the last reading.
        marks = {c: m for c, m in self._other_marks().items() if c not in self._specs}
        marks |= self._market_state.marks(epoch)
        return Entry(
            coin=signal.coin, side=signal.side, size=signal.size, limit_px=limit_px, sz_decimals=spec.sz_decimals,
            hard_stop=latch.reason or "tripped" if latch.tripped else None, not_ready=reasons,
            blocked=self._blocked(signal.coin), marks=marks, ledger=None,
            exiting=self._exits.no_entries(signal.coin, now_ms),
            max_per_market=limits.max_per_market, max_total=limits.max_total, max_positions=limits.max_positions,
            max_weight=limits.max_weight, weights=limits.weights,
        )  # fmt: skip

    def _order(self, signal: DislocationSignal, entry: Entry, epoch: int) -> PendingOrder:
        """The order as it is wished; a gate may still cut its size."""
        return PendingOrder(
            cloid=self._cloids.next(), coin=signal.coin, side=signal.side, px=entry.limit_px, sz=entry.size,
            reduce_only=False, created_ms=signal.at_ms, epoch=epoch, admission_px=entry.price or entry.limit_px,
            touch_px=signal.touch_px, edge_bps=signal.raw_edge_bps, decided_us=signal.at_us,
        )  # fmt: skip

    def _admit(self, entry: Entry, order: PendingOrder) -> tuple[Refusal | None, PendingOrder | None]:
        """Gates 3 to 8 in the tracker's critical section: a refusal, or the order as it entered the books."""
        refusal: Refusal | None = None
        admitted: PendingOrder | None = None

        # Runs once, at once, on this thread and under the tracker's lock: it only computes.
        def decide(ledger: LedgerView, wished: PendingOrder) -> PendingOrder | None:
            nonlocal refusal, admitted
            refusal, passed = run(LEDGER_GATES, _with(entry, ledger))
            self.seen = passed
            if refusal is None:
                admitted = _resized(wished, passed.size)
            return admitted

        self._tracker.admit(order, decide)
        return refusal, admitted

    def _enqueue(self, order: PendingOrder, now_ms: int) -> Verdict:
        """Into the queue; what it does not take goes out of the books again, and its action back to the window."""
        answer = self._scheduler.enqueue_new(order, self._posts.inflight)
        if answer is Enqueued.QUEUED:
            return Queued(order.cloid, (("size", str(order.sz)), ("px", str(order.px))))
        if answer is Enqueued.DEGRADED:
            return QueuedDegraded(order.cloid, (("inflight", str(self._posts.inflight)),))
        # Its end is told by the verdict: no exit and no counter waits for an entry that never was queued.
        self._tracker.drop(order.cloid, answer.value)
        self._budget.refund(now_ms)
        full = answer is Enqueued.INFLIGHT_FULL
        reason = RejectReason.INFLIGHT_FULL if full else RejectReason.QUEUE_FULL
        return Rejected(reason, "enqueue", (("inflight", str(self._posts.inflight)),))


def _with(entry: Entry, ledger: LedgerView) -> Entry:
    return msgspec.structs.replace(entry, ledger=ledger)


def _resized(order: PendingOrder, size: Decimal) -> PendingOrder:
    return order if size == order.sz else msgspec.structs.replace(order, sz=size)
