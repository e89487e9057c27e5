"""The first seed of the gate: another with every commit, so that it searches and does not only repeat.

Seeds that failed once are kept as plans (`tests/simulate/regressions`).
"""

import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def base_of_commit() -> int:
    """From the commit's hash; 0 where the sources are not in a repository."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, cwd=ROOT, timeout=10
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return 0
    return int(done.stdout[:7], 16)
