"""`simulate`: many seeds on all cores, or one seed with its event log. Prints nothing of the machine or the time."""

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from hip3.clock import SystemClock
from hip3.ops.progress import steps
from hip3.simulate.coverage import COLUMNS, empty, table
from hip3.simulate.plan import cut, plan_of, rows
from hip3.simulate.run import Result, repeat_command, run, run_seed, shrink

MOST_SHRUNK = 3
TAIL = 30
OK, CHECK_FAILED = 0, 4


def many(seeds: Iterable[int], workers: int | None = None) -> Iterator[Result]:
    """The results of these seeds, in order, worked out on all cores."""
    count = workers or os.cpu_count() or 1
    if count == 1:
        yield from map(run_seed, seeds)
        return
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        yield from pool.map(run_seed, seeds, chunksize=5)


def one(seed: int, keep: list[int] | None, until_ms: int | None, *, calm: bool) -> int:
    """One seed, or a cut of it, with its event log."""
    plan = cut(plan_of(seed), keep, until_ms, calm=calm)
    shown = {k: str(v) for k, v in plan.settings.items() if k not in ("api_url", "http_port")}
    print(f"seed {seed}: {', '.join(f'{k} {v}' for k, v in shown.items())}")
    for index, m in enumerate(plan_of(seed).mishaps):
        kept = keep is None or index in keep
        span = f" for {m.for_ms} ms" if m.for_ms else ""
        print(f"mishap {index}: {m.row} at {m.at_ms}{span}{'' if kept else ' (left out)'}")
    result = run(plan)
    print("\n".join(result.log))
    print(result.line)
    return CHECK_FAILED if result.violation else OK


def simulate(first: int, count: int, jobs: int | None = None, *, coverage: bool = False) -> int:
    """Many seeds: a line for each, the coverage as a number or a table, and what failed, made small."""
    hits: Counter[tuple[str, str]] = Counter()
    totals: Counter[str] = Counter()
    failed: list[Result] = []
    with steps("seeds", count, SystemClock()) as told:
        for number, result in enumerate(many(range(first, first + count), jobs), 1):
            print(result.line, flush=True)
            hits.update(result.hits)
            totals.update(result.counts)
            if result.violation:
                failed.append(result)
            told(number, f"{len(failed)} failed" if failed else "")
    print()
    if coverage:
        print("\n".join(table(hits)) + "\n")
    left, whole = len(empty(hits)), len(rows()) * len(COLUMNS)
    print(f"coverage: {whole - left} of {whole} (mishap, order state); --coverage shows which")
    names = ("entry", "exit", "stop", "mishaps", "kills", "starts")
    print(f"{count} seeds: " + ", ".join(f"{name} {totals[name]}" for name in names) + f", failed {len(failed)}")
    for result in failed[:MOST_SHRUNK]:
        _explain(result)
    for result in failed[MOST_SHRUNK:]:
        print(f"\nseed {result.seed}: {result.violation}\n  {repeat_command(result.seed)}")
    sys.stdout.flush()
    return CHECK_FAILED if failed else OK


def _explain(result: Result) -> None:
    """A failing seed, shrunk, with the command that repeats it."""
    print(f"\nseed {result.seed}: {result.violation}")
    keep, until, calm = shrink(plan_of(result.seed))
    small = run(cut(plan_of(result.seed), keep, until, calm=calm))
    print(f"  whole: {repeat_command(result.seed)}")
    print(f"  small: {repeat_command(result.seed, keep, until, calm=calm)}")
    print("\n".join(f"    {line}" for line in small.log[-TAIL:]))
