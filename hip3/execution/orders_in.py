"""OrdersIn: what is heard of our orders, by whatever way it comes.

Replies, answers by HTTP, orderUpdates, userFills and funding go to the tracker; what it makes of them goes to
`Consequences`. No lock of its own; everything it calls has one. Called from: ws-reader (frames, a lost connection),
tick (`on_post_lost`), rest (`send_by_http`, readings).

Several ways may tell of one order at once and in any order. That needs no lock here: a post is ended by one caller
(`PostRequestManager`), and the tracker's result does not depend on who comes first.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from hip3.core.events import (
    ActionRefused,
    Fill,
    Filled,
    Funding,
    OrderUpdate,
    PostOutcome,
    PostReply,
    Refused,
    RequestFailed,
    Resting,
    Unreadable,
)
from hip3.core.ledger import Stranger, TrackerEvent
from hip3.core.market import in_dexs
from hip3.core.orders import CancelBatch, OrderBatch, PendingCancel, PendingOrder, Post, is_ours
from hip3.core.ports import Clock, Journal
from hip3.exchange.wire_reply import parse_action_answer
from hip3.execution.account_view import AccountView
from hip3.execution.consequences import Consequences
from hip3.execution.link import Link
from hip3.execution.sending.address_budget import EXPIRED_COST, AddressBudget
from hip3.execution.sending.posts import PostRequestManager
from hip3.execution.sending.replies import Fate, Resolution, refused_together, resolve
from hip3.execution.sending.scheduler import BatchScheduler
from hip3.execution.sending.socket_trust import SocketTrust
from hip3.execution.truth.strangers import Strangers
from hip3.execution.truth.streams import StreamWatch
from hip3.position.tracker import PositionTracker

OVER = "Order was never placed, already canceled, or filled"
"""A cancel came too late: there is nothing left to ask for."""
MOST_MEANWHILE = 1000
MAX_CANCEL_TRIES = 5
"""A cancel that was not answered is queued again until it was tried so often; who wants more must ask anew."""


class OrdersIn:
    """See the module. `dexs`: the configured dexs; fills and payments of others are none of our business. `wake_rest()`
    begins the rest thread's next round."""

    def __init__(
        self,
        *,
        clock: Clock,
        dexs: Iterable[str],
        link: Link,
        view: AccountView,
        consequences: Consequences,
        tracker: PositionTracker,
        scheduler: BatchScheduler,
        posts: PostRequestManager,
        trust: SocketTrust,
        strangers: Strangers,
        streams: StreamWatch,
        address: AddressBudget,
        journal: Journal,
        wake_rest: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._dexs = frozenset(dexs)
        self._link = link
        self._view = view
        self._consequences = consequences
        self._tracker = tracker
        self._scheduler = scheduler
        self._posts, self._trust = posts, trust
        self._strangers = strangers
        self._streams = streams
        self._address = address
        self._journal = journal
        self._wake_rest = wake_rest
        self._meanwhile: deque[OrderUpdate] = deque(maxlen=MOST_MEANWHILE)
        """What the stream told of others' orders since a reading began. Each use is one step."""

    def reading_begins(self) -> None:
        """The account is about to be read, which takes several requests. Rest."""
        self._meanwhile.clear()

    def reading_ends(self) -> None:
        """What it said of others' orders is in the books: what the stream told meanwhile is newer. Rest."""
        for item in list(self._meanwhile):
            self._tracker.on_order_update(item)

    def on_connection_lost(self, generation: int, now_ms: int) -> None:
        """Posts in flight are unknown, queued entries die, the rest lives on.

        Posts by HTTP are not of any connection and stay. Queued exits and cancels wait for the next, or go by HTTP.
        """
        for post in self._posts.disconnected(generation):
            self.on_post_lost(post, "disconnected before the reply", now_ms)
        for order in self._scheduler.purge_new():
            self._consequences.dispatch(self._tracker.drop(order.cloid, "disconnected"), now_ms)

    def on_reply(self, reply: PostReply, now_ms: int) -> None:
        """The answer to a post. One that was given up before is noted and not believed: its orders are UNKNOWN already,
        and end by proof."""
        post = self._posts.complete(reply.post_id)
        if post is None:
            self._journal.record("late_reply", post_id=reply.post_id)
            return
        if isinstance(reply.outcome, RequestFailed | Unreadable):
            self._trust.lost(post.sent_ms, now_ms)
        else:
            self._trust.answered()
        self._answered(post, reply.outcome, now_ms)

    def send_by_http(self, post: Post, exchange: Callable[[], Any]) -> None:
        """Post an action by HTTP, for want of a socket, and take its answer (rest thread).

        One that waited here for so long that it was given up is not sent any more. `exchange()` posts and returns the
        decoded answer; it may take seconds. Whatever it raises makes the outcome unknown and goes no further.
        """
        if not self._posts.begin(post.post_id):
            return
        try:
            outcome = parse_action_answer(exchange())
        except Exception as error:  # noqa: BLE001 whatever went wrong, the outcome is unknown
            # None: the tick gave it up meanwhile and has told it.
            if self._posts.complete(post.post_id) is not None:
                self.on_post_lost(post, f"by HTTP: {error}", self._clock.mono_ms())
            return
        if self._posts.complete(post.post_id) is not None:
            self._answered(post, outcome, self._clock.mono_ms())

    def _answered(self, post: Post, outcome: PostOutcome, now_ms: int) -> None:
        """Take an answer. One that breaks our own code leaves its orders unknown, to be proved: nobody waits for the
        post any more, and an order that stayed `sent` would never be looked at again."""
        try:
            self._take(post, outcome, now_ms)
        except Exception as error:
            self.on_post_lost(post, f"its answer could not be handled: {type(error).__name__}: {error}", now_ms)
            raise

    def _take(self, post: Post, outcome: PostOutcome, now_ms: int) -> None:
        """Give each order or cancel of a post its part of the answer."""
        self._journal.record("reply", post=post, outcome=outcome, at_us=self._clock.mono_us())
        if isinstance(outcome, ActionRefused) and outcome.text.startswith("Action already expired"):
            self._address.spend(EXPIRED_COST - 1)  # one was counted when it was sent
            self.doubt_clock()  # it was late, or the machine stood still and our time with it
        if isinstance(post.batch, CancelBatch):
            results = resolve(outcome, len(post.batch.cancels))
            together = refused_together(results)
            for cancel, res in zip(post.batch.cancels, results, strict=True):
                self._cancel_answer(cancel, res, together=together)
            return
        answers = resolve(outcome, len(post.batch.orders))
        self._note_company(post.batch, answers)
        for order, res in zip(post.batch.orders, answers, strict=True):
            # Only of the connection that stands, and after its streams did: nothing else need be told on it.
            if isinstance(res.status, Resting | Filled) and self._link.told(post.generation, post.sent_ms):
                self._streams.answered(order.cloid, now_ms)
            self._doubt_replaced(order, res)
            self._consequences.dispatch(self._apply(order.cloid, res, now_ms), now_ms)

    def doubt_clock(self) -> None:
        """Have the exchange's time read at once. Any thread."""
        self._view.clock_doubted = True
        self._wake_rest()

    def _doubt_replaced(self, order: PendingOrder, res: Resolution) -> None:
        """What became of the order that another one was to replace, where that did not simply happen: a new order that
        would cross takes it along, other refusals leave it (docs/venue-facts.md F23). Its status tells."""
        if order.replaces is not None and isinstance(res.status, Refused):
            self._tracker.say_gone(order.replaces)
            self._wake_rest()

    def _note_company(self, batch: OrderBatch, answers: list[Resolution]) -> None:
        """An exit that is refused before validation takes the others of its action with it, each time they meet."""
        if not batch.reduce_only:
            return
        if len(answers) == 1 and answers[0].fate is Fate.STATUS:
            self._scheduler.rejoin(batch.orders[0].coin)
        elif refused_together(answers):  # whatever it says: nobody knows of which it is
            self._scheduler.isolate(order.coin for order in batch.orders)

    def _apply(self, cloid: str, res: Resolution, now_ms: int) -> list[TrackerEvent]:
        if res.fate is Fate.UNKNOWN:
            return self._tracker.mark_unknown(cloid, res.text, now_ms)
        if res.fate is Fate.REFUSED or res.status is None:
            return self._tracker.refuse(cloid, res.text)
        return self._tracker.on_status(cloid, res.status)

    def _cancel_answer(self, cancel: PendingCancel, res: Resolution, *, together: bool) -> None:
        """A cancel that was refused, or of which nothing is known, is not sent again: the account is read. Once it is
        where the refusal may be of its flag, or of another one of its action: what rests must not stay for that."""
        if res.fate is Fate.STATUS:
            return  # orderUpdates, or the reading of open orders, says when it is gone
        if res.fate is Fate.REFUSED and res.text.startswith(OVER):
            self._tracker.say_gone(cancel.oid)  # the reading may fail for long, and one order's status is cheap
        elif (cancel.limit or together) and res.fate is Fate.REFUSED:
            again = msgspec.structs.replace(cancel, limit=False, alone=together, tries=cancel.tries + 1)
            self._scheduler.enqueue_cancel(again)
        self._journal.record("cancel_refused", cancel=cancel, text=res.text)
        self._view.doubt()

    def on_post_lost(self, post: Post, why: str, now_ms: int) -> None:
        """No reply will be believed any more: orders become UNKNOWN, cancels are wished again.

        The post must be out of `PostRequestManager`. An order that an update has moved on already stays where it is. A
        cancel may be sent twice without harm, an order never is. `why` is a phrase for the journal.
        """
        self._journal.record("post_lost", post=post, why=why)
        if isinstance(post.batch, OrderBatch):
            for order in post.batch.orders:
                self._consequences.dispatch(self._tracker.mark_unknown(order.cloid, why, now_ms), now_ms)
        else:
            for cancel in post.batch.cancels:
                if cancel.tries < MAX_CANCEL_TRIES:
                    self._scheduler.enqueue_cancel(msgspec.structs.replace(cancel, tries=cancel.tries + 1))
        self._wake_rest()

    def on_order_updates(self, items: Iterable[OrderUpdate], now_ms: int, *, reading: bool = False) -> None:
        """orderUpdates, or what a `reading` over REST says of orders.

        An order that a reading of ours lists is known by it: it is no stranger, and must not feed a storm.
        """
        for item in items:
            if not in_dexs(item.coin, self._dexs) and self._tracker.get(item.cloid or "") is None:
                # One stream over all dexs, main and spot: others' are no exposure of ours, and no storm. An order of an
                # earlier run is in the books, wherever it was: who asks for its fate must hear it.
                continue
            if not reading:
                self._streams.updated(item.cloid)
                if self._tracker.get(item.cloid or "") is None:
                    self._meanwhile.append(item)
            events = self._tracker.on_order_update(item)
            if reading and not is_ours(item.cloid):
                self._strangers.explained(item.oid)
                events = [e for e in events if not isinstance(e, Stranger)]
            self._consequences.dispatch(events, now_ms)

    def on_fills(self, fills: Iterable[Fill], now_ms: int) -> None:
        """userFills, or what a reading says of fills: those of the configured dexs, since there is one stream over all
        (docs/venue-facts.md F13). Known ones change nothing, so a snapshot may come as often as it likes."""
        ours = [f for f in fills if in_dexs(f.coin, self._dexs)]
        others = {f.oid for f in ours if not is_ours(f.cloid)}
        if others:
            self._strangers.filled(others)
        self._consequences.dispatch(self._tracker.on_fills(ours), now_ms)

    def on_fundings(self, items: Iterable[Funding], now_ms: int) -> None:
        """Funding payments of the configured dexs, in USD, negative when paid; known ones change nothing."""
        ours = [f for f in items if in_dexs(f.coin, self._dexs)]
        self._consequences.dispatch(self._tracker.on_fundings(ours), now_ms)
