"""Opening a WebSocket: within a bound, without a proxy, to nobody but the host that was named. IO."""

import socket as _socket
from typing import Any, Protocol

import websocket

from hip3.exchange.bounded import Overdue
from hip3.exchange.channel import Channel

READ_TIMEOUT_S = 0.1
"""How long a read waits for a frame: so often, at least, pings, time-outs and the wish to stop are looked at."""
CONNECT_TIMEOUT_S = 4.0
"""For each address and step of connecting; a name server is not bound by it."""
HANDSHAKE_S = 10.0
"""For all steps together."""


class Opened(Protocol):
    """An open WebSocket: `exchange.channel.Channel`, or the simulation's."""

    def recv_data(self) -> tuple[int, bytes]:
        """See `Channel.recv_data`; it must come back within about `READ_TIMEOUT_S`."""
        ...

    def send(self, payload: str) -> object:
        """One text frame, whole; any error leaves it open what was sent."""
        ...

    def shutdown(self) -> None:
        """Close at once; a second time does no harm beyond OSError or WebSocketException."""
        ...


def open_websocket(url: str) -> Opened:
    """Connect with websocket-client's low-level call: it starts no thread of its own.

    Blocks for name server, TCP, TLS and handshake. Whatever it raises, there is no connection.
    """
    ws: Any = websocket.WebSocket(
        sockopt=[(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)],
        skip_utf8_validation=True,
        enable_multithread=True,  # its own lock: it answers pings and closes from the reading side
    )
    with Overdue(HANDSHAKE_S, lambda: ws.sock) as call:
        ws.connect(
            url,
            timeout=CONNECT_TIMEOUT_S,
            # A proxy of the environment must not see signed actions. The library looks at the list of those that go
            # without one only where it is given a proxy, which "*" then never lets it ask.
            http_proxy_host="none",
            http_proxy_port=9,
            http_no_proxy=["*"],
            redirect_limit=0,  # they go to whom they were sent, and to nobody he names
        )
    if call.passed:  # at the last moment: it is shut down already
        ws.shutdown()
        raise websocket.WebSocketTimeoutException("the handshake took too long")
    if getattr(ws.handshake_response, "status", None) != 101:  # the library takes a redirect for an open connection
        ws.shutdown()
        raise websocket.WebSocketException("it answered with a redirect, which is not followed")
    ws.settimeout(READ_TIMEOUT_S)
    return Channel(ws)
