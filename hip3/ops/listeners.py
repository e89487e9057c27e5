"""Who listens to the live page's events: sockets that are written to and never waited for.

Taken over from the HTTP server once the answer's head is written; from then on the `live` thread alone touches them.
What is told is encoded once for all. A client that does not read what it is sent is dropped, so that neither it nor
a hundred of its kind cost memory or time.
"""

import contextlib
import socket
from collections import deque
from threading import Event

MOST_LISTENERS = 64
"""Beyond them the oldest goes: its browser comes back, and a page that was left open somewhere is worth less."""
MOST_BEHIND = 1_000_000
"""Bytes that may wait for one client; the kernel holds some more."""
PATIENCE_MS = 10_000
"""How long a client may read nothing while something waits for it."""


class _Listener:
    __slots__ = ("sock", "stuck_ms", "waiting")

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.waiting, self.stuck_ms = sock, bytearray(), 0


class Listeners:
    """`take` is called by request threads, the rest by the `live` thread alone."""

    def __init__(self) -> None:
        self._new: deque[socket.socket] = deque()
        self._all: list[_Listener] = []
        self._came = Event()
        self.paused = False
        """Nobody is told anything, and no frame is made for it (a benchmark's before and after)."""
        self.dropped = 0
        """Clients that did not read."""

    def take(self, sock: socket.socket) -> None:
        """One more, whose answer's head has been written."""
        self._new.append(sock)
        self._came.set()

    def wait(self, seconds: float) -> None:
        """Until somebody comes, or so long."""
        self._came.wait(seconds)
        self._came.clear()

    @property
    def count(self) -> int:
        """How many are to be told, those that wait to be greeted among them."""
        return 0 if self.paused else len(self._all) + len(self._new)

    @property
    def expecting(self) -> bool:
        """Whether somebody waits to be greeted."""
        return bool(self._new)

    def greet(self, data: bytes, now_ms: int) -> None:
        """Send `data` to those who came since."""
        while self._new:
            sock = self._new.popleft()
            sock.setblocking(False)
            self._all.append(_Listener(sock))
            self._send(self._all[-1], data, now_ms)
        while len(self._all) > MOST_LISTENERS:
            _close(self._all.pop(0).sock)

    def tell(self, data: bytes, now_ms: int) -> None:
        """Send `data` to all."""
        for one in list(self._all):
            self._send(one, data, now_ms)

    def _send(self, one: _Listener, data: bytes, now_ms: int) -> None:
        one.waiting += data
        try:
            sent = one.sock.send(one.waiting)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._drop(one, fault=False)
            return
        del one.waiting[:sent]
        if sent or not one.waiting:
            one.stuck_ms = now_ms
        if len(one.waiting) > MOST_BEHIND or (one.waiting and now_ms - one.stuck_ms > PATIENCE_MS):
            self._drop(one, fault=True)

    def _drop(self, one: _Listener, *, fault: bool) -> None:
        self.dropped += fault
        self._all.remove(one)
        _close(one.sock)

    def close(self) -> None:
        """Nobody is told anything any more; after the `live` thread ended."""
        socks = [*self._new, *(one.sock for one in self._all)]
        self._new.clear()
        self._all.clear()
        for sock in socks:
            _close(sock)


def _close(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
