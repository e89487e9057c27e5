"""Status over HTTP on loopback: `/`, `/healthz`, `/readyz`, `/status`. Read-only.

A request whose Host is not a name of this machine is refused, so that no web page can read it.
"""

import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
StartResponse = Callable[[str, list[tuple[str, str]]], object]


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: monitoring asks every few seconds."""


class StatusServer:
    """Serves snapshots; never touches a trading object itself."""

    def __init__(self, port: int, status: Callable[[], dict[str, Any]], text: Callable[[dict[str, Any]], str]) -> None:
        self._status, self._text = status, text
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server: BaseWSGIServer = make_server(
            "127.0.0.1", port, self.answer, threaded=True, request_handler=_Quiet
        )
        self.port = self._server.server_port

    def serve(self) -> None:
        """The status-http thread: returns after `close`."""
        self._server.serve_forever(poll_interval=0.2)

    def close(self) -> None:
        """End `serve` and free the port."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """One request (WSGI)."""
        code, kind, body = self._route(environ)
        data = body.encode()
        start_response(code, [("Content-Type", f"{kind}; charset=utf-8"), ("Content-Length", str(len(data)))])
        return [data]

    def _route(self, environ: dict[str, Any]) -> tuple[str, str, str]:
        if _host_name(environ.get("HTTP_HOST", "")) not in HOSTS:
            return "403 Forbidden", "text/plain", "this page answers to the local machine only\n"
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return "405 Method Not Allowed", "text/plain", "read-only\n"
        path = environ["PATH_INFO"]
        if path == "/healthz":
            return "200 OK", "text/plain", "ok\n"
        status = self._status()
        if path == "/status":
            return "200 OK", "application/json", json.dumps(status)
        if path == "/readyz":
            ready = status["state"] == "READY"
            body = "READY\n" if ready else "".join(f"{reason}\n" for reason in status["reasons"])
            return ("200 OK" if ready else "503 Service Unavailable"), "text/plain", body
        if path == "/":
            return "200 OK", "text/plain", self._text(status)
        return "404 Not Found", "text/plain", "known: / /healthz /readyz /status\n"


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
