"""Replay: the recorded session happens again to the last digit, and what was changed in the recording is noticed."""

import copy
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from hip3.record.folder import segments
from hip3.record.lines import Record
from hip3.record.segment import SegmentReader, SegmentWriter
from hip3.replay.checks import noise_after
from hip3.venue.market.filling import Fills, offered, parse_fills
from hip3.venue.market.queueing import Queue
from hip3.venue.market.tape import Side, Trade, coin_of
from tests.replay.session import Session, account_of, again, recorded, sent_of
from tests.stories.process import ROOT

D = Decimal


def test_a_recorded_session_happens_again_to_the_last_digit(tmp_path: Path) -> None:
    """evidence.md 8.1.2, taking: orders, fills, fees, balance."""
    session = recorded(tmp_path, 6, 1.2)
    account, _, sent = again(session, tmp_path / "again")
    assert account == account_of(session.venue, session.user)
    assert len(account["fills"]) > 10
    assert sent == sent_of(session.records)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_ten_sessions_happen_again_to_the_last_digit(tmp_path: Path, seed: int) -> None:
    """evidence.md 8.1.2, ten seeds of ten minutes."""
    session = recorded(tmp_path, seed, 10)
    account, _, sent = again(session, tmp_path / "again", until_ms=session.stopping_ms)
    assert (account, sent) == session.at_the_stop
    assert len(account["fills"]) > 50


def test_the_same_replay_has_the_same_hash_and_a_changed_frame_another(tmp_path: Path) -> None:
    """evidence.md 8.2, cases 12 and 13: a frame delivered early, or one changed byte, is noticed."""
    session = recorded(tmp_path, 5, 1)
    hashes = [again(session, tmp_path / str(n), own=False)[1] for n in range(2)]
    assert hashes[0] == hashes[1]
    frames = [
        r for p in segments(session.recording) for r in _records(p) if b'"activeAssetCtx"' in r.data and r.d == "in"
    ]
    victim = frames[len(frames) // 2]

    def early(r: Record) -> Record:
        return Record(r.n, r.t, r.m - 900_000_000, r.c, r.d, r.f, r.x) if r.n == victim.n else r

    def altered(r: Record) -> Record:
        data = bytes(r.f).replace(b'"oraclePx":"', b'"oraclePx": "')  # one byte, which changes no number
        return Record(r.n, r.t, r.m, r.c, r.d, msgspec.Raw(data), r.x) if r.n == victim.n else r

    for number, change in enumerate((early, altered)):
        assert again(session, tmp_path / f"changed{number}", own=False, change=change)[1] != hashes[0]


def test_another_future_changes_what_comes_after_it_and_nothing_before(tmp_path: Path) -> None:
    """evidence.md 8.1.3: what `--lookahead` relies on."""
    session = recorded(tmp_path, 5, 1)
    sent = again(session, tmp_path / "one", own=False)[2]
    turn_ms = sent[len(sent) // 2][1][2] + 1
    other = again(session, tmp_path / "other", own=False, change=noise_after(turn_ms * 1_000_000))[2]
    before = [order for order in sent if order[1][2] < turn_ms]
    assert 3 < len(before) < len(sent)
    assert [order for order in other if order[1][2] < turn_ms] == before
    assert other != sent


def _records(path: Path) -> list[Record]:
    from hip3.record.lines import decode_line

    return [decode_line(line) for line in SegmentReader(path).lines()]


@pytest.mark.long
def test_the_command_says_the_same_hash_under_another_order_of_hashing(tmp_path: Path) -> None:
    """evidence.md 8.1.13: PYTHONHASHSEED; the files that it writes; a recording too coarse is exit 4 (case 8)."""
    session = recorded(tmp_path, 6, 1)
    out = [_command(tmp_path, session, str(n), "--report", str(tmp_path / f"r{n}")) for n in (1, 2)]
    assert [o.returncode for o in out] == [0, 0], out[0].stderr
    lines = [o.stdout.splitlines()[-1] for o in out]
    assert lines[0] == lines[1]
    assert lines[0].startswith("result ")
    report = json.loads((tmp_path / "r1" / "report.json").read_text())
    for key in ("signals", "orders", "fills", "round_trips", "net_usd", "fees_usd", "funding_usd"):
        assert isinstance(report[key], int | str), key
    assert D(report["split"]["net_usd"]) == D(report["net_usd"]), "the journal and the exchange's books say the same"
    assert len(report["trips"]) == report["round_trips"] > 0
    page = (tmp_path / "r1" / "report.html").read_text()
    assert "<h1>Replay</h1>" in page  # what it asks for, or not, a browser sees: tests/report/test_in_a_browser.py
    alone = _command(tmp_path, session, "1", "--report", str(tmp_path / "r3"), lab=False)
    assert (alone.returncode, alone.stdout.splitlines()[-1]) == (0, lines[0]), (
        "case 30: replay works without the packages"
    )
    assert "pip install -r requirements-lab.txt" in alone.stderr
    assert [p.name for p in sorted((tmp_path / "r3").iterdir())] == ["journal.db", "report.json"]
    assert (tmp_path / "r1" / "journal.db").exists()
    assert _command(tmp_path, session, "1", "--fills", "share:2").returncode == 2
    nowhere = tmp_path / "nowhere.db"
    (tmp_path / "text.db").write_text("no database\n")
    for against in (nowhere, tmp_path / "text.db"):
        refused = _command(tmp_path, session, "1", "--against", str(against))
        assert (refused.returncode, "cannot be read as a journal" in refused.stderr) == (2, True), refused.stderr
    assert not nowhere.exists()
    damaged = copy.copy(session)
    damaged.recording = tmp_path / "damaged"
    shutil.copytree(session.recording, damaged.recording)
    (path,) = segments(damaged.recording)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4] = b"\0\0\0\0"
    path.write_bytes(bytes(data))
    told = _command(tmp_path, damaged, "1")
    assert (told.returncode, "cannot be read" in told.stdout) == (4, True), told.stdout
    _thinned(session.recording, 12)
    coarse = _command(tmp_path, session, "1")
    assert (coarse.returncode, "too coarse" in coarse.stderr) == (4, True)


def test_a_replay_that_observes_ends_with_what_it_saw(tmp_path: Path) -> None:
    """As `run` does in that mode."""
    session = recorded(tmp_path, 8, 1)
    out = _command(tmp_path, session, "1", "--set", "MODE=observe", "--report", str(tmp_path / "seen"), lab=False)
    assert out.returncode == 0, out.stderr
    (seen,) = [line for line in out.stdout.splitlines() if line.startswith("observed ")]
    episodes = json.loads((tmp_path / "seen" / "report.json").read_text())["observed"]["all"]["episodes"]
    assert episodes > 0
    assert f" {episodes} episodes over" in seen


@pytest.mark.long
def test_every_live_signal_comes_again_and_no_decision_knows_the_future(tmp_path: Path) -> None:
    """evidence.md 8.2, case 32 and 8.1.3: `--against`, `--lookahead`; a journal with a signal of its own is exit 4."""
    session = recorded(tmp_path, 8, 1)
    journal = str(session.journal)
    out = _command(
        tmp_path, session, "1", "--against", journal, "--lookahead", "--json", "--own", "--latency", "fixed:20"
    )
    assert out.returncode == 0, out.stdout[-300:] + out.stderr
    report = json.loads(out.stdout.splitlines()[0])
    assert report["against"]["matched"] == report["against"]["live_signals"] > 0
    assert report["lookahead"]["cuts"] > 3
    with sqlite3.connect(journal) as db:
        db.execute("UPDATE records SET body = replace(body, '\"oracle\":\"', '\"oracle\":\"9') WHERE kind = 'signal'")
    db.close()
    assert _command(tmp_path, session, "1", "--against", journal).returncode == 4


def _command(
    tmp: Path, session: Session, hashseed: str, *args: str, lab: bool = True
) -> "subprocess.CompletedProcess[str]":
    """`lab`: whether the packages for pictures are there."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("HIP3_")}
    env |= {k: v for k, v in session.env.items() if "DIR" not in k and k != "HIP3_RECORD"} | {
        "PYTHONHASHSEED": hashseed
    }
    if not lab:
        hidden = tmp / "hidden"
        hidden.mkdir(exist_ok=True)
        (hidden / "jinja2.py").write_text("raise ImportError('not here')")
        env["PYTHONPATH"] = str(hidden)
    return subprocess.run(
        [sys.executable, str(ROOT / "hip3.py"), "replay", str(session.recording), *args],
        cwd=tmp, env=env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def _thinned(folder: Path, seconds: int) -> None:
    """Contexts but every so many seconds: each market has one a second."""
    (path,) = segments(folder)
    seen = Counter[str]()
    kept = []
    for r in _records(path):
        if b'"channel":"activeAssetCtx"' in r.data:
            seen[coin_of(r.data)] += 1
            if seen[coin_of(r.data)] % seconds:
                continue
        kept.append(r)
    lines = [line for line in SegmentReader(path).lines() if json.loads(line)["n"] in {r.n for r in kept}]
    path.unlink()
    writer = SegmentWriter(path)
    for r, line in zip(kept, lines, strict=True):
        writer.append(line + b"\n", r.n, r.t, r.m, r.d)
    writer.close()


def test_a_quote_that_was_repriced_in_our_block(tmp_path: Path) -> None:
    """evidence.md 8.2, case 14, and 8.1.8: pessimistic none, optimistic all, a share its part of what was traded."""
    before, after = Side(D(100), D(10)), Side(D("100.5"), D(4))
    traded = [Trade(5, D(100), D(6), sold=False)]

    def got(model: str, left: Side | None) -> list[Side]:
        return offered(parse_fills(model), before, left, traded, is_ask=True, sz_decimals=2)

    assert got("pessimistic", after) == [Side(D("100.5"), D(4))]  # the limit decides: none at 100
    assert got("optimistic", after) == [before]
    assert got("share:0.5", after) == [Side(D(100), D(3)), Side(D("100.5"), D(4))]
    sizes = [got(m, Side(D(100), D(4))) for m in ("pessimistic", "share:0.2", "share:0.8", "optimistic")]
    assert [s.sz for found in sizes for s in found] == [D(4), D("5.2"), D("8.8"), D(10)]


def test_a_resting_order_waits_for_what_stands_before_it() -> None:
    queue = Queue(D(100), is_buy=True, front=D(5))
    assert queue.traded(Trade(1, D(100), D(3), sold=True), D(2)) == 0
    queue.shown(Side(D(100), D(9)))  # more came behind us
    assert queue.traded(Trade(2, D(100), D(3), sold=True), D(2)) == D(1)
    assert queue.traded(Trade(3, D(100), D(3), sold=False), D(2)) == 0
    assert queue.traded(Trade(4, D(99), D(3), sold=True), D(1)) == D(1)


def test_optimism_never_fills_less(tmp_path: Path) -> None:
    """evidence.md 8.1.8 over a whole session: fewer fills, or smaller ones, for who loses every race."""
    session = recorded(tmp_path, 7, 1)
    sizes = []
    for model in ("pessimistic", "optimistic"):
        account, _, _ = again(session, tmp_path / model, own=False, fills=model)
        first = [f for f in account["fills"] if f["startPosition"] == "0.0"][:1]
        sizes.append(D(first[0]["sz"]) if first else D(0))
    assert Fills().text == "pessimistic"
    assert 0 < sizes[0] <= sizes[1]
