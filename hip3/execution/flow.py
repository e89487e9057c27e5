"""TradeFlow: what arrives, and what follows from it.

Implements `exchange.connection.Inbound`. Market data goes to the market state, the exits of that
market and the detector; a signal goes to the executor; replies, orderUpdates and userFills go to the
tracker, whose events end here in `dispatch`, from whichever thread they come: exits, risk, journal.

No lock of its own; everything it calls has one. Called from: ws-reader (all of `Inbound`), tick
(`on_post_lost`), rest (`dispatch`, `on_fills`, `on_order_updates`).
"""

import queue
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from hip3.core.decisions import DislocationSignal
from hip3.core.events import (
    ActionRefused,
    BboUpdate,
    CtxUpdate,
    ErrorFrame,
    Event,
    Fill,
    Filled,
    Funding,
    Ignored,
    Malformed,
    OrderUpdate,
    OrderUpdates,
    PostOutcome,
    PostReply,
    Resting,
    SubscriptionAck,
    UserFills,
    UserFundings,
)
from hip3.core.ledger import FillBooked, FundingBooked, OrderChanged, OrderFinished, RoundTrip, Stranger, TrackerEvent
from hip3.core.market import MarketSpec, MarketView, in_dexs
from hip3.core.order_state import OrderState
from hip3.core.orders import CancelBatch, OrderBatch, PendingCancel, is_ours
from hip3.core.ports import Clock, Journal
from hip3.exchange.protocol import Session
from hip3.exchange.wire_reply import parse_action_answer
from hip3.execution.entries.executor import Executor
from hip3.execution.entries.gate_trace import GateTrace
from hip3.execution.entries.refusal_watch import RefusalWatch
from hip3.execution.exits.exiting import Exiting
from hip3.execution.sending.address_budget import EXPIRED_COST, AddressBudget
from hip3.execution.sending.posts import Post, PostRequestManager
from hip3.execution.sending.replies import Fate, Resolution, resolve
from hip3.execution.sending.scheduler import BatchScheduler
from hip3.execution.truth.readiness import Readiness
from hip3.execution.truth.strangers import Strangers
from hip3.execution.truth.streams import StreamWatch
from hip3.feed.market_state import MarketState
from hip3.position.tracker import PositionTracker
from hip3.risk.guards import EntryGuards, note_of
from hip3.risk.market_flags import MarketFlags
from hip3.risk.market_gates import MarketGates
from hip3.risk.monitor import FlattenFailed, RiskEvent
from hip3.strategy.detector import Detector

MAX_CANCEL_TRIES = 5
_FORCED = frozenset({"Auto-Deleveraging"})
"""Directions of fills that nobody ordered, beside those that carry a `liquidation` object."""
_CONTRADICTIONS = ("Reduce only order would increase position", "reduceOnlyRejected")
"""Refusals that contradict our books: the account is read at once."""


class TradeFlow:
    """See the module."""

    def __init__(
        self,
        *,
        clock: Clock,
        specs: dict[str, MarketSpec],
        dexs: Iterable[str],
        market_state: MarketState,
        detector: Detector,
        executor: Executor | None,
        tracker: PositionTracker,
        exiting: Exiting,
        scheduler: BatchScheduler,
        posts: PostRequestManager,
        readiness: Readiness,
        strangers: Strangers,
        on_storm: Callable[[], None],
        market_gates: MarketGates,
        flags: MarketFlags,
        guards: EntryGuards,
        streams: StreamWatch,
        address: AddressBudget,
        risk_events: "queue.Queue[RiskEvent]",
        journal: Journal,
        wake_rest: Callable[[], None],
        account_doubt: Callable[[], None],
        on_risk_lost: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._specs = specs
        self._dexs = frozenset(dexs)
        self._market_state = market_state
        self._detector = detector
        self._executor = executor
        self._tracker = tracker
        self.exiting = exiting
        self._scheduler = scheduler
        self._posts = posts
        self._readiness = readiness
        self._strangers = strangers
        self._on_storm = on_storm
        self._market_gates = market_gates
        self._refusals = RefusalWatch(flags, journal)
        self._guards = guards
        self._streams = streams
        self._address = address
        self._risk_events = risk_events
        self._journal = journal
        self._wake_rest = wake_rest
        self._account_doubt = account_doubt
        self._on_risk_lost = on_risk_lost
        self._unseen: set[str] = set(specs)
        """The ws-reader's own memory of what it has told `Readiness`; spares it a lock per frame."""
        self.generation = 0
        self.last_event_ms = self.connected_ms = clock.mono_ms()
        self.private_ms: dict[str, int] = {}
        """When each private stream last spoke (monotonic); written by the ws-reader."""
        self.counts: Counter[str] = Counter()
        """Frames by kind that are not market data; written by the ws-reader."""

    # Inbound: the connection.

    def on_connected(self, session: Session) -> None:
        """A new epoch begins."""
        self.generation = session.generation
        self.connected_ms = self.last_event_ms = self._readiness.heard_ms = self._clock.mono_ms()
        self._unseen = set(self._specs)
        self._readiness.connected(session.generation, self._specs)
        self._streams.connected(self.connected_ms)
        self._journal.record("connected", generation=session.generation)

    def on_disconnected(self, generation: int, reason: str) -> None:
        """The epoch is over: posts in flight are unknown, queued entries die, the rest lives on."""
        now_ms = self._clock.mono_ms()
        self._readiness.disconnected(reason)
        self._streams.disconnected(now_ms)
        self._journal.record("disconnected", generation=generation, reason=reason)
        for post in self._posts.disconnected(generation):
            self.on_post_lost(post, "disconnected before the reply", now_ms)
        for order in self._scheduler.purge_new():
            self.dispatch(self._tracker.drop(order.cloid, "disconnected"), now_ms)

    def ready_for_ms(self, now_ms: int) -> int:
        """How long READY has lasted."""
        return self._readiness.ready_for_ms(now_ms)

    def on_event(self, session: Session, event: Event, now_ms: int) -> None:
        """One frame."""
        self.last_event_ms = self._readiness.heard_ms = now_ms
        if isinstance(event, BboUpdate):
            self._on_bbo(session, event, now_ms)
        elif isinstance(event, CtxUpdate):
            self._on_ctx(session, event, now_ms)
        elif isinstance(event, PostReply):
            self._on_reply(event, now_ms)
        elif isinstance(event, OrderUpdates):
            self.private_ms["orderUpdates"] = now_ms
            self._count_malformed("orderUpdates", event.malformed)
            self.on_order_updates(event.items, now_ms)
        elif isinstance(event, UserFills):
            self.private_ms["userFills"] = now_ms
            self._count_malformed("userFills", event.malformed)
            self._streams.fills_told()
            self.on_fills(event.fills, now_ms)
        elif isinstance(event, UserFundings):
            self.private_ms["userFundings"] = now_ms
            self._count_malformed("userFundings", event.malformed)
            self.on_fundings(event.items, now_ms)
        else:
            self._on_other(session, event)

    def _on_other(self, session: Session, event: Event) -> None:
        if isinstance(event, SubscriptionAck):
            if session.subscriptions.complete:
                self._readiness.acknowledged()
                self._wake_rest()
        elif isinstance(event, Malformed):
            self._count_malformed(event.kind, 1, event.detail)
        elif isinstance(event, ErrorFrame):
            self.counts["error_frames"] += 1
            self._journal.record("error_frame", text=event.text)
        elif isinstance(event, Ignored):
            self.counts[f"ignored:{event.kind}"] += 1

    def _count_malformed(self, kind: str, count: int, detail: str = "") -> None:
        if not count:
            return
        first = f"malformed:{kind}" not in self.counts
        self.counts[f"malformed:{kind}"] += count
        if first:
            self._journal.record("malformed", frame=kind, detail=detail)

    # Market data.

    def _on_bbo(self, session: Session, update: BboUpdate, now_ms: int) -> None:
        view = self._market_state.apply_bbo(update, now_ms, session.generation)
        if view is None:
            self.counts["unknown_coin"] += 1
            return
        self._market_moved(session, view, now_ms)
        wall_ms = self._clock.wall_ms()
        standing = self._market_gates.on_bbo(view, now_ms, wall_ms)
        self._signal(self._detector.on_bbo(view, wall_ms, self._clock.mono_us(), standing))

    def _on_ctx(self, session: Session, update: CtxUpdate, now_ms: int) -> None:
        view = self._market_state.apply_ctx(update, now_ms, session.generation)
        if view is None:
            self.counts["unknown_coin"] += 1
            return
        self._market_moved(session, view, now_ms)
        wall_ms = self._clock.wall_ms()
        standing = self._market_gates.on_ctx(view, now_ms, wall_ms)
        self._signal(self._detector.on_ctx(view, wall_ms, self._clock.mono_us(), standing))

    def _market_moved(self, session: Session, view: MarketView, now_ms: int) -> None:
        self._streams.market_ms = now_ms
        if self._unseen and view.bbo_at_ms is not None and view.ctx_at_ms is not None:
            self._unseen.discard(view.coin)
            self._readiness.saw(view.coin)
        self.exiting.consider(view, self.generation, now_ms)

    def on_book_read(self, update: BboUpdate, now_ms: int, generation: int) -> None:
        """The rest thread read a market's book that no frame had brought."""
        view = self._market_state.apply_first_bbo(update, now_ms, generation)
        if view is not None and view.ctx_at_ms is not None:
            self._readiness.saw(view.coin)

    def _signal(self, signal: DislocationSignal | None) -> None:
        if signal is None:
            return
        if self._executor is None:
            self._journal.record("signal", signal=signal, verdict=None)
            return
        verdict = self._executor.on_signal(signal)
        assert self._executor.seen is not None
        trace = GateTrace(self._executor.seen, verdict)
        self._journal.record("signal", signal=signal, verdict=verdict, gates=trace)

    # Orders.

    def _on_reply(self, reply: PostReply, now_ms: int) -> None:
        post = self._posts.complete(reply.post_id)
        if post is None:
            self.counts["late_replies"] += 1
            self._journal.record("late_reply", post_id=reply.post_id)
            return
        self._answered(post, reply.outcome, now_ms)

    def send_by_http(self, post: Post, exchange: Callable[[], Any]) -> None:
        """Post an action by HTTP, for want of a socket, and take its answer (rest thread).

        One that waited here for so long that it was given up is not sent any more.
        """
        if not self._posts.holds(post.post_id):
            return
        try:
            outcome = parse_action_answer(exchange())
        except Exception as error:  # noqa: BLE001 whatever went wrong, the outcome is unknown
            if self._posts.complete(post.post_id) is not None:
                self.on_post_lost(post, f"by HTTP: {error}", self._clock.mono_ms())
            return
        if self._posts.complete(post.post_id) is not None:
            self._answered(post, outcome, self._clock.mono_ms())

    def _answered(self, post: Post, outcome: PostOutcome, now_ms: int) -> None:
        self._journal.record("reply", post=post, outcome=outcome, at_us=self._clock.mono_us())
        if isinstance(outcome, ActionRefused) and outcome.text.startswith("Action already expired"):
            self._address.spend(EXPIRED_COST - 1)
        if isinstance(post.batch, CancelBatch):
            for cancel, res in zip(post.batch.cancels, resolve(outcome, len(post.batch.cancels)), strict=True):
                self._cancel_answer(cancel, res)
            return
        for order, res in zip(post.batch.orders, resolve(outcome, len(post.batch.orders)), strict=True):
            if isinstance(res.status, Resting | Filled) and post.generation == self.generation:
                self._streams.answered(order.cloid, now_ms)
            self.dispatch(self._apply(order.cloid, res, now_ms), now_ms)

    def _apply(self, cloid: str, res: Resolution, now_ms: int) -> list[TrackerEvent]:
        if res.fate is Fate.UNKNOWN:
            return self._tracker.mark_unknown(cloid, res.text, now_ms)
        if res.fate is Fate.REFUSED or res.status is None:
            return self._tracker.refuse(cloid, res.text)
        return self._tracker.on_status(cloid, res.status)

    def _cancel_answer(self, cancel: PendingCancel, res: Resolution) -> None:
        if res.fate is Fate.STATUS:
            return  # orderUpdates, or the reading of open orders, says when it is gone
        self._journal.record("cancel_refused", cancel=cancel, text=res.text)
        self._account_doubt()

    def on_post_lost(self, post: Post, why: str, now_ms: int) -> None:
        """No reply will be believed any more: orders become UNKNOWN, cancels are wished again."""
        self._journal.record("post_lost", post=post, why=why)
        if isinstance(post.batch, OrderBatch):
            for order in post.batch.orders:
                self.dispatch(self._tracker.mark_unknown(order.cloid, why, now_ms), now_ms)
        else:
            for cancel in post.batch.cancels:
                if cancel.tries < MAX_CANCEL_TRIES:
                    again = PendingCancel(
                        coin=cancel.coin, oid=cancel.oid, created_ms=cancel.created_ms, tries=cancel.tries + 1
                    )
                    self._scheduler.enqueue_cancel(again)
        self._wake_rest()

    def on_order_updates(self, items: Iterable[OrderUpdate], now_ms: int, *, reading: bool = False) -> None:
        """orderUpdates, or what a reading says of orders.

        An order that a reading of ours lists is known by it: it is no stranger, and must not feed a storm.
        """
        for item in items:
            if not reading:
                self._streams.updated(item.cloid)
            events = self._tracker.on_order_update(item)
            if reading and not is_ours(item.cloid):
                self._strangers.explained(item.oid)
                events = [e for e in events if not isinstance(e, Stranger)]
            self.dispatch(events, now_ms)

    def on_fills(self, fills: Iterable[Fill], now_ms: int) -> None:
        """userFills, or what a reading says of fills: those of the configured dexs."""
        ours = [f for f in fills if in_dexs(f.coin, self._dexs)]
        self.dispatch(self._tracker.on_fills(ours), now_ms)

    def on_fundings(self, items: Iterable[Funding], now_ms: int) -> None:
        """Funding payments of the configured dexs."""
        ours = [f for f in items if in_dexs(f.coin, self._dexs)]
        self.dispatch(self._tracker.on_fundings(ours), now_ms)

    # What follows.

    def dispatch(self, events: Iterable[TrackerEvent], now_ms: int) -> None:
        """Tell exits, risk and journal what happened in the books."""
        for event in events:
            if isinstance(event, OrderChanged):
                self._order_changed(event, now_ms)
            elif isinstance(event, OrderFinished):
                self._journal.record("finished", event=event)
                self._risk(event)
            elif isinstance(event, FillBooked):
                self._address.traded(event.fill.px * event.fill.sz)
                self._journal.record("fill", event=event)
                if event.fill.liquidation or event.fill.direction in _FORCED:
                    self._journal.record("forced_fill", fill=event.fill, effect=event.kind)
            elif isinstance(event, FundingBooked):
                self._journal.record("funding", funding=event.funding)
            elif isinstance(event, Stranger):
                if self._strangers.note(event.update, now_ms):
                    self._on_storm()
            else:
                self._round_trip(event)

    def _order_changed(self, event: OrderChanged, now_ms: int) -> None:
        self._journal.record("order", event=event)
        if not event.order.protective:  # a race with the mark is no failure of ours; the Protector backs off
            self._risk(event)
        if event.after is OrderState.UNKNOWN:
            self._wake_rest()
        if event.after is OrderState.REJECTED:
            self._refusals.note(event.order.coin, event.why, now_ms)
        if event.after is OrderState.REJECTED and event.why.startswith(_CONTRADICTIONS):
            self._account_doubt()
        if event.order.reduce_only and (event.after.terminal or event.after is OrderState.UNKNOWN):
            failures = self.exiting.ended(event, now_ms)
            if failures:
                self._risk(FlattenFailed(event.order.coin, failures))

    def _round_trip(self, trip: RoundTrip) -> None:
        self.exiting.maybe_flat(trip.coin)
        self._guards.closed(note_of(trip))
        self._journal.record("round_trip", trip=trip)
        self._risk(trip)

    def _risk(self, event: RiskEvent) -> None:
        try:
            self._risk_events.put_nowait(event)
        except queue.Full:
            self._on_risk_lost()
