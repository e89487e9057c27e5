"""The embedded exchange's WebSocket, frame by frame, on its core."""

import itertools
from typing import Any

import msgspec
import pytest

from hip3.venue.answers.info import answer
from hip3.venue.setup.parameters import Parameters
from hip3.venue.setup.settings import load_setup
from hip3.venue.venue import Venue, WsClose, WsText

START = 1_790_000_000_000
USER = "0x" + "ab" * 20


class Client:
    """One socket on the core."""

    def __init__(self, **parameters: Any) -> None:
        setup = msgspec.structs.replace(load_setup(), parameters=Parameters(**parameters))
        self.venue = Venue(setup, seed=1, profile="lively", now_ms=START)
        self.now = START
        self.venue.connect(1)
        self.closed = False

    def ask(self, message: Any) -> list[Any]:
        self.venue.ws(1, message if isinstance(message, str) else msgspec.json.encode(message).decode(), self.now)
        return self.take()

    def take(self) -> list[Any]:
        out = []
        for item in self.venue.take_output():
            if isinstance(item, WsText):
                out.append(msgspec.json.decode(item.text))
            elif isinstance(item, WsClose):
                self.closed = True
        return out

    def subscribe(self, **subscription: Any) -> list[Any]:
        return self.ask({"method": "subscribe", "subscription": subscription})

    def wait(self, ms: int) -> list[Any]:
        self.now += ms
        self.venue.advance(self.now)
        return self.take()


@pytest.fixture
def client() -> Client:
    return Client()


def test_the_acknowledgement_comes_before_the_data(client: Client) -> None:
    frames = client.subscribe(type="userFills", user=USER)
    assert [f["channel"] for f in frames] == ["subscriptionResponse", "userFills"]
    assert frames[0]["data"] == {"method": "subscribe", "subscription": {"type": "userFills", "user": USER}}
    assert frames[1]["data"] == {"isSnapshot": True, "user": USER, "fills": []}


def test_order_updates_of_an_account_without_orders_stay_silent(client: Client) -> None:
    assert [f["channel"] for f in client.subscribe(type="orderUpdates", user=USER)] == ["subscriptionResponse"]
    assert client.wait(5000) == []


def test_an_unlisted_coin_closes_the_socket_without_a_word(client: Client) -> None:
    assert client.subscribe(type="bbo", coin="GOLD") == []
    assert client.closed


@pytest.mark.parametrize(
    "message", ["not json", "5", {"method": "subscribe"}, {"method": "subscribe", "subscription": {"type": "nope"}}]
)
def test_what_is_no_request_gets_an_error_frame_and_the_socket_lives(client: Client, message: Any) -> None:
    frames = client.ask(message)
    assert [f["channel"] for f in frames] == ["error"]
    assert frames[0]["data"].startswith("Error parsing JSON into valid websocket request")
    assert client.ask({"method": "ping"}) == [{"channel": "pong"}]


def test_a_second_subscription_and_a_second_unsubscription_are_errors(client: Client) -> None:
    client.subscribe(type="bbo", coin="xyz:GOLD")
    again = client.subscribe(type="bbo", coin="xyz:GOLD")
    assert again == [{"channel": "error", "data": 'Already subscribed: {"type":"bbo","coin":"xyz:GOLD"}'}]
    gone = {"method": "unsubscribe", "subscription": {"type": "bbo", "coin": "xyz:GOLD"}}
    assert client.ask(gone)[0]["data"]["method"] == "unsubscribe"
    assert client.ask(gone)[0]["data"].startswith("Already unsubscribed")


def test_bbo_comes_only_when_the_touch_changed_and_contexts_once_a_second(client: Client) -> None:
    client.subscribe(type="bbo", coin="xyz:TSLA")
    client.subscribe(type="activeAssetCtx", coin="xyz:TSLA")
    frames = [f for _ in range(300) for f in client.wait(70)]
    touches = [f["data"]["bbo"] for f in frames if f["channel"] == "bbo"]
    assert len(touches) > 10
    assert all(a != b for a, b in itertools.pairwise(touches))
    contexts = [f["data"]["ctx"] for f in frames if f["channel"] == "activeAssetCtx"]
    assert 18 <= len(contexts) <= 22
    assert set(contexts[0]) == {
        "funding", "openInterest", "prevDayPx", "dayNtlVlm", "premium", "oraclePx", "markPx", "midPx", "impactPxs",
        "dayBaseVlm",
    }  # fmt: skip


def test_mids_of_a_builder_dex_say_so_and_those_of_the_main_one_do_not(client: Client) -> None:
    frames = [*client.subscribe(type="allMids"), *client.subscribe(type="allMids", dex="xyz"), *client.wait(5500)]
    mids = [f["data"] for f in frames if f["channel"] == "allMids"]
    assert [data.get("dex") for data in mids] == [None, "xyz", None, "xyz"]
    assert all(coin.startswith("xyz:") is ("dex" in data) for data in mids for coin in data["mids"])


def test_the_main_dex_by_its_empty_name_is_heard_on(client: Client) -> None:
    assert [f["channel"] for f in client.subscribe(type="allMids", dex="")] == ["subscriptionResponse", "allMids"]
    assert [f["channel"] for f in client.wait(5500)] == ["allMids"]
    assert client.subscribe(type="allMids")[0]["channel"] == "error"


def test_a_post_of_a_read_is_wrapped_once_more(client: Client) -> None:
    ask = {"method": "post", "id": 9, "request": {"type": "info", "payload": {"type": "l2Book", "coin": "xyz:GOLD"}}}
    data = client.ask(ask)[0]["data"]
    assert data["id"] == 9
    payload = data["response"]["payload"]
    assert (data["response"]["type"], payload["type"], payload["data"]["coin"]) == ("info", "l2Book", "xyz:GOLD")


def test_a_post_that_does_not_parse_answers_with_its_http_status(client: Client) -> None:
    ask = {
        "method": "post",
        "id": 9,
        "request": {"type": "action", "payload": {"action": {"type": "dance"}, "nonce": 1}},
    }
    response = client.ask(ask)[0]["data"]["response"]
    assert response["type"] == "error"
    assert response["payload"].startswith("422 Failed to deserialize")


def test_a_post_s_error_is_the_status_and_text_of_http_and_an_echo_the_client_s_own_text(client: Client) -> None:
    ask = {"method": "post", "id": 3, "request": {"type": "info", "payload": {"type": "meta", "dex": "nope"}}}
    assert client.ask(ask)[0]["data"]["response"] == {"type": "error", "payload": "500 null"}
    text = '{"method":  "post", "id": "x", "request": {"type": "info"}}'
    (frame,) = client.ask(text)
    assert frame["data"].endswith(text)


def test_the_status_of_an_order_by_half_a_cloid_is_not_asked_for(client: Client) -> None:
    user = "0x" + "1" * 40
    request = {"type": "orderStatus", "user": user, "oid": "0x12"}
    assert answer(client.venue.books, request, client.now)[0] == 422
    assert answer(client.venue.books, request | {"oid": "0x" + "1" * 32}, client.now)[1] == {"status": "unknownOid"}


def test_the_same_seed_gives_the_same_market() -> None:
    def run(seed: int) -> list[str]:
        venue = Venue(load_setup(), seed=seed, profile="lively", now_ms=START)
        venue.advance(START + 30_000)
        return [
            f"{c} {m.oracle} {m.mark} {m.book.depth(is_buy=True, levels=3)}" for c, m in venue.engine.markets.items()
        ]

    assert run(5) == run(5)
    assert run(5) != run(6)


def test_the_oracle_is_published_about_every_three_seconds_and_moves_at_most_one_percent(client: Client) -> None:
    market, seen = client.venue.engine.markets["xyz:TSLA"], []
    for _ in range(2000):
        client.wait(70)
        if not seen or seen[-1][1] != market.oracle:
            seen.append((client.now, market.oracle))
    gaps = [b[0] - a[0] for a, b in itertools.pairwise(seen)]
    assert 2500 < sorted(gaps)[len(gaps) // 2] < 3500
    assert all(abs(b[1] / a[1] - 1) <= 1 / 100 for a, b in itertools.pairwise(seen))


def _gaps(client: Client, **subscription: Any) -> float:
    """Mean time between the frames of a stream that follow its first."""
    client.subscribe(**subscription)
    at = []
    for _ in range(6000):
        at += [client.now] * len(client.wait(10))
    return (at[-1] - at[1]) / (len(at) - 2)


@pytest.mark.parametrize(
    ("subscription", "usual_ms", "parameter"),
    [
        ({"type": "activeAssetCtx", "coin": "xyz:GOLD"}, 1000, "contexts_ms"),
        ({"type": "allDexsAssetCtxs"}, 13_600, "all_contexts_ms"),
        ({"type": "l2Book", "coin": "xyz:GOLD"}, 5400, "books_ms"),
        ({"type": "l2Book", "coin": "xyz:GOLD", "fast": True}, 540, "fast_books_ms"),
        ({"type": "allMids", "dex": "xyz"}, 5000, "mids_ms"),
    ],
)
def test_a_stream_comes_as_measured_or_as_slowly_as_is_configured(
    subscription: dict[str, Any], usual_ms: int, parameter: str
) -> None:
    assert _gaps(Client(), **subscription) == pytest.approx(usual_ms, rel=0.15)
    assert _gaps(Client(**{parameter: 15_000}), **subscription) == pytest.approx(15_000, rel=0.1)
