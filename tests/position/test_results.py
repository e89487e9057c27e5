"""Results over restarts: whatever arrived in whatever order before a kill, the next run counts each fill once."""

from hypothesis import given
from hypothesis import strategies as st

from hip3.core.events import Fill
from hip3.position.results import MOST_RECENT, NAMED, OVERLAP_MS, Results
from hip3.position.tracked import KeptTotals
from tests.builders import D, fill

BEGAN_MS = 1000


def _fill(number: int, time_ms: int) -> Fill:
    return fill(number, time_ms=time_ms, fee=D(1), closed_pnl=D(number))


def _run(arrived: list[Fill], listed: list[Fill], kept: KeptTotals) -> Results:
    """A run that begins with this list, and what it books afterwards."""
    results = Results()
    results.seed(listed, max((f.time_ms for f in listed), default=0), kept)
    for item in arrived:
        if not results.knows(item):
            results.add(item)
    return results


@st.composite
def _days(draw: st.DrawFn) -> tuple[list[Fill], list[Fill]]:
    """(all fills, oldest first; those that arrived before the kill, in their order of arrival)."""
    gaps = draw(st.lists(st.sampled_from((0, 1, 500, 20_000, OVERLAP_MS, 40 * OVERLAP_MS)), min_size=1, max_size=NAMED))
    times = [BEGAN_MS + sum(gaps[: n + 1]) for n in range(len(gaps))]
    fills = [_fill(number, at) for number, at in enumerate(times)]
    arrived = draw(st.permutations(fills))
    return fills, arrived[: draw(st.integers(0, len(fills)))]


@given(_days())
def test_each_fill_is_counted_once_over_a_restart(day: tuple[list[Fill], list[Fill]]) -> None:
    """Late fills of before a suspend were older than the newest by more than a minute, and lost to the results."""
    fills, arrived = day
    first = _run(arrived, [], KeptTotals(since_ms=BEGAN_MS))
    kept = first.changed() or KeptTotals(since_ms=BEGAN_MS)
    second = _run(fills, fills, kept)
    assert (second.totals.fills, second.totals.realized) == (len(fills), sum(f.closed_pnl for f in fills))
    third = _run(fills, fills, second.changed() or kept)
    assert third.totals.fills == len(fills)


def test_what_is_kept_of_a_long_day_stays_small() -> None:
    results = _run([_fill(n, BEGAN_MS + n * 10_000) for n in range(5000)], [], KeptTotals(since_ms=BEGAN_MS))
    kept = results.changed()
    assert kept is not None
    assert len(kept.recent) == NAMED
    burst = _run([_fill(n, BEGAN_MS + n // 4) for n in range(5000)], [], KeptTotals(since_ms=BEGAN_MS)).changed()
    assert burst is not None
    assert NAMED < len(burst.recent) <= MOST_RECENT
    assert all(key[1] >= burst.since_ms for key in burst.recent)


def test_the_newest_fill_is_named_though_many_older_ones_came_after_it() -> None:
    newest, older = _fill(9999, 10_000_000), [_fill(n, BEGAN_MS * n) for n in range(1, MOST_RECENT + 200)]
    first = _run([newest, *older], [], KeptTotals(since_ms=BEGAN_MS))
    kept = first.changed()
    assert kept is not None
    assert _run([], [*older, newest], kept).totals.fills == first.totals.fills
