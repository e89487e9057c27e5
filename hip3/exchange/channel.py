"""An open WebSocket with short ways in and out; websocket-client keeps the protocol.

Out: a text frame is built and masked in one go, where the library runs through a dozen functions on the way of an
order. In: the library asks for two bytes of a head, two of a length, then the body, one system call each; here a
read takes what has come, and the library is served from that. Fragments, pings, closing and checks stay its own.
"""

import os
from collections.abc import Callable
from typing import Any

READ_BYTES = 65_536
_FIN_TEXT = 0x81
_MASKED = 0x80


def text_frame(text: str, mask: bytes) -> bytes:
    """A whole text frame of a client, masked by four random bytes (RFC 6455, 5.2 and 5.3)."""
    body = text.encode()
    size = len(body)
    if size < 126:
        head = bytes((_FIN_TEXT, _MASKED | size))
    elif size < 65_536:
        head = bytes((_FIN_TEXT, _MASKED | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((_FIN_TEXT, _MASKED | 127)) + size.to_bytes(8, "big")
    key = (mask * (size // 4 + 1))[:size]
    masked = int.from_bytes(body, "big") ^ int.from_bytes(key, "big")
    return head + mask + masked.to_bytes(size, "big")


class ReadAhead:
    """Serves small reads from one large one. Confined to the ws-reader."""

    def __init__(self, recv: Callable[[int], bytes]) -> None:
        self._recv = recv
        self._data = b""
        self._at = 0

    def __call__(self, size: int) -> bytes:
        """At most `size` bytes, as a socket gives them; what the socket raises passes through."""
        if self._at >= len(self._data):
            self._data, self._at = self._recv(READ_BYTES), 0
        taken = self._data[self._at : self._at + size]
        self._at += len(taken)
        return taken


class Channel:
    """What `Connection` and `WriteHandle` need of a WebSocket (a connected one of websocket-client, with its lock).

    One reader; any number of writers.
    """

    def __init__(self, ws: Any) -> None:
        self._ws = ws
        ws.frame_buffer.recv = ReadAhead(ws.frame_buffer.recv)

    def recv_data(self) -> tuple[int, bytes]:
        """The next message; the library answers pings meanwhile, and raises at a time-out or the end."""
        message: tuple[int, bytes] = self._ws.recv_data()
        return message

    def send(self, payload: str) -> None:
        """One text frame, whole. Any error leaves it open what was sent."""
        frame = text_frame(payload, os.urandom(4))
        with self._ws.lock:  # the library's, under which it answers pings
            self._ws.sock.sendall(frame)

    def shutdown(self) -> None:
        """Close at once."""
        self._ws.shutdown()
