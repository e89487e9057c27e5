"""The status over HTTP: who is answered, with what, and that a bad client costs nobody anything."""

import contextlib
import http.client
import json
import re
import socket
import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from hip3.clock import SystemClock
from hip3.ops.listeners import Listeners
from hip3.ops.status_http import MOST_CLIENTS, MOST_PER_S, StatusServer, _Quiet
from tests.fakes import FakeClock

STATUS: dict[str, Any] = {"state": "READY", "reasons": []}


@contextlib.contextmanager
def _served(status: dict[str, Any] | None = None, live: Any = None) -> Iterator[StatusServer]:
    def asked() -> dict[str, Any]:
        if status == {}:
            raise KeyError("broken")
        return status or STATUS

    server = StatusServer(
        0, asked, lambda s: f"{s['state']} page\n", lambda: "hip3_up 1\n", SystemClock().mono_ms, live
    )
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join(3)
        assert not thread.is_alive()


def _get(
    server: StatusServer, path: str, *, host: str | None = "127.0.0.1", method: str = "GET", origin: str = ""
) -> tuple[int, str, dict[str, str]]:
    conn = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    conn.putrequest(method, path, skip_host=True)
    if host is not None:
        conn.putheader("Host", host)
    if origin:
        conn.putheader("Origin", origin)
    conn.endheaders()
    answer = conn.getresponse()
    body = answer.read().decode()
    conn.close()
    return answer.status, body, {k.lower(): v for k, v in answer.getheaders()}


def test_each_page() -> None:
    with _served() as server:
        assert _get(server, "/healthz")[:2] == (200, "ok\n")
        assert _get(server, "/readyz")[:2] == (200, "READY\n")
        assert _get(server, "/text")[:2] == (200, "READY page\n")
        assert "<!doctype html>" in _get(server, "/")[1]
        for path in re.findall(r'(?:href|src)="(/page/[^"]+)"', _get(server, "/")[1]):
            assert _get(server, path)[0] == 200, path
        assert json.loads(_get(server, "/status")[1]) == STATUS
        assert _get(server, "/metrics")[:2] == (200, "hip3_up 1\n")
        assert _get(server, "/metrics?x=1")[0] == 200
        assert _get(server, "/metrics")[2]["content-type"].startswith("text/plain; version=")
        assert _get(server, "/status")[2]["content-type"] == "application/json"
        assert _get(server, "/etc/passwd")[0] == 404


@pytest.mark.parametrize("state", ["NOT_READY", "REDUCING", "HARD_STOP"])
def test_ready_only_in_ready_and_what_is_missing_is_the_body(state: str) -> None:
    with _served({"state": state, "reasons": ["one", "two"]}) as server:
        assert _get(server, "/readyz")[:2] == (503, "one\ntwo\n")
        assert _get(server, "/healthz")[0] == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8730", "localhost", "LocalHost:1", "[::1]", "[::1]:99"])
def test_names_of_this_machine_are_answered_with_any_port(host: str) -> None:
    with _served() as server:
        assert _get(server, "/status", host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    [None, "", "example.com", "127.0.0.1.example.com", "localhost.example.com", "[::1].example.com", "[::1", "::1", "127.0.0.2",
     "localhost:80:80", "localhost:x", "user@localhost", "localhost,example.com", "0.0.0.0", "[::1]x"],
)  # fmt: skip
def test_any_other_name_is_refused_before_anything_is_read(host: str | None) -> None:
    with _served({}) as server:  # asking for the status would fail with 500
        for path in ("/", "/status", "/metrics", "/readyz", "/healthz", "/nothing"):
            assert _get(server, path, host=host)[0] == 403, path


@pytest.mark.parametrize(
    "origin", ["http://example.com", "null", "https://127.0.0.1", "http://127.0.0.1:1", "http://localhost"]
)
def test_the_page_of_somebody_else_is_refused_even_on_this_machine(origin: str) -> None:
    with _served({}) as server:
        for path in ("/", "/status", "/events", "/history"):
            assert _get(server, path, origin=origin)[0] == 403, path
    with _served() as server:
        assert _get(server, "/status", origin="http://127.0.0.1")[0] == 200, "its own"


class _Live:
    """The page's source, without a service behind it."""

    def __init__(self) -> None:
        self.listeners, self.asked = Listeners(), list[tuple[str, dict[str, str]]]()
        self.answer: Any = None

    def ask(self, path: str, query: dict[str, str]) -> Any:
        self.asked.append((path, query))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_who_listens_is_handed_over_and_never_answered_to_an_end() -> None:
    live = _Live()
    with _served(live=live) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as conn:
            conn.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            live.listeners.wait(10)
            assert live.listeners.count == 1
            live.listeners.greet(b"data: 1\n\n", 0)
            live.listeners.tell(b"data: 2\n\n", 0)
            with conn.makefile("rb") as heard:
                head = b"".join(iter(heard.readline, b"\r\n"))
                assert b" 200 " in head
                assert b"text/event-stream" in head
                assert b"ontent-Length" not in head
                assert [heard.readline() for _ in range(6)][2::2] == [b"data: 1\n", b"data: 2\n"]
            assert not server._server._open, "it is not among those whose time is bounded"
        live.listeners.close()


def test_what_the_page_asks_of_the_past() -> None:
    live = _Live()
    with _served(live=live) as server:
        live.answer = {"records": []}
        assert _get(server, "/history?market=xyz:GOLD&span=day")[:2] == (200, '{"records": []}')
        live.answer = "order 0x1\n"
        assert _get(server, "/explain?cloid=0x1")[:2] == (200, "order 0x1\n")
        live.answer = None
        assert _get(server, "/explain?cloid=0x2")[0] == 404
        live.answer = sqlite3.OperationalError("disk I/O error")
        assert _get(server, "/search?q=GOLD")[0] == 503
        assert live.asked[0] == ("/history", {"market": "xyz:GOLD", "span": "day"})
    with _served() as server:
        assert _get(server, "/history")[0] == 404, "nothing is behind it"


def test_a_name_in_the_request_line_counts_as_the_host() -> None:
    with _served() as server:
        assert _get(server, "http://example.com/status")[0] == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(method: str) -> None:
    with _served({}) as server:
        status, _, headers = _get(server, "/status", method=method)
        assert (status, headers["allow"]) == (405, "GET, HEAD")


def test_head_has_the_length_and_no_body() -> None:
    with _served() as server:
        status, body, headers = _get(server, "/status", method="HEAD")
        assert (status, body) == (200, "")
        assert int(headers["content-length"]) == len(json.dumps(STATUS))


def test_a_page_that_fails_is_500_and_says_nothing_of_what_is_inside() -> None:
    with _served({}) as server:
        status, body, _ = _get(server, "/status")
        assert (status, "broken" in body) == (500, False)
        assert _get(server, "/healthz")[0] == 200


def test_silent_and_slow_clients_hold_up_neither_others_nor_the_stop() -> None:
    silent: list[socket.socket] = []
    with contextlib.ExitStack() as stack:
        with _served({"state": "READY", "reasons": [], "big": "x" * 3_000_000}) as server:
            for number in range(3 * MOST_CLIENTS):
                conn = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                if number % 3 == 0:
                    silent.append(conn)
                elif number % 3 == 1:
                    conn.sendall(b"GET /status HT")
                elif number % 3 == 2:
                    conn.sendall(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n")  # and never reads the answer
            for _ in range(5):
                assert _get(server, "/healthz")[0] == 200
            assert len(server._server._open) <= MOST_CLIENTS
        # Leaving closed the server with all of them still connected; those that said nothing are told so at once.
        with contextlib.suppress(ConnectionResetError):
            silent[-1].settimeout(2)
            assert silent[-1].recv(100) == b""


def test_a_connection_has_an_end_however_slowly_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0]
    monkeypatch.setattr(_Quiet, "timeout", 60)  # each single read may take its time
    with _served() as server:
        monkeypatch.setattr(server._server, "_mono_ms", lambda: now[0])
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as conn:
            conn.sendall(b"G")
            while not server._server._open:
                assert _get(server, "/healthz")[0] == 200
            now[0] = 6000
            conn.sendall(b"E")
            with contextlib.suppress(ConnectionResetError):
                assert conn.recv(100) == b""


def test_a_port_that_is_taken_is_an_error_and_not_the_end() -> None:
    with _served() as server, pytest.raises(OSError, match="Address already in use"):
        StatusServer(server.port, lambda: STATUS, lambda s: "", lambda: "", SystemClock().mono_ms)
    with socket.socket(socket.AF_INET6) as probe:
        probe.settimeout(1)
        with _served() as server, pytest.raises(OSError):
            probe.connect(("::1", server.port))  # IPv4 loopback alone


def test_a_greedy_client_is_answered_no_faster_than_it_costs_the_others_nothing() -> None:
    """Sixteen clients that asked for /metrics without a pause made the slowest orders eight times slower."""
    clock, waited = FakeClock(), []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        clock.advance(int(seconds * 1000))

    server = StatusServer(0, lambda: STATUS, str, lambda: "hip3_up 1\n", clock.mono_ms)
    server._server.wait = wait  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        began = clock.mono_ms()
        for number in range(3 * MOST_PER_S):
            assert _get(server, "/metrics")[0] == 200
            assert clock.mono_ms() - began >= number // MOST_PER_S * 1000
        assert sum(waited) == 2
    finally:
        server.close()
        thread.join(3)
        assert not thread.is_alive()


def test_one_that_never_served_closes_at_once() -> None:
    """A thread that could not be started left `close` waiting for ever, with the state's lock held."""
    server = StatusServer(0, lambda: STATUS, str, str, SystemClock().mono_ms)
    closing = threading.Thread(target=server.close, daemon=True)
    closing.start()
    closing.join(5)
    assert not closing.is_alive()
