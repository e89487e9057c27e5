"""How the exchange prints numbers: plain, without trailing zeros, but with at least one decimal. Pure.

docs/venue-facts.md F3. What a client signs has another form, without the forced decimal: `core.money.to_wire`.
"""

from decimal import Decimal

from hip3.core.money import to_wire


def num(value: Decimal) -> str:
    """The number as answers and frames carry it: 100 -> "100.0", 0.0250 -> "0.025", 0 -> "0.0".

    Exact, never with an exponent and never "-0.0": a quotient is cut before it comes here.
    """
    text = to_wire(value)
    return text if "." in text else text + ".0"
