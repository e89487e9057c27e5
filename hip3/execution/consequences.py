"""Consequences: what follows from a change of the books, whoever made it.

The tracker's events end here: exits, risk and journal are told, doubts wake the rest thread. No lock of its own;
everything it calls has one. Called from: ws-reader, tick, rest; risk, main and control for the queued entries that they
purge. The tracker gives each event to one caller only, so nothing is told twice, but two threads' events may come in
either order.
"""

import queue
from collections.abc import Callable, Iterable

import msgspec

from hip3.core.ledger import FillBooked, FundingBooked, OrderChanged, OrderFinished, RoundTrip, Stranger, TrackerEvent
from hip3.core.order_state import OrderState
from hip3.core.ports import Journal
from hip3.core.refusals import CONTRADICTIONS
from hip3.execution.account_view import AccountView
from hip3.execution.entries.refusal_watch import RefusalWatch
from hip3.execution.exits.exiting import Exiting
from hip3.execution.ports import Quotes
from hip3.execution.readiness import Readiness
from hip3.execution.sending.address_budget import AddressBudget
from hip3.execution.truth.fees import FeeWatch
from hip3.execution.truth.strangers import Strangers
from hip3.risk.guards import EntryGuards, note_of
from hip3.risk.monitor import FlattenFailed, RiskEvent

_FORCED = frozenset({"Auto-Deleveraging", "Settlement"})
"""Directions of fills that nobody ordered, beside those that carry a `liquidation` object."""

_TAKEN = frozenset({OrderState.OPEN, OrderState.FILLED, OrderState.CANCELED})
"""Ends and states of an order that the exchange has taken."""


class Consequences:
    """See the module.

    `wake_rest()` begins the rest thread's next round and never waits. `on_risk_lost()` is called when the risk queue is
    full; it must trip the latch, since a lost event is a lost limit. `refusals`, `guards` and `strangers` are told what
    they remember; `address` hears of each fill's notional, `fees` of what our own cost.
    """

    def __init__(
        self,
        *,
        exiting: Exiting,
        view: AccountView,
        readiness: Readiness,
        strangers: Strangers,
        refusals: RefusalWatch,
        guards: EntryGuards,
        address: AddressBudget,
        fees: FeeWatch,
        risk_events: "queue.Queue[RiskEvent]",
        quotes: Quotes,
        journal: Journal,
        wake_rest: Callable[[], None],
        on_risk_lost: Callable[[], None],
    ) -> None:
        self._exiting = exiting
        self._view = view
        self._readiness = readiness
        self._strangers = strangers
        self._refusals = refusals
        self._guards = guards
        self._address = address
        self._fees = fees
        self._risk_events = risk_events
        self._quotes = quotes
        self._journal = journal
        self._wake_rest = wake_rest
        self._on_risk_lost = on_risk_lost

    def dispatch(self, events: Iterable[TrackerEvent], now_ms: int) -> None:
        """Tell exits, risk and journal what happened in the books, in the order given.

        To be called with what a method of the tracker returned, after its lock is free. Waits for nothing; raises
        nothing where the risk queue is full.
        """
        for event in events:
            if isinstance(event, OrderChanged):
                self._order_changed(event, now_ms)
            elif isinstance(event, OrderFinished):
                self._journal.record("finished", event=event)
                self._risk(event)
            elif isinstance(event, FillBooked):
                self._address.traded(self._fees.credit(event.fill))
                self._journal.record("fill", event=event)
                self._quotes.tell(event)
                if event.fill.liquidation or event.fill.direction in _FORCED:
                    self._journal.record("forced_fill", fill=event.fill, effect=event.kind)
                elif event.ours:
                    self._fees.look(event.fill)
            elif isinstance(event, FundingBooked):
                self._journal.record("funding", funding=event.funding)
            elif isinstance(event, Stranger):
                if self._strangers.note(event.update, now_ms):
                    self._storm()
            else:
                self._round_trip(event)

    def _storm(self) -> None:
        """Updates of unknown orders come in a storm: our books are not the account's."""
        # Two threads may both find it unset: then it is said twice and held once.
        if not self._view.storm:
            self._view.storm = True
            self._readiness.hold("storm", "too many updates of unknown orders within a minute: reading everything anew")
            self._journal.record("storm", unknown=self._strangers.total)

    def _order_changed(self, event: OrderChanged, now_ms: int) -> None:
        """UNKNOWN wakes the rest thread, a refusal is looked at, and an exit that is over goes back to its desk."""
        self._journal.record("order", event=event)
        self._quotes.tell(event)
        # A race of a stop with the mark is no failure of ours; the Protector backs off.
        if not event.order.protective and self._quotes.counts(event):
            self._risk(event)
        if event.after is OrderState.UNKNOWN:
            self._wake_rest()
        if event.after in _TAKEN:
            self._view.answered("", now_ms)
        if event.after is OrderState.REJECTED:
            self._view.answered(event.why, now_ms)
            self._refusals.note(event.order.coin, event.why, now_ms)
        if event.after is OrderState.REJECTED and event.why.startswith(CONTRADICTIONS):
            self._view.doubt()  # the account is read at once
        if event.order.reduce_only and (event.after.terminal or event.after is OrderState.UNKNOWN):
            failures = self._exiting.ended(event, now_ms)
            if failures:
                self._risk(FlattenFailed(event.order.coin, failures))

    def _round_trip(self, trip: RoundTrip) -> None:
        # Guards hear of it here and not from risk: the next signal must see it, however long the risk queue is.
        self._exiting.maybe_flat(trip.coin)
        if self._quotes.quoted(trip.coin):  # a maker loses small and often by design: no streak of it means anything
            trip = msgspec.structs.replace(trip, quoted=True)
        else:
            self._guards.closed(note_of(trip))
        self._journal.record("round_trip", trip=trip)
        self._risk(trip)

    def _risk(self, event: RiskEvent) -> None:
        """Hand an event to the risk thread, without waiting for room."""
        try:
            self._risk_events.put_nowait(event)
        except queue.Full:
            self._on_risk_lost()
