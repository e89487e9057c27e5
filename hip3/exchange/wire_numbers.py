"""What every message from the exchange is read with: its numbers, its sides, its lists. Pure."""

from decimal import Decimal

import msgspec

from hip3.core.money import MOST_DIGITS
from hip3.core.orders import Side

DECODE_ERRORS = (msgspec.DecodeError, msgspec.ValidationError, ValueError, ArithmeticError, RecursionError)
"""What reading a message may raise, whatever is in it."""
# B and A: bid and ask, the side of the book an order belongs to.
_SIDES = {"B": Side.BUY, "A": Side.SELL}
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


def finite(*values: Decimal) -> None:
    """ValueError for what Decimal reads and nothing downstream expects: NaN, infinities, sizes beyond any market's."""
    for value in values:
        if not value.is_finite() or not -MOST_DIGITS <= value.adjusted() <= MOST_DIGITS:
            raise ValueError(f"not a number of a market: {str(value)[:40]}")


def side_of(letter: str) -> Side:
    """ValueError for a letter that is neither; a guess would turn a position round."""
    side = _SIDES.get(letter)
    if side is None:
        raise ValueError(f"unknown side {letter!r}")
    return side


def items_of(data: bytes) -> list[msgspec.Raw]:
    """A list of items; one object alone counts as a list of one."""
    if data[:1] == b"{":
        return [msgspec.Raw(data)]
    return _decode_list(data)
