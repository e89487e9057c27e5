"""Wrong executors on trial. `python -m tests.simulate.catching [NAME ...]` looks for the seed that catches each (all, or
those without one) and writes it to caught.json, so that the next trial begins there: a scan of hundreds of seeds takes
minutes, one seed a second. A seed that catches no more costs the scan, no more."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.simulate.mutants import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 1000
FOUND = Path(__file__).with_name("caught.json")


def known() -> dict[str, int]:
    """Name -> the seed that caught it when it was last looked for."""
    found: dict[str, int] = json.loads(FOUND.read_text())
    return found


def caught(mutant: Mutant, folder: Path, first: int | None) -> tuple[int, str]:
    """(a seed below SEEDS that fails, how) of a patched copy of the package; -1: none. `first` is tried first."""
    shutil.copytree(ROOT / "hip3", folder / "hip3", ignore=shutil.ignore_patterns("__pycache__"))
    for module, old, new in mutant.patches:
        path = folder / "hip3" / module
        text = path.read_text()
        assert text.count(old) == 1, f"{mutant.name}: its place in {module} is gone or not unique"
        path.write_text(text.replace(old, new))
    script = Path(__file__).with_name("catch.py")
    seeds = [str(SEEDS), *([] if first is None else [str(first)])]
    done = subprocess.run(
        [sys.executable, str(script), *seeds], capture_output=True, text=True, check=False, timeout=3600,
        env=os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    seed, _, how = done.stdout.strip().partition(" ")
    return int(seed), how


def _look(mutant: Mutant) -> tuple[str, int]:
    with tempfile.TemporaryDirectory() as folder:
        seed, how = caught(mutant, Path(folder), None)
    print(f"{mutant.name}: {seed} {how}", flush=True)
    return mutant.name, seed


def main(names: list[str]) -> None:
    """Looks for the named, else for those that have no seed yet."""
    before = known() if FOUND.exists() else {}
    wanted = [m for m in MUTANTS if (m.name in names if names else m.name not in before)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, seed in pool.map(_look, wanted):
            if seed < 0:  # survived: the trial itself says so
                before.pop(name, None)
            else:
                before[name] = seed
            FOUND.write_text(json.dumps({m.name: before[m.name] for m in MUTANTS if m.name in before}, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
