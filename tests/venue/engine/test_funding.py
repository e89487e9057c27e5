"""Funding: the rate of a premium, who pays whom, and that nothing is lost."""

from typing import Any

import msgspec
import pytest

from hip3.venue.answers.user_streams import user_frames
from hip3.venue.engine.funding import HOUR_MS, Funding, premium_of, rate_of
from hip3.venue.engine.model import MarketInfo
from hip3.venue.setup.parameters import FundingTerms
from hip3.venue.setup.settings import load_setup
from tests.venue.bench import GOLD, A, B, Bench, C, D
from tests.venue.desk import START, Desk


@pytest.mark.parametrize(
    ("premium", "main", "builder"),
    [
        ("-0.0001875303", "0.0000125", "0.00000625"),  # as captured: within the clamp only the interest is paid
        ("0", "0.0000125", "0.00000625"),
        ("0.0004", "0.0000125", "0.00000625"),
        ("0.0005", "0.0000125", "0.0000125"),  # the builder dex's clamp is 0.03 %, the main one's 0.05 %
        ("0.0011", "0.000075", "0.00005"),
        ("-0.0011", "-0.000075", "-0.00005"),
        ("1", "0.04", "0.04"),
    ],
)
def test_the_rate_of_a_premium(premium: str, main: str, builder: str) -> None:
    bench = Bench()
    market = bench.market()
    market.info = market.info._replace(funding=FundingTerms(multiplier=D("0.5")))
    assert rate_of(market, D(premium)) == D(builder)
    market.info = market.info._replace(dex="")
    assert rate_of(market, D(premium)) == D(main)


def test_each_market_has_terms_of_its_own_and_the_lists_tell_those_that_are_not_usual() -> None:
    built_in = load_setup()
    own = {"funding_multiplier": D(1), "funding_clamp": D("0.001"), "funding_interest": D(0)}
    markets = [msgspec.structs.replace(m, **own) if m.coin == GOLD else m for m in built_in.markets]
    desk = Desk(markets=markets)
    market = desk.venue.engine.markets[GOLD]
    assert rate_of(market, D("0.0004")) == 0  # within its clamp, and no interest
    assert rate_of(market, D("0.0024")) == D("0.000175")
    _, xyz, para = desk.info("perpDexs")
    assert GOLD not in dict(xyz["assetToFundingMultiplier"])
    assert dict(xyz["assetToFundingMultiplier"])["xyz:NVDA"] == "0.5"
    assert set(dict(para["assetToFundingMultiplier"]).values()) == {"0.6"}
    assert (xyz["assetToFundingClamp"], xyz["assetToFundingInterestRate"]) == ([[GOLD, "0.001"]], [[GOLD, "0.0"]])


def test_the_premium_of_a_builder_dex_is_the_middle_and_of_the_main_dex_what_is_beyond() -> None:
    market = Bench().market()
    assert premium_of(market, (D(4002), D(4006))) == D("0.001")
    assert premium_of(market, (D(3998), D(4002))) == 0
    market.info = MarketInfo("ETH", "", 1, 4, 25, None, False, None)
    assert premium_of(market, (D(3996), D(4004))) == 0
    assert premium_of(market, (D(4004), D(4008))) == D("0.001")
    assert premium_of(market, (D(3992), D(3996))) == D("-0.001")
    assert premium_of(market, None) is None


def _paid_hour(bench: Bench) -> int:
    """An hour passes, with a premium of 0.11 % throughout."""
    hour = bench.now - bench.now % HOUR_MS + HOUR_MS
    funding = Funding(bench.engine, bench.now)
    bench.place(B, True, "4003.9", "2")
    bench.place(B, False, "4004.9", "2")
    for now in range(hour - 60_000, hour, 5000):
        funding.advance(now)
    assert bench.market().premium == D("0.0011")
    funding.advance(hour + 33)
    return hour + 33


@pytest.mark.parametrize("isolated", [True, False])
def test_longs_pay_on_the_oracle_every_hour(isolated: bool) -> None:
    bench = Bench(margin_mode=None, cash="10000")
    for user in (A, C):
        bench.account(user).leverage[GOLD] = (20, isolated)
    bench.open_long(C, "0.2")
    before = {u: bench.account(u).dex("xyz").value(bench.engine.marks()) for u in (A, C)}
    now = _paid_hour(bench)
    payment = D("0.2") * 4000 * D("0.0000375")
    after = {u: bench.account(u).dex("xyz").value(bench.engine.marks()) for u in (A, C)}
    assert (after[C] - before[C], after[A] - before[A]) == (-payment, payment)
    assert bench.engine.residue == 0
    (row,) = bench.account(C).funding_rows
    assert row == {
        "time": now, "hash": "0x" + "0" * 64,
        "delta": {
            "type": "funding", "coin": GOLD, "usdc": "-0.03", "szi": "0.2", "fundingRate": "0.0000375",
            "nSamples": None,
        },
    }  # fmt: skip
    assert bench.market().funding_history[-1] == {
        "coin": GOLD, "fundingRate": "0.0000375", "premium": "0.0011", "time": now,
    }  # fmt: skip


def test_the_streams_tell_of_a_payment() -> None:
    bench = Bench(cash="10000")
    bench.open_long(C, "0.2")
    bench.engine.events.clear()
    _paid_hour(bench)
    frames = {key: msgspec.json.decode(text) for key, text in user_frames(bench.engine.events) if key.endswith(C)}
    facts = {
        "time": bench.account(C).funding_rows[0]["time"], "coin": GOLD, "usdc": "-0.03", "szi": "0.2",
        "fundingRate": "0.0000375", "nSamples": None,
    }  # fmt: skip
    assert frames[f"userEvents:{C}"] == {"channel": "user", "data": {"funding": facts}}
    assert frames[f"userFundings:{C}"] == {"channel": "userFundings", "data": {"user": C, "fundings": [facts]}}


def test_what_was_paid_is_kept_with_the_position() -> None:
    bench = Bench(cash="10000")
    bench.open_long(C, "0.2")
    _paid_hour(bench)
    position = bench.account(C).dex("xyz").positions[GOLD]
    assert (position.funding, position.funding_since_change) == (D("0.03"), D("0.03"))
    bench.place(B, True, "4003.9", "2")
    bench.place(C, False, "4003.9", "0.1", "Ioc")
    assert (position.funding, position.funding_since_change) == (D("0.03"), 0)


def test_funding_can_be_the_last_straw() -> None:
    bench = Bench(cash="45")
    bench.account(A).dex("xyz").raw_usd = bench.account(B).dex("xyz").raw_usd = D(10_000)
    bench.open_long(C, "0.2")
    bench.mark("3902")
    assert bench.size(C) == D("0.2")
    bench.place(B, True, "3901", "1")
    funding = Funding(bench.engine, bench.now)
    bench.market().funding = D("0.01")
    funding.pay(bench.market(), bench.now)
    assert bench.size(C) == 0


def test_the_answers_about_funding() -> None:
    desk = Desk()
    one, two = desk.key(1), desk.key(2)
    desk.trade(one, two, "0.1")
    desk.wait(HOUR_MS - START % HOUR_MS)
    rows = desk.info("fundingHistory", coin=GOLD, startTime=0)
    assert [set(row) for row in rows] == [{"coin", "fundingRate", "premium", "time"}]
    assert 0 <= rows[0]["time"] % HOUR_MS < 100
    paid: list[Any] = desk.info("userFunding", user=one.address, startTime=0)
    assert [row["delta"]["usdc"][0] for row in paid] == ["-"]
    position = desk.info("clearinghouseState", user=one.address, dex="xyz")["assetPositions"][0]["position"]
    amount = paid[0]["delta"]["usdc"][1:]
    assert position["cumFunding"] == {"allTime": amount, "sinceOpen": amount, "sinceChange": amount}
    predicted = dict(desk.info("predictedFundings"))
    assert predicted["BTC"][0][0] == "HlPerp"
    assert desk.info("metaAndAssetCtxs", dex="xyz")[1][3]["funding"] == "0.00000625"


@pytest.mark.parametrize("start", [{}, {"startTime": None}])
def test_payments_without_a_start_are_the_newest_two_thousand_newest_first(start: dict[str, Any]) -> None:
    desk = Desk()
    user = desk.key(1).address
    account = desk.venue.engine.account(user)
    assert account is not None
    account.funding_rows.extend({"time": START + n} for n in range(2100))
    desk.now = START + 5000
    rows = desk.info("userFunding", user=user, **start)
    assert [row["time"] - START for row in rows] == list(range(2099, 99, -1))
    assert len(desk.info("userFunding", user=user, startTime=START)) == 500
    assert desk.info("userFunding", user=user, endTime=START + 1, **start) == [{"time": START + 1}, {"time": START}]
