"""Protector: keeps a stop on the exchange for every position we look after (HIP3_PROTECTIVE_STOP_BPS).

Confined to the tick. It places nothing while a position is being left: the local exit closes it, and the stop that
stands shrinks and goes with it. A mark that is already beyond the stop is an exit of ours, at once: the exchange
refuses a trigger on the wrong side of the mark (docs/venue-facts.md F17). Only configured markets are protected.
"""

from collections.abc import Callable
from decimal import Decimal

from hip3.core.decisions import Enqueued
from hip3.core.ledger import PositionView
from hip3.core.market import MarketSpec
from hip3.core.order_state import OrderState
from hip3.core.orders import ExitReason, PendingCancel
from hip3.core.ports import Clock, Journal
from hip3.execution.exits.exiting import Exiting
from hip3.execution.sending.cloids import CloidSource
from hip3.execution.sending.scheduler import BatchScheduler
from hip3.feed.market_state import MarketState
from hip3.position.exit_attempts import ExitDesk
from hip3.position.flatten import ReadMark, newest_mark
from hip3.position.protection import bounded_bps, build, decide, trigger_px
from hip3.position.tracked import TrackedOrder
from hip3.position.tracker import PositionTracker

AGAIN_MS = 1000
"""A stop that was refused, and a cancel that nothing came of, are tried again after this."""
LONGEST_MS = 60_000
"""The longest pause between two tries to place a stop that come to nothing."""
SLIPPAGE_BPS = Decimal(1000)
"""The exchange's own allowance for a market trigger (docs/venue-facts.md F17)."""


class Protector:
    """See the module.

    `newest(coin)`: a market's facts as they were last read; the start's stand for what is gone. `bps(coin)`: how far
    from the entry the stop is, 0 for none; `liquidation(position)`: at which price the exchange would close it, None
    while unknown. All times in it are monotonic.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        specs: dict[str, MarketSpec],
        newest: Callable[[str], MarketSpec | None],
        bps: Callable[[str], Decimal],
        liquidation: Callable[[PositionView], Decimal | None],
        read_mark: Callable[[str], ReadMark | None],
        tracker: PositionTracker,
        desk: ExitDesk,
        exiting: Exiting,
        market_state: MarketState,
        scheduler: BatchScheduler,
        cloids: CloidSource,
        journal: Journal,
    ) -> None:
        self._clock = clock
        self._specs = specs
        self._newest = newest
        self._bps = bps
        self._liquidation = liquidation
        self._read_mark = read_mark
        self._told: set[str] = set()
        """Markets in which a stop was drawn nearer: told once."""
        self._tracker = tracker
        self._desk = desk
        self._exiting = exiting
        self._market_state = market_state
        self._scheduler = scheduler
        self._cloids = cloids
        self._journal = journal
        self._next_ms: dict[str, int] = {}
        """Before this a market is left alone: what came to nothing is not tried again at once."""
        self._known: set[str] = set()
        """Markets in which this run has known a position."""
        self._pause_ms: dict[str, int] = {}
        """The last pause of a market whose stop does not stand yet."""
        self._placed: dict[str, str] = {}
        """The last stop of a market that was placed: its cloid."""

    def step(self, now_ms: int) -> None:
        """One round over all markets with a position or a stop, after the exits of the same round.

        Orders and cancels go into the queue and leave with the next batches. A full queue costs a try, no more.
        """
        standing = self._tracker.protective()
        held = self._tracker.positions()
        self._known.update(p.coin for p in held)
        positions = {p.coin: p for p in held if self._exiting.ours_to_close(p)}
        for coin in dict.fromkeys([*standing, *positions]):
            if coin not in self._specs or now_ms < self._next_ms.get(coin, 0):
                continue
            position = positions.get(coin)
            # A stop that stands without a position is always taken away, also where no more are placed. Only what an
            # earlier run left for a position that nobody shows is not ours to judge by the books: `OpenOrders`.
            if position is not None and (self._bps(coin) <= 0 or self._desk.requested(coin) is not None):
                continue
            px = None if position is None else self._liquidation(position)
            todo = decide(position, self._judged(standing.get(coin, [])), px, self._spec(coin))
            if todo.place and position is not None:
                self._place(position, now_ms)
            elif any(t.state is OrderState.OPEN for t in standing.get(coin, [])):
                self._pause_ms.pop(coin, None)
            for oid in todo.cancel:
                self._next_ms[coin] = now_ms + AGAIN_MS
                self._scheduler.enqueue_cancel(PendingCancel(coin=coin, oid=oid, created_ms=self._clock.wall_ms()))
        for coin in [c for c in self._next_ms if c not in standing and c not in positions]:
            del self._next_ms[coin]
            self._pause_ms.pop(coin, None)
            self._placed.pop(coin, None)

    def _spec(self, coin: str) -> MarketSpec:
        """As it was read last: one that is refused for its size or price protects nothing."""
        return self._newest(coin) or self._specs[coin]

    def _judged(self, standing: list[TrackedOrder]) -> list[TrackedOrder]:
        return [t for t in standing if t.generation or t.order.coin in self._known]

    def _within(self, position: PositionView, wished: Decimal) -> Decimal:
        """The distance of its stop, never beyond the liquidation price; one that is drawn nearer is told."""
        liquidation = self._liquidation(position)
        bps = bounded_bps(position, wished, liquidation)
        if bps < wished and position.coin not in self._told:
            self._told.add(position.coin)
            self._journal.record(
                "stop_nearer", coin=position.coin, wished_bps=wished, bps=bps, liquidation_px=liquidation
            )
        return bps

    def _place(self, position: PositionView, now_ms: int) -> None:
        """Queue the stop of a position, or ask for its exit where the mark is beyond the stop already.

        Without a mark or an entry price nothing can be placed; it is looked for once a second, which costs nothing.
        """
        coin, spec = position.coin, self._spec(position.coin)
        # A market may be told no context at all: then the newest mark that was read.
        mark = newest_mark(coin, self._market_state.view(coin), self._read_mark(coin), now_ms)
        if mark is None or position.entry_px <= 0:
            self._next_ms[coin] = now_ms + AGAIN_MS
            return
        bps = self._within(position, self._bps(coin))
        # Twice as long with each try that came to nothing: a stop may be refused for as long as the position lives. One
        # that stands, if for a position of another size, came to something.
        last = self._tracker.get(self._placed.pop(coin, ""))
        if last is not None and last.state is OrderState.OPEN:
            self._pause_ms.pop(coin, None)
        pause = self._pause_ms[coin] = min(self._pause_ms.get(coin, AGAIN_MS // 2) * 2, LONGEST_MS)
        self._next_ms[coin] = now_ms + pause
        try:
            trigger = trigger_px(position, bps, spec)
            if (mark <= trigger) if position.szi > 0 else (mark >= trigger):
                self._desk.request(coin, ExitReason.STOP_LOSS, now_ms)
                return
            order = build(
                position, spec, cloid=self._cloids.next(), bps=bps, slippage_bps=SLIPPAGE_BPS,
                wall_ms=self._clock.wall_ms(),
            )  # fmt: skip
        except (ValueError, ArithmeticError):
            return  # nothing positive is left at that distance: no stop, and no end of the tick
        self._tracker.register(order)
        self._placed[coin] = order.cloid
        self._journal.record("protect", order=order, position=position)
        answer = self._scheduler.enqueue_reduce_only(order)
        if answer is not Enqueued.QUEUED:
            self._exiting.drop(order, answer.value, now_ms)
