"""What `run --supervised` goes by: the mark that `stop` leaves, and how often runs have failed.

Both lie in the state folder, above the accounts. Under cron a service that cannot run would start every minute:
each failed start doubles the pause before the next, up to 15 minutes; a run that lasted 10 minutes, or ended as
asked, clears it. A file that cannot be read counts as no failure, and one that cannot be written is said and no more:
supervision must not keep a service down, nor end one whose disk is full.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

FIRST_PAUSE_MS = 30_000
LONGEST_PAUSE_MS = 900_000
LASTED_MS = 600_000


class Supervised:
    """See the module. Called under the state lock, except `mark` and `may_start`. What writes returns why it could not,
    or ""."""

    def __init__(self, root: Path) -> None:
        self._mark = root / "stopped"
        self._file = root / "runs.json"

    def mark(self, at_ms: int) -> str:
        """`stop` was asked for: supervised starts do nothing until a plain `run`."""

        def write() -> None:
            self._mark.parent.mkdir(parents=True, exist_ok=True)
            self._mark.write_text(f"{at_ms}\n", encoding="ascii")

        return _tried(write)

    def clear(self) -> str:
        """A plain `run` takes the mark and the pause away."""
        return _tried(lambda: self._mark.unlink(missing_ok=True)) or _tried(lambda: self._file.unlink(missing_ok=True))

    @property
    def stopped(self) -> bool:
        """Whether the mark stands."""
        return self._mark.exists()

    def may_start(self, now_ms: int) -> str:
        """Why a supervised start should end at once; empty if it should not."""
        if self.stopped:
            return "stopped by `stop`; start it with ./run.sh run"
        failures, until_ms = self._read()
        if now_ms < until_ms <= now_ms + LONGEST_PAUSE_MS:  # a clock that was set back must not keep it down
            return f"{failures} failed starts in a row; next try in {(until_ms - now_ms) // 1000} s"
        return ""

    def started(self, now_ms: int) -> str:
        """A run begins; it counts as failed until it has lasted or ended well."""
        failures = self._read()[0] + 1
        pause = 0 if failures == 1 else min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** min(failures - 2, 10))
        return _tried(lambda: self._write(failures, now_ms + pause))

    def good(self) -> str:
        """The run has lasted, or ended as it should."""
        return _tried(lambda: self._write(0, 0))

    def _read(self) -> tuple[int, int]:
        try:
            found = json.loads(self._file.read_text(encoding="ascii"))
            return int(found["failures"]), int(found["until_ms"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0, 0

    def _write(self, failures: int, until_ms: int) -> None:
        temporary = self._file.with_suffix(".new")
        temporary.write_text(json.dumps({"failures": failures, "until_ms": until_ms}), encoding="ascii")
        os.replace(temporary, self._file)


def _tried(write: Callable[[], object]) -> str:
    try:
        write()
    except OSError as error:
        return f"{error.filename or 'the state folder'}: {error.strerror}"
    return ""
