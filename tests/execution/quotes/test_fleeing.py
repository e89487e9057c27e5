"""What an oracle alone has run over: a quote that retreats in every case."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip3.config.reading import MarketSettings
from hip3.config.settings import Settings
from hip3.core.money import maker_price, shift_bps
from hip3.core.orders import Side
from hip3.execution.quotes.fleeing import is_run_over, oracles
from hip3.service.params import quote_params
from hip3.strategy.fair import Fair, Mode
from hip3.strategy.ladder import Rung
from hip3.strategy.quote_diff import Slot, SlotState, Tolerance, Why, diff
from tests.builders import D

BUY, SELL = Side.BUY, Side.SELL


@pytest.mark.parametrize(
    ("reference", "closed"), [("mid", False), ("mark", False), ("micro", False), ("envelope", True)]
)
def test_where_the_oracle_is_no_anchor_it_runs_nothing_over(reference: Mode, closed: bool) -> None:
    p = msgspec.structs.replace(
        quote_params(MarketSettings(Settings()), "xyz:GOLD"), reference=reference, closed=closed
    )
    live = [(BUY, D("99.9")), (BUY, D("99.8")), (SELL, D("100.1"))]
    assert oracles(live, p, D(2), D(3)) == (None, None)
    buy, sell = oracles(live, msgspec.structs.replace(p, reference="envelope", closed=False), D(2), D(3))
    assert buy is not None
    assert sell is not None
    assert D("99.90") < buy < D("99.92")
    assert D("100.04") < sell < D("100.06")


@given(
    oracle=st.decimals("90", "110", places=2), basis=st.decimals("-30", "30", places=1), micro=st.decimals("90", "110", places=2),
    px=st.decimals("90", "110", places=2), buy=st.booleans(), fee=st.decimals("0", "9", places=1),
)  # fmt: skip
def test_what_is_run_over_is_one_that_retreats_whatever_the_book_says(
    oracle: Decimal, basis: Decimal, micro: Decimal, px: Decimal, buy: bool, fee: Decimal
) -> None:
    side = BUY if buy else SELL
    by_oracle = shift_bps(oracle, basis)
    worth = Fair(bid=min(by_oracle, micro), ask=max(by_oracle, micro), gap_bps=D(0))
    if not is_run_over(side, px, by_oracle, fee):
        return
    base = worth.bid if buy else worth.ask
    # The best that a ladder may desire: a side that is not to be paid for, rounded away from the market.
    rung = Rung(maker_price(shift_bps(base, -side.sign * fee), 2, is_buy=buy), D(1))
    t = Tolerance(half_bps=D(50), keep_bps=fee + 1, width_bps=D(0), grow=D(1), rich=False, sz_decimals=2)
    slot = Slot(state=SlotState.LIVE, px=maker_price(px, 2, is_buy=buy), left=D(1), cloid="0x1", oid=1)
    steps = diff(
        {(side, 0): rung}, {(side, 0): slot}, worth, t,
        may_place=lambda key: True, may_improve=lambda key: True, may_move=lambda key: False,
    )  # fmt: skip
    if maker_price(px, 2, is_buy=buy) == px and px != rung.px:
        assert [s.why for s in steps] == [Why.RETREAT]
