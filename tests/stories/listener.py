"""A local HTTP listener: what alerts are received. It can refuse them, or hold them back without an answer."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Listener:
    """Receives what apprise posts to `json_url`, and notes what is asked for by GET."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.status = 200
        self.go_on = threading.Event()
        """Cleared: requests get no answer until it is set."""
        self.go_on.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                self._answer()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if outer.go_on.wait(60) and outer.status == 200:
                    outer.received.append(json.loads(body))
                self._answer()

            def _answer(self) -> None:
                with contextlib.suppress(OSError):
                    self.send_response(outer.status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.place = f"127.0.0.1:{self._server.server_port}"
        self.json_url = f"json://{self.place}/token5up3rs3cret"

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The alerts of one kind, ends included."""
        return [m for m in self.received if m["title"].endswith(f": {kind}")]

    def close(self) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


@contextlib.contextmanager
def listener() -> Iterator[Listener]:
    started = Listener()
    try:
        yield started
    finally:
        started.close()
