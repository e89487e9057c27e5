"""Over HTTP on loopback: the live page at `/` with its events, `/text`, `/healthz`, `/readyz`, `/status`, `/metrics`.

Read-only. A request whose Host is not a name of this machine, or whose Origin is another page, is refused, so that no
web page of others can read it. Who listens to `/events` is handed over to `ops.listeners`. Any other connection has
`LIFE_S` from its first byte to its last, there are at most `MOST_CLIENTS`, and `MOST_PER_S` are taken in a second: a
client that is slow, or silent, or greedy, or a hundred of them hold up nobody, no order and no stop.
"""

import json
import logging
import re
import socket
import sqlite3
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from threading import Event
from typing import Any, Protocol
from urllib.parse import parse_qsl

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from hip3.ops.listeners import Listeners
from hip3.ops.metrics import CONTENT_TYPE
from hip3.ops.page_files import POLICY, page_files

_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)
_PAGES = ("/", "/events", "/text", "/healthz", "/readyz", "/status", "/metrics")
_QUESTIONS = ("/history", "/search", "/explain")
"""What the page asks of the past."""
JSON = "application/json"
LIFE_S = 5
MOST_CLIENTS = 32
MOST_PER_S = 50
"""Those beyond wait in the listener's queue, where they cost nothing: each request takes time from the threads that
trade, and sixteen clients that asked without a pause made the slowest orders eight times slower."""
POLL_S = 0.2
EVENTS = "text/event-stream"
PLAIN = "text/plain; charset=utf-8"
StartResponse = Callable[[str, list[tuple[str, str]]], object]


class Live(Protocol):
    """What the live page stands on."""

    listeners: Listeners

    def ask(self, path: str, query: dict[str, str]) -> Any:
        """The answer to a question about the past; None if there is none. sqlite3.Error: not now."""


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.0"
    """One answer for each connection, without chunks: that of `/events` has no end."""
    timeout = LIFE_S
    """Of one read or write; the whole is bounded by the server."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Nothing: monitoring asks every few seconds, and who breaks off is no news."""

    def version_string(self) -> str:
        return "hip3"


class _Server(ThreadedWSGIServer):
    """Bounded in number and in time. `service_actions` is called by the serving thread at least every `POLL_S`."""

    def __init__(self, port: int, app: Any, mono_ms: Callable[[], int], listeners: Listeners | None) -> None:
        self._listeners = listeners
        self._leaving: set[socket.socket] = set()
        """Connections whose answer goes on without end."""
        self._open: OrderedDict[socket.socket, int] = OrderedDict()
        """Connection -> since when (monotonic), oldest first."""
        self._mono_ms = mono_ms
        self._taken: deque[int] = deque(maxlen=MOST_PER_S)
        self._ended = Event()
        listener = socket.create_server(("127.0.0.1", port), backlog=64)
        with listener:
            super().__init__("127.0.0.1", port, app, _Quiet, fd=listener.fileno())
        self.port = self.server_port = self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        self._pace()
        while len(self._open) >= MOST_CLIENTS:
            _end(self._open.popitem(last=False)[0])
        self._open[request] = self._mono_ms()
        super().process_request(request, client_address)

    def _pace(self) -> None:
        """Wait until one more may be taken; not once the server ends."""
        if len(self._taken) == MOST_PER_S and (left_ms := self._taken[0] + 1000 - self._mono_ms()) > 0:
            self.wait(left_ms / 1000)
        self._taken.append(self._mono_ms())

    def wait(self, seconds: float) -> None:
        """The serving thread has nothing to do for so long; `end_all` ends it."""
        self._ended.wait(seconds)

    def hand_over(self, request: socket.socket) -> None:
        """This connection belongs to `listeners` once its answer's head is written."""
        self._leaving.add(request)

    def shutdown_request(self, request: Any) -> None:
        if self._open.pop(request, None) is not None and request in self._leaving and self._listeners is not None:
            self._leaving.discard(request)
            self._listeners.take(request)
            return
        self._leaving.discard(request)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        now_ms = self._mono_ms()
        for request, since_ms in list(self._open.items()):
            if now_ms - since_ms > LIFE_S * 1000:
                self._open.pop(request, None)
                _end(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that broke off; our own errors are answered with 500."""

    def end_all(self) -> None:
        """Nobody is waited for."""
        self._ended.set()
        for request in list(self._open):
            _end(request)


def _end(request: socket.socket) -> None:
    """Wake the thread that reads from or writes to it; that one closes it."""
    try:
        request.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has gone already


class StatusServer:
    """Serves snapshots; never touches a trading object itself. OSError if the port is not free."""

    def __init__(
        self,
        port: int,
        status: Callable[[], dict[str, Any]],
        text: Callable[[dict[str, Any]], str],
        metrics: Callable[[], str],
        mono_ms: Callable[[], int],
        live: Live | None = None,
    ) -> None:
        self._status, self._text, self._metrics, self._live = status, text, metrics, live
        self._files = page_files()
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = _Server(port, self.answer, mono_ms, None if live is None else live.listeners)
        self.port = self._server.port
        self._served = False

    def serve(self) -> None:
        """The status-http thread: returns after `close`."""
        self._served = True
        self._server.serve_forever(poll_interval=POLL_S)

    def close(self) -> None:
        """End `serve` and free the port."""
        self._server.end_all()
        if self._served:  # else nobody would ever say that it has ended
            self._server.shutdown()
        self._server.end_all()  # who was taken since
        self._server.server_close()

    def answer(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """One request (WSGI)."""
        try:
            code, kind, body = self._route(environ)
        except Exception as error:  # noqa: BLE001 one page that fails must not cost the others
            code, kind, body = "500 Internal Server Error", PLAIN, f"this page failed: {type(error).__name__}\n"
        data = body.encode()
        headers = [("Content-Type", kind), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]
        headers += [("Content-Security-Policy", POLICY), ("Referrer-Policy", "no-referrer")]
        if kind == EVENTS:
            self._server.hand_over(environ["werkzeug.socket"])
        else:
            headers.append(("Content-Length", str(len(data))))
        if code.startswith("405"):
            headers.append(("Allow", "GET, HEAD"))
        start_response(code, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [data]

    def _route(self, environ: dict[str, Any]) -> tuple[str, str, str]:
        if not _HOST.fullmatch(environ.get("HTTP_HOST", "")):
            return "403 Forbidden", PLAIN, "this page answers to the local machine only\n"
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and origin.lower() != f"http://{environ['HTTP_HOST'].lower()}":
            return "403 Forbidden", PLAIN, "this page answers to its own pages only\n"
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return "405 Method Not Allowed", PLAIN, "read-only\n"
        path = environ["PATH_INFO"]
        if path in self._files:
            return "200 OK", *self._files[path]
        if self._live is not None and path in _QUESTIONS:
            return self._past(self._live, path, environ["QUERY_STRING"])
        if self._live is not None and path == "/events" and environ["REQUEST_METHOD"] == "GET":
            return "200 OK", EVENTS, ": the live page's events\n\n"
        if path == "/healthz":
            return "200 OK", PLAIN, "ok\n"
        if path == "/metrics":
            return "200 OK", CONTENT_TYPE, self._metrics()
        if path not in _PAGES or path == "/events":
            return "404 Not Found", PLAIN, f"known: {' '.join(_PAGES)}\n"
        status = self._status()
        if path == "/status":
            return "200 OK", JSON, json.dumps(status)
        if path == "/readyz":
            ready = status["state"] == "READY"
            body = "READY\n" if ready else "".join(f"{reason}\n" for reason in status["reasons"] or [status["state"]])
            return ("200 OK" if ready else "503 Service Unavailable"), PLAIN, body
        return "200 OK", PLAIN, self._text(status)

    def _past(self, live: Live, path: str, query: str) -> tuple[str, str, str]:
        try:
            found = live.ask(path, dict(parse_qsl(query)))
        except sqlite3.Error as error:
            return "503 Service Unavailable", PLAIN, f"the journal cannot be read now: {error}\n"
        if found is None:
            return "404 Not Found", PLAIN, "the journal does not know that order\n"
        return ("200 OK", PLAIN, found) if isinstance(found, str) else ("200 OK", JSON, json.dumps(found))
