"""The embedded exchange as a process: HTTP and WebSocket on one port.

Threads: `venue` owns the core and the clock; Werkzeug's request threads hand requests to it through
one queue and wait for their answer; every WebSocket has its request thread as reader and one writer
thread. Nothing else touches the core.
"""

import contextlib
import itertools
import logging
import queue
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from loguru import logger
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Ping, Request, TextMessage
from wsproto.utilities import RemoteProtocolError

from hip3.core.ports import Clock
from hip3.errors import ConfigError
from hip3.venue.books.kept import dump, read
from hip3.venue.serving.connections import Server, keep
from hip3.venue.serving.page_files import SAFE, is_ours, page_files
from hip3.venue.venue import HttpReply, Venue, WsText

REPLY_TIMEOUT_S = 30.0
SILENCE_MS = 60_000
MAX_BODY, MAX_STATE = 1_000_000, 100_000_000
_CLOSE = None

StartResponse = Callable[[str, list[tuple[str, str]]], object]


class _Conn:
    """One WebSocket: its socket, its protocol state and what waits to be written."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.proto = WSConnection(ConnectionType.SERVER)
        self.lock = threading.Lock()
        self.outbox: queue.Queue[str | None] = queue.Queue(maxsize=100_000)
        self.last_sent_ms = 0

    def write(self, event: Any) -> None:
        """Encode and send one event. The lock keeps a ping reply and a frame from mixing."""
        with self.lock:
            self.sock.sendall(self.proto.send(event))

    def drop(self) -> None:
        """Cut the connection without a close frame."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)


_OPEN = ("/info", "/exchange")
_CORS = [
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "POST, OPTIONS"),
    ("Access-Control-Allow-Headers", "Content-Type"),
    ("Access-Control-Max-Age", "600"),
]
"""Any page may trade here as it may on the real one, signed; faults (`/control`) are no page's."""


_STEP_MS = 100
"""Of the machine's time: how much of it a fast exchange lives through at most before it listens again."""


class ExchangeServer:
    """Serves one `Venue`. `speed` runs its clock faster than the machine's; it begins at `begin_ms` at the earliest.
    At a speed that the machine cannot keep, time passes as fast as it can: nothing is caught up, requests are answered.

    `make_venue(now_ms)` makes it, and with `kept=` one of what was kept, for `/restore`. Its page and `/control` answer
    to this machine alone, with `open_control` to everybody. OSError where the port cannot be had.
    """

    def __init__(
        self,
        make_venue: Callable[..., Venue],
        clock: Clock,
        *,
        host: str,
        port: int,
        speed: float = 1,
        begin_ms: int = 0,
        verbose: bool = False,
        open_control: bool = False,
    ) -> None:
        self._clock, self._make_venue, self._open_control = clock, make_venue, open_control
        self._speed = speed
        self._wall0, self._mono0 = max(clock.wall_ms(), begin_ms), clock.mono_ms()
        self._reached_ms = self._wall0
        self.venue = make_venue(self._wall0)
        self._inbox: queue.Queue[Callable[[int], None] | None] = queue.Queue()
        self._tokens = itertools.count(1)
        self._waiting: dict[int, queue.SimpleQueue[HttpReply]] = {}
        self._conns: dict[int, _Conn] = {}
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = Server(host, port, self._wsgi, verbose=verbose)
        self.port = self._server.port
        self._threads = [
            threading.Thread(target=self._venue_loop, name="venue", daemon=True),
            threading.Thread(target=self._server.serve_forever, name="venue-http", daemon=True),
        ]

    def now_ms(self) -> int:
        """The exchange's own time."""
        return self.venue.pace.at(self._raw_ms()) + self.venue.clock_offset_ms

    def _raw_ms(self) -> int:
        return self._wall0 + int((self._clock.mono_ms() - self._mono0) * self._speed)

    def start(self) -> None:
        """Accept connections; returns at once."""
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        """Whether both threads run."""
        return all(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Cut every connection and end."""
        self._server.shutdown()
        self._server.server_close()
        self._server.end_all()
        self._inbox.put(None)
        for conn in list(self._conns.values()):
            conn.drop()
        for thread in self._threads:
            thread.join(5)

    # The venue's thread.

    def _next_ms(self) -> int:
        """The exchange's time, which what has been too slow to live through does not reach."""
        behind = self._raw_ms() - self._reached_ms - int(_STEP_MS * self._speed)
        if self._speed > 1 and behind > 0:
            self._wall0 -= behind
        self._reached_ms = self._raw_ms()
        return self.now_ms()

    def _venue_loop(self) -> None:
        while True:
            now = self._next_ms()
            self.venue.advance(now)
            self._deliver()
            wait_s = max(0.0, (self.venue.next_due() - now) / 1000 / self._speed)
            try:
                job = self._inbox.get(timeout=wait_s) if wait_s else self._inbox.get_nowait()
            except queue.Empty:
                continue
            if job is None:
                return
            now = self._next_ms()
            self.venue.advance(now)
            try:
                job(now)
            except Exception as error:  # noqa: BLE001 one request that breaks our own code is no end of the exchange
                logger.opt(exception=error).error(f"a request broke: {type(error).__name__}: {error}")
            self._deliver()

    def _deliver(self) -> None:
        for item in self.venue.take_output():
            if isinstance(item, HttpReply):
                waiter = self._waiting.pop(item.token, None)
                if waiter is not None:
                    waiter.put(item)
                continue
            conn = self._conns.get(item.conn)
            if conn is None:
                continue
            try:
                conn.outbox.put_nowait(item.text if isinstance(item, WsText) else _CLOSE)
            except queue.Full:
                conn.drop()  # a client that does not read is not waited for

    def dump(self) -> bytes:
        """All that a restart needs, as it is now; any thread. TimeoutError if the venue's thread does not answer."""
        if not self._threads[0].is_alive():
            return dump(self.venue.books, self.now_ms())
        done: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.call(lambda now: done.put(dump(self.venue.books, now)))
        try:
            return done.get(timeout=REPLY_TIMEOUT_S)
        except queue.Empty:
            raise TimeoutError("the exchange's own thread does not answer") from None

    def _restore(self, token: int, body: bytes, now_ms: int) -> None:
        """Go on from a snapshot, at the time that it is: everybody is cut off, and finds the accounts of then."""
        try:
            venue = self._make_venue(now_ms, kept=read(body, "the snapshot"))
        except (ConfigError, TypeError) as error:
            self._waiting.pop(token).put(HttpReply(token, 400, f"not restored: {error}".encode(), plain=True))
            return
        venue.pace, self.venue = self.venue.pace, venue
        for conn in list(self._conns.values()):
            conn.drop()
        for other in list(self._waiting):
            status, text = (200, b'{"status":"ok"}') if other == token else (503, b"null")
            self._waiting.pop(other).put(HttpReply(other, status, text, plain=False))

    def call(self, job: Callable[[int], None]) -> None:
        """Run `job(now)` on the venue's thread."""
        self._inbox.put(job)

    # HTTP.

    def _wsgi(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path not in _OPEN and path != "/ws" and not (self._open_control or is_ours(environ)):
            return _plain(start_response, "403 Forbidden", b"the page and /control answer to this machine's own pages")
        if method in ("GET", "HEAD") and path in page_files():
            return self._page(environ, start_response, *page_files()[path])
        if path == "/ws" and environ.get("HTTP_UPGRADE", "").lower() == "websocket":
            self._websocket(environ)
            raise ConnectionError("the WebSocket is over")  # tells Werkzeug that the socket is ours
        if method == "OPTIONS" and path in _OPEN:  # as a browser asks before another page's request
            start_response("204 No Content", [*_CORS, ("Content-Length", "0")])
            return []
        if path not in ("/info", "/exchange", "/control", "/view", "/restore"):
            return _plain(start_response, "404 Not Found", b"Not Found")
        if method != "POST":
            return _plain(start_response, "405 Method Not Allowed", b"Method Not Allowed")
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > (MAX_STATE if path == "/restore" else MAX_BODY):
            return _plain(start_response, "413 Payload Too Large", b"Payload Too Large")
        body = environ["wsgi.input"].read(length)
        keep(environ)
        if not environ.get("CONTENT_TYPE", "").startswith("application/json"):
            text = b"Expected request with `Content-Type: application/json`"
            return _plain(start_response, "415 Unsupported Media Type", text)
        return self._answer(path, body, _ip(environ), start_response)

    def _page(self, environ: dict[str, Any], start_response: StartResponse, kind: str, text: str) -> Iterable[bytes]:
        keep(environ)
        data = text.encode()
        start_response("200 OK", [("Content-Type", kind), ("Content-Length", str(len(data))), *SAFE])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [data]

    def _answer(self, path: str, body: bytes, ip: str, start_response: StartResponse) -> Iterable[bytes]:
        token = next(self._tokens)
        waiter: queue.SimpleQueue[HttpReply] = queue.SimpleQueue()
        self._waiting[token] = waiter
        if path == "/restore":
            self.call(lambda now: self._restore(token, body, now))
        else:
            self.call(lambda now: self.venue.http(token, path, body, now, ip))
        try:
            reply = waiter.get(timeout=REPLY_TIMEOUT_S)
        except queue.Empty:
            return _plain(start_response, "504 Gateway Timeout", b"")
        kind = "text/plain" if reply.plain else "application/json"
        headers = [("Content-Type", kind), ("Content-Length", str(len(reply.body)))]
        headers += _CORS if path in _OPEN else []
        start_response(f"{reply.status} {_PHRASES.get(reply.status, 'Error')}", headers)
        return [reply.body]

    # WebSocket.

    def _websocket(self, environ: dict[str, Any]) -> None:
        sock: socket.socket = environ["werkzeug.socket"]
        sock.settimeout(None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        conn = _Conn(sock)
        if not _handshake(conn, environ):
            return
        number = next(self._tokens)
        conn.last_sent_ms = self._clock.mono_ms()
        self._conns[number] = conn
        self.call(lambda now: self.venue.connect(number, now, _ip(environ)))
        writer = threading.Thread(target=self._write_loop, args=(conn,), name=f"venue-ws-{number}", daemon=True)
        writer.start()
        try:
            self._read_loop(number, conn)
        except (OSError, RemoteProtocolError):
            conn.drop()
        finally:
            self._conns.pop(number, None)
            self.call(lambda now: self.venue.disconnect(number))
            conn.outbox.put(_CLOSE)
            writer.join(2)

    def _read_loop(self, number: int, conn: _Conn) -> None:
        parts: list[str] = []
        while data := conn.sock.recv(65_536):
            conn.proto.receive_data(data)
            for event in conn.proto.events():
                if isinstance(event, TextMessage):
                    parts.append(event.data)
                    if event.message_finished:
                        text = "".join(parts)
                        parts.clear()
                        self.call(lambda now, t=text: self.venue.ws(number, t, now))  # type: ignore[misc]
                elif isinstance(event, Ping):
                    conn.write(event.response())
                elif isinstance(event, CloseConnection):
                    conn.write(event.response())
                    return

    def _write_loop(self, conn: _Conn) -> None:
        try:
            while True:
                left_ms = SILENCE_MS - (self._clock.mono_ms() - conn.last_sent_ms)
                try:
                    text = conn.outbox.get(timeout=max(left_ms, 1) / 1000)
                except queue.Empty:
                    break  # 60 s without a word from us: the real one closes, too
                if text is _CLOSE:
                    break
                conn.write(TextMessage(data=text))
                conn.last_sent_ms = self._clock.mono_ms()
        except OSError:
            return
        finally:
            conn.drop()


_PHRASES = {
    200: "OK", 400: "Bad Request", 415: "Unsupported Media Type", 422: "Unprocessable Entity",
    429: "Too Many Requests", 502: "Bad Gateway", 503: "Service Unavailable", 500: "Internal Server Error",
}  # fmt: skip


def _ip(environ: dict[str, Any]) -> str:
    """Whose limits count: who a proxy says it is, else the peer. Clients of one machine are told apart by that."""
    forwarded = str(environ.get("HTTP_X_FORWARDED_FOR") or "").split(",")[0].strip()
    return forwarded or str(environ.get("REMOTE_ADDR") or "local")


def _plain(start_response: StartResponse, status: str, body: bytes) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def _handshake(conn: _Conn, environ: dict[str, Any]) -> bool:
    """Replay the request head to wsproto and accept."""
    head = f"GET {environ.get('RAW_URI', '/ws')} HTTP/1.1\r\n"
    for key, value in environ.items():
        if key.startswith("HTTP_"):
            head += f"{key[5:].replace('_', '-')}: {value}\r\n"
    try:
        conn.proto.receive_data((head + "\r\n").encode("latin-1"))
        for event in conn.proto.events():
            if isinstance(event, Request):
                conn.write(AcceptConnection())
                return True
    except (RemoteProtocolError, OSError) as error:
        print(f"refused a WebSocket: {error}", file=sys.stderr)  # noqa: T201
    return False
