"""The exchange over a recording: what a taker gets, what fills a resting order, and that nothing is sold twice."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hip3.exchange.embedded import key_number_one
from hip3.exchange.signing import SigningKey, sign_l1_action
from hip3.venue.books.kept import dump, read
from hip3.venue.engine.funding import HOUR_MS
from hip3.venue.market.filling import BLOCK_MS, parse_fills
from hip3.venue.market.queueing import parse_queue
from hip3.venue.market.tape import Tape
from hip3.venue.recorded import Model, RecordedVenue
from hip3.venue.setup.settings import load_setup
from tests.venue.desk import GOLD, START, wire

D = Decimal
KEY = SigningKey(key_number_one(0))
WAY_MS = 100


class Recorded:
    """A recorded market of gold, and one account. Times count from the recording's beginning."""

    def __init__(self, **model: Any) -> None:
        self.tape = Tape()
        self.venue = RecordedVenue(
            load_setup(), tapes={GOLD: self.tape}, travels=lambda now, request: WAY_MS, model=Model(**model), own=None,
            px={GOLD: D(4000)}, seed=0, now_ms=START,
        )  # fmt: skip
        self._nonce = START
        self.tape.ctx(START, _frame("activeAssetCtx", {"coin": GOLD, "ctx": {"oraclePx": "4000", "markPx": "4000"}}))

    def touch(self, at_ms: int, bid: tuple[str, str], ask: tuple[str, str]) -> None:
        sides = [{"px": px, "sz": sz, "n": 1} for px, sz in (bid, ask)]
        self.tape.bbo(START + at_ms, _frame("bbo", {"coin": GOLD, "time": START + at_ms, "bbo": sides}))

    def trade(self, at_ms: int, side: str, px: str, sz: str) -> None:
        trade = {"coin": GOLD, "side": side, "px": px, "sz": sz, "time": START + at_ms, "tid": at_ms}
        self.tape.traded(_frame("trades", [trade]))

    def book(self, at_ms: int, bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> None:
        levels = [[{"px": px, "sz": sz, "n": 1} for px, sz in side] for side in (bids, asks)]
        self.tape.book(START + at_ms, _frame("l2Book", {"coin": GOLD, "time": START + at_ms, "levels": levels}))

    def send(self, at_ms: int, *, buy: bool, px: str, sz: str, tif: str = "Ioc") -> None:
        """An order that is executed at `at_ms`."""
        self._nonce += 1
        self.until(at_ms - WAY_MS)
        action = {"type": "order", "orders": [wire(buy, px, sz, tif)], "grouping": "na"}
        signature = sign_l1_action(KEY, action, self._nonce, mainnet=False)
        body = {"action": action, "nonce": self._nonce, "signature": signature, "vaultAddress": None}
        self.venue.http(0, "/exchange", msgspec.json.encode(body), START + at_ms - WAY_MS)
        self.until(at_ms)

    def until(self, at_ms: int) -> None:
        self.venue.advance(START + at_ms)
        self.venue.take_output()

    @property
    def fills(self) -> list[tuple[str, str, bool]]:
        account = self.venue.engine.account(KEY.address)
        assert account is not None
        return [(f["px"], f["sz"], f["crossed"]) for f in account.fills]

    @property
    def filled(self) -> Decimal:
        return sum((D(sz) for _, sz, _ in self.fills), D(0))


def _frame(channel: str, data: Any) -> bytes:
    return json.dumps({"channel": channel, "data": data}, separators=(",", ":")).encode()


def test_a_stale_quote_that_went_within_our_block() -> None:
    """evidence.md 8.2, case 14."""
    got = {}
    for model in ("pessimistic", "share:0.5", "optimistic"):
        market = Recorded(fills=parse_fills(model))
        market.touch(0, ("3999", "1"), ("4000", "1"))
        market.trade(480, "B", "4000", "0.6")
        market.touch(490, ("3999", "1"), ("4004", "1"))  # 0.6 of it traded, 0.4 cancelled
        market.send(500, buy=True, px="4000", sz="1")
        got[model] = market.filled
    assert got == {"pessimistic": D(0), "share:0.5": D("0.3"), "optimistic": D(1)}


def test_two_orders_on_one_quote_get_no_more_than_it_had() -> None:
    """evidence.md 8.2, case 15: within its life, whatever is shown of it again; a new life is a new quote."""
    market = Recorded(fills=parse_fills("optimistic"))
    market.touch(0, ("3999", "1"), ("4000", "0.1"))
    market.send(300, buy=True, px="4001", sz="0.06")
    market.touch(400, ("3999", "2"), ("4000", "0.1"))
    market.send(600, buy=True, px="4001", sz="0.06")
    assert market.fills == [("4000.0", "0.06", True), ("4000.0", "0.04", True)]
    market.touch(700, ("3999", "1"), ("4001", "1"))
    market.touch(800, ("3999", "1"), ("4000", "0.1"))
    market.send(1000, buy=True, px="4000", sz="0.05")
    assert market.filled == D("0.15")


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 40)), min_size=2, max_size=8),
    st.lists(st.integers(1, 12), min_size=1, max_size=6),
    st.sampled_from(["pessimistic", "share:0.3", "share:1", "optimistic"]),
)
def test_of_one_quote_we_and_others_get_no_more_than_was_shown(
    looks: list[tuple[int, int]], orders: list[int], model: str
) -> None:
    """evidence.md 8.1.9: what we took and what others got, per price and record."""
    market = Recorded(fills=parse_fills(model))
    most = D(0)
    for number, (size, taken) in enumerate(looks):
        shown = D(size) / 100
        others = min(shown, D(taken) / 1000)
        market.touch(100 * number, ("3999", "1"), ("4000", str(shown)))
        market.trade(100 * number + 50, "B", "4000", str(others))
        most = max(most, shown)
    for number, size in enumerate(orders):
        market.send(150 + 110 * number, buy=True, px="4000", sz=str(D(size) / 100))
    assert market.filled <= most


def test_a_resting_order_needs_a_trade_where_trades_are_recorded() -> None:
    """evidence.md 3.3: touching is not filling; two orders share a trade, and its front comes before both."""
    for trades, filled in ((True, D(0)), (False, D("0.02"))):
        market = Recorded(trades=trades)
        market.touch(0, ("3990", "1"), ("4010", "1"))
        market.send(300, buy=True, px="4000", sz="0.02", tif="Alo")
        market.touch(400, ("3990", "1"), ("4000", "1"))
        market.until(500)
        assert market.filled == filled
    market = Recorded()
    market.touch(0, ("4000", "0.05"), ("4010", "1"))
    for number in range(2):
        market.send(300 + 200 * number, buy=True, px="4000", sz="0.02", tif="Alo")
    market.trade(700, "A", "4000", "0.05")
    market.until(720)
    assert market.filled == 0
    market.trade(750, "A", "4000", "0.03")
    market.until(800)
    assert market.fills == [("4000.0", "0.02", False), ("4000.0", "0.01", False)]


@pytest.mark.parametrize("at_ms", [498, 499, 500, 501, 502])
def test_an_order_in_the_moment_of_a_block_stands_behind_what_that_block_met(at_ms: int) -> None:
    """A block's trades are played after what is executed at its time: its touch is of after them."""
    market = Recorded()
    market.touch(0, ("4000", "1.0"), ("4010", "1"))
    market.send(200, buy=True, px="3900", sz="0.01", tif="Alo")  # so that the market is watched
    market.trade(500, "A", "4000", "0.95")
    market.touch(500, ("4000", "0.05"), ("4010", "1"))
    market.send(at_ms, buy=True, px="4000", sz="0.5", tif="Alo")
    market.until(at_ms + 50)
    assert market.filled == 0


def test_the_other_side_s_touch_fills_what_it_has_and_that_once() -> None:
    market = Recorded(trades=False)
    market.touch(0, ("3990", "1"), ("4010", "1"))
    market.send(300, buy=True, px="4000", sz="0.05", tif="Alo")
    market.touch(400, ("3990", "1"), ("4000", "0.02"))
    market.touch(450, ("3991", "1"), ("4000", "0.02"))
    market.until(500)
    assert market.filled == D("0.02")


def test_a_queue_that_shares_cancels_out_lets_an_order_through_sooner() -> None:
    got = {}
    for model in ("risk-averse", "probabilistic", "probabilistic:3"):
        market = Recorded(queue=parse_queue(model))
        market.touch(0, ("4000", "0.05"), ("4010", "1"))
        market.send(300, buy=True, px="4000", sz="0.05", tif="Alo")
        market.touch(400, ("4000", "0.15"), ("4010", "1"))  # more came behind us
        market.touch(450, ("4000", "0.06"), ("4010", "1"))  # and much was cancelled
        market.trade(500, "A", "4000", "0.05")
        market.until(600)
        got[model] = market.filled
    assert got["risk-averse"] == 0
    assert 0 < got["probabilistic:3"] < got["probabilistic"] < D("0.05")


def test_behind_the_touch_there_is_what_the_order_book_had() -> None:
    """Less what was traded there since, and nothing when it is old."""
    for behind, at_ms, filled in (("none", 300, "0.01"), ("depth", 300, "0.05"), ("depth", 2300, "0.01")):
        market = Recorded(behind=behind)
        market.touch(0, ("3999", "1"), ("4000", "0.01"))
        market.book(10, [("3999", "1")], [("4000", "0.01"), ("4001", "0.06"), ("4005", "1")])
        market.trade(100, "B", "4001", "0.02")
        market.send(at_ms, buy=True, px="4002", sz="0.5")
        assert market.filled == D(filled), behind
        market.send(at_ms + 200, buy=True, px="4002", sz="0.5")
        assert market.filled == D(filled), "sold twice"


def test_an_order_s_impact_worsens_what_comes_after_it_and_fades() -> None:
    prices = []
    for impact, wait_ms in (("0", 200), ("1", 200), ("1", 60_000)):
        market = Recorded(impact=D(impact))
        market.touch(0, ("3990", "1"), ("4000", "0.1"))
        market.send(300, buy=True, px="4000", sz="0.1")
        market.touch(400, ("3990", "1"), ("4001", "0.1"))
        market.touch(300 + wait_ms - 80, ("3990", "1"), ("4000", "0.1"))
        market.send(300 + wait_ms, buy=True, px="4020", sz="0.1")
        prices.append([px for px, _, _ in market.fills])
    assert prices == [["4000.0", "4000.0"], ["4000.0", "4009.9"], ["4000.0", "4000.2"]]


def test_size_beyond_evidence_is_counted() -> None:
    market = Recorded()
    market.touch(0, ("3990", "1"), ("4000", "0.1"))
    market.send(300, buy=True, px="4000", sz="0.04")
    assert (market.venue.offers.notional, market.venue.offers.large) == (D(160), D(0))
    market.send(500, buy=True, px="4000", sz="0.05")
    assert market.venue.offers.large == D(200)


def test_a_block_is_what_the_race_lasts() -> None:
    """What went before our order arrived was nobody's race: it is gone for every model."""
    market = Recorded(fills=parse_fills("optimistic"))
    market.touch(0, ("3999", "1"), ("4000", "1"))
    market.touch(500 - BLOCK_MS, ("3999", "1"), ("4004", "1"))
    market.send(500, buy=True, px="4000", sz="1")
    assert market.filled == 0


@pytest.mark.parametrize("model", ["risk-averse", "probabilistic"])
@pytest.mark.parametrize("later_ms", [0, 1])
def test_a_trade_and_the_touch_that_it_left_take_their_part_of_a_level_once(model: str, later_ms: int) -> None:
    """Both have the time of one block: the touch shrank the queue before us, and the same trade did once more."""
    market = Recorded(queue=parse_queue(model))
    market.touch(0, ("4000", "0.1"), ("4010", "1"))
    market.send(300, buy=True, px="4000", sz="0.02", tif="Alo")
    for at_ms, traded, left in ((700, "0.05", "0.05"), (800, "0.02", "0.03")):
        market.trade(at_ms, "A", "4000", traded)
        market.touch(at_ms + later_ms, ("4000", left), ("4010", "1"))
    market.until(900)
    assert market.filled == 0, "0.03 still stands before us"
    market.trade(950, "A", "4000", "0.04")
    market.until(1000)
    assert market.filled == D("0.01")


def test_an_account_that_comes_back_pays_for_the_hours_without_it() -> None:
    market = Recorded(fills=parse_fills("optimistic"))
    market.touch(0, ("3999", "1"), ("4000", "1"))
    ctx = {"coin": GOLD, "ctx": {"oraclePx": "4000", "markPx": "4000", "funding": "0.0001"}}
    market.tape.ctx(START + 1, _frame("activeAssetCtx", ctx))
    market.send(300, buy=True, px="4001", sz="0.05")
    kept = read(dump(market.venue.books, START + 1000), "x")
    venue = RecordedVenue(
        load_setup(), tapes={GOLD: market.tape}, travels=lambda number, rng: 100, model=Model(), own=None,
        px={GOLD: D(4000)}, seed=0, now_ms=START + 10 * HOUR_MS + 500, kept=kept,
    )  # fmt: skip
    assert venue.held() == [GOLD]
    venue.pay_missed(GOLD, [(START + hour * HOUR_MS, D("0.0001") * hour) for hour in (1, 2)])
    account = venue.engine.account(KEY.address)
    assert account is not None
    paid = [(r["time"] - START, r["delta"]["usdc"]) for r in account.funding_rows]
    assert paid == [(HOUR_MS, "-0.02"), (2 * HOUR_MS, "-0.04")]
