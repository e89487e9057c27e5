"""Peers that keep a call going: each ends as a whole, over plain sockets and over TLS, and nobody is followed."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests
import websocket

from hip3.exchange import connection
from hip3.exchange.bounded import BoundedSession
from hip3.exchange.connection import open_websocket
from tests.exchange.tls import certificate

OK = b"HTTP/1.1 200 OK\r\n"
DRIPS = {
    "in the head": b"HTTP/1.1 200 OK\r\nX: ",
    "in the body": OK + b"Content-Length: 1000000\r\n\r\n",
    "in a body without an end": OK + b"Connection: close\r\n\r\n",
    "in a chunk": OK + b"Transfer-Encoding: chunked\r\n\r\nfffff\r\n",
    "before the head": b"",
}
Answer = Callable[[socket.socket, threading.Event], None]


@contextmanager
def peer(answer: Answer, pem: Path | None = None) -> Iterator[str]:
    """A server that gives each connection to `answer`; its host and port."""
    listening, over = socket.create_server(("127.0.0.1", 0)), threading.Event()
    context = None
    if pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
    threads: list[threading.Thread] = []

    def serve(plain: socket.socket) -> None:
        with suppress(OSError), plain if context is None else context.wrap_socket(plain, server_side=True) as sock:
            answer(sock, over)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threads.append(threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True))
                threads[-1].start()

    threads.append(threading.Thread(target=accept, daemon=True))
    threads[0].start()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        over.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for thread in threads:
            thread.join(5)


def drip(start: bytes) -> Answer:
    """After the request: `start`, then a byte now and then until the other side is gone."""

    def answer(sock: socket.socket, over: threading.Event) -> None:
        sock.recv(65_536)
        sock.sendall(start)
        while not over.wait(0.02):
            sock.sendall(b"x")

    return answer


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("start", DRIPS.values(), ids=DRIPS)
def test_an_answer_that_drips_ends_and_the_next_call_is_a_fresh_one(tmp_path: Path, start: bytes, secure: bool) -> None:
    pem = certificate(tmp_path) if secure else None
    with peer(drip(start), pem) as host, BoundedSession(0.3) as session:
        for _ in range(2):
            with pytest.raises(requests.Timeout):
                session.post(f"http{'s' * secure}://{host}/info", data=b"{}", timeout=5, verify=str(pem or False))


def test_one_connection_carries_many_calls() -> None:
    def answer(sock: socket.socket, over: threading.Event) -> None:
        request = b""
        while part := sock.recv(65_536):
            request += part
            if request.endswith(b"{}"):  # the body may come by itself
                sock.sendall(OK + b"Content-Length: 2\r\n\r\nok")
                request = b""

    opened = []
    with peer(lambda sock, over: (opened.append(1), answer(sock, over))[1]) as host, BoundedSession(30) as session:
        for _ in range(5):
            assert session.post(f"http://{host}/fast", data=b"{}", timeout=5).text == "ok"
    assert opened == [1]


def test_a_handshake_that_drips_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HANDSHAKE_S", 0.3)
    start = b"HTTP/1.1 101 Switching Protocols\r\nX: "
    with peer(drip(start)) as host, pytest.raises((OSError, websocket.WebSocketException)):
        open_websocket(f"ws://{host}/ws")


def test_nobody_is_followed_elsewhere() -> None:
    elsewhere = []

    def other(sock: socket.socket, over: threading.Event) -> None:
        elsewhere.append(sock.recv(65_536))

    with peer(other) as wrong:

        def redirect(sock: socket.socket, over: threading.Event) -> None:
            sock.recv(65_536)
            sock.sendall(f"HTTP/1.1 302 Found\r\nLocation: ws://{wrong}/ws\r\nContent-Length: 0\r\n\r\n".encode())

        with peer(redirect) as host, pytest.raises(websocket.WebSocketException):
            open_websocket(f"ws://{host}/ws")
    assert elsewhere == []
