"""Between service and exchange: sockets and requests that take time, and lose, double or swap what they carry.

`Network` is the exchange's side of it, `SimSocket` what the service's own class holds. All in monotonic milliseconds.
"""

import heapq
import itertools
import random
from collections.abc import Callable

import requests
import websocket

from hip3.onethread.http import Plain
from hip3.onethread.threads import NEVER
from hip3.simulate.scene import Scene
from hip3.simulate.wire import Call, Fates, Onlooker
from hip3.venue.serving.output import HttpReply, Output, WsClose, WsText

HTTP_TIMEOUT_MS = 5000


class SimSocket:
    """An open WebSocket (`exchange.connection.Opened`)."""

    def __init__(self, network: "Network", conn: int) -> None:
        self._network, self.conn = network, conn
        self.inbox: list[tuple[int, int, str]] = []
        self.sent_ms = self.read_ms = 0
        """When the last frame arrives, of either direction: they keep their order."""
        self.closed = self.lost = False
        """Closed by either side; lost: so is what was under way to the exchange."""

    def next_ms(self) -> int:
        """When there is something to read."""
        return 0 if self.closed else self.inbox[0][0] if self.inbox else NEVER

    def recv_data(self) -> tuple[int, bytes]:
        """One frame; a time-out if none has arrived."""
        if self.closed:
            raise websocket.WebSocketConnectionClosedException("the connection is gone")
        if not self.inbox or self.inbox[0][0] > self._network.clock.mono_ms():
            raise websocket.WebSocketTimeoutException("nothing arrived")
        text = heapq.heappop(self.inbox)[2]
        self._network.scene.heard_ms = self._network.clock.mono_ms()
        if text.startswith('{"channel":"post"'):
            self._network.witness.reply_read(text)
        return websocket.ABNF.OPCODE_TEXT, text.encode()

    def send(self, payload: str) -> None:
        """One frame goes on its way; OSError if the send breaks, perhaps after it left."""
        self._network.send(self, payload)

    def shutdown(self) -> None:
        """Our side is done with it."""
        self._network.hang_up(self)


class Network:
    """See the module."""

    def __init__(self, scene: Scene, witness: Onlooker) -> None:
        self.scene, self.witness = scene, witness
        self.clock, self._threads, self._venue = scene.clock, scene.threads, scene.venue
        self._rng = random.Random(f"{scene.plan.seed}:network")
        self._delay_ms = scene.plan.delay_ms
        self._up: list[tuple[int, int, Callable[[int], None]]] = []
        self._serial = itertools.count()
        self._conns = itertools.count(1)
        self.sockets: dict[int, SimSocket] = {}
        self._calls: dict[int, Call] = {}
        self.mishaps: Fates
        """Set before the first frame: mishaps act on the network, too."""

    def _after(self) -> int:
        """When something sent now arrives: mostly at once, sometimes late."""
        slow = self._rng.random() < 0.05
        return self.clock.mono_ms() + self._rng.randint(0, self._delay_ms * (8 if slow else 1))

    def _send_up(self, what: Callable[[int], None], at_ms: int) -> None:
        heapq.heappush(self._up, (at_ms, next(self._serial), what))

    # The service's side.

    def connect(self, url: str) -> SimSocket:
        """Open a WebSocket; OSError if it is refused."""
        self.mishaps.connecting()
        conn = next(self._conns)
        socket = self.sockets[conn] = SimSocket(self, conn)
        self.scene.heard_ms = self.clock.mono_ms()
        self.witness.connected(conn)
        self._venue.connect(conn, self.scene.exchange_ms(), "sim")
        return socket

    def send(self, socket: SimSocket, text: str) -> None:
        """A frame of the service."""
        if socket.closed:
            self.witness.broke(text)
            raise OSError("broken pipe")
        breaks, late_ms = self.mishaps.sending(text)
        self.witness.sent_frame(socket.conn, text)
        socket.sent_ms = max(self._after() + late_ms, socket.sent_ms)
        self._send_up(lambda now: self._arrive(socket, text, now), socket.sent_ms)
        if breaks:
            self.drop(socket.conn)
            raise OSError("told to break")

    def _arrive(self, socket: SimSocket, text: str, now_ms: int) -> None:
        """What was under way when a connection broke still arrives, or never does."""
        if socket.lost:
            self.witness.lost_frame(socket.conn, text)
        else:
            self._venue.ws(socket.conn, text, now_ms)

    def hang_up(self, socket: SimSocket) -> None:
        """The service closes its end."""
        self.drop(socket.conn)

    def request(self, path: str, body: bytes) -> Plain:
        """One HTTP request; the caller waits, the others run."""
        call, token = Call(path, body), next(self._serial)
        fate = self.mishaps.requesting(call)
        if isinstance(fate, Plain):
            self._threads.sleep(self._delay_ms)
            return fate
        if fate != "lost request":
            self._calls[token] = call
            self.witness.sent_request(token, call)
            self._send_up(lambda now: self._venue.http(token, call.path, call.body, now, "sim"), self._after())
        if fate == "lost reply":
            self._calls.pop(token)
        limit = self.clock.mono_ms() + HTTP_TIMEOUT_MS
        if not self._threads.wait_until(lambda: call.reply is not None or call.broken, limit):
            self._calls.pop(token, None)
            raise requests.Timeout("no answer")
        if call.reply is None:
            raise requests.ConnectionError("the connection broke")
        self.witness.read(call)
        return call.reply

    # The exchange's side.

    def due(self) -> int:
        """When the exchange has something to do."""
        block = self._venue.next_due() - self.scene.exchange_ms() + self.clock.mono_ms()  # in our time
        return min(block, self._up[0][0]) if self._up else block

    def step(self) -> None:
        """What has arrived is handled, what is due happens, what is said is sent."""
        now = self.clock.mono_ms()
        while self._up and self._up[0][0] <= now:
            _, _, what = heapq.heappop(self._up)
            what(self.scene.exchange_ms())
            self._route()
        self._venue.advance(self.scene.exchange_ms())
        self._route()
        self.witness.exchange_moved()

    def _route(self) -> None:
        for item in self._venue.take_output():
            self.witness.said(item)
            self._carry(item)

    def _carry(self, item: Output) -> None:
        if isinstance(item, HttpReply):
            call = self._calls.pop(item.token, None)
            if call is not None:
                reply = Plain(item.status, item.body)
                self._send_up(lambda now: setattr(call, "reply", reply), self._after())
            return
        socket = self.sockets.get(item.conn)
        if socket is None:
            return
        if isinstance(item, WsClose):
            self.drop(item.conn)
            return
        for text, late_ms in self.mishaps.saying(item):
            if late_ms:
                at = self.clock.mono_ms() + late_ms
            else:
                at = socket.read_ms = max(self._after(), socket.read_ms)
            heapq.heappush(socket.inbox, (at, next(self._serial), text))

    def drop(self, conn: int) -> None:
        """The connection breaks: both sides will notice; what is under way to the exchange may still arrive."""
        socket = self.sockets.pop(conn, None)
        if socket is not None:
            socket.closed, socket.lost = True, self._rng.random() < 0.5
            self.witness.closed(conn)
            self._send_up(lambda now: self._venue.disconnect(conn), max(socket.sent_ms, self.clock.mono_ms()))

    def drop_all(self) -> None:
        """Every connection breaks, requests included."""
        for conn in list(self.sockets):
            self.drop(conn)
        for call in self._calls.values():
            call.broken = True
        self._calls.clear()

    def inject(self, texts: list[str]) -> None:
        """Frames out of nowhere, for every socket."""
        for conn in self.sockets:
            for text in texts:
                self._carry(WsText(conn, text))
