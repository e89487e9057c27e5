"""An open WebSocket with short ways in and out; websocket-client keeps the protocol. IO, but no lock of ours.

Out: a text frame is built and masked in one go, where the library runs through a dozen functions on the way of an
order. In: the library asks for two bytes of a head, two of a length, then the body, one system call each; here a
read takes what has come, and the library is served from that. Fragments, pings, closing and checks stay its own.
"""

import os
from collections.abc import Callable
from typing import Any

READ_BYTES = 65_536
"""What one system call takes at most."""
_FIN_TEXT = 0x81
_MASKED = 0x80


def text_frame(text: str, mask: bytes) -> bytes:
    """A whole text frame of a client, masked by four random bytes (RFC 6455, 5.2 and 5.3). Pure.

    Never fragmented: one frame is one message. Masking is one exclusive or of two large integers.
    """
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
    """Serves small reads from one large one. Confined to the ws-reader.

    What was read ahead and not yet asked for waits here; the socket alone cannot tell whether a message has come.
    """

    def __init__(self, recv: Callable[[int], bytes]) -> None:
        """`recv(size)` reads the socket, and gives b"" at its end."""
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

    One reader; any number of writers. The library keeps frames apart by its own lock: `WriteHandle`'s keeps our
    senders apart and knows the generation, the library's stands between them and the pongs of the reading side.
    """

    def __init__(self, ws: Any) -> None:
        self._ws = ws
        ws.frame_buffer.recv = ReadAhead(ws.frame_buffer.recv)

    def recv_data(self) -> tuple[int, bytes]:
        """The next message as (opcode, payload); the library answers pings meanwhile. ws-reader only.

        WebSocketTimeoutException: nothing came within the socket's time-out, and the connection lives. Any other
        WebSocketException, or OSError: it is over.
        """
        message: tuple[int, bytes] = self._ws.recv_data()
        return message

    def send(self, payload: str) -> None:
        """One text frame, whole. Any error leaves it open what was sent. Called under `WriteHandle`'s lock."""
        frame = text_frame(payload, os.urandom(4))
        with self._ws.lock:  # the library's, under which it answers pings
            self._ws.sock.sendall(frame)

    def shutdown(self) -> None:
        """Close at once, without a closing handshake. Any thread: the reader's next read then fails."""
        self._ws.shutdown()
