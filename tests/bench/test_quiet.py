"""What is measured while a neighbour has half of the core is not judged; and only a probe says when that was."""

from collections.abc import Iterator

import pytest

from hip3.bench import quiet, rows
from hip3.bench.quiet import FEWEST, Moments
from hip3.bench.rows import at_most

FAST, SLOW = 50.0, 100.0


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Moments, "_probes", [])


def _moments(monkeypatch: pytest.MonkeyPatch, *blocks: tuple[float, float, float]) -> Moments:
    """Of blocks that are one sample each: the probe before, the sample, the probe after."""
    probes: Iterator[float] = iter([probe for before, _, after in blocks for probe in (before, after)])
    monkeypatch.setattr(quiet, "probe_us", lambda: next(probes))
    moments = Moments()
    for _, sample, _ in blocks:
        assert moments.take(lambda sample=sample: [sample]) == [sample]  # type: ignore[misc]
    return moments


def test_only_blocks_between_two_fast_probes_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long they took themselves: a slow block of a quiet moment counts, a fast one of another does not."""
    fast = [(FAST, 9.0, FAST * 1.2)] * FEWEST
    moments = _moments(monkeypatch, *fast, (FAST, 1.0, SLOW), (SLOW, 1.0, FAST), (FAST, 30.0, FAST), (SLOW, 1.0, SLOW))
    assert moments.judged.us == (9.0,) * FEWEST + (30.0,)
    assert moments.every.us == (1.0,) * 3 + (9.0,) * FEWEST + (30.0,)
    assert moments.percent == pytest.approx(100 * (FEWEST + 1) / (FEWEST + 4))


def test_the_row_says_in_how_many_moments_and_what_all_were(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = _moments(monkeypatch, *[(FAST, 9.0, FAST)] * FEWEST, *[(SLOW, 20.0, SLOW)] * FEWEST)
    row = rows.quietly(rows.ours("p", moments.judged, at_most(10, "median")), moments, "20 us")
    assert (row.median, row.met, row.quiet_percent) == (9.0, True, 50.0)
    assert row.plain()["quiet_percent"] == 50.0
    assert "50 %" in row.note
    assert "20 us" in row.note


def test_of_too_few_quiet_moments_all_are_shown_and_no_goal_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fastest twentieth is that of the process: a part that was slow throughout finds nothing quiet in itself."""
    _moments(monkeypatch, *[(FAST, 1.0, FAST)] * FEWEST)
    blocks = [(FAST, 1.0, FAST)] * (FEWEST - 1) + [(SLOW, 8.0, SLOW)] * (2 * FEWEST)
    moments = _moments(monkeypatch, *blocks)
    assert moments.judged.us == moments.every.us
    row = rows.quietly(rows.ours("p", moments.judged, at_most(10, "median")), moments, "")
    assert (row.met, row.loaded, row.quiet_percent) == (None, True, 0.0)
    assert "busy" in rows.table([row])


def test_a_probe_takes_processor_time() -> None:
    assert quiet.probe_us() > 0
