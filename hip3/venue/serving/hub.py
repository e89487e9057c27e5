"""Who listens to which stream. Pure: subscriptions in, frames out.

Acknowledgement, then data. A coin that is not listed closes the whole socket without a word; an
unknown type or a missing field gets an error frame (docs/venue-facts.md F9).
"""

import json
import re
from collections.abc import Callable
from typing import Any

from hip3.exchange.subscriptions import key_of
from hip3.venue.answers import spot
from hip3.venue.answers.info_market import legal_aggregation
from hip3.venue.answers.state_streams import STATES, comparable, state_frame
from hip3.venue.answers.streams import bad_request, error_frame, first_frames, text_of
from hip3.venue.books.books import Books
from hip3.venue.books.candles import INTERVALS
from hip3.venue.serving.limits import MAX_SUBSCRIPTIONS, Limits
from hip3.venue.setup.parameters import Parameters

COIN_STREAMS = frozenset({"bbo", "l2Book", "trades", "activeAssetCtx", "candle", "activeAssetData"})
USER_STREAMS = frozenset(
    {
        "orderUpdates", "userFills", "userEvents", "userFundings", "userNonFundingLedgerUpdates",
        "userTwapSliceFills", "userTwapHistory", "notification", "userHistoricalOrders",
    }
)  # fmt: skip
OTHER_STREAMS = frozenset({"allMids"})
_EXTRAS = ("nSigFigs", "mantissa", "fast", "aggregateByTime")


def stream_key(subscription: dict[str, Any]) -> str:
    """Identity of a subscription; what changes its data is part of it. A `dex` of "" is the main one, as without."""
    key = key_of(subscription if subscription.get("dex") else {k: v for k, v in subscription.items() if k != "dex"})
    for name in _EXTRAS:
        value = subscription.get(name)
        if value is not None and value is not False:
            key += f":{name}={value}"
    return key


def _shown(subscription: dict[str, Any]) -> str:
    return json.dumps(subscription, separators=(",", ":"))


TOO_MANY_USERS = "Cannot track more than 15 total users."
"""The exchange's own words, one more than it takes."""


class Hub:
    """Sockets and their subscriptions. Confined to the venue's thread."""

    def __init__(self, books: Books, limits: Limits) -> None:
        self._books, self._limits, self._max_users = books, limits, books.engine.parameters.ws_users
        self._by_key: dict[str, set[int]] = {}
        self._by_conn: dict[int, dict[str, dict[str, Any]]] = {}
        self.subscriptions: dict[str, dict[str, Any]] = {}
        """key -> one of the subscriptions that have it, while anybody listens."""
        self.told: dict[str, str] = {}
        """key -> the state that its listeners were last told: it is not news until it changes."""
        self.elsewhere: Callable[[str, dict[str, Any]], list[str] | str | None] = lambda key, subscription: None
        """The first frames of a stream that is not made here but comes from elsewhere, or why it does not come; None:
        it is made here."""
        self.outside: dict[str, dict[str, Any]] = {}
        """Those that somebody listens to: key -> subscription."""

    @property
    def sockets(self) -> list[int]:
        """All open sockets."""
        return sorted(self._by_conn)

    def connect(self, conn: int) -> None:
        """A socket opened."""
        self._by_conn[conn] = {}

    def disconnect(self, conn: int) -> None:
        """A socket is gone."""
        for key in self._by_conn.pop(conn, {}):
            self._drop(conn, key)

    def _drop(self, conn: int, key: str) -> None:
        listeners = self._by_key.get(key)
        if listeners is not None:
            listeners.discard(conn)
            if not listeners:
                del self._by_key[key], self.subscriptions[key]
                self.outside.pop(key, None)

    def listeners(self, key: str) -> list[int]:
        """The sockets subscribed to `key`, which may be none."""
        return sorted(self._by_key.get(key, ()))

    def heard(self, key: str) -> bool:
        """Whether anybody listens to what is made here: frames nobody hears are not made."""
        return key in self._by_key and key not in self.outside

    def subscribe(self, conn: int, subscription: dict[str, Any], now_ms: int) -> list[str] | None:
        """Frames to answer with; None: close the socket."""
        kind = subscription.get("type")
        fault = _fault(subscription, self._books.engine.parameters)
        if fault is not None:
            return [fault]
        if kind == "l2Book" and not legal_aggregation(subscription):
            return None  # as for a market that is not listed (docs/venue-facts.md F31)
        if kind in COIN_STREAMS and not _listed(self._books, kind, subscription["coin"]):
            return None
        key, own = stream_key(subscription), self._by_conn[conn]
        if key in own:
            return [error_frame(f"Already subscribed: {_shown(subscription)}")]
        full = self._full(conn, subscription)
        if full is not None:
            return [error_frame(full)]
        first = self.elsewhere(key, subscription)
        if isinstance(first, str):
            return [error_frame(first)]
        own[key] = subscription
        self._by_key.setdefault(key, set()).add(conn)
        self.subscriptions.setdefault(key, subscription)
        echoed = ({"nSigFigs": None, "mantissa": None} | subscription) if kind == "l2Book" else subscription
        ack = {"channel": "subscriptionResponse", "data": {"method": "subscribe", "subscription": echoed}}
        if first is not None:
            self.outside[key] = subscription
            return [text_of(ack), *first]
        if kind in STATES:
            self.told[key] = comparable(self._books, subscription)
            return [text_of(ack), state_frame(self._books, subscription, now_ms)]
        return [text_of(ack), *first_frames(self._books, subscription, now_ms)]

    def _full(self, conn: int, subscription: dict[str, Any]) -> str | None:
        """What the IP's limits say to one subscription more."""
        mine = [s for c in self._limits.together(conn) for s in self._by_conn.get(c, {}).values()]
        if len(mine) >= MAX_SUBSCRIPTIONS and self._limits.address_of(conn):
            return "Cannot subscribe to more than 1000 channels."
        user = subscription.get("user")
        if isinstance(user, str):
            users = {str(s["user"]).lower() for s in mine if "user" in s}
            if user.lower() not in users and len(users) >= self._max_users:
                return TOO_MANY_USERS
        return None

    def unsubscribe(self, conn: int, subscription: dict[str, Any]) -> list[str]:
        """Frames to answer with."""
        key = stream_key(subscription)
        if self._by_conn[conn].pop(key, None) is None:
            return [error_frame(f"Already unsubscribed: {_shown(subscription)}")]
        self._drop(conn, key)
        data = {"method": "unsubscribe", "subscription": subscription}
        return [text_of({"channel": "subscriptionResponse", "data": data})]


def _listed(books: Books, kind: Any, coin: str) -> bool:
    return coin in books.engine.markets or (coin in spot.COINS and kind != "activeAssetData")


def _address(user: Any) -> bool:
    return isinstance(user, str) and re.fullmatch("0x[0-9a-fA-F]{40}", user) is not None


def _fault(subscription: dict[str, Any], parameters: Parameters) -> str | None:
    """The error frame of a subscription that cannot be, or None."""
    kind = subscription.get("type")
    known = kind in COIN_STREAMS or kind in USER_STREAMS or kind in STATES or kind in OTHER_STREAMS
    known = known and (kind != "webData2" or parameters.web_data_2)
    coin, user, dex = subscription.get("coin"), subscription.get("user"), subscription.get("dex")
    needs_user = (
        kind in USER_STREAMS or (isinstance(kind, str) and STATES.get(kind, False)) or kind == "activeAssetData"
    )
    parses = (
        known
        and (kind not in COIN_STREAMS or isinstance(coin, str))
        and (not needs_user or _address(user))
        and (dex is None or isinstance(dex, str))
    )
    if not parses:
        return bad_request(json.dumps({"method": "subscribe", "subscription": subscription}))
    invalid = kind == "candle" and subscription.get("interval") not in INTERVALS
    return error_frame(f"Invalid subscription {_shown(subscription)}") if invalid else None
