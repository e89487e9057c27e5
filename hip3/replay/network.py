"""Between the service and the exchange of a replay: recorded frames down, orders up, both in simulated time.

The market's frames are the recorded ones, byte for byte, at the times at which they were received; what is about the
account comes from the exchange. Nothing is lost or swapped here.
"""

import heapq
import itertools
from collections.abc import Callable

import msgspec
import requests
import websocket

from hip3.onethread.clock import SimClock
from hip3.onethread.http import Plain
from hip3.onethread.threads import NEVER, Threads
from hip3.replay.source import Source
from hip3.venue.recorded import RecordedVenue
from hip3.venue.serving.output import HttpReply, WsClose

HTTP_TIMEOUT_MS = 5000
FORGET_MS = 1000
"""Between two looks at what of the tapes is over."""
_OURS = ('{"channel":"bbo"', '{"channel":"activeAssetCtx"', '{"channel":"trades"', '{"channel":"l2Book"')


class ReplaySocket:
    """An open WebSocket (`exchange.connection.Opened`)."""

    def __init__(self, network: "Network", conn: int) -> None:
        self._network, self.conn = network, conn
        self.private: list[tuple[int, int, bytes]] = []
        """What the exchange says to us alone, by time; before recorded frames of the same millisecond."""
        self.closed = False

    def next_ms(self) -> int:
        """When there is something to read."""
        if self.closed:
            return 0
        private = self.private[0][0] if self.private else NEVER
        return min(private, self._network.next_frame_ms())

    def market_frame(self) -> bytes | None:
        """The next thing to read, where that is a recorded frame of the market."""
        queue = self._network.source.queue
        if self.closed or not queue or queue[0].kind != "frame":
            return None
        if self.private and self.private[0][0] <= queue[0].at_ms:
            return None
        return queue.popleft().data

    def recv_data(self) -> tuple[int, bytes]:
        """One frame; a time-out if none has arrived."""
        if self.closed:
            raise websocket.WebSocketConnectionClosedException("the recorded connection ended here")
        now, network = self._network.clock.mono_ms(), self._network
        private = self.private[0][0] if self.private else NEVER
        recorded = network.next_frame_ms()
        if min(private, recorded) > now:
            raise websocket.WebSocketTimeoutException("nothing arrived")
        if private <= recorded:
            return websocket.ABNF.OPCODE_TEXT, heapq.heappop(self.private)[2]
        return websocket.ABNF.OPCODE_TEXT, network.take_frame()

    def send(self, payload: str) -> None:
        """One frame goes on its way."""
        if self.closed:
            raise OSError("broken pipe")
        self._network.sent(self, payload)

    def shutdown(self) -> None:
        """Our side is done with it."""
        self._network.hang_up(self)


class Network:
    """See the module. `venue` is set before anything is sent."""

    def __init__(
        self, clock: SimClock, threads: Threads, source: Source, *, http_ms: int, reply_ms: Callable[[str], int],
        offset_ms: int,
    ) -> None:  # fmt: skip
        self.clock, self._threads, self.source = clock, threads, source
        self._http_ms, self._reply_ms, self._offset_ms = http_ms, reply_ms, offset_ms
        self.venue: RecordedVenue
        self._up: list[tuple[int, int, Callable[[int], None]]] = []
        self._serial = itertools.count()
        self._conns = itertools.count(1)
        self._socket: ReplaySocket | None = None
        self._answers: dict[int, Plain] = {}
        self._next_forget_ms = 0

    def exchange_ms(self) -> int:
        """The exchange's time."""
        return self.clock.wall_ms() + self._offset_ms

    # Recorded frames.

    def next_frame_ms(self) -> int:
        """When the next recorded frame is heard; also the end of the recorded connection."""
        queue = self.source.queue
        if queue:
            return queue[0].at_ms
        while not queue and not self.source.ended:
            self.source.ahead(self.source.read_to_ms)
        return queue[0].at_ms if queue else NEVER

    def take_frame(self) -> bytes:
        """The next recorded frame, or the end of the connection."""
        heard = self.source.queue.popleft()
        if heard.kind == "down":
            self._end_connection()
            raise websocket.WebSocketConnectionClosedException(f"recorded: {heard.data.decode()}")
        if heard.kind == "up":  # the recorded connection that ours stands for already
            raise websocket.WebSocketTimeoutException("nothing arrived")
        return heard.data

    def connect(self, url: str) -> ReplaySocket:
        """Open a WebSocket when the recorded one was; what was heard before is nobody's."""
        queue = self.source.queue
        self.next_frame_ms()
        while queue and (queue[0].kind == "down" or queue[0].at_ms < self.clock.mono_ms()):
            queue.popleft()
            self.next_frame_ms()
        if queue and queue[0].kind == "up":
            up = queue.popleft()
            self._threads.sleep(up.at_ms - self.clock.mono_ms())
        elif not queue:
            raise OSError("the recording is over")
        socket = self._socket = ReplaySocket(self, next(self._conns))
        self.venue.connect(socket.conn, self.exchange_ms(), "replay")
        return socket

    def _end_connection(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.closed = True
            self._later(lambda now: self.venue.disconnect(socket.conn), self.clock.mono_ms())

    def hang_up(self, socket: ReplaySocket) -> None:
        """The service closes its end."""
        if self._socket is socket:
            self._end_connection()

    # Ours.

    def _later(self, what: Callable[[int], None], at_ms: int) -> None:
        heapq.heappush(self._up, (at_ms, next(self._serial), what))

    def sent(self, socket: ReplaySocket, text: str) -> None:
        """A frame of the service. A post is with the exchange at once: its way is part of its latency."""
        message = msgspec.json.decode(text)
        subscription = message.get("subscription") or {}
        if message.get("method") == "subscribe" and "user" not in subscription:
            data = {"method": "subscribe", "subscription": subscription}
            ack = msgspec.json.encode({"channel": "subscriptionResponse", "data": data})
            self._private(socket, ack, self.clock.mono_ms() + 2 * self._http_ms)
        elif message.get("method") == "post":
            self.source.ahead(self.clock.mono_ms())  # how long it takes may stand in what is not read yet
            self.venue.ws(socket.conn, text, self.exchange_ms())
        else:
            self._later(lambda now: self.venue.ws(socket.conn, text, now), self.clock.mono_ms() + self._http_ms)

    def _private(self, socket: ReplaySocket, data: bytes, at_ms: int) -> None:
        heapq.heappush(socket.private, (at_ms, next(self._serial), data))

    def request(self, path: str, body: bytes) -> Plain:
        """One HTTP request; the caller waits, the others run."""
        token = next(self._serial)
        self._later(lambda now: self.venue.http(token, path, body, now, "replay"), self.clock.mono_ms() + self._http_ms)
        limit = self.clock.mono_ms() + HTTP_TIMEOUT_MS
        if not self._threads.wait_until(lambda: token in self._answers, limit):
            raise requests.Timeout("no answer")
        return self._answers.pop(token)

    # The exchange's side.

    def due(self) -> int:
        """When the exchange has something to do (monotonic). What it may know by then is read: everybody's time passes
        from here on."""
        self.source.ahead(self.clock.mono_ms())
        due = self.venue.next_due()
        block = NEVER if due >= NEVER else due - self.exchange_ms() + self.clock.mono_ms()
        return min(block, self._up[0][0]) if self._up else block

    def step(self) -> None:
        """What has arrived is handled, what is due happens, what is said is sent."""
        now = self.clock.mono_ms()
        self.source.ahead(now)
        while self._up and self._up[0][0] <= now:
            _, _, what = heapq.heappop(self._up)
            what(self.exchange_ms())
            self._route()
        self.venue.advance(self.exchange_ms())
        self._route()
        if now >= self._next_forget_ms:
            self._next_forget_ms = now + FORGET_MS
            for tape in self.source.tapes.values():
                tape.forget(self.exchange_ms())

    def _route(self) -> None:
        now = self.clock.mono_ms()
        for item in self.venue.take_output():
            if isinstance(item, HttpReply):
                reply = Plain(item.status, item.body)
                token = item.token
                self._later(lambda _, t=token, r=reply: self._answers.__setitem__(t, r), now + self._http_ms)  # type: ignore[misc]
                continue
            socket = self._socket
            if socket is None or socket.conn != item.conn:
                continue
            if isinstance(item, WsClose):
                self._end_connection()
            elif not item.text.startswith(_OURS):
                self._private(socket, item.text.encode(), now + self._reply_ms(str(self.exchange_ms())))
