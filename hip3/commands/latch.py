"""`latch show` and `latch reset`: look at and reset the HardStop latches of a state folder."""

import json
import sys
import time
from pathlib import Path

import msgspec

from hip3.clock import SystemClock
from hip3.commands.asking import ask_or_wait
from hip3.errors import ConfigError
from hip3.ops.control import readable
from hip3.ops.state_dir import StateLock, is_of, operator
from hip3.risk.hard_stop import TRACES, LatchState, Reset, note_reset, read_latch, write_latch

FAILED = 1
MOST_RESETS = 5
PATIENCE_S = 15.0
"""A disk may take its time; the trading threads go on meanwhile."""


def latches(root: Path) -> dict[Path, LatchState]:
    """The latch of every account below a state folder, also where its file is missing."""
    folders = {path.parent for name in ("latch.json", *TRACES) for path in root.glob(f"*/{name}")}
    kept = sorted(folder for folder in folders if not folder.name.endswith(".previous"))
    return {folder / "latch.json": read_latch(folder / "latch.json") for folder in kept}


def show(root: Path) -> int:
    """Print every latch that is tripped, with what tripped it."""
    found = latches(root)
    if not any(state.tripped for state in found.values()):
        print("no latch is tripped")  # noqa: T201
    for path, state in found.items():
        if state.tripped:
            when = "" if state.at_ms is None else f" since {_day(state.at_ms)}"
            print(f"{path.parent.name}: tripped{when}: {state.reason}")  # noqa: T201
            print(f"  evidence {json.dumps(state.evidence)}")  # noqa: T201
        for line in _history(path.with_name("latch_resets.jsonl")):
            print(f"  {line}" if state.tripped else f"{path.parent.name}: {line}")  # noqa: T201
    return 0


def _day(at_ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at_ms // 1000))


def _history(path: Path) -> list[str]:
    """The last resets of an account, newest first; a line that cannot be read is left out."""
    try:
        raw = path.read_bytes().splitlines()
    except OSError:
        return []
    found = []
    for line in raw[-MOST_RESETS:]:
        try:
            one = msgspec.json.decode(line, type=Reset)
        except msgspec.DecodeError:
            continue
        found.append(f"reset {_day(one.at_ms)} by {one.user}: {one.reason} (was: {one.was})")
    return found[::-1]


def chosen(tripped: list[str], account: str | None) -> list[str]:
    """The one latch that is meant; ConfigError where several are tripped and none is named, or none of that name."""
    meant = tripped if account is None else [name for name in tripped if is_of(name, account)]
    if len(meant) > 1:
        raise ConfigError([f"several latches are tripped ({', '.join(meant)}): name one with --account"])
    if tripped and not meant:
        raise ConfigError([f"no tripped latch is of {account}; tripped: {', '.join(tripped)}"])
    return meant


def reset_live(root: Path, reason: str, account: str | None) -> int | None:
    """Through the running service; its sentence is printed. None: none runs. ConfigError without a reason."""
    reason = _needed(reason)
    user = operator()
    request: dict[str, object] = {"command": "latch-reset", "reason": reason, "user": user, "account": account}
    answer = ask_or_wait(root, request, PATIENCE_S)
    if answer is None:
        return None
    if "error" in answer:
        print(f"hip3: {answer['error']}", file=sys.stderr)  # noqa: T201
        return FAILED
    print(answer["told"])  # noqa: T201
    return 0


def _needed(reason: str) -> str:
    if not reason.strip():
        raise ConfigError(["latch reset needs --reason with the cause and what was done about it"])
    return str(readable(reason))


def reset(root: Path, reason: str, account: str | None = None) -> list[tuple[str, str]]:
    """Reset the tripped latch, of `account` where several are; (state folder's name, why it was tripped) of each.

    The service must not run. ConfigError without a reason.
    """
    reason = _needed(reason)
    lock = StateLock(root)
    try:
        tripped = {path: state for path, state in latches(root).items() if state.tripped}
        meant = chosen([path.parent.name for path in tripped], account)
        tripped = {path: state for path, state in tripped.items() if path.parent.name in meant}
        for path, state in tripped.items():
            done = Reset(
                at_ms=SystemClock().wall_ms(), user=operator(),
                reason=reason, was=state.reason or "",
            )  # fmt: skip
            note_reset(path, done)
            if path.is_dir():
                path.rename(path.with_name(f"latch.json.set-aside-{done.at_ms}"))
            write_latch(path, LatchState(False, reset=done))
            print(f"{path.parent.name}: reset (was: {state.reason})")  # noqa: T201
        if not tripped:
            print("no latch is tripped")  # noqa: T201
    finally:
        lock.release()
    return [(path.parent.name, state.reason or "") for path, state in tripped.items()]
