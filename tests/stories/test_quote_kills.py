"""kill -9 with quotes live: what an earlier run left is cancelled first, and no key ever has two live orders.

The exchange runs in this process and is asked what it executed: its own record, action by action, is what is judged.
"""

import contextlib
import random
import signal
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hip3.core.orders import PendingOrder, run_of
from hip3.exchange.embedded import drip_request
from hip3.exchange.signing import SigningKey
from hip3.ops.intents import _parse
from hip3.venue.actions import actions
from tests.stories.process import LocalExchange, eventually, local_exchange, service

QUOTING = {
    "HIP3_MARKETS": "xyz:GOLD,xyz:NVDA,xyz:TSLA", "HIP3_QUOTE_MARKETS": "xyz:GOLD,xyz:NVDA",
    "HIP3_QUOTE_WARMUP_S": "2", "HIP3_HARD_STOP_MAX_CONSECUTIVE_LOSSES": "1000", "HIP3_HARD_STOP_MAX_LOSS_USD": "1000",
    "HIP3_MAX_DAILY_LOSS_USD": "0", "HIP3_MAX_HOURLY_DRAWDOWN_USD": "0",
}  # fmt: skip
LANES = 3
"""Accounts that are killed side by side."""


class Executed(NamedTuple):
    """One action: which orders it asked for, and which were live before and after it."""

    placed: tuple[str, ...]
    before: frozenset[str]
    after: frozenset[str]


class Record:
    """What the exchange executed, by account. Written on its own thread."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.of: dict[str, list[Executed]] = {}
        run = actions._run

        def recorded(books: Any, account: Any, action: dict[str, Any], now_ms: int) -> Any:
            before = _live(account)
            answer = run(books, account, action, now_ms)
            placed = tuple(order["c"] for order in action.get("orders", ()) if "c" in order)
            self.of.setdefault(account.address, []).append(Executed(placed, before, _live(account)))
            return answer

        monkeypatch.setattr(actions, "_run", recorded)


def _live(account: Any) -> frozenset[str]:
    return frozenset(order.cloid for order in account.open_orders.values() if order.cloid)


class Lane:
    """One account, killed and started again and again."""

    def __init__(self, at: LocalExchange, record: Record, folder: Path, chance: random.Random, start: str) -> None:
        self._at, self._record, self._folder, self._chance = at, record, folder, chance
        folder.mkdir()
        secret = chance.randbytes(32)
        self.user = SigningKey(secret).address
        at.info(**drip_request(self.user))
        self._settings = QUOTING | {
            "HIP3_API_URL": at.url, "HIP3_QUOTE_START": start, "HIP3_PRIVATE_KEY": "0x" + secret.hex(),
        }  # fmt: skip
        self._adopts = start == "adopt"
        self.quotes: dict[str, PendingOrder] = {}
        self.killed_live = 0
        """Kills at which quotes were live."""

    def go(self, kills: int) -> None:
        """All of it, and an end without a mishap."""
        for _ in range(kills):
            self._run_and_kill()
        with service(self._folder, **self._settings) as run:
            status = run.wait_for(lambda s: s["state"] in ("READY", "HARD_STOP"), 60, "READY after the last kill")
            assert not status["hard_stop"]["tripped"], status["hard_stop"]["reason"]
            assert run.run("stop", "--flatten").returncode == 0, run.stdout + run.stderr[-3000:]
            assert run.wait(60) == 0, run.stdout + run.stderr[-3000:]
        self._learn_keys()
        for dex in ("xyz", "para"):
            assert self._at.info(type="clearinghouseState", user=self.user, dex=dex)["assetPositions"] == []
            assert self._at.info(type="openOrders", user=self.user, dex=dex) == []
        self._judge()

    def _run_and_kill(self) -> None:
        known = {run_of(cloid) for cloid in self.quotes}
        with service(self._folder, **self._settings) as run:
            run.wait_for(lambda s: s["account"], 60, "an answer")
            if self._chance.random() < 0.85:
                eventually(lambda: self._fresh(known), 60, "a quote of this run")
            with contextlib.suppress(subprocess.TimeoutExpired):
                run.process.wait(self._chance.expovariate(1 / 0.4))
            run.process.send_signal(signal.SIGKILL)
            run.wait(5)
        self._learn_keys()
        self.killed_live += bool(self._now())

    def _now(self) -> frozenset[str]:
        done = self._record.of.get(self.user, ())
        return done[-1].after if done else frozenset()

    def _fresh(self, known: set[str]) -> bool:
        return any(run_of(cloid) not in known for cloid in self._now())

    def _learn_keys(self) -> None:
        """From the intents: each is on the disk before its bytes leave."""
        (path,) = (self._folder / "state").glob("embedded-*/intents.log")
        for line in path.read_bytes().splitlines():
            intent = _parse(line)
            orders = () if intent is None else intent.orders
            self.quotes |= {order.cloid: order for order in orders if order.level is not None}

    def _judge(self) -> None:
        for done in self._record.of[self.user]:
            keys = Counter(
                (o.coin, o.side, o.level) for o in (self.quotes.get(cloid) for cloid in done.after) if o is not None
            )
            assert max(keys.values(), default=0) <= 1, (keys, done)
            if self._adopts:
                continue
            for cloid in (c for c in done.placed if c in self.quotes):
                left = [c for c in done.before if c in self.quotes and run_of(c) != run_of(cloid)]
                assert not left, f"{cloid} was placed while {left} of an earlier run were live"


def _story(folder: Path, monkeypatch: pytest.MonkeyPatch, seed: int, kills: int, lanes: int) -> int:
    """How many kills found quotes live."""
    record = Record(monkeypatch)
    with local_exchange(seed, limited=False) as at:
        found = [
            Lane(at, record, folder / str(n), random.Random(f"{seed} {n}"), "adopt" if n % 3 == 2 else "cancel")
            for n in range(lanes)
        ]
        with ThreadPoolExecutor(lanes) as pool:
            list(pool.map(lambda lane: lane.go(kills), found))
        return sum(lane.killed_live for lane in found)


def test_killed_with_quotes_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _story(tmp_path, monkeypatch, 1, 2, 1) > 0


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 12))
def test_killed_often_with_quotes_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    assert _story(tmp_path, monkeypatch, seed, 17, LANES) > 17
