"""What recording costs the service that trades: frames and signals with it and without, in turns in one process.

Run as a process of its own (`python -m hip3.bench.recording FOLDER MARKETS RATE WINDOW_MS ROUNDS SHOTS`), so that its
processor time is the service's. The recorder is that of `HIP3_RECORD`; without it means that nothing is shown to it.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from hip3.bench.load import MARGINS_S
from hip3.bench.process import child, threads_s
from hip3.bench.rig import Broken, Rig, exchange, pause
from hip3.bench.rows import Goal, Row, at_most, figure
from hip3.bench.stats import Samples, now_ns
from hip3.bench.wired import BETWEEN_S
from hip3.core.events import Event
from hip3.core.ports import Tap
from hip3.exchange.protocol import Session
from hip3.record.recorder import Recorder

MORE, SHARE = at_most(1.05), at_most(1, "median")
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


def run(folder: Path, markets: int, rate: int, window_ms: int, rounds: int, shots: int) -> dict[str, Any]:
    """Figures of both, by "on" and "off"."""
    with (
        exchange(folder, markets, speed=rate / (markets * OF_A_MARKET)) as url,
        Rig(folder / "rig", url, markets, expires_after_ms=0, record=str(folder / "recorded")) as rig,
    ):
        rig.ignore_the_clock()
        rig.wait(lambda: not rig.trading.blocked, "the margins of all markets: they are set one by one", MARGINS_S)
        switch = Switch(rig)
        us: dict[str, list[float]] = {"on": [], "off": []}
        sent: dict[str, list[float]] = {"on": [], "off": []}
        spent, passed, idle = {"on": 0.0, "off": 0.0}, {"on": 0.0, "off": 0.0}, 0.0
        for turn in range(2 * rounds):
            name = "on" if turn % 2 else "off"
            switch.set(recording=name == "on")
            switch.us.clear()
            began, before = now_ns(), threads_s(os.getpid())
            pause(window_ms / 1000)
            us[name] += switch.us
            cost = {thread: s - before.get(thread, 0.0) for thread, s in threads_s(os.getpid()).items()}
            passed[name] += (now_ns() - began) / 1e9
            spent[name] += sum(cost.values())
            idle += cost[switch.thread] if name == "off" else 0.0
            sent[name] += _shots(rig, shots, turn)
        switch.set(recording=True)
        more = spent["on"] / passed["on"] - (spent["off"] - idle) / passed["off"]
        frames = {name: Samples.of(us[name]) for name in us}
        signals = {name: Samples.of(sent[name]) for name in sent}
        return {
            "frame_median": {n: s.median for n, s in frames.items()},
            "frame_p99": {n: s.p99 for n, s in frames.items()},
            "sent_median": {n: s.median for n, s in signals.items()}, "share": more * 100,
            "rate": len(us["on"]) / passed["on"], "lost": switch.recorder.lost, "heard": switch.heard,
        }  # fmt: skip


def _shots(rig: Rig, count: int, turn: int) -> list[float]:
    out = []
    for n in range(count):
        pause(BETWEEN_S)
        hit = rig.shoot(rig.coins[(turn * count + n) % len(rig.coins)], turn * count + n)
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
    yield figure(f"{path}: processor", max(0.0, found["share"]), "% cpu", SHARE)
    yield figure(f"{path}: lost", found["lost"], "lines", at_most(0, "median"), note)


def _beside(path: str, of: dict[str, float], goal: Goal | None) -> Row:
    return Row(
        path=path, measured="recording, beside not", median=of["on"], ratio=of["on"] / of["off"], goal=goal,
        note=f"{of['off']:,.1f} us without",
    )  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), *(int(number) for number in sys.argv[2:7]))))
