"""`hip3.py bench`: every measurement in order, the table or JSON, and whether all goals are met."""

import itertools
import json
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from hip3.bench import (
    durable,
    facts,
    growth,
    inbound,
    others,
    pages,
    process,
    quoting,
    recording,
    replaying,
    replied,
    scaling,
    secure,
    signed,
    wired,
)
from hip3.bench.day import Day
from hip3.bench.rig import Rig, every_gate, exchange
from hip3.bench.rows import Row, table
from hip3.clock import SystemClock
from hip3.errors import Hip3Error
from hip3.ops.progress import steps

FAILED, MISSED = 1, 4
PHASES, TURNS = 9, 3


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured. The defaults take some ten minutes."""

    calls: int = 2000
    frames: int = 10_000
    shots: int = 150
    pages: int = 50
    page_shots: int = 200
    few_markets: int = 10
    many_markets: int = 200
    few_orders: int = 10
    many_orders: int = 1000
    ticks: int = 1000
    quotes: int = 200
    load_markets: int = 100
    load_rate: int = 1000
    busy_rate: int = 500
    load_ms: int = 10_000
    record_ms: int = 2000
    record_rounds: int = 20
    starts: int = 20
    growth_markets: int = 500
    growth_rate: int = 5000
    growth_ms: int = 20_000
    soak_messages: int = 1_000_000
    soak_orders: int = 10_000


WHOLE = Sizes(growth_ms=600_000, record_rounds=60)
"""Of `--all`: by twenty rounds the 99th percentile of a recorded frame moves by three per cent from run to run."""


def measure(folder: Path, sizes: Sizes, tell: Callable[[str], None]) -> Iterable[Row]:
    """All rows; `tell` hears what is under way."""
    tell("signed frames and intents")
    yield from signed.measure(sizes.calls)
    yield from durable.measure(folder, sizes.calls)
    tell("frames in, signals out")
    with (
        exchange(folder, sizes.many_markets) as url,
        Rig(folder / "few", url, sizes.few_markets, **every_gate()) as few,
    ):
        yield from inbound.measure(few, sizes.frames)
        yield from wired.measure_socket(few, sizes.shots, "signal to socket, idle", ratio=wired.IDLE, p99=None)
        yield from replied.measure(few, url, sizes.shots)
        yield from pages.measure(few, sizes.pages, sizes.page_shots)
        tell("more markets, more orders")
        with Rig(folder / "many", url, sizes.many_markets) as many:
            yield from scaling.measure_messages(few, many, sizes.frames)
            yield from scaling.measure_ticks(few, many, sizes.few_orders, sizes.many_orders, sizes.ticks)
    tell("over TLS")
    yield from secure.measure(folder, sizes.shots)
    tell("quotes")
    yield from quoting.measure(folder, sizes.quotes, sizes.frames, sizes.shots)
    tell("a signal among other messages")
    yield from _busy(folder, sizes)
    tell("recording beside trading")
    yield from recording.measure(
        folder, sizes.load_markets, sizes.load_rate, sizes.record_ms, sizes.record_rounds, max(1, sizes.shots // 6)
    )
    tell("processes: start, load, a million messages")
    yield from process.measure_start(folder, sizes.starts)
    yield from process.measure_load(folder, sizes.load_markets, sizes.load_rate, sizes.load_ms)
    yield from process.measure_soak(folder, sizes.soak_messages, sizes.soak_orders)
    tell("growth: many markets, many messages, somebody who looks")
    yield from growth.measure(folder, sizes.growth_markets, sizes.growth_rate, sizes.growth_ms)


def _busy(folder: Path, sizes: Sizes) -> Iterable[Row]:
    speed = sizes.busy_rate / sizes.load_markets
    path = f"signal to socket, {sizes.busy_rate} messages/s"
    with (
        exchange(folder, sizes.load_markets, speed=speed) as url,
        Rig(folder / "busy", url, sizes.load_markets, expires_after_ms=0) as rig,
    ):
        rig.ignore_the_clock()
        yield from wired.measure_socket(rig, sizes.shots, path, ratio=None, p99=wired.LOADED)


Measured = Callable[[Path, Callable[[str], None]], Iterable[Row]]
"""Rows of what is measured in a folder; the second is told what is under way."""


def bench(*, as_json: bool, sizes: Sizes | None = None) -> int:
    """Measure, print, and answer with the exit code."""
    return _bench(lambda folder, tell: measure(folder, sizes or Sizes(), tell), PHASES, as_json=as_json)


def bench_replay(*, as_json: bool, day: Day | None = None, turns: int = TURNS) -> int:
    """The same for the replay beside other engines."""
    day = day or Day()
    return _bench(lambda folder, tell: replaying.measure(folder, day, turns, tell), turns, as_json=as_json)


def bench_all(out: Path, *, sizes: Sizes | None = None, day: Day | None = None, turns: int = TURNS) -> int:
    """Everything, at its whole length, written to a file as well: what documents quote."""

    def both(folder: Path, tell: Callable[[str], None]) -> Iterable[Row]:
        yield from measure(folder, sizes or WHOLE, tell)
        yield from replaying.measure(folder, day or Day(), turns, tell)

    return _bench(both, PHASES + turns, as_json=False, out=out)


def _bench(measured: Measured, phases: int, *, as_json: bool, out: Path | None = None) -> int:
    with tempfile.TemporaryDirectory(prefix="hip3-bench-") as folder:
        try:
            rows, begun, beside = list[Row](), itertools.count(), 0.0
            with steps("bench", phases, SystemClock()) as told:

                def begins(what: str) -> None:
                    nonlocal beside
                    beside = others.share_percent()
                    _tell(what + f" (others have {beside:.0f} % of the machine)" * (beside > others.MOST_PERCENT))
                    told(next(begun), what)

                for found in measured(Path(folder), begins):
                    row = msgspec.structs.replace(found, beside_percent=beside)
                    rows.append(row)
                    _tell(f"  {row.short}")
        except (Hip3Error, TimeoutError) as error:
            print(f"hip3: the benchmark broke off: {str(error) or type(error).__name__}", file=sys.stderr)
            return FAILED
    result = json.dumps({"machine": facts.machine(), "rows": [row.plain() for row in rows]}, indent=1)
    if out is not None:
        out.write_text(result + "\n", encoding="utf-8")
    if as_json:
        print(result)
    else:
        print(table(rows))
    return MISSED if any(row.met is False for row in rows) else 0


def _tell(what: str) -> None:
    print(f"bench: {what}", file=sys.stderr, flush=True)
