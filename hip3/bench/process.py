"""The service as a process: start to READY, resident memory, its share of a core. Linux: read from /proc."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hip3.bench.rig import Broken, pause
from hip3.bench.rows import Row, at_most, beside, figure, in_ms, ours
from hip3.bench.stats import Samples, now_ns
from hip3.ops.control import ask
from hip3.ops.state_dir import socket_path
from hip3.service.start import PACKAGE_PARENT, hip3_command, hip3_environment

MEGABYTE = 1024 * 1024
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
IMPORTS = "import hip3.service.app, sys; print('ready', flush=True); sys.stdin.read()"
"""What the interpreter itself costs with everything the service imports."""
READY_S = 30.0


def resident_mb(pid: int) -> float:
    """Resident memory of a process in megabytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MEGABYTE


def cpu_s(pid: int) -> float:
    """Processor time a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def threads_s(pid: int) -> dict[int, float]:
    """Processor time of each thread of a process in seconds, by the thread's id. Its steps are nanoseconds, where those
    of `cpu_s` are hundredths of a second."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):  # it ends just now
            found[int(task.name)] = int((task / "schedstat").read_text(encoding="ascii").split()[0]) / 1e9
    return found


@contextmanager
def service(folder: Path, **settings: str) -> Iterator[tuple[int, float]]:
    """`hip3.py run` as a process: its id, and the milliseconds from its start to READY."""
    folder.mkdir()
    places = {"HIP3_STATE_DIR": str(folder / "state"), "HIP3_LOG_DIR": str(folder / "logs"), "HIP3_HTTP_PORT": "0"}
    (folder / "state").mkdir()
    began = now_ns()
    child = subprocess.Popen(
        hip3_command("run"), cwd=folder, env=hip3_environment() | places | settings,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _until_ready(child, socket_path(folder / "state"), began)
        yield child.pid, (now_ns() - began) / 1e6
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(10)


def _until_ready(child: "subprocess.Popen[bytes]", path: Path, began: int) -> None:
    while True:
        status = ask(path, {"command": "status"})
        if status is not None and status.get("state") == "READY":
            return
        if child.poll() is not None or now_ns() - began > READY_S * 1e9:
            raise Broken(f"the service did not reach READY: {status}")
        pause(0.005)


@contextmanager
def idle_interpreter() -> Iterator[tuple[int, float]]:
    """A Python that imported what the service imports and does nothing: its id, and its start in milliseconds."""
    began = now_ns()
    child = subprocess.Popen(
        [sys.executable, "-c", IMPORTS], cwd=PACKAGE_PARENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdout.readline()
        yield child.pid, (now_ns() - began) / 1e6
    finally:
        child.stdin.close()
        child.wait(10)
        child.stdout.close()


def measure_start(folder: Path, starts: int) -> Iterable[Row]:
    """Rows of start to READY, and of resident memory some seconds after it."""
    whole, imports, used, bare = [], [], 0.0, 0.0
    for n in range(starts):
        with service(folder / f"start-{n}") as (pid, ready_ms):
            whole.append(ready_ms)
            pause(1.0)
            used = resident_mb(pid)
        with idle_interpreter() as (pid, start_ms):
            imports.append(start_ms)
            bare = resident_mb(pid)
    path, own, other = "start to READY", Samples.of(whole), Samples.of(imports)
    yield in_ms(ours(path, own, at_most(1000, "median")))
    yield in_ms(beside(path, own, "the same imports alone", other))
    path = "resident memory when READY"
    yield figure(path, used, "MB", at_most(150, "median"))
    yield Row(path=path, measured="the same imports alone", unit="MB", median=bare, ratio=used / bare)


def child(module: str, folder: Path, *numbers: int) -> dict[str, Any]:
    """The figures that a measuring process of its own prints."""
    run = subprocess.run(
        [sys.executable, "-m", module, str(folder), *(str(number) for number in numbers)],
        cwd=PACKAGE_PARENT, stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    if run.returncode:
        raise Broken(f"{module} ended early; its message stands above")
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def measure_load(folder: Path, markets: int, rate: int, for_ms: int) -> Iterable[Row]:
    """Rows of the share of one core at `rate` messages a second, and of a signal's way under such a load."""
    found = child("hip3.bench.load", folder, markets, rate, for_ms)
    # Never in our favour: more messages than wanted are not scaled down, fewer are scaled up.
    share = found["share"] * max(1.0, rate / found["rate"])
    note = f"measured at {found['rate']:,.0f} messages/s; {found['resident_mb']:.0f} MB"
    yield figure(f"{rate:,} messages/s, {markets} markets", share, "% cpu", at_most(30, "median"), note)


def measure_soak(folder: Path, messages: int, orders: int) -> Iterable[Row]:
    """Resident memory of a service before and after so many messages and orders."""
    found = child("hip3.bench.soak", folder, messages, orders)
    before, after = found["before_mb"], found["after_mb"]
    path = f"memory, {messages:,} messages, {orders:,} orders"
    note = f"{found['ready_mb']:.1f} MB when READY; took {found['seconds']:.0f} s"
    yield Row(
        path=path, measured="ours, at the end", unit="MB", median=after, ratio=after / before, goal=at_most(1.05),
        note=note,
    )  # fmt: skip
    yield Row(path=path, measured="its bounded stores full", unit="MB", median=before)
