"""What the rooms of execution ask of each other, so that none needs the one above it."""

from collections.abc import Iterable
from typing import Protocol

from hip3.core.events import BboUpdate, Fill, OrderUpdate
from hip3.core.ledger import TrackerEvent
from hip3.core.orders import PendingOrder, Post


class Consequences(Protocol):
    """`execution.consequences`: whoever changed the books tells what happened in them."""

    def dispatch(self, events: Iterable[TrackerEvent], now_ms: int) -> None: ...


class OrdersIn(Protocol):
    """`execution.orders_in`: what is heard of orders by other ways than the socket."""

    def on_post_lost(self, post: Post, why: str, now_ms: int) -> None: ...
    def on_order_updates(self, items: Iterable[OrderUpdate], now_ms: int, *, reading: bool = False) -> None: ...
    def on_fills(self, fills: Iterable[Fill], now_ms: int) -> None: ...


class MarketIn(Protocol):
    """`execution.market_in`: a book that was read over HTTP."""

    def on_book_read(self, update: BboUpdate, now_ms: int, generation: int) -> None: ...


class Exits(Protocol):
    """`execution.exits.exiting`, as the tick sees it."""

    def check(self, generation: int, now_ms: int) -> None: ...
    def no_entries(self, coin: str, now_ms: int) -> bool: ...
    def sent(self, order: PendingOrder, now_ms: int) -> None: ...


class Stops(Protocol):
    """`execution.exits.protector`, as the tick sees it."""

    def step(self, now_ms: int) -> None: ...
