"""The server's own time."""

import json
import queue
from typing import Any

import pytest

from hip3.venue.server import _STEP_MS, ExchangeServer
from hip3.venue.setup.settings import load_setup
from hip3.venue.venue import HttpReply, Venue, WsText
from tests.venue.desk import GOLD, GOLD_ID, START, Desk


class _Clock:
    """A machine's clock that stands until it is moved. Safe: one assignment."""

    ms = 1_790_000_000_000

    def wall_ms(self) -> int:
        return self.ms

    def mono_ms(self) -> int:
        return self.ms

    def mono_us(self) -> int:
        return self.ms * 1000


def _at(server: ExchangeServer) -> int:
    """The exchange's time by its own thread."""
    answer: queue.SimpleQueue[int] = queue.SimpleQueue()
    server.call(answer.put)
    return answer.get(timeout=60)


@pytest.mark.parametrize("speed", [1.0, 300.0])
def test_a_fast_exchange_that_falls_behind_answers_and_catches_nothing_up(speed: float) -> None:
    """A day's time of a machine that was away: at speed 1 the exchange lives through it, faster it goes on from where it was."""

    def make(now_ms: int, kept: Any = None) -> Venue:
        return Venue(load_setup(), seed=1, profile="lively", now_ms=now_ms, latency_ms=100, limited=False)

    clock = _Clock()
    server = ExchangeServer(make, clock, host="127.0.0.1", port=0, speed=speed)
    server.start()
    try:
        began = _at(server)
        clock.ms += 3000
        after = _at(server)
        if speed == 1:
            assert after == began + 3000
        else:
            assert began < after <= began + 2 * _STEP_MS * speed
            assert _at(server) == after, "nothing is caught up"
            clock.ms += 10
            assert _at(server) == after + 10 * speed
    finally:
        server.stop()


DEEP = b"[" * 5000
MADE_UP: list[tuple[str, bytes]] = [
    ("/info", DEEP), ("/exchange", DEEP), ("/control", DEEP),
    ("/info", b'{"type":"candleSnapshot","req":{"coin":"xyz:GOLD","interval":"1M","startTime":100000000000000000000000}}'),
    *(("/control", b'{"clock":%b}' % wish) for wish in (b"{}", b"true", b"null", b'["pause"]', b'{"step_ms":-1}')),
    *(("/control", b'{"move":{"coin":"xyz:GOLD","px":"%b"}}' % px) for px in (b"0", b"-5", b"NaN", b"1e99", b"Infinity")),
    ("/control", b'{"move":{"coin":"xyz:NONE","px":"5"}}'),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body"), MADE_UP)
def test_whatever_a_client_makes_up_is_answered_and_changes_nothing(path: str, body: bytes) -> None:
    venue = Venue(load_setup(), seed=1, profile="lively", now_ms=START, limited=False)
    book = venue.engine.markets[GOLD].book
    before = (book.best_bid(), book.best_ask())
    venue.http(1, path, body, START)
    replies = [item for item in venue.take_output() if isinstance(item, HttpReply)]
    assert [reply.status for reply in replies] in ([400], [422])
    assert (book.best_bid(), book.best_ask()) == before
    venue.advance(START + 5000)


def test_a_subscription_for_what_is_no_address_is_an_error_frame() -> None:
    venue = Venue(load_setup(), seed=1, profile="lively", now_ms=START, limited=False)
    venue.connect(1, START)
    odd = {"type": "activeAssetData", "user": "z" * 42, "coin": GOLD}
    venue.ws(1, json.dumps({"method": "subscribe", "subscription": odd}), START)
    venue.ws(1, "[" * 5000, START)
    texts = [item.text for item in venue.take_output() if isinstance(item, WsText)]
    assert [json.loads(text)["channel"] for text in texts] == ["error", "error"]
    venue.advance(START + 5000)


def test_a_request_that_breaks_the_exchange_s_own_code_does_not_end_it() -> None:
    clock = _Clock()
    server = ExchangeServer(
        lambda now: Venue(load_setup(), seed=1, profile="lively", now_ms=now), clock, host="127.0.0.1", port=0
    )
    server.start()
    try:
        server.call(lambda now: 1 // 0)
        assert _at(server) >= clock.ms
        assert server.alive
    finally:
        server.stop()


def test_a_touch_that_goes_back_to_what_an_earlier_listener_saw_is_told() -> None:
    desk = Desk()
    one, two = desk.key(1, "100000"), desk.key(2, "100000")
    desk.venue.connect(1, desk.now)
    wish = {"type": "bbo", "coin": GOLD}

    def say(method: str) -> list[Any]:
        desk.venue.ws(1, json.dumps({"method": method, "subscription": wish}), desk.now)
        return desk.frames()

    say("subscribe")
    desk.order(one, True, "4000", "1")
    assert [f["data"]["bbo"][0]["px"] for f in desk.wait(200) if f["channel"] == "bbo"] == ["4000.0"]
    say("unsubscribe")
    better = desk.order(two, True, "4001", "1")["resting"]["oid"]
    desk.wait(200)
    assert say("subscribe")[-1]["data"]["bbo"][0]["px"] == "4001.0"
    desk.act(two, {"type": "cancel", "cancels": [{"a": GOLD_ID, "o": better}]})
    assert [f["data"]["bbo"][0]["px"] for f in desk.wait(200) if f["channel"] == "bbo"] == ["4000.0"]
