"""Paper with real processes: an exchange, the service, its mirror, and a proxy that counts what goes upstream."""

import contextlib
import gzip
import json
import os
import sqlite3
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import requests

from hip3.exchange.embedded import key_number_one
from hip3.exchange.signing import SigningKey, sign_l1_action
from hip3.exchange.wire_out import signed_body
from hip3.record.verify import verify
from hip3.venue.state_file import StateFile
from tests.imports import samples
from tests.stories.counting import Counting
from tests.stories.process import ROOT, TABLE, TESTER, Exchange, command, exchange, few_markets, service

PAPER = {
    "HIP3_NETWORK": "mainnet", "HIP3_MODE": "paper", "HIP3_MARKETS": "xyz:GOLD,xyz:TSLA,xyz:SILVER",
    "HIP3_MIN_EDGE_BPS": "0", "HIP3_SLIPPAGE_BPS": "0", "HIP3_TIME_STOP_MS": "8000", "HIP3_MIN_ORACLE_CHANGE_BPS": "1",
    "HIP3_ORACLE_MOVE_BPS": "1", "HIP3_MIN_BOOK_NOTIONAL": "0", "HIP3_HARD_STOP_MAX_CONSECUTIVE_LOSSES": "1000",
}  # fmt: skip
ALLOWED = {
    *(f"ws {w} {k}" for w in ("subscribe", "unsubscribe") for k in ("bbo", "activeAssetCtx", "trades")), "ws ping None",
    *(f"/info {k}" for k in ("perpDexs", "meta", "metaAndAssetCtxs", "perpsAtOpenInterestCap", "exchangeStatus", "l2Book")),
    "/info allMids",
}  # fmt: skip


def test_a_key_in_the_environment_ends_the_start_with_exit_2(tmp_path: Path) -> None:
    """evidence.md 8.2, case 18."""
    with service(tmp_path, **PAPER, HIP3_PRIVATE_KEY="0x" + "1" * 64) as run:
        assert run.wait(20) == 2
        assert run.stderr.splitlines() == ["hip3: paper needs no key: remove HIP3_PRIVATE_KEY, or use HIP3_MODE=trade"]


def test_an_upstream_that_is_away_is_waited_for(tmp_path: Path) -> None:
    """The service is NOT_READY and tries again, as with a real network; it ends in order."""
    with service(tmp_path, **PAPER, HIP3_API_URL="http://127.0.0.1:9") as run:
        status = run.wait_for(lambda s: any("does not answer" in r for r in s["reasons"]), 30, "a reason")
        assert (status["state"], status["network"], status["mode"]) == ("NOT_READY", "paper on mainnet", "paper")
        assert run.terminate(15) == 0


def _live_fills(journal: Path) -> list[tuple[Any, ...]]:
    """What trading did: a stop, which here comes by the clock of who watches, is no part of a recording."""
    with contextlib.closing(sqlite3.connect(journal)) as db:
        rows = db.execute("SELECT kind, body FROM records WHERE kind IN ('fill', 'exit') ORDER BY id").fetchall()
    told = [(kind, json.loads(body)) for kind, body in rows]
    stops = {b["order"]["cloid"] for kind, b in told if kind == "exit" and b["order"]["exit_reason"] == "stop"}
    fills = [b["event"]["fill"] for kind, b in told if kind == "fill" and b["event"]["fill"]["cloid"] not in stops]
    return [(f["coin"], f["side"], float(f["px"]), float(f["sz"]), f["time_ms"], float(f["fee"])) for f in fills]


@pytest.mark.long
def test_a_minute_of_paper_is_the_replay_of_its_recording(tmp_path: Path) -> None:
    """evidence.md 8.2, cases 17 and 18 with processes: the same fills to the millisecond; the account goes on after."""
    with exchange(3) as at, contextlib.closing(Counting(at.url)) as proxy:
        settings = PAPER | {"HIP3_API_URL": proxy.url}
        with service(tmp_path, "--duration", "60", **settings) as run:
            run.wait_for(lambda s: s["counters"]["filled"] > 3, 60, "fills")
            assert run.run("status").stdout.startswith("READY  paper on mainnet, up")
            assert run.wait(60) == 0
            found = verify(tmp_path / "recordings")  # of this run alone: between two runs there is a gap
            assert (found.faults, found.lost) == ([], 0)
            seen = run.run("check")
            assert seen.returncode == 0, seen.stdout
        said = at.info(type="embeddedExchange")["signed"]
        assert sum(said.values()) == 0
        assert proxy.kinds <= ALLOWED
        _, account = _state(tmp_path)
        with service(tmp_path, *TABLE, **settings | {"HIP3_MIN_EDGE_BPS": "5000"}) as run:
            run.wait_for(lambda s: s["state"] == "READY", 60, "READY")
            assert run.flatten() == 0
        assert _state(tmp_path)[1] == account
    journal = next((tmp_path / "state").glob("paper-mainnet-0x*/journal.db"))
    live = _live_fills(journal)
    first = sorted((tmp_path / "recordings").rglob("*.zst"))[0]
    replay = [*command("replay", str(first)), "--report", str(tmp_path / "rep")]
    env = run.env | PAPER
    done = subprocess.run(
        [*replay, "--against", str(journal)],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    report = json.loads((tmp_path / "rep" / "report.json").read_text())
    again = [
        (t["coin"], t["side"], float(t["px"]), float(t["sz"]), t["time"], float(t["fee"])) for t in report["trades"]
    ]
    ended = live[-1][4]
    assert [fill for fill in again if fill[4] <= ended] == live
    assert done.returncode == 0, done.stdout[-500:] + done.stderr
    assert report["against"]["missing"] == []


def _state(folder: Path) -> tuple[int, dict[str, Any]]:
    """(seed, money and fills of the accounts) of a mirror's file."""
    kept = json.loads((folder / "state" / "paper-mainnet.exchange.json").read_text())
    users = {a: v for a, v in kept["accounts"].items() if not v["agent"]}
    return kept["seed"], {a: (v["pools"], v["fills"], v["fees"]) for a, v in users.items()}


@pytest.mark.long
def test_a_start_waits_for_the_mirror_of_before_to_end(tmp_path: Path) -> None:
    """Its file has one owner at a time; who comes next tries again instead of giving up."""
    (tmp_path / "state").mkdir()
    held = StateFile(tmp_path / "state" / "paper-mainnet.exchange.json")
    with exchange(3) as at, service(tmp_path, **PAPER, HIP3_API_URL=at.url) as run:
        run.wait_for(lambda s: any("in use" in r for r in s["reasons"]), 30, "a reason")
        held._lock.close()
        run.wait_for(lambda s: s["state"] == "READY", 60, "READY")
        assert run.terminate(15) == 0


def test_a_journal_of_paper_is_not_taken_for_a_live_one(tmp_path: Path) -> None:
    from hip3.errors import ConfigError
    from hip3.replay.checks import live_rows

    rows = [(1, "start", '{"mode": "paper", "version": "1"}')]
    with pytest.raises(ConfigError, match="paper"):
        live_rows(tmp_path, rows)
    assert live_rows(tmp_path, rows, paper=True) == rows


def _printed(section: str) -> list[str]:
    """The commands of one section of docs/evidence.md."""
    text = (ROOT / "docs" / "evidence.md").read_text().split(f"## {section}\n", 1)[1].split("\n## ")[0]
    return [line for line in text.split("```sh\n", 1)[1].split("```")[0].splitlines() if line]


def _typed(line: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    hip3 = " ".join(command())
    env = {k: v for k, v in os.environ.items() if not k.startswith("HIP3_")} | {"HIP3_HTTP_PORT": "0"} | more
    line = line.replace("./run.sh", hip3).replace("--duration 3600", "--duration 30")
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.long
def test_the_commands_of_the_page_do_what_it_says(tmp_path: Path) -> None:
    """issue K, 7: those of Import and of Paper; mainnet is an embedded exchange here, and an hour 30 seconds."""
    (tmp_path / "xyz_GOLD.gz").write_bytes(samples.hftbacktest())
    for name, body in samples.tardis_csv().items():
        (tmp_path / f"{name}.csv.gz").write_bytes(gzip.compress(body))
    for line in ("import hftbacktest xyz_GOLD.gz --out raw", "record convert raw --out tables"):  # as Record prints it
        assert _typed(f"./run.sh {line}", tmp_path).returncode == 0
    told = [_typed(line, tmp_path) for line in _printed("Import")]
    assert [t.returncode for t in told] == [0] * 5, [t.stderr for t in told]
    assert "xyz:GOLD" in told[3].stdout
    with exchange(3) as at:
        run, replayed = [_typed(line, tmp_path, HIP3_API_URL=at.url) for line in _printed("Paper")]
    assert (run.returncode, replayed.returncode) == (0, 0), run.stderr + replayed.stdout + replayed.stderr
    assert replayed.stdout.splitlines()[-1].startswith("result ")


DAY_S, SPEED = 86_400, 288
FEW = ("xyz:GOLD", "xyz:TSLA")
"""So many markets as two cores can make of a day within five minutes, at their own cadence; slower ones take longer."""


@pytest.mark.long
def test_in_a_day_of_paper_nothing_but_streams_and_public_reads_goes_upstream(tmp_path: Path) -> None:
    """issue K, 6: 24 hours of the exchange's time, orders all the while, the connection cut now and then; at a proxy."""
    (tmp_path / "few.toml").write_text(few_markets(FEW))
    fast = ("--speed", str(SPEED), "--no-limits")
    with exchange(3, "--config", str(tmp_path / "few.toml"), *fast) as real:
        with contextlib.closing(Counting(real.url)) as proxy, exchange(4, "--mirror", proxy.url, *fast) as mirror:
            sent = _trade_for(mirror, proxy, DAY_S)
            signed = real.info(type="embeddedExchange")["signed"]
            state = mirror.info(type="userFills", user=KEY.address)
            said = proxy.said
            kinds = Counter(f"{path} {body.get('method', body.get('type'))}" for path, body in said)
            print(f"{DAY_S} s of exchange time: {sent} orders, {len(state)} fills, upstream was told {dict(kinds)}")
            assert sum(signed.values()) == 0
            assert proxy.kinds <= ALLOWED
            assert KEY.address not in str(said)
    assert sent > 500
    assert len(state) > 100


KEY = SigningKey(key_number_one(4))


def _trade_for(mirror: Exchange, proxy: Counting, seconds: int) -> int:
    """Buy and sell by turns until so much of the exchange's time has passed; how many orders were answered."""
    universe = [m["name"] for m in mirror.info(type="meta", dex="xyz")["universe"]]
    asset, begin, sent = 110_000 + universe.index("xyz:GOLD"), mirror.info(type="exchangeStatus")["time"], 0
    nonce = begin  # rises, as every client's does; at this speed a mirror's clock is put right by minutes, back as well
    while (now := mirror.info(type="exchangeStatus")["time"]) < begin + seconds * 1000:
        order = {"a": asset, "b": sent % 2 == 0, "p": "5000" if sent % 2 == 0 else "3000", "s": "0.01", "r": False}
        action = {"type": "order", "orders": [order | {"t": {"limit": {"tif": "Ioc"}}}], "grouping": "na"}
        nonce = max(now, nonce + 1)
        body = signed_body(action, nonce, sign_l1_action(KEY, action, nonce, mainnet=False))
        answer = requests.post(mirror.url + "/exchange", json=body, headers=TESTER, timeout=30).json()
        assert answer["status"] == "ok", answer
        sent += 1
        if sent % 200 == 0:
            proxy.cut()
    return sent
