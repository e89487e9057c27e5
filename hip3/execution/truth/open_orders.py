"""OpenOrders: the exchange's open orders against our books, and what is done about a difference.

Confined to the rest thread. Only orders of ours are touched: an order that others placed is shown and counted
in exposure, never cancelled here. The start policy `cancel_all` is the exception that was asked for. A stop
that protects a position stays, whoever placed it, and one whose position is only not shown is doubt, not litter.

    ours, listed, in our books as over      asked for by its status; if it is open, cancelled
    ours, listed, of an earlier run         protection is adopted; the rest has no place now, and is cancelled, but for
                                            quotes where they are adopted
    ours by its tag, placed since the start a second instance trades: entries stop
    in our books as open, not listed        asked for by its status
"""

from collections import Counter
from collections.abc import Callable, Iterable

import msgspec

from hip3.core.events import OrderUpdate
from hip3.core.order_state import OrderState, state_of_status
from hip3.core.orders import PendingCancel, PendingOrder, Tif, is_ours
from hip3.core.ports import Clock, Journal
from hip3.errors import VenueReadError
from hip3.exchange.wire import parse_order_record
from hip3.execution.ports import OrdersIn
from hip3.execution.readiness import Readiness
from hip3.execution.sending.scheduler import BatchScheduler
from hip3.execution.truth.account import AccountReport, Rest
from hip3.execution.truth.difference import ASK_MS, MOST_ASKED
from hip3.execution.truth.stops_in_doubt import StopsInDoubt
from hip3.execution.truth.strangers import Strangers
from hip3.position.tracked import TrackedOrder
from hip3.position.tracker import PositionTracker

EXPLAINED_PER_ROUND = 5
"""So many unknown orders are asked for in a round: each costs request weight that the account's reading needs."""
FORGOTTEN_TIMES = 2
"""An order that is neither listed nor known is over when the exchange has said so this often."""
UNWRITTEN_MS = 15_000
"""An exit or stop of an earlier run may come to the exchange so long after the start: it was under way, or delayed."""
SECOND_INSTANCE_MS = 600_000
"""Entries stay away for so long after the last sign of a second instance."""


class OpenOrders:
    """See the module.

    `known_before(cloid)`: whether a run of this state placed it (`Intents.knows`). `markets`: every market of the
    configured dexs, those in which a cancel can be named. `started_ms` (exchange time): an order with our tag placed
    later, an exit some seconds later, which is not in our books, was placed by another instance. `cancel_all`:
    HIP3_START_POLICY. Cancels are only queued here; the tick sends them, and what a full queue refused the next reading
    asks for again. `adopted(orders)`: ids of those listed that keep their place over the start.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        rest: Rest,
        user: str,
        tracker: PositionTracker,
        orders_in: OrdersIn,
        scheduler: BatchScheduler,
        readiness: Readiness,
        journal: Journal,
        strangers: Strangers,
        known_before: Callable[[str], bool],
        markets: frozenset[str],
        started_ms: int,
        cancel_all: bool,
        adopted: Callable[[tuple[OrderUpdate, ...]], frozenset[int]],
    ) -> None:
        self._clock = clock
        self._rest = rest
        self._user = user
        self._tracker = tracker
        self._orders_in = orders_in
        self._scheduler = scheduler
        self._readiness = readiness
        self._journal = journal
        self._strangers = strangers
        self._known_before = known_before
        self._markets = markets
        self._started_ms = started_ms
        self._cancel_all = cancel_all
        self._adopted = adopted
        self._in_doubt = StopsInDoubt()
        self._doubtful: set[int] = set()
        self._second_until_ms: int | None = None
        self._unknown: Counter[int] = Counter()
        self._owed: dict[int, int] = {}
        """Orders of others that executed and whose fills no stream and no reading had: how often that was asked."""
        self._next_owed_ms = 0

    # Comparison.

    def look(self, report: AccountReport, now_ms: int) -> list[OrderUpdate]:
        """The stops of this reading whose positions are hidden, it seems: they stay, and the account is read again.

        Before `left_of_before` and `compare`, once for each reading; monotonic `now_ms`.
        """
        alone = [o for o in report.orders if o.protects and not self._held(o, report) and self._goes(o)]
        doubtful = self._in_doubt.look(alone, report.fills, now_ms)
        self._doubtful = {o.oid for o in doubtful}
        return doubtful

    def _goes(self, order: OrderUpdate) -> bool:
        """Whether an order without a place is cancelled here: an earlier run's, or anybody's if that was asked for."""
        of_before = self._of_before(order) or self._restored(order)
        return of_before or (self._cancel_all and order.coin in self._markets)

    def _restored(self, order: OrderUpdate) -> bool:
        """Whether an earlier run sent it, and our books hold it as open."""
        tracked = self._tracker.get(order.cloid) if order.cloid is not None else None
        return tracked is not None and not tracked.generation and not tracked.state.terminal

    def _held(self, order: OrderUpdate, report: AccountReport) -> bool:
        """Whether the exchange or our books show a position where an order rests."""
        return bool(report.positions.get(order.coin, (0, 0))[0]) or self._tracker.position(order.coin) is not None

    def left_of_before(self, report: AccountReport) -> int:
        """At the start: cancel what the policy does not leave; how many orders are still to go.

        Asked again with each reading until the exchange's list shows none; READY waits for it.
        """
        stays = self._adopted(report.orders)
        listed = [o for o in report.orders if o.coin in self._markets and o.oid not in stays]
        leaving = [o for o in listed if self._must_go(o, report)]
        if stays and not leaving:
            self._journal.record("quotes_adopted", oids=sorted(stays))
        if leaving:
            self._journal.record("cancel_at_start", oids=[o.oid for o in leaving])
        self._cancel(leaving)
        return len(leaving)

    def _must_go(self, order: OrderUpdate, report: AccountReport) -> bool:
        """Whether the start policy ends an order."""
        ours = self._of_before(order) or self._restored(order)  # what rests of an earlier run are quotes and stops
        held = order.oid in self._doubtful or self._held(order, report)
        return ends_at_start(order, cancel_all=self._cancel_all, ours=ours, held=held)

    def _of_before(self, order: OrderUpdate) -> bool:
        """An order of ours that is not in our books: an earlier run's, by its time or by its run."""
        if order.cloid is None or not is_ours(order.cloid) or self._tracker.get(order.cloid) is not None:
            return False
        # What makes a position smaller leaves on a full disk, too: then nothing tells of it, nor of its run.
        since = self._started_ms + (UNWRITTEN_MS if order.reduce_only else 0)
        return order.placed_ms <= since or self._known_before(order.cloid)

    def compare(self, report: AccountReport, open_before: Iterable[TrackedOrder], now_ms: int) -> None:
        """One complete reading against the books; `open_before` were open when it began.

        Only those: an order that opened while the reading was under way may rightly not be listed. VenueReadError where
        a status cannot be read: what was compared before stands, the rest comes with the next reading.
        """
        listed = {o.oid for o in report.orders}
        for order in report.orders:
            tracked = self._tracker.get(order.cloid) if order.cloid is not None else None
            if tracked is not None and tracked.state.terminal:
                self._settle(order.oid, now_ms)
            elif tracked is None and is_ours(order.cloid):
                self._leftover(order, now_ms)
            elif order.protects and not self._held(order, report) and self._restored(order):
                self._cancel_litter(order)
        for tracked in open_before:
            if tracked.oid is not None and tracked.oid not in listed and tracked.state is OrderState.OPEN:
                self._settle(tracked.oid, now_ms)

    def _leftover(self, order: OrderUpdate, now_ms: int) -> None:
        """An order with our tag that is not in our books: adopt protection, cancel the rest, or know a stranger."""
        if not self._of_before(order):
            self._second_instance(order, now_ms)
        elif order.protects and self._tracker.position(order.coin) is not None:
            self._journal.record("order_adopted", coin=order.coin, oid=order.oid, cloid=order.cloid)
            self._tracker.adopt_order(_as_placed(order), order.oid)
        else:
            self._cancel_litter(order)

    def _cancel_litter(self, order: OrderUpdate) -> None:
        """End what has no place now, unless it is the trace of a hidden position."""
        if order.oid not in self._doubtful:
            self._cancel([order])

    def _settle(self, oid: int, now_ms: int) -> None:
        """Books and list differ about an order: its own status decides; one that lives against our books goes."""
        answer = self._rest.info_json({"type": "orderStatus", "user": self._user, "oid": oid})
        if isinstance(answer, dict) and answer.get("status") == "unknownOid":
            self._forgotten(oid, now_ms)
            return
        if not isinstance(answer, dict) or answer.get("status") != "order":
            raise VenueReadError(f"orderStatus of {oid}: {str(answer)[:120]}")
        update = parse_order_record(msgspec.json.encode(answer["order"]))
        tracked = self._tracker.get(update.cloid) if update.cloid is not None else None
        self._journal.record("orders_differ", cloid=update.cloid, oid=oid, status=update.status)
        self._orders_in.on_order_updates((update,), now_ms)
        if tracked is not None and tracked.state.terminal and state_of_status(update.status) is OrderState.OPEN:
            self._cancel([update])

    def _forgotten(self, oid: int, now_ms: int) -> None:
        """The exchange neither lists an order nor knows it: over, when it says so twice. Fills are booked anyhow."""
        self._unknown[oid] += 1
        tracked = next((t for t in self._tracker.live(OrderState.OPEN) if t.oid == oid), None)
        if tracked is None or self._unknown[oid] < FORGOTTEN_TIMES:
            return
        del self._unknown[oid]
        self._journal.record("orders_differ", cloid=tracked.order.cloid, oid=oid, status="forgotten")
        order = tracked.order
        gone = OrderUpdate(
            coin=order.coin, side=order.side, oid=oid, cloid=order.cloid, limit_px=order.px,
            remaining=order.sz - tracked.booked, orig_sz=order.sz, status="canceled", status_ms=self._clock.wall_ms(),
        )  # fmt: skip
        self._orders_in.on_order_updates((gone,), now_ms)

    def _cancel(self, orders: Iterable[OrderUpdate]) -> None:
        for order in orders:
            now_ms, limit = self._clock.wall_ms(), order.trigger_px is None
            wish = PendingCancel(coin=order.coin, oid=order.oid, created_ms=now_ms, limit=limit)
            self._scheduler.enqueue_cancel(wish)

    # Updates of orders we do not know.

    def explain(self, now_ms: int) -> bool:
        """Ask what the strangers are, a few in each round; none in a storm, which ends by reading everything.

        True if one of them executed something that no fill has told of: the account is to be read, and again while its
        answers are of before. VenueReadError: those that are left wait. Also ends the hold for a second instance when
        its time is over.
        """
        missing = self._ask_again(now_ms)
        if self._second_until_ms is not None and now_ms >= self._second_until_ms:
            self._second_until_ms = None
            self._readiness.hold("second_instance", "")
        if self._strangers.storm(now_ms):
            return False
        for seen in self._strangers.take(EXPLAINED_PER_ROUND):
            answer = self._rest.info_json({"type": "orderStatus", "user": self._user, "oid": seen.oid})
            status = answer.get("status") if isinstance(answer, dict) else None
            if status not in ("order", "unknownOid"):
                raise VenueReadError(f"orderStatus of {seen.oid}: {str(answer)[:120]}")
            known = status == "order"
            update = parse_order_record(msgspec.json.encode(answer["order"])) if known else seen
            whose = "not ours" if known else "not known to the exchange"
            if is_ours(update.cloid):
                of_before = self._of_before(update)
                whose = "of an earlier run" if of_before else "of another instance"
                if not of_before and self._tracker.get(update.cloid or "") is None:
                    self._second_instance(update, now_ms)
            self._journal.record("stranger", coin=update.coin, oid=seen.oid, status=update.status, whose=whose)
            self._strangers.explained(seen.oid)
            if self._untold(update):
                self._owed[update.oid], self._next_owed_ms = 0, now_ms + ASK_MS
                missing = True
        return missing

    def _ask_again(self, now_ms: int) -> bool:
        """Whether the account is to be read once more for fills that its last readings did not have."""
        self._owed = {oid: asked for oid, asked in self._owed.items() if not self._strangers.has_filled(oid)}
        if not self._owed or now_ms < self._next_owed_ms:
            return False
        self._next_owed_ms = now_ms + ASK_MS
        self._owed = {oid: asked + 1 for oid, asked in self._owed.items() if asked + 1 < MOST_ASKED}
        return True

    def _untold(self, update: OrderUpdate) -> bool:
        """Whether an order of ours to see executed, and its fill was lost. Size may also go by shrinking: then a
        reading for nothing."""
        executed = update.remaining < update.orig_sz and update.coin in self._markets
        return executed and not is_ours(update.cloid) and not self._strangers.has_filled(update.oid)

    def _second_instance(self, order: OrderUpdate, now_ms: int) -> None:
        """Keep entries away from now on for ten minutes; each further sign begins the time anew."""
        if self._second_until_ms is None:
            self._journal.record("second_instance", cloid=order.cloid, coin=order.coin, oid=order.oid)
        self._second_until_ms = now_ms + SECOND_INSTANCE_MS
        why = f"another hip3 trades this account (order {order.cloid}); stop it, entries come back 10 minutes later"
        self._readiness.hold("second_instance", why)


def ends_at_start(order: OrderUpdate, *, cancel_all: bool, ours: bool, held: bool) -> bool:
    """Whether a start ends a resting order: never the stop of a position that somebody shows or that may be hidden.

    `ours`: an earlier run's; `held`: whether there may be a position in its market. Pure.
    """
    return (cancel_all or ours) and not (order.protects and held)


def _as_placed(order: OrderUpdate) -> PendingOrder:
    """What we must have placed, from what the exchange shows of it."""
    return PendingOrder(
        cloid=order.cloid or "", coin=order.coin, side=order.side, px=order.limit_px, sz=order.remaining,
        reduce_only=True, created_ms=order.placed_ms, tif=Tif.GTC, trigger_px=order.trigger_px,
    )  # fmt: skip
