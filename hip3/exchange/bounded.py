"""Calls that end as a whole.

A socket's time-outs are for each wait: a peer that sends a byte now and then keeps a call going for ever, within all
of them. Here another thread shuts the socket down, which ends the call from outside. What a name
server takes is not bound: that is one call of the system's.

IO. Each object belongs to the thread that calls; only `Overdue`'s cut runs on another, which ends with the call.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

AGAIN_S = 0.2
"""Between two cuts of one call."""


class Overdue:
    """Around one call: after `seconds` what `find` gives is shut down, and `passed` is true.

    `find` is called on its own thread, at any time of the call; None: there is nothing to shut down yet.
    """

    def __init__(self, seconds: float, find: Callable[[], socket.socket | None]) -> None:
        self._seconds, self._find = seconds, find
        self._over = threading.Event()
        self.passed = False
        self._thread = threading.Thread(target=self._watch, name="overdue", daemon=True)

    def _watch(self) -> None:
        """Wait for the end of the call; then cut, again and again: it may go on to another socket."""
        if self._over.wait(self._seconds):
            return
        self.passed = True
        while not self._over.is_set():
            sock = self._find()
            if sock is not None:
                with suppress(OSError):  # it is closed already
                    # The plain socket's: an SSLSocket's own drops the state that the caller is in the middle of.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
            self._over.wait(AGAIN_S)

    def __enter__(self) -> "Overdue":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()


class BoundedSession(requests.Session):
    """A `requests.Session` whose calls end within `call_s`, else with `requests.Timeout`."""

    def __init__(self, call_s: float) -> None:
        super().__init__()
        self._call_s = call_s
        self._call: Overdue | None = None
        self._sock: socket.socket | None = None
        adapter = _Adapter(self._carried_by)
        self.mount("http://", adapter)
        self.mount("https://", adapter)

    def _carried_by(self, sock: socket.socket | None) -> None:
        """The socket of the call; None: it is about to be made."""
        self._sock = sock
        if self._call is not None and self._call.passed:  # the time ended before there was anything to shut down
            raise TimeoutError

    def request(self, *args: Any, **options: Any) -> requests.Response:
        """See `requests.Session.request`."""
        self._sock = None
        with Overdue(self._call_s, lambda: self._sock) as self._call:
            try:
                answer = super().request(*args, **options)
            except requests.RequestException:
                if not self._call.passed:
                    raise
            else:
                if not self._call.passed:  # else: an answer without a length ends where it is cut
                    return answer
            raise requests.Timeout("the call as a whole took too long")


def _telling(kind: type[HTTPConnection], tell: Callable[[socket.socket | None], None]) -> type[Any]:
    """A kind of connection that tells its socket as it has one, and before each request on it."""

    def connect(self: HTTPConnection) -> None:
        kind.connect(self)
        tell(self.sock)

    def request(self: HTTPConnection, *args: Any, **options: Any) -> None:
        tell(self.sock)
        kind.request(self, *args, **options)

    return type(kind.__name__, (kind,), {"connect": connect, "request": request})


class _Adapter(HTTPAdapter):
    """Tells which socket carries a call, before anything is sent on it."""

    def __init__(self, tell: Callable[[socket.socket | None], None]) -> None:
        self._tell = tell
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        tell = self._tell

        class HttpPool(urllib3.HTTPConnectionPool):
            ConnectionCls = _telling(HTTPConnection, tell)

        class HttpsPool(urllib3.HTTPSConnectionPool):
            ConnectionCls = _telling(HTTPSConnection, tell)

        self.poolmanager.pool_classes_by_scheme = {"http": HttpPool, "https": HttpsPool}
