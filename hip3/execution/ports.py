"""What the rooms of execution ask of each other, so that none needs the one above it.

Each says who implements it; thread and locks are told there. Tests put fakes here.
"""

from collections.abc import Iterable
from typing import Protocol

from hip3.core.events import BboUpdate, Fill, OrderUpdate
from hip3.core.ledger import OrderChanged, TrackerEvent
from hip3.core.market import MarketView
from hip3.core.orders import PendingOrder, Post


class Consequences(Protocol):
    """`execution.consequences`: whoever changed the books tells what happened in them."""

    def dispatch(self, events: Iterable[TrackerEvent], now_ms: int) -> None:
        """Tell what a call of the tracker returned: once, after it, and with no lock held."""
        ...


class OrdersIn(Protocol):
    """`execution.orders_in`: what is heard of orders by other ways than the socket."""

    def on_post_lost(self, post: Post, why: str, now_ms: int) -> None:
        """A post will not be answered any more; the caller has ended it in `PostRequestManager`."""
        ...

    def doubt_clock(self) -> None:
        """Have the exchange's time read at once."""
        ...

    def on_order_updates(self, items: Iterable[OrderUpdate], now_ms: int, *, reading: bool = False) -> None:
        """States of orders, also old ones. `reading`: a list of what is open, in which a stranger is no news."""
        ...

    def on_fills(self, fills: Iterable[Fill], now_ms: int) -> None:
        """Fills in any order, known ones among them."""
        ...

    def reading_begins(self) -> None:
        """The account is about to be read: what the stream tells of others' orders from now on is newer."""
        ...

    def reading_ends(self) -> None:
        """The reading is in the books; now what the stream told meanwhile."""
        ...


class MarketIn(Protocol):
    """`execution.market_in`: a book that was read over HTTP."""

    def on_book_read(self, update: BboUpdate, now_ms: int, generation: int) -> None:
        """The touch of a market, read in the epoch of `generation`; a frame of that epoch is newer and wins."""
        ...


class Exits(Protocol):
    """`execution.exits.exiting`, as the tick sees it."""

    def check(self, generation: int, now_ms: int) -> None:
        """Look at every position; market data of another generation are old."""
        ...

    def no_entries(self, coin: str, now_ms: int) -> bool:
        """Whether a market takes no entries now, because it is being left or was closed by hand."""
        ...

    def leaving(self, order: PendingOrder) -> None:
        """A reduce-only order is about to leave."""
        ...

    def left(self, order: PendingOrder, now_ms: int, *, by_http: bool) -> None:
        """It left, or could not; the time of its attempt runs from here."""
        ...


class Quotes(Protocol):
    """`execution.quotes.quoter`, as the tick and those who hear of orders see it."""

    def flee(self, now_ms: int) -> bool:
        """Cancel what an oracle has run over; whether anything was. The tick, before all else."""
        ...

    def step(self, now_ms: int) -> None:
        """Look at every quoted market whose data, orders or time ask for it. The tick."""
        ...

    def refuses(self, order: PendingOrder) -> str | None:
        """Why a quote must not leave now, though it was queued. The tick."""
        ...

    def tell(self, event: TrackerEvent) -> None:
        """Something happened to an order or a position. Any thread; costs nothing where it is no quoted market's."""
        ...

    def counts(self, event: OrderChanged) -> bool:
        """Whether a change of an order counts toward the HardStop. Any thread."""
        ...

    def quoted(self, coin: str) -> bool:
        """Whether a market is quoted. Any thread."""
        ...

    def moved(self, view: MarketView) -> None:
        """A market spoke. The ws-reader, on the hot path: one look-up where it is not quoted."""
        ...


class Stops(Protocol):
    """`execution.exits.protector`, as the tick sees it."""

    def step(self, now_ms: int) -> None:
        """Place, move or cancel the stops that stand on the exchange, as the positions ask for."""
        ...
