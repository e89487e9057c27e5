"""What the service costs while messages arrive at a fixed rate: its processor time.

Run as a process of its own (`python -m hip3.bench.load FOLDER MARKETS RATE MILLISECONDS`), so that its processor
time is the service's. The exchange runs its clock faster, until its markets speak as often as wanted.
"""

import json
import os
import sys
from pathlib import Path

from hip3.bench.process import cpu_s, resident_mb
from hip3.bench.rig import Rig, exchange, pause
from hip3.bench.stats import now_ns
from hip3.core.events import Event
from hip3.exchange.protocol import Session

MARGINS_S = 120.0


class Counting:
    """Counts the frames of one rig."""

    def __init__(self, rig: Rig) -> None:
        self.frames = 0
        flow = rig.trading.flow
        on_event = flow.on_event

        def counted(session: Session, event: Event, now_ms: int) -> None:
            self.frames += 1
            on_event(session, event, now_ms)

        flow.on_event = counted  # type: ignore[method-assign]


def run(folder: Path, markets: int, rate: int, for_ms: int) -> dict[str, float]:
    """Share of one core in percent, messages a second, resident memory."""
    with (
        exchange(folder, markets, speed=rate / markets) as url,
        Rig(folder / "load", url, markets, expires_after_ms=0) as rig,
    ):
        count = Counting(rig)
        rig.wait(lambda: not rig.trading.blocked, "the margins of all markets: they are set one by one", MARGINS_S)
        used, heard, began = cpu_s(os.getpid()), count.frames, now_ns()
        pause(for_ms / 1000)
        passed = (now_ns() - began) / 1e9
        return {
            "share": (cpu_s(os.getpid()) - used) / passed * 100,
            "rate": (count.frames - heard) / passed,
            "resident_mb": resident_mb(os.getpid()),
        }


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), *(int(number) for number in sys.argv[2:5]))))
