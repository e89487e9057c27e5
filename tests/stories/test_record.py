"""Recording for real: the command and the running service, over loopback; killed, filled up, asked twice."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from hip3.record.folder import read, segments
from hip3.record.lines import Record
from hip3.record.verify import verify
from tests.stories.process import PAUSE, TABLE, command, eventually, exchange, service


def _environment(folder: Path, **more: str) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("HIP3_")}
    return clean | {"HIP3_STATE_DIR": str(folder / "state"), "HIP3_LOG_DIR": str(folder / "logs")} | more


class Recording:
    """`hip3.py record` as a process."""

    def __init__(self, folder: Path, url: str, *args: str) -> None:
        self.folder, self.env = folder, _environment(folder, HIP3_API_URL=url)
        self.process = subprocess.Popen(
            command("record", "--out", str(folder / "rec"), *args),
            cwd=folder, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def bytes(self) -> int:
        return sum(p.stat().st_size for p in (self.folder / "rec").rglob("*.zst"))

    def run(self, *args: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command(*args), cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=30, check=False
        )

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def test_the_command_records_every_stream_and_ends_at_a_signal_with_a_table(tmp_path: Path) -> None:
    """evidence.md 1.5; a second writer exits 6, verify and stat read what there is, a changed byte is exit 4."""
    with exchange() as at:
        _record_and_read(tmp_path, at.url)


def _record_and_read(tmp_path: Path, url: str) -> None:
    rec = Recording(tmp_path, url, "--markets", "xyz:GOLD,xyz:TSLA", "--trades", "--depth")
    try:
        eventually(lambda: rec.bytes() > 4000, 20, "a recording that grows")
        again = rec.run("record", "--out", str(tmp_path / "rec"), "--duration", "1")
        assert again.returncode == 6, again.stderr
        rec.process.send_signal(signal.SIGTERM)
        out, _ = rec.process.communicate(timeout=5)
        assert rec.process.returncode == 0
        assert "lost       0" in out
    finally:
        rec.kill()
    found = verify(tmp_path / "rec")
    assert (found.faults, found.lost) == ([], 0)
    stat = rec.run("record", "stat", str(tmp_path / "rec"))
    assert stat.returncode == 0
    for stream in ("bbo", "activeAssetCtx", "l2Book", "meta", "out"):
        assert f"\n{stream} " in stat.stdout, stream
    assert rec.run("record", "verify", str(tmp_path / "rec")).returncode == 0
    path = segments(tmp_path / "rec")[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert rec.run("record", "verify", str(tmp_path / "rec")).returncode == 4
    assert rec.run("record", "verify", str(tmp_path / "none")).returncode == 2
    assert rec.run("record", "--markets", "xyz:NONE").returncode == 4


def test_the_running_service_records_what_it_hears_and_no_secret(tmp_path: Path) -> None:
    """evidence.md 8.2, cases 1 and 6: nothing lost, every touch that the service heard, no signature and no key."""
    with exchange() as at, service(
        tmp_path, *TABLE, HIP3_API_URL=at.url, HIP3_NETWORK="embedded", HIP3_RECORD=str(tmp_path / "rec"),
        HIP3_MIN_EDGE_BPS="0", HIP3_SLIPPAGE_BPS="0", HIP3_TIME_STOP_MS="2000",
    ) as running:  # fmt: skip
        status = running.wait_for(lambda s: s["recording"] and s["recording"]["frames"] > 50, 20, "frames on disk")
        assert status["recording"]["lost"] == 0
        running.wait_for(lambda s: s["counters"]["filled"] >= 1, 60, "a fill")
        assert running.flatten() == 0
    found = verify(tmp_path / "rec")
    assert (found.faults, found.lost) == ([], 0)
    kinds = {r.d for r in read(tmp_path / "rec")}
    assert {"in", "out", "meta", "gap"} <= kinds
    posts = [r.value["post"] for r in read(tmp_path / "rec") if r.d == "out" and b'"post"' in r.data]
    assert posts, "it traded"
    raw = b"".join(r.data for r in read(tmp_path / "rec") if r.d == "out")
    assert b"signature" not in raw
    assert b'"r":"0x' not in raw


@pytest.mark.long
def test_a_recorder_that_is_killed_loses_at_most_a_second(tmp_path: Path) -> None:
    """evidence.md 8.2, case 4; a hundred kills, each at another moment, of a hundred."""
    with exchange(1, "--no-limits") as at:
        assert _kills(tmp_path, at.url, 100) == []


def _kills(tmp_path: Path, url: str, count: int) -> list[object]:
    """What was lost where it was more than a second, held against a recorder of the same markets that lives on."""
    rng, fault = random.Random(4), list[object]()
    markets = ("--markets", "xyz:GOLD,xyz:TSLA,xyz:NVDA")
    (tmp_path / "whole").mkdir()
    whole = Recording(tmp_path / "whole", url, *markets)
    try:
        for number in range(count):
            folder = tmp_path / str(number)
            folder.mkdir()
            rec = Recording(folder, url, *markets)
            try:
                eventually(lambda rec=rec: rec.bytes() > 0, 20, "a recording")
                begun_ns = time.time_ns()
                PAUSE.wait(rng.uniform(0, 1.5))
                at_ns = time.time_ns()
            finally:
                rec.kill()
            eventually(lambda at=at_ns: any(r.t > at for r in _touches(whole)), 20, "what came after the kill")
            kept = _touches(rec)
            known = {r.data for r in kept}
            last = kept[-1].t if kept else begun_ns  # the answers that come first are no touches
            lost = [r.t for r in _touches(whole) if last < r.t < at_ns and r.data not in known]
            lost_ms = (at_ns - lost[0]) / 1e6 if lost else 0
            if lost_ms > MOST_LOST_MS or verify(folder / "rec").faults:
                fault.append((number, lost_ms, verify(folder / "rec").faults))
    finally:
        whole.kill()
    return fault


def _touches(rec: Recording) -> list[Record]:
    """What of the touches is on disk; each has its own time in it."""
    return [r for r in read(rec.folder / "rec") if r.d == "in" and b'"channel":"bbo"' in r.data]


MOST_LOST_MS = 1300
"""A second, and what a busy machine takes to notice that it is over."""
