"""An hour of quoting in the calibrated market, in simulated time: what a maker makes by how late his actions arrive.

`python -m tests.sessions.maker SEEDS MINUTES [FILE]` prints the table of docs/quoting.md; hours that stand in FILE already
are not quoted again, so it may be interrupted: three markets are quoted by the default
ladder, over the production core and the exchange's core, for each latency from the same seeds. The address may send more
than a fresh one, since what is asked is the market's answer and not the budget's.
"""

import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import msgspec
from loguru import logger

from hip3.core.money import ZERO
from tests.world import World

LATENCIES_MS = (100, 400, 750, 1500)
QUOTED = ("xyz:GOLD", "xyz:NVDA", "xyz:TSLA")
VOLUME = Decimal(1_000_000)
STEP_MS = 50
SECONDS = (1, 5, 30)
JOBS = 2


class Hour(NamedTuple):
    """One seed at one latency. Money in USD, distances in basis points, the mean of the markets that have them; shares of
    the time allowed. None: no market has it."""

    latency_ms: int
    fills: int
    volume: Decimal
    captured: Decimal | None
    markouts: tuple[Decimal | None, ...]
    net: Decimal
    """Results and fees, what was held in the end sold."""
    uptime: Decimal | None
    worst: Decimal
    """The largest inventory in one market."""


def hour(latency_ms: int, seed: int, minutes: int) -> Hour:
    """Quote for so long, then leave."""
    logger.remove()
    with tempfile.TemporaryDirectory() as folder:
        world = World(
            Path(folder), seed=seed, market_profile="calibrated", latency_ms=latency_ms, markets=",".join(QUOTED),
            quote_markets=",".join(QUOTED), max_notional_total=Decimal(1000), max_concurrent_positions=10,
            hard_stop_max_loss_usd=Decimal(1000), hard_stop_max_slippage_bps=Decimal(10_000),
        )  # fmt: skip
        account = world.venue.engine.account(world.user)
        assert account is not None
        account.credited += VOLUME
        worst = ZERO
        for _ in range(minutes * 60):
            world.run(1000, STEP_MS)
            held = world.exchange_positions()
            marks = {coin: world.venue.engine.markets[coin].mark for coin in held}
            worst = max([worst, *(abs(szi) * marks[coin] for coin, szi in held.items())])
        world.flatten(60_000)
        markets = [m.figures for m in world.trading.quotes.markets.values()]
        realized, fees, _, _ = world.trading.tracker.totals()
        return Hour(
            latency_ms=latency_ms, fills=sum(m.counts["fills"] for m in markets),
            volume=sum((Decimal(str(f["px"])) * Decimal(str(f["sz"])) for f in account.fills), ZERO),
            captured=_mean([m.captured_bps for m in markets]),
            markouts=tuple(_mean([m.markout_bps[s] for m in markets]) for s in SECONDS),
            net=Decimal(realized) - Decimal(fees), uptime=_mean([m.uptime for m in markets]), worst=worst,
        )  # fmt: skip


def _mean(values: list[Decimal | None]) -> Decimal | None:
    known = [v for v in values if v is not None]
    return sum(known, ZERO) / len(known) if known else None


def _cell(values: list[Decimal | None], form: str) -> str:
    """The mean of the hours that know it."""
    mean = _mean(values)
    return "?" if mean is None else format(mean, form)


def _row(found: list[Hour]) -> str:
    """The means of all seeds, and the spread of what was left."""

    nets = [h.net for h in found]
    volume = sum((h.volume for h in found), ZERO)
    cells = [
        f"{found[0].latency_ms / 1000:g} s", f"{sum(h.fills for h in found) / len(found):.1f}",
        _cell([h.captured for h in found], ".2f"),
        *(_cell([h.markouts[n] for h in found], ".2f") for n in range(len(SECONDS))),
        f"{sum(nets, ZERO) / len(found):.3f}", f"{sum(nets, ZERO) / volume * 10_000:.2f}" if volume else "",
        f"{sum(1 for n in nets if n < 0)}", _cell([h.uptime for h in found], ".0%"), f"{max(h.worst for h in found):.0f}",
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def _known(kept: Path | None) -> dict[tuple[int, int, int], Hour]:
    """(latency, seed, minutes) -> the hour, of a file that may end in the middle of a line."""
    found = {}
    for line in kept.read_bytes().splitlines() if kept is not None and kept.exists() else []:
        with suppress(msgspec.DecodeError):
            key, quoted = msgspec.json.decode(line, type=tuple[tuple[int, int, int], Hour])
            found[key] = quoted
    return found


def table(seeds: int, minutes: int, kept: Path | None = None) -> None:
    """All rows."""
    known = _known(kept)
    print(
        "| latency | fills an hour | captured, bps | after 1 s | 5 s | 30 s | net, USD | net, bps | losing | up | worst, USD |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    with ProcessPoolExecutor(JOBS) as pool:
        for latency in LATENCIES_MS:
            wanted = [(latency, seed, minutes) for seed in range(1, seeds + 1)]
            jobs = {pool.submit(hour, *key): key for key in wanted if key not in known}
            for job in as_completed(jobs):
                known[jobs[job]] = job.result()
                if kept is not None:
                    with kept.open("ab") as file:
                        file.write(msgspec.json.encode((jobs[job], job.result())) + b"\n")
            print(_row([known[key] for key in wanted]), flush=True)


if __name__ == "__main__":
    table(int(sys.argv[1]), int(sys.argv[2]), *map(Path, sys.argv[3:4]))
