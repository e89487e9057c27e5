"""The replay beside other engines: what is told of it, and the rule they trade; no test asserts a time."""

import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hip3.bench import rule
from hip3.bench.command import bench_replay
from hip3.bench.day import CONTEXT_MS, Day, events, record
from hip3.bench.replaying import NEEDED, Took, _rows, net
from hip3.bench.rig import Broken
from hip3.record.folder import read
from hip3.replay.head import first_look


def _took(cpu_s: float, mb: float) -> Took:
    return Took({"frames": 1000, "signals": 4, "fills": 8}, cpu_s, cpu_s, mb)


def test_each_engine_has_its_row_and_one_that_is_not_there_says_what_to_install() -> None:
    rows = list(_rows(Day(2, 10, 100), {"ours": _took(0.03, 70), "nautilus_trader": _took(0.06, 300)}))
    assert [(r.measured, round(r.median or 0), r.ratio, r.met) for r in rows[:2]] == [
        ("ours", 30, None, None), ("nautilus_trader", 60, 0.5, True),
    ]  # fmt: skip
    assert (rows[2].measured, rows[2].median, rows[2].note) == ("hftbacktest", None, NEEDED)
    assert [(r.measured, r.median, r.met) for r in rows[3:]] == [("ours", 70, True), ("nautilus_trader", 300, None)]


def test_a_made_day_is_the_same_again_and_speaks_as_often_as_asked(tmp_path: Path) -> None:
    day = Day(markets=5, seconds=20, rate=60, seed=4)
    found = list(events(day))
    assert found == list(events(day))
    assert abs(len(found) / day.seconds - day.rate) < day.rate / 5
    assert found == sorted(found, key=lambda e: (e.at_ms, e.market))
    touches = [e for e in found if e.touch]
    assert all(0 < e.bid < e.ask and e.bid_sz > 0 < e.ask_sz for e in touches)
    for market in range(day.markets):
        times = [e.at_ms for e in found if e.market == market and not e.touch]
        assert all(b - a <= CONTEXT_MS for a, b in itertools.pairwise(times))
    frames = record(day, tmp_path / "day.ndjson.zst")
    kinds = Counter(r.d for r in read(tmp_path / "day.ndjson.zst"))
    assert (frames, kinds["in"]) == (len(found), len(found))
    assert set(first_look(tmp_path / "day.ndjson.zst").coins) == set(day.coins)


def test_the_rule_asks_for_what_this_service_asks_for() -> None:
    """A market that grows costs 0.9 bps to take; the rest are the defaults of the settings."""
    from hip3.config.settings import Settings

    base = Settings()
    assert (
        float(base.oracle_move_bps), float(base.min_oracle_change_bps), base.min_oracle_moves,
    ) == (rule.STEP_BPS, rule.LAST_STEP_BPS, rule.STEPS)  # fmt: skip
    assert 2 * rule.FEE_BPS + float(base.slippage_bps) + float(base.min_edge_bps) == rule.EDGE_BPS
    assert float(base.mark_regression_bps) == rule.BACK_BPS
    assert base.time_stop_ms * 1_000_000 == rule.STOP_NS
    assert float(base.max_notional_per_market) == rule.ORDER_USD
    assert base.max_concurrent_positions == rule.MOST_HELD


@pytest.mark.long
def test_ours_is_measured_whatever_else_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    code = bench_replay(as_json=True, day=Day(markets=3, seconds=200, rate=60), turns=1)
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["rows"]
    assert rows[0]["measured"] == "ours"
    assert rows[0]["median"] > 0
    assert code in (0, 4)


def test_what_a_start_takes_is_taken_off_and_noise_is_no_figure() -> None:
    whole, short = _took(0.9, 70), _took(0.6, 60)._replace(report={"frames": 100, "signals": 0, "fills": 0})
    frames = net(whole, short)
    assert (round(frames.cpu_s, 9), frames.report["frames"], frames.mb) == (0.3, 900, 70)
    with pytest.raises(Broken, match="longer stretch"):
        net(whole, short._replace(cpu_s=0.9))
