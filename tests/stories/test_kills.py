"""kill -9 at every boundary of an order's life: the next run equals the exchange, doubles nothing, ends flat."""

import contextlib
import json
import random
import signal
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.stories.process import TABLE, Exchange, eventually, exchange, service
from tests.stories.rigged import BOUNDARIES

RIGGED = Path(__file__).with_name("rigged.py")
SETTINGS = {
    "HIP3_TIME_STOP_MS": "1500", "HIP3_MIN_HOLDING_MS": "600000", "HIP3_POST_TIMEOUT_MS": "1000",
    "HIP3_EXPIRES_AFTER_MS": "2000", "HIP3_HARD_STOP_MAX_CONSECUTIVE_LOSSES": "1000",
}  # fmt: skip
"""Every position ends by its time stop, soon; a losing run is not what this is about."""


def _orders(exchange: Exchange, user: str) -> list[dict[str, Any]]:
    return [entry["order"] for entry in exchange.info(type="historicalOrders", user=user)]


def _fills(exchange: Exchange, user: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = exchange.info(type="userFills", user=user)
    return found


def _records(folder: Path, *kinds: str) -> list[dict[str, Any]]:
    (path,) = (folder / "state").glob("*/journal.db")
    with sqlite3.connect(path) as db:
        wanted = ", ".join("?" * len(kinds))
        rows = db.execute(f"SELECT body FROM records WHERE kind IN ({wanted}) ORDER BY id", kinds).fetchall()
    db.close()
    return [json.loads(body) for (body,) in rows]


def _totals(folder: Path) -> dict[str, Any]:
    (path,) = (folder / "state").glob("*/journal.db")
    with sqlite3.connect(path) as db:
        rows = db.execute("SELECT body FROM facts WHERE name = 'totals'").fetchall()
    db.close()
    found: dict[str, Any] = json.loads(rows[0][0]) if rows else {"realized": "0", "fees": "0", "fills": 0}
    return found


def _check(at: Exchange, folder: Path, user: str) -> None:
    """The account by the exchange's own word against the journal of all runs."""
    for dex in ("xyz", "para"):
        # Not at once where reads fail by a fault of the exchange.
        state = eventually(lambda dex=dex: at.info(type="clearinghouseState", user=user, dex=dex), 60, "a state")
        assert state["assetPositions"] == []
        assert at.info(type="openOrders", user=user, dex=dex) == []
    cloids = [o["cloid"] for o in _orders(at, user)]
    assert len(cloids) == len(set(cloids)), "an order was placed twice"
    fills, totals = _fills(at, user), _totals(folder)
    assert Decimal(totals["realized"]) == sum((Decimal(f["closedPnl"]) for f in fills), Decimal(0))
    assert Decimal(totals["fees"]) == sum((Decimal(f["fee"]) for f in fills), Decimal(0))
    assert totals["fills"] == len(fills)
    opened = [f for f in fills if Decimal(f["startPosition"]) == 0]
    orders = [r["order"] for r in _records(folder, "sent")] + [r["event"]["order"] for r in _records(folder, "order")]
    decided = {order["cloid"]: order["created_ms"] for order in orders}
    told: set[int] = set()
    for record in _records(folder, "exit", "fill"):
        if "event" in record:
            told.add(record["event"]["fill"]["tid"])
            continue
        held = record["position"]
        own = [f for f in opened if f["coin"] == held["coin"]]
        # Until a fill tells, a position is as old as its order.
        ages = {f["time"] if f["tid"] in told else decided.get(f["cloid"]) for f in own} | {f["time"] for f in own}
        assert held["entry_ms"] in ages, "a time stop lost its clock"


def _killed(folder: Path, at: Exchange, boundary: str, count: int) -> str:
    """One run that is killed at the boundary; the account it traded for."""
    with service(
        folder, rigged=[sys.executable, str(RIGGED), boundary, str(count)], HIP3_API_URL=at.url, **SETTINGS
    ) as run:
        status = run.wait_for(lambda s: s["state"] == "READY", 30, "READY") if boundary.startswith("stopping") else None
        if status is not None:
            run.wait_for(lambda s: s["positions"], 60, "a position")
            run.run("stop", "--flatten")
        eventually(lambda: run.process.poll() is not None, 90, f"the end at {boundary}")
        assert run.process.returncode == -signal.SIGKILL
        (state,) = (folder / "state").glob("embedded-*")
        prefix = state.name.removeprefix("embedded-")
    assert prefix.startswith("0x")
    return prefix


def _story(folder: Path, boundary: str, count: int, seed: int) -> None:
    with exchange(seed, "--latency", "30") as at:
        prefix = _killed(folder, at, boundary, count)
        with service(folder, *TABLE, HIP3_API_URL=at.url, **SETTINGS) as again:
            status = again.wait_for(lambda s: s["state"] == "READY", 30, "READY after the kill")
            user = status["account"]
            assert user.startswith(prefix)
            again.wait_for(lambda s: s["counters"]["sent"], 60, "an order of the next run")
            assert again.flatten() == 0, again.stderr[-3000:]
        _check(at, folder, user)


GATE = ("after the intent", "after the send", "before a fill", "stopping, exit sent")


@pytest.mark.parametrize("boundary", [b if b in GATE else pytest.param(b, marks=pytest.mark.long) for b in BOUNDARIES])
def test_killed_once_at_each_boundary(tmp_path: Path, boundary: str) -> None:
    _story(tmp_path, boundary, 1, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(200))
def test_killed_at_a_seeded_boundary(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    names = list(BOUNDARIES)
    boundary = names[seed % len(names)]
    count = 1 if boundary.startswith("stopping") else chance.randint(1, 4)
    _story(tmp_path, boundary, count, seed=1 + chance.randrange(50))


# At random instants.

EVERY_WAY = {
    "HIP3_MARKETS": "xyz:GOLD,xyz:NVDA", "HIP3_MIN_EDGE_BPS": "0", "HIP3_SLIPPAGE_BPS": "0", "HIP3_MAX_DAILY_LOSS_USD": "0",
    "HIP3_MIN_ORACLE_MOVES": "1", "HIP3_MIN_ORACLE_CHANGE_BPS": "0", "HIP3_HARD_STOP_MAX_LOSS_USD": "1000",
}  # fmt: skip


def _faults(chance: random.Random, path: Path) -> Path:
    """A minute of bad luck: messages lost, late and doubled, sockets that break, reads that fail."""
    kinds = [
        ("lose", "post", 1500), ("lose", "orderUpdates", 3000), ("lose", "userFills", 3000), ("delay", "post", 2000),
        ("duplicate", "orderUpdates", 3000), ("cut", "post", 0), ("silence", "*", 2000), ("refuse", "*", 1500),
        ("http", "clearinghouseState", 2000), ("http", "orderStatus", 3000), ("http", "order", 1500),
    ]  # fmt: skip
    lines = []
    for _ in range(20):
        kind, on, for_ms = chance.choice(kinds)
        lines += ["[[faults]]", f'kind = "{kind}"', f'on = "{on}"', f"at_ms = {chance.randrange(60_000)}"]
        lines += [f"for_ms = {for_ms}"] if for_ms else ["times = 1"]
        lines += ["ms = 1200"] if kind == "delay" else ["status = 502"] if kind == "http" else []
    path.write_text("\n".join(lines) + "\n")
    return path


def _killed_at_random(folder: Path, kills: int, seed: int) -> None:
    """One account, killed and started again and again; then nothing goes wrong any more, and it is stopped."""
    chance = random.Random(seed)
    faults = _faults(chance, folder / "faults.toml")
    with exchange(seed, "--no-limits", "--latency", "30", "--faults", str(faults)) as at:
        for _ in range(kills):
            with service(folder, HIP3_API_URL=at.url, **SETTINGS | EVERY_WAY) as run:
                if chance.random() < 0.7:
                    run.wait_for(lambda s: s["state"] == "READY", 60, "READY")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    run.process.wait(chance.expovariate(1 / 0.7))
                run.process.send_signal(signal.SIGKILL)
                run.wait(5)
        requests.post(at.url + "/control", json={"clear": True}, timeout=5).raise_for_status()
        with service(folder, HIP3_API_URL=at.url, **SETTINGS | EVERY_WAY) as run:
            status = run.wait_for(lambda s: s["state"] in ("READY", "HARD_STOP"), 60, "READY after the last kill")
            assert not status["hard_stop"]["tripped"], status["hard_stop"]["reason"]
            assert run.run("stop", "--flatten").returncode == 0, run.stdout + run.stderr[-3000:]
            assert run.wait(60) == 0, run.stdout + run.stderr[-3000:]
        _check(at, folder, status["account"])


def test_killed_at_random_instants(tmp_path: Path) -> None:
    _killed_at_random(tmp_path, 10, 1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 102))
def test_killed_twenty_times_at_random_instants(tmp_path: Path, seed: int) -> None:
    _killed_at_random(tmp_path, 20, seed)
