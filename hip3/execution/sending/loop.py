"""ExecutorLoop: the tick. All orders leave from here, so signing and nonces have one caller.

    1 expire posts       silence for too long makes their orders UNKNOWN
    2 exits              every position, at the latest now; then the stops that protect them, and the quotes. Where an
                         oracle has run over a quote, its cancel goes first, and the next round follows at once
    3 collect            one batch of one kind
    4 re-check           entries of a tripped latch, of another epoch or on old data die here; bad orders alone
    5 nonce
    6 sign
    7 record the intent  durably; if that fails entries are dropped, exits and cancels go on
    8 register           before the send: a reply may overtake it
    9 send

`step` does one round and says whether more can be sent at once; the thread in `app` loops over it,
woken by an enqueue, at the latest every HIP3_TICK_MS. A late round skips, it does not catch up.

What provably did not leave is signed anew, with another nonce; an order that perhaps left never is. The nonce rises
with every action (docs/venue-facts.md F6); one that was taken and not used is no loss.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from hip3.core.orders import ActionBatch, CancelBatch, OrderBatch, PendingOrder, Post
from hip3.core.ports import Clock, Intents, Journal, Sender, SendOutcome
from hip3.errors import JournalError, NonceError, SigningError
from hip3.exchange.nonce import NonceManager
from hip3.exchange.signing import sign_l1_action
from hip3.exchange.wire_out import cancel_action, modify_action, order_action, post_frame, signed_body
from hip3.execution.link import Link
from hip3.execution.ports import Consequences, Exits, OrdersIn, Quotes, Stops
from hip3.execution.readiness import Readiness
from hip3.execution.sending.address_budget import AddressBudget
from hip3.execution.sending.identity import Identity
from hip3.execution.sending.posts import PostRequestManager
from hip3.execution.sending.scheduler import BatchScheduler
from hip3.execution.sending.socket_trust import SocketTrust
from hip3.ops.histogram import FAST_US, SLOW_US, Histogram
from hip3.position.tracker import PositionTracker
from hip3.risk.hard_stop import HardStopLatch

MAX_TRIES = 5
"""How often a batch that provably did not leave goes back to the front of its queue."""

KEPT_MESSAGES = 400
"""Of the 2,000 messages that the exchange takes in a minute, those that no entry takes: exits, cancels, subscriptions
and pings go on, whatever the market does."""
_FEW_MESSAGES = "the socket's messages of this minute are kept for exits and cancels"
HTTP_AFTER_MS = 2000
"""After so long without a socket, cancels and exits go by HTTP."""
HTTP_GENERATION = 1 << 60
"""Generation of posts by HTTP: no disconnect ends them, their own answer or time-out does."""
HELD_UP_MS = 500
"""An entry that was looked at so long ago is not sent: what allowed it may be so no more."""

HttpLane = Callable[[Post, dict[str, Any]], None]
"""Takes a post and its signed body to the rest thread, which sends it by HTTP. Never waits."""

EXIT_LASTS_MS = 3000
"""An exit may be under way for so long, however short entries live."""


class ExecutorLoop:
    """See the module. Confined to the tick thread; others read its counters, each of which is one step.

    `asset_ids`: of every market of the configured dexs (docs/venue-facts.md F8), coin -> asset id; an order elsewhere
    cannot be named to the exchange and is dropped. `stale(coin, now_ms)`: why a market's data are too old to enter on,
    or None. `exchange_ms()`: the exchange's time now; `latest_ms()`: the latest that it may be. `post_timeout_ms`:
    silence after which an outcome is unknown. `expires_after_ms`: how long the exchange may accept an order, 0 for
    ever. `exits` and `stops` are asked each round.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        identity: Identity,
        asset_ids: dict[str, int],
        latch: HardStopLatch,
        readiness: Readiness,
        scheduler: BatchScheduler,
        posts: PostRequestManager,
        trust: SocketTrust,
        tracker: PositionTracker,
        link: Link,
        orders_in: OrdersIn,
        consequences: Consequences,
        exits: Exits,
        stops: Stops,
        quotes: Quotes,
        stale: Callable[[str, int], str | None],
        sender: Sender,
        http: HttpLane,
        intents: Intents,
        address: AddressBudget,
        nonces: NonceManager,
        journal: Journal,
        post_timeout_ms: int,
        expires_after_ms: int,
        exchange_ms: Callable[[], int],
        latest_ms: Callable[[], int],
    ) -> None:
        self._clock = clock
        self._identity = identity
        self._asset_ids = asset_ids
        self._latch = latch
        self._readiness = readiness
        self._scheduler = scheduler
        self._posts, self._trust = posts, trust
        self._tracker = tracker
        self._link = link
        self._orders_in = orders_in
        self._consequences = consequences
        self._exits, self._stops, self._quotes = exits, stops, quotes
        self._stale = stale
        self._sender = sender
        self._http = http
        self._intents = intents
        self._address = address
        self._cut_since: int | None = None
        self._few = False
        """Whether the messages that are left are for exits, as of this round."""
        self._nonces, self._journal = nonces, journal
        self._post_timeout_ms = post_timeout_ms
        self._expires_after_ms = expires_after_ms
        self._exchange_ms, self._latest_ms = exchange_ms, latest_ms
        self.sent_orders = 0
        """Orders whose bytes left, or went to the rest thread for HTTP; cancels are not counted."""
        self.late_ticks = 0
        """Rounds that came later than a whole tick after they were due; counted by the thread's loop."""
        self.lag, self.durable = Histogram(SLOW_US), Histogram(FAST_US)
        """How late a tick came that nothing woke; how long an intent took to become durable. Microseconds."""

    @property
    def last_nonce(self) -> int:
        """The highest nonce given out, or the floor of earlier runs."""
        return self._nonces.last

    def step(self, now_ms: int) -> bool:
        """One round at monotonic `now_ms`, with at most one action sent; True if another should follow at once.

        What goes wrong with one batch ends in the journal and in the books, and the next round goes on.
        """
        for post in self._posts.expire(now_ms, self._post_timeout_ms):
            if post.generation == HTTP_GENERATION:  # its request has not begun, and will not any more
                self._address.spend(-_items(post.batch))
                self._return(post.batch, "its turn did not come", now_ms, again=False)
            else:
                self._trust.lost(post.sent_ms, now_ms)
                self._orders_in.on_post_lost(post, "no reply in time", now_ms)
        left = self._note_messages(now_ms)
        generation = self._link.generation  # first: what is judged below must leave on no later connection
        lane = self._lane(left, now_ms)
        if lane is None:
            return False  # nothing can leave: exits are not attempted either, they would only be worse for it
        fled = self._quotes.flee(now_ms)
        if not fled:
            self._exits.check(generation, now_ms)
            self._stops.step(now_ms)
            self._quotes.step(now_ms)
        batch = self._scheduler.take(self._posts.inflight, entries=lane == "ws")
        if batch is None:
            return fled
        checked = self._recheck(batch, now_ms)
        if checked is not None:
            self._dispatch(checked, now_ms, generation if lane == "ws" else HTTP_GENERATION)
        return fled or self._scheduler.sendable(self._posts.inflight, entries=lane == "ws")

    def _lane(self, left: int, now_ms: int) -> str | None:
        """How actions may leave now: by the socket; by HTTP once it was gone for 2 s, and at once where no message of
        the socket is `left`, or it does not answer; or not at all."""
        if self._sender.connected:
            self._cut_since = None
            return "http" if self._trust.away(now_ms) or not left else "ws"
        if self._cut_since is None:
            self._cut_since = now_ms
        return "http" if now_ms - self._cut_since >= HTTP_AFTER_MS else None

    def _recheck(self, batch: ActionBatch, now_ms: int) -> ActionBatch | None:
        """The last look before signing: what may not leave is dropped, alone. None: nothing is left of the batch."""
        if isinstance(batch, CancelBatch):
            good = tuple(c for c in batch.cancels if c.coin in self._asset_ids)
            return CancelBatch(good) if good else None
        keep = []
        epoch = self._readiness.epoch(now_ms)
        for order in batch.orders:
            why = self._refused(order, epoch, now_ms)
            if why is None:
                keep.append(order)
            else:
                self._consequences.dispatch(self._tracker.drop(order.cloid, why), now_ms)
        return OrderBatch(tuple(keep)) if keep else None

    def _refused(self, order: PendingOrder, epoch: int | None, now_ms: int) -> str | None:
        """Why an order may not leave, or None. What was true at admission may be so no more; exits pass no limit."""
        if not self._tracker.queued(order.cloid):
            return "no longer wanted"
        if order.coin not in self._asset_ids:
            return "no market specification"
        if order.reduce_only:
            return None
        if self._latch.tripped:
            return "HardStop"
        if self._exits.no_entries(order.coin, now_ms):
            return "the market is being left"
        if epoch is None or epoch != order.epoch:
            return "approved in another READY epoch"
        if self._few:
            return _FEW_MESSAGES
        # A quote's own part has looked at its market in this very round.
        return self._quotes.refuses(order) if order.level is not None else self._stale(order.coin, now_ms)

    def _note_messages(self, now_ms: int) -> int:
        """How many messages are left; once it is those for exits, entries are refused, and READY says so."""
        left = self._sender.messages_left(now_ms)
        few = left <= KEPT_MESSAGES
        if few is not self._few:
            self._few = few
            self._readiness.reduce("messages", _FEW_MESSAGES if few else "")
        return left

    def _dispatch(self, batch: ActionBatch, now_ms: int, generation: int) -> None:
        """Nonce, signature, intent, send."""
        wall_ms = self._clock.wall_ms()
        expires = self._expiry(batch)
        try:
            nonce = self._nonces.next(self._exchange_ms())
            action = self._action(batch)
            signature = sign_l1_action(
                self._identity.key, action, nonce, vault_address=self._identity.vault,
                expires_after=expires, mainnet=self._identity.mainnet,
            )  # fmt: skip
        except (SigningError, NonceError, KeyError) as error:
            if isinstance(error, NonceError):
                self._orders_in.doubt_clock()
            self._give_up(batch, f"cannot be signed: {error}", now_ms)
            return
        new_risk = isinstance(batch, OrderBatch) and not batch.reduce_only
        if self._latch.tripped and new_risk:
            self._give_up(batch, "HardStop", now_ms)  # it tripped while we signed
            return
        if not self._record(batch, nonce, expires, wall_ms, now_ms):
            return
        body = signed_body(action, nonce, signature, self._identity.vault, expires)
        self._send(batch, body, nonce, expires, generation, now_ms + HELD_UP_MS if new_risk else None)

    def _record(self, batch: ActionBatch, nonce: int, expires: int | None, wall_ms: int, now_ms: int) -> bool:
        """Make the intent durable; False: it is not, and the batch takes new risk, so it is over."""
        began_us = self._clock.mono_us()
        try:
            if isinstance(batch, OrderBatch):
                self._intents.orders(batch, nonce, expires, wall_ms)
            else:
                self._intents.cancels(nonce, wall_ms)
        except JournalError as error:
            self._readiness.hold("intents", str(error))
            if isinstance(batch, OrderBatch) and not batch.reduce_only:
                self._give_up(batch, str(error), now_ms)
                return False
        else:
            # Each time: the hold is by name, and ends with the next record that is durable, or the journal's word.
            self._readiness.hold("intents", "")
        self.durable.observe(self._clock.mono_us() - began_us)
        return True

    def _expiry(self, batch: ActionBatch) -> int | None:
        """Orders expire, exits included; cancels never do: a late cancel is still wanted."""
        if isinstance(batch, CancelBatch) or self._expires_after_ms == 0:
            return None
        least = EXIT_LASTS_MS if batch.reduce_only else 0
        return self._latest_ms() + max(self._expires_after_ms, least)

    def _action(self, batch: ActionBatch) -> dict[str, Any]:
        """The unsigned action; KeyError for a coin without an asset id."""
        if isinstance(batch, CancelBatch):
            return cancel_action(batch.cancels, self._asset_ids)
        action = modify_action if batch.moves else order_action
        return action(batch.orders, self._asset_ids)

    def _send(
        self,
        batch: ActionBatch,
        body: dict[str, Any],
        nonce: int,
        expires: int | None,
        generation: int,
        by_ms: int | None,
    ) -> None:
        """Mark, register, send; and undo just that where not one byte left. Reply or disconnect may come at any line.

        The frame leaves on the connection of `generation` or not at all: on a later one its orders may be proved dead.
        After `by_ms` (monotonic) it does not leave either.
        """
        now_ms = self._clock.mono_ms()  # the round may have been held up since it began
        post_id = self._posts.next_id()
        post = Post(
            post_id=post_id, batch=batch, nonce=nonce, generation=generation,
            sent_ms=now_ms, sent_us=self._clock.mono_us(),
        )  # fmt: skip
        if isinstance(batch, OrderBatch):
            for order in batch.orders:
                if order.reduce_only:
                    self._exits.leaving(order)  # before it is sent in the books: until then the next one waits
                self._tracker.mark_sent(
                    order.cloid, nonce=nonce, expires_ms=expires, generation=post.generation, mono_ms=now_ms
                )
        # After the orders are marked: a disconnect that takes the post must find them sent, to make them unknown.
        self._posts.register(post)
        self._address.spend(_items(batch))
        if generation == HTTP_GENERATION:
            self._http(post, body)  # its answer comes by `OrdersIn.send_by_http`
            self._left(post)
            self._note_sent(post)
            return
        result = self._sender.send(post_frame(post_id, body), generation, by_ms)
        self._left(post)
        if result.outcome is SendOutcome.SENT:
            self._note_sent(post)
        elif result.outcome is SendOutcome.NOT_SENT:
            self._address.spend(-_items(batch))
            if self._posts.withdraw(post_id):  # else a disconnect took it, and its orders are UNKNOWN
                self._return(batch, result.detail, now_ms)
        elif self._posts.complete(post_id) is not None:  # else the disconnect that a broken send causes was quicker
            self._orders_in.on_post_lost(post, f"the send broke: {result.detail}", now_ms)

    def _left(self, post: Post) -> None:
        """The socket has taken it, or will not. That may have lasted: reply and attempt have their time from now."""
        now_ms = self._clock.mono_ms()
        self._posts.left(post.post_id, now_ms)
        if isinstance(post.batch, OrderBatch) and post.batch.reduce_only:
            for order in post.batch.orders:
                self._exits.left(order, now_ms, by_http=post.generation == HTTP_GENERATION)

    def _note_sent(self, post: Post) -> None:
        """Count and write down what left; its reply may have been written down before."""
        if isinstance(post.batch, OrderBatch):
            self.sent_orders += len(post.batch.orders)
            for order in post.batch.orders:
                self._journal.record("sent", order=order, post=post)
        else:
            self._journal.record("sent_cancels", cancels=post.batch.cancels, post=post)

    def _return(self, batch: ActionBatch, why: str, now_ms: int, *, again: bool = True) -> None:
        """Not sent: exits and cancels go back to the front, entries are over. Exits not, where `again` is False: the
        next is priced anew."""
        if isinstance(batch, CancelBatch):
            left = tuple(msgspec.structs.replace(c, tries=c.tries + 1) for c in batch.cancels if c.tries < MAX_TRIES)
            if left:
                self._scheduler.put_back(CancelBatch(left))
            return
        keep = []
        for order in batch.orders:
            self._tracker.unsent(order.cloid)
            if again and order.reduce_only and order.tries < MAX_TRIES:
                keep.append(msgspec.structs.replace(order, tries=order.tries + 1))
            else:
                self._consequences.dispatch(self._tracker.drop(order.cloid, why), now_ms)
        if keep:
            self._scheduler.put_back(OrderBatch(tuple(keep)))

    def _give_up(self, batch: ActionBatch, why: str, now_ms: int) -> None:
        """Nothing of it was sent and nothing will be."""
        if isinstance(batch, OrderBatch):
            for order in batch.orders:
                self._consequences.dispatch(self._tracker.drop(order.cloid, why), now_ms)
        else:
            self._return(batch, why, now_ms)
        self._journal.record("fault", what=why)


def _items(batch: ActionBatch) -> int:
    """What a batch costs of the address budget."""
    return len(batch.orders) if isinstance(batch, OrderBatch) else len(batch.cancels)
