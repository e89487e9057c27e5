"""PositionTracker: the one ledger of orders, fills and positions.

Guards: orders by cloid and oid, holdings, seen fills, totals; one lock, and one decision is one
critical section. Called from: ws-reader (messages, admission), tick (sent, expired), rest
(reconciliation, order status), status; risk, main and control (drops, views).

Three sources speak of an order: the reply, orderUpdates and userFills, in any order, twice, late or
never. All end here, and the result does not depend on their order: a fill counts once by (coin,
time, tid); an order only moves along `core.order_state`; executed size is the larger of booked fills
and what the reply says, and the difference is provisional until its fills come.

An entry occupies its market from admission until it is proven dead: there is no pending mark beside
the order that could be left behind. Terminal orders are kept for late fills, boundedly.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal

from hip3.core.events import Fill, Filled, Funding, OrderUpdate, Refused, Resting, Status
from hip3.core.ledger import (
    FillBooked,
    FundingBooked,
    LedgerView,
    RoundTrip,
    Stranger,
    TrackerEvent,
)
from hip3.core.money import ZERO, div
from hip3.core.order_state import OrderState, may_move, state_of_status
from hip3.core.orders import PendingOrder, Tif, is_ours
from hip3.position.holding import Holding
from hip3.position.order_index import KEPT_ORDERS
from hip3.position.read_positions import ReadPositions
from hip3.position.tracked import KeptTotals, Opening, TrackedOrder, oldest_first
from hip3.position.tracker_views import TrackerViews
from hip3.position.views import effective_size

_EXECUTING = (OrderState.FILLED, OrderState.CANCELED)


def _key(order: PendingOrder) -> tuple[object, ...]:
    """Of which no two quotes may be alive."""
    return order.coin, order.side, order.level


def _replaceable(tracked: TrackedOrder, by: PendingOrder) -> bool:
    """Whether it rests whole under the id that is to be replaced: the new order's size is absolute, and on top of what
    the old one has executed."""
    return tracked.oid == by.replaces and tracked.state is OrderState.OPEN and tracked.untouched


class PositionTracker(TrackerViews):
    """See the module.

    What changes the books returns what happened in them, to be dispatched by the caller after the lock is free. A
    cloid that is not in the books, and a move that the table does not allow, change nothing; nothing raises. Sizes
    are units of the asset, money is USD, times of fills are the exchange's, `mono_ms` is monotonic. `TrackedOrder`s
    are handed out as they are: read only, and they may move on while they are looked at.
    """

    def __init__(self) -> None:
        super().__init__()
        self._read = ReadPositions()
        self.unknown_updates = 0
        """Updates with a status that nobody knows; like the next, written under the lock."""
        self.contradictions = 0
        """Fills of orders that were held to be dead, dropped or rejected; they are booked all the same."""

    # Admission and life of our orders.

    def admit(self, order: PendingOrder, decide: Callable[[LedgerView, PendingOrder], PendingOrder | None]) -> bool:
        """Gates 3 to 8 and the mark, in one critical section. `decide` is pure: it sees the ledger and returns the
        order to admit (perhaps smaller) or None, and must not call back. What is admitted is in the books at once."""
        with self._lock:
            admitted = decide(self._view_locked(), order)
            if admitted is not None:
                self._orders.add(TrackedOrder(admitted))
            return admitted is not None

    def admit_all(
        self, orders: Iterable[PendingOrder], decide: Callable[[LedgerView, PendingOrder], PendingOrder | None]
    ) -> list[PendingOrder]:
        """The same for several orders, in their order and in one critical section: each sees those before it. A quote
        whose key has an order that may be alive is not admitted, whatever `decide` says, unless it replaces that one.
        Those that were."""
        out = []
        with self._lock:
            for order in orders:
                alive = self._orders.quotes.get(order.coin, {}).values()
                of_key = [t for t in alive if _key(t.order) == _key(order)]
                free = not of_key if order.replaces is None else len(of_key) == 1 and _replaceable(of_key[0], order)
                admitted = decide(self._view_locked(), order) if free else None
                if admitted is not None:
                    self._orders.add(TrackedOrder(admitted))
                    out.append(admitted)
        return out

    def register(self, order: PendingOrder, *, held: bool = False) -> bool:
        """Enter a reduce-only order, before it is queued. `held`: only if there is a position (else False): whoever
        decided on it may have been held up until that was gone."""
        assert order.reduce_only
        with self._lock:
            if held and not effective_size(self._orders, self._holdings, order.coin):
                return False
            self._orders.add(TrackedOrder(order))
            return True

    def restore(self, order: PendingOrder, *, nonce: int, expires_ms: int | None, mono_ms: int) -> None:
        """An order of an earlier run whose outcome was not recorded: unknown until proven."""
        tracked = TrackedOrder(order)
        tracked.state, tracked.sent_mono_ms = OrderState.UNKNOWN, mono_ms
        tracked.nonce, tracked.expires_ms = nonce, expires_ms
        with self._lock:
            self._orders.add(tracked)

    def mark_sent(self, cloid: str, *, nonce: int, expires_ms: int | None, generation: int, mono_ms: int) -> None:
        """The order is about to leave. Called before the bytes do: a reply may come at once."""
        with self._lock:
            tracked = self._orders.live.get(cloid)
            if tracked is not None and may_move(tracked.state, OrderState.SENT):
                tracked.state = OrderState.SENT
                tracked.nonce, tracked.expires_ms = nonce, expires_ms
                tracked.generation, tracked.sent_mono_ms = generation, mono_ms

    def queued(self, cloid: str) -> bool:
        """Whether an order still waits to be sent: only then may it be."""
        with self._lock:
            return (tracked := self._orders.live.get(cloid)) is not None and tracked.state is OrderState.QUEUED

    def reducing(self, coin: str) -> bool:
        """Whether an order that leaves a position is queued, or sent and not answered; no longer than a post may go
        unanswered. A stop that stands is none."""
        with self._lock:
            return any(
                t.order.coin == coin and t.state in (OrderState.QUEUED, OrderState.SENT)
                for t in self._orders.live.values()
                if t.order.reduce_only and not t.order.protective
            )

    def say_gone(self, oid: int) -> None:
        """The exchange knows of no such order to cancel; until its status is read this is a doubt. Orders that are not
        in the books are no error."""
        with self._lock:
            if (tracked := self._orders.find(None, oid)) is not None:
                tracked.said_gone = True

    def unsent(self, cloid: str) -> None:
        """The bytes provably did not leave: back to the queue."""
        with self._lock:
            if (tracked := self._orders.live.get(cloid)) is not None and tracked.state is OrderState.SENT:
                tracked.state = OrderState.QUEUED

    def drop(self, cloid: str, why: str) -> list[TrackerEvent]:
        """An order that never left is over."""
        return self._change(cloid, OrderState.DROPPED, why)

    def mark_unknown(self, cloid: str, why: str, mono_ms: int) -> list[TrackerEvent]:
        """Nobody knows what became of it. It stays counted at its full size."""
        with self._lock:
            if (tracked := self._orders.live.get(cloid)) is None or tracked.state is not OrderState.SENT:
                return []
            return self._orders.move(tracked, OrderState.UNKNOWN, why)

    def prove_dead(self, cloid: str, certificate: str) -> list[TrackerEvent]:
        """An unknown order can never land; `certificate` says why."""
        with self._lock:
            tracked = self._orders.live.get(cloid)
            if tracked is None or tracked.state is not OrderState.UNKNOWN or tracked.executed > 0:
                return []
            tracked.certificate = certificate
            return self._orders.move(tracked, OrderState.DEAD, certificate)

    def refuse(self, cloid: str, text: str) -> list[TrackerEvent]:
        """The exchange refused it."""
        return self._change(cloid, OrderState.REJECTED, text)

    def _change(self, cloid: str, to: OrderState, why: str) -> list[TrackerEvent]:
        with self._lock:
            tracked = self._orders.live.get(cloid)
            return [] if tracked is None else self._orders.move(tracked, to, why)

    # What arrives.

    def on_status(self, cloid: str, status: Status) -> list[TrackerEvent]:
        """One order's entry of a post reply; it may come after the updates and fills that it speaks of."""
        with self._lock:
            tracked = self._orders.find(cloid, None)
            if tracked is None:
                return []
            if isinstance(status, Resting):
                self._orders.note_oid(tracked, status.oid)
                return self._orders.move(tracked, OrderState.OPEN, "resting")
            if isinstance(status, Filled):
                self._orders.note_oid(tracked, status.oid)
                tracked.reply = status
                return self._settle_locked(tracked, "reply")
            if isinstance(status, Refused):
                return self._orders.move(tracked, OrderState.REJECTED, status.text)
            return self._orders.move(tracked, OrderState.OPEN, status.word)

    def _settle_locked(self, tracked: TrackedOrder, why: str) -> list[TrackerEvent]:
        """Where executed size puts an order: whole means filled; a replied IOC is over anyway."""
        self._orders.note_executed(tracked)
        if tracked.executed >= tracked.order.sz:
            return self._orders.move(tracked, OrderState.FILLED, why)
        if tracked.reply is not None and tracked.order.tif is Tif.IOC:
            return self._orders.move(tracked, OrderState.CANCELED, "rest of the IOC is gone")
        return self._orders.move(tracked, OrderState.OPEN, why)

    def on_order_update(self, update: OrderUpdate) -> list[TrackerEvent]:
        """One item of orderUpdates, openOrders or orderStatus; a Stranger if the order is not in the books."""
        state = state_of_status(update.status)
        with self._lock:
            tracked = self._orders.find(update.cloid, update.oid)
            if tracked is None:
                self._foreign_locked(update, state)
                return [Stranger(update)]
            self._orders.note_oid(tracked, update.oid)
            tracked.said_gone = False
            if state is None:
                # An unknown word: fail safe for the market, and let the caller report it.
                self.unknown_updates += 1
                state = OrderState.CANCELED if update.remaining == 0 else OrderState.OPEN
            # A stop that stands is shrunk by the exchange without executing: what is missing of it says nothing.
            may = tracked.state in _EXECUTING or (state is not None and may_move(tracked.state, state))
            if state in _EXECUTING and may and not tracked.order.protective:
                # Its fills may come later; until then what it executed must not be invisible.
                tracked.claim(min(update.orig_sz - update.remaining, tracked.order.sz), update.status_ms)
                self._contain_locked(tracked)
                self._orders.note_executed(tracked)
            return self._orders.move(tracked, state, update.status)

    def _contain_locked(self, tracked: TrackedOrder) -> None:
        """See whether the position that was read holds what an update told of an order."""
        holding = self._holdings.get(tracked.order.coin)
        szi = ZERO if holding is None else holding.szi
        if tracked.claimed and self._read.shows(tracked.order, tracked.claimed_ms, tracked.provisional, szi):
            tracked.contained = True

    def adopt_order(self, order: PendingOrder, oid: int) -> None:
        """An order of ours that stands on the exchange and that no journal of ours holds any more."""
        tracked = TrackedOrder(order)
        tracked.state = OrderState.OPEN
        with self._lock:
            self._orders.add(tracked)
            self._orders.note_oid(tracked, oid)
            self._foreign.pop(oid, None)

    def _foreign_locked(self, update: OrderUpdate, state: OrderState | None) -> None:
        if state is not None and state.terminal:
            self._foreign.pop(update.oid, None)
        else:
            self._foreign[update.oid] = update
        while len(self._foreign) > KEPT_ORDERS:
            self._foreign.pop(next(iter(self._foreign)))

    def set_foreign(self, updates: Iterable[OrderUpdate]) -> None:
        """Replace what is known of resting orders that are not ours (a complete reading); they count to the limits."""
        with self._lock:
            self._foreign = {u.oid: u for u in updates if self._orders.find(u.cloid, u.oid) is None}

    def foreign_orders(self) -> list[OrderUpdate]:
        """Resting orders that are not ours, as last heard of."""
        with self._lock:
            return list(self._foreign.values())

    def on_fills(self, fills: Iterable[Fill]) -> list[TrackerEvent]:
        """Book fills, in whatever order they come; known ones change nothing but their order's own list."""
        out: list[TrackerEvent] = []
        with self._lock:
            for fill in oldest_first(list(fills)):
                if self._results.knows(fill):
                    known = self._attach_locked(fill)
                    out += self._orders.finish(known) if known is not None else []
                    continue
                out += self._book_locked(fill)
        return out

    def _book_locked(self, fill: Fill) -> list[TrackerEvent]:
        out: list[TrackerEvent] = []
        tracked = self._attach_locked(fill)
        holding = self._holdings.setdefault(fill.coin, Holding(fill.coin))
        if self._read.hold(fill, holding.szi):
            kind = "contained"
        else:
            kind = holding.book(fill, ours=tracked is not None or is_ours(fill.cloid))
            self._read.booked(fill)
        self._orders.shrink_stops(fill.coin, holding.szi)
        self._results.add(fill)
        out.append(FillBooked(fill=fill, kind=kind, position=holding.szi, ours=tracked is not None))
        if tracked is not None:
            out += self._settle_locked(tracked, "fills") + self._orders.finish(tracked)
        # Flat with a gap in the chain is not flat yet: a fill between is still under way.
        if holding.szi == 0 and not holding.fills:
            del self._holdings[fill.coin]
            out += self._results.late_trip(fill) if kind == "contained" and fill.end_position == 0 else []
        elif holding.szi == 0 and holding.linked:
            out += self._close_trip_locked(holding)
        return out

    def _attach_locked(self, fill: Fill) -> TrackedOrder | None:
        """Give a fill to its order, also one whose position was known before (an order of an earlier run)."""
        tracked = self._orders.find(fill.cloid, fill.oid)
        if tracked is None or fill.key in tracked.fills:
            return tracked
        if tracked.state in (OrderState.DEAD, OrderState.DROPPED, OrderState.REJECTED):
            self.contradictions += 1
        self._orders.note_oid(tracked, fill.oid)
        tracked.book(fill)
        self._orders.note_executed(tracked)
        return tracked

    def disclaim(self, cloid: str) -> None:
        """Several readings of the fills know none of what an update claimed: it executed nothing more."""
        with self._lock:
            tracked = self._orders.provisional.get(cloid)
            if tracked is not None and tracked.reply is None:
                tracked.disclaim()
                del self._orders.provisional[cloid]

    def _close_trip_locked(self, holding: Holding) -> list[TrackerEvent]:
        closed_ms = holding.fills[-1].time_ms
        del self._holdings[holding.coin]
        if self._results.counted_before(holding.fills[-1]):  # an earlier run told of it, and this one heard late
            self._results.forget_trip(holding.coin)
            return []
        trip = self._results.end_trip(holding.coin)
        (entered, paid), (exited, got) = holding.entered, holding.exited
        return [RoundTrip(
            coin=holding.coin, opened_ms=holding.opened_ms or closed_ms, closed_ms=closed_ms,
            realized=trip.realized, fees=trip.fees, funding=trip.funding, entered_usd=paid,
            entry_px=div(paid, entered) if entered else ZERO, exit_px=div(got, exited) if exited else ZERO,
        )]  # fmt: skip

    def accept_gap(self, coin: str) -> list[TrackerEvent]:
        """Several readings know no fill between: what is booked is all there is."""
        with self._lock:
            h = self._holdings.get(coin)
            if h is None or not h.fills or h.linked:
                return []
            if h.szi == 0:
                return self._close_trip_locked(h)
            h.adopt(h.szi, h.entry_px, h.entry_ms, edge_bps=h.edge_bps, foreign=h.foreign)
            return []

    # Start and reconciliation.

    def on_fundings(self, items: Iterable[Funding]) -> list[TrackerEvent]:
        """Book payments; known ones, and those from before this account's state began, change nothing."""
        with self._lock:
            return [FundingBooked(i) for i in sorted(items, key=lambda i: i.time_ms) if self._results.fund(i)]

    def seed_fills(self, fills: Iterable[Fill], known_until_ms: int, kept: KeptTotals) -> None:
        """At start: these fills are in the positions already; in the results, those that `kept` does not hold."""
        with self._lock:
            self._results.seed(fills, known_until_ms, kept)

    def all_adopted(self) -> None:
        """The start has adopted every position that the exchange shows."""
        with self._lock:
            self._results.forget_kept_trips()

    def traded_after(self, coin: str, read_ms: int) -> Decimal:
        """What was booked after a reading as of `read_ms` (exchange time); with it the reading must equal the books."""
        with self._lock:
            return sum((f.signed_sz for f in self._read.after(coin, read_ms)), ZERO)

    def newest_fill(self, coin: str) -> Fill | None:
        """The newest fill of a market that was booked in this run."""
        with self._lock:
            return self._read.newest(coin)

    def adopt(self, coin: str, szi: Decimal, opening: Opening) -> None:
        """Take the exchange's position for a coin, atomically. What is known of its opening stays."""
        with self._lock:
            later = self._read.taken(coin, opening.read_ms, exact=opening.exact)
            if szi + sum((f.signed_sz for f in later), ZERO) == 0:
                self._holdings.pop(coin, None)
                self._results.forget_trip(coin)
                return
            holding = self._holdings.setdefault(coin, Holding(coin))
            if not holding.szi or (holding.szi > 0) != (szi > 0):
                self._results.begin_trip(coin, fees=opening.fees, realized=opening.realized)
                holding.entry_ms, holding.edge_bps, holding.foreign = opening.ms, opening.edge_bps, opening.foreign
                holding.admission_px = opening.admission_px
            holding.adopt(
                szi, opening.px, holding.entry_ms, edge_bps=holding.edge_bps, foreign=holding.foreign, later=later,
                as_of_ms=opening.read_ms or 0,
            )  # fmt: skip
            self._orders.shrink_stops(coin, holding.szi)
            for tracked in self._orders.provisional.values():
                if tracked.order.coin == coin:
                    self._contain_locked(tracked)

    def changed_totals(self) -> KeptTotals | None:
        """The results for a restart, if they changed since they were asked for last."""
        with self._lock:
            return self._results.changed()
