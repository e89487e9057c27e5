"""HardStopLatch: trips once, keeps its first reason, and only a person resets it.

Guards: tripped, reason, time, evidence, the last reset. Read by everyone, tripped by risk and main.
Memory first, so that trading stops at once; then the winner writes and syncs the file outside the
lock. If the file cannot be written it is tried again each second (`persist`), and the process stays
stopped meanwhile. A file that cannot be read, or is gone while an account's journal is there, counts as
tripped, and so does one that cannot be written: a latch that cannot hold is none.

The file is `latch.json` of the account's state. While the service runs it alone writes it, and a reset by
`./run.sh latch reset` goes through it; without a service the command needs the state folder's lock. Times are
wall time.
"""

import json
import os
from pathlib import Path
from typing import Any

import msgspec

from hip3.locks import new_lock

UNREADABLE = "latch_unreadable"
"""The code of a latch that nobody tripped: its file is damaged, missing, or cannot be written."""
TRACES = ("journal.db", "intents.log")
"""Files of an account's state: beside them a latch file must be."""


class Reset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person did about a tripped latch."""

    at_ms: int
    """Wall time."""
    user: str
    """The operating system's user."""
    reason: str
    """In the person's words: the cause, and what was done about it."""
    was: str
    """The reason it was tripped for."""

    @property
    def code(self) -> str:
        """The trigger whose counter begins anew: what stands before the first colon of `was`."""
        return self.was.partition(":")[0]


class LatchState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the latch says, and what its file holds. `reason` begins with a code of the interface, then a colon."""

    tripped: bool
    reason: str | None = None
    """None while it is not tripped."""
    at_ms: int | None = None
    """When it tripped; None also for an unreadable file that no start has looked at yet."""
    evidence: dict[str, Any] = {}
    """The numbers that tripped it, for people."""
    reset: Reset | None = None
    """The last one, if there was any."""


class HardStopLatch:
    """The durable kill switch of one account's state. `now_ms` is wall time."""

    def __init__(self, path: Path, now_ms: int = 0) -> None:
        """Read the file at `path`, and write it where there was none or none that counts. Raises nothing."""
        self._lock = new_lock("HardStopLatch")
        self._writing = new_lock("HardStopLatch file")
        self._path = path
        state, written = read_latch(path), True
        # A latch that was tripped in good order is not written again: its file is the proof of it.
        if not state.tripped or state.at_ms is None:
            # Written at once: whether it can be is part of whether it holds, and an unreadable one stays tripped.
            try:
                state = msgspec.structs.replace(state, at_ms=now_ms) if state.tripped else state
                write_latch(path, state)
            except OSError as error:
                written = False
                if not state.tripped:
                    state = LatchState(True, f"{UNREADABLE}: {path} cannot be written ({error})", now_ms)
        self._state = state
        self._on_disk = state if written else None
        """What the file holds. Whoever writes sets it; that is one step."""

    @property
    def _unwritten(self) -> bool:
        return self._state is not self._on_disk

    @property
    def tripped(self) -> bool:
        """Whether entries are forbidden, until a person resets it."""
        with self._lock:
            return self._state.tripped

    def state(self) -> LatchState:
        """What it says now: reason, time and evidence of one instant. Immutable by agreement, evidence included."""
        with self._lock:
            return self._state

    def trip(self, code: str, detail: str, now_ms: int, evidence: dict[str, Any] | None = None) -> bool:
        """Trip it; False if it was tripped before (the first reason stays). `now_ms` is wall time.

        It holds when this returns, whether or not the file could be written. Raises nothing for the disk. Called
        from: risk, main, and whoever finds that an event is lost.
        """
        with self._lock:
            if self._state.tripped:
                return False
            self._state = LatchState(True, f"{code}: {detail}", now_ms, evidence or {}, self._state.reset)
        self.persist()
        return True

    def reset(self, done: Reset) -> bool:
        """A person's reset: on disk first, then in memory; False if it was not tripped. OSError: nothing has changed.

        Called by the risk thread, which then judges again what may have tripped it meanwhile.
        """
        if not self.tripped:
            return False
        note_reset(self._path, done)
        state = LatchState(False, reset=done)
        with self._writing:
            write_latch(self._path, state)
            # Before anybody else may write: what is in the file last is what holds.
            self._state = self._on_disk = state
        return True

    def persist(self) -> str:
        """Write what is not on disk yet; why that failed, or "": then no new risk may be taken, since a trip would not
        outlast the process. Called by who trips it, then by main each second.

        Waits for the disk, and for who else writes, without the lock that `tripped` takes.
        """
        with self._writing:
            if not self._unwritten:
                return ""
            state = self._state
            try:
                write_latch(self._path, state)
            except OSError as error:
                return f"the latch cannot be written: {error}"
            self._on_disk = state  # if it has tripped meanwhile, who tripped it waits to write that
        return ""


def read_latch(path: Path) -> LatchState:
    """The state in the file; an unreadable, half-written or missing one counts as tripped.

    Missing is how an account begins: there it is untripped, and written before anything else is. Raises nothing; its
    reason says what is wrong with the file. Called from: main, and commands while no service runs.
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


def note_reset(path: Path, done: Reset) -> None:
    """Who did it, when and why, durably and before it is done, beside the latch at `path`. OSError."""
    with open(path.with_name("latch_resets.jsonl"), "ab") as file:
        file.write(msgspec.json.encode(done) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def write_latch(path: Path, state: LatchState) -> None:
    """Write, sync, and only then put in place: after a crash the file is the old one or the new one. OSError."""
    temporary = path.with_suffix(".new")
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(msgspec.to_builtins(state), file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)  # without this the new name may be lost with the power
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
