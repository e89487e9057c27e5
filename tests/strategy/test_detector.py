"""The detector's conditions one by one, and its sizing."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip3.core.market import Level, MarketView
from hip3.core.money import MIN_NOTIONAL_USD
from hip3.core.orders import Side
from hip3.strategy.detector import Detector, DetectorParams
from hip3.strategy.oracle import OracleMoves
from hip3.strategy.sizing import SizingParams, impossible, suggest
from tests.builders import COIN, D

SIZING = SizingParams(alpha=D("0.1"), min_book=D(500), normal_book=D(5000), max_notional=D(50), sz_decimals=4)
SIZING_NONE = msgspec.structs.replace(SIZING, max_notional=D(11))


def _params(**kw: Any) -> DetectorParams:
    base: dict[str, Any] = {
        "cost_bps": D("8.8"), "min_change_bps": D(3), "min_moves": 2, "move_bps": D(2), "sizing": SIZING,
    }  # fmt: skip
    return DetectorParams(**(base | kw))


def _view(oracle: str, bid: str = "3999", ask: str = "4000", size: str = "1", **kw: Any) -> MarketView:
    base: dict[str, Any] = {
        "coin": COIN, "bid": Level(D(bid), D(size)), "ask": Level(D(ask), D(size)), "bbo_at_ms": 1,
        "oracle": D(oracle), "mark": D(oracle), "ctx_at_ms": 1, "generation": 1,
    }  # fmt: skip
    return MarketView(**(base | kw))


def _feed(oracles: list[str], **kw: Any) -> tuple[Detector, list[Any]]:
    detector = Detector({COIN: _params(**kw)})
    return detector, [detector.on_ctx(_view(o), 0) for o in oracles]


def test_two_steps_up_and_a_stale_ask_are_bought_once_per_oracle_price() -> None:
    detector, signals = _feed(["4000", "4002", "4005", "4005"])
    assert [s is not None for s in signals] == [False, False, True, False]
    signal = signals[2]
    assert (signal.side, signal.touch_px, signal.oracle) == (Side.BUY, D(4000), D(4005))
    assert round(signal.raw_edge_bps, 2) == D("12.48")
    assert detector.on_bbo(_view("4005", ask="3999.5", bid="3999"), 0) is None
    assert detector.on_ctx(_view("4008"), 0) is not None


def test_two_steps_down_and_a_stale_bid_are_sold() -> None:
    _, signals = _feed(["4000", "3997", "3994"])
    assert signals[2].side is Side.SELL
    assert signals[2].touch_px == D(3999)


@pytest.mark.parametrize(
    "oracles",
    [
        ["4005"],  # the first price is no step
        ["4000", "4005"],  # one step is not two
        ["4000", "4002", "4001", "4005"],  # the run was broken
        ["4000", "4002", "4004", "4004.4"],  # the last change is below three bps
        ["3990", "3990.5", "3991", "4005"],  # drift is no step
    ],
)
def test_no_signal_without_the_oracle_leading(oracles: list[str]) -> None:
    _, signals = _feed(oracles, min_moves=2)
    assert signals[-1] is None


def test_costs_a_broken_book_and_another_epoch_refuse() -> None:
    assert _feed(["4000", "4002", "4005"], cost_bps=D(13))[1][-1] is None
    detector, _ = _feed(["4000", "4002"])
    assert detector.on_ctx(_view("4005", bid="4001", ask="4000"), 0) is None
    assert detector.on_ctx(_view("4008", ask="4000", bid="3999", generation=2), 0) is None
    assert detector.on_ctx(_view("4011", ask="4000", bid="3999", generation=2), 0) is None
    assert detector.on_ctx(_view("4014", ask="4000", bid="3999", generation=2), 0) is not None
    assert detector.on_bbo(_view("4020", ctx_at_ms=None, generation=2), 0) is None


def test_a_later_touch_may_complete_the_dislocation() -> None:
    detector, signals = _feed(["4000", "4002"])
    assert detector.on_ctx(_view("4005", bid="4004", ask="4005"), 0) is None
    signal = detector.on_bbo(_view("4005", bid="3999", ask="4000"), 0)
    assert signals == [None, None]
    assert signal is not None


def test_equal_prices_change_nothing_and_small_changes_only_the_last() -> None:
    moves = OracleMoves()
    for oracle in ("4000", "4001", "4001", "4001.1"):
        moves.observe(D(oracle), D(2))
    assert (moves.up, moves.down) == (1, 0)
    assert moves.last_change_bps < 1


@given(
    st.decimals("0.01", "100000", places=2, allow_nan=False), st.decimals("0.0001", "5000", places=4, allow_nan=False)
)
def test_a_suggested_size_is_worth_eleven_dollars_within_the_limit_and_displayed(px: Decimal, size: Decimal) -> None:
    suggested = suggest(SIZING, px, size)
    if suggested == 0:
        return
    assert MIN_NOTIONAL_USD <= suggested * px <= D("49.5")
    assert suggested <= size
    assert px * size > SIZING.min_book


def test_the_liquidity_factor_rises_from_minimum_to_normal_book() -> None:
    wide = SizingParams(alpha=D("0.1"), min_book=D(500), normal_book=D(5000), max_notional=D(10_000), sz_decimals=4)
    sizes = [suggest(wide, D(100), D(n)) for n in (5, 20, 50, 200)]
    assert sizes == [0, D("0.6666"), D(5), D(20)]


@given(
    st.decimals("0.01", "100000", places=2, allow_nan=False), st.integers(11, 60), st.integers(0, 4),
    st.decimals("0.0001", "5000", places=4, allow_nan=False),
)  # fmt: skip
def test_where_no_order_is_possible_none_is_suggested_whatever_the_touch(
    px: Decimal, limit: int, lot: int, size: Decimal
) -> None:
    params = SizingParams(alpha=D("0.1"), min_book=D(0), normal_book=D(1), max_notional=D(limit), sz_decimals=lot)
    if impossible(params, px) is not None:
        assert suggest(params, px, size) == 0
    else:
        assert suggest(params, px, D(10**7)) > 0


def test_a_coarse_lot_may_leave_no_order_within_the_limit() -> None:
    coarse = SizingParams(alpha=D("0.1"), min_book=D(0), normal_book=D(1), max_notional=D(13), sz_decimals=4)
    assert "the smallest order is 12.88 USD" in str(impossible(coarse, D(32_200) * 4))


def test_a_signal_for_which_no_size_is_left_is_counted_once_per_oracle() -> None:
    detector, signals = _feed(["4000", "4002", "4005", "4005"], sizing=SIZING_NONE)
    assert signals == [None] * 4
    assert detector.unsized == 1
    assert detector.emitted == 0
