"""An oracle that is the echo of its book is known by its steps; one with a source of its own is not taken for it."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hip3.strategy.echo import RUN, Echo
from tests.builders import D
from tests.service.apps import status_of
from tests.world import ALONE, World

CLOSED = "para:UNITREE"


def _average(echo: Echo, oracle: D, mids: list[D]) -> None:
    """Publications of an average of one hour, every three seconds, to five digits."""
    exact = oracle
    for mid in mids:
        exact += (mid - exact) * D("0.00083")
        echo.observe(round(exact, 3), mid)


def test_an_average_is_heard_after_a_while_and_a_leap_ends_it() -> None:
    echo = Echo()
    _average(echo, D("89"), [D("90.5")] * (RUN + 2))
    assert echo.heard
    echo.observe(D("89.4"), D("90.5"))
    assert not echo.heard


@given(st.lists(st.integers(-40, 40), min_size=60, max_size=200), st.integers(-30, 30))
def test_steps_of_a_source_are_none_of_an_average(ticks: list[int], away: int) -> None:
    """Whole ticks of chance, with a book that is somewhere else: twenty small ones the same way do not come."""
    echo, oracle = Echo(), D("4000")
    for number, step in enumerate(ticks):
        oracle += step + (number % 2) * 2 - 1  # a source never creeps for long
        echo.observe(oracle, oracle + away)
        assert not echo.heard


def test_a_middle_that_nobody_knows_teaches_nothing() -> None:
    echo = Echo()
    for number in range(3 * RUN):
        echo.observe(D(4000) + number, None)
    assert echo.run == 0


def test_the_closed_market_is_shown_as_such_and_no_other(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, market_profile="calibrated", all_move=True, **ALONE)
    assert world.run_until(lambda: CLOSED in world.trading.detector.echoes(), 1_800_000, 100)
    world.run(60_000, 100)
    assert world.trading.detector.echoes() == [CLOSED]
    assert [s for s in status_of(world)["flags"] if s.startswith(f"{CLOSED}: its oracle follows its own book")]
