"""Streams that send a state as a whole, aggregated books, and what else a front end listens to."""

import base64
import json
import zlib
from typing import Any

import msgspec
import pytest

from hip3.exchange.signing import SigningKey
from tests.venue.desk import GOLD, GOLD_ID, D, Desk


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.venue.connect(1)
    desk.frames()
    return desk


@pytest.fixture
def one(desk: Desk) -> SigningKey:
    return desk.key(1)


def _ask(desk: Desk, **subscription: Any) -> list[Any]:
    desk.venue.ws(1, json.dumps({"method": "subscribe", "subscription": subscription}), desk.now)
    return desk.frames()


def _first(desk: Desk, **subscription: Any) -> Any:
    ack, frame = _ask(desk, **subscription)
    assert ack["data"]["subscription"] == subscription
    assert frame["channel"] == subscription["type"]
    return frame["data"]


def test_margin_of_one_dex_and_of_all(desk: Desk, one: SigningKey) -> None:
    state = _first(desk, type="clearinghouseState", user=one.address, dex="xyz")
    assert (state["dex"], state["user"]) == ("xyz", one.address)
    assert state["clearinghouseState"]["withdrawable"] == "1000.0"
    states = _first(desk, type="allDexsClearinghouseState", user=one.address)["clearinghouseStates"]
    assert [dex for dex, _ in states] == ["", "xyz", "para"]


def test_a_state_comes_again_when_it_changed_and_only_then(desk: Desk, one: SigningKey) -> None:
    _ask(desk, type="openOrders", user=one.address, dex="xyz")
    assert desk.wait(5000) == []
    oid = desk.order(one, True, "3900", "0.01")["resting"]["oid"]
    desk.venue.publish(desk.now)
    (frame,) = desk.frames()
    assert [o["oid"] for o in frame["data"]["orders"]] == [oid]
    assert frame["data"]["orders"][0]["orderType"] == "Limit"
    assert desk.wait(5000) == []


def test_a_mark_changes_the_state_of_who_holds(desk: Desk, one: SigningKey) -> None:
    desk.trade(one, desk.key(2), "0.1")
    _ask(desk, type="clearinghouseState", user=one.address, dex="xyz")
    market = desk.venue.engine.markets[GOLD]
    desk.venue.engine.set_mark(market, market.mark + 3, desk.now)
    frames = [f for f in desk.wait(1100) if f["channel"] == "clearinghouseState"]
    assert len(frames) == 1


def test_contexts_of_all_markets(desk: Desk) -> None:
    everything = _first(desk, type="allDexsAssetCtxs")["ctxs"]
    assert [dex for dex, _ in everything] == ["", "xyz", "para"]
    assert _first(desk, type="assetCtxs", dex="xyz")["ctxs"] == dict(everything)["xyz"]
    packed = _first(desk, type="fastAssetCtxs")
    marks = json.loads(zlib.decompress(base64.b64decode(packed), wbits=-15))
    assert D(marks[GOLD]["markPx"]) > 0


def test_web_data_in_both_versions(desk: Desk, one: SigningKey) -> None:
    (ended,) = _ask(desk, type="webData2", user=one.address)
    assert ended["channel"] == "error"
    desk.venue.engine.parameters = msgspec.structs.replace(desk.venue.engine.parameters, web_data_2=True)
    old = _first(desk, type="webData2", user=one.address)
    assert {"clearinghouseState", "openOrders", "agentAddress", "meta", "assetCtxs", "serverTime", "user"} <= set(old)
    new = _first(desk, type="webData3", user=one.address)
    assert new["userState"]["user"] == one.address
    assert len(new["perpDexStates"]) == 3
    assert desk.info("webData2", user=one.address)["user"] == one.address


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        ("userFundings", "fundings"), ("userNonFundingLedgerUpdates", "nonFundingLedgerUpdates"),
        ("userTwapSliceFills", "twapSliceFills"), ("userTwapHistory", "history"), ("userHistoricalOrders", "orderHistory"),
    ],
)  # fmt: skip
def test_time_series_of_a_user_begin_with_a_snapshot(desk: Desk, one: SigningKey, kind: str, rows: str) -> None:
    assert _first(desk, type=kind, user=one.address) == {"isSnapshot": True, "user": one.address, rows: []}


def test_the_order_history_goes_on_after_its_snapshot(desk: Desk, one: SigningKey) -> None:
    _ask(desk, type="userHistoricalOrders", user=one.address)
    oid = desk.order(one, True, "3600", "0.1")["resting"]["oid"]
    desk.act(one, {"type": "cancel", "cancels": [{"a": GOLD_ID, "o": oid}]})
    desk.venue.publish(desk.now)
    (frame,) = desk.frames()
    assert (frame["channel"], frame["data"]["user"]) == ("userHistoricalOrders", one.address)
    rows = frame["data"]["orderHistory"]
    assert [(row["order"]["oid"], row["status"]) for row in rows] == [(oid, "open"), (oid, "canceled")]
    assert desk.info("historicalOrders", user=one.address) == rows[1:]


def test_transfers_are_streamed(desk: Desk, one: SigningKey) -> None:
    _ask(desk, type="userNonFundingLedgerUpdates", user=one.address)
    desk.by_user(1, {"type": "usdSend", "destination": "0x" + "5" * 40, "amount": "5"})
    desk.venue.publish(desk.now)
    (frame,) = desk.frames()
    assert frame["data"]["nonFundingLedgerUpdates"][0]["delta"]["type"] == "internalTransfer"


def test_active_asset_data_and_spot_state(desk: Desk, one: SigningKey) -> None:
    data = _first(desk, type="activeAssetData", user=one.address, coin=GOLD)
    assert data == desk.info("activeAssetData", user=one.address, coin=GOLD)
    assert _first(desk, type="spotState", user=one.address) == {"user": one.address, "spotState": {"balances": []}}


@pytest.mark.parametrize(
    "subscription",
    [{"type": "l2Book", "coin": GOLD, "nSigFigs": 6}, {"type": "l2Book", "coin": GOLD, "nSigFigs": 4, "mantissa": 2}],
)
def test_a_book_that_cannot_be_ends_the_socket(desk: Desk, subscription: dict[str, Any]) -> None:
    assert desk.venue.hub.subscribe(1, subscription, 0) is None


def test_what_parses_and_cannot_be_is_an_invalid_subscription(desk: Desk) -> None:
    (frame,) = _ask(desk, type="candle", coin=GOLD, interval="7m")
    assert frame["channel"] == "error"
    assert frame["data"].startswith("Invalid subscription {")


def test_a_book_can_be_coarser_and_a_fast_one_is_short(desk: Desk, one: SigningKey) -> None:
    for px in ("3991.2", "3990.7", "3984", "3950"):
        desk.order(one, True, px, "0.01")
    for px in ("4001", "4005", "4020"):
        desk.order(one, False, px, "0.01")
    coarse = desk.info("l2Book", coin=GOLD, nSigFigs=3)
    assert [(x["px"], x["sz"], x["n"]) for x in coarse["levels"][0]] == [
        ("3990.0", "0.02", 2), ("3980.0", "0.01", 1), ("3950.0", "0.01", 1),
    ]  # fmt: skip
    assert [x["px"] for x in coarse["levels"][1]] == ["4010.0", "4020.0"]
    assert coarse["spread"] == "9.8"
    halves = desk.info("l2Book", coin=GOLD, nSigFigs=5, mantissa=5)
    assert [x["px"] for x in halves["levels"][0]] == ["3991.0", "3990.5", "3984.0", "3950.0"]
    with pytest.raises(AssertionError, match="500"):
        desk.info("l2Book", coin=GOLD, nSigFigs=7)
    for n in range(8):
        desk.order(one, True, str(3900 - n), "0.01")
    ack, frame = _ask(desk, type="l2Book", coin=GOLD, fast=True)
    assert ack["data"]["subscription"] == {
        "nSigFigs": None,
        "mantissa": None,
        "type": "l2Book",
        "coin": GOLD,
        "fast": True,
    }
    assert len(frame["data"]["levels"][0]) == 5
    assert frame["data"]["fast"] is True
    assert 9 <= len([f for f in desk.wait(5500) if f["data"].get("fast")]) <= 11


def test_partial_fills_of_one_order_can_be_read_as_one(desk: Desk, one: SigningKey) -> None:
    two = desk.key(2)
    desk.order(two, False, "4000", "0.01")
    desk.order(two, False, "4004", "0.03")
    desk.order(one, True, "4010", "0.04", "Ioc")
    assert len(desk.info("userFills", user=one.address)) == 2
    (fill,) = desk.info("userFills", user=one.address, aggregateByTime=True)
    assert (fill["px"], fill["sz"], fill["fee"]) == ("4003.0", "0.04", "0.144108")
    times = desk.info("userFillsByTime", user=two.address, startTime=0, reversed=True)
    assert [f["px"] for f in times] == ["4004.0", "4000.0"]
