"""TradeFlow: where messages meet. Every frame of the connection comes in here and goes to who it is for.

Implements `exchange.connection.Inbound`: market data to `MarketIn`, what is about our orders to `OrdersIn`. No lock
of its own. Called from: ws-reader, in the order in which frames arrive.

READY goes by acknowledgements, not by data: orderUpdates says nothing to an account without orders
(docs/venue-facts.md F14).
"""

from collections import Counter
from collections.abc import Callable

from hip3.core.events import (
    BboUpdate,
    CtxUpdate,
    ErrorFrame,
    Event,
    Ignored,
    Malformed,
    OrderUpdates,
    PostReply,
    SubscriptionAck,
    UserFills,
    UserFundings,
)
from hip3.core.ports import Clock, Journal
from hip3.exchange.protocol import Session
from hip3.execution.account_view import AccountView
from hip3.execution.link import Link
from hip3.execution.market_in import MarketIn
from hip3.execution.orders_in import OrdersIn
from hip3.execution.readiness import Readiness
from hip3.execution.truth.streams import StreamWatch

QUIET_MS = 5000
"""After so long without any frame the account is read again: contexts come about once a second
(docs/venue-facts.md F15), so more than they may have been lost."""


EARLY_MS = 3000
"""A connection that ends so soon after its beginning was ended for what was asked on it."""
MOST_EARLY = 2


class TradeFlow:
    """See the module. `listed()`: the configured markets that the exchange lists; each must speak before READY.
    `wake_rest()` begins the rest thread's next round; in it `doubt_markets()` has read what the exchange lists."""

    def __init__(
        self,
        *,
        clock: Clock,
        listed: Callable[[], list[str]],
        link: Link,
        view: AccountView,
        market_in: MarketIn,
        orders_in: OrdersIn,
        readiness: Readiness,
        streams: StreamWatch,
        journal: Journal,
        wake_rest: Callable[[], None],
        doubt_markets: Callable[[], None],
    ) -> None:
        self._early = 0
        self._doubt_markets = doubt_markets
        self._clock = clock
        self._listed = listed
        self._link = link
        self._view = view
        self._market = market_in
        self._orders = orders_in
        self._readiness = readiness
        self._streams = streams
        self._journal = journal
        self._wake_rest = wake_rest
        self.counts: Counter[str] = Counter()
        """How often: `error_frames`, `ignored:KIND` (frames we do not use), `malformed:KIND` (what could not be read).

        Written by the ws-reader alone, over all connections of the run."""

    def on_connected(self, session: Session) -> None:
        """A new epoch begins. Nothing is sent on the connection before this returns."""
        link = self._link
        # The generation first: a reading of the account that is under way must be known to belong to the one before.
        link.generation = session.generation
        link.connected_ms = link.last_event_ms = self._readiness.heard_ms = self._clock.mono_ms()
        self._market.on_connected()
        self._readiness.connected(session.generation, self._listed(), link.connected_ms)
        self._streams.connected(link.connected_ms)
        self._journal.record("connected", generation=session.generation)

    def on_disconnected(self, generation: int, reason: str) -> None:
        """The epoch is over: posts in flight are unknown, queued entries die, the rest lives on.

        Also told of an attempt that failed, by a generation that never was connected; then nothing is left to end.
        """
        now_ms = self._clock.mono_ms()
        self._early = self._early + 1 if now_ms - self._link.connected_ms < EARLY_MS else 0
        if self._early >= MOST_EARLY:
            self._doubt_markets()  # it may be a coin that is gone: a subscription to it ends them all
        self._readiness.disconnected(reason)
        self._streams.disconnected(now_ms)
        self._journal.record("disconnected", generation=generation, reason=reason)
        self._orders.on_connection_lost(generation, now_ms)

    def ready_for_ms(self, now_ms: int) -> int:
        """How long READY has lasted, in milliseconds (see `Readiness`). After 10 s the back-off begins anew."""
        return self._readiness.ready_for_ms(now_ms)

    def on_event(self, session: Session, event: Event, now_ms: int) -> None:
        """One frame that arrived at `now_ms`, of any kind: each is a sign of life.

        Raises nothing, whatever the exchange sends: a frame or an item that cannot be read is counted, and the first
        of its kind goes to the journal. One whose content breaks our own code is counted like that, the account is
        doubted if it was about that, and the next frame is handled: one number must not end the thread that leaves
        positions.
        """
        if now_ms - self._link.last_event_ms > QUIET_MS:
            self._view.doubt()  # what was said meanwhile may be lost, and no stream says it again
        self._link.last_event_ms = self._readiness.heard_ms = now_ms
        try:
            self._handle(session, event, now_ms)
        except Exception as error:  # noqa: BLE001 see above
            kind = f"failed:{type(event).__name__}"
            self.counts[kind] += 1
            if self.counts[kind] == 1:
                self._journal.record("event_failed", event=type(event).__name__, why=f"{type(error).__name__}: {error}")
            if not isinstance(event, BboUpdate | CtxUpdate):  # which say nothing of the account
                self._view.doubt()

    def _handle(self, session: Session, event: Event, now_ms: int) -> None:
        if isinstance(event, BboUpdate):
            self._market.on_bbo(session, event, now_ms)
        elif isinstance(event, CtxUpdate):
            self._market.on_ctx(session, event, now_ms)
        elif isinstance(event, PostReply):
            self._orders.on_reply(event, now_ms)
        elif isinstance(event, OrderUpdates):
            self._link.private_ms["orderUpdates"] = now_ms
            self._count_malformed("orderUpdates", event.malformed)
            self._orders.on_order_updates(event.items, now_ms)
        elif isinstance(event, UserFills):
            self._link.private_ms["userFills"] = now_ms
            self._count_malformed("userFills", event.malformed)
            self._streams.fills_told()
            self._orders.on_fills(event.fills, now_ms)
        elif isinstance(event, UserFundings):
            self._link.private_ms["userFundings"] = now_ms
            self._count_malformed("userFundings", event.malformed)
            self._orders.on_fundings(event.items, now_ms)
        else:
            self._on_other(session, event, now_ms)

    def _on_other(self, session: Session, event: Event, now_ms: int) -> None:
        if isinstance(event, SubscriptionAck):
            if session.subscriptions.account_told and self._link.told_generation != session.generation:
                self._link.told_ms, self._link.told_generation = now_ms, session.generation
                self._wake_rest()
            # Also at each further acknowledgement of a complete set: saying it again changes nothing.
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
