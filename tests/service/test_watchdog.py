"""The watchdog, and what supervised starts go by."""

from pathlib import Path

import pytest

from hip3.ops.supervised import LASTED_MS, LONGEST_PAUSE_MS, Supervised
from hip3.service.watchdog import HUNG_MS, SLOW_MS, STILL_MS, Verdict, Watchdog


def _rounds(dog: Watchdog, beats: dict[str, int], until_ms: int, start_ms: int = 0) -> Verdict:
    verdict = Verdict()
    for now in range(start_ms + 200, until_ms + 1, 200):
        verdict = dog.look(beats, now, now)
    return verdict


def test_a_thread_without_heartbeat_is_slow_and_then_hangs() -> None:
    dog = Watchdog(0, 0)
    assert _rounds(dog, {"tick": 0, "risk": 0}, SLOW_MS - 200) == Verdict()
    found = _rounds(dog, {"tick": 0, "risk": SLOW_MS}, SLOW_MS, SLOW_MS - 200)
    assert "tick" in found.slow
    assert "risk" not in found.slow
    assert found.hung == ""
    assert _rounds(dog, {"tick": 0, "risk": HUNG_MS}, HUNG_MS, SLOW_MS).hung == "tick"


def test_a_thread_that_moves_again_is_well() -> None:
    dog = Watchdog(0, 0)
    _rounds(dog, {"tick": 0}, 10_000)
    assert dog.look({"tick": 10_100}, 10_200, 10_200) == Verdict()


@pytest.mark.parametrize(("mono", "wall"), [(40_000, 40_000), (200, 40_000)], ids=["stopped", "suspended"])
def test_a_machine_that_stood_still_is_nobody_s_fault(mono: int, wall: int) -> None:
    dog = Watchdog(0, 0)
    found = dog.look({"tick": 0}, mono, wall)
    assert found.stood_still_ms == 40_000
    assert (found.slow, found.hung) == ("", "")
    assert _rounds(dog, {"tick": 0}, mono + SLOW_MS - 200, mono).slow == ""  # heartbeats count from its end
    assert "tick" in _rounds(dog, {"tick": 0}, mono + SLOW_MS, mono + SLOW_MS - 200).slow


def test_a_wall_clock_set_back_means_nothing() -> None:
    dog = Watchdog(0, 3_600_000)
    assert dog.look({"tick": 0}, 200, 0) == Verdict()
    assert STILL_MS > 200


def test_the_mark_of_stop_keeps_supervised_starts_away_until_a_plain_run(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path)
    assert supervised.may_start(0) == ""
    supervised.mark(5)
    assert "stopped" in supervised.may_start(10**12)
    supervised.clear()
    assert supervised.may_start(0) == ""


def test_failed_starts_in_a_row_wait_longer_and_longer(tmp_path: Path) -> None:
    supervised, now, waits = Supervised(tmp_path), 1_000_000, []
    for _ in range(8):
        assert supervised.may_start(now) == ""
        supervised.started(now)
        start = now
        while supervised.may_start(now):
            now += 1000
        waits.append((now - start) // 1000)
    assert waits == [0, 30, 60, 120, 240, 480, 900, 900]
    supervised.good()
    supervised.started(now)
    assert supervised.may_start(now) == ""


def test_a_damaged_file_or_a_clock_set_back_keeps_nothing_down(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path)
    for _ in range(5):
        supervised.started(10**12)
    assert supervised.may_start(10**12)
    assert supervised.may_start(10**12 - LONGEST_PAUSE_MS - LASTED_MS) == ""
    (tmp_path / "runs.json").write_text("damaged")
    assert supervised.may_start(10**12) == ""
