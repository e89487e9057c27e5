"""A mirror over loopback: what passes, what goes upstream, and an upstream that is not well-meaning."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator

import pytest
import requests
import websocket

from hip3.cli import parser
from hip3.clock import SystemClock
from hip3.commands.exchange import mirror_of, mirror_server
from hip3.errors import VenueReadError
from hip3.exchange.embedded import key_number_one
from hip3.exchange.opening import open_websocket
from hip3.exchange.signing import SigningKey, sign_l1_action
from hip3.exchange.wire_out import signed_body
from hip3.venue.market.answers import setup_from
from hip3.venue.market.filling import Fills
from hip3.venue.market.latency import Drawn, parse_latency
from hip3.venue.mirrored import MirrorVenue
from hip3.venue.mirroring import Mirror
from hip3.venue.server import ExchangeServer
from hip3.venue.setup.settings import load_setup
from hip3.venue.upstream.reads import Reads
from hip3.venue.upstream.words import Read
from tests.stories.counting import Counting
from tests.stories.process import eventually, local_exchange

TIMEOUT = 10
GOLD = "xyz:GOLD"
HOSTILE = [
    '{"channel":"post","data":{"id":1,"response":{"type":"action","payload":{"status":"ok"}}}}',
    '{"channel":"orderUpdates","data":[]}', '{"channel":"userFills","data":{"isSnapshot":false,"user":"0x","fills":[]}}',
]  # fmt: skip
"""Answers to orders that nobody sent."""


@contextlib.contextmanager
def mirrored(url: str, seed: int = 1) -> Iterator[ExchangeServer]:
    """A mirror of the exchange at `url`, in threads of the test."""
    mirror = Mirror(url, SystemClock(), lambda text: None)
    found = setup_from(mirror.answers(), load_setup())
    assert found is not None

    def make(now_ms: int) -> MirrorVenue:
        return MirrorVenue(
            found[0], found[1], travels=Drawn(parse_latency("fixed:20", 0), seed), fills=Fills("optimistic"), seed=seed,
            now_ms=now_ms,
        )  # fmt: skip

    server = ExchangeServer(make, SystemClock(), host="127.0.0.1", port=0)
    assert isinstance(server.venue, MirrorVenue)
    mirror.begin(server, server.venue)
    server.start()
    try:
        yield server
    finally:
        mirror.end()
        server.stop()


def _post(server: ExchangeServer, path: str, body: object) -> requests.Response:
    return requests.post(f"http://127.0.0.1:{server.port}/{path}", json=body, timeout=TIMEOUT)


def _socket(server: ExchangeServer, *streams: str) -> websocket.WebSocket:
    ws = websocket.create_connection(f"ws://127.0.0.1:{server.port}/ws", timeout=TIMEOUT)
    for stream in streams:
        ws.send(json.dumps({"method": "subscribe", "subscription": {"type": stream, "coin": GOLD}}))
    return ws


def test_orders_are_filled_here_and_nothing_but_streams_and_reads_goes_upstream() -> None:
    """evidence.md 8.2, case 18: counted at a proxy, while somebody trades and the upstream's connection is cut."""
    with local_exchange(3) as real, contextlib.closing(Counting(real.url)) as proxy, mirrored(proxy.url) as server:
        ws = _socket(server, "bbo", "activeAssetCtx")
        touch = None
        while touch is None:
            message = json.loads(ws.recv())
            if message["channel"] == "bbo":
                touch = message["data"]
        assert real.do(lambda venue, now: venue.engine.markets[GOLD].book.best_ask()) is not None
        meta = _post(server, "info", {"type": "meta", "dex": "xyz"}).json()
        assert meta == real.info(type="meta", dex="xyz")
        asset = 110_000 + [m["name"] for m in meta["universe"]].index(GOLD)
        action = {
            "type": "order",
            "orders": [{"a": asset, "b": True, "p": "4500", "s": "0.01", "r": False, "t": {"limit": {"tif": "Ioc"}}}],
            "grouping": "na",
        }  # fmt: skip
        key, nonce = SigningKey(key_number_one(1)), SystemClock().wall_ms()
        body = signed_body(action, nonce, sign_l1_action(key, action, nonce, mainnet=False))
        answer = _post(server, "exchange", body).json()
        assert answer["status"] == "ok", answer
        assert answer["response"]["data"]["statuses"][0]["filled"]["totalSz"] == "0.01"
        state = _post(server, "info", {"type": "clearinghouseState", "user": key.address, "dex": "xyz"}).json()
        assert state["assetPositions"][0]["position"]["szi"] == "0.01"
        assert _post(server, "info", {"type": "openOrders", "user": key.address}).json() == []
        real.do(lambda venue, now: venue.say_to_all(HOSTILE))
        heard = [json.loads(ws.recv())["channel"] for _ in range(3)]
        assert set(heard) <= {"bbo", "activeAssetCtx", "subscriptionResponse"}
        proxy.cut()
        with pytest.raises(websocket.WebSocketException):  # the gap is passed on
            while True:
                ws.recv()
        ws.shutdown()
        ws = _socket(server, "bbo")
        eventually(lambda: json.loads(ws.recv())["channel"] == "bbo", 10, "touches after the cut")
        ws.close()
        assert real.do(lambda venue, now: sum(venue.books.signed.values())) == 0
        assert {kind.split(" ")[0] for kind in proxy.kinds} == {"ws", "/info"}
        assert proxy.kinds <= {
            *(f"ws {word} {kind}" for word in ("subscribe", "unsubscribe") for kind in ("bbo", "activeAssetCtx", "trades")),
            "ws ping None", "/info perpDexs", "/info metaAndAssetCtxs", "/info meta", "/info exchangeStatus",
        }  # fmt: skip
        assert key.address not in str(proxy.said)


class Elsewhere:
    """Two hosts: one that sends everybody to the other, and that other, which counts who comes."""

    def __init__(self) -> None:
        self.came = 0
        self._sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        self.url = f"http://127.0.0.1:{self._sockets[0].getsockname()[1]}"
        self._other = f"http://127.0.0.1:{self._sockets[1].getsockname()[1]}"
        self._threads = [
            threading.Thread(target=self._serve, args=(s, n), daemon=True) for n, s in enumerate(self._sockets)
        ]
        for thread in self._threads:
            thread.start()

    def _serve(self, listener: socket.socket, number: int) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.came += number
            with client, contextlib.suppress(OSError):
                path = "/ws" if b"/ws" in client.recv(65_536) else "/info"
                client.sendall(
                    f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {self._other}{path}\r\n"
                    "Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
                )

    def close(self) -> None:
        for listener, thread in zip(self._sockets, self._threads, strict=True):
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join(3)


def test_an_upstream_that_sends_us_elsewhere_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """evidence.md 8.2, case 18: a redirect of a read and of the stream, and a proxy that the environment names."""
    with contextlib.closing(Elsewhere()) as hostile:
        with contextlib.closing(Reads(hostile.url)) as reads, pytest.raises(VenueReadError, match="redirect"):
            reads.need(Read("perpDexs"))
        with pytest.raises(websocket.WebSocketException):
            open_websocket("ws" + hostile.url.removeprefix("http") + "/ws")
        assert hostile.came == 0
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, hostile.url)
        with local_exchange(3) as real, contextlib.closing(Reads(real.url)) as reads:
            assert reads.ask(Read("perpDexs"))[0] == 200
            open_websocket("ws" + real.url.removeprefix("http") + "/ws").shutdown()


@pytest.mark.parametrize("body", [b"<html>", b"[null, 5]", b"{}", b'[{"fullName": "xyz"}]'])
def test_an_upstream_that_answers_nonsense_is_one_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    """No market is made of it: the command and the service try again later."""
    monkeypatch.setattr(Reads, "ask", lambda self, read: (200, body))
    args = parser().parse_args(["exchange", "--mirror", "http://127.0.0.1:9", "--port", "0"])
    with pytest.raises(VenueReadError):
        mirror_server(args, None, mirror_of(args))
