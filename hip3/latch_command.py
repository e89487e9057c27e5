"""`latch show` and `latch reset`: look at and reset the HardStop latches of a state folder."""

import json
import os
import pwd
from pathlib import Path

from hip3.clock import SystemClock
from hip3.errors import ConfigError
from hip3.ops.state_dir import StateLock
from hip3.risk.hard_stop import LatchState, read_latch, write_latch


def latches(root: Path) -> dict[Path, LatchState]:
    """Every latch file below a state folder."""
    return {path: read_latch(path) for path in sorted(root.glob("*/latch.json"))}


def show(root: Path) -> int:
    """Print every latch that was ever tripped."""
    found = latches(root)
    if not any(state.tripped for state in found.values()):
        print("no latch is tripped")  # noqa: T201
    for path, state in found.items():
        if state.tripped:
            print(f"{path.parent.name}: tripped: {state.reason}")  # noqa: T201
            print(f"  evidence {json.dumps(state.evidence)}")  # noqa: T201
    return 0


def reset(root: Path, reason: str) -> int:
    """Reset tripped latches; the service must not run. ConfigError without a reason."""
    if not reason.strip():
        raise ConfigError(["latch reset needs --reason with the cause and what was done about it"])
    lock = StateLock(root)
    try:
        tripped = {path: state for path, state in latches(root).items() if state.tripped}
        for path, state in tripped.items():
            record = {
                "at_ms": SystemClock().wall_ms(),
                "user": pwd.getpwuid(os.getuid()).pw_name,
                "reason": reason,
                "was": state.reason,
            }
            with open(path.with_name("latch_resets.jsonl"), "a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
                file.flush()
                os.fsync(file.fileno())
            write_latch(path, LatchState())
            print(f"{path.parent.name}: reset (was: {state.reason})")  # noqa: T201
        if not tripped:
            print("no latch is tripped")  # noqa: T201
    finally:
        lock.release()
    return 0
