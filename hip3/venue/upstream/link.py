"""The upstream's WebSocket: connects, listens, and starts again after a cut, with the service's own back-off.

`run` is the body of one thread. What is wanted is set from elsewhere, as a whole; the loop says the difference. All
that can be said is a `Word` with a `Stream` (`words`). Silence ends a connection as it does the service's.
"""

import random
import threading
from collections.abc import Callable

import websocket

from hip3.core.ports import Clock
from hip3.core.urls import shown_url, told
from hip3.exchange.backoff import RESET_AFTER_MS, Backoff
from hip3.exchange.opening import Opened, open_websocket
from hip3.venue.upstream.words import PUBLIC, Stream, Word, frame_of

PING_AFTER_MS = 15_000
DEAD_AFTER_MS = 30_000
_CHANNEL = b'{"channel":"'


def public_channel(frame: bytes) -> str:
    """The channel of a frame that is passed on; "" for every other one."""
    if not frame.startswith(_CHANNEL):
        return ""
    end = frame.find(b'"', len(_CHANNEL), 60)
    name = frame[len(_CHANNEL) : end].decode(errors="replace") if end > 0 else ""
    return name if name in PUBLIC else ""


def by_turn(stream: Stream) -> tuple[bool, str]:
    """Touches first: a context beside a touch of before a gap would look like an edge."""
    return (stream.type != "bbo", repr(stream))


class Link:
    """See the module. `heard(channel, frame)` and `told(up, why)` are called on the loop's thread."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        heard: Callable[[str, bytes], None],
        link: Callable[[bool, str], None],
        connect: Callable[[str], Opened] = open_websocket,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._url, self._clock, self._heard, self._link = url, clock, heard, link
        self._connect, self._jitter = connect, jitter
        self._backoff = Backoff()
        self._wanted: frozenset[Stream] = frozenset()
        self._asked: set[Stream] = set()
        self._ws: Opened | None = None
        self._began_ms = self._last_ms = self._pinged_ms = self._next_try_ms = 0
        self.stop = threading.Event()

    def want(self, streams: frozenset[Stream]) -> None:
        """These, and no others, from now on. Any thread."""
        self._wanted = streams

    def run(self) -> None:
        """Until `stop` is set."""
        try:
            while not self.stop.is_set():
                self.step()
        finally:
            self._close()

    def step(self) -> None:
        """One round: connect, or say what is due and read one frame, or wait for the next try."""
        now = self._clock.mono_ms()
        if self._ws is not None:
            lost = self._listen(self._ws, now)
        elif now < self._next_try_ms:
            self.stop.wait(min(self._next_try_ms - now, 500) / 1000)
            return
        else:
            lost = self._open()
        if lost:
            self._close()
            delay_ms = self._backoff.next_delay_ms(self._jitter())
            self._next_try_ms = self._clock.mono_ms() + delay_ms
            self._link(False, f"{lost}; next try in {delay_ms} ms")

    def _open(self) -> str:
        try:
            self._ws = self._connect(self._url)
        except Exception as error:  # noqa: BLE001 whatever it is, it is no reason to end
            return f"cannot connect to {shown_url(self._url)}: {told(str(error), self._url)}"
        self._asked.clear()
        self._began_ms = self._last_ms = self._clock.mono_ms()
        self._pinged_ms = 0
        self._link(True, "")
        return ""

    def _close(self) -> None:
        ws, self._ws = self._ws, None
        if ws is not None:
            try:
                ws.shutdown()
            except (OSError, websocket.WebSocketException):
                return  # closed by the other side

    def _listen(self, ws: Opened, now: int) -> str:
        """Why the connection is over, or ""."""
        try:
            self._say_due(ws, now)
            opcode, data = ws.recv_data()
        except websocket.WebSocketTimeoutException:
            return "silent for 30 s" if now - self._last_ms >= DEAD_AFTER_MS else ""
        except (OSError, websocket.WebSocketException) as error:
            return f"connection lost: {error}"
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return "closed by the upstream"
        self._last_ms, self._pinged_ms = self._clock.mono_ms(), 0
        channel = public_channel(data)
        if channel:
            self._heard(channel, data)
        if self._last_ms - self._began_ms >= RESET_AFTER_MS:
            self._backoff.reset()
        return ""

    def _say_due(self, ws: Opened, now: int) -> None:
        wanted = self._wanted
        if wanted != self._asked:
            for stream in sorted(self._asked - wanted, key=repr):
                self._say(ws, Word.UNSUBSCRIBE, stream)
            for stream in sorted(wanted - self._asked, key=by_turn):
                self._say(ws, Word.SUBSCRIBE, stream)
            self._asked = set(wanted)
        if now - self._last_ms >= PING_AFTER_MS and not self._pinged_ms:
            self._pinged_ms = now
            self._say(ws, Word.PING, None)

    def _say(self, ws: Opened, word: Word, stream: Stream | None) -> None:
        ws.send(frame_of(word, stream))
