"""HardStopLatch: trips once, keeps its first reason, and only a person resets it.

Guards: tripped, reason, time, evidence. Read by everyone, tripped by risk and the supervisor.
Memory first, so that trading stops at once; then the winner writes and syncs the file outside the
lock. If the file cannot be written it is tried again each second (`persist`), and the process stays
stopped meanwhile. A file that cannot be read counts as tripped.
"""

import json
import os
from pathlib import Path
from typing import Any

import msgspec

from hip3.locks import new_lock


class LatchState(msgspec.Struct, frozen=True):
    """What the latch says. `reason` begins with a code of the interface."""

    tripped: bool = False
    reason: str | None = None
    at_ms: int | None = None
    evidence: dict[str, Any] = {}


class HardStopLatch:
    """The durable kill switch of one account's state."""

    def __init__(self, path: Path) -> None:
        self._lock = new_lock("HardStopLatch")
        self._path = path
        self._state = read_latch(path)
        self._unwritten = False

    @property
    def tripped(self) -> bool:
        with self._lock:
            return self._state.tripped

    def state(self) -> LatchState:
        """What it says now."""
        with self._lock:
            return self._state

    def trip(self, code: str, detail: str, now_ms: int, evidence: dict[str, Any] | None = None) -> bool:
        """Trip it; False if it was tripped before (the first reason stays). `now_ms` is wall time."""
        state = LatchState(True, f"{code}: {detail}", now_ms, evidence or {})
        with self._lock:
            if self._state.tripped:
                return False
            self._state = state
            self._unwritten = True
        self.persist()
        return True

    def persist(self) -> str:
        """Write what is not on disk yet; why that failed, or "". Called by who trips it, then by main."""
        with self._lock:
            if not self._unwritten:
                return ""
            state = self._state
        try:
            write_latch(self._path, state)
        except OSError as error:
            return f"the latch cannot be written: {error}"
        with self._lock:
            self._unwritten = False
        return ""


def read_latch(path: Path) -> LatchState:
    """The state in the file; an unreadable or half-written one counts as tripped."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return LatchState()
    except OSError as error:
        return LatchState(True, f"latch_unreadable: {path}: {error}")
    try:
        return msgspec.json.decode(raw, type=LatchState)
    except msgspec.DecodeError as error:
        return LatchState(True, f"latch_unreadable: {path} is damaged ({error})")


def write_latch(path: Path, state: LatchState) -> None:
    """Write, sync, and only then put in place."""
    temporary = path.with_suffix(".new")
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(msgspec.to_builtins(state), file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
