"""The upstream's WebSocket: the difference of what is wanted is said, silence ends it, and nothing but the market is heard."""

import json
from itertools import pairwise
from typing import Any

import websocket

from hip3.exchange.backoff import MAX_MS
from hip3.venue.upstream.link import Link, public_channel
from hip3.venue.upstream.words import Stream
from tests.fakes import FakeClock

GOLD, TSLA = Stream("bbo", coin="xyz:GOLD"), Stream("bbo", coin="xyz:TSLA")


class Far:
    """The other side: what was said to it, and what it says."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.frames: list[bytes | int] = []
        self.open = True

    def recv_data(self) -> tuple[int, bytes]:
        if not self.open:
            raise OSError("gone")
        if not self.frames:
            raise websocket.WebSocketTimeoutException("nothing")
        frame = self.frames.pop(0)
        return (frame, b"") if isinstance(frame, int) else (websocket.ABNF.OPCODE_TEXT, frame)

    def send(self, payload: str) -> None:
        self.said.append(json.loads(payload))

    def shutdown(self) -> None:
        self.open = False


class Rig:
    """A link on a clock that is told the time."""

    def __init__(self) -> None:
        self.clock, self.fars, self.heard, self.links = (
            FakeClock(),
            list[Far](),
            list[tuple[str, bytes]](),
            list[bool](),
        )
        self.fail = False

        def connect(url: str) -> Any:
            if self.fail:
                raise OSError("refused")
            self.fars.append(Far())
            return self.fars[-1]

        self.link = Link(
            "ws://upstream/ws", self.clock, heard=lambda channel, data: self.heard.append((channel, data)),
            link=lambda up, why: self.links.append(up), connect=connect, jitter=lambda: 0.5,
        )  # fmt: skip
        self.link.stop.wait = lambda timeout=None: self.clock.advance(int((timeout or 0) * 1000)) or False  # type: ignore[method-assign]

    @property
    def far(self) -> Far:
        return self.fars[-1]

    def step(self, ms: int = 0) -> None:
        self.clock.advance(ms)
        self.link.step()


def test_only_the_difference_of_what_is_wanted_is_said() -> None:
    rig = Rig()
    rig.link.want(frozenset({GOLD}))
    rig.step()
    rig.step()
    rig.step()
    rig.link.want(frozenset({TSLA}))
    rig.step()
    assert [(m["method"], m["subscription"]["coin"]) for m in rig.far.said] == [
        ("subscribe", "xyz:GOLD"), ("unsubscribe", "xyz:GOLD"), ("subscribe", "xyz:TSLA"),
    ]  # fmt: skip


def test_a_new_connection_is_told_everything_again() -> None:
    rig = Rig()
    rig.link.want(frozenset({GOLD, TSLA}))
    rig.step()
    rig.step()
    rig.far.frames.append(websocket.ABNF.OPCODE_CLOSE)
    rig.step()
    for _ in range(4):
        rig.step(300)
    assert len(rig.fars) == 2
    assert {m["subscription"]["coin"] for m in rig.far.said} == {"xyz:GOLD", "xyz:TSLA"}
    assert rig.links == [True, False, True]


def test_a_silent_connection_is_pinged_then_given_up() -> None:
    rig = Rig()
    rig.step()
    rig.step(16_000)
    rig.step(1000)
    assert rig.far.said == [{"method": "ping"}]
    rig.far.frames.append(b'{"channel":"pong"}')
    rig.step()
    rig.step(29_000)
    assert rig.links == [True]
    rig.step(2000)
    assert rig.links == [True, False]


def test_the_waits_between_tries_grow_and_are_bounded() -> None:
    rig = Rig()
    rig.fail = True
    tries: list[int] = []
    for _ in range(2000):
        before = len(rig.links)
        rig.step()
        if len(rig.links) > before:
            tries.append(rig.clock.mono_ms())
    waits = [b - a for a, b in pairwise(tries)]
    assert waits[0] < waits[1] < waits[2]
    assert max(waits) <= MAX_MS
    assert waits[-1] > MAX_MS / 2


def test_answers_to_orders_and_accounts_of_a_hostile_upstream_are_not_heard() -> None:
    rig = Rig()
    rig.step()
    bbo = b'{"channel":"bbo","data":{"coin":"xyz:GOLD","time":1,"bbo":[null,null]}}'
    rig.far.frames += [
        b'{"channel":"post","data":{"id":1,"response":{"type":"action"}}}', b'{"channel":"orderUpdates","data":[]}',
        b'{"channel":"userFills","data":{"fills":[]}}', b"\xff\xfe", b"[]", b'{"channel":"', b'{"data":1,"channel":"bbo"}', bbo,
    ]  # fmt: skip
    for _ in range(9):
        rig.step()
    assert rig.heard == [("bbo", bbo)]
    assert public_channel(b'{"channel":"userEvents"}') == ""
