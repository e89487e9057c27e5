"""Limits per IP: weight, sockets, messages, users, posts; nobody without an address is limited."""

from typing import Any

import msgspec
import pytest

from hip3.venue.serving import limits
from hip3.venue.serving.limits import weight_of
from hip3.venue.serving.output import HttpReply, WsClose, WsText
from hip3.venue.setup.settings import load_setup
from hip3.venue.venue import Venue
from tests.venue.desk import GOLD, START

IP = "10.0.0.1"


class Net:
    """Requests of one IP on the core."""

    def __init__(self, latency_ms: int = 0) -> None:
        self.venue = Venue(load_setup(), seed=1, profile="lively", now_ms=START, latency_ms=latency_ms)
        self.now = START
        self._token = 0

    def post(self, request: Any, ip: str = IP, path: str = "/info") -> HttpReply:
        self._token += 1
        self.venue.http(self._token, path, msgspec.json.encode(request), self.now, ip)
        return next(o for o in self.venue.take_output() if isinstance(o, HttpReply))

    def open(self, conn: int, ip: str = IP) -> bool:
        self.venue.connect(conn, self.now, ip)
        return not any(isinstance(o, WsClose) for o in self.venue.take_output())

    def send(self, conn: int, message: Any) -> list[Any]:
        self.venue.ws(conn, msgspec.json.encode(message).decode(), self.now)
        out = self.venue.take_output()
        return [msgspec.json.decode(o.text) if isinstance(o, WsText) else o for o in out]


@pytest.fixture
def net() -> Net:
    return Net()


@pytest.mark.parametrize(
    ("path", "request_", "answer", "weight"),
    [
        ("/info", {"type": "l2Book"}, None, 2),
        ("/info", {"type": "orderStatus"}, None, 2),
        ("/info", {"type": "meta"}, None, 20),
        ("/info", {"type": "userRole"}, None, 60),
        ("/info", {"type": "userFills"}, [0] * 45, 2),
        ("/info", {"type": "candleSnapshot"}, [0] * 125, 2),
        ("/info", {"type": "openOrders"}, [0] * 45, 0),
        ("/exchange", {"action": {"type": "order", "orders": [0] * 39}}, None, 1),
        ("/exchange", {"action": {"type": "cancel", "cancels": [0] * 80}}, None, 3),
        ("/exchange", {"action": {"type": "noop"}}, None, 1),
    ],
)
def test_the_weight_of_a_request(path: str, request_: Any, answer: Any, weight: int) -> None:
    assert weight_of(path, request_, answer) == weight


def test_twelve_hundred_a_minute_then_429_until_the_minute_is_over(net: Net) -> None:
    assert [net.post({"type": "meta"}).status for _ in range(60)] == [200] * 60
    refused = net.post({"type": "exchangeStatus"})
    assert (refused.status, refused.body, refused.plain) == (429, b"null", True)
    assert net.post({"type": "exchangeStatus"}, ip="10.0.0.2").status == 200
    assert net.post({"type": "exchangeStatus"}, ip="").status == 200
    net.now += 59_000
    assert net.post({"type": "exchangeStatus"}).status == 429
    net.now += 1000
    assert net.post({"type": "meta"}).status == 200


def test_posts_count_against_the_same_weight(net: Net) -> None:
    net.open(1)
    for _ in range(60):
        net.post({"type": "meta"})
    ask = {"method": "post", "id": 4, "request": {"type": "info", "payload": {"type": "meta"}}}
    (frame,) = net.send(1, ask)
    assert frame["data"] == {"id": 4, "response": {"type": "error", "payload": "429 null"}}


def test_ten_sockets_and_thirty_new_ones_a_minute(net: Net) -> None:
    assert [net.open(n) for n in range(11)] == [True] * 10 + [False]
    assert net.open(50, ip="10.0.0.2")
    for n in range(11):
        net.venue.disconnect(n)
    for n in range(20, 40):
        assert net.open(n)
        net.venue.disconnect(n)
    assert not net.open(40)
    net.now += 60_000
    assert net.open(41)


def test_two_thousand_messages_a_minute(net: Net) -> None:
    net.open(1)
    for _ in range(limits.MAX_MESSAGES):
        assert net.send(1, {"method": "ping"}) == [{"channel": "pong"}]
    said = {"channel": "error", "data": "Cannot send more than 2000 messages per minute."}
    assert net.send(1, {"method": "ping"}) == [said, WsClose(1)]


def test_a_hundred_posts_under_way() -> None:
    net = Net(latency_ms=100)
    net.open(1)
    action = {"type": "action", "payload": {"action": {"type": "noop"}, "nonce": 1}}
    for n in range(limits.MAX_POSTS):
        assert net.send(1, {"method": "post", "id": n, "request": action}) == []
    too_many = net.send(1, {"method": "post", "id": 7, "request": action})
    assert too_many == [{"channel": "error", "data": "too many pending post requests id=7"}]
    net.now += 200
    net.venue.advance(net.now)
    net.venue.take_output()
    assert net.send(1, {"method": "post", "id": 8, "request": action}) == []


def test_fourteen_users_on_all_sockets_of_an_ip(net: Net) -> None:
    net.open(1)
    net.open(2)
    for n in range(14):
        answer = net.send(
            1 + n % 2, {"method": "subscribe", "subscription": {"type": "userFills", "user": f"0x{n:040x}"}}
        )
        assert answer[0]["channel"] == "subscriptionResponse"
    other = {"method": "subscribe", "subscription": {"type": "userFills", "user": "0x" + "f" * 40}}
    assert net.send(1, other) == [{"channel": "error", "data": "Cannot track more than 15 total users."}]
    known = {"method": "subscribe", "subscription": {"type": "orderUpdates", "user": f"0x{1:040x}"}}
    assert net.send(2, known)[0]["channel"] == "subscriptionResponse"


def test_a_thousand_subscriptions(net: Net) -> None:
    net.open(1)
    user = "0x" + "1" * 40
    net.venue.hub._by_conn[1] = {f"x{n}": {"type": "userFills", "user": user} for n in range(1000)}
    (frame,) = net.send(1, {"method": "subscribe", "subscription": {"type": "bbo", "coin": GOLD}})
    assert frame == {"channel": "error", "data": "Cannot subscribe to more than 1000 channels."}
    net.venue._limits._ip_of[1] = ""  # an exchange without limits
    answer = net.send(1, {"method": "subscribe", "subscription": {"type": "bbo", "coin": GOLD}})
    assert answer[0]["channel"] == "subscriptionResponse"


def test_without_limits_an_ip_may_ask_as_much_as_it_likes(net: Net) -> None:
    net.venue = Venue(load_setup(), seed=1, profile="lively", now_ms=START, limited=False)
    assert {net.post({"type": "userRole", "user": "0x" + "1" * 40}).status for _ in range(30)} == {200}
    assert all(net.open(conn) for conn in range(1, 40))
