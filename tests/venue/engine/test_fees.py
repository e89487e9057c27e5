"""Fees: tiers, discounts, the HIP-3 factor, the builder's part, to the last digit of captured fills."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from hip3.core.money import ONE, ZERO, truncate
from hip3.exchange.registry import hip3_fee_factor, parse_meta
from hip3.venue.engine import fees
from hip3.venue.engine.account import Account
from hip3.venue.engine.fees import BUILDER_UNIT, DAY_MS, base_rates, rate_of
from hip3.venue.engine.model import MAKER_RATE, TAKER_RATE, MarketInfo
from hip3.venue.setup.settings import load_setup
from tests.venue.bench import A, B, Bench, C
from tests.venue.desk import GOLD, D, Desk, wire

MAIN = MarketInfo("BTC", "", 0, 5, 40, None, False, None)
XYZ = MarketInfo("xyz:GOLD", "xyz", 110003, 4, 20, None, False, ONE)
GROWTH = XYZ._replace(growth=True)
DAY = 20_000
NOW = DAY * DAY_MS + 5


@pytest.mark.parametrize(
    ("px", "sz", "info", "rate", "discount", "builder", "printed"),
    [
        ("4307.4", "0.0025", MAIN, TAKER_RATE, ZERO, 0, "0.004845"),
        ("66653", "0.001", MAIN, MAKER_RATE, ZERO, 0, "0.009997"),
        ("79146", "0.001", MAIN, MAKER_RATE, ZERO, 10, "0.019785"),
        ("81623", "0.00031", MAIN, MAKER_RATE, fees.REFERRAL_DISCOUNT, 0, "0.003643"),
        ("25372", "0.0353", GROWTH, MAKER_RATE, ZERO, 0, "0.026868"),
        ("82.744", "0.3", GROWTH, MAKER_RATE, fees.REFERRAL_DISCOUNT, 0, "0.000714"),
        ("80.601", "0.6", GROWTH, TAKER_RATE, fees.REFERRAL_DISCOUNT, 0, "0.004178"),
    ],
)
def test_every_captured_fee_comes_out(
    px: str, sz: str, info: MarketInfo, rate: Decimal, discount: Decimal, builder: int, printed: str
) -> None:
    notional = D(px) * D(sz)
    own = truncate(notional * rate_of(info, rate, discount), 6)
    assert own + truncate(notional * builder * BUILDER_UNIT, 6) == D(printed)


def _account(taken: str = "0", made: str = "0", day: int = DAY - 1) -> Account:
    account = Account("0x1")
    account.daily[day] = (D(taken), D(made))
    return account


@pytest.mark.parametrize(
    ("taken", "made", "rates"),
    [
        ("5000000", "0", ("0.00045", "0.00015")),
        ("5000001", "0", ("0.0004", "0.00012")),
        ("20000000", "6000000", ("0.00035", "0.00008")),
        ("8000000000", "0", ("0.00024", "0")),
    ],
)
def test_volume_makes_the_rates(taken: str, made: str, rates: tuple[str, str]) -> None:
    assert base_rates(_account(taken, made), {}, NOW) == tuple(map(D, rates))


def test_only_the_fourteen_days_before_today_count() -> None:
    for day, taker in ((DAY, "0.00045"), (DAY - 14, "0.0004"), (DAY - 15, "0.00045")):
        assert base_rates(_account("6000000", day=day), {}, NOW)[0] == D(taker)


def test_a_share_of_the_making_earns_a_rebate_which_no_dex_multiplies() -> None:
    account = _account(made="1000001")
    assert base_rates(account, {DAY - 1: D(50_000_000)}, NOW)[1] == D("-0.00002")
    assert rate_of(XYZ, D("-0.00002"), ZERO) == D("-0.00002")
    assert rate_of(GROWTH, D("-0.00002"), ZERO) == D("-0.000002")


def test_a_growth_market_counts_a_tenth() -> None:
    bench = Bench(cash="10000")
    bench.market().info = bench.market().info._replace(growth=True)
    bench.open_long(C, "0.2")
    (day,) = bench.account(C).daily.values()
    assert day == (80, 0)
    assert bench.account(C).volume == 800


@pytest.fixture
def desk() -> Desk:
    return Desk()


def _approve(desk: Desk, number: int, builder: str, rate: str) -> Any:
    return desk.by_user(number, {"type": "approveBuilderFee", "maxFeeRate": rate, "builder": builder})


def test_a_builder_is_approved_paid_and_shown(desk: Desk) -> None:
    one, two, builder = desk.key(1), desk.key(2), desk.key(3)
    item = wire(True, "4000", "0.1", "Ioc")
    action = {"type": "order", "orders": [item], "grouping": "na", "builder": {"b": builder.address, "f": 10}}
    assert desk.act(one, action) == {"status": "err", "response": "Builder fee has not been approved."}
    poor = _approve(desk, 1, "0x" + "4" * 40, "0.01%")
    assert poor["response"] == "Builder has insufficient balance to be approved."
    assert _approve(desk, 1, builder.address, "0.01%")["status"] == "ok"
    assert desk.info("maxBuilderFee", user=one.address, builder=builder.address) == 10
    assert desk.info("approvedBuilders", user=one.address) == [builder.address]
    desk.order(two, False, "4000", "0.1")
    assert "filled" in desk.act(one, action)["response"]["data"]["statuses"][0]
    fill = desk.info("userFills", user=one.address)[0]
    assert (fill["fee"], fill["builderFee"]) == ("0.4", "0.04")
    assert "builderFee" not in desk.info("userFills", user=two.address)[0]
    assert desk.info("clearinghouseState", user=builder.address, dex="xyz")["withdrawable"] == "1000.04"
    too_much = {**action, "builder": {"b": builder.address, "f": 11}}
    assert desk.act(one, too_much)["status"] == "err"
    assert _approve(desk, 1, builder.address, "0%")["status"] == "ok"
    assert desk.info("approvedBuilders", user=one.address) == []


def test_a_referrer_s_code_takes_four_percent_off(desk: Desk) -> None:
    one, two = desk.key(1), desk.key(2)
    assert desk.act(one, {"type": "setReferrer", "code": "HELLO"})["status"] == "ok"
    desk.trade(one, two, "0.1")
    assert desk.info("userFills", user=one.address)[0]["fee"] == "0.3456"
    assert desk.info("userFees", user=one.address)["activeReferralDiscount"] == "0.04"


def test_user_fees_says_tier_schedule_and_volume(desk: Desk) -> None:
    one, two = desk.key(1, "10000"), desk.key(2, "10000")
    desk.trade(one, two, "1")
    answer = desk.info("userFees", user=one.address)
    assert (answer["userCrossRate"], answer["userAddRate"]) == ("0.00045", "0.00015")
    assert len(answer["dailyUserVlm"]) == 15
    assert answer["dailyUserVlm"][-1]["userCross"] == "4000.0"
    assert answer["dailyUserVlm"][-1]["exchange"] != "0.0"
    assert answer["feeSchedule"]["tiers"]["vip"][0] == {
        "ntlCutoff": "5000000.0", "cross": "0.0004", "add": "0.00012", "spotCross": "0.0007", "spotAdd": "0.0004",
    }  # fmt: skip
    day = desk.now // DAY_MS
    desk.venue.engine.accounts[one.address].daily[day - 1] = (D(30_000_000), D(0))
    assert desk.info("userFees", user=one.address)["userCrossRate"] == "0.00035"


def test_a_fee_of_each_side_at_its_own_rate() -> None:
    bench = Bench(cash="10000")
    bench.open_long(C, "0.2")
    assert (bench.fills(C)[0]["fee"], bench.fills(A)[0]["fee"]) == ("0.72", "0.24")
    assert bench.account(B).fees == 0
    assert bench.market().info.coin == GOLD


@pytest.mark.parametrize(
    ("scale", "growth", "rate"), [("3", False, "0.0027"), ("9.99", True, "0.0008991"), ("0.5", False, "0.000675")]
)
def test_a_market_s_own_scale_is_served_and_charged(scale: str, growth: bool, rate: str) -> None:
    built_in = load_setup()
    markets = [
        msgspec.structs.replace(m, fee_scale=D(scale), growth=growth) if m.coin == "xyz:GOLD" else m
        for m in built_in.markets
    ]
    desk = Desk(markets=markets)
    entry = next(e for e in desk.info("meta", dex="xyz")["universe"] if e["name"] == "xyz:GOLD")
    assert (D(entry["deployerFeeScale"]), entry["growthMode"]) == (D(scale), "enabled" if growth else "disabled")
    assert "deployerFeeScale" not in desk.info("perpDexs")[1]
    (info,) = (m.info for m in desk.venue.engine.markets.values() if m.info.coin == "xyz:GOLD")
    specs, _ = parse_meta("xyz", 1, {}, desk.info("meta", dex="xyz"), D("0.00045"))
    assert specs["xyz:GOLD"].taker_fee_bps == D(rate) * 10_000
    assert hip3_fee_factor(info.fee_scale, growth=info.growth) * D("0.00045") == D(rate)
