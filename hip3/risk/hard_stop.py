"""HardStopLatch: trips once, keeps its first reason, and only a person resets it.

Guards: tripped, reason, time, evidence, the last reset. Read by everyone, tripped by risk and main.
Memory first, so that trading stops at once; then the winner writes and syncs the file outside the
lock. If the file cannot be written it is tried again each second (`persist`), and the process stays
stopped meanwhile. A file that cannot be read, or is gone while an account's journal is there, counts as
tripped, and so does one that cannot be written: a latch that cannot hold is none.
"""

import json
import os
from pathlib import Path
from typing import Any

import msgspec

from hip3.locks import new_lock

UNREADABLE = "latch_unreadable"
TRACES = ("journal.db", "intents.log")
"""Files of an account's state: beside them a latch file must be."""


class Reset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person did about a tripped latch."""

    at_ms: int
    """Wall time."""
    user: str
    """The operating system's user."""
    reason: str
    was: str
    """The reason it was tripped for."""

    @property
    def code(self) -> str:
        """The trigger whose counter begins anew."""
        return self.was.partition(":")[0]


class LatchState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the latch says. `reason` begins with a code of the interface."""

    tripped: bool
    reason: str | None = None
    at_ms: int | None = None
    evidence: dict[str, Any] = {}
    reset: Reset | None = None
    """The last one, if there was any."""


class HardStopLatch:
    """The durable kill switch of one account's state. `now_ms` is wall time."""

    def __init__(self, path: Path, now_ms: int = 0) -> None:
        self._lock = new_lock("HardStopLatch")
        self._path = path
        state = read_latch(path)
        self._unwritten = False
        if not state.tripped or state.at_ms is None:
            # Written at once: whether it can be is part of whether it holds, and an unreadable one stays tripped.
            try:
                state = msgspec.structs.replace(state, at_ms=now_ms) if state.tripped else state
                write_latch(path, state)
            except OSError as error:
                self._unwritten = True
                if not state.tripped:
                    state = LatchState(True, f"{UNREADABLE}: {path} cannot be written ({error})", now_ms)
        self._state = state

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
        with self._lock:
            if self._state.tripped:
                return False
            self._state = LatchState(True, f"{code}: {detail}", now_ms, evidence or {}, self._state.reset)
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
    """The state in the file; an unreadable, half-written or missing one counts as tripped.

    Missing is how an account begins: there it is untripped, and written before anything else is.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        if any(path.with_name(trace).exists() for trace in TRACES):
            return LatchState(True, f"{UNREADABLE}: {path} is missing beside a journal")
        return LatchState(False)
    except OSError as error:
        return LatchState(True, f"{UNREADABLE}: {path}: {error}")
    try:
        return msgspec.json.decode(raw, type=LatchState)
    except msgspec.DecodeError as error:
        return LatchState(True, f"{UNREADABLE}: {path} is damaged ({error})")


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
