"""Each wrong executor is caught by what the simulation checks, within the first 1,000 seeds of its generator."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulate.mutants import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 1000
CHEAP = ("exits are not claimed", "a time-out frees the order", "the latch is in memory only")
"""Those of the gate: caught within a few seeds."""


def _caught(mutant: Mutant, folder: Path) -> tuple[int, str]:
    """(the first seed that fails, how) of a patched copy of the package; -1: none."""
    shutil.copytree(ROOT / "hip3", folder / "hip3", ignore=shutil.ignore_patterns("__pycache__"))
    for module, old, new in mutant.patches:
        path = folder / "hip3" / module
        text = path.read_text()
        assert text.count(old) == 1, f"{mutant.name}: its place in {module} is gone or not unique"
        path.write_text(text.replace(old, new))
    script = Path(__file__).with_name("catch.py")
    done = subprocess.run(
        [sys.executable, str(script), str(SEEDS)], capture_output=True, text=True, check=False, timeout=3600,
        env=os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    seed, _, how = done.stdout.strip().partition(" ")
    return int(seed), how


def test_there_are_enough_and_each_has_its_place() -> None:
    assert len(MUTANTS) >= 115
    assert len({m.name for m in MUTANTS}) == len(MUTANTS)
    for mutant in MUTANTS:
        for module, old, new in mutant.patches:
            assert (ROOT / "hip3" / module).read_text().count(old) == 1, f"{mutant.name}: {module}"
            assert old != new


@pytest.mark.parametrize("name", CHEAP)
def test_some_are_caught(name: str, tmp_path: Path) -> None:
    (mutant,) = (m for m in MUTANTS if m.name == name)
    seed, how = _caught(mutant, tmp_path)
    assert seed >= 0, how


@pytest.mark.long
@pytest.mark.timeout(3700)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_every_one_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    seed, how = _caught(mutant, tmp_path)
    assert seed >= 0, f"survived {SEEDS} seeds"
    print(f"{mutant.name}: seed {seed}: {how}")
