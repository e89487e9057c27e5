"""Completion: the price cap and the size, with what must always hold of both."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip3.core.ledger import PositionView
from hip3.core.market import Level
from hip3.core.money import is_legal_price
from hip3.strategy.completing import CompletionParams, cap, size
from hip3.strategy.fair import Fair
from tests.builders import COIN, D, spec

P = CompletionParams(max_usd=D(50), min_profit_bps=D(0), max_loss_bps=D(40), max_loss_usd=D(10))
SPEC = spec(sz_decimals=4, taker_fee_bps=D(9), maker_fee_bps=D(3))
WORTH = Fair(bid=D(4000), ask=D(4001), gap_bps=D(0))


def _position(szi: str = "0.01", entry: str = "4000") -> PositionView:
    return PositionView(coin=COIN, szi=D(szi), entry_px=D(entry), entry_ms=0, entry_edge_bps=D(0))


@pytest.mark.parametrize(
    ("szi", "entry", "emergency", "px"),
    [
        ("0.01", "4000", False, "4003.6"),  # the entry and a taker's fee
        ("-0.01", "4000", False, "3996.4"),
        ("0.01", "4000", True, "3988"),  # 30 bps below fair is nearer than 40 below the entry
        ("0.01", "4020", True, "4004"),  # rounded up: 40 bps below 4020 are 4003.92
        ("-0.01", "4000", True, "4013"),
        ("2", "4000", True, "3998.6"),  # ten dollars less the fee, on two ounces
    ],
)
def test_the_cap_is_the_tightest_bound(szi: str, entry: str, emergency: bool, px: str) -> None:
    assert cap(P, SPEC, _position(szi, entry), WORTH, emergency=emergency) == D(px)


def test_without_an_entry_or_a_reference_there_is_no_cap() -> None:
    assert cap(P, SPEC, _position(entry="0"), WORTH, emergency=False) is None
    assert cap(P, SPEC, _position(), None, emergency=True) is None
    assert cap(P, SPEC, _position(), None, emergency=False) == D("4003.6")


@pytest.mark.parametrize(
    ("held", "target", "shown", "wanted"),
    [
        ("0.0100", "20", "1", "0.0050"),  # down to half of forty dollars
        ("0.0100", "0", "1", "0.0100"),
        ("0.0100", "0", "0.01", "0.0050"),  # half of what the touch shows
        ("0.0100", "0", "0.001", "0.0028"),  # but eleven dollars at least
        ("0.0100", "35", "1", "0.0028"),
        ("0.0030", "0", "0.001", "0.0030"),  # what would be left is too small for an order: all of it goes
        ("0.0500", "0", "1", "0.0125"),  # fifty dollars in one order
        ("0.0100", "40", "1", "0"),
    ],
)
def test_the_size_leaves_nothing_that_is_too_small(held: str, target: str, shown: str, wanted: str) -> None:
    for sign in (1, -1):
        touch = Level(D(4000), D(shown))
        assert size(P, SPEC, _position(str(D(held) * sign)), D(target), touch, D(4000)) == D(wanted)


def test_a_touch_beyond_the_cap_is_nobody() -> None:
    assert size(P, SPEC, _position(), D(0), Level(D(3999), D(1)), D(4000)) == 0
    assert size(P, SPEC, _position("-0.01"), D(0), Level(D(4001), D(1)), D(4000)) == 0
    assert size(P, SPEC, _position(), D(0), None, D(4000)) == 0


SIZES = st.integers(1, 1000).map(lambda n: Decimal(n) / 10_000)


@given(
    held=SIZES,
    target=st.integers(0, 60),
    shown=SIZES,
    entry=st.integers(3900, 4100),
    emergency=st.booleans(),
    long=st.booleans(),
    dear=st.sampled_from([1, 6, 20]),
)
def test_what_always_holds(
    held: Decimal, target: int, shown: Decimal, entry: int, emergency: bool, long: bool, dear: int
) -> None:  # fmt: skip
    entry *= dear  # a lot of an index is worth dollars: an order rounded down to it was refused ten times
    position = _position(str(held if long else -held), str(entry))
    worth = Fair(bid=WORTH.bid * dear, ask=WORTH.ask * dear, gap_bps=D(0))
    px: Any = cap(P, SPEC, position, worth, emergency=emergency)
    assert is_legal_price(px, 4)
    if emergency:
        bound = Decimal(entry) * (Decimal("0.996") if long else Decimal("1.004"))
        assert px >= bound if long else px <= bound
    sz = size(P, SPEC, position, Decimal(target), Level(px, shown), px)
    assert 0 <= sz <= held
    assert sz == held or sz == 0 or ((held - sz) * px >= Decimal("10.5") and sz * px >= Decimal("10.5"))
