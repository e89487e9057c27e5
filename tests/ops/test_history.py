"""What a chart shows of the past: kept finely for an hour, coarsely for long, and asked by span and market."""

from pathlib import Path

from hip3.core.results import DAY_MS, HOUR_MS, Sums
from hip3.ops.history import MARKETS_KEPT_MS, MOST_POINTS, History, curve, first_ms, market_curve

NOW = 1_800_000_000_000 // DAY_MS * DAY_MS


def _sums(net: int) -> Sums:
    return Sums(realized_usd=str(net), fees_usd="0", funding_usd="0", captured_usd="0", open_usd=None, equity_usd="10")


def test_samples_come_back_by_span_and_market(tmp_path: Path) -> None:
    history = History(tmp_path / "history.db")
    for n in range(3):
        history.add(
            NOW + n,
            _sums(n),
            {"xyz:GOLD": ("1", "2", None, None, None, None), 'odd".name': ("5", None, None, None, None, None)},
        )
    assert [(at - NOW, s.realized_usd) for at, s in curve(tmp_path / "history.db", NOW + 1, NOW + 9)] == [
        (1, "1"),
        (2, "2"),
    ]
    assert market_curve(tmp_path / "history.db", "xyz:GOLD", NOW + 2) == [(NOW + 2, ("1", "2", None, None, None, None))]
    assert market_curve(tmp_path / "history.db", "xyz:NONE", NOW) == []
    assert first_ms(tmp_path / "history.db") == NOW
    history.close()


def test_what_is_old_is_kept_by_the_minute_and_by_the_hour_and_a_day_keeps_its_end(tmp_path: Path) -> None:
    history, path = History(tmp_path / "history.db"), tmp_path / "history.db"
    for n, at in enumerate(range(NOW - 9 * DAY_MS, NOW - 9 * DAY_MS + 2 * HOUR_MS, 20_000)):
        history.add(at, _sums(n), {})
    for n, at in enumerate(range(NOW - 2 * HOUR_MS, NOW, 20_000)):
        history.add(at, _sums(n), {"xyz:GOLD": ("1",) * 6})
    history.thin(NOW)
    kept = [at for at, _ in curve(path, 0, 1)]
    assert len([at for at in kept if at < NOW - DAY_MS]) == 2, "one an hour"
    assert len([at for at in kept if NOW - 2 * HOUR_MS <= at < NOW - HOUR_MS]) == 60, "one a minute"
    assert len([at for at in kept if at >= NOW - HOUR_MS]) == 180
    assert len(market_curve(path, "xyz:GOLD", 0)) == MARKETS_KEPT_MS // 20_000
    last = history.last_before(NOW)
    assert last is not None
    assert last.realized_usd == "359", "what the day before ended with"
    assert history.last_before(0) is None
    history.close()


def test_a_long_span_has_no_more_points_than_a_screen(tmp_path: Path) -> None:
    history = History(tmp_path / "history.db")
    for n in range(2 * MOST_POINTS):
        history.add(NOW + n * 1000, _sums(n), {})
    found = curve(tmp_path / "history.db", NOW, NOW + 2 * MOST_POINTS * 1000)
    assert len(found) <= MOST_POINTS + 1
    assert found[-1][1].realized_usd == str(2 * MOST_POINTS - 1), "the newest is there"
    history.close()
