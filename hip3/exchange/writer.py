"""The write handle: the only caller of the socket's send.

Guards: the socket's send side and its generation number. Like the intent log's its lock is held over IO,
because it exists to keep two frames from mixing. Called from: tick (posts), ws-reader
(subscriptions, pings; attach and detach). It is the `Sender` of the tick, and outlives every connection.
"""

from typing import Protocol

from hip3.core.ports import Clock, SendOutcome, SendResult, Tap
from hip3.exchange.rate_limit import WS_MESSAGES_PER_MINUTE, MinuteWindow
from hip3.locks import new_lock


class Socket(Protocol):
    """What the handle needs of a WebSocket."""

    def send(self, payload: str) -> object:
        """One text frame, whole; any error leaves it open what was sent."""
        ...

    def shutdown(self) -> None:
        """Close at once; the reader's next read then fails."""
        ...


class WriteHandle:
    """Sends text on the current connection and says which generation it wrote to.

    Over all connections at most 2000 messages in any minute (docs/venue-facts.md F10), by a window with a lock of its
    own, which is asked before this one is taken: the exchange closes the socket that sends one too many.
    """

    def __init__(self, clock: Clock) -> None:
        self._lock = new_lock("WriteHandle")
        self._socket: Socket | None = None
        self._generation = 0
        self._clock = clock
        self._messages = MinuteWindow(WS_MESSAGES_PER_MINUTE)
        self.tap: Tap | None = None
        """Is shown what left, after the lock."""

    def attach(self, socket: Socket, generation: int) -> None:
        """A new connection is open: from now on everything is sent on it. `generation` rises with each."""
        with self._lock:
            self._socket, self._generation = socket, generation

    def detach(self, generation: int) -> None:
        """The connection of `generation` is gone; nothing is sent on it any more. Nothing happens for another one.

        It waits for a send that is under way: when it returns, what was to leave on that connection has left or failed.
        """
        with self._lock:
            if self._generation == generation:
                self._socket = None

    @property
    def connected(self) -> bool:
        """Whether there is a socket to write to; False also after a send broke, before the reader has noticed."""
        with self._lock:
            return self._socket is not None

    def messages_left(self, now_ms: int) -> int:
        """How many messages of this minute are left, at monotonic `now_ms`; who sends what can wait leaves some."""
        return self._messages.left(now_ms)

    def send(self, text: str, generation: int | None = None, by_ms: int | None = None) -> SendResult:
        """Send one frame, on the connection of `generation` where one is named, and not after `by_ms` (monotonic).

        NOT_SENT only if not one byte left this process. MAYBE_SENT ends the connection: a frame that broke off would
        swallow the next one. Raises nothing; where the exchange does not read it waits at most the socket's time-out.
        """
        if not self._messages.try_take(self._clock.mono_ms()):
            return SendResult(SendOutcome.NOT_SENT, self._generation, "2000 messages a minute are spent")
        with self._lock:
            socket, current = self._socket, self._generation
            if socket is None:
                return SendResult(SendOutcome.NOT_SENT, current, "not connected")
            if generation not in (None, current):
                return SendResult(SendOutcome.NOT_SENT, current, "its connection is gone")
            if by_ms is not None and self._clock.mono_ms() > by_ms:  # here: any line before may have been held up
                return SendResult(SendOutcome.NOT_SENT, current, "held up on the way")
            try:
                socket.send(text)
            except Exception as error:  # noqa: BLE001 any failure leaves it open what was sent
                self._socket = None
                failure = f"{type(error).__name__}: {error}"
            else:
                failure = ""
        if not failure:
            if self.tap is not None:
                self.tap.said(current, text)
            return SendResult(SendOutcome.SENT, current)
        # The reader must notice too: a connection that cannot be written to is over.
        _shutdown(socket)
        return SendResult(SendOutcome.MAYBE_SENT, current, failure)


def _shutdown(socket: Socket) -> None:
    try:
        socket.shutdown()
    except Exception:  # noqa: BLE001 it is already broken
        return
