"""Status over HTTP on loopback: `/`, `/healthz`, `/readyz`, `/status`, `/metrics`. Read-only.

A request whose Host is not a name of this machine is refused, so that no web page can read it. A connection has
`LIFE_S` from its first byte to its last, there are at most `MOST_CLIENTS`, and `MOST_PER_S` are taken in a second: a
client that is slow, or silent, or greedy, or a hundred of them hold up nobody, no order and no stop.
"""

import json
import logging
import re
import socket
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from threading import Event
from typing import Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from hip3.ops.metrics import CONTENT_TYPE

_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)
_PAGES = ("/", "/healthz", "/readyz", "/status", "/metrics")
LIFE_S = 5
MOST_CLIENTS = 32
MOST_PER_S = 50
"""Those beyond wait in the listener's queue, where they cost nothing: each request takes time from the threads that
trade, and sixteen clients that asked without a pause made the slowest orders eight times slower."""
POLL_S = 0.2
PLAIN = "text/plain; charset=utf-8"
StartResponse = Callable[[str, list[tuple[str, str]]], object]


class _Quiet(WSGIRequestHandler):
    timeout = LIFE_S
    """Of one read or write; the whole is bounded by the server."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Nothing: monitoring asks every few seconds, and who breaks off is no news."""

    def version_string(self) -> str:
        return "hip3"


class _Server(ThreadedWSGIServer):
    """Bounded in number and in time. `service_actions` is called by the serving thread at least every `POLL_S`."""

    def __init__(self, port: int, app: Any, mono_ms: Callable[[], int]) -> None:
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

    def shutdown_request(self, request: Any) -> None:
        self._open.pop(request, None)
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
    ) -> None:
        self._status, self._text, self._metrics = status, text, metrics
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = _Server(port, self.answer, mono_ms)
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
        headers = [("Content-Type", kind), ("Content-Length", str(len(data))), ("Cache-Control", "no-store")]
        headers.append(("X-Content-Type-Options", "nosniff"))
        if code.startswith("405"):
            headers.append(("Allow", "GET, HEAD"))
        start_response(code, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [data]

    def _route(self, environ: dict[str, Any]) -> tuple[str, str, str]:
        if not _HOST.fullmatch(environ.get("HTTP_HOST", "")):
            return "403 Forbidden", PLAIN, "this page answers to the local machine only\n"
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return "405 Method Not Allowed", PLAIN, "read-only\n"
        path = environ["PATH_INFO"]
        if path == "/healthz":
            return "200 OK", PLAIN, "ok\n"
        if path == "/metrics":
            return "200 OK", CONTENT_TYPE, self._metrics()
        if path not in _PAGES:
            return "404 Not Found", PLAIN, f"known: {' '.join(_PAGES)}\n"
        status = self._status()
        if path == "/status":
            return "200 OK", "application/json", json.dumps(status)
        if path == "/readyz":
            ready = status["state"] == "READY"
            body = "READY\n" if ready else "".join(f"{reason}\n" for reason in status["reasons"] or [status["state"]])
            return ("200 OK" if ready else "503 Service Unavailable"), PLAIN, body
        return "200 OK", PLAIN, self._text(status)
