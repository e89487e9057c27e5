"""Every lock is made here, so that the tests can watch all of them.

A lock is a leaf: while one is held no other is taken (the write handle's, which is held over the
socket's send, included). The test suite replaces `new_lock` by one that fails on nesting.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Lock(Protocol):
    """What a class needs of its lock: `with lock:` and, for assertions, `locked()`."""

    def __enter__(self) -> Any: ...
    def __exit__(self, *exc: Any) -> None: ...
    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...
    def release(self) -> None: ...
    def locked(self) -> bool: ...


_factory: Callable[[str], Any] = lambda name: threading.Lock()  # noqa: E731


def new_lock(name: str) -> Lock:
    """A plain lock called `name` ("Class"); the name appears in docs/architecture.md."""
    lock: Lock = _factory(name)
    return lock


def replace_factory(factory: Callable[[str], AbstractContextManager[Any]]) -> Callable[[str], Any]:
    """Swap the factory (tests only); returns the one before."""
    global _factory
    before, _factory = _factory, factory
    return before
