"""Hours of trading in simulated time, in a process of its own: `python -m tests.sessions.day HOURS SEED FOLDER [quotes]`.

The production core with its journal and intent log on disk, the exchange's core beside it, a cut every few
minutes, and some restarts before the warm-up is over: a restart within a process leaves holes in its memory that a
new process would not have. Prints one JSON object: totals by our journal and by the exchange, and the resident
memory after the warm-up and at the end. With `quotes` five markets are quoted, and it also says what that took of the
budget of actions, and for how long each stance lasted at most.
"""

import json
import os
import random
import sqlite3
import sys
from collections import deque
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

from loguru import logger

from hip3.venue.books import candles as venue_candles
from hip3.venue.engine import state as venue_state
from tests.world import World

MINUTE_MS = 60_000
STEP_MS = 50
WARM_UP_MINUTES = 120
"""By then everything that is bounded has reached its bound; of a shorter run four fifths."""
RESTARTS = (2, 5, 8)


QUOTED = ("xyz:GOLD", "xyz:NVDA", "xyz:TSLA", "xyz:AAPL", "xyz:MSFT")
TAKEN = ("xyz:SILVER", "para:AVGO")
"""Beside those that are quoted."""
QUOTES: dict[str, Any] = {
    "quote_markets": ",".join(QUOTED), "markets": ",".join((*QUOTED, *TAKEN)),
    "max_notional_per_market": Decimal(100), "max_notional_total": Decimal(1000),
    "max_concurrent_positions": 20, "quote_min_half_bps": Decimal(2), "quote_min_edge_bps": Decimal(1),
    "quote_vol_factor": Decimal(0),
}  # fmt: skip


class Stances:
    """For how long each lasted at most, in minutes; the look is once a minute."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._now: dict[str, tuple[str, int]] = {}
        self.most: dict[str, int] = {}
        self.reasons: dict[str, tuple[str, ...]] = {}
        self.quoted: set[str] = set()

    def look(self) -> None:
        for coin, market in self._world.trading.quotes.markets.items():
            word = market.stance.value
            self.quoted |= {coin} if word == "QUOTING" else set()
            before, minutes = self._now.get(coin, ("", 0))
            minutes = minutes + 1 if word == before else 1
            self._now[coin] = (word, minutes)
            if minutes > self.most.get(word, 0):
                self.most[word], self.reasons[word] = minutes, market.reasons


class Ledger:
    """The exchange's own fills, summed as they come: its lists are cut off."""

    def __init__(self, world: World) -> None:
        account = world.venue.engine.account(world.user)
        assert account is not None
        account.fills = deque(maxlen=500)
        self._account = account
        self._last: set[tuple[str, int, int]] = set()
        self.realized = self.fees = Decimal(0)
        self.fills = 0

    def read(self) -> None:
        seen = set()
        for fill in self._account.fills:
            key = (str(fill["coin"]), int(str(fill["time"])), int(str(fill["tid"])))
            seen.add(key)
            if key not in self._last:
                self.realized += Decimal(str(fill["closedPnl"]))
                self.fees += Decimal(str(fill["fee"]))
                self.fills += 1
        self._last = seen


def resident_kb() -> int:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def journal_totals(path: Path) -> dict[str, str]:
    """Sums over the fill records of the journal."""
    with sqlite3.connect(path) as db:
        bodies = [json.loads(b) for (b,) in db.execute("SELECT body FROM records WHERE kind = 'fill'")]
        (orders,) = db.execute("SELECT count(*) FROM records WHERE kind = 'sent'").fetchone()
    db.close()
    fills = {(f["coin"], f["time_ms"], f["tid"]): f for f in (b["event"]["fill"] for b in bodies)}
    return {
        "realized": str(sum((Decimal(f["closed_pnl"]) for f in fills.values()), Decimal(0))),
        "fees": str(sum((Decimal(f["fee"]) for f in fills.values()), Decimal(0))),
        "fills": str(len(bodies)),
        "orders": str(orders),
    }


def day(minutes: int, seed: int, folder: Path, *, quotes: bool = False) -> dict[str, Any]:
    """Trade for so long; what became of it."""
    logger.remove()
    # The exchange lives in this process, too: what it keeps for its other clients must not grow beside us.
    patch.object(venue_state, "MAX_HISTORY", 200).start()  # refuses a name that is not there
    patch.object(venue_candles, "KEPT", 3).start()
    limits = {"hard_stop_max_loss_usd": Decimal(10_000), "hard_stop_max_consecutive_losses": 10_000,
              "hard_stop_max_rejects_per_hour": 100_000, "hard_stop_max_slippage_bps": Decimal(10_000)}  # fmt: skip
    world = World(folder, seed=seed, on_disk=True, all_move=not quotes, **limits, **(QUOTES if quotes else {}))
    ledger, chance, stances = Ledger(world), random.Random(seed), Stances(world)
    warm = 0
    cuts = restarts = 0
    for minute in range(minutes):
        world.run(MINUTE_MS, STEP_MS)
        ledger.read()
        stances.look()
        world.sender.sent.clear()
        world.rest.asked.clear()
        world.rest.signed.clear()
        if chance.random() < 0.3:
            world.cut()
            world.run(chance.randrange(0, 20_000, STEP_MS), STEP_MS)
            world.connect()
            cuts += 1
        if minute in RESTARTS:
            world.restart()
            restarts += 1
        if minute + 1 == min(WARM_UP_MINUTES, minutes * 4 // 5):
            warm = resident_kb()
    flat = world.flatten(60_000)
    world.run(3000)
    ledger.read()
    end = resident_kb()
    world.trading.exiting.keep_now()
    world.journal.drain(0)
    world.journal.close()
    account = world.venue.engine.account(world.user)
    assert account is not None
    realized, fees, fills, trips = world.trading.tracker.totals()
    return {
        "flat": flat, "positions": {c: str(s) for c, s in world.exchange_positions().items()},
        "unknown": len(world.trading.tracker.live()), "cuts": cuts, "restarts": restarts, "round_trips": trips,
        "exchange": {"realized": str(ledger.realized), "fees": str(ledger.fees), "fills": str(ledger.fills)},
        "tracker": {"realized": str(realized), "fees": str(fees), "fills": str(fills)},
        "journal": journal_totals(folder / "journal.db"), "latch": world.latch.state().reason,
        "resident_kb": [warm, end], "actions": [account.actions_used, account.action_cap],
        "longest": stances.most, "why": stances.reasons, "quoted": sorted(stances.quoted),
        "quote_fills": sum(m.figures.counts["fills"] for m in world.trading.quotes.markets.values()),
    }  # fmt: skip


if __name__ == "__main__":
    print(
        json.dumps(
            day(int(float(sys.argv[1]) * 60), int(sys.argv[2]), Path(sys.argv[3]), quotes=sys.argv[4:] == ["quotes"])
        )
    )
