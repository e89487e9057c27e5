"""When a reading's size is believed against the books, and what shows that it may be an old one."""

from hip3.core.events import Fill
from hip3.core.money import ZERO
from hip3.core.orders import Side
from hip3.execution.truth.difference import GONE_MS, Difference, list_is_behind
from tests.builders import D, fill

OPENED = fill(1, sz=D("0.102"), time_ms=1000)
REDUCED = fill(2, side=Side.SELL, sz=D("0.1"), start_position=D("0.102"), time_ms=2000)


def _seen(fills: list[Fill], times: int) -> Difference:
    """The account of before a reduction, read with these fills."""
    behind = list_is_behind(fills, REDUCED, D("0.002"))
    found = Difference(D("0.002"), D("0.102"), 0, 1, behind)
    for _ in range(times - 1):
        found = found.again()
    return found


def test_a_list_without_the_newest_fill_that_was_booked_is_behind() -> None:
    assert list_is_behind([OPENED], REDUCED, D("0.002"))
    assert list_is_behind([], REDUCED, D("0.002"))
    assert not list_is_behind([REDUCED, OPENED], REDUCED, D("0.002"))
    assert not list_is_behind([OPENED], None, ZERO)


def test_books_that_their_own_newest_fill_does_not_bear_out_say_nothing_about_a_list() -> None:
    assert not list_is_behind([OPENED], REDUCED, D("0.05"))


def test_an_old_reading_with_an_old_list_is_not_believed_in_its_second_look() -> None:
    assert not _seen([OPENED], 2).believable(2000)
    assert _seen([OPENED], 3).believable(GONE_MS)
    assert _seen([REDUCED, OPENED], 2).believable(2000)  # the list is of now, and the size grew by something else
