"""What recording costs the service that trades: frames and signals with it and without, in turns in one process.

Run as a process of its own (`python -m hip3.bench.recording FOLDER MARKETS RATE WINDOW_MS ROUNDS SHOTS`), so that its
processor time is the service's. The recorder is that of `HIP3_RECORD`; without it means that nothing is shown to it.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from hip3.bench.load import MARGINS_S
from hip3.bench.process import child, threads_s
from hip3.bench.quiet import probe_us
from hip3.bench.rig import Broken, Rig, exchange, pause
from hip3.bench.rows import Goal, Row, at_most, figure
from hip3.bench.stats import Samples, now_ns
from hip3.bench.wired import BETWEEN_S
from hip3.core.events import Event
from hip3.core.ports import Tap
from hip3.exchange.protocol import Session
from hip3.record.recorder import Recorder

T = TypeVar("T")
MORE, SHARE = at_most(1.05), at_most(1, "median")
PROBE_MS, ALONE_MS = 25, 3000
SETTLED_S = 1.2
"""By then the recorder has written all that it was shown."""
OF_A_MARKET = 1.25
"""Frames of one market in a second of the exchange's time."""


class Switch:
    """Shows a rig's frames to its recorder, or not, and times each frame from the socket to the end of its decision."""

    def __init__(self, rig: Rig) -> None:
        connection, recorder = rig.running.connection, rig.running.recorder
        if connection is None or recorder is None or connection._ws is None:
            raise Broken("nothing is recorded")
        self.recorder: Recorder = recorder
        self._rig, self._connection = rig, connection
        self.us: list[float] = []
        self.heard = 0
        """Frames that were shown to the recorder."""
        self._came = 0
        self._recording = True
        ws, on_event = connection._ws, rig.trading.flow.on_event
        recv_data = ws.recv_data

        def came() -> tuple[int, bytes]:
            found = recv_data()
            self._came = now_ns()
            self.heard += self._recording
            return found

        def decided(session: Session, event: Event, now_ms: int) -> None:
            on_event(session, event, now_ms)
            self.us.append((now_ns() - self._came) / 1000)

        ws.recv_data = came  # type: ignore[method-assign]
        rig.trading.flow.on_event = decided  # type: ignore[method-assign]

    def set(self, *, recording: bool) -> None:
        """From the next frame on."""
        tap: Tap | None = self.recorder if recording else None

        def swap(session: Session) -> None:
            self._connection._tap = self._rig.running.writer.tap = tap
            self._recording = recording

        self._rig.on_reader(swap)

    @property
    def thread(self) -> int:
        """The recorder's thread, by the system's number."""
        found = self._rig.running.workers["recorder"]._thread.native_id
        assert found is not None
        return found


class Costs:
    """Shares of a core: the recorder's thread over the whole of a measurement, the others in its windows."""

    def __init__(self, recorder: int) -> None:
        self._recorder = recorder
        self._others, self.passed = {"on": 0.0, "off": 0.0}, {"on": 0.0, "off": 0.0}
        self._own, self._since, self._on_s = self._own_s(), now_ns(), 0.0

    def _own_s(self) -> float:
        return threads_s(os.getpid())[self._recorder]

    def window(self, name: str, pass_it: Callable[[], T]) -> T:
        """Let a window pass."""
        began, before = now_ns(), threads_s(os.getpid())
        found = pass_it()
        cost = {thread: s - before.get(thread, 0.0) for thread, s in threads_s(os.getpid()).items()}
        self.passed[name] += (now_ns() - began) / 1e9
        self._others[name] += sum(s for thread, s in cost.items() if thread != self._recorder)
        return found

    def was_on(self, seconds: float) -> None:
        """For so long frames were shown to it."""
        self._on_s += seconds

    def percent(self, idle: float) -> float:
        """What recording costs. `idle`: the share that the recorder's thread takes while nothing is shown to it. Work
        that a window leaves to it counts, whenever it is done."""
        off_s = (now_ns() - self._since) / 1e9 - self._on_s
        own = (self._own_s() - self._own - idle * off_s) / self._on_s
        others = self._others["on"] / self.passed["on"] - self._others["off"] / self.passed["off"]
        return 100 * (own + others)


def run(folder: Path, markets: int, rate: int, window_ms: int, rounds: int, shots: int) -> dict[str, Any]:
    """Figures of both, by "on" and "off"."""
    alone = sorted(_probes(ALONE_MS))  # before anything of ours runs
    with (
        exchange(folder, markets, speed=rate / (markets * OF_A_MARKET)) as url,
        Rig(folder / "rig", url, markets, expires_after_ms=0, record=str(folder / "recorded")) as rig,
    ):
        rig.ignore_the_clock()
        rig.wait(lambda: not rig.trading.blocked, "the margins of all markets: they are set one by one", MARGINS_S)
        switch = Switch(rig)
        idle = _idle(switch, window_ms)
        us, sent = {"on": list[float](), "off": list[float]()}, {"on": list[float](), "off": list[float]()}
        probes = {"on": list[float](), "off": list[float]()}
        costs = Costs(switch.thread)
        for turn in range(2 * rounds):
            name = "on" if turn % 2 else "off"
            switch.set(recording=name == "on")
            began = now_ns()
            pause(SETTLED_S)
            switch.us = []
            probes[name] += costs.window(name, partial(_probes, window_ms))
            us[name] += switch.us
            sent[name] += _shots(rig, shots, turn)
            if name == "on":
                costs.was_on((now_ns() - began) / 1e9)
        switch.set(recording=False)
        pause(SETTLED_S)
        share = costs.percent(idle)
        switch.set(recording=True)
        frames = {name: Samples.of(us[name]) for name in us}
        return {
            "frame_median": {n: s.median for n, s in frames.items()},
            "frame_p99": {n: s.p99 for n, s in frames.items()},
            "sent_median": {n: Samples.of(us).median for n, us in sent.items()}, "share": share,
            # By the windows without recording: what that costs is not to make it cheaper.
            "slowed": max(1.0, sum(probes["off"]) / len(probes["off"]) / alone[len(alone) // 20]),
            "lost": switch.recorder.lost, "heard": switch.heard, "rate": len(us["on"]) / costs.passed["on"],
        }  # fmt: skip


def _idle(switch: Switch, window_ms: int) -> float:
    """The share of a core that the recorder's thread takes while nothing is shown to it."""
    switch.set(recording=False)
    pause(SETTLED_S)
    before, began = threads_s(os.getpid())[switch.thread], now_ns()
    pause(2 * window_ms / 1000)
    return (threads_s(os.getpid())[switch.thread] - before) * 1e9 / (now_ns() - began)


def _probes(for_ms: int) -> list[float]:
    """Microseconds of the fixed work, now and then while time passes."""
    found = []
    for _ in range(max(1, for_ms // PROBE_MS)):
        pause(PROBE_MS / 1000)
        found.append(probe_us())
    return found


def _shots(rig: Rig, count: int, turn: int) -> list[float]:
    out = []
    for n in range(turn * count, (turn + 1) * count):
        pause(BETWEEN_S)
        hit = rig.shoot(rig.coins[n % len(rig.coins)], n)
        out.append((hit.sent - hit.signalled) / 1000)
    return out


def measure(
    folder: Path, markets: int, rate: int, window_ms: int, rounds: int, shots: int,
    ask: Callable[..., dict[str, Any]] = child,
) -> Iterable[Row]:  # fmt: skip
    """Rows of what is dearer with recording than without."""
    found = ask("hip3.bench.recording", folder, markets, rate, window_ms, rounds, shots)
    path = f"{rate:,} frames/s recorded, {markets} markets"
    note = f"{found['heard']:,} frames shown to it, {found['rate']:,.0f} a second"
    yield _beside(f"{path}: frame in, p99", found["frame_p99"], MORE)
    yield _beside(f"{path}: frame in", found["frame_median"], None)
    yield _beside(f"{path}: signal to socket", found["sent_median"], MORE)
    slowed = f"{found['share']:.2f} % as measured; a fixed work took {found['slowed']:.2f} times what it took alone"
    yield figure(f"{path}: processor", max(0.0, found["share"] / found["slowed"]), "% cpu", SHARE, slowed)
    yield figure(f"{path}: lost", found["lost"], "lines", at_most(0, "median"), note)


def _beside(path: str, of: dict[str, float], goal: Goal | None) -> Row:
    return Row(
        path=path, measured="recording, beside not", median=of["on"], ratio=of["on"] / of["off"], goal=goal,
        note=f"{of['off']:,.1f} us without",
    )  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), *(int(number) for number in sys.argv[2:7]))))
