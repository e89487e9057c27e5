"""The reference price of quotes: both anchors, without our own orders, and what is learnt each second."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip3.core.market import Level
from hip3.strategy.fair import Mode, Outside, Reference, fair, outside
from tests.builders import D, view

TOUCH = Outside(Level(D("99.98"), D(1)), Level(D("100.04"), D(3)))


def test_the_golden_example() -> None:
    found = fair("envelope", D(100), None, TOUCH, D(2))
    assert found is not None
    assert (found.bid, found.ask) == (D("99.995"), D("100.02"))
    assert found.gap_bps == D("2.5")


@pytest.mark.parametrize(
    ("mode", "bid", "ask"),
    [
        ("oracle", "100", "100"), ("mark", "100.1", "100.1"), ("mid", "100.01", "100.01"), ("micro", "99.995", "99.995"),
    ],
)  # fmt: skip
def test_other_references(mode: str, bid: str, ask: str) -> None:
    found = fair(mode, D(100), D("100.1"), TOUCH, D(2))  # type: ignore[arg-type]
    assert found is not None
    assert (found.bid, found.ask) == (D(bid), D(ask))


def test_while_the_underlying_is_closed_the_mark_stands_for_the_oracle() -> None:
    found = fair("envelope", D(99), D("100.1"), TOUCH, D(2), closed=True)
    assert found is not None
    assert (found.bid, found.ask) == (D("100.01"), D("100.1"))
    assert fair("envelope", D(99), None, TOUCH, D(2), closed=True) is None


def test_our_own_orders_are_no_outside_price() -> None:
    market = view(bid=Level(D("99.99"), D(2)), ask=Level(D("100.04"), D(3)))
    whole = outside(market, D(2), D(1))
    assert whole == Outside(None, Level(D("100.04"), D(2)))
    assert outside(view(bid=Level(D(1), D(0)), ask=Level(D(2), D(0))), D(0), D(0)) == Outside(None, None)
    found = fair("envelope", D(100), None, whole, D(2))
    assert found is not None
    assert (found.bid, found.ask) == (D("100.02"), D("100.03"))  # the oracle stands for the side that is all ours
    past = fair("envelope", D(100), None, Outside(Level(D("100.50"), D(1)), None), D(0))
    assert past is not None
    assert (past.bid, past.ask) == (D(100), D("100.50"))  # others' bids have gone past it
    alone = fair("mid", D(100), None, whole, D(2))
    assert alone is not None
    assert alone.bid == alone.ask == D("100.03")


PX = st.integers(9_000, 11_000).map(lambda n: Decimal(n) / 100)


@given(oracle=PX, bid=PX, spread=st.integers(1, 100), sizes=st.tuples(st.integers(1, 99), st.integers(1, 99)))
def test_the_worse_anchor_prices_each_side(oracle: Decimal, bid: Decimal, spread: int, sizes: tuple[int, int]) -> None:
    others = Outside(Level(bid, Decimal(sizes[0])), Level(bid + Decimal(spread) / 100, Decimal(sizes[1])))
    both = fair("envelope", oracle, None, others, D(0))
    micro = fair("micro", oracle, None, others, D(0))
    assert both is not None
    assert micro is not None
    assert both.bid == min(oracle, micro.bid)
    assert both.ask == max(oracle, micro.ask)
    assert others.bid is not None
    assert others.ask is not None
    assert others.bid.px <= micro.bid <= others.ask.px


def _fed(reference: Reference, mids: list[float], step_ms: int = 1000, begin_ms: int = 0) -> None:
    for number, mid in enumerate(mids):
        px = Decimal(str(round(mid, 4)))
        touch = Outside(Level(px - D("0.01"), D(1)), Level(px + D("0.01"), D(1)))
        reference.sample(D(100), touch, begin_ms + number * step_ms)


def test_basis_and_volatility_need_their_samples_and_find_what_is_there() -> None:
    reference = Reference()
    assert str(30) in reference.missing
    _fed(reference, [100.02] * 30)
    assert "volatility" in reference.missing
    assert abs(reference.basis_bps - 2) < D("0.01")
    _fed(reference, [100.02 + 0.02 * (n % 2) for n in range(300)], begin_ms=40_000)
    assert reference.missing == ""
    assert D("0.8") < reference.sigma_bps < D("2.2")


def test_samples_come_once_a_second_and_a_gap_teaches_nothing_of_the_volatility() -> None:
    reference = Reference()
    _fed(reference, [100.0] * 40, step_ms=100)
    assert f"{30 - 4} samples" in reference.missing
    calm = Reference()
    _fed(calm, [100.0] * (60 + 1))
    before = calm.sigma_bps
    _fed(calm, [101.0], begin_ms=200_000)
    assert calm.sigma_bps == before


def test_one_jump_does_not_poison_the_volatility() -> None:
    reference = Reference()
    _fed(reference, [100.0] * 100 + [105.0] + [105.0] * 3)
    assert reference.sigma_bps < 1


def test_the_basis_is_bounded() -> None:
    reference = Reference()
    _fed(reference, [110.0] * 60)
    assert reference.basis_bps == 30


def test_the_volatility_is_that_of_what_is_quoted_by() -> None:
    """By the envelope a book that moves beside an oracle that stands has half of it, and the spread had, too."""
    found = {}
    modes: tuple[Mode, ...] = ("envelope", "micro")
    for mode in modes:
        reference = Reference(10)
        for number in range(200):
            px = D(100) + D(number % 2) / 20  # 5 bps to and fro, each second
            touch = Outside(bid=Level(px - D("0.01"), D(1)), ask=Level(px + D("0.01"), D(1)))
            reference.sample(D(100), touch, number * 1000, mode=mode, mark=D(100))
        found[mode] = reference.sigma_bps
    assert found["micro"] > found["envelope"] * D("1.8")
