"""Asking for the fills of an adopted position: what counts as having asked, and what explains a size."""

from hip3.core.orders import Side
from hip3.execution.truth.difference import ASK_MS, MOST_ASKED, Unexplained
from tests.builders import D, fill

GOLD, TSLA = "xyz:GOLD", "xyz:TSLA"
EARLIER = [
    fill(2, coin=GOLD, side=Side.SELL, sz=D(1), start_position=D(1), time_ms=2),
    fill(1, coin=GOLD, sz=D(1), time_ms=1),
]
"""A position of the same size, opened and closed before."""
OTHER = [fill(3, coin=TSLA, sz=D(1), time_ms=3)]
THE_ONE = fill(4, coin=GOLD, sz=D(1), time_ms=4)


def _adopted() -> Unexplained:
    asked = Unexplained()
    asked.adopted(GOLD, D(1), EARLIER, 0)
    return asked


def test_an_older_position_of_the_same_size_explains_nothing() -> None:
    asked = _adopted()
    assert asked.coins == [GOLD]
    asked.read(EARLIER, ASK_MS, whole=True)
    assert asked.coins == [GOLD]
    asked.read([THE_ONE, *EARLIER], ASK_MS + 1, whole=True)  # read for another reason: it is explained all the same
    assert asked.coins == []


def test_lists_read_for_other_reasons_do_not_use_up_the_asking() -> None:
    asked = _adopted()
    for ms in range(0, ASK_MS, 100):
        asked.read(OTHER, ms, whole=True)
    assert asked.coins == [GOLD]
    for n in range(1, MOST_ASKED + 1):
        assert asked.due(n * ASK_MS)
        asked.read(OTHER, n * ASK_MS, whole=True)
        assert not asked.due(n * ASK_MS + ASK_MS - 1)
    assert asked.coins == []


def test_a_list_with_a_fill_that_cannot_be_read_is_no_word() -> None:
    asked = _adopted()
    for n in range(1, 2 * MOST_ASKED):
        asked.read(OTHER, n * ASK_MS, whole=False)
    assert asked.coins == [GOLD]
    asked.read([THE_ONE], 2 * MOST_ASKED * ASK_MS, whole=False)
    assert asked.coins == []
