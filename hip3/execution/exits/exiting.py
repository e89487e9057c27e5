"""Exiting: from a position and its market to an exit order in the queue.

No lock of its own; everything it calls has one. Called from: ws-reader (every message of a market with a
position), tick (all positions, at the latest every tick), risk, main and control (requests), rest (`closes`, and what
a reading ended). A position may change between a look at it and the order that follows: the desk lets one attempt
through at a time, and reduce-only does the rest (docs/venue-facts.md F12).

What we look after are the configured markets, and whatever is ours elsewhere in their dexs: a position in a market that
is not fed is priced by its mark in the last reading of the account. An operator's flatten reaches every position.

`now_ms` is monotonic; `generation` is the connection whose market data may be believed.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from hip3.core.decisions import Enqueued
from hip3.core.ledger import OrderChanged, PositionView
from hip3.core.market import MarketSpec, MarketView
from hip3.core.money import shift_bps
from hip3.core.order_state import OrderState
from hip3.core.orders import ExitReason, PendingOrder
from hip3.core.ports import Clock, Journal
from hip3.core.refusals import CONTRADICTIONS, FORM, Kind, classify
from hip3.execution.sending.cloids import CloidSource
from hip3.execution.sending.scheduler import BatchScheduler
from hip3.feed.market_state import MarketState
from hip3.position.exit_attempts import ExitDesk
from hip3.position.exit_rules import ExitParams, Look, decide
from hip3.position.flatten import ReadMark, anchor_px, build, priced
from hip3.position.held import Held
from hip3.position.protection import bounded_bps
from hip3.position.tracker import PositionTracker

KEEP_MS = 1000
"""What the rules remember changes with each price: it is kept for a restart no more often than this."""
UNDER_WAY_MS = 1000
"""As long as what a market says is under way at most."""
AHEAD_MS = 60_000
"""A fill that is further ahead of the exchange's time than this was given a wrong one, or that time is wrong."""
HTTP_MS = 10_000
"""As long as a request may take that is under way: until then it may leave, and a second attempt must not."""
CLOSED_MS = 60_000
"""How long a market stays closed to entries after an operator's flatten."""
_ANSWERED = (OrderState.REJECTED, OrderState.CANCELED, OrderState.FILLED)
_CAME_TOO_LATE = "Action already expired"
"""As good as never sent: the state of the exchange is not to be waited for, the next try may be in time."""
_NO_PRICE_HELPS = frozenset({Kind.TRANSIENT, Kind.ACCOUNT, Kind.FATAL})
"""Classes of refusals that say nothing about the price."""


class Exiting:
    """See the module.

    Without a key (observe) `params` is empty: then no position is ours to close. `exchange_ms`: the exchange's time by
    our clock, for ages. `watch_foreign`: positions that others opened are left alone.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        specs: dict[str, MarketSpec],
        params: dict[str, ExitParams],
        newest: Callable[[str], MarketSpec | None],
        others: dict[str, MarketSpec],
        other_params: ExitParams,
        liquidation: Callable[[PositionView], Decimal | None],
        read_mark: Callable[[str], ReadMark | None],
        tracker: PositionTracker,
        desk: ExitDesk,
        market_state: MarketState,
        scheduler: BatchScheduler,
        cloids: CloidSource,
        journal: Journal,
        exchange_ms: Callable[[], int],
        watch_foreign: bool,
        drop: Callable[[PendingOrder, str, int], None],
    ) -> None:
        """`newest`: a market's facts as they were last read; the start's stand for what is gone. `others`: the markets
        that are not configured. `liquidation`: at which price the exchange closes a position, None where nobody knows.
        `read_mark`: the newest mark of a market that a reading told. `drop` takes an order
        out of the books that the queue refused."""
        self._clock = clock
        self._specs = specs
        self._params = params
        self._newest = newest
        self._others = others
        self._other_params = other_params
        self._liquidation = liquidation
        self._read_mark = read_mark
        self._tracker = tracker
        self._desk = desk
        self._market_state = market_state
        self._scheduler = scheduler
        self._cloids = cloids
        self._journal = journal
        self._exchange_ms = exchange_ms
        self._watch_foreign = watch_foreign
        self._next_keep_ms = 0
        self._kept: list[Held] | None = None
        self._marks: list[tuple[str, int, ExitReason | None, int]] = []
        self.drop = drop

    def ours_to_close(self, position: PositionView) -> bool:
        """Whether we look after a position: one of ours wherever it is, in a configured market a stranger's too unless
        those are only watched; or an operator wants it closed."""
        if position.coin in self._params and not (position.foreign and self._watch_foreign):
            return True
        if not position.foreign and self._params_of(position.coin) is not None:
            return True
        return self._desk.requested(position.coin) is ExitReason.MANUAL

    def no_entries(self, coin: str, now_ms: int) -> bool:
        """Whether a market takes no entries: it is being left, or was closed by hand."""
        return self._desk.no_entries(coin, now_ms)

    def markets(self) -> set[str]:
        """Every market of the configured dexs, whether configured or not: where an operator's flatten reaches."""
        return {*self._specs, *self._others}

    def _params_of(self, coin: str) -> ExitParams | None:
        """How a market's positions are left; None: they are not, since it is no market of ours or we only observe."""
        return self._params.get(coin) or (self._other_params if coin in self._others and self._params else None)

    def closes(self, coin: str) -> bool:
        """Whether a position that the exchange shows in `coin` is ours to close.

        One that the books do not know yet counts as ours in a configured market: whose it is only its fills tell.
        """
        known = self._tracker.position(coin)
        return self.ours_to_close(known) if known is not None else coin in self._params

    def unknown_of(self, shown: Mapping[str, Decimal]) -> list[str]:
        """Markets in which the exchange shows a position that is ours to close and that our books have otherwise."""
        booked = self._tracker.booked()
        return [coin for coin, szi in shown.items() if booked.get(coin) != szi and self.closes(coin)]

    def _bounded(self, position: PositionView, params: ExitParams) -> ExitParams:
        """With a stop loss that fires before the exchange liquidates."""
        wished = params.stop_loss_bps
        bps = bounded_bps(position, wished, self._liquidation(position)) if wished > 0 else wished
        return params if bps == wished else msgspec.structs.replace(params, stop_loss_bps=bps)

    def check(self, generation: int, now_ms: int) -> None:
        """Every position, whether its market speaks or not; and keep what a restart needs. The tick's part."""
        looks = self._desk.looks()  # first: what is found of positions since must not be forgotten by this list
        positions = self._tracker.positions()
        self._desk.keep_only({p.coin for p in positions}, looks)
        for position in positions:
            self._exit_of(position, self._market_state.view(position.coin), generation, now_ms)
        self._keep(positions, now_ms)

    def keep_now(self) -> None:
        """Keep what a restart needs as it is now: the service ends (main).

        The tick may do the same at this moment. Each keeps whole values, and an older one that came last is replaced
        with the tick's next round.
        """
        self._next_keep_ms = 0
        self._keep(self._tracker.positions(), 0)

    def _keep(self, positions: list[PositionView], now_ms: int) -> None:
        """Positions and exit states at once when they change; prices remembered and results once a second."""
        held = self._desk.held(positions, self._exchange_ms())
        marks = [(h.coin, h.entry_ms, h.reason, h.attempt) for h in held]
        if marks == self._marks and now_ms < self._next_keep_ms:
            return
        self._marks, self._next_keep_ms = marks, now_ms + KEEP_MS
        if held != self._kept:
            self._kept = held
            self._journal.keep("held", held)
        totals = self._tracker.changed_totals()
        if totals is not None:
            self._journal.keep("totals", totals)

    def consider(self, view: MarketView, generation: int, now_ms: int) -> None:
        """A market spoke: look at its position, if there is one. The ws-reader's part, on the hot path."""
        position = self._tracker.position(view.coin)
        if position is not None:
            self._exit_of(position, view, generation, now_ms)

    def _since(self, position: PositionView, view: MarketView, now_ms: int) -> bool:
        """Whether a market's data are newer than the last fill of its position: a result is not known by older ones. By
        the time of the book; or something came so long after that fill that it cannot be of before. A fill that is far
        ahead of the exchange's time has been given a wrong one, and keeps nothing waiting."""
        filled_ms = position.as_of_ms or position.entry_ms
        if view.book_time_ms >= filled_ms:
            return True
        time_ms = self._exchange_ms()
        came_ms = max(view.bbo_at_ms or 0, view.ctx_at_ms or 0) + time_ms - now_ms
        return came_ms >= filled_ms + UNDER_WAY_MS or filled_ms > time_ms + AHEAD_MS

    def _exit_of(self, position: PositionView, view: MarketView | None, generation: int, now_ms: int) -> None:
        """One look at a position: remember, ask the rules, and queue the next attempt if one is due.

        Rules see data of this connection alone, and none of before the last fill. An exit that is decided is priced by
        older ones, too, if need be.
        """
        spec = self._newest(position.coin) or self._specs.get(position.coin) or self._others.get(position.coin)
        params = self._params_of(position.coin)
        if spec is None or params is None or not self.ours_to_close(position):
            return  # shown, never touched
        fresh = view.heard if view is not None and view.generation == generation else None
        if fresh is not None and not self._since(position, fresh, now_ms):
            fresh = None
        memory, reason = self._desk.observe(position, fresh, params.oracle_move_bps)
        reason = reason or decide(Look(position, fresh, memory, self._bounded(position, params), self._exchange_ms()))
        if reason is None or self._waits(position.coin):
            return
        by = priced(position.coin, view, self._read_mark(position.coin), now_ms)
        plan = self._desk.claim(position.coin, reason, params, now_ms, _takeable_ms(position, by, params))
        if plan is None:
            return
        order = build(
            position, by, spec, cloid=self._cloids.next(), reason=plan.reason,
            slippage_bps=plan.slippage_bps, attempt=plan.attempt, predecessor=plan.predecessor,
            wall_ms=self._clock.wall_ms(), mono_us=self._clock.mono_us(),
        )  # fmt: skip
        if order is None:
            self._desk.unbuilt(position.coin, plan.claim, now_ms)
            return
        looks = self._desk.looks()
        # Into the books before into the queue: the tick sends only what the books call queued.
        if not self._tracker.register(order, held=True):
            self._desk.flat(position.coin, looks)
            return
        if not self._desk.started(position.coin, order.cloid, plan.claim):
            self.drop(order, "another attempt took its place", now_ms)
            return
        self._journal.record("exit", order=order, position=position)
        answer = self._scheduler.enqueue_reduce_only(order)
        if answer is not Enqueued.QUEUED:
            self.drop(order, answer.value, now_ms)

    def _waits(self, coin: str) -> bool:
        """Whether the latest attempt has not left yet: a slow tick is no failed attempt. Or whether an earlier exit has
        not been answered, which was forgotten, since the word about another told that all was gone."""
        cloid = self._desk.current(coin)
        if cloid is not None:
            return self._tracker.queued(cloid)
        return self._tracker.reducing(coin)

    def request(self, reason: ExitReason, coin: str | None = None) -> None:
        """Close the positions we look after, or the one of `coin`, by hand any; the tick does it.

        Asks only for what the books hold now: who wants to be flat asks again until it is so. Wakes the tick.
        """
        now_ms = self._clock.mono_ms()
        for position in self._tracker.positions():
            by_hand = reason is ExitReason.MANUAL and self._params_of(position.coin) is not None
            if coin in (None, position.coin) and (by_hand or self.ours_to_close(position)):
                self._desk.request(position.coin, reason, now_ms)
        self._scheduler.wake()

    def leaving(self, order: PendingOrder) -> None:
        """An exit order is about to leave (tick). A protective stop is no attempt: it changes nothing."""
        self._desk.leaving(order.coin, order.cloid)

    def left(self, order: PendingOrder, now_ms: int, *, by_http: bool) -> None:
        """It left, or could not (tick); its time runs from here. By HTTP its request may take as long as that may."""
        self._desk.left(order.coin, order.cloid, now_ms, HTTP_MS if by_http else 0)

    def ended(self, event: OrderChanged, now_ms: int) -> int:
        """An exit order is over, or nobody knows: how many attempts have failed if this one did, else 0.

        Only an answer of the exchange about the price is a failure: what was never sent, or not answered, or refused
        for what no price can help, says nothing about it, and an outage, a halt or an agent that is gone must neither
        make the exit dearer nor trip the latch.
        """
        coin = event.order.coin
        params = self._params_of(coin)
        if self.maybe_flat(coin) or params is None:
            return 0
        late = event.after is OrderState.REJECTED and event.why.startswith(_CAME_TOO_LATE)
        if event.after is OrderState.REJECTED and not late and no_price_helps(event.why):
            if self._desk.refused(coin, event.order.cloid, now_ms, event.why):
                self._journal.record("exit_stuck", coin=coin, failures=0, reason=event.why)
            return 0
        answered = event.after in _ANSWERED and not late
        if not self._desk.ended(coin, event.order.cloid, params, now_ms, answered=answered) or not answered:
            return 0
        if event.executed:
            self._desk.press(now_ms, coin)  # somebody takes it
        failures, stuck = self._desk.failed(coin, params)
        if stuck:
            self._journal.record("exit_stuck", coin=coin, failures=failures, reason=event.why)
        return failures

    def maybe_flat(self, coin: str) -> bool:
        """Forget a market's exit and what was remembered of its position once that is gone; whether it is."""
        looks = self._desk.looks()
        return self._tracker.position(coin) is None and self._desk.flat(coin, looks)


def no_price_helps(why: str) -> bool:
    """Whether a refusal says nothing about the price: a halt, a cap, the order's form, or that there is no such
    position."""
    return why.startswith((*CONTRADICTIONS, *FORM)) or classify(why).kind in _NO_PRICE_HELPS


def reopen(desk: ExitDesk, closed: dict[str, int], clock: Clock) -> None:
    """Markets that an earlier run closed by hand stay closed until their time (wall) has come. Once, at a start."""
    now_ms, wall_ms = clock.mono_ms(), clock.wall_ms()
    for coin, until_ms in closed.items():
        left = min(until_ms - wall_ms, CLOSED_MS)  # a clock that was set back must not close it for longer
        if left > 0:
            desk.close([coin], now_ms + left)


def _takeable_ms(position: PositionView, view: MarketView | None, params: ExitParams) -> int | None:
    """When the touch came that an exit at its largest slippage from the mark would take; None: there is none."""
    long = position.szi > 0
    level, base = (None, None) if view is None else (view.bid if long else view.ask, anchor_px(view))
    if view is None or level is None or base is None:
        return None
    worst = shift_bps(base, -params.max_slippage_bps if long else params.max_slippage_bps)
    return view.bbo_at_ms if (level.px >= worst if long else level.px <= worst) else None
