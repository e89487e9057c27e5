"""Watches every test: a lock taken while another is held, a thread left running."""

import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from hip3 import locks

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


LONG_FIRST = ("tests/sessions/test_day.py", "tests/stories/", "tests/bench/")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for processes begins first, in any order: begun last, one of them would keep all others waiting."""
    items.sort(key=lambda item: next((n for n, at in enumerate(LONG_FIRST) if item.nodeid.startswith(at)), 9))


def pytest_collection_finish() -> None:
    """Modules and collected tests live to the end: nothing is gained by looking through them again and again."""
    gc.collect()
    gc.freeze()


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
