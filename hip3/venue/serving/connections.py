"""The HTTP connections of the embedded exchange: kept alive between requests, and all of them ended with the server.

Werkzeug's own way closes after every answer, and looks for 10 ms whether more of the request comes: what was not read
would be taken for the next request. Ours are read to their end, which the application says by `keep`; every other
answer still closes.
"""

import socket
import sys
from collections.abc import Callable
from typing import Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

KEEP = "hip3.keep"
IDLE_S = 75
"""How long a connection may be silent between two requests."""


def keep(environ: dict[str, Any]) -> None:
    """This request has been read to its end: its connection may have another one."""
    environ[KEEP] = True


class Handler(WSGIRequestHandler):
    """Keep-alive, no delay, and no line per request unless the server is to log."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = IDLE_S

    def run_wsgi(self) -> None:
        """One request: the application's answer whole, with its length; 500 where it fails."""
        if self.headers.get("Expect", "").strip().lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.environ = environ = self.make_environ()
        answer: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
            answer.append((status, headers))
            return self.wfile.write

        try:
            body = b"".join(self.server.app(environ, start))
            status, headers = answer[-1]
        except ConnectionError:  # it was a WebSocket, or whoever asked has gone
            self.close_connection = True
            return
        except Exception as error:  # noqa: BLE001 one request that fails must not cost the others
            print(f"{self.requestline}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)  # noqa: T201
            body, status, headers = b"", "500 Internal Server Error", [("Content-Length", "0")]
        code, _, words = status.partition(" ")
        self.send_response(int(code), words)
        for name, value in headers:
            self.send_header(name, value)
        if not environ.get(KEEP):
            self.send_header("Connection", "close")  # which also ends the connection
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """A line per request would drown the log; with `-v` it is what one wants."""
        if isinstance(self.server, Server) and self.server.verbose:
            print(f"{self.client_address[0]} {self.requestline} {code}", file=sys.stderr, flush=True)  # noqa: T201

    def log(self, type: str, message: str, *args: Any) -> None:
        """Nothing: a client that is silent for long, or breaks off, is no news."""


class Server(ThreadedWSGIServer):
    """Knows its connections, so that none outlives it. `verbose`: a line on stderr for each request."""

    def __init__(self, host: str, port: int, app: Any, *, verbose: bool) -> None:
        self.verbose = verbose
        self._open: set[socket.socket] = set()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family, backlog=128) as listener:
            super().__init__(host, port, app, Handler, fd=listener.fileno())
        self.port = self.server_port = int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def end_all(self) -> None:
        """Wake every thread that reads from, or writes to, a connection; it closes it."""
        for request in list(self._open):
            try:
                request.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it has gone already
