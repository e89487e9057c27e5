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

from hip3.clock import SystemClock
from hip3.core.urls import secret_words, told
from hip3.errors import VenueReadError
from hip3.exchange import opening
from hip3.exchange.bounded import BoundedSession
from hip3.exchange.opening import open_websocket
from hip3.exchange.rest import RestClient
from hip3.ops.alerts import Message
from hip3.ops.channels import ping
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
    monkeypatch.setattr(opening, "HANDSHAKE_S", 0.3)
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


def _told_to_go(elsewhere: str) -> Answer:
    def answer(sock: socket.socket, over: threading.Event) -> None:
        sock.recv(65_536)
        head = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://{elsewhere}/exchange\r\nContent-Length: 0\r\n\r\n"
        sock.sendall(head.encode())

    return answer


def test_a_signed_action_goes_to_nobody_whom_an_answer_names() -> None:
    heard = []
    with peer(lambda sock, over: heard.append(sock.recv(65_536))) as wrong, peer(_told_to_go(wrong)) as host:
        client = RestClient(f"http://{host}", SystemClock())
        with pytest.raises(VenueReadError, match="HTTP 307"):
            client.exchange({"action": {"type": "noop"}})
        client.close()
    assert heard == []


def test_a_proxy_of_the_environment_sees_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = []

    def answer(sock: socket.socket, over: threading.Event) -> None:
        sock.recv(65_536)
        sock.sendall(OK + b"Content-Length: 2\r\n\r\n{}")

    with peer(lambda sock, over: heard.append(sock.recv(65_536))) as proxy, peer(answer) as host:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://{proxy}")
        client = RestClient(f"http://{host}", SystemClock())
        assert client.info_json({"type": "meta"}) == {}
        client.close()
        with pytest.raises(websocket.WebSocketException):
            open_websocket(f"ws://{host}/ws")
    assert heard == []


def test_what_an_address_holds_is_in_no_error_that_repeats_it() -> None:
    """A gateway that does not find a page says which: the token in it went to log, status and journal."""
    token = "5up3rs3cr3ttoken"

    def missing(sock: socket.socket, over: threading.Event) -> None:
        path = sock.recv(65_536).split(b" ")[1]
        page = b"<pre>Cannot POST\n " + path + b"</pre>"
        sock.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n" % len(page) + page)

    with peer(missing) as host:
        client = RestClient(f"http://{host}/{token}/v1", SystemClock())
        with pytest.raises(VenueReadError) as error:
            client.info({"type": "meta"})
        client.close()
        with pytest.raises(websocket.WebSocketException) as refused:
            open_websocket(f"ws://{host}/{token}/ws")
    assert "Cannot POST" in str(error.value)
    said = told(str(refused.value), f"ws://{host}/{token}/ws")
    assert "404" in said
    for text in (str(error.value), said):
        assert token not in text
        assert "\n" not in text
        assert len(text) < 300
    assert secret_words(f"https://user:passw0rd@host/{token}?key=abc") == [token, "passw0rd", "user"]


FAILED = {
    "a gateway's page": b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 30\r\n\r\n<html>\n<h1>Bad Gateway</h1>\n</h",
    "the weight": b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 4\r\n\r\nnull",
    "no JSON": OK + b"Content-Length: 6\r\n\r\n<html>",
    "a cut": b"",
}
NAMED = [
    ({"type": "clearinghouseState", "user": "0x" + "1" * 40, "dex": "para"}, "clearinghouseState of dex para: "),
    ({"type": "userFees", "user": "0x" + "1" * 40}, "userFees: "),
]


@pytest.mark.parametrize(("request_", "words"), NAMED, ids=["of a dex", "of the account"])
@pytest.mark.parametrize("answer", FAILED.values(), ids=FAILED)
def test_an_error_names_the_request_and_its_dex_in_one_line(
    answer: bytes, request_: dict[str, str], words: str
) -> None:
    """A reason of the status was `/info: HTTP 500: null`, and nobody could say what could not be read."""

    def fail(sock: socket.socket, over: threading.Event) -> None:
        sock.recv(65_536)
        sock.sendall(answer)

    with peer(fail) as host:
        client = RestClient(f"http://{host}", SystemClock())
        with pytest.raises(VenueReadError) as error:
            client.info_json(request_)
        client.close()
    assert str(error.value).startswith(words)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


def test_a_dead_man_s_address_that_drips_holds_nothing_for_ever() -> None:
    with peer(drip(DRIPS["in the head"])) as host:
        said = ping(f"http://{host}/ping", lambda: BoundedSession(0.3))(
            Message(level="info", over=False, title="", body="")
        )
    assert said.startswith("no answer")
