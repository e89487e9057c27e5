"""`cancel-all` and `flatten` against real processes: while the service runs, and after `kill -9`."""

import json
import os
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

from hip3.exchange.embedded import key_number_one
from hip3.exchange.signing import SigningKey
from hip3.risk.hard_stop import HardStopLatch
from tests.stories.process import LocalExchange, Service, eventually, local_exchange, service
from tests.stories.rigged import MARKETS
from tests.stories.test_stop import HOLD, QUIET

KEY = SigningKey(key_number_one(1))


def _open(at: LocalExchange) -> tuple[set[str], list[Any]]:
    states = [at.info(type="clearinghouseState", user=KEY.address, dex=dex) for dex in ("xyz", "para")]
    orders = [o for dex in ("xyz", "para") for o in at.info(type="openOrders", user=KEY.address, dex=dex)]
    return {p["position"]["coin"] for s in states for p in s["assetPositions"]}, orders


def _foreign(at: LocalExchange, coin: str = "xyz:AMZN") -> int:
    """A buy by hand, far below the market, in a market that is not configured; its order id."""
    names = [m["name"] for m in at.info(type="meta", dex="xyz")["universe"]]
    px = at.do(lambda venue, now_ms: (venue.engine.markets[coin].oracle * Decimal("0.9")).quantize(Decimal(1)))
    wish = {"a": 110_000 + names.index(coin), "b": True, "p": str(px), "s": "0.2", "r": False,
            "t": {"limit": {"tif": "Gtc"}}}  # fmt: skip
    nonce = at.do(lambda venue, now_ms: now_ms)
    answer = at.sign(KEY, {"type": "order", "orders": [wish], "grouping": "na"}, nonce)
    return int(answer["data"]["statuses"][0]["resting"]["oid"])


def _hold(run: Service, at: LocalExchange) -> None:
    run.wait_for(lambda s: s["state"] == "READY", 30, "READY")
    eventually(lambda: (len(_open(at)[0]), len(_open(at)[1])) == (3, 5), 20, "three positions and five orders")


def test_both_act_through_the_running_service_and_by_hand_after_kill_9(tmp_path: Path) -> None:
    alone = QUIET | {"HIP3_DEX": "xyz,para"}
    with local_exchange() as at, service(tmp_path, rigged=HOLD, HIP3_API_URL=at.url, **alone) as run:
        _hold(run, at)
        foreign = _foreign(at)
        cancelled = run.run("cancel-all")
        assert cancelled.returncode == 0, cancelled.stdout + cancelled.stderr
        assert str(foreign) in cancelled.stdout.splitlines()[0]
        held, orders = _open(at)
        assert (len(held), orders) == (3, [])
        assert "no open orders" in cancelled.stdout.splitlines()[1]

        one = run.run("flatten", MARKETS[0])
        assert one.returncode == 0, one.stdout + one.stderr
        assert _open(at)[0] == set(MARKETS[1:3])
        assert run.run("flatten", "xyz:NOTHING").returncode == 2
        assert run.process.poll() is None

        second = _foreign(at)
        os.kill(run.process.pid, signal.SIGKILL)
        run.process.wait(5)
        (folder,) = (p.parent for p in (tmp_path / "state").glob("*/intents.log"))
        HardStopLatch(folder / "latch.json").trip("manual", "by the test", 1)
        floor = _nonces(folder)[-1]
        dead = run.run("cancel-all")
        assert dead.returncode == 0, dead.stdout + dead.stderr
        assert str(second) in dead.stdout.splitlines()[0]
        assert _open(at)[1] == []
        dead = run.run("flatten")
        assert dead.returncode == 0, dead.stdout + dead.stderr
        assert "flat, no open orders, 0 unknown" in dead.stdout
        assert _open(at) == (set(), [])
        later = [n for n in _nonces(folder) if n > floor]
        assert len(later) >= 2

        with service(
            tmp_path / "again", HIP3_API_URL=at.url, HIP3_STATE_DIR=str(tmp_path / "state"), **alone
        ) as next_run:
            status = next_run.wait_for(
                lambda s: s["ws"]["connected"] and not s["orders"]["unknown"], 30, "a connection"
            )
            assert status["state"] == "HARD_STOP"  # a tripped latch stays tripped
            assert set(MARKETS) <= set(status["closed_ms"])


def _nonces(folder: Path) -> list[int]:
    lines = (folder / "intents.log").read_bytes().splitlines()
    return sorted(json.loads(line.rpartition(b" ")[0]).get("nonce", 0) for line in lines)


def test_without_anything_to_act_on_they_say_so(tmp_path: Path) -> None:
    with service(tmp_path, HIP3_API_URL="http://127.0.0.1:9", HIP3_EXCHANGE_SEED="1") as run:
        run.wait_for(lambda s: "does not answer" in " ".join(s["reasons"]), 15, "the reason")
        assert run.run("cancel-all", "--timeout", "1").returncode == 5  # the start is not finished
        assert run.terminate(5) == 0
        assert run.run("flatten", "--timeout", "1").returncode == 5  # no service, and no exchange
        run.env["HIP3_MODE"] = "observe"
        assert run.run("flatten").returncode == 2
        del run.env["HIP3_MODE"], run.env["HIP3_API_URL"]
        assert run.run("cancel-all").returncode == 3  # its own exchange ended with it
