"""What a replay came to: closed results, and beside them what is still held, at its marks."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hip3.ops.figures import Figures
from hip3.replay.band import KEYS
from hip3.replay.head import Head
from hip3.replay.result import report_of
from hip3.replay.run import Ask
from hip3.venue.market.filling import parse_fills
from hip3.venue.market.latency import parse_latency
from tests.venue.test_recorded import GOLD, KEY, START, Recorded, _frame


@pytest.mark.parametrize(
    ("buys", "mark", "open_usd"), [(True, "3900", "-5"), (False, "3900", "4.95"), (True, "4000", "0")]
)
def test_what_is_held_at_the_end_is_no_part_of_net_and_beside_it(buys: bool, mark: str, open_usd: str) -> None:
    market = Recorded(fills=parse_fills("optimistic"))
    market.touch(0, ("3999", "1"), ("4000", "1"))
    market.send(300, buy=buys, px="4001" if buys else "3998", sz="0.05")
    ctx: dict[str, Any] = {"coin": GOLD, "ctx": {"oraclePx": mark, "markPx": mark}}
    market.tape.ctx(START + 450, _frame("activeAssetCtx", ctx))
    market.until(600)
    done: Any = SimpleNamespace(
        app=SimpleNamespace(running=SimpleNamespace(journal=SimpleNamespace(figures=Figures()), trading=None)),
        venue=market.venue, user=KEY.address, source=SimpleNamespace(frames=0, digest="", gaps=[], damage=[]),
        wall_first_ms=0, wall_last_ms=1, problem="", incomplete=False,
    )  # fmt: skip
    settings: Any = None
    ask = Ask(recording=Path("x"), settings=settings, coins=[GOLD], latency=parse_latency("fixed:100", 0))
    found = report_of(ask, Head(first_ns=0, mono_ns=0), done)
    assert found["open_usd"] == open_usd
    (held,) = found["open_positions"]
    assert (held["entry_px"], held["mark_px"]) == ("4000" if buys else "3999", mark)
    assert float(found["net_usd"]) == -float(found["fees_usd"])
    assert "open_usd" in KEYS
