"""No decision knows the future, and a harness that shows it is found out: evidence.md 8.1.3 and 8.2, case 13."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from hip3.bench.day import Day, record
from hip3.record.lines import Record
from hip3.replay.checks import decided, noise_after
from hip3.replay.result import Rows, journal_of, records
from hip3.replay.source import Heard, Source
from tests.replay.test_warp import _replayed

Change = Callable[[Record], Record | None]
DAY = Day(markets=4, seconds=40, rate=40, seed=3)
EARLY_MS = 700


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "day.ndjson.zst"
    record(DAY, path)
    return path


def _rows(recording: Path, folder: Path, change: Change | None = None) -> Rows:
    _replayed(recording, folder, change=change)
    return records(journal_of(folder / "state"))


def _cut_at(at_ns: int) -> Change:
    return lambda r: None if r.t > at_ns and r.d == "in" else r


def _turns(rows: Rows, count: int) -> list[int]:
    """Random times, each with decisions before it and behind it."""
    times = [at_ms for at_ms, kind, _ in rows if kind in ("signal", "sent")]
    return sorted(random.Random(1).sample(range(times[1], times[-1]), count))


def _differ(recording: Path, tmp_path: Path, count: int) -> list[tuple[str, int]]:
    """Where decisions up to a time change with what comes after it."""
    rows = _rows(recording, tmp_path / "whole")
    found = []
    for at_ms in _turns(rows, count):
        before = decided(rows, at_ms)
        assert 1 < len(before) < len(decided(rows, rows[-1][0]))
        for name, change in (("noise", noise_after), ("cut", _cut_at)):
            other = _rows(recording, tmp_path / f"{name}{at_ms}", change((at_ms + 1) * 1_000_000))
            if decided(other, at_ms) != before:
                found.append((name, at_ms))
    return found


def test_decisions_are_the_same_with_another_future_and_with_none(recording: Path, tmp_path: Path) -> None:
    assert _differ(recording, tmp_path, 1) == []


@pytest.mark.long
def test_decisions_are_the_same_whenever_the_future_changes(recording: Path, tmp_path: Path) -> None:
    assert _differ(recording, tmp_path, 12) == []


def test_a_harness_that_delivers_early_is_found_out(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Source._frame

    def early(self: Source, r: Record, at_ms: int) -> None:
        take(self, r, at_ms)
        if self.queue and self.queue[-1].kind == "frame":
            heard = self.queue.pop()
            self.queue.append(Heard(heard.at_ms - EARLY_MS, heard.kind, heard.data))

    monkeypatch.setattr(Source, "_frame", early)
    assert _differ(recording, tmp_path, 3) != []
