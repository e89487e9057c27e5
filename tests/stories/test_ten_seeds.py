"""A minute of trading for each of ten seeds, as a user starts it, compared with the exchange's own account."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.stories.process import exchange, proxy, service
from tests.stories.test_service import _flat, _number, _totals


@pytest.mark.long
@pytest.mark.parametrize("fails", ["", "clearinghouseState"])
@pytest.mark.parametrize("seed", range(1, 11))
def test_a_minute_of_each_seed(tmp_path: Path, seed: int, fails: str) -> None:
    """At least five round trips, flat, no unknown order, no latch, and every figure to the last digit."""
    with exchange(seed) as venue, proxy(venue.url) as middle:
        with service(tmp_path / "s", "--duration", "60", HIP3_API_URL=middle.url) as run:
            status = run.wait_for(lambda s: s["state"] == "READY", 20, "READY")
            if fails:
                middle.fail(fails)
            assert run.wait(120) == 0, run.stdout + run.stderr[-3000:]
            table = run.table()
            pnl, fees, fills = _totals(venue, status["account"])
            assert int(table["round trips"]) >= 5
            assert (_number(table["realized pnl"]), _number(table["fees"])) == (pnl, fees)
            payments = venue.info(type="userFunding", user=status["account"], startTime=0)  # a full hour may pass
            funding = sum((Decimal(p["delta"]["usdc"]) for p in payments), Decimal(0))
            assert _number(table["net result"]) == pnl - fees + funding
            assert int(table["fills"]) == len(fills)
            assert table["position"] == "flat"
            assert table["unknown orders"] == "0"
            assert table["hard stop"] == "not tripped"
            assert _flat(venue, status["account"])
            states = [venue.info(type="clearinghouseState", user=status["account"], dex=d) for d in ("xyz", "para")]
            cash = sum((Decimal(s["marginSummary"]["accountValue"]) for s in states), Decimal(0))
            assert cash == 2000 + pnl - fees + funding
