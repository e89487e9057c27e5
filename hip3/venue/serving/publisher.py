"""What the exchange says by itself: events at once, touches when they change, the rest by its cadence. Pure.

bbo only when the touch changed; contexts, mids and l2Book by the cadences of `setup.parameters`, as measured unless a
configuration slows them down (docs/venue-facts.md F15). Frames are made only for what somebody listens to.
"""

from collections.abc import Callable
from typing import Any

from hip3.venue.answers import streams
from hip3.venue.answers.state_streams import STATES, comparable, state_frame
from hip3.venue.answers.user_streams import user_frames
from hip3.venue.books.books import Books
from hip3.venue.engine.model import Event, TradeEvent
from hip3.venue.serving.hub import Hub
from hip3.venue.serving.output import Output, WsText

STATE_MS = 1000
SLOW = frozenset({"allDexsAssetCtxs", "assetCtxs"})
"""States of whole dexs, which have a cadence of their own."""


class Publisher:
    """Turns the engine's changes and the clock into frames. Confined to the venue's thread."""

    def __init__(self, books: Books, hub: Hub, now_ms: int, out: list[Output]) -> None:
        self._books, self._hub, self._out = books, hub, out
        self._every = books.engine.parameters
        self._bbo: dict[str, Any] = {}
        ctx_ms = self._every.contexts_ms
        self._ctx_due = {coin: now_ms + i * 37 % ctx_ms for i, coin in enumerate(books.engine.markets)}
        self._next_ctx = now_ms
        self._next_book = now_ms + self._every.books_ms
        self._next_fast = now_ms + self._every.fast_books_ms
        self._next_mids = now_ms + self._every.mids_ms
        self._next_states = now_ms + STATE_MS
        self._next_slow = now_ms + self._every.all_contexts_ms
        self._next_minute = now_ms - now_ms % 60_000 + 60_000

    def _send(self, key: str, make: Callable[[], str]) -> None:
        hub = self._hub
        if hub.heard(key):
            text = make()
            self._out.extend(WsText(conn, text) for conn in hub.listeners(key))

    # What happened.

    def begin_touch(self, coin: object) -> None:
        """Somebody begins to listen, and is shown the touch as it is. What it was when somebody listened last says
        nothing: a touch that goes back to that would be no change."""
        market = self._books.engine.markets.get(coin) if isinstance(coin, str) else None
        if market is not None and not self._hub.heard(f"bbo:{coin}"):
            self._bbo[market.info.coin] = (market.book.touch(is_buy=True), market.book.touch(is_buy=False))

    def publish(self, now_ms: int) -> None:
        """Tell users what happened to them, and everybody what the touches are now."""
        engine = self._books.engine
        if engine.events:
            events, engine.events = engine.events, []
            for key, text in user_frames(events, self._hub.heard):
                self._send(key, lambda t=text: t)  # type: ignore[misc]
            self._follow(events, now_ms)
        touched, engine.touched = engine.touched, set()
        for coin in sorted(touched):
            if self._hub.heard(f"bbo:{coin}"):
                book = engine.markets[coin].book
                touch = (book.touch(is_buy=True), book.touch(is_buy=False))
                if self._bbo.get(coin) != touch:
                    self._bbo[coin] = touch
                    self._send(f"bbo:{coin}", lambda c=coin: streams.bbo_frame(self._books, c, now_ms))  # type: ignore[misc]

    def _follow(self, events: list[Event], now_ms: int) -> None:
        """Candles of what was traded, states of the users concerned."""
        traded: dict[str, None] = {}
        users: dict[str, None] = {}
        for event in events:
            if isinstance(event, TradeEvent):
                self._books.candles[event.coin].trade(event.px, event.sz, event.trade["time"])
                traded[event.coin] = None
            else:
                users[event.user] = None
        hub = self._hub
        if not hub.subscriptions:
            return
        for key, subscription in list(hub.subscriptions.items()):
            kind = subscription["type"]
            if kind == "candle" and subscription["coin"] in traded:
                self._send(key, lambda s=subscription: self._candle(s))  # type: ignore[misc]
            elif STATES.get(kind) and str(subscription["user"]).lower() in users:
                self._state(key, subscription, now_ms)

    def _candle(self, subscription: dict[str, Any]) -> str:
        candles = self._books.candles[subscription["coin"]]
        return streams.text_of({"channel": "candle", "data": candles.current(subscription["interval"])})

    def _state(self, key: str, subscription: dict[str, Any], now_ms: int) -> None:
        seen = comparable(self._books, subscription)
        if self._hub.told.get(key) != seen:
            self._hub.told[key] = seen
            self._send(key, lambda: state_frame(self._books, subscription, now_ms))

    # What is due.

    def tick(self, now_ms: int) -> None:
        """Everything that goes by the clock."""
        books, every = self._books, self._every
        if self._next_ctx <= now_ms:
            for coin, due in self._ctx_due.items():
                if due <= now_ms:
                    self._ctx_due[coin] = now_ms + every.contexts_ms
                    self._send(f"activeAssetCtx:{coin}", lambda c=coin: streams.ctx_frame(books, c))  # type: ignore[misc]
            self._next_ctx = min(self._ctx_due.values())
        if self._next_book <= now_ms:
            self._next_book = now_ms + every.books_ms
            self._order_books(now_ms, fast=False)
        if self._next_fast <= now_ms:
            self._next_fast = now_ms + every.fast_books_ms
            self._order_books(now_ms, fast=True)
        if self._next_mids <= now_ms:
            self._next_mids = now_ms + every.mids_ms
            for dex in ("", *(d.name for d in books.dexs)):
                self._send(f"allMids:{dex}" if dex else "allMids", lambda d=dex: streams.mids_frame(books, d))  # type: ignore[misc]
        if self._next_states <= now_ms:
            self._next_states = now_ms + STATE_MS
            self._states(now_ms, slow=False)
        if self._next_slow <= now_ms:
            self._next_slow = now_ms + every.all_contexts_ms
            self._states(now_ms, slow=True)
        if self._next_minute <= now_ms:
            self._minute(now_ms)

    def _states(self, now_ms: int, *, slow: bool) -> None:
        for key, subscription in list(self._hub.subscriptions.items()):
            kind = subscription["type"]
            if kind in STATES and (kind in SLOW) is slow:
                self._state(key, subscription, now_ms)

    def _order_books(self, now_ms: int, *, fast: bool) -> None:
        for key, subscription in list(self._hub.subscriptions.items()):
            coin = subscription.get("coin")
            if (
                coin in self._books.candles
                and subscription["type"] == "l2Book"
                and bool(subscription.get("fast")) is fast
            ):
                self._send(key, lambda s=subscription: streams.book_frame(self._books, s, now_ms))  # type: ignore[misc]

    def _minute(self, now_ms: int) -> None:
        self._next_minute = now_ms - now_ms % 60_000 + 60_000
        for candles in self._books.candles.values():
            candles.advance(now_ms)
        for key, subscription in list(self._hub.subscriptions.items()):
            if subscription["type"] == "candle" and subscription["coin"] in self._books.candles:
                self._send(key, lambda s=subscription: self._candle(s))  # type: ignore[misc]
