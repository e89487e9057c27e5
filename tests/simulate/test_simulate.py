"""The fault simulation: its seeds hold, the same seed gives the same bytes, and what is broken is found and made small."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hip3.execution.truth.resolver import Resolver
from hip3.simulate.command import many
from hip3.simulate.coverage import UNREACHABLE, empty, table
from hip3.simulate.plan import cut, plan_of, rows
from hip3.simulate.run import repeat_command, run, run_seed, shrink
from tests.simulate.base import base_of_commit

ROOT = Path(__file__).resolve().parents[2]
GATE_SEEDS, SEEDS, CHUNK = 100, 300, 25
"""Those of the gate, and of the long run."""


@pytest.mark.parametrize(
    "first", [pytest.param(n, marks=pytest.mark.long if n >= GATE_SEEDS else ()) for n in range(0, SEEDS, CHUNK)]
)
def test_what_must_hold_holds(first: int) -> None:
    base = base_of_commit()
    for seed in range(base + first, base + first + CHUNK):
        result = run_seed(seed)
        assert not result.violation, f"{result.violation}\n{repeat_command(seed)}\nseeds of this commit: --from {base}"
        assert result.steps > 200


def _printed(hash_seed: str, *arguments: str) -> bytes:
    done = subprocess.run(
        [sys.executable, str(ROOT / "hip3.py"), "simulate", *arguments], capture_output=True, check=False, timeout=100,
        env=os.environ | {"PYTHONHASHSEED": hash_seed}, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert done.stderr == b""
    return done.stdout


def test_the_same_seed_prints_the_same_bytes_in_another_process() -> None:
    assert _printed("1", "--seed", "3") == _printed("2", "--seed", "3")
    many_seeds = _printed("1", "--seeds", "3", "--seed", "100")
    assert many_seeds == _printed("77", "--seeds", "3", "--seed", "100")
    assert b"coverage" in many_seeds
    for told in (str(ROOT), "/dev/shm", "/tmp"):
        assert told.encode() not in many_seeds


def test_seeds_differ() -> None:
    assert len({run_seed(seed).digest for seed in range(5)}) == 5


def test_a_seed_that_fails_is_made_small_and_repeats_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that calls every unknown order dead is caught, and the cut of its seed fails the same way."""
    monkeypatch.setattr(
        Resolver, "_ask", lambda self, tracked, case, now_ms: self._dead(tracked, "guess", "nobody asked", now_ms)
    )
    # Of those that fail the one with the fewest mishaps: each of them is tried without.
    failing = min(
        (r for r in map(run_seed, range(10)) if r.violation), key=lambda r: len(plan_of(r.seed).mishaps), default=None
    )
    assert failing is not None
    plan = plan_of(failing.seed)
    keep, until, calm = shrink(plan)
    small = run(cut(plan, keep, until, calm=calm))
    assert small.violation
    assert len(keep) < len(plan.mishaps)
    assert small.log == run(cut(plan, keep, until, calm=calm)).log
    assert f"--keep {','.join(map(str, keep)) or 'none'}" in repeat_command(failing.seed, keep, until, calm=calm)


def test_the_coverage_names_cells_that_exist_and_says_what_is_empty() -> None:
    assert {row for row, _ in UNREACHABLE} <= set(rows())
    assert "cut / none" in table({})[-1]
    hits = {(row, column): 1 for row in rows() for column in ("none", "queued", "sent", "unknown", "open")}
    assert {column for _, column in empty(hits)} == {"unbooked", "holding"}


@pytest.mark.long
def test_a_thousand_seeds_hold_and_hit_every_cell() -> None:
    hits: dict[tuple[str, str], int] = {}
    for result in many(range(1000)):
        assert not result.violation, f"seed {result.seed}: {result.violation}"
        for cell, count in result.hits.items():
            hits[cell] = hits.get(cell, 0) + count
    print("\n".join(table(hits)))
    assert empty(hits) == []
