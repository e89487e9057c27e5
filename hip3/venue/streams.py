"""WebSocket subscriptions of the embedded exchange. Pure: sets and frames.

Acknowledgement, then data. A coin that is not listed closes the whole socket without a word; an
unknown type or a missing field gets an error frame (docs/venue-facts.md F9).
"""

import json
from typing import TYPE_CHECKING, Any

import msgspec

from hip3.exchange.subscriptions import key_of
from hip3.venue.info_market import ctx_of, levels_of, mids_of
from hip3.venue.numbers import num

if TYPE_CHECKING:
    from hip3.venue.venue import Venue

COIN_STREAMS = frozenset({"bbo", "l2Book", "trades", "activeAssetCtx"})
USER_STREAMS = frozenset({"orderUpdates", "userFills", "userEvents"})
OTHER_STREAMS = frozenset({"allMids"})
MAX_SUBSCRIPTIONS = 1000
SNAPSHOT_FILLS = 2000

_encode = msgspec.json.encode


def text_of(message: Any) -> str:
    """A frame as text, `channel` first."""
    return _encode(message).decode()


def error_frame(text: str) -> str:
    """channel "error"."""
    return text_of({"channel": "error", "data": text})


def _shown(subscription: dict[str, Any]) -> str:
    return json.dumps(subscription, separators=(",", ":"))


class Hub:
    """Who listens to what."""

    def __init__(self) -> None:
        self._by_key: dict[str, set[int]] = {}
        self._by_conn: dict[int, dict[str, dict[str, Any]]] = {}
        self.coins: dict[str, set[str]] = {}
        """stream type -> coins anybody listens to."""

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
                del self._by_key[key]

    def listeners(self, key: str) -> frozenset[int]:
        """The sockets subscribed to `key`, which may be none."""
        return frozenset(self._by_key.get(key, ()))

    def heard(self, key: str) -> bool:
        """Whether anybody listens: frames nobody hears are not made."""
        return key in self._by_key

    def subscribe(self, venue: "Venue", conn: int, subscription: dict[str, Any], now_ms: int) -> list[str] | None:
        """Frames to answer with; None: close the socket."""
        kind = subscription.get("type")
        own = self._by_conn[conn]
        if kind in COIN_STREAMS:
            coin = subscription.get("coin")
            if not isinstance(coin, str):
                return [_bad_json({"method": "subscribe", "subscription": subscription})]
            if coin not in venue.engine.markets:
                return None
        elif kind in USER_STREAMS:
            user = subscription.get("user")
            if not isinstance(user, str) or len(user) != 42:
                return [_bad_json({"method": "subscribe", "subscription": subscription})]
        elif kind not in OTHER_STREAMS:
            return [_bad_json({"method": "subscribe", "subscription": subscription})]
        key = key_of(subscription)
        if key in own:
            return [error_frame(f"Already subscribed: {_shown(subscription)}")]
        if len(own) >= MAX_SUBSCRIPTIONS:
            return [error_frame("Cannot subscribe to more than 1000 channels.")]
        own[key] = subscription
        self._by_key.setdefault(key, set()).add(conn)
        echoed = subscription | ({"nSigFigs": None, "mantissa": None} if kind == "l2Book" else {})
        ack = {"channel": "subscriptionResponse", "data": {"method": "subscribe", "subscription": echoed}}
        return [text_of(ack), *_first_frames(venue, subscription, now_ms)]

    def unsubscribe(self, conn: int, subscription: dict[str, Any]) -> list[str]:
        """Frames to answer with."""
        key = key_of(subscription)
        if self._by_conn[conn].pop(key, None) is None:
            return [error_frame(f"Already unsubscribed: {_shown(subscription)}")]
        self._drop(conn, key)
        data = {"method": "unsubscribe", "subscription": subscription}
        return [text_of({"channel": "subscriptionResponse", "data": data})]


def _bad_json(message: Any) -> str:
    return error_frame(f"Error parsing JSON into valid websocket request: {json.dumps(message)}")


def bad_request(text: str) -> str:
    """The error frame for something that is not a request at all."""
    return error_frame(f"Error parsing JSON into valid websocket request: {text[:200]}")


def _first_frames(venue: "Venue", subscription: dict[str, Any], now_ms: int) -> list[str]:
    kind = subscription["type"]
    if kind == "userFills":
        account = venue.engine.account(subscription["user"].lower())
        fills = [] if account is None else list(reversed(account.fills))[:SNAPSHOT_FILLS]
        data = {"isSnapshot": True, "user": subscription["user"].lower(), "fills": fills}
        return [text_of({"channel": "userFills", "data": data})]
    if kind == "bbo":
        return [bbo_frame(venue, subscription["coin"], now_ms)]
    if kind == "activeAssetCtx":
        return [ctx_frame(venue, subscription["coin"])]
    if kind == "l2Book":
        return [book_frame(venue, subscription["coin"], now_ms)]
    if kind == "trades":
        trades = venue.engine.markets[subscription["coin"]].trades
        return [text_of({"channel": "trades", "data": trades})]
    if kind == "allMids":
        return [mids_frame(venue, subscription.get("dex") or "")]
    return []


def bbo_frame(venue: "Venue", coin: str, now_ms: int) -> str:
    """The touch of one market."""
    sides = []
    for is_buy in (True, False):
        touch = venue.engine.markets[coin].book.touch(is_buy=is_buy)
        sides.append(None if touch is None else {"px": num(touch[0]), "sz": num(touch[1]), "n": touch[2]})
    return text_of({"channel": "bbo", "data": {"coin": coin, "time": now_ms, "bbo": sides}})


def ctx_frame(venue: "Venue", coin: str) -> str:
    """The asset context of one market."""
    return text_of({"channel": "activeAssetCtx", "data": {"coin": coin, "ctx": ctx_of(venue.engine.markets[coin])}})


def book_frame(venue: "Venue", coin: str, now_ms: int) -> str:
    """Twenty levels a side."""
    levels = levels_of(venue.engine.markets[coin])
    return text_of({"channel": "l2Book", "data": {"coin": coin, "time": now_ms, "levels": levels}})


def mids_frame(venue: "Venue", dex: str) -> str:
    """All mid prices of a dex."""
    return text_of({"channel": "allMids", "data": {"mids": mids_of(venue, dex)}})
