"""Requests of clients: HTTP bodies and WebSocket messages in, answers and frames out. Pure.

Reads are answered at once; actions travel for the latency first. Limits of the client's IP come before anything
else (docs/venue-facts.md F10), and whatever a client made up, the exchange lives on.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from hip3.venue.actions.actions import exchange
from hip3.venue.answers import streams
from hip3.venue.answers.info import answer
from hip3.venue.answers.replies import UNPROCESSABLE, Answer, Text
from hip3.venue.books.books import Books
from hip3.venue.engine.mempool import Mempool
from hip3.venue.serving.faults import Faults
from hip3.venue.serving.hub import Hub
from hip3.venue.serving.limits import TOO_MANY_MESSAGES, Limits, weight_of
from hip3.venue.serving.output import HttpReply, Output, WsClose, WsText
from hip3.venue.serving.publisher import Publisher


class Http(NamedTuple):
    """A request that came by HTTP."""

    token: int
    request: Any


class Post(NamedTuple):
    """A request that came as a post."""

    conn: int
    post_id: int
    request: Any


class Gateway:
    """One for the exchange. Confined to the venue's thread."""

    def __init__(
        self, books: Books, *, hub: Hub, publisher: Publisher, faults: Faults, limits: Limits, pool: Mempool,
        out: list[Output],
    ) -> None:  # fmt: skip
        self._books, self._hub, self._publisher, self._faults = books, hub, publisher, faults
        self._limits, self._out = limits, out
        self.pool = pool
        self.elsewhere: Callable[[Http | Post], bool] = lambda asked: False
        """Whether a read is answered by somebody else, who then calls `answered`."""

    # HTTP.

    def http(self, token: int, path: str, body: bytes, now_ms: int, ip: str) -> None:
        """One HTTP POST; an action's answer comes after the latency."""
        try:
            request = msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError) as error:
            self.reply(token, 400, Text(f"Failed to parse the request body as JSON: {error}"))
            return
        status = self._faults.http_status(token, path, request, now_ms)
        if status is not None:
            self.reply(token, status, Text("null"))
        elif not self._limits.spend(ip, weight_of(path, request), now_ms):
            self.reply(token, 429, Text(self._books.engine.parameters.rate_limited_text))
        elif path == "/exchange":
            self._later(now_ms, Http(token, request))
        elif not self.elsewhere(Http(token, request)):
            status, reply = self._read(request, now_ms)
            self._limits.charge(ip, weight_of(path, request, reply), now_ms)
            self.reply(token, status, reply)

    def _read(self, request: Any, now_ms: int) -> Answer:
        """The answer to a read: an old or an empty one where a fault wants it."""
        if not isinstance(request, dict):
            return answer(self._books, request, now_ms)
        fixed = self._faults.instead(request, now_ms)
        if fixed is not None:
            return fixed
        reply = answer(self._books, self._faults.emptied(request, now_ms), now_ms)
        self._faults.keep(request, reply, now_ms)
        return reply

    def reply(self, token: int, status: int, body: Any) -> None:
        """The answer to an HTTP request."""
        if isinstance(body, Text):
            self._out.append(HttpReply(token, status, body.encode(), plain=True))
        else:
            self._out.append(HttpReply(token, status, msgspec.json.encode(body), plain=False))

    def answered(self, asked: Http | Post, status: int, body: bytes) -> None:
        """What somebody else answers to a read; `body` is JSON where the status is 200."""
        if isinstance(asked, Http):
            plain = status != 200
            self._out.append(HttpReply(asked.token, status, body, plain=plain))
        elif status == 200:
            kind = asked.request.get("type")
            self._post_reply(asked.conn, asked.post_id, "info", 200, {"type": kind, "data": msgspec.Raw(body)})
        else:
            self._post_reply(asked.conn, asked.post_id, "info", status, Text(body.decode(errors="replace")))

    # WebSocket.

    def ws(self, conn: int, text: str, now_ms: int) -> None:
        """One message of a client."""
        if not self._limits.message(conn, now_ms):
            self._frames(conn, [streams.error_frame(TOO_MANY_MESSAGES)])
            self._out.append(WsClose(conn))
            return
        try:
            message = msgspec.json.decode(text)
            method = str(message["method"])
        except (msgspec.DecodeError, RecursionError, TypeError, KeyError):
            self._frames(conn, [streams.bad_request(text)])
            return
        subscription = message.get("subscription")
        if method == "ping":
            self._frames(conn, ['{"channel":"pong"}'])
        elif method == "post":
            self._post(conn, message, text, now_ms)
        elif method in ("subscribe", "unsubscribe") and _flat(subscription):
            self._subscription(conn, method, subscription, now_ms)
        else:
            self._frames(conn, [streams.bad_request(text)])

    def _subscription(self, conn: int, method: str, subscription: dict[str, Any], now_ms: int) -> None:
        hub = self._hub
        if method == "unsubscribe":
            self._frames(conn, hub.unsubscribe(conn, subscription))
            return
        if subscription.get("type") == "bbo":
            self._publisher.begin_touch(subscription.get("coin"))
        frames = hub.subscribe(conn, subscription, now_ms)
        if frames is None:
            self._out.append(WsClose(conn))
        else:
            self._frames(conn, frames)

    def _post(self, conn: int, message: Any, text: str, now_ms: int) -> None:
        request, post_id = message.get("request"), message.get("id")
        if not isinstance(request, dict) or not isinstance(post_id, int):
            self._frames(conn, [streams.bad_request(text)])
            return
        payload, is_action = request.get("payload"), request.get("type") == "action"
        path, ip = "/exchange" if is_action else "/info", self._limits.address_of(conn)
        if not self._limits.post(conn):
            self._frames(conn, [streams.error_frame(f"too many pending post requests id={post_id}")])
            return
        if not self._limits.spend(ip, weight_of(path, payload), now_ms):
            self._post_reply(conn, post_id, "error", 429, Text(self._books.engine.parameters.rate_limited_text))
        elif is_action:
            self._later(now_ms, Post(conn, post_id, payload))
        elif not self.elsewhere(Post(conn, post_id, payload)):
            status, body = self._read(payload, now_ms)
            self._limits.charge(ip, weight_of(path, payload, body), now_ms)
            kind = payload.get("type") if isinstance(payload, dict) else None
            self._post_reply(conn, post_id, "info", status, {"type": kind, "data": body} if status == 200 else body)

    def _post_reply(self, conn: int, post_id: int, kind: str, status: int, payload: Any) -> None:
        self._limits.posted(conn)
        if status != 200:
            text = payload if isinstance(payload, str) else msgspec.json.encode(payload).decode()
            kind, payload = "error", f"{status} {text}"
        response = {"type": kind, "payload": payload}
        self._frames(conn, [streams.text_of({"channel": "post", "data": {"id": post_id, "response": response}})])

    def _frames(self, conn: int, frames: list[str]) -> None:
        self._out.extend(WsText(conn, text) for text in frames)

    # Actions.

    def _later(self, now_ms: int, item: Http | Post) -> None:
        if self.pool.latency_ms == 0:
            self._execute(item, now_ms)
        else:
            self.pool.add(now_ms, item.request, item)

    def next_due(self) -> int | None:
        """When the next action is executed, if not with a block."""
        return None if self._books.engine.parameters.blocks else self.pool.next_due()

    def arrive(self) -> None:
        """Execute the next action, at its time."""
        when, item = self.pool.pop()
        self._execute(item, when)

    def block(self, now_ms: int) -> Iterator[None]:
        """Execute what has arrived, in two halves: makers and cancels, then takers."""
        makers, takers = self.pool.block(now_ms) if self._books.engine.parameters.blocks else ([], [])
        for item in makers:
            self._execute(item, now_ms)
        yield
        for item in takers:
            self._execute(item, now_ms)

    def _execute(self, item: Http | Post, now_ms: int) -> None:
        status, body = self._exchange(item.request, now_ms)
        if isinstance(item, Http):
            self.reply(item.token, status, body)
        else:
            self._post_reply(item.conn, item.post_id, "action", status, body)
        self._publisher.publish(now_ms)

    def _exchange(self, payload: Any, now_ms: int) -> Answer:
        try:
            return exchange(self._books, payload, now_ms)
        except (TypeError, ValueError, ArithmeticError, KeyError, AttributeError):
            return UNPROCESSABLE


def _flat(subscription: Any) -> bool:
    """Whether something is an object of plain values, as every subscription is."""
    return isinstance(subscription, dict) and all(isinstance(v, str | int | bool | None) for v in subscription.values())
