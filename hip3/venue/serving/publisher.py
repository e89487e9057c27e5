"""What the exchange says by itself: events at once, touches when they change, the rest by its cadence. Pure.

bbo only when the touch changed; activeAssetCtx and mids once a second; l2Book every 5.4 s with 20 levels, with
`fast` every 540 ms with 5 (docs/venue-facts.md F15). Frames are made only for what somebody listens to.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hip3.venue.answers import streams
from hip3.venue.answers.state_streams import STATES, comparable, state_frame
from hip3.venue.answers.user_streams import user_frames
from hip3.venue.books.candles import Candles
from hip3.venue.engine.model import Event, TradeEvent
from hip3.venue.serving.output import Output, WsText

if TYPE_CHECKING:
    from hip3.venue.venue import Venue

CTX_MS = 1000
BOOK_MS = 5400
FAST_BOOK_MS = 540
MIDS_MS = 1000
STATE_MS = 1000


class Publisher:
    """Turns the engine's changes and the clock into frames. Confined to the venue's thread."""

    def __init__(self, venue: "Venue", now_ms: int, out: list[Output]) -> None:
        self._venue, self._out = venue, out
        self._bbo: dict[str, Any] = {}
        self._ctx_due = {coin: now_ms + i * 37 % CTX_MS for i, coin in enumerate(venue.engine.markets)}
        self._next_ctx = now_ms
        self._next_book = now_ms + BOOK_MS
        self._next_fast = now_ms + FAST_BOOK_MS
        self._next_mids = now_ms + MIDS_MS
        self._next_states = now_ms + STATE_MS
        self._states: dict[str, str] = {}
        self.candles = {c: Candles(c, m.last_px, now_ms) for c, m in venue.engine.markets.items()}
        self._next_minute = now_ms - now_ms % 60_000 + 60_000

    def _send(self, key: str, make: Callable[[], str]) -> None:
        hub = self._venue.hub
        if hub.heard(key):
            text = make()
            self._out.extend(WsText(conn, text) for conn in hub.listeners(key))

    def remember(self, key: str, subscription: dict[str, Any]) -> None:
        """A state was just sent to a new listener: it is not news until it changes."""
        self._states[key] = comparable(self._venue, subscription)

    # What happened.

    def publish(self, now_ms: int) -> None:
        """Tell users what happened to them, and everybody what the touches are now."""
        engine = self._venue.engine
        if engine.events:
            events, engine.events = engine.events, []
            for key, text in user_frames(events, self._venue.hub.heard):
                self._send(key, lambda t=text: t)  # type: ignore[misc]
            self._follow(events, now_ms)
        touched, engine.touched = engine.touched, set()
        for coin in sorted(touched):
            if self._venue.hub.heard(f"bbo:{coin}"):
                book = engine.markets[coin].book
                touch = (book.touch(is_buy=True), book.touch(is_buy=False))
                if self._bbo.get(coin) != touch:
                    self._bbo[coin] = touch
                    self._send(f"bbo:{coin}", lambda c=coin: streams.bbo_frame(self._venue, c, now_ms))  # type: ignore[misc]

    def _follow(self, events: list[Event], now_ms: int) -> None:
        """Candles of what was traded, states of the users concerned."""
        traded: dict[str, None] = {}
        users: dict[str, None] = {}
        for event in events:
            if isinstance(event, TradeEvent):
                self.candles[event.coin].trade(event.px, event.sz, event.trade["time"])
                traded[event.coin] = None
            else:
                users[event.user] = None
        hub = self._venue.hub
        if not hub.subscriptions:
            return
        for key, subscription in list(hub.subscriptions.items()):
            kind = subscription["type"]
            if kind == "candle" and subscription["coin"] in traded:
                self._send(key, lambda s=subscription: self._candle(s))  # type: ignore[misc]
            elif STATES.get(kind) and str(subscription["user"]).lower() in users:
                self._state(key, subscription, now_ms)

    def _candle(self, subscription: dict[str, Any]) -> str:
        candles = self.candles[subscription["coin"]]
        return streams.text_of({"channel": "candle", "data": candles.current(subscription["interval"])})

    def _state(self, key: str, subscription: dict[str, Any], now_ms: int) -> None:
        seen = comparable(self._venue, subscription)
        if self._states.get(key) != seen:
            self._states[key] = seen
            self._send(key, lambda: state_frame(self._venue, subscription, now_ms))

    # What is due.

    def tick(self, now_ms: int) -> None:
        """Everything that goes by the clock."""
        venue = self._venue
        if self._next_ctx <= now_ms:
            for coin, due in self._ctx_due.items():
                if due <= now_ms:
                    self._ctx_due[coin] = now_ms + CTX_MS
                    self._send(f"activeAssetCtx:{coin}", lambda c=coin: streams.ctx_frame(venue, c))  # type: ignore[misc]
            self._next_ctx = min(self._ctx_due.values())
        if self._next_book <= now_ms:
            self._next_book = now_ms + BOOK_MS
            self._books(now_ms, fast=False)
        if self._next_fast <= now_ms:
            self._next_fast = now_ms + FAST_BOOK_MS
            self._books(now_ms, fast=True)
        if self._next_mids <= now_ms:
            self._next_mids = now_ms + MIDS_MS
            for dex in ("", *(d.name for d in venue.dexs)):
                self._send(f"allMids:{dex}" if dex else "allMids", lambda d=dex: streams.mids_frame(venue, d))  # type: ignore[misc]
        if self._next_states <= now_ms:
            self._next_states = now_ms + STATE_MS
            for key, subscription in list(venue.hub.subscriptions.items()):
                if subscription["type"] in STATES:
                    self._state(key, subscription, now_ms)
        if self._next_minute <= now_ms:
            self._minute(now_ms)

    def _books(self, now_ms: int, *, fast: bool) -> None:
        for key, subscription in list(self._venue.hub.subscriptions.items()):
            coin = subscription.get("coin")
            if coin in self.candles and subscription["type"] == "l2Book" and bool(subscription.get("fast")) is fast:
                self._send(key, lambda s=subscription: streams.book_frame(self._venue, s, now_ms))  # type: ignore[misc]

    def _minute(self, now_ms: int) -> None:
        self._next_minute = now_ms - now_ms % 60_000 + 60_000
        for candles in self.candles.values():
            candles.advance(now_ms)
        for key, subscription in list(self._venue.hub.subscriptions.items()):
            if subscription["type"] == "candle" and subscription["coin"] in self.candles:
                self._send(key, lambda s=subscription: self._candle(s))  # type: ignore[misc]
