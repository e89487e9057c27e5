"""Decimal arithmetic and Hyperliquid's number rules.

Sums and products of wire numbers have far fewer than 28 digits and are exact under any context;
whatever can round (division, quantising) names `CTX`, so nothing depends on a thread's ambient
context. Rules: docs/venue-facts.md F1 (prices), F2 (sizes), F3 (number strings).

Pure. Prices are USD for one unit of the asset, sizes units of the asset, amounts USD. `sz_decimals` is the market's,
0 to 8. What is not documented to raise does not raise for finite numbers.
"""

from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
)
from functools import lru_cache

CTX = Context(prec=34, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
"""Shared by all threads. It is only ever passed in and never made current; the flags that it gathers are not read."""
ZERO = Decimal(0)
ONE = Decimal(1)
TEN_THOUSAND = Decimal(10_000)
"""Basis points of the whole."""
BASIS_POINT = Decimal("0.0001")
HALF = Decimal("0.5")
MAX_SIGNIFICANT_FIGURES = 5
MAX_PRICE_DECIMALS = 6
"""Of a perp, less its size decimals (docs/venue-facts.md F1)."""
LIMIT_SHARE = Decimal("0.99")
"""An entry takes at most this of its limit: exactly at it, a drifting price would have the gate refuse it."""
MIN_NOTIONAL_USD = Decimal(11)
"""Our floor per entry. The exchange asks for $10 at its own price (docs/venue-facts.md F11), perhaps a little lower."""

# Made once, not for every rounding.
_EXPONENTS = {-n: Decimal(1).scaleb(-n) for n in range(19)}


MOST_DIGITS = 18
"""No price, size or amount is larger than ten to this, or smaller than its reciprocal. With eight decimals of a lot
such a number still fits the 34 digits of `CTX`, and so does a sum of many."""


def parse(text: str) -> Decimal:
    """A finite Decimal from a wire string, of at most `MOST_DIGITS` before and after the point; else ValueError."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"not a number: {text!r}") from None
    if not value.is_finite():
        raise ValueError(f"not a finite number: {text!r}")
    if not -MOST_DIGITS <= value.adjusted() <= MOST_DIGITS:
        raise ValueError(f"not a number of a market: {text[:40]!r}")
    return value


def div(a: Decimal, b: Decimal) -> Decimal:
    """a / b in `CTX` (34 digits, half even). DivisionByZero or InvalidOperation where `b` is 0."""
    return CTX.divide(a, b)


def bps_of(part: Decimal, whole: Decimal) -> Decimal:
    """`part` in basis points of `whole`, with its sign; `whole` must not be zero (see `div`)."""
    return CTX.divide(part * TEN_THOUSAND, whole)


def shift_bps(price: Decimal, bps: Decimal) -> Decimal:
    """`price` moved by `bps` basis points (negative: down). Exact, so seldom legal: round it before it is sent."""
    return price + price * bps * BASIS_POINT


def tick_of(price: Decimal, sz_decimals: int) -> Decimal:
    """The smallest step of a legal price near `price`, which is positive. It is another one beyond a power of ten.

    1 from 10,000 on: an integer is legal however many figures it has.
    """
    return _tick(price.adjusted(), sz_decimals)


@lru_cache(maxsize=512)
def _tick(adjusted: int, sz_decimals: int) -> Decimal:
    by_figures = adjusted - (MAX_SIGNIFICANT_FIGURES - 1)
    by_decimals = -max(MAX_PRICE_DECIMALS - sz_decimals, 0)
    return _EXPONENTS[min(0, max(by_figures, by_decimals))]


def round_price(price: Decimal, sz_decimals: int, *, up: bool) -> Decimal:
    """The nearest legal price not below (`up`) or not above `price`.

    Legal: an integer, or at most 5 significant figures and at most 6 - sz_decimals decimals.
    ValueError if nothing positive is left.
    """
    if price <= 0:
        raise ValueError(f"price must be positive: {price}")
    rounded = price.quantize(tick_of(price, sz_decimals), ROUND_CEILING if up else ROUND_FLOOR, CTX)
    if rounded <= 0:
        raise ValueError(f"price {price} rounds to nothing at {sz_decimals} size decimals")
    return rounded


def taker_price(price: Decimal, sz_decimals: int, *, is_buy: bool) -> Decimal:
    """Round toward the aggressive side: a buy up, a sell down. Raises as `round_price` does."""
    return round_price(price, sz_decimals, up=is_buy)


def maker_price(price: Decimal, sz_decimals: int, *, is_buy: bool) -> Decimal:
    """Round toward the passive side: a buy down, a sell up. Raises as `round_price` does."""
    return round_price(price, sz_decimals, up=not is_buy)


def decimals_of(value: Decimal) -> int:
    """How many digits after the point `value` needs (0 for integers); trailing zeros are not needed."""
    exponent = value.normalize(CTX).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def significant_figures(value: Decimal) -> int:
    """How many significant figures `value` needs: trailing zeros do not count, also not those before the point."""
    return len(value.normalize(CTX).as_tuple().digits)


def is_legal_price(price: Decimal, sz_decimals: int) -> bool:
    """Whether the exchange takes `price` for a perp with `sz_decimals`."""
    if price <= 0:
        return False
    decimals = decimals_of(price)
    if decimals == 0:
        return True
    if decimals > MAX_PRICE_DECIMALS - sz_decimals:
        return False
    return significant_figures(price) <= MAX_SIGNIFICANT_FIGURES


def floor_size(size: Decimal, sz_decimals: int) -> Decimal:
    """`size` rounded toward zero to the lot, and to nothing else; may be zero."""
    return size.quantize(_EXPONENTS[-sz_decimals], ROUND_DOWN, CTX)


def ceil_size(size: Decimal, sz_decimals: int) -> Decimal:
    """`size` rounded up to the lot, toward plus infinity."""
    return size.quantize(_EXPONENTS[-sz_decimals], ROUND_CEILING, CTX)


def meets_minimum(price: Decimal, size: Decimal) -> bool:
    """Whether an order of `size` at `price` is worth our floor of $11. Closes of a whole position need not be."""
    return price * size >= MIN_NOTIONAL_USD


def truncate(value: Decimal, decimals: int) -> Decimal:
    """Cut toward zero to `decimals` digits, 0 to 18, as the exchange cuts fees (docs/venue-facts.md F7)."""
    return value.quantize(_EXPONENTS[-decimals], ROUND_DOWN, CTX)


def half_even(value: Decimal, decimals: int) -> Decimal:
    """Rounded half even to `decimals` digits, 0 to 18."""
    return value.quantize(_EXPONENTS[-decimals], ROUND_HALF_EVEN, CTX)


def to_wire(value: Decimal) -> str:
    """Normal form, as it is signed: no exponent, no trailing zeros, no bare point, no "-0".

    Another spelling of the same number would be another action to the exchange (docs/venue-facts.md F3). It rounds
    nothing: `value` must be legal already.
    """
    if value == 0:
        return "0"  # also of -0 and of 0E-8
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text
