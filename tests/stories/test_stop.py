"""`stop`, in its modes, against an exchange that does as it is asked and one that refuses."""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from hip3.risk.hard_stop import read_latch
from tests.stories.process import LocalExchange, Service, eventually, local_exchange, service
from tests.stories.rigged import MARKETS

HOLD = [sys.executable, str(Path(__file__).with_name("rigged.py")), "hold", "-"]
QUIET = {"HIP3_MIN_EDGE_BPS": "5000", "HIP3_MIN_HOLDING_MS": "600000", "HIP3_TIME_STOP_MS": "600000",
         "HIP3_MARKETS": ",".join(MARKETS), "HIP3_PROTECTIVE_STOP_BPS": "0"}  # fmt: skip


def _open(at: LocalExchange, user: str) -> tuple[list[Any], list[Any]]:
    state = at.info(type="clearinghouseState", user=user, dex="xyz")
    return state["assetPositions"], at.info(type="openOrders", user=user, dex="xyz")


def _holding(run: Service, at: LocalExchange) -> str:
    """The account, once three positions and five resting orders are there."""
    user = run.wait_for(lambda s: s["state"] == "READY", 30, "READY")["account"]
    eventually(lambda: tuple(map(len, _open(at, user))) == (3, 5), 20, "three positions and five orders")
    return str(user)


def test_stop_flatten_ends_flat_with_0_and_proves_it(tmp_path: Path) -> None:
    with local_exchange() as at, service(tmp_path, rigged=HOLD, HIP3_API_URL=at.url, **QUIET) as run:
        user = _holding(run, at)
        stopped = run.run("stop", "--flatten")
        assert (stopped.returncode, run.wait(5)) == (0, 0), stopped.stderr + run.stderr[-2000:]
        assert "flat, no open orders, 0 unknown" in stopped.stdout
        assert _open(at, user) == ([], [])
        assert run.run("run", "--supervised").returncode == 0  # the mark stands: it does not start
        assert run.run("stop").returncode == 3


def test_stop_cancel_leaves_the_positions_and_no_entry(tmp_path: Path) -> None:
    protected = QUIET | {"HIP3_PROTECTIVE_STOP_BPS": "300"}
    with local_exchange() as at, service(tmp_path, rigged=HOLD, HIP3_API_URL=at.url, **protected) as run:
        user = run.wait_for(lambda s: s["state"] == "READY", 30, "READY")["account"]
        eventually(lambda: tuple(map(len, _open(at, user))) == (3, 8), 20, "positions, entries and their stops")
        stopped = run.run("stop", "--cancel")
        assert stopped.returncode == 0, stopped.stderr
        positions, orders = _open(at, user)
        assert len(positions) == 3
        assert [o["reduceOnly"] for o in orders] == [True] * 3  # the stops stay
        assert "positions " in stopped.stdout


def test_stop_leave_touches_nothing(tmp_path: Path) -> None:
    with local_exchange() as at, service(tmp_path, rigged=HOLD, HIP3_API_URL=at.url, **QUIET) as run:
        user = _holding(run, at)
        assert run.run("stop", "--leave").returncode == 0
        assert tuple(map(len, _open(at, user))) == (3, 5)


def test_an_exchange_that_refuses_leaves_8_and_the_names_of_what_is_open(tmp_path: Path) -> None:
    with local_exchange() as at, service(tmp_path, rigged=HOLD, HIP3_API_URL=at.url, **QUIET) as run:
        user = _holding(run, at)

        def halt(venue: Any, now_ms: int) -> None:
            for coin in MARKETS[:3]:
                venue.engine.markets[coin].halted = True

        at.do(halt)
        stopped = run.run("stop", "--flatten", "--timeout", "4")
        assert (stopped.returncode, run.wait(5)) == (8, 8), stopped.stdout + stopped.stderr
        for coin in MARKETS[:3]:
            assert coin in stopped.stdout
        assert len(_open(at, user)[0]) == 3


def test_a_machine_that_stood_still_connects_anew_and_goes_on(tmp_path: Path) -> None:
    with local_exchange() as at, service(tmp_path, HIP3_API_URL=at.url) as run:
        run.wait_for(lambda s: s["state"] == "READY" and s["ws"]["generation"] == 1, 30, "READY")
        run.process.send_signal(signal.SIGSTOP)
        threading.Event().wait(4.0)  # the length of the outage is the story
        run.process.send_signal(signal.SIGCONT)
        run.wait_for(lambda s: s["state"] == "READY" and s["ws"]["generation"] >= 2, 30, "READY on a new connection")
        assert run.terminate() == 0


def test_a_trading_thread_that_hangs_stops_entries(tmp_path: Path) -> None:
    rigged = [*HOLD[:2], "hang", "tick"]
    with local_exchange() as at, service(tmp_path, rigged=rigged, HIP3_API_URL=at.url) as run:
        status = run.wait_for(lambda s: any("thread tick" in r for r in s["reasons"]), 60, "the reason")
        assert status["state"] == "NOT_READY"
        assert not status["hard_stop"]["tripped"]


@pytest.mark.long
def test_a_trading_thread_that_hangs_for_long_ends_the_process_without_a_latch(tmp_path: Path) -> None:
    rigged = [*HOLD[:2], "hang", "tick"]
    with local_exchange() as at, service(tmp_path, rigged=rigged, HIP3_API_URL=at.url) as run:
        assert run.wait(90) == 1
        assert "thread tick has not moved" in run.stderr
        (latch,) = (tmp_path / "state").glob("*/latch.json")
        assert not read_latch(latch).tripped


def test_a_full_disk_keeps_entries_away_and_lets_exits_go(tmp_path: Path) -> None:
    rigged = [*HOLD[:2], "full disk", "-"]
    settings = {"HIP3_TIME_STOP_MS": "1000", "HIP3_MIN_HOLDING_MS": "600000"}
    with local_exchange() as at, service(tmp_path, rigged=rigged, HIP3_API_URL=at.url, **settings) as run:
        eventually((tmp_path / "full").exists, 60, "an exit on a full disk")
        status = run.wait_for(lambda s: "cannot be written" in "; ".join(s["reasons"]), 10, "the reason")
        eventually(lambda: _open(at, status["account"])[0] == [], 10, "flat, disk or no disk")
        sent = status["counters"]["queued"]
        eventually((tmp_path / "freed").exists, 10, "room on the disk")
        run.wait_for(lambda s: s["state"] == "READY" and s["counters"]["queued"] > sent, 60, "entries again")
        assert run.run("stop", "--flatten").returncode == 0


@pytest.mark.parametrize("damage", ["deleted", "truncated"])
def test_a_journal_that_is_gone_or_damaged_is_rebuilt_from_the_exchange(tmp_path: Path, damage: str) -> None:
    # Few markets: two whole starts within a minute must not use up the exchange's request weight.
    settings = {"HIP3_TIME_STOP_MS": "3000", "HIP3_MIN_HOLDING_MS": "600000", "HIP3_MARKETS": ",".join(MARKETS)}
    with local_exchange() as at:
        with service(tmp_path, HIP3_API_URL=at.url, **settings) as run:
            user = run.wait_for(lambda s: s["positions"] and s["pnl"]["fees_usd"] != "0", 60, "a position")["account"]
            os.kill(run.process.pid, signal.SIGKILL)
        (journal,) = (tmp_path / "state").glob("*/journal.db")
        for part in journal.parent.glob("journal.db*"):
            if damage == "deleted":
                part.unlink()
            else:
                part.write_bytes(part.read_bytes()[: part.stat().st_size // 2 // 512 * 512 + 100])
        with service(tmp_path, HIP3_API_URL=at.url, **settings) as again:
            again.wait_for(lambda s: s["state"] in ("READY", "REDUCING"), 30, "a start")
            assert again.run("resume").returncode == 0  # what today has come to was in the journal
            status = again.wait_for(lambda s: s["state"] == "READY", 30, "READY")
            fills = at.info(type="userFills", user=user)
            assert status["account"] == user
            assert float(status["pnl"]["fees_usd"]) > 0  # from the exchange's fills
            assert len(fills) >= 1
            assert again.run("stop", "--flatten").returncode == 0
        assert _open(at, user) == ([], [])


def test_a_stop_during_a_start_proves_what_an_earlier_run_left_or_says_8(tmp_path: Path) -> None:
    key = {"HIP3_PRIVATE_KEY": "0x" + "11" * 32, "HIP3_MARKETS": "xyz:GOLD", "HIP3_HTTP_PORT": "0"}
    with service(tmp_path, HIP3_API_URL="http://127.0.0.1:9", **key) as run:
        run.wait_for(lambda s: "does not answer" in "; ".join(s["reasons"]), 20, "the reason")
        stopped = run.run("stop", "--flatten", "--timeout", "3")
        assert (stopped.returncode, run.wait(10)) == (8, 8), stopped.stderr
        assert "not proved" in stopped.stdout
