"""What a market refuses: caps on open interest and on order value, tiers, halts, the minutes after an upgrade."""

from typing import Any

import msgspec
import pytest

from hip3.venue.engine import halts
from hip3.venue.engine.model import Request
from hip3.venue.setup.parameters import Parameters
from tests.venue.bench import GOLD, A, B, Bench, C, D
from tests.venue.desk import GOLD_ID, Desk, wire

CAPPED = "Order would increase open interest while open interest is capped asset=110000"


def _capped() -> Bench:
    bench = Bench(cash="100000")
    bench.open_long(C, "1")
    bench.market().info = bench.market().info._replace(oi_cap=D(4000))
    bench.words(C)
    return bench


def test_at_the_cap_positions_only_shrink() -> None:
    bench = _capped()
    assert bench.place(C, True, "3990", "0.1") == {"error": CAPPED}
    assert bench.place(C, False, "4010", "3", "Gtc") == {"error": CAPPED}
    assert [s for _, s in bench.words(C)] == [
        "positionIncreaseAtOpenInterestCapRejected", "positionFlipAtOpenInterestCapRejected",
    ]  # fmt: skip
    assert "resting" in bench.place(C, False, "4010", "0.1")
    low = bench.place(C, False, "3990", "0.1")
    assert low["error"].startswith("Order rejected due to price more aggressive than oracle while at open interest")
    assert "resting" in bench.place(C, False, "3990", "0.1", reduce_only=True)


def test_reaching_the_cap_cancels_what_is_more_aggressive_than_the_oracle() -> None:
    bench = Bench(cash="100000")
    bench.open_long(C, "1", "4100")
    passive = bench.place(B, True, "3990", "0.1")["resting"]["oid"]
    oid = bench.place(B, True, "4001", "0.1")["resting"]["oid"]
    bench.market().info = bench.market().info._replace(oi_cap=D(4000))
    bench.mark("4000.5")
    assert bench.words(B)[-1] == (oid, "openInterestCapCanceled")
    assert bench.opened(B) == [passive]


@pytest.mark.parametrize(
    ("leverage", "tif", "most"),
    [(25, "Ioc", 30_000_000), (20, "Gtc", 50_000_000), (10, "Ioc", 2_000_000), (5, "Alo", 5_000_000)],
)
def test_an_order_has_a_highest_value(leverage: int, tif: str, most: int) -> None:
    bench = Bench(max_leverage=leverage)
    size = D(most) / 4000
    request = Request(bench.market(), True, D(4000), size, False, tif, None)
    assert bench.engine.prevalidate([request]) is None
    larger = request._replace(sz=size + D("0.0001"))
    assert bench.engine.prevalidate([larger]) == f"Order value too large. Max is ${most}."


def test_a_position_stays_in_the_tier_of_its_leverage() -> None:
    bench = Bench(cash="1000000", margin_mode=None)
    bench.market().info = bench.market().info._replace(tiers=((D(0), 20), (D(10_000), 5)))
    refused = bench.place(C, True, "4000", "3")
    assert refused["error"].startswith("Order would cause position to exceed margin tier limit at current leverage")
    bench.account(C).leverage[GOLD] = (5, False)
    assert "resting" in bench.place(C, True, "4000", "3")


@pytest.mark.parametrize(("settlement", "px", "pnl"), [("oracle", "4000.0", "0.0"), ("mark", "4010.0", "2.0")])
def test_a_halt_cancels_settles_and_has_a_way_back(settlement: Any, px: str, pnl: str) -> None:
    bench = Bench(cash="10000")
    bench.engine.parameters = msgspec.structs.replace(bench.engine.parameters, settlement=settlement)
    bench.open_long(C, "0.2")
    oid = bench.place(C, True, "3900", "0.1")["resting"]["oid"]
    stop = bench.group(C, [bench.tpsl(False, "3800", "3950", "0.2", "sl")])[0]["resting"]["oid"]
    total = sum((a.dex("xyz").value(bench.engine.marks()) for a in bench.engine.accounts.values()), D(0))
    bench.mark("4010")
    bench.words(C)
    halts.halt(bench.engine, bench.market(), bench.now)
    assert bench.words(C) == [(oid, "delistedCanceled"), (stop, "delistedCanceled")]
    last = bench.fills(C)[-1]
    assert (last["dir"], last["px"], last["fee"], last["closedPnl"]) == ("Settlement", px, "0.0", pnl)
    assert (bench.size(C), bench.size(A), bench.market().open_interest) == (0, 0, 0)
    after = sum((a.dex("xyz").value(bench.engine.marks()) for a in bench.engine.accounts.values()), D(0))
    assert after == total
    assert bench.place(C, True, "3900", "0.1") == {"error": "Trading is halted. asset=110000"}
    halts.resume(bench.market())
    assert "resting" in bench.place(C, True, "3900", "0.1")


def test_after_an_upgrade_only_post_only_orders_are_taken() -> None:
    bench = Bench()
    bench.engine.post_only = True
    text = "Only post-only orders allowed immediately after network upgrade asset=110000"
    assert bench.place(C, True, "3900", "0.1", "Gtc") == {"error": text}
    assert "resting" in bench.place(C, True, "3900", "0.1", "Alo")


def test_the_answers_about_caps_and_tables() -> None:
    desk = Desk()
    limits = desk.info("perpDexLimits", dex="xyz")
    assert ["xyz:GOLD", "25000000.0"] in limits["coinToOiCap"]
    assert desk.info("perpDexLimits", dex="") is None
    assert desk.info("perpsAtOpenInterestCap", dex="xyz") == []
    market = desk.venue.engine.markets[GOLD]
    market.open_interest = D(7000)
    assert desk.info("perpsAtOpenInterestCap", dex="xyz") == [GOLD]
    meta = desk.info("meta")
    table = {m["name"]: m["marginTableId"] for m in meta["universe"]}["BTC"]
    tiers = [{"lowerBound": "0.0", "maxLeverage": 40}, {"lowerBound": "150000000.0", "maxLeverage": 20}]
    assert [table, {"description": "tiered 40x", "marginTiers": tiers}] in meta["marginTables"]
    assert desk.info("marginTable", id=table)["marginTiers"] == tiers
    assert desk.info("marginTable", id=20)["marginTiers"] == [{"lowerBound": "0.0", "maxLeverage": 20}]
    assert desk.info("maxMarketOrderNtls")[0] == [25, "30000000.0"]
    assert set(desk.info("perpDexStatus", dex="xyz")) == {"totalNetDeposit"}


@pytest.mark.parametrize(
    ("parameters", "px", "text"),
    [
        (Parameters(price_band=D("0.8")), "500", "Order price cannot be more than 80% away from the reference price"),
        (Parameters(oracle_distance=D("0.05")), "3700", "Price too far from oracle asset=110003"),
        (Parameters(asset_suffix=False), "3900", "Order must have minimum value of $10."),
    ],
)
def test_what_is_uncertain_is_a_parameter(parameters: Parameters, px: str, text: str) -> None:
    desk = Desk(parameters=parameters)
    sz = "0.001" if not parameters.asset_suffix else "0.1"
    assert desk.order(desk.key(1), True, px, sz) == {"error": text}


def test_a_reduce_only_order_is_judged_by_what_it_can_reduce() -> None:
    """One larger than the position was refused for margin, or at the cap, that only its excess would have needed."""
    desk = Desk()
    one, two = desk.key(1), desk.key(2, "1000000")
    desk.trade(one, two, "0.5")
    desk.order(two, True, "3999", "30")
    reply = desk.order(one, False, "3999", "20", "Ioc", reduce_only=True)
    assert reply["filled"]["totalSz"] == "0.5"
    desk.trade(one, two, "0.5")
    market = desk.venue.engine.markets["xyz:GOLD"]
    market.info = market.info._replace(oi_cap=D(1))
    assert market.at_cap
    assert desk.order(one, False, "3999", "1.5", "Ioc", reduce_only=True)["filled"]["totalSz"] == "0.5"


def test_an_order_that_would_close_a_position_binds_no_margin() -> None:
    desk = Desk()
    one, two = desk.key(1), desk.key(2, "1000000")
    desk.isolate(one, two)
    desk.trade(one, two, "0.5")

    def free() -> D:
        return D(desk.info("clearinghouseState", user=one.address, dex="xyz")["withdrawable"])

    before = free()
    desk.order(one, False, "4100", "0.5")
    assert free() == before
    desk.order(one, False, "4100", "0.1")  # a tenth beyond it
    assert before - free() == D("4100") * D("0.1") / 20


def test_an_open_order_keeps_its_cloid_whatever_is_refused_or_forgotten_beside_it() -> None:
    desk, cloid = Desk(), "0x" + "c1" * 16
    one = desk.key(1, "100000")
    oid = desk.order(one, True, "3900", "0.1", cloid=cloid)["resting"]["oid"]
    bad = wire(True, "3900.55555", "0.1", cloid=cloid)
    desk.act(one, {"type": "modify", "oid": oid, "order": bad})
    assert desk.info("orderStatus", user=one.address, oid=cloid)["order"]["status"] == "open"
    for _ in range(2100):
        desk.order(one, True, "3900.55555", "0.1", cloid="0x" + "d2" * 16)
    assert desk.info("orderStatus", user=one.address, oid=oid)["order"]["status"] == "open"
    reply = desk.act(one, {"type": "cancelByCloid", "cancels": [{"asset": GOLD_ID, "cloid": cloid}]})
    assert reply["response"]["data"]["statuses"] == ["success"]
