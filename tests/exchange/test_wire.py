"""Every captured payload of a kind we use parses; what is broken is counted, never raised."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip3.core.events import (
    Accepted,
    ActionRefused,
    BboUpdate,
    CtxUpdate,
    ErrorFrame,
    Filled,
    Ignored,
    Malformed,
    OrderUpdates,
    Pong,
    PostReply,
    Refused,
    RequestFailed,
    Resting,
    Statuses,
    SubscriptionAck,
    Unreadable,
    UserFills,
)
from hip3.core.orders import Side
from hip3.exchange.registry import dex_indices, parse_meta
from hip3.exchange.wire import parse_frame, parse_order_record
from hip3.exchange.wire_fills import parse_fill_list
from hip3.exchange.wire_reply import parse_action_answer

BBO = {
    "channel": "bbo",
    "data": {"coin": "xyz:GOLD", "time": 5, "bbo": [{"px": "4000.0", "sz": "1.5", "n": 3}, None]},
}
FILL = {
    "coin": "xyz:SILVER", "px": "80.601", "sz": "0.6", "side": "A", "time": 9, "startPosition": "0.6",
    "dir": "Close Long", "closedPnl": "-1.2843", "hash": "0x0", "oid": 308800014194, "crossed": True,
    "fee": "0.004178", "tid": 1031003079291799, "liquidation": {"method": "market"}, "feeToken": "USDC",
}  # fmt: skip
UPDATE = {
    "order": {
        "coin": "xyz:GOLD", "side": "B", "limitPx": "1500.0", "sz": "0.5", "oid": 7, "timestamp": 3, "origSz": "1.0",
        "cloid": "0x01",
    },
    "status": "open", "statusTimestamp": 4,
}  # fmt: skip


def _text(channel: str, data: Any) -> str:
    return json.dumps({"channel": channel, "data": data}, separators=(",", ":"))


def _post(response: Any, post_id: int = 3) -> Any:
    return parse_frame(_text("post", {"id": post_id, "response": response}))


def test_a_bbo_with_an_empty_side_is_none_and_not_zero() -> None:
    for text in (json.dumps(BBO), json.dumps(BBO, separators=(",", ":"))):
        event = parse_frame(text)
        assert isinstance(event, BboUpdate)
        assert event.bid is not None
        assert event.bid.px == Decimal("4000.0")
        assert event.ask is None


def test_order_updates_come_as_list_object_or_nothing_and_a_broken_item_costs_itself() -> None:
    for data, good, bad in ([UPDATE], 1, 0), (UPDATE, 1, 0), ([], 0, 0), ([UPDATE, {"order": 1}, UPDATE], 2, 1):
        event = parse_frame(_text("orderUpdates", data))
        assert isinstance(event, OrderUpdates)
        assert (len(event.items), event.malformed) == (good, bad)
    px = json.loads(json.dumps(UPDATE))
    px["order"]["px"] = px["order"].pop("limitPx")
    event = parse_frame(_text("orderUpdates", [px]))
    assert isinstance(event, OrderUpdates)
    assert event.items[0].limit_px == 1500
    assert isinstance(parse_frame(_text("orderUpdates", 5)), Malformed)


def test_user_fills_come_as_snapshot_list_or_single() -> None:
    shapes = {"isSnapshot": True, "user": "0x", "fills": [FILL]}, {"user": "0x", "fills": [FILL]}, [FILL], FILL
    for data, snapshot in zip(shapes, (True, False, False, False), strict=True):
        event = parse_frame(_text("userFills", data))
        assert isinstance(event, UserFills)
        assert event.snapshot is snapshot
        fill = event.fills[0]
        assert (fill.side, fill.closed_pnl, fill.tid, fill.liquidation) == (
            Side.SELL, Decimal("-1.2843"), 1031003079291799, True,
        )  # fmt: skip


junk = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["NaN", "1e99", "-1", "B", []])
broken_fill = st.tuples(st.sampled_from(list(FILL)), junk).map(lambda change: FILL | dict([change]))
broken_order = st.tuples(st.sampled_from(list(UPDATE["order"])), junk).map(
    lambda change: UPDATE | {"order": UPDATE["order"] | dict([change])}
)


@given(st.lists(broken_fill | st.just(FILL), max_size=4), st.lists(broken_order | st.just(UPDATE), max_size=4), junk)
def test_a_frame_that_is_read_at_once_says_what_its_items_say_one_by_one(
    fills: list[Any], orders: list[Any], mark: Any
) -> None:
    """A head that is spelt with blanks goes the longer way."""
    for channel, data in (
        ("userFills", {"fills": fills}), ("userFills", {"isSnapshot": mark, "fills": fills}), ("orderUpdates", orders),
    ):  # fmt: skip
        message = {"channel": channel, "data": data}
        assert parse_frame(_text(channel, data)) == parse_frame(json.dumps(message))


@pytest.mark.parametrize(
    ("statuses", "items"),
    [
        ([{"resting": {"oid": 5, "cloid": "0x1"}}], (Resting(5),)),
        (
            [{"filled": {"totalSz": "0.5", "avgPx": "73.688", "oid": 6}}],
            (Filled(6, Decimal("0.5"), Decimal("73.688")),),
        ),
        ([{"error": "No. asset=5"}, "success"], (Refused("No. asset=5"), Accepted("success"))),
        (["waitingForFill"], (Accepted("waitingForFill"),)),
        ([{"odd": 1}, 7, {"filled": {}}], (None, None, None)),
    ],
)
def test_every_status_form(statuses: Any, items: Any) -> None:
    payload = {"status": "ok", "response": {"type": "order", "data": {"statuses": statuses}}}
    event = _post({"type": "action", "payload": payload})
    assert event == PostReply(3, Statuses(items))


def test_refusals_failures_and_what_cannot_be_read() -> None:
    err = _post({"type": "action", "payload": {"status": "err", "response": "Action already expired"}})
    assert err == PostReply(3, ActionRefused("Action already expired"))
    assert _post({"type": "error", "payload": "429 Too many"}) == PostReply(3, RequestFailed("429 Too many"))
    for response in (
        {"type": "action", "payload": 5},
        {"type": "odd"},
        {"type": "action", "payload": {"status": "?"}},
        9,
    ):
        event = _post(response)
        assert isinstance(event, PostReply)
        assert isinstance(event.outcome, Unreadable)


def test_acknowledgements_errors_pongs_and_unknown_channels() -> None:
    ack = parse_frame(
        _text("subscriptionResponse", {"method": "subscribe", "subscription": {"type": "bbo", "coin": "A"}})
    )
    assert ack == SubscriptionAck("bbo:A")
    undo = parse_frame(_text("subscriptionResponse", {"method": "unsubscribe", "subscription": {"type": "bbo"}}))
    assert isinstance(undo, Ignored)
    assert parse_frame('{"channel":"pong"}') == Pong()
    assert parse_frame(_text("error", "Already subscribed")) == ErrorFrame("Already subscribed")
    assert parse_frame(_text("brandNew", {})) == Ignored("unknown:brandNew")


@pytest.mark.parametrize("channel", ["bbo", "activeAssetCtx", "userFills", "orderUpdates", "post", "anything"])
def test_no_depth_of_nesting_raises(channel: str) -> None:
    deep = "[" * 20_000 + "]" * 20_000
    assert isinstance(parse_frame(f'{{"channel":"{channel}","data":{{"coin":"xyz:GOLD","more":{deep}}}}}'), Malformed)
    assert isinstance(parse_frame(f'{{"more":{deep},"channel":"{channel}","data":{{}}}}'), Malformed)


@given(st.text() | st.binary())
def test_no_frame_raises(junk: str | bytes) -> None:
    parse_frame(junk)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_no_content_of_a_known_channel_raises(data: Any) -> None:
    for channel in ("bbo", "activeAssetCtx", "post", "orderUpdates", "userFills", "subscriptionResponse", "error"):
        parse_frame(_text(channel, data))


def _captured(samples: Path, pattern: str) -> list[Path]:
    return sorted(samples.rglob(pattern)) if samples.is_dir() else []


def test_captured_frames_parse(samples: Path) -> None:
    """Where the captures are present, no frame of a kind we use is malformed."""
    seen: dict[type, int] = {}
    for path in _captured(samples, "*.json"):
        text = path.read_text()
        if not text.lstrip().startswith('{"channel"') or "REDACTED" in text:
            continue
        event = parse_frame(text)
        assert not isinstance(event, Malformed), (path.name, event)
        assert not (isinstance(event, OrderUpdates | UserFills) and event.malformed), path.name
        seen[type(event)] = seen.get(type(event), 0) + 1
    if samples.is_dir():
        assert {BboUpdate, CtxUpdate, OrderUpdates, PostReply, Pong, SubscriptionAck, ErrorFrame} <= set(seen)


def test_captured_answers_parse(samples: Path) -> None:
    for path in _captured(samples, "json_*_order_ack*.json") + _captured(samples, "http_exchange_*.json"):
        assert not isinstance(parse_action_answer(json.loads(path.read_text())), Unreadable), path.name
    for path in _captured(samples, "json_user_fills.01.json"):
        data = json.loads(path.read_text())
        fills, malformed, *_ = parse_fill_list(json.dumps(data.get("data", data).get("fills", [])).encode())
        assert fills
        assert not malformed
    for path in _captured(samples, "QueryOrderByOid.0*.json"):
        response = json.loads(path.read_text()).get("response")
        if isinstance(response, dict) and response.get("status") == "order":
            assert parse_order_record(json.dumps(response["order"]).encode()).status


def test_captured_universe_parses(samples: Path) -> None:
    for path in _captured(samples, "MetaAndAssetCtxs.04.metaAndAssetCtxs_dex_xyz.json"):
        meta = json.loads(path.read_text())["response"][0]
        specs, blocked = parse_meta("xyz", 1, {"deployerFeeScale": "1.0"}, meta, Decimal("0.00045"))
        gold, index = specs["xyz:GOLD"], specs["xyz:XYZ100"]
        assert (gold.asset_id, gold.taker_fee_bps) == (110003, Decimal(9))
        assert (index.asset_id, index.taker_fee_bps) == (110000, Decimal("0.9"))
        assert set(blocked.values()) <= {"delisted"}
    for path in _captured(samples, "json_get_perp_dexs_ack.01.json"):
        answer = json.loads(path.read_text())
        index, entry = dex_indices(answer)["xyz"]
        assert answer[index] == entry
