"""Hours of trading: the journal equals the exchange to the last digit, and memory stays where it was."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _trade(hours: str, seed: str, folder: Path, *quotes: str) -> dict[str, Any]:
    run = subprocess.run(
        [sys.executable, "-m", "tests.sessions.day", hours, seed, str(folder), *quotes], cwd=ROOT, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def _check(found: dict[str, Any], orders: int) -> None:
    assert (found["flat"], found["positions"], found["unknown"], found["latch"]) == (True, {}, 0, None)
    assert found["journal"] | {"orders": "0"} == found["exchange"] | {"orders": "0"}
    assert found["tracker"] == found["exchange"]
    assert int(found["journal"]["orders"]) >= orders
    warm, end = found["resident_kb"]
    assert end <= warm * Decimal("1.05"), found["resident_kb"]


def test_a_quarter_of_an_hour(tmp_path: Path) -> None:
    """The hours that follow are those of the long run's day."""
    found = _trade("0.25", "1", tmp_path)
    _check(found, 250)
    assert found["cuts"] >= 2
    assert found["restarts"] >= 2


@pytest.mark.long
def test_a_day_of_ten_thousand_orders(tmp_path: Path) -> None:
    _check(_trade("24", "1", tmp_path), 10_000)


@pytest.mark.long
def test_a_day_of_quoting_five_markets(tmp_path: Path) -> None:
    """Other markets are taken beside them."""
    found = _trade("24", "1", tmp_path, "quotes")
    _check(found, 10_000)
    assert len(found["quoted"]) == 5
    assert found["quote_fills"] >= 100
    used, cap = found["actions"]
    assert used <= cap - 500, "what exits need was spent"
    bounds = {"QUOTING": 24 * 60, "ONE_SIDED": 24 * 60, "PULLED": 31, "WAIT": 3, "LEAVING": 5, "COMPLETING": 20}
    assert all(minutes <= bounds.get(word, 0) for word, minutes in found["longest"].items()), found
