"""The engine alone: matching, fees, margin, nonces, and that size and cash are conserved."""

import random
from decimal import Decimal
from typing import Any

import pytest

from hip3.core.money import truncate
from hip3.exchange.registry import hip3_fee_factor
from hip3.venue.books.agents import NonceSet
from hip3.venue.engine.engine import Engine
from hip3.venue.engine.model import FillEvent, MarketInfo, OrderEvent, Request

A, B, C = ("0x" + letter * 40 for letter in "abc")
D = Decimal


def _engine(*, margin_mode: str | None = "noCross", growth: bool = True) -> Engine:
    info = MarketInfo("xyz:GOLD", "xyz", 110000, 4, 20, margin_mode, growth, D(1))
    engine = Engine([(info, D(4000))])
    for user in (A, B, C):
        engine.fund(user, "xyz", D(1000))
    return engine


def _place(engine: Engine, user: str, buy: bool, px: str, sz: str, tif: str = "Gtc", **kw: Any) -> Any:
    market = engine.markets["xyz:GOLD"]
    reduce_only, cloid = kw.get("reduce_only", False), kw.get("cloid")
    account = engine.account(user)
    assert account is not None
    return engine.place(account, Request(market, buy, D(px), D(sz), reduce_only, tif, cloid), kw.get("now", 1))


def _cash(engine: Engine) -> D:
    return sum((a.dex("xyz").value(engine.marks()) + a.fees for a in engine.accounts.values()), D(0))


def _size(engine: Engine) -> D:
    return sum((p.szi for a in engine.accounts.values() for p in a.dex("xyz").positions.values()), D(0))


def test_price_then_time_decides_and_the_taker_pays_the_maker_s_price() -> None:
    engine = _engine()
    _place(engine, A, False, "4001", "0.01")
    _place(engine, B, False, "4000", "0.01")
    _place(engine, A, False, "4000", "0.01")
    filled = _place(engine, C, True, "4001", "0.025", "Ioc")["filled"]
    assert (filled["totalSz"], filled["avgPx"]) == ("0.025", "4000.2")
    fills = [e.fill for e in engine.events if isinstance(e, FillEvent) and e.user == C]
    assert [(f["px"], f["sz"]) for f in fills] == [("4000.0", "0.01"), ("4000.0", "0.01"), ("4001.0", "0.005")]


def test_the_rest_of_an_ioc_is_gone_and_nothing_rests() -> None:
    engine = _engine()
    _place(engine, A, False, "4000", "0.01")
    filled = _place(engine, C, True, "4000", "0.03", "Ioc")["filled"]
    assert filled["totalSz"] == "0.01"
    account = engine.account(C)
    assert account is not None
    assert engine.open_orders(account) == []


def test_self_trade_cancels_the_resting_order_and_goes_on() -> None:
    engine = _engine()
    resting = _place(engine, C, False, "4000", "0.01")["resting"]["oid"]
    _place(engine, A, False, "4001", "0.01")
    filled = _place(engine, C, True, "4001", "0.01", "Ioc")["filled"]
    assert filled["avgPx"] == "4001.0"
    words = [(e.order.oid, e.status) for e in engine.events if isinstance(e, OrderEvent)]
    assert (resting, "selfTradeCanceled") in words


def test_reduce_only_is_shrunk_never_flips_and_goes_with_the_position() -> None:
    engine = _engine()
    _place(engine, A, False, "4000", "0.02")
    _place(engine, A, True, "3990", "0.05")
    _place(engine, C, True, "4000", "0.02", "Ioc")
    resting = _place(engine, C, False, "4005", "0.02", reduce_only=True)["resting"]["oid"]
    filled = _place(engine, C, False, "3990", "0.05", "Ioc", reduce_only=True)["filled"]
    assert filled["totalSz"] == "0.02"
    account = engine.account(C)
    assert account is not None
    assert account.dex("xyz").positions == {}
    assert account.history[resting]["status"] == "reduceOnlyCanceled"


def test_a_full_close_below_ten_dollars_is_exempt_and_a_partial_one_is_not() -> None:
    engine = _engine()
    _place(engine, A, False, "4000", "0.0026")
    _place(engine, A, True, "3500", "0.01")
    _place(engine, C, True, "4000", "0.0026", "Ioc")
    partial = _place(engine, C, False, "3500", "0.001", "Ioc", reduce_only=True)
    assert partial["error"] == "Order must have minimum value of $10. asset=110000"
    assert "filled" in _place(engine, C, False, "3500", "0.0026", "Ioc", reduce_only=True)


@pytest.mark.parametrize(
    ("px", "sz", "rate", "printed"),
    [
        ("4307.4", "0.0025", "0.00045", "0.004845"),
        ("4303.7", "0.0025", "0.00045", "0.004841"),
        ("66653", "0.001", "0.00015", "0.009997"),
        ("81623", "0.00031", "0.000144", "0.003643"),
        ("25372", "0.0353", "0.00003", "0.026868"),
        ("66.362", "1.911", "0.00003", "0.003804"),
        ("82.744", "0.3", "0.0000288", "0.000714"),
        ("80.601", "0.6", "0.0000864", "0.004178"),
    ],
)
def test_fees_of_captured_fills(px: str, sz: str, rate: str, printed: str) -> None:
    assert truncate(D(px) * D(sz) * D(rate), 6) == D(printed)


@pytest.mark.parametrize(
    ("scale", "growth", "factor"), [("1.0", False, "2"), ("1.0", True, "0.2"), ("0.5", False, "1.5"), ("3", False, "6")]
)
def test_the_hip3_fee_factor(scale: str, growth: bool, factor: str) -> None:
    assert hip3_fee_factor(D(scale), growth=growth) == D(factor)


@pytest.mark.parametrize("margin_mode", ["noCross", None])
@pytest.mark.parametrize("seed", range(10))
def test_size_and_cash_are_conserved_after_every_step(margin_mode: str | None, seed: int) -> None:
    engine, rng = _engine(margin_mode=margin_mode), random.Random(seed)
    start = _cash(engine)
    for step in range(300):
        user = rng.choice((A, B, C))
        px = str(4000 + rng.randint(-8, 8))
        size = str(D(rng.randint(30, 200)) / 10_000)
        tif = rng.choice(("Gtc", "Ioc", "Alo"))
        _place(engine, user, rng.random() < 0.5, px, size, tif, reduce_only=rng.random() < 0.2, now=step)
        assert _size(engine) == 0
        assert _cash(engine) == start
        for account in engine.accounts.values():
            for order in engine.open_orders(account):
                assert order.sz > 0


def test_closed_pnl_of_a_round_trip_is_what_was_paid_out() -> None:
    engine = _engine()
    for px, size in (("4000", "0.0033"), ("4003", "0.0047"), ("4001", "0.0071")):
        _place(engine, A, False, px, size)
    _place(engine, B, True, "3997", "1")
    before = engine.accounts[C].dex("xyz").raw_usd
    _place(engine, C, True, "4010", "0.0151", "Ioc")
    for size in ("0.0049", "0.0102"):
        assert "filled" in _place(engine, C, False, "3997", size, "Ioc", reduce_only=True)
    account = engine.accounts[C]
    pnl = sum((D(str(f["closedPnl"])) for f in account.fills), D(0))
    fees = sum((D(str(f["fee"])) for f in account.fills), D(0))
    assert account.dex("xyz").raw_usd - before == pnl - fees


def test_nonces_are_a_set_of_the_hundred_highest() -> None:
    day, now = 86_400_000, 1_790_000_000_000
    nonces = NonceSet()
    assert nonces.use(now, now) is None
    assert nonces.use(now, now) == f"Invalid nonce: duplicate nonce {now}"
    assert nonces.use(now - 5, now) is None  # any order of arrival
    for n in range(1, 100):
        assert nonces.use(now + n, now) is None
    low = nonces.use(now - 10, now)
    assert low is not None
    assert low.startswith("Invalid nonce: nonce too low")
    high = nonces.use(now + day, now)
    assert high is not None
    assert high.startswith("Invalid nonce: nonce too high")


def test_a_resting_order_that_its_owner_cannot_pay_for_any_longer_is_cancelled_when_met() -> None:
    engine = _engine(margin_mode=None)
    resting = _place(engine, C, True, "4000", "4.9")["resting"]["oid"]
    other = _place(engine, A, True, "3999", "0.01")["resting"]["oid"]
    engine.accounts[C].dex("xyz").raw_usd -= 100
    filled = _place(engine, B, False, "3999", "0.01", "Ioc")["filled"]
    assert filled["avgPx"] == "3999.0"
    words = [(e.order.oid, e.status) for e in engine.events if isinstance(e, OrderEvent)]
    assert (resting, "marginCanceled") in words
    assert (other, "filled") in words
