"""An open WebSocket with short ways in and out; websocket-client keeps the protocol. IO, but no lock of ours.

Out: a text frame is built and masked in one go, where the library runs through a dozen functions on the way of an
order. In: the library asks for two bytes of a head, two of a length, then the body, one system call each; here a
read takes what has come, and the library is served from that. Fragments, pings, closing and checks stay its own.
"""

import os
import select
import ssl
from collections.abc import Callable
from typing import Any

from websocket import WebSocketConnectionClosedException, WebSocketTimeoutException

from hip3.clock import SystemClock

READ_BYTES = 65_536
"""What one system call takes at most."""
READ_MS = 1000
"""How long bytes that make no message hold up the reader: it has pings to send and a wish to stop to look at."""
_CLOCK = SystemClock()
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

    def __init__(self, recv: Callable[[int], bytes], now_ms: Callable[[], int] = _CLOCK.mono_ms) -> None:
        """`recv(size)` reads the socket, and gives b"" at its end."""
        self._recv, self._now_ms = recv, now_ms
        self._until_ms: int | None = None
        self._data = b""
        self._at = 0

    def __call__(self, size: int) -> bytes:
        """At most `size` bytes, as a socket gives them; what the socket raises passes through.

        WebSocketTimeoutException when the message has had its time: what has come is kept for the next read.
        """
        if self._at >= len(self._data):
            if self._until_ms is not None and self._now_ms() > self._until_ms:
                raise WebSocketTimeoutException("a frame takes its time")
            self._data, self._at = self._recv(READ_BYTES), 0
        taken = self._data[self._at : self._at + size]
        self._at += len(taken)
        return taken

    def begin(self) -> None:
        """A message is about to be read, and has `READ_MS`."""
        self._until_ms = self._now_ms() + READ_MS


def _ready(fd: int, events: int, seconds: float) -> bool:
    """Whether the socket is ready within that time; True also for one that is closed: the next call says so."""
    poll = select.poll()
    poll.register(fd, events)
    return bool(poll.poll(seconds * 1000))


class Channel:
    """What `Connection` and `WriteHandle` need of a WebSocket (a connected one of websocket-client, with its lock).

    One reader; any number of writers. The library keeps frames apart by its own lock: `WriteHandle`'s keeps our
    senders apart and knows the generation, the library's stands between them and the pongs of the reading side.
    """

    def __init__(self, ws: Any) -> None:
        self._ws = ws
        self._tls = isinstance(ws.sock, ssl.SSLSocket)
        self._timeout_s: float = ws.gettimeout() or 0.0
        if self._tls:
            # OpenSSL bears no two calls on one connection at the same time: a read beside a write sees the write's
            # state and reports an end that there was none. Each call is made under the library's lock, without
            # waiting in it; what waits is the poll, outside.
            ws.sock.settimeout(0)
        self._ahead = ws.frame_buffer.recv = ReadAhead(self._recv_tls if self._tls else ws.frame_buffer.recv)

    def _recv_tls(self, size: int) -> bytes:
        """As the library reads a socket: its exceptions for the end and for the time-out."""
        while True:
            wanted = select.POLLIN
            with self._ws.lock:
                sock = self._ws.sock
                if sock is None:
                    raise WebSocketConnectionClosedException("socket is already closed.")
                fd = sock.fileno()
                try:
                    data: bytes = sock.recv(size)
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLWantWriteError:
                    wanted = select.POLLOUT
                else:
                    if not data:
                        raise WebSocketConnectionClosedException("Connection to remote host was lost.")
                    return data
            if not _ready(fd, wanted, self._timeout_s):
                raise WebSocketTimeoutException("Connection timed out")

    def _send_tls(self, frame: bytes) -> None:
        """All of it, under the library's lock; TimeoutError where the exchange does not read."""
        at, sock = 0, self._ws.sock
        while at < len(frame):
            try:
                at += sock.send(frame[at:])
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
                wanted = select.POLLIN if isinstance(error, ssl.SSLWantReadError) else select.POLLOUT
                if not _ready(sock.fileno(), wanted, self._timeout_s):
                    raise TimeoutError("the exchange does not read") from None

    def recv_data(self) -> tuple[int, bytes]:
        """The next message as (opcode, payload); the library answers pings meanwhile. ws-reader only.

        WebSocketTimeoutException: nothing came within the socket's time-out, or no whole message within `READ_MS`, and
        the connection lives. Any other WebSocketException, or OSError: it is over.
        """
        self._ahead.begin()
        message: tuple[int, bytes] = self._ws.recv_data()
        return message

    def send(self, payload: str) -> None:
        """One text frame, whole. Any error leaves it open what was sent. Called under `WriteHandle`'s lock."""
        frame = text_frame(payload, os.urandom(4))
        with self._ws.lock:  # the library's, under which it answers pings
            if self._tls:
                self._send_tls(frame)
            else:
                self._ws.sock.sendall(frame)

    def shutdown(self) -> None:
        """Close at once, without a closing handshake. Any thread: the reader's next read then fails."""
        if not self._tls:
            self._ws.shutdown()  # also while somebody waits in a send: that is what ends it
            return
        with self._ws.lock:  # no call of OpenSSL's may be under way on what is freed; none of ours waits in it for long
            self._ws.shutdown()
