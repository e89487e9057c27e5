"""Trigger orders: when they fire, what they become, and what becomes of their families."""

from typing import Any

import pytest

from hip3.venue.engine import rules
from hip3.venue.engine.model import Request
from hip3.venue.engine.orders import frontend_order, open_order
from tests.venue.bench import GOLD, TSLA, A, B, Bench, C, D


@pytest.fixture
def bench() -> Bench:
    return Bench()


def _oid(entry: Any) -> int:
    oid: int = entry["resting"]["oid"]
    return oid


def test_a_stop_fires_on_the_mark_and_closes_as_a_market_order(bench: Bench) -> None:
    bench.open_long(C, "0.02")
    (entry,) = bench.group(C, [bench.tpsl(False, "3800", "3950", "0.02", "sl")])
    bench.place(A, True, "3940", "0.05")
    bench.words(C)
    bench.mark("3951")
    assert (bench.words(C), bench.size(C)) == ([], D("0.02"))
    bench.mark("3950")
    assert bench.words(C) == [(_oid(entry), "triggered"), (_oid(entry), "filled")]
    assert bench.size(C) == 0
    assert bench.fills(C)[-1]["px"] == "3940.0"


def test_the_book_alone_fires_nothing(bench: Bench) -> None:
    bench.open_long(C, "0.02")
    bench.group(C, [bench.tpsl(False, "3800", "3950", "0.02", "sl")])
    bench.place(A, True, "3900", "0.01")
    bench.place(B, False, "3900", "0.01", "Ioc")
    assert bench.market().last_px == 3900
    assert bench.size(C) == D("0.02")


@pytest.mark.parametrize(
    ("buy", "tpsl", "at", "fires"),
    [
        (False, "sl", "3990", "3989"),
        (False, "tp", "4010", "4011"),
        (True, "sl", "4010", "4010"),
        (True, "tp", "3990", "3990"),
    ],
)
def test_a_stop_goes_with_the_loss_and_a_take_profit_with_the_gain(
    bench: Bench, buy: bool, tpsl: str, at: str, fires: str
) -> None:
    owner, other = (A, C) if buy else (C, A)
    bench.open_long(C, "0.02")
    bench.place(B, not buy, "4000", "0.05")
    bench.group(owner, [bench.tpsl(buy, "4000", at, "0.02", tpsl)])
    bench.mark("4000")
    assert bench.size(owner) != 0
    bench.mark(fires)
    assert bench.size(owner) == 0
    assert bench.size(other) != 0


@pytest.mark.parametrize(
    ("buy", "tpsl", "at"), [(False, "sl", "4000"), (False, "tp", "4000"), (False, "sl", "4100"), (False, "tp", "3900")]
)
def test_a_trigger_price_on_the_wrong_side_is_refused(bench: Bench, buy: bool, tpsl: str, at: str) -> None:
    bench.open_long(C, "0.02")
    bench.words(C)
    (entry,) = bench.group(C, [bench.tpsl(buy, "4000", at, "0.02", tpsl)])
    assert entry == {"error": "Invalid TP/SL price. asset=110000"}
    assert [status for _, status in bench.words(C)] == ["badTriggerPxRejected"]


def test_one_that_does_not_only_reduce_refuses_the_whole_action(bench: Bench) -> None:
    request = bench.tpsl(True, "4100", "4050", "0.02", "sl", reduce_only=False)
    assert bench.engine.prevalidate([request]) == "Trigger order is not reduce only."
    flat = bench.group(C, [request._replace(reduce_only=True)])
    assert flat == [{"error": "Reduce only order would increase position. asset=110000"}]


def test_a_limit_trigger_keeps_its_limit_and_rests(bench: Bench) -> None:
    bench.open_long(C, "0.02")
    (entry,) = bench.group(C, [bench.tpsl(False, "3945", "3950", "0.02", "sl", limit=True)])
    bench.place(A, True, "3940", "0.05")
    bench.words(C)
    bench.mark("3949")
    assert bench.words(C) == [(_oid(entry), "triggered")]
    assert bench.market().book.best_ask() == 3945
    assert bench.opened(C) == [_oid(entry)]
    bench.place(B, True, "3945", "0.02", "Ioc")
    assert bench.words(C) == [(_oid(entry), "filled")]


def test_a_market_trigger_stops_ten_percent_from_the_mark(bench: Bench) -> None:
    bench.open_long(C, "0.02")
    (entry,) = bench.group(C, [bench.tpsl(False, "1000", "3950", "0.02", "sl")])
    bench.place(A, True, "3560", "0.005")
    bench.place(B, True, "3550", "0.05")
    bench.words(C)
    bench.mark("3950")  # 10 % below is 3555
    assert bench.words(C) == [(_oid(entry), "triggered"), (_oid(entry), "canceled")]
    assert bench.size(C) == D("0.015")


def test_without_a_book_a_market_trigger_ends_without_liquidity(bench: Bench) -> None:
    bench.open_long(C, "0.02")
    (entry,) = bench.group(C, [bench.tpsl(False, "3800", "3950", "0.02", "sl")])
    bench.words(C)
    bench.mark("3950")
    assert bench.words(C) == [(_oid(entry), "triggered"), (_oid(entry), "marketOrderNoLiquidityRejected")]
    assert bench.opened(C) == []


def test_orders_show_a_trigger_as_both_lists_do(bench: Bench) -> None:
    bench.open_long(C, "0.02")
    stop, take = (
        bench.tpsl(False, "3800", "3950.5", "0.02", "sl", cloid="0x" + "1" * 32),
        bench.tpsl(False, "4100", "4100", "0.01", "tp", limit=True),
    )
    oids = [_oid(e) for e in bench.group(C, [stop, take])]
    first, second = bench.engine.open_orders(bench.account(C))
    assert open_order(first) == {
        "coin": GOLD, "side": "A", "limitPx": "3800.0", "sz": "0.02", "oid": oids[0], "timestamp": bench.now,
        "origSz": "0.02", "cloid": "0x" + "1" * 32, "reduceOnly": True,
    }  # fmt: skip
    assert frontend_order(first, first.sz) == {
        "coin": GOLD, "side": "A", "limitPx": "3800.0", "sz": "0.02", "oid": oids[0], "timestamp": bench.now,
        "triggerCondition": "Price below 3950.5", "isTrigger": True, "triggerPx": "3950.5", "children": [],
        "isPositionTpsl": False, "reduceOnly": True, "orderType": "Stop Market", "origSz": "0.02", "tif": None,
        "cloid": "0x" + "1" * 32,
    }  # fmt: skip
    shown = frontend_order(second, second.sz)
    assert (shown["triggerCondition"], shown["orderType"]) == ("Price above 4100", "Take Profit Limit")


@pytest.mark.parametrize("by", ["oid", "cloid"])
def test_a_dormant_order_is_cancelled_like_any_other(bench: Bench, by: str) -> None:
    bench.open_long(C, "0.02")
    cloid = "0x" + "2" * 32
    (entry,) = bench.group(C, [bench.tpsl(False, "3800", "3950", "0.02", "sl", cloid=cloid)])
    account, market = bench.account(C), bench.market()
    if by == "oid":
        assert bench.engine.cancel_oid(account, market, _oid(entry), bench.now) == "success"
    else:
        assert bench.engine.cancel_cloid(account, market, cloid, bench.now) == "success"
    assert account.history[_oid(entry)]["status"] == "canceled"
    bench.mark("3900")
    assert bench.size(C) == D("0.02")


def test_a_position_tpsl_without_size_follows_the_position(bench: Bench) -> None:
    bench.open_long(C, "0.02")
    requests = [
        bench.tpsl(False, "4050", "4050", "0", "tp", on_position=True),
        bench.tpsl(False, "3950", "3950", "0", "sl", on_position=True),
    ]
    take, stop = (_oid(e) for e in bench.group(C, requests, "positionTpsl"))
    shown = frontend_order(bench.account(C).open_orders[stop], D(0))
    assert (shown["isPositionTpsl"], shown["sz"], shown["origSz"]) == (True, "0.0", "0.0")
    bench.open_long(C, "0.01")
    bench.place(A, True, "3940", "0.05")
    bench.words(C)
    bench.mark("3950")
    assert bench.fills(C)[-1]["sz"] == "0.03"
    assert bench.words(C) == [(stop, "triggered"), (take, "siblingFilledCanceled"), (stop, "filled")]
    assert bench.opened(C) == []


def test_an_explicit_size_shrinks_with_the_position_and_goes_with_it(bench: Bench) -> None:
    bench.open_long(C, "0.02")
    request = bench.tpsl(False, "3950", "3950", "0.015", "sl", on_position=True)
    (entry,) = bench.group(C, [request], "positionTpsl")
    order = bench.account(C).open_orders[_oid(entry)]
    assert order.sz == D("0.015")
    bench.place(A, True, "3990", "0.05")
    bench.place(C, False, "3990", "0.01", "Ioc")
    assert (order.sz, order.orig_sz) == (D("0.01"), D("0.015"))
    bench.words(C)
    bench.place(C, False, "3990", "0.01", "Ioc")
    assert (_oid(entry), "reduceOnlyCanceled") in bench.words(C)


def _family(bench: Bench, px: str, tif: str = "Gtc", sz: str = "0.02") -> list[Any]:
    parent = Request(bench.market(), True, D(px), D(sz), False, tif, None)
    take, stop = bench.tpsl(False, "4050", "4050", sz, "tp"), bench.tpsl(False, "3950", "3950", sz, "sl")
    return bench.group(C, [parent, take, stop], "normalTpsl")


def test_children_wait_for_the_whole_parent(bench: Bench) -> None:
    entries = _family(bench, "4000")
    assert entries[1:] == ["waitingForFill", "waitingForFill"]
    parent = _oid(entries[0])
    take, stop = bench.opened(C)[1:]
    shown = frontend_order(bench.account(C).open_orders[parent], D("0.02"))
    assert [child["oid"] for child in shown["children"]] == [take, stop]
    bench.place(A, False, "4000", "0.01", "Ioc")
    bench.mark("3940")
    assert bench.size(C) == D("0.01")  # half of the parent is not the parent
    bench.mark("4000")
    bench.place(A, False, "4000", "0.01", "Ioc")
    bench.place(B, True, "4045", "0.05")
    bench.words(C)
    bench.mark("4050")
    assert bench.words(C) == [(take, "triggered"), (stop, "siblingFilledCanceled"), (take, "filled")]
    assert bench.size(C) == 0


def test_children_of_a_parent_filled_at_once_wait_for_their_trigger(bench: Bench) -> None:
    bench.place(A, False, "4000", "0.02")
    entries = _family(bench, "4000", "Ioc")
    assert "filled" in entries[0]
    assert entries[1:] == ["waitingForTrigger", "waitingForTrigger"]


def test_children_armed_past_their_trigger_fire_at_once(bench: Bench) -> None:
    entries = _family(bench, "4000")
    bench.place(B, True, "3900", "0.05")
    bench.mark("3940")
    bench.place(A, False, "4000", "0.02", "Ioc")
    assert "resting" in entries[0]
    assert bench.size(C) == 0
    assert bench.opened(C) == []


def test_children_go_with_a_cancelled_parent_even_a_partly_filled_one(bench: Bench) -> None:
    parent = _oid(_family(bench, "4000")[0])
    bench.place(A, False, "4000", "0.01", "Ioc")
    bench.words(C)
    assert bench.engine.cancel_oid(bench.account(C), bench.market(), parent, bench.now) == "success"
    assert [status for _, status in bench.words(C)] == ["canceled"] * 3
    assert bench.opened(C) == []


def test_a_cancelled_child_leaves_its_parent(bench: Bench) -> None:
    parent = _oid(_family(bench, "4000")[0])
    child = bench.opened(C)[1]
    assert bench.engine.cancel_oid(bench.account(C), bench.market(), child, bench.now) == "success"
    assert child not in [c.oid for c in bench.account(C).open_orders[parent].children]


def test_a_refused_parent_takes_its_children_along(bench: Bench) -> None:
    entries = _family(bench, "4000", "Ioc")
    assert [e["error"] for e in entries] == [
        "Order could not immediately match against any resting orders. asset=110000"
    ] * 3
    assert bench.opened(C) == []


def test_a_child_on_the_wrong_side_of_its_parent_is_refused_alone(bench: Bench) -> None:
    parent = Request(bench.market(), True, D(3900), D("0.02"), False, "Gtc", None)
    children = [bench.tpsl(False, "3950", "3890", "0.02", "tp"), bench.tpsl(False, "3800", "3850", "0.02", "sl")]
    entries = bench.group(C, [parent, *children], "normalTpsl")
    assert "resting" in entries[0]
    assert entries[1:] == [{"error": "Invalid TP/SL price. asset=110000"}, "waitingForFill"]


def test_from_a_thousand_open_orders_on_nothing_that_only_reduces_is_taken() -> None:
    bench = Bench(cash="100000")
    bench.open_long(C, "0.02")
    for n in range(rules.OPEN_ORDERS):
        assert "resting" in bench.place(C, True, str(2000 + n), "0.01", coin=TSLA)
    stop = bench.tpsl(False, "3800", "3950", "0.02", "sl")
    assert bench.group(C, [stop]) == [{"error": "Too many open orders asset=110000"}]
    more = bench.place(C, True, "1999", "0.01", coin=TSLA)
    assert more == {"error": "Too many open orders asset=110001"}
    bench.account(C).volume += D(5_000_000)
    assert "resting" in bench.place(C, True, "1999", "0.01", coin=TSLA)
