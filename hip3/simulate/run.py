"""One seed from its beginning to its end, and how a failing one is made small."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import msgspec
from loguru import logger

from hip3 import locks
from hip3.onethread.threads import Violation
from hip3.simulate.plan import Plan, cut, plan_of
from hip3.simulate.world import World

MEMORY = Path("/dev/shm")  # noqa: S108 a folder in memory where there is one: thousands of small files are written
MOST_TRIES = 40


class Result(msgspec.Struct, kw_only=True):
    """What became of a seed."""

    seed: int
    violation: str
    """Empty: everything held."""
    log: list[str]
    hits: dict[tuple[str, str], int]
    counts: dict[str, int]
    steps: int

    @property
    def digest(self) -> str:
        """A short name for the event log: the same bytes, the same digest."""
        return sha256("\n".join(self.log).encode()).hexdigest()[:12]

    @property
    def line(self) -> str:
        """One line for the table of many seeds."""
        c = Counter(self.counts)
        return (
            f"seed {self.seed:<6} {'FAILED' if self.violation else 'ok':<7} steps {self.steps:>5}  "
            f"entries {c['entry']:>2}  exits {c['exit']:>3}  stops {c['stop']:>2}  mishaps {c['mishaps']:>3}  "
            f"kills {c['kills']}  starts {c['starts']}  log {self.digest}"
        )


@contextmanager
def _one_thread(world: World) -> Iterator[None]:
    """Every new lock is a place where threads are switched."""
    before = locks.replace_factory(world.scene.threads.lock)
    try:
        yield
    finally:
        locks.replace_factory(before)


def run(plan: Plan) -> Result:
    """Run a plan. Nothing escapes but what is broken in the simulation itself."""
    logger.disable("hip3")
    folder = MEMORY if MEMORY.is_dir() else None
    violation = ""
    with tempfile.TemporaryDirectory(prefix="hip3-simulate-", dir=folder) as path:
        world = World(plan, Path(path))
        with _one_thread(world):
            try:
                world.run()
            except Violation as error:
                violation = str(error).replace(path, "STATE")
                world.scene.say(f"VIOLATION {violation}")
            finally:
                world.scene.threads.quiet = True
                world.abandon()
    logger.enable("hip3")
    scene = world.scene
    return Result(
        seed=plan.seed, violation=violation, log=scene.log, hits=dict(scene.hits), counts=dict(scene.counts),
        steps=scene.threads.steps,
    )  # fmt: skip


def shrink(plan: Plan) -> tuple[list[int], int | None, bool]:
    """The smallest cut found that still fails: (mishaps kept, end of the faults, threads never cut in)."""
    keep, until, calm = list(range(len(plan.mishaps))), None, False

    def fails(keep: list[int], until: int | None, calm: bool) -> bool:
        return bool(run(cut(plan, keep, until, calm=calm)).violation)

    tries = 0
    if fails(keep, until, True):
        calm = True
    for index in list(keep):
        less = [i for i in keep if i != index]
        tries += 1
        if tries <= MOST_TRIES and fails(less, until, calm):
            keep = less
    for shorter in range(1000, plan.chaos_ms, 1000):
        tries += 1
        if tries <= MOST_TRIES and fails(keep, shorter, calm):
            until = shorter
            break
    return keep, until, calm


def repeat_command(seed: int, keep: list[int] | None = None, until: int | None = None, *, calm: bool = False) -> str:
    """The command that repeats a seed, or a cut of it, exactly."""
    parts = ["./run.sh simulate", f"--seed {seed}"]
    if keep is not None:
        parts.append(f"--keep {','.join(map(str, keep)) or 'none'}")
    if until is not None:
        parts.append(f"--until {until}")
    if calm:
        parts.append("--calm")
    return " ".join(parts)


def run_seed(seed: int) -> Result:
    """Run a whole seed."""
    return run(plan_of(seed))
