"""Q44: what fills were worth, on a path that is known."""

from hip3.core.orders import Side
from hip3.execution.quotes.figures import QuoteFigures
from tests.builders import D


def test_markouts_are_those_of_the_path_and_weighted_by_volume() -> None:
    figures = QuoteFigures()
    figures.filled(Side.BUY, D(1000), D(1), D(1001), 0)  # 10 bps better than fair
    figures.filled(Side.SELL, D(1000), D(3), D(1000), 0)
    for now_ms, worth in ((1000, 1002), (5000, 999), (30_000, 1000)):
        figures.look(D(worth), both=True, allowed=True, now_ms=now_ms)
    assert figures.captured_bps == D("2.5")
    assert figures.markout_bps == {1: D(-10), 5: D(5), 30: D(0)}  # (20 - 3 * 20) / 4, (-10 + 3 * 10) / 4


def test_a_price_that_is_missing_then_is_no_data_and_not_zero() -> None:
    figures = QuoteFigures()
    figures.filled(Side.BUY, D(1000), D(1), None, 0)
    figures.look(None, both=True, allowed=True, now_ms=1000)
    figures.look(D(1001), both=True, allowed=True, now_ms=5000)
    figures.look(D(1001), both=True, allowed=True, now_ms=33_000)  # too late for thirty seconds
    assert figures.captured_bps is None
    assert figures.markout_bps == {1: None, 5: D(10), 30: None}


def test_uptime_is_the_share_of_the_time_that_was_allowed() -> None:
    figures = QuoteFigures()
    assert figures.uptime is None
    figures.look(None, both=True, allowed=True, now_ms=0)
    figures.look(None, both=True, allowed=True, now_ms=3000)
    figures.look(None, both=False, allowed=True, now_ms=4000)
    figures.look(None, both=False, allowed=False, now_ms=90_000)
    assert figures.uptime == D("0.75")
    assert figures.counts["fills"] == 0
