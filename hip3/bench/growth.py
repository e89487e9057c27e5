"""Five hundred markets at five thousand messages a second for ten minutes, while somebody looks.

Run as a process of its own (`python -m hip3.bench.growth FOLDER MARKETS RATE MILLISECONDS`), so that its processor time
is the service's; the messages come through `hip3.bench.flood`. Each second its status, its metrics and its page are
asked for, and a signal is shot. Two streams of each market are more than the thousand subscriptions that the exchange
grants an address, so the embedded one counts none here.
"""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import requests

from hip3.bench.load import MARGINS_S, Counting
from hip3.bench.process import child, cpu_s, resident_mb
from hip3.bench.rig import Rig, exchange, pause
from hip3.bench.rows import Row, at_most, figure, ours
from hip3.bench.secure import relayed
from hip3.bench.stats import Samples, now_ns

ASKED = ("/status", "/metrics", "/")
PORT = 18_730
"""Or the next one that is free."""
SETTLED = 5
"""The first part of so many in which caches and bounded stores fill: memory is judged from its end on."""


def run(folder: Path, markets: int, rate: int, for_ms: int) -> dict[str, object]:
    """Share of one core in percent, messages a second, memory, and each signal's microseconds to the socket."""
    added = str(max(0, rate - markets))  # the exchange's own clock makes about one a second of each
    with (
        exchange(folder, markets, limits=False) as url, relayed(url, "hip3.bench.flood", added) as relay,
        Rig(folder / "growth", url, markets, http_port=PORT, ws_url=f"ws://{relay}/ws") as rig,
    ):  # fmt: skip
        count = Counting(rig)
        rig.wait(lambda: not rig.trading.blocked, "the margins of all markets: they are set one by one", MARGINS_S)
        page = rig.running.page.rstrip("/")
        used, heard, began = cpu_s(os.getpid()), count.frames, now_ns()
        sent, settled, n = list[float](), 0.0, 0
        while (passed := (now_ns() - began) / 1e6) < for_ms:
            for path in ASKED:
                requests.get(page + path, timeout=10).raise_for_status()
            hit = rig.shoot(rig.coins[n % markets], n)
            sent.append((hit.sent - hit.signalled) / 1000)
            n += 1
            settled = settled or (resident_mb(os.getpid()) if passed > for_ms / SETTLED else 0.0)
            pause(max(0.0, n - (now_ns() - began) / 1e9))
        passed_s = (now_ns() - began) / 1e9
        return {
            "share": (cpu_s(os.getpid()) - used) / passed_s * 100, "rate": (count.frames - heard) / passed_s,
            "settled_mb": settled, "ended_mb": resident_mb(os.getpid()), "sent_us": sent, "seconds": passed_s,
        }  # fmt: skip


def measure(folder: Path, markets: int, rate: int, for_ms: int) -> Iterable[Row]:
    """The rows."""
    found = child("hip3.bench.growth", folder, markets, rate, for_ms)
    path = f"{rate:,} messages/s, {markets} markets"
    share = found["share"] * max(1.0, rate / found["rate"])
    note = (
        f"at {found['rate']:,.0f} messages/s for {found['seconds']:.0f} s; status, metrics and page asked each second"
    )
    yield figure(path, share, "% cpu", at_most(60, "median"), note)
    yield ours(f"{path}: signal to socket", Samples.of(found["sent_us"]), at_most(10_000, "p99"))
    ratio = found["ended_mb"] / found["settled_mb"]
    yield Row(path=f"{path}: memory", measured="ours, at the end", unit="MB", median=found["ended_mb"], ratio=ratio,
              goal=at_most(1.05))  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), *(int(number) for number in sys.argv[2:5]))))
