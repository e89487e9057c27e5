"""Time that is passed over, interruption, and how much memory a long recording takes."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hip3.bench.day import Day, record
from hip3.cli import parser
from hip3.config.reading import load, load_markets_file
from hip3.onethread.threads import NEVER
from hip3.ops import progress
from hip3.replay import command
from hip3.replay.head import first_look
from hip3.replay.result import hash_of, journal_of, records, report_of
from hip3.replay.run import Ask, Replay, replay
from hip3.replay.warp import SETTLED_MS, Warp
from hip3.venue.market.latency import parse_latency
from tests.ops.screen import lines, terminal
from tests.stories.process import ROOT


def _replayed(recording: Path, folder: Path, **ask: Any) -> tuple[Replay, str]:
    head = first_look(recording)
    env = {
        "HIP3_API_URL": "http://replay.invalid", "HIP3_HTTP_PORT": "0", "HIP3_STATE_DIR": str(folder / "state"),
        "HIP3_LOG_DIR": str(folder / "logs"), "HIP3_EXCHANGE_SEED": "0", "HIP3_MARKETS": ",".join(head.coins),
    }  # fmt: skip
    asked = Ask(
        recording=recording, settings=load_markets_file(load(env, None)), coins=head.coins,
        latency=parse_latency("fixed:60", 0), **ask,
    )  # fmt: skip
    done = replay(asked, head, folder)
    return done, hash_of(records(journal_of(folder / "state")), report_of(asked, head, done))


def _same(tmp_path: Path, day: Day) -> Replay:
    recording = tmp_path / "day.ndjson.zst"
    record(day, recording)
    warped, one = _replayed(recording, tmp_path / "on", warp=True)
    _, other = _replayed(recording, tmp_path / "off", warp=False)
    assert one == other
    return warped


def test_a_replay_is_the_same_with_every_round_and_without_the_idle_ones(tmp_path: Path) -> None:
    """evidence.md 8.1.5: the hash over the whole journal."""
    done = _same(tmp_path, Day(markets=4, seconds=50, rate=40, seed=3))
    assert done.app.running.journal.figures.round_trips > 0


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6))
def test_many_replays_are_the_same_with_every_round_and_without_the_idle_ones(tmp_path: Path, seed: int) -> None:
    _same(tmp_path, Day(markets=1 + 3 * seed, seconds=400 - 50 * seed, rate=5 + 40 * seed, seed=seed))


def _app(**more: Any) -> Any:
    """What `Warp` looks at, with nothing to do."""
    orders = SimpleNamespace(live={}, provisional={})
    trading = SimpleNamespace(
        tracker=SimpleNamespace(_orders=orders, _holdings={}, _foreign={}), posts=SimpleNamespace(_pending={}),
        scheduler=SimpleNamespace(_cancels=[], _reduce=[], _quotes=[], _new=[]),
    )  # fmt: skip
    running = SimpleNamespace(
        trading=trading, connection=SimpleNamespace(_ws=object()), stop=SimpleNamespace(asked=False), latch=None,
        settings=SimpleNamespace(base=SimpleNamespace(quoted_coins=more.get("quoted", []))),
    )  # fmt: skip
    return SimpleNamespace(running=running)


def test_the_tick_sleeps_once_all_is_settled_and_wakes_on_its_own_grid() -> None:
    app = _app()
    warp = Warp(app)
    assert warp.tick_due(1100, 100, 1000) == 1100, "what was kept of a position may be let go of"
    late = 1000 + SETTLED_MS + 100
    assert warp.tick_due(late, 100, late - 100) == NEVER
    app.running.trading.tracker._holdings["xyz:GOLD"] = object()
    assert warp.tick_due(late, 100, late + 730) == late + 800
    assert warp.left_out == 8
    assert warp.tick_due(late + 800, 100, late + 790) == late + 800


@pytest.mark.parametrize(
    "busy",
    [
        lambda a: a.running.trading.tracker._orders.live.update(x=1),
        lambda a: a.running.trading.posts._pending.update(x=1),
        lambda a: a.running.trading.scheduler._cancels.append(1),
        lambda a: setattr(a.running.stop, "asked", True),
        lambda a: setattr(a.running.connection, "_ws", None),
        lambda a: setattr(a.running, "latch", SimpleNamespace(tripped=True)),
        lambda a: setattr(a.running.settings.base, "quoted_coins", ["xyz:GOLD"]),
    ],
)
def test_what_keeps_the_tick_awake(busy: Callable[[Any], object]) -> None:
    app = _app()
    busy(app)
    warp = Warp(app)
    assert [warp.tick_due(due, 100, due - 10) for due in (1000, 9000)] == [1000, 9000]


def test_an_interrupted_replay_has_its_report(tmp_path: Path) -> None:
    """evidence.md 3.6: the report so far, marked."""
    recording, told = tmp_path / "day.ndjson.zst", list[int]()
    record(Day(markets=2, seconds=30, rate=20), recording)

    def stop(wall_ms: int, figures: Callable[[], tuple[int, str]]) -> None:
        told.append(wall_ms)
        if len(told) == 40:
            assert figures() == (0, "0.00")
            raise KeyboardInterrupt

    done, _ = _replayed(recording, tmp_path, progress=stop)
    assert done.incomplete
    assert told[-1] <= done.wall_last_ms < told[-1] + 1000


def test_an_interruption_of_the_band_leaves_the_headline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = tmp_path / "day.ndjson.zst"
    record(Day(markets=2, seconds=10, rate=20), recording)

    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "run_all", interrupted)
    for name in [n for n in os.environ if n.startswith("HIP3_")]:
        monkeypatch.delenv(name)
    args = parser().parse_args(["replay", str(recording), "--report", str(tmp_path / "report")])
    assert command.run(args, None) == 1
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert (report["incomplete"], report["problem"], "race_band" in report) == (True, "", False)
    assert "interrupted" in capsys.readouterr().out


def test_on_a_terminal_it_says_how_far_it_is_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = tmp_path / "day.ndjson.zst"
    record(Day(markets=2, seconds=10, rate=20), recording)
    for name in [n for n in os.environ if n.startswith("HIP3_")]:
        monkeypatch.delenv(name)
    screen = terminal(monkeypatch)
    monkeypatch.setattr(progress, "TERMINAL_MS", 0)
    args = parser().parse_args(["replay", str(recording), "--report", str(tmp_path / "report")])
    assert command.run(args, None) == 0
    shares = [
        int(share) for share in re.findall(r"(\d+)%, [^\r]*x as fast, \d+ trips, -?[\d.]+ USD", screen.getvalue())
    ]
    assert len(shares) > 5
    assert shares == sorted(shares)
    assert "race band" in screen.getvalue()
    assert lines(screen.getvalue()) == []


MOST_KB = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
"""Runs a command and prints its most resident memory. Asked of the test's own process it would be that of whichever of its
children was largest, and the kernel counts for a child what its parent held when it was made."""


@pytest.mark.long
@pytest.mark.parametrize("hours", [1, 24])
def test_a_long_recording_takes_no_more_memory(tmp_path: Path, hours: int) -> None:
    """evidence.md 8.2, case 31: resident memory under 400 MB at any length."""
    recording = tmp_path / "day.ndjson.zst"
    record(Day(markets=3, seconds=3600 * hours, rate=96 // hours, seed=1), recording)
    asked = ["replay", str(recording), "--json", "--no-band", "--set", "HARD_STOP_MAX_CONSECUTIVE_LOSSES=1000"]
    out = subprocess.run(
        [sys.executable, "-c", MOST_KB, sys.executable, str(ROOT / "hip3.py"), *asked],
        cwd=tmp_path, env={k: v for k, v in os.environ.items() if not k.startswith("HIP3_")}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert out.returncode == 0, out.stderr
    told, *_, most_kb = out.stdout.splitlines()
    assert json.loads(told)["round_trips"] > 20
    assert int(most_kb) < 400 * 1024
