"""The connection's order of things, with a socket that is none."""

import threading
from types import SimpleNamespace
from typing import Any

import websocket

from hip3.exchange.connection import Connection
from hip3.exchange.protocol import Session
from hip3.exchange.writer import WriteHandle
from tests.fakes import FakeClock


def test_nothing_can_be_sent_before_it_is_known_which_connection_this_is() -> None:
    """Else a round of the tick would be judged for the last one, and refused for it again and again."""
    clock = FakeClock()
    writer = WriteHandle(clock)
    seen: list[bool] = []

    def on_connected(session: Session) -> None:
        seen.append(writer.connected)

    def nothing() -> tuple[int, bytes]:
        raise websocket.WebSocketTimeoutException

    inbound: Any = SimpleNamespace(on_connected=on_connected)
    socket: Any = SimpleNamespace(recv_data=nothing, send=lambda text: None, shutdown=lambda: None)
    connection = Connection(
        url="ws://x", subscriptions=list, inbound=inbound, writer=writer, clock=clock, stop=threading.Event(),
        beat=lambda: None, connect=lambda url: socket,
    )  # fmt: skip
    connection.step()
    assert seen == [False]
    assert writer.connected
