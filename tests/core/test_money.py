"""Numbers as the exchange takes them: properties of rounding, and its own examples."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip3.core import money

PRICES = st.decimals(min_value="0.000001", max_value="9999999", allow_nan=False, allow_infinity=False, places=8)
SIZES = st.decimals(min_value=0, max_value="1000000", allow_nan=False, allow_infinity=False, places=9)
SZ_DECIMALS = st.integers(0, 5)


@given(PRICES, SZ_DECIMALS, st.booleans())
def test_a_rounded_price_is_legal_and_never_crosses_the_wished_side(price: Decimal, decimals: int, up: bool) -> None:
    try:
        rounded = money.round_price(price, decimals, up=up)
    except ValueError:
        assert not up
        assert price < Decimal(1).scaleb(-(6 - decimals))
        return
    assert money.is_legal_price(rounded, decimals)
    assert rounded >= price if up else rounded <= price


@given(PRICES, SZ_DECIMALS, st.booleans())
def test_rounding_moves_less_than_one_step_and_keeps_a_legal_price(price: Decimal, decimals: int, up: bool) -> None:
    if money.is_legal_price(price, decimals):
        assert money.round_price(price, decimals, up=up) == price
        return
    step = money.tick_of(price, decimals)
    try:
        assert abs(money.round_price(price, decimals, up=up) - price) < step
    except ValueError:
        assert price < step


@given(PRICES, SZ_DECIMALS)
def test_takers_round_to_the_aggressive_side_and_makers_to_the_passive_one(price: Decimal, decimals: int) -> None:
    try:
        low = money.round_price(price, decimals, up=False)
    except ValueError:
        return
    high = money.round_price(price, decimals, up=True)
    assert money.taker_price(price, decimals, is_buy=True) == high == money.maker_price(price, decimals, is_buy=False)
    assert money.taker_price(price, decimals, is_buy=False) == low == money.maker_price(price, decimals, is_buy=True)


@given(SIZES, SZ_DECIMALS)
def test_a_size_is_floored_to_the_lot_and_to_nothing_else(size: Decimal, decimals: int) -> None:
    floored = money.floor_size(size, decimals)
    lot = Decimal(1).scaleb(-decimals)
    assert floored <= size < floored + lot
    assert money.decimals_of(floored) <= decimals
    assert money.ceil_size(size, decimals) - floored in (0, lot)


@given(st.decimals(min_value="-999999", max_value="999999", allow_nan=False, places=8))
def test_wire_form_is_normal_and_keeps_the_value(value: Decimal) -> None:
    text = money.to_wire(value)
    assert Decimal(text) == value
    assert "E" not in text.upper()
    assert text != "-0"
    assert not ("." in text and text.endswith(("0", ".")))


@pytest.mark.parametrize(
    ("price", "decimals", "legal"),
    [
        ("123456", 0, True),  # integers are always legal
        ("12345.6", 1, False),  # six figures and no integer
        ("1234.5", 1, True),
        ("0.001234", 0, True),
        ("0.0012345", 0, False),  # more than six decimals
        ("82771.8", 5, False),  # six figures
        ("8277.1", 5, True),
        ("8277.12", 5, False),  # more than 6 - 5 decimals
        ("0", 2, False),
    ],
)
def test_legal_prices_of_the_documentation(price: str, decimals: int, legal: bool) -> None:
    assert money.is_legal_price(Decimal(price), decimals) is legal


def test_integers_beyond_five_figures_are_not_truncated() -> None:
    assert money.round_price(Decimal("123456.7"), 0, up=True) == 123457
    assert money.round_price(Decimal("99999.91"), 1, up=True) == 100000


@pytest.mark.parametrize("text", ["NaN", "Infinity", "abc", "", "1,0"])
def test_what_is_no_finite_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        money.parse(text)


@pytest.mark.parametrize(("value", "text"), [("100.0", "100"), ("0.0147", "0.0147"), ("-0.0", "0"), ("1E+3", "1000")])
def test_wire_strings_of_the_documentation(value: str, text: str) -> None:
    assert money.to_wire(Decimal(value)) == text


def test_the_minimum_is_eleven_dollars() -> None:
    assert money.meets_minimum(Decimal(10), Decimal("1.1"))
    assert not money.meets_minimum(Decimal(10), Decimal("1.09"))


@given(st.integers(0, 9), st.integers(-money.MOST_DIGITS, money.MOST_DIGITS), st.integers(0, 8), st.integers(1, 10**20))
def test_what_is_a_number_of_a_market_can_be_floored_and_summed(first: int, exponent: int, lot: int, rest: int) -> None:
    try:
        value = money.parse(f"{first}.{rest}E{exponent}")
    except ValueError:
        return
    assert money.floor_size(value, lot) <= value
    assert money.CTX.add(value, value) == 2 * value
