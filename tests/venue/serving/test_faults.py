"""Scripted faults: each does what its name says, when and as often as it should, and then no more."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests

from hip3.errors import ConfigError
from hip3.exchange.signing import SigningKey
from hip3.venue.serving.faults import Fault
from hip3.venue.serving.output import HttpReply, WsClose, WsText
from hip3.venue.setup.settings import load_setup
from tests.stories.process import exchange
from tests.venue.desk import GOLD, Desk

PING = '{"method":"ping"}'


class Wire:
    """A desk with one socket, on which faults are scripted."""

    def __init__(self, **fault: Any) -> None:
        self.desk = Desk()
        self.one = self.desk.key(1)
        self.desk.venue.connect(1, self.desk.now)
        self.listen(type="orderUpdates", user=self.one.address)
        self.listen(type="userFills", user=self.one.address)
        if fault:
            self.desk.venue.faults.add(Fault(**fault), self.desk.now)
        self._token = 0

    def listen(self, **subscription: Any) -> None:
        ask = {"method": "subscribe", "subscription": subscription}
        self.desk.venue.ws(1, msgspec.json.encode(ask).decode(), self.desk.now)
        self.desk.venue.take_output()

    def order(self, key: SigningKey | None = None) -> list[Any]:
        """Place one; what arrives of what the exchange says."""
        self.desk.order(key or self.one, True, "3900", "0.01")
        self.desk.venue.publish(self.desk.now)
        return self.taken()

    def taken(self) -> list[Any]:
        out = self.desk.venue.take_output()
        return [msgspec.json.decode(o.text) if isinstance(o, WsText) else o for o in out]

    def wait(self, ms: int) -> list[Any]:
        self.desk.now += ms
        self.desk.venue.advance(self.desk.now)
        return self.taken()

    def post(self, request: Any, path: str = "/info") -> list[HttpReply]:
        self._token += 1
        self.desk.venue.http(self._token, path, msgspec.json.encode(request), self.desk.now)
        return [o for o in self.desk.venue.take_output() if isinstance(o, HttpReply)]

    def read(self, kind: str, *, dex: str) -> Any:
        """What a read about the account says."""
        return msgspec.json.decode(self.post({"type": kind, "user": self.one.address, "dex": dex})[0].body)

    def statuses(self) -> list[str]:
        return [u["status"] for f in self.order() for u in f["data"]]


def test_a_lost_update_is_lost_as_often_as_told() -> None:
    wire = Wire(kind="lose", on="orderUpdates", times=2)
    assert [wire.statuses() for _ in range(3)] == [[], [], ["open"]]


def test_another_stream_is_not_touched() -> None:
    assert Wire(kind="lose", on="userFills").statuses() == ["open"]


def test_a_late_update_comes_later_and_wakes_the_exchange() -> None:
    wire = Wire(kind="delay", on="orderUpdates", times=1, ms=300)
    assert wire.order() == []
    assert wire.desk.venue.next_due() <= wire.desk.now + 300
    assert wire.wait(200) == []
    assert [u["status"] for f in wire.wait(110) for u in f["data"]] == ["open"]


def test_a_doubled_update_comes_twice() -> None:
    first, second = Wire(kind="duplicate", on="orderUpdates", times=1).order()
    assert first == second


def test_reordered_updates_come_together_and_backwards() -> None:
    wire = Wire(kind="reorder", on="orderUpdates", times=2)
    assert wire.order() == []
    second = wire.order()
    oids = [u["order"]["oid"] for f in second for u in f["data"]]
    assert oids == sorted(oids, reverse=True)
    assert len(oids) == 2


def test_accepted_and_then_cut() -> None:
    wire = Wire(kind="cut", on="orderUpdates", times=1)
    assert wire.order() == [WsClose(1)]
    assert len(wire.desk.info("openOrders", user=wire.one.address, dex="xyz")) == 1


def test_cut_and_then_refused_for_a_while() -> None:
    wire = Wire(kind="refuse", for_ms=1000)
    assert wire.wait(70) == [WsClose(1)]
    wire.desk.venue.connect(2, wire.desk.now)
    assert wire.taken() == [WsClose(2)]
    wire.wait(1000)
    wire.desk.venue.connect(3, wire.desk.now)
    assert wire.taken() == []


def test_silence() -> None:
    wire = Wire(kind="silence", for_ms=500)
    wire.desk.venue.ws(1, PING, wire.desk.now)
    assert wire.taken() == []
    wire.wait(600)
    wire.desk.venue.ws(1, PING, wire.desk.now)
    assert wire.taken() == [{"channel": "pong"}]


@pytest.mark.parametrize("status", [429, 500, 502])
def test_requests_that_fail_are_not_executed(status: int) -> None:
    wire = Wire(kind="http", on="meta", status=status, times=1)
    assert [r.status for r in wire.post({"type": "exchangeStatus"})] == [200]
    assert [r.status for _ in range(2) for r in wire.post({"type": "meta"})] == [status, 200]


def test_an_http_answer_can_be_lost() -> None:
    wire = Wire(kind="lose", on="meta", times=1)
    assert [len(wire.post({"type": "meta"})) for _ in range(2)] == [0, 1]


def test_an_empty_and_an_old_answer_for_one_dex() -> None:
    for kind, seen in (("empty", [0, 0]), ("stale", [1, 1])):
        wire = Wire()
        wire.order()
        wire.desk.venue.faults.add(Fault(kind=kind, on="openOrders", dex="xyz", for_ms=1000), wire.desk.now)  # type: ignore[arg-type]
        lengths = []
        for _ in range(2):
            lengths.append(len(wire.read("openOrders", dex="xyz")))
            wire.order()
        assert lengths == seen
        assert wire.read("clearinghouseState", dex="")["withdrawable"] == "1000.0"
        wire.wait(1100)
        assert len(wire.read("openOrders", dex="xyz")) == 3


def test_a_halt_ends_by_itself() -> None:
    wire = Wire(kind="halt", coin=GOLD, for_ms=1000)
    wire.wait(70)
    assert wire.desk.order(wire.one, True, "3900", "0.01") == {"error": "Trading is halted. asset=110003"}
    wire.wait(1100)
    assert "resting" in wire.desk.order(wire.one, True, "3900", "0.01")


def test_changed_parameters_of_a_market() -> None:
    wire = Wire(kind="change", coin=GOLD, sz_decimals=2, max_leverage=5)
    wire.wait(70)
    market = wire.desk.info("meta", dex="xyz")["universe"][3]
    assert (market["szDecimals"], market["maxLeverage"]) == (2, 5)


def test_half_a_frame_and_a_flood() -> None:
    wire = Wire(kind="malformed", on="orderUpdates", times=1)
    wire.desk.order(wire.one, True, "3900", "0.01")
    wire.desk.venue.publish(wire.desk.now)
    (frame,) = [o for o in wire.desk.venue.take_output() if isinstance(o, WsText)]
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(frame.text)
    wire.desk.venue.faults.add(Fault(kind="flood", count=250), wire.desk.now)
    assert len(wire.wait(70)) == 250


def test_the_control_endpoint_scripts_clears_and_moves() -> None:
    wire = Wire()

    def control(body: Any) -> int:
        return wire.post(body, "/control")[0].status

    assert control({"fault": {"kind": "lose", "on": "orderUpdates"}}) == 200
    assert wire.statuses() == []
    assert control({"clear": True}) == 200
    assert wire.statuses() == ["open"]
    for wrong in ({}, {"fault": {"kind": "dance"}}, {"fault": {"kind": "halt", "coin": "NO"}}, 5):
        assert control(wrong) == 400
    venue = wire.desk.venue
    venue._models[GOLD] = venue._crowd.models.setdefault(GOLD, Desk(quiet=False).venue._models[GOLD])
    assert control({"move": {"coin": GOLD, "px": "4200"}}) == 200
    assert venue.engine.markets[GOLD].mark == 4200


def test_a_script_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(
        '[[faults]]\nkind = "http"\non = "meta"\nstatus = 502\ntimes = 1\n\n[[faults]]\nkind = "clock"\nms = 90000\n'
    )
    assert [f.kind for f in load_setup(None, path).faults] == ["http", "clock"]
    with exchange(3, "--faults", str(path)) as started:
        assert requests.post(started.url + "/info", json={"type": "meta"}, timeout=5).status_code == 502
        assert requests.post(started.url + "/info", json={"type": "meta"}, timeout=5).status_code == 200
        import time

        ahead = started.info(type="exchangeStatus")["time"] - time.time() * 1000
        assert 85_000 < ahead < 95_000
        moved = requests.post(started.url + "/control", json={"move": {"coin": GOLD, "px": "4100"}}, timeout=5)
        assert moved.json() == {"status": "ok"}
        assert 4050 < float(started.info(type="allMids", dex="xyz")[GOLD]) < 4150
    path.write_text('[[faults]]\nkind = "dance"\n')
    with pytest.raises(ConfigError, match="dance"):
        load_setup(None, path)
