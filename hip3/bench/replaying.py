"""`bench replay`: the same stretch of market data through this service's replay and through two other engines.

Ours is `hip3.py replay` as it stands: it reads the recording from disk and runs the whole service, its journal and the
exchange. The others trade the rule of `hip3.bench.rule` on data that is in memory before their clock starts:
nautilus_trader in Python on its compiled core, hftbacktest compiled throughout. Each is a process of its own; they
take turns, and of each the turn counts that took least of the processor: the machine is not ours alone. What ours
takes for a recording of three seconds, above all its start, is taken off.
"""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from hip3.bench.day import Day, record
from hip3.bench.rig import Broken
from hip3.bench.rows import Row, absent, at_most, figure
from hip3.bench.stats import now_ns
from hip3.service.start import PACKAGE_PARENT, hip3_command, hip3_environment

SHORT = 3
NEEDED = "not measured: pip install -r requirements-bench.txt"
PEERS = {"nautilus_trader": "hip3.bench.by_nautilus", "hftbacktest": "hip3.bench.by_hftbacktest"}
SET = ("--set", "HARD_STOP_MAX_CONSECUTIVE_LOSSES=1000", "--set", "HARD_STOP_MAX_LOSS_USD=1000", "--set", "MARGIN=keep")
"""Losses in a row must not end a benchmark."""


class Took(NamedTuple):
    """What one replay told, and what it took: processor and wall seconds, most resident MB."""

    report: dict[str, Any]
    cpu_s: float
    wall_s: float
    mb: float


def _run(command: list[str]) -> Took:
    """A process that prints an object. Broken if it fails."""
    env = {name: value for name, value in hip3_environment().items() if not name.startswith("HIP3_")}
    began = now_ns()
    child = subprocess.Popen(command, cwd=PACKAGE_PARENT, env=env, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    out = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stdout.close()
    if child.returncode:
        raise Broken(f"{command[1:3]} ended with {child.returncode}; its message stands above")
    report = json.loads(out.splitlines()[0])
    return Took(report, used.ru_utime + used.ru_stime, (now_ns() - began) / 1e9, used.ru_maxrss / 1024)


def _ours(folder: Path, day: Day) -> Took:
    path = folder / f"{day.seconds}.ndjson.zst"
    if not path.exists():
        record(day, path)
    return _run(
        hip3_command(
            "replay",
            str(path),
            "--no-band",
            "--json",
            "--latency",
            "fixed:60",
            "--report",
            str(folder / "report"),
            *SET,
        )
    )


def _peer(module: str, day: Day) -> Took:
    numbers = (day.markets, day.seconds, day.rate, day.seed)
    took = _run([sys.executable, "-m", module, *(str(number) for number in numbers)])
    return took._replace(cpu_s=max(took.report["cpu_s"], 1e-9), wall_s=took.report["run_s"])


def measure(folder: Path, day: Day, turns: int, tell: Callable[[str], None]) -> Iterable[Row]:
    """Rows of frames a second, of time for each frame beside the others', and of memory."""
    installed = {name: module for name, module in PEERS.items() if importlib.util.find_spec(name) is not None}
    best: dict[str, Took] = {}
    for turn in range(turns):
        tell(f"turn {turn + 1} of {turns}")
        turned = {"short": _ours(folder, day._replace(seconds=SHORT)), "ours": _ours(folder, day)}
        turned |= {name: _peer(module, day) for name, module in installed.items()}
        for name, took in turned.items():
            best[name] = min(best.get(name, took), took, key=lambda t: t.cpu_s)
    best["ours"] = net(best["ours"], best.pop("short"))
    yield from _rows(day, best)


def net(whole: Took, short: Took) -> Took:
    """What the frames took beyond those of the short recording. Broken where the start's noise is more than that."""
    if whole.cpu_s <= short.cpu_s:
        raise Broken(f"{whole.report['frames']} frames take less than the noise of a start; measure a longer stretch")
    frames = whole.report["frames"] - short.report["frames"]
    report = whole.report | {"frames": frames}
    return whole._replace(cpu_s=whole.cpu_s - short.cpu_s, wall_s=whole.wall_s - short.wall_s, report=report)


def _rows(day: Day, best: dict[str, Took]) -> Iterable[Row]:
    path = f"replay of {day.markets} markets, {day.seconds} s"
    us = {name: took.cpu_s / took.report["frames"] * 1e6 for name, took in best.items()}
    for name in ("ours", *PEERS):
        if name not in best:
            yield absent(path, name, note=NEEDED)
            continue
        took = best[name]
        note = (
            f"{1e6 / us[name]:,.0f} frames/s, {took.cpu_s:.2f} s of processor, {took.wall_s:.2f} s in all for "
            f"{took.report['frames']:,}; {took.report['signals']} signals, {took.report['fills']} fills"
        )
        yield Row(
            path=path, measured=name, unit="us/fr", median=us[name], note=note,
            ratio=None if name == "ours" else us["ours"] / us[name],
            goal=at_most(1) if name == "nautilus_trader" else None,
        )  # fmt: skip
    for name, took in best.items():
        if name == "ours":
            yield figure("replay: memory", took.mb, "MB", at_most(400, "median"))
        else:
            yield Row(path="replay: memory", measured=name, unit="MB", median=took.mb, ratio=best["ours"].mb / took.mb)
