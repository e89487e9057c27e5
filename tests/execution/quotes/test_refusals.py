"""What a refused quote makes wait: texts by their beginning."""

import pytest

from hip3.execution.quotes.refusals import OTHER, Scope, counts, reaction


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("Post only order would have immediately matched, bbo was 1@2. asset=110003", Scope.KEY),
        ("Insufficient margin to place order. asset=110003", Scope.DEX),
        ("Order would increase open interest while open interest is capped. asset=110003", Scope.SIDE),
        ("Order has invalid size. asset=110003", Scope.MARKET),
        ("Trading is halted. asset=110003", Scope.MARKET),
        ("Too many cumulative requests sent (1 > 0) for cumulative volume traded $0.", Scope.DEX),
    ],
)
def test_what_waits(text: str, scope: Scope) -> None:
    assert reaction(text).scope is scope


def test_a_refusal_about_cross_margin_is_none_that_would_cross() -> None:
    """Q16."""
    text = "Cross margin is not allowed for this asset. asset=110003"
    assert reaction(text) is OTHER
    assert reaction(text) is not reaction("Post only order would have immediately matched, bbo was 1@2.")


def test_margin_and_post_only_trip_nothing_and_a_text_that_nobody_knows_counts() -> None:
    assert not counts("Post only order would have immediately matched, bbo was 1@2. asset=110003")
    assert not counts("Insufficient margin to place order. asset=110003")
    assert counts("Never heard of such a thing")
