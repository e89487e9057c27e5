"""How the exchange prints numbers: plain, without trailing zeros, but with at least one decimal."""

from decimal import Decimal

from hip3.core.money import to_wire


def num(value: Decimal) -> str:
    """100 -> "100.0", 0.0250 -> "0.025", 0 -> "0.0"."""
    text = to_wire(value)
    return text if "." in text else text + ".0"
