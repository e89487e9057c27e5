"""The running service with threads that are cut off after every instruction: no exception, and books that are right."""

import sys
from pathlib import Path

import pytest

from tests.stories.process import exchange, service

FREE = [
    sys.executable, "-c",
    "import sys; sys.path.insert(0, sys.argv.pop(1))\n"
    "from hip3.service import tuning\ntuning.SWITCH_INTERVAL_S = 1e-6\n"
    "from hip3.cli import main\nraise SystemExit(main(sys.argv[1:]))",
    str(Path(__file__).resolve().parents[2]),
]  # fmt: skip
SETTINGS = {
    "HIP3_MARKETS": "xyz:GOLD,xyz:NVDA,xyz:TSLA,para:AVGO", "HIP3_TIME_STOP_MS": "400", "HIP3_MIN_HOLDING_MS": "100",
    "HIP3_MIN_EDGE_BPS": "0", "HIP3_SLIPPAGE_BPS": "0", "HIP3_MIN_ORACLE_MOVES": "1", "HIP3_MIN_ORACLE_CHANGE_BPS": "0",
    "HIP3_HARD_STOP_MAX_LOSS_USD": "1000", "HIP3_HARD_STOP_MAX_CONSECUTIVE_LOSSES": "10000",
    "HIP3_MAX_DAILY_LOSS_USD": "0",
}  # fmt: skip
BROKEN = ("event_failed", "duty_failed", "Traceback", "is gone", "died")
"""What the log says when something of ours broke."""


def _free(folder: Path, seconds: int) -> int:
    """How many fills there were."""
    with exchange(5, "--no-limits", "--latency", "5") as at:
        with service(folder, "--duration", str(seconds), rigged=FREE, HIP3_API_URL=at.url, **SETTINGS) as run:
            user = run.wait_for(lambda s: s["account"] and s["state"] == "READY", 60, "READY")["account"]
            assert run.wait(seconds + 90) == 0, run.stdout + run.stderr[-3000:]
        fills = at.info(type="userFills", user=user)
        assert not [word for word in BROKEN if word in run.stderr]
        table = run.table()
        if len(fills) < 2000:  # else the list is cut off
            assert float(table["realized pnl"].split()[0]) == pytest.approx(sum(float(f["closedPnl"]) for f in fills))
            assert float(table["fees"].split()[0]) == pytest.approx(sum(float(f["fee"]) for f in fills))
        for dex in ("xyz", "para"):
            assert at.info(type="clearinghouseState", user=user, dex=dex)["assetPositions"] == []
        return len(fills)


def test_it_trades_with_threads_that_are_cut_off_at_once(tmp_path: Path) -> None:
    assert _free(tmp_path, 8) > 0


@pytest.mark.long
def test_it_trades_so_for_five_minutes(tmp_path: Path) -> None:
    assert _free(tmp_path, 300) > 100
