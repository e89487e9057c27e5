"""The write handle: the only caller of the socket's send.

Guards: the socket's send side and its generation number. Its lock is the only one held over IO,
because it exists to keep two frames from mixing. Called from: tick (posts), ws-reader
(subscriptions, pings; attach and detach).
"""

from typing import Protocol

from hip3.core.ports import Clock, SendOutcome, SendResult
from hip3.exchange.rate_limit import WS_MESSAGES_PER_MINUTE, TokenBucket
from hip3.locks import new_lock


class Socket(Protocol):
    """What the handle needs of a WebSocket."""

    def send(self, payload: str) -> object: ...
    def shutdown(self) -> None: ...


class WriteHandle:
    """Sends text on the current connection and says which generation it wrote to."""

    def __init__(self, clock: Clock) -> None:
        self._lock = new_lock("WriteHandle")
        self._socket: Socket | None = None
        self._generation = 0
        self._clock = clock
        self._bucket = TokenBucket(WS_MESSAGES_PER_MINUTE, clock.mono_ms())

    def attach(self, socket: Socket, generation: int) -> None:
        """A new connection is open."""
        with self._lock:
            self._socket, self._generation = socket, generation

    def detach(self, generation: int) -> None:
        """The connection of `generation` is gone; nothing is sent on it any more."""
        with self._lock:
            if self._generation == generation:
                self._socket = None

    @property
    def connected(self) -> bool:
        with self._lock:
            return self._socket is not None

    def send(self, text: str, generation: int | None = None) -> SendResult:
        """Send one frame, on the connection of `generation` where one is named.

        NOT_SENT only if not one byte left this process.
        """
        if not self._bucket.try_take(1, self._clock.mono_ms()):
            return SendResult(SendOutcome.NOT_SENT, self._generation, "2000 messages a minute are spent")
        with self._lock:
            socket, current = self._socket, self._generation
            if socket is None:
                return SendResult(SendOutcome.NOT_SENT, current, "not connected")
            if generation not in (None, current):
                return SendResult(SendOutcome.NOT_SENT, current, "its connection is gone")
            try:
                socket.send(text)
            except Exception as error:  # noqa: BLE001 any failure leaves it open what was sent
                self._socket = None
                failure = f"{type(error).__name__}: {error}"
            else:
                return SendResult(SendOutcome.SENT, current)
        # The reader must notice too: a connection that cannot be written to is over.
        _shutdown(socket)
        return SendResult(SendOutcome.MAYBE_SENT, current, failure)


def _shutdown(socket: Socket) -> None:
    try:
        socket.shutdown()
    except Exception:  # noqa: BLE001 it is already broken
        return
