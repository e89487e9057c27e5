"""The desired ladder: the golden example first, then what must always hold."""

import itertools
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip3.core.money import is_legal_price, shift_bps, tick_of
from hip3.core.orders import Side
from hip3.strategy.fair import Fair
from hip3.strategy.ladder import Around, Ladder, LadderParams, Rung, half_spread, ladder
from tests.builders import D, spec

P = LadderParams(
    levels=2, spacing_bps=D(5), size_usd=D(50), size_decay=D(1), max_inventory_usd=D(1000), min_half_bps=D(5),
    max_half_bps=D(100), min_edge_bps=D(2), vol_factor=D("1.5"), tau_ms=4000, skew=D("0.5"), addon_max_bps=D(15),
)  # fmt: skip
BOTH = frozenset(Side)
SPEC = spec(sz_decimals=2, maker_fee_bps=D(3))
WORTH = Fair(bid=D("99.995"), ask=D("100.02"), gap_bps=D("2.5"))
TOUCH = Around(bid=D("99.98"), ask=D("100.04"))
FAR = Around(bid=None, ask=None)


def _ladder(**kw: Any) -> Ladder:
    base: dict[str, Any] = {
        "p": P, "spec": SPEC, "fair": WORTH, "half_bps": D(5), "position_usd": D(0), "around": TOUCH, "sides": BOTH,
    }  # fmt: skip
    return ladder(**(base | kw))


def test_the_golden_example() -> None:
    assert half_spread(P, D(3), D(1), D(0)) == 5
    found = _ladder(position_usd=D(400))  # 0.4 of the largest inventory
    assert found == {
        (Side.BUY, 0): Rung(D("99.935"), D("0.50")), (Side.BUY, 1): Rung(D("99.885"), D("0.50")),
        (Side.SELL, 0): Rung(D("100.07"), D("0.49")), (Side.SELL, 1): Rung(D("100.12"), D("0.49")),
    }  # fmt: skip


def test_the_half_spread_covers_fee_risk_and_addons_within_its_bounds() -> None:
    assert half_spread(P, D(9), D("0.3"), D(0)) == 11
    assert half_spread(P, D(3), D(10), D(0)) == 30
    assert half_spread(P, D(3), D(10), D(40)) == 45  # add-ons are capped
    assert half_spread(P, D(3), D(1000), D(0)) == 100


def test_a_rung_below_the_least_value_is_left_out_and_not_rounded_up() -> None:
    small = msgspec.structs.replace(P, size_usd=D(15), size_decay=D("0.7"))  # 15, then 10.5
    assert set(_ladder(p=small)) == {(Side.BUY, 0), (Side.SELL, 0)}


def test_the_inventory_bounds_the_increasing_side_from_its_outermost_rung() -> None:
    tight = msgspec.structs.replace(P, max_inventory_usd=D(120))
    found = _ladder(p=tight, position_usd=D(55))
    assert found[(Side.BUY, 0)].usd <= 50
    assert found[(Side.BUY, 1)].usd <= 15
    assert sum(r.usd for (side, _), r in found.items() if side is Side.BUY) <= 65
    assert (Side.BUY, 0) not in _ladder(p=tight, position_usd=D(115))
    assert {(Side.SELL, 0), (Side.SELL, 1)} <= set(_ladder(p=tight, position_usd=D(115)))


def test_a_side_that_reduces_is_never_paid_for() -> None:
    eager = msgspec.structs.replace(P, skew=D(3))
    found = _ladder(p=eager, position_usd=D(1000), around=FAR)
    assert found[(Side.SELL, 0)].px >= shift_bps(WORTH.ask, D(3))
    found = _ladder(p=eager, position_usd=D(-1000), around=FAR)
    assert found[(Side.BUY, 0)].px <= shift_bps(WORTH.bid, D(-3))


def test_no_price_is_beyond_the_touch_or_an_own_order_of_the_other_side() -> None:
    thin = Around(bid=D("99.98"), ask=D("99.90"), own_sell=D("99.80"))
    assert _ladder(around=thin)[(Side.BUY, 0)].px == D("99.799")
    above = Around(bid=D("100.50"), ask=None, own_buy=D("100.70"))
    assert _ladder(around=above)[(Side.SELL, 0)].px == D("100.71")


@pytest.mark.parametrize("decade", [D(100), D(1000), D("0.1")])
def test_the_tick_is_that_of_the_price_which_results(decade: Decimal) -> None:
    worth = Fair(bid=decade, ask=decade, gap_bps=D(0))
    found = _ladder(fair=worth, around=FAR, p=msgspec.structs.replace(P, levels=5))
    assert len(found) == 10
    for rung in found.values():
        assert is_legal_price(rung.px, 2)


PX = st.integers(50_000, 500_000).map(lambda n: Decimal(n) / 1000)
SHARE = st.integers(-1000, 1000).map(Decimal)


@given(mid=PX, gap=st.integers(0, 200), half=st.integers(5, 100), position=SHARE, levels=st.integers(1, 5))
def test_what_always_holds(mid: Decimal, gap: int, half: int, position: Decimal, levels: int) -> None:
    worth = Fair(bid=mid, ask=mid + Decimal(gap) / 1000, gap_bps=D(0))
    p = msgspec.structs.replace(P, levels=levels)
    found = _ladder(p=p, fair=worth, half_bps=D(half), position_usd=position, around=FAR)
    for side in Side:
        prices = [found[(side, level)].px for level in range(levels) if (side, level) in found]
        for near, far in itertools.pairwise(prices):
            assert (near - far) * side.sign >= tick_of(near, 2) * Decimal("0.99")
        total = sum(rung.usd for (s, _), rung in found.items() if s is side)
        assert total <= max(Decimal(0), p.max_inventory_usd - position * side.sign)
    for (side, _), rung in found.items():
        assert is_legal_price(rung.px, 2)
        assert rung.usd >= 11
        assert (rung.px < worth.bid) if side is Side.BUY else (rung.px > worth.ask)
    # The longer we are, the lower both sides.
    more = _ladder(p=p, fair=worth, half_bps=D(half), position_usd=min(position + 200, D(1000)), around=FAR)
    for key in found.keys() & more.keys():
        assert more[key].px <= found[key].px


@given(mid=PX, half=st.integers(5, 50), position=SHARE)
def test_a_wider_half_spread_moves_no_side_nearer(mid: Decimal, half: int, position: Decimal) -> None:
    worth = Fair(bid=mid, ask=mid, gap_bps=D(0))
    narrow = _ladder(fair=worth, half_bps=D(half), position_usd=position, around=FAR)
    wide = _ladder(fair=worth, half_bps=D(half + 10), position_usd=position, around=FAR)
    for key in narrow.keys() & wide.keys():
        assert (narrow[key].px - wide[key].px) * key[0].sign >= 0
