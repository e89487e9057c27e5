"""What a slip of the finger may have meant."""

import pytest

from hip3.core.near import like

KNOWN = ["xyz:GOLD", "xyz:SILVER", "para:AVGO"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("xyz:GLOD", "xyz:GOLD"),
        ("GOLD", "xyz:GOLD"),
        ("gold", "xyz:GOLD"),
        ("XYZ:gold", "xyz:GOLD"),
        ("avgo", "para:AVGO"),
    ],
)
def test_a_market_like_it_is_named(typed: str, meant: str) -> None:
    assert like(typed, KNOWN) == f"; did you mean {meant}?"


def test_what_is_like_nothing_is_taken_for_nothing() -> None:
    assert like("BTCUSDT", KNOWN) == ""
    assert like("xyz:GOLD", []) == ""
