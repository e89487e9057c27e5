"""Watches every test: a lock taken while another is held, a thread left running."""

import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from hip3 import locks
from tests.simulate.base import base_of_commit

settings.register_profile("gate", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gate")

SAMPLES = Path(__file__).resolve().parents[2] / "shared" / "samples"
_held = threading.local()


class LeafLock:
    """A lock that fails when its thread holds another one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        held = getattr(_held, "name", None)
        assert held is None, f"{self.name} was taken while {held} was held: every lock is a leaf"
        taken = self._lock.acquire(blocking, timeout)
        if taken:
            _held.name = self.name
        return taken

    def release(self) -> None:
        _held.name = None
        self._lock.release()

    def locked(self) -> bool:
        return self._lock.locked()

    def __enter__(self) -> bool:  # the same as acquire and release: a world takes thousands a second
        held = getattr(_held, "name", None)
        assert held is None, f"{self.name} was taken while {held} was held: every lock is a leaf"
        self._lock.acquire()
        _held.name = self.name
        return True

    def __exit__(self, *exc: Any) -> None:
        _held.name = None
        self._lock.release()


LONGEST = "tests/sessions/test_day.py"
WAITING = ("tests/stories/", "tests/bench/", "tests/clients/")
IN_ONE_THREAD = "tests/stories/test_wiring.py"
EARLY = 0.85
FREEZE_EVERY = 60
THAWING = ("tests/service/test_tuning.py", "tests/bench/")
"""They let go of what is frozen. To ask the collector how much that is takes a tenth of a second: it counts."""
LONG_S = 14_400
"""A deadline ends what hangs and says nothing about the speed of the machine."""
_ended: list[str] = []
"""Tests of this process."""


def _waits(item: pytest.Item) -> bool:
    """Whether a test mostly waits for processes of its own."""
    return item.nodeid.startswith(WAITING) and not item.nodeid.startswith(IN_ONE_THREAD)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Other people's clients are long tests all of them, and each process would import their packages to say so."""
    return True if collection_path.name == "clients" and config.option.markexpr == "not long" else None


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    if item.get_closest_marker("long"):
        item.add_marker(pytest.mark.timeout(LONG_S))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits stands between what computes, so that the cores are busy from the beginning to the end.

    The longest begins first, and what waits has begun when most of the rest is done: begun last, one of them would
    keep all others waiting. Within both the order stays as it is.
    """
    longest = [item for item in items if item.nodeid.startswith(LONGEST)]
    rest = [item for item in items if item not in set(longest)]
    waiting, computing = [i for i in rest if _waits(i)], [i for i in rest if not _waits(i)]
    step = int(len(computing) * EARLY) // len(waiting) if waiting else 0
    mixed: list[pytest.Item] = []
    for number, item in enumerate(waiting):
        mixed += [item, *computing[number * step : (number + 1) * step]]
    items[:] = [*longest, *mixed, *computing[len(waiting) * step :]]


def pytest_collection_finish() -> None:
    """Modules and collected tests live to the end: nothing is gained by looking through them again and again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """The same for what was imported since, and after a test of what a start does about it. A restarted world is
    collected, and with all that the tests import that took seconds each time."""
    _ended.append(item.nodeid)
    if item.nodeid.startswith(THAWING) or len(_ended) % FREEZE_EVERY == 0:
        gc.collect()
        gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"simulated seeds of this commit: from {base_of_commit()}")


@pytest.fixture(autouse=True)
def _leaf_locks() -> Iterator[None]:
    before = locks.replace_factory(LeafLock)
    yield
    locks.replace_factory(before)


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = [t for t in threading.enumerate() if t not in before and not t.name.startswith("pytest")]
    for thread in left:
        thread.join(3)
    assert not [t.name for t in left if t.is_alive()], "threads left running"


@pytest.fixture
def samples() -> Path:
    """The captured payloads, where they are present beside the project."""
    return SAMPLES
