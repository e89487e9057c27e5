"""The ws-reader: connects, reads, and starts again after a cut.

`Connection.run` is the body of the one ws-reader thread, a loop around `step`. It owns the socket's read
side and the `Session`; everything that arrives goes to the `Inbound` handler in order of arrival. Waits
are cut short by the stop event, so it ends within a fraction of a second of being told to. Only making a connection
may take longer.

Each connection is a generation, counted from 1. Whatever goes wrong with one ends it and begins the next after a
back-off; only an error of the handler passes through, and ends the thread. No lock; times are monotonic milliseconds.
"""

import random
import threading
from collections.abc import Callable
from typing import Any, Protocol

import websocket

from hip3.core.events import Event
from hip3.core.ports import Clock, Tap
from hip3.core.urls import shown_url, told
from hip3.exchange.backoff import RESET_AFTER_MS, Backoff
from hip3.exchange.opening import Opened, open_websocket
from hip3.exchange.protocol import Session
from hip3.exchange.writer import WriteHandle


class Inbound(Protocol):
    """What the reader tells. All calls come from the ws-reader thread; while one runs nothing is read."""

    def on_connected(self, session: Session) -> None:
        """A connection is open, and nothing has been sent on it yet."""
        ...

    def on_event(self, session: Session, event: Event, now_ms: int) -> None:
        """One frame, read; each in its turn, those that mean nothing to us included."""
        ...

    def on_disconnected(self, generation: int, reason: str) -> None:
        """It is over, or could not be made; nothing can be sent on it any more. Not told when the service stops."""
        ...

    def ready_for_ms(self, now_ms: int) -> int:
        """How long the epoch has been READY; asked after each frame, to know when a failure is a first one again."""
        ...


class Connection:
    """Keeps one WebSocket alive until told to stop.

    `subscriptions` is asked anew for each connection. `beat` is the thread's heartbeat, given each round. `connect` and
    `jitter` (in [0, 1)) are replaced by the simulation, so that it needs no network and no chance. `tap` is shown every
    frame before it is read.
    """

    def __init__(
        self,
        *,
        url: str,
        subscriptions: Callable[[], list[dict[str, Any]]],
        inbound: Inbound,
        writer: WriteHandle,
        clock: Clock,
        stop: threading.Event,
        beat: Callable[[], None],
        connect: Callable[[str], Opened] = open_websocket,
        jitter: Callable[[], float] = random.random,
        tap: Tap | None = None,
    ) -> None:
        self._url = url
        self._subscriptions = subscriptions
        self._inbound = inbound
        self._writer = writer
        self._clock = clock
        self._stop = stop
        self._beat = beat
        self._connect = connect
        self._backoff = Backoff()
        self._jitter = jitter
        self._tap = tap
        self.generation = 0
        """Of the latest connection, or try of one; 0 before the first. Written by the ws-reader alone."""
        self._drop = ""
        self._ws: Opened | None = None
        self._session: Session | None = None
        self.next_try_ms = 0
        """While there is no connection: when to make one (monotonic)."""
        self.connecting = False
        """While a connection is being made the reader gives no heartbeat: a name server may keep it waiting."""

    def drop(self, reason: str) -> None:
        """End this connection and begin a new one, as if it had been cut. Any thread.

        Carried out by the reader within a read's time-out; `reason` must not be empty. Without a connection it is
        forgotten when the next one is begun.
        """
        self._drop = reason

    def run(self) -> None:
        """Connect and read until the stop event is set. However it ends, the socket is closed."""
        try:
            while not self._stop.is_set():
                self.step()
        finally:
            self._close()

    def step(self) -> None:
        """One round: connect, or send what is due and read one frame, or wait a while for the next try."""
        self._beat()
        if self._ws is not None and self._session is not None:
            lost = self._read(self._ws, self._session)
        elif (left_ms := self.next_try_ms - self._clock.mono_ms()) > 0:
            self._stop.wait(min(left_ms, 500) / 1000)  # in slices, so that the heartbeat goes on
            return
        else:
            lost = self._open()
        if lost:
            self._lost(lost)

    def _lost(self, reason: str) -> None:
        """The connection is over, or could not be made: tell, and say when the next try is."""
        # Closed first: once posts are told to be lost, none of them can leave any more.
        self._close()
        if self._tap is not None:
            self._tap.link(self.generation, "down", reason)
        if self._stop.is_set():
            return
        delay_ms = self._backoff.next_delay_ms(self._jitter())
        self._inbound.on_disconnected(self.generation, f"{reason}; next try in {delay_ms} ms")
        self.next_try_ms = self._clock.mono_ms() + delay_ms

    def _open(self) -> str:
        """Make a connection; why it could not be made, or ""."""
        self.generation += 1
        self._drop = ""
        self.connecting = True
        try:
            ws = self._connect(self._url)
        except Exception as error:  # noqa: BLE001 whatever it is, it is no reason to end
            return f"cannot connect to {shown_url(self._url)}: {told(str(error), self._url)}"
        finally:
            self._beat()
            self.connecting = False
        self._ws = ws
        self._session = Session(self.generation, self._subscriptions(), self._clock.mono_ms())
        # In this order: nothing leaves before it is known which connection it leaves on.
        if self._tap is not None:
            self._tap.link(self.generation, "up")
        self._inbound.on_connected(self._session)
        self._writer.attach(ws, self.generation)
        return ""

    def _close(self) -> None:
        """Nothing is sent on it any more; the socket goes. Nothing happens without one."""
        ws, self._ws, self._session = self._ws, None, None
        if ws is None:
            return
        self._writer.detach(self.generation)
        try:
            ws.shutdown()
        except (OSError, websocket.WebSocketException):
            self._beat()  # already closed by the other side

    def _read(self, ws: Opened, session: Session) -> str:
        """Send what is due and take one frame; why the connection is over, or ""."""
        now = self._clock.mono_ms()
        for text in session.due(now):
            # What does not leave is not sent again: its acknowledgement, or any frame at all, will then be missed.
            self._writer.send(text)
        if session.dead(now):
            return "silent for 30 s"
        if session.deaf(now):
            return "subscriptions were not acknowledged in time"
        if self._drop:
            return self._drop
        try:
            opcode, data = ws.recv_data()
        except websocket.WebSocketTimeoutException:
            return ""
        except (OSError, websocket.WebSocketException) as error:
            return f"connection lost: {error}"
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return "closed by the exchange"
        if self._tap is not None:
            self._tap.heard(self.generation, data)
        now = self._clock.mono_ms()
        self._inbound.on_event(session, session.receive(data, now), now)
        if self._inbound.ready_for_ms(now) >= RESET_AFTER_MS:
            self._backoff.reset()
        return ""
