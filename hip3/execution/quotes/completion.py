"""Completion: inventory that quotes cannot get rid of is taken to the other side of the book, at a bounded price.

One order at a time, reduce-only, claimed at the one owner of exits, so that none is under way beside an exit. The
quotes of the market go first; the price cap never loosens because an order did not match. Confined to the tick.
"""

from collections.abc import Callable
from decimal import Decimal

from hip3.core.decisions import Enqueued
from hip3.core.ledger import PositionView
from hip3.core.market import MarketSpec, MarketView
from hip3.core.money import MIN_NOTIONAL_USD
from hip3.core.orders import ExitReason, PendingOrder
from hip3.core.ports import Clock, Journal
from hip3.execution.quotes.market import Completing, QuotedMarket
from hip3.execution.sending.cloids import CloidSource
from hip3.execution.sending.scheduler import BatchScheduler
from hip3.position.exit_attempts import ExitDesk
from hip3.position.tracked import TrackedOrder
from hip3.position.tracker import PositionTracker
from hip3.strategy.completing import cap, side_of, size
from hip3.strategy.ladder import filled_share

QUOTES_GONE_MS = 1500
"""So long the side that would make the position larger is waited for: a reduce-only order cannot flip it anyway."""
TRY_MS, MOST_TRIES = 1000, 10
HOLD_MS = 60_000
"""After so many tries that found nobody quotes go on, on the side that reduces; then it is tried again."""
AFTER_MS = 5000
WINDOW_MS, MOST, REST_MS = 600_000, 3, 1_800_000
"""So many completions within so long, and the market rests for half an hour."""
HALF_TARGET = Decimal("0.5")
ENDS = "its session ends"
BEFORE_END_MS, EXIT_MS = 30_000, 5000
"""Before a session's end: from when inventory is completed, and from when it is left at any price."""


class Completion:
    """See the module. `ends_within(market, ms)`: whether its session is over by then, or a blackout has begun. `drop`
    takes an order out of the books that the queue refused."""

    def __init__(
        self,
        *,
        clock: Clock,
        desk: ExitDesk,
        tracker: PositionTracker,
        scheduler: BatchScheduler,
        cloids: CloidSource,
        journal: Journal,
        exchange_ms: Callable[[], int],
        ends_within: Callable[[QuotedMarket, int], bool],
        drop: Callable[[PendingOrder, str, int], None],
        watch_foreign: bool,
    ) -> None:
        self._clock = clock
        self._desk = desk
        self._tracker = tracker
        self._scheduler = scheduler
        self._cloids = cloids
        self._journal = journal
        self._exchange_ms = exchange_ms
        self._ends_within = ends_within
        self._drop = drop
        self._watch_foreign = watch_foreign

    def step(
        self,
        market: QuotedMarket,
        position: PositionView | None,
        view: MarketView | None,
        spec: MarketSpec | None,
        orders: list[TrackedOrder],
        now_ms: int,
    ) -> str:
        """Why the market is being completed, having done what is due; empty if it is not."""
        leaving = self._desk.requested(market.coin)
        mark = None if view is None else view.mark
        if leaving not in (None, ExitReason.COMPLETION):
            market.completing = None
            return ""
        market.patient = False
        if position is None:
            self._ended(market, now_ms)
            return ""
        if position.foreign and self._watch_foreign:
            market.completing = None
            return ""  # shown, never touched
        if spec is None or view is None or mark is None:
            return ""
        usd, p = abs(position.szi) * mark, market.params
        if p.completion_exit and usd > p.carry_usd and self._ends_within(market, EXIT_MS):
            self._desk.request(market.coin, ExitReason.TIME_STOP, now_ms)
            return ""
        found = self._trigger(market, position, usd, now_ms)
        if found is None:
            self._ended(market, now_ms)
            return ""
        before = market.completing
        if now_ms < market.completion_held_until_ms and not (found.emergency and market.completion_held_patient):
            return ""
        if before is None and not found.emergency and self._order(market, position, view, spec, found) is None:
            market.patient = True  # nobody pays its price: its quotes are not taken away to look on
            return ""
        if before is None or (found.emergency and not before.emergency):  # at another cap others may be found
            market.completion_tries = 0
        if before is None:
            self._journal.record("completion", coin=market.coin, why=found.why, target_usd=found.target_usd)
        market.completing = found
        self._try(market, position, view, spec, orders, found, now_ms)
        return found.why

    def _trigger(self, market: QuotedMarket, position: PositionView, usd: Decimal, now_ms: int) -> Completing | None:
        """What asks for it, in the order of how it presses; None: nothing."""
        p, begun = market.params, market.completing
        since, half = now_ms if begun is None else begun.since_ms, p.ladder.max_inventory_usd * HALF_TARGET
        if self._ends_within(market, BEFORE_END_MS):
            return Completing(since, ENDS, p.carry_usd, True) if usd > p.carry_usd else None
        share = abs(filled_share(usd, p.ladder))
        if share >= p.complete_at:
            return Completing(since, "its inventory is full", half, True)
        # What is left to do must be worth an order: a dollar too many is no reason to sell eleven.
        goes_on = begun is not None and begun.target_usd > 0 and usd - begun.target_usd >= MIN_NOTIONAL_USD
        if goes_on and begun is not None and begun.emergency:
            return begun  # at the cap it began with, however old it gets
        if self._exchange_ms() - position.entry_ms > p.max_age_ms:
            return Completing(since, "its inventory is old", Decimal(0), False)
        if goes_on:
            return begun
        lasted = market.one_sided_ms is not None and now_ms - market.one_sided_ms > p.one_sided_ms
        if lasted and share >= p.one_side_at:
            return Completing(since, "its inventory stays", half, False)
        return None

    def _try(
        self, market: QuotedMarket, position: PositionView, view: MarketView, spec: MarketSpec,
        orders: list[TrackedOrder], begun: Completing, now_ms: int,
    ) -> None:  # fmt: skip
        """One order, if the quotes are out of its way and nothing else leaves the market."""
        side = side_of(position)
        reducing = any(t.order.side is side for t in orders)
        if now_ms < market.completion_next_ms or reducing:
            return
        if begun.why != ENDS and market.pulls.unsure(now_ms):
            return  # what is sold into a jump cannot be had back; where a session ends nothing else is left to do
        if orders and now_ms - begun.since_ms < QUOTES_GONE_MS:
            return
        if market.coin in self._tracker.ledger().reducing:
            return  # one of unknown fate, too
        market.completion_next_ms = now_ms + TRY_MS
        if abs(position.szi) < market.completion_left:  # somebody was found
            market.completion_tries = 0
        market.completion_left = abs(position.szi)
        market.completion_tries += 1
        if market.completion_tries > MOST_TRIES:
            market.completion_held_until_ms, market.completing = now_ms + HOLD_MS, None
            market.completion_held_patient = not begun.emergency
            self._journal.record("completion_held", coin=market.coin, tries=MOST_TRIES)
            return
        order = self._order(market, position, view, spec, begun)
        if order is not None:
            self._send(market, position, *order, now_ms)

    def _order(
        self, market: QuotedMarket, position: PositionView, view: MarketView, spec: MarketSpec, begun: Completing
    ) -> tuple[Decimal, Decimal] | None:
        """(price, size) of what could be sent now; None: nobody pays the cap, or it is not known."""
        px = cap(market.params.completion, spec, position, market.fair, emergency=begun.emergency)
        if px is None:
            return None
        touch = view.bid if position.szi > 0 else view.ask
        sz = size(market.params.completion, spec, position, begun.target_usd, touch, px)
        return (px, sz) if sz > 0 else None

    def _send(self, market: QuotedMarket, position: PositionView, px: Decimal, sz: Decimal, now_ms: int) -> None:
        order = PendingOrder(
            cloid=self._cloids.next(), coin=market.coin, side=side_of(position), px=px, sz=sz, reduce_only=True,
            created_ms=self._clock.wall_ms(), exit_reason=ExitReason.COMPLETION, attempt=1,
            decided_us=self._clock.mono_us(),
        )  # fmt: skip
        if not self._tracker.register(order, held=True):
            return
        if not self._desk.begin_once(market.coin, order.cloid, now_ms):
            self._drop(order, "the market is being left", now_ms)
            return
        self._journal.record("exit", order=order, position=position)
        answer = self._scheduler.enqueue_reduce_only(order)
        if answer is not Enqueued.QUEUED:
            self._drop(order, answer.value, now_ms)

    def _ended(self, market: QuotedMarket, now_ms: int) -> None:
        """It is as small as it should be: a pause, and a longer one where that comes too often."""
        if market.completing is None:
            return
        market.completing = None
        market.figures.counts["completions"] += 1
        market.completed.append(now_ms)
        while market.completed and now_ms - market.completed[0] > WINDOW_MS:
            market.completed.popleft()
        market.pulls.pull("a completion has just ended", now_ms + AFTER_MS)
        if len(market.completed) >= MOST:
            why = "three completions within ten minutes"
            market.pulls.pull(why, now_ms + REST_MS)
            self._journal.record("quotes_off", coin=market.coin, why=f"{why}; it rests for half an hour")
            market.completed.clear()
