"""What `run --supervised` goes by: the mark that `stop` leaves, and how often runs have failed.

Both lie in the state folder, above the accounts. Under cron a service that cannot run would start every minute:
each failed start doubles the pause before the next, up to 15 minutes; a run that lasted 10 minutes, or ended as
asked, clears it. A file that cannot be read counts as no failure: supervision must not keep a service down.
"""

import json
import os
from pathlib import Path

FIRST_PAUSE_MS = 30_000
LONGEST_PAUSE_MS = 900_000
LASTED_MS = 600_000


class Supervised:
    """See the module. Called under the state lock, except `mark` and `may_start`."""

    def __init__(self, root: Path) -> None:
        self._mark = root / "stopped"
        self._file = root / "runs.json"

    def mark(self, at_ms: int) -> None:
        """`stop` was asked for: supervised starts do nothing until a plain `run`."""
        self._mark.parent.mkdir(parents=True, exist_ok=True)
        self._mark.write_text(f"{at_ms}\n", encoding="ascii")

    def clear(self) -> None:
        """A plain `run` takes the mark and the pause away."""
        self._mark.unlink(missing_ok=True)
        self._file.unlink(missing_ok=True)

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

    def started(self, now_ms: int) -> None:
        """A run begins; it counts as failed until it has lasted or ended well."""
        failures = self._read()[0] + 1
        pause = 0 if failures == 1 else min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** min(failures - 2, 10))
        self._write(failures, now_ms + pause)

    def good(self) -> None:
        """The run has lasted, or ended as it should."""
        self._write(0, 0)

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
