"""A mirrored market without sockets: frames unchanged, orders at their own time, nothing invented."""

import json
from typing import Any

import pytest

from hip3.venue.market.answers import setup_from
from hip3.venue.market.filling import Fills
from hip3.venue.mirrored import LEAST_HOLD_MS, MirrorVenue, Ways
from hip3.venue.serving.gateway import Http, Post
from hip3.venue.serving.output import HttpReply, WsClose, WsText
from hip3.venue.setup.settings import load_setup
from hip3.venue.upstream.words import Read, Stream
from hip3.venue.venue import Venue
from tests.replay.paper import answers_of

T0 = 1_790_000_000_000
GOLD, TSLA = "xyz:GOLD", "xyz:TSLA"


class Rig:
    """A mirror, one client, and its upstream's frames by hand."""

    def __init__(self, travels_ms: int = 100) -> None:
        real = Venue(load_setup(), seed=1, profile="lively", now_ms=T0, limited=False)
        found = setup_from(answers_of(real, T0), load_setup())
        assert found is not None
        self.now = T0
        self.wanted: frozenset[Stream] = frozenset()
        self.asked: list[tuple[Http | Post, Read]] = []
        self.venue = MirrorVenue(
            found[0], found[1], travels=lambda now, request: travels_ms, fills=Fills(), seed=1, now_ms=T0, limited=False
        )
        self.venue.wants = lambda streams: setattr(self, "wanted", streams)
        self.venue.asks = lambda asked, read: self.asked.append((asked, read))
        self.venue.link(T0, up=True)
        self.venue.connect(1, T0)

    def out(self) -> list[Any]:
        return self.venue.take_output()

    def say(self, **message: Any) -> list[str]:
        """A client's message; the frames that answer it."""
        self.venue.ws(1, json.dumps(message), self.now)
        return [o.text for o in self.out() if isinstance(o, WsText)]

    def subscribe(self, **subscription: Any) -> list[str]:
        return self.say(method="subscribe", subscription=subscription)

    def pass_ms(self, ms: int) -> None:
        self.now += ms
        self.venue.advance(self.now)

    def touch(self, bid: str, ask: str, *, late_ms: int = 10, coin: str = GOLD, sz: str = "1") -> str:
        sides = [{"px": bid, "sz": sz, "n": 1}, {"px": ask, "sz": sz, "n": 1}]
        text = json.dumps(
            {"channel": "bbo", "data": {"coin": coin, "time": self.now - late_ms, "bbo": sides}}, separators=(",", ":")
        )
        self.venue.frame("bbo", text.encode(), self.now)
        return text

    def order(self, px: str, *, is_buy: bool = True) -> None:
        market = self.venue.engine.markets[GOLD]
        order = {
            "a": market.info.asset_id,
            "b": is_buy,
            "p": px,
            "s": "0.01",
            "r": False,
            "t": {"limit": {"tif": "Ioc"}},
        }
        # Unsigned: what is refused is refused at the time at which it would have been executed.
        self.venue.http(
            7, "/exchange", json.dumps({"action": {"type": "order", "orders": [order]}, "nonce": 1}).encode(), self.now
        )


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_frame_reaches_who_listens_as_it_came_and_nobody_else(rig: Rig) -> None:
    assert len(rig.subscribe(type="bbo", coin=GOLD)) == 1  # the acknowledgement, and no touch of our own making
    text = rig.touch("4000", "4001")
    rig.touch("300", "301", coin=TSLA)
    assert [(o.conn, o.text) for o in rig.out()] == [(1, text)]
    rig.venue.connect(2, rig.now)
    rig.venue.ws(2, json.dumps({"method": "subscribe", "subscription": {"type": "bbo", "coin": GOLD}}), rig.now)
    assert [o.text for o in rig.out()][1:] == [text]  # the newest, for who comes later


def test_the_upstream_is_asked_for_what_fills_are_judged_by_and_for_what_is_heard(rig: Rig) -> None:
    rig.subscribe(type="l2Book", coin=TSLA)
    rig.out()
    kinds = {(s.type, s.coin) for s in rig.wanted}
    assert kinds == {(k, TSLA) for k in ("l2Book", "bbo", "activeAssetCtx", "trades")}
    rig.order("4001")
    rig.out()
    assert {s.coin for s in rig.wanted} == {TSLA, GOLD}
    rig.say(method="unsubscribe", subscription={"type": "l2Book", "coin": TSLA})
    rig.out()
    assert {s.coin for s in rig.wanted} == {GOLD}


@pytest.mark.parametrize(
    "subscription",
    [
        {"type": "bbo", "coin": GOLD, "depth": 5}, {"type": "bbo", "coin": "PURR/USDC"}, {"type": "fastAssetCtxs"},
        {"type": "candle", "coin": GOLD, "interval": "1m", "nLevels": 99},
    ],
)  # fmt: skip
def test_what_cannot_be_passed_on_is_refused_and_not_made_up(rig: Rig, subscription: dict[str, Any]) -> None:
    (frame,) = rig.subscribe(**subscription)
    assert json.loads(frame)["channel"] == "error"
    rig.pass_ms(5000)
    assert [o for o in rig.out() if isinstance(o, WsText)] == []


def test_two_aggregations_of_one_book_are_not_mixed(rig: Rig) -> None:
    assert "subscriptionResponse" in rig.subscribe(type="l2Book", coin=GOLD, nSigFigs=5)[0]
    assert "one at a time" in rig.subscribe(type="l2Book", coin=GOLD)[0]
    frame = b'{"channel":"l2Book","data":{"coin":"xyz:GOLD","time":1,"levels":[[],[]]}}'
    rig.venue.frame("l2Book", frame, rig.now)
    assert [o.text for o in rig.out()] == [frame.decode()]


def test_candles_and_mids_find_their_listeners(rig: Rig) -> None:
    rig.subscribe(type="candle", coin=GOLD, interval="1m")
    rig.subscribe(type="allMids", dex="xyz")
    frames = [
        b'{"channel":"candle","data":{"t":1,"s":"xyz:GOLD","i":"1m","o":"1"}}',
        b'{"channel":"candle","data":{"t":1,"s":"xyz:GOLD","i":"5m","o":"1"}}',
        b'{"channel":"allMids","data":{"mids":{},"dex":"xyz"}}', b'{"channel":"allMids","data":{"mids":{}}}',
    ]  # fmt: skip
    for frame in frames:
        rig.venue.frame(json.loads(frame)["channel"], frame, rig.now)
    assert [o.text.encode() for o in rig.out()] == [frames[0], frames[2]]


def test_an_order_waits_until_the_market_of_its_moment_is_known(rig: Rig) -> None:
    """Its time is 100 ms after it was sent; it is answered when a later touch came, not before."""
    rig.subscribe(type="bbo", coin=GOLD)
    for _ in range(25):
        rig.pass_ms(40)
        rig.touch("4000", "4001")
    assert rig.venue.ways.hold_ms == LEAST_HOLD_MS
    rig.out()
    rig.order("4001")
    rig.pass_ms(100)
    rig.touch("4000", "4001", late_ms=10)  # of before its time
    rig.venue.advance(rig.now)
    assert [o for o in rig.out() if isinstance(o, HttpReply)] == []
    rig.pass_ms(30)
    rig.touch("4000", "4001", late_ms=10)
    rig.venue.advance(rig.now)
    assert [o.token for o in rig.out() if isinstance(o, HttpReply)] == [7]


def test_in_a_quiet_market_it_waits_as_long_as_frames_take(rig: Rig) -> None:
    for _ in range(60):
        rig.pass_ms(40)
        rig.touch("4000", "4001", late_ms=200)
    rig.out()
    rig.order("4001")
    rig.pass_ms(100 + 200)
    assert [o for o in rig.out() if isinstance(o, HttpReply)] == []
    due = rig.venue.next_due()
    rig.pass_ms(50)
    assert rig.now >= due
    assert [o.token for o in rig.out() if isinstance(o, HttpReply)] == [7]


def test_the_hold_follows_the_slowest_of_a_hundred_and_is_bounded() -> None:
    ways = Ways()
    for n in range(2000):
        ways.add(900 if n % 50 == 0 else 30)
    assert 900 < ways.hold_ms < 1000
    assert ways.middle_ms == 30
    for _ in range(2001):
        ways.add(60_000)
    assert ways.hold_ms == 5000


def test_when_the_upstream_is_gone_those_who_listened_are_cut_and_nobody_is_shown_the_old(rig: Rig) -> None:
    rig.subscribe(type="bbo", coin=GOLD)
    rig.venue.connect(2, rig.now)
    rig.touch("4000", "4001")
    rig.out()
    rig.venue.link(rig.now, up=False)
    assert rig.out() == [WsClose(1)]
    rig.venue.link(rig.now, up=False)
    assert rig.out() == []
    rig.venue.disconnect(1)
    rig.venue.connect(3, rig.now)
    rig.venue.ws(3, json.dumps({"method": "subscribe", "subscription": {"type": "bbo", "coin": GOLD}}), rig.now)
    assert len(rig.out()) == 1  # acknowledged, and silent
    rig.pass_ms(60_000)
    assert rig.out() == []
    tape = rig.venue._tapes[GOLD]
    assert tape.look(rig.now) is not None
    assert tape.look(rig.now).side(is_buy=True) is None  # type: ignore[union-attr]
    rig.venue.link(rig.now, up=True)
    rig.touch("4000", "4001", late_ms=60_005)  # the very touch of before, told again
    assert tape.look(rig.now - 1000).side(is_buy=True) is None  # type: ignore[union-attr]
    assert tape.look(rig.now).side(is_buy=True).px == 4000  # type: ignore[union-attr]


def test_public_reads_go_to_the_upstream_and_its_answer_comes_as_it_is(rig: Rig) -> None:
    rig.venue.http(5, "/info", b'{"type":"metaAndAssetCtxs","dex":"xyz"}', rig.now)
    rig.say(method="post", id=9, request={"type": "info", "payload": {"type": "l2Book", "coin": GOLD}})
    assert [read for _, read in rig.asked] == [Read("metaAndAssetCtxs", dex="xyz"), Read("l2Book", coin=GOLD)]
    body = b'[{"universe":[]} ,[]]'
    rig.venue.answered(rig.asked[0][0], 200, body)
    rig.venue.answered(rig.asked[1][0], 200, b'{"levels":[[],[]]}')
    reply, frame = rig.out()
    assert (reply.token, reply.status, reply.body) == (5, 200, body)
    assert json.loads(frame.text)["data"]["response"]["payload"] == {"type": "l2Book", "data": {"levels": [[], []]}}
    rig.venue.http(6, "/info", b'{"type":"meta","dex":"xyz","signature":"x"}', rig.now)
    assert rig.out()[0].status == 422
    assert len(rig.asked) == 2


def test_its_own_clock_and_accounts_are_answered_here(rig: Rig) -> None:
    rig.venue.http(5, "/info", b'{"type":"exchangeStatus"}', rig.now)
    rig.venue.http(6, "/info", b'{"type":"clearinghouseState","user":"0x%b"}' % (b"1" * 40), rig.now)
    assert [o.status for o in rig.out()] == [200, 200]
    assert rig.asked == []


def test_a_market_that_the_upstream_delists_is_closed_here_until_it_is_back(rig: Rig) -> None:
    market = rig.venue.engine.markets[GOLD]
    rig.venue.relisted({GOLD}, rig.now)
    assert market.halted
    rig.venue.relisted(set(), rig.now)
    assert not market.halted


def test_a_frame_that_cannot_be_read_harms_nobody(rig: Rig) -> None:
    rig.subscribe(type="bbo", coin=GOLD)
    rig.out()
    for said in (
        '"x"',
        '[{"px":"NaN","sz":"1"},null]',
        '[{"px":"-1","sz":"1"},null]',
        '[{"px":"1","sz":"0"},null]',
        "[1]",
    ):
        frame = f'{{"channel":"bbo","data":{{"coin":"xyz:GOLD","time":{rig.now},"bbo":{said}}}}}'
        rig.venue.frame("bbo", frame.encode(), rig.now)
    for channel, data in (("bbo", b"\xff"), ("bbo", b'{"channel":"bbo"'), ("trades", b'{"data":[{"coin":"xyz:GOLD"}]}'),
                          ("activeAssetCtx", b'{"data":{"coin":"xyz:GOLD","ctx":{"oraclePx":"NaN","markPx":"1"}}}')):  # fmt: skip
        rig.venue.frame(channel, data, rig.now)
    rig.order("4001")
    rig.pass_ms(6000)
    assert any(isinstance(o, HttpReply) for o in rig.out())


def test_what_was_heard_before_nobody_listened_is_no_news_later() -> None:
    """A touch of half an hour ago was the first frame, and an order was filled against it."""
    rig = Rig()
    rig.subscribe(type="bbo", coin=GOLD)
    rig.touch("4000", "4001")
    rig.out()
    assert Stream("bbo", coin=GOLD) in rig.wanted
    rig.say(method="unsubscribe", subscription={"type": "bbo", "coin": GOLD})
    assert Stream("bbo", coin=GOLD) not in rig.wanted
    rig.pass_ms(1_800_000)
    frames = rig.subscribe(type="bbo", coin=GOLD)
    assert [json.loads(frame)["channel"] for frame in frames] == ["subscriptionResponse"]
    tape = rig.venue._tapes[GOLD]
    look = tape.look(rig.now)
    assert look is None or look.ask is None
