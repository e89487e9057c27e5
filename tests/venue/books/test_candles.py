"""Candles: what trades make of them, and how answers and stream print them."""

import random
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from hip3.core.money import ZERO
from hip3.venue.books.candles import HOUR, INTERVALS, KEPT, MINUTE, Candles, bounds
from hip3.venue.books.past import Walk, past
from tests.venue.desk import GOLD, START, D, Desk

T0 = 1_790_006_400_000  # midnight


@pytest.mark.parametrize(
    ("interval", "start", "end"),
    [
        ("1m", "2026-09-23T10:17:00", "2026-09-23T10:18:00"),
        ("15m", "2026-09-23T10:15:00", "2026-09-23T10:30:00"),
        ("4h", "2026-09-23T08:00:00", "2026-09-23T12:00:00"),
        ("1d", "2026-09-23T00:00:00", "2026-09-24T00:00:00"),
        ("1w", "2026-09-21T00:00:00", "2026-09-28T00:00:00"),
        ("1M", "2026-09-01T00:00:00", "2026-10-01T00:00:00"),
    ],
)
def test_where_a_candle_begins_and_ends(interval: str, start: str, end: str) -> None:
    def ms(text: str) -> int:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000

    assert bounds(interval, ms("2026-09-23T10:17:31")) == (ms(start), ms(end) - 1)
    assert bounds("1M", ms("2026-12-31T23:59:59"))[1] == ms("2027-01-01T00:00:00") - 1


def test_a_candle_is_its_trades_and_a_quiet_minute_is_flat() -> None:
    candles = Candles("BTC", D(100), T0)
    for px, sz, at in (("101", "1", 1), ("99", "2", 2), ("100", "3", 59_999)):
        candles.trade(D(px), D(sz), T0 + at)
    candles.trade(D(105), D(1), T0 + 2 * MINUTE)
    rows = candles.snapshot("1m", T0, T0 + 5 * MINUTE)
    assert rows[0] == {
        "t": T0, "T": T0 + 59_999, "s": "BTC", "i": "1m", "o": "101.0", "c": "100.0", "h": "101.0", "l": "99.0",
        "v": "6.0", "n": 3,
    }  # fmt: skip
    assert [rows[1][k] for k in "oclhvn"] == ["100.0", "100.0", "100.0", "100.0", "0.0", 0]
    assert (rows[2]["o"], rows[2]["n"]) == ("105.0", 1)


@pytest.mark.parametrize("interval", INTERVALS)
def test_every_interval_is_the_sum_of_its_minutes(interval: str) -> None:
    rng, candles, at = random.Random(1), Candles("BTC", D(100), T0), T0
    for _ in range(3000):
        at += rng.randint(1, 60_000)
        candles.trade(D(rng.randint(90, 110)), D(rng.randint(1, 9)), at)
    minutes = candles.snapshot("1m", T0, at)
    for row in candles.snapshot(interval, T0, at):
        inside = [m for m in minutes if row["t"] <= m["t"] <= row["T"]]
        assert row["o"] == inside[0]["o"]
        assert row["c"] == inside[-1]["c"]
        assert D(row["h"]) == max(D(m["h"]) for m in inside)
        assert D(row["l"]) == min(D(m["l"]) for m in inside)
        assert D(row["v"]) == sum((D(m["v"]) for m in inside), ZERO)
        assert row["n"] == sum(m["n"] for m in inside)


def test_both_ends_of_a_range_are_included() -> None:
    candles = Candles("BTC", D(100), T0)
    candles.advance(T0 + 10 * MINUTE)
    assert len(candles.snapshot("1m", T0, T0 + 5 * MINUTE)) == 6


def test_answer_and_stream_have_the_forming_candle() -> None:
    desk = Desk()
    one, two = desk.key(1), desk.key(2)
    desk.venue.connect(1)
    ask = '{"method":"subscribe","subscription":{"type":"candle","coin":"xyz:GOLD","interval":"1m"}}'
    desk.venue.ws(1, ask, desk.now)
    assert [f["channel"] for f in desk.frames()] == ["subscriptionResponse", "candle"]
    desk.trade(one, two, "0.1")
    desk.venue.publish(desk.now)
    (frame,) = [f for f in desk.frames() if f["channel"] == "candle"]
    assert (frame["data"]["c"], frame["data"]["i"]) == ("4000.0", "1m")
    span = {"coin": GOLD, "interval": "1m", "startTime": START, "endTime": desk.now}
    assert desk.info("candleSnapshot", req=span)[-1] == frame["data"]
    minute = [f for f in desk.wait(MINUTE) if f["channel"] == "candle"]
    assert minute[0]["data"]["n"] == 0


WALK = Walk("1:xyz:GOLD", 1.2, 8000)
NOW = T0 + 3 * HOUR + 7 * MINUTE + 11_000


def _whole(px: str = "4000") -> Candles:
    return Candles("xyz:GOLD", D(px), NOW, lambda: past(WALK, D(px), NOW))


def test_there_is_a_past_that_ends_where_the_present_begins() -> None:
    candles = _whole()
    for interval in INTERVALS:
        rows = candles.snapshot(interval, 0, NOW)
        assert len(rows) >= 6 if interval in ("1w", "1M") else len(rows) >= 60, interval
        assert len(rows) <= KEPT + 1
        assert all(after["t"] == before["T"] + 1 for before, after in pairwise(rows)), "no gap, no overlap"
        assert all(D(r["l"]) <= min(D(r["o"]), D(r["c"])) <= max(D(r["o"]), D(r["c"])) <= D(r["h"]) for r in rows)
        assert rows[-1]["t"] <= NOW <= rows[-1]["T"]
        assert rows[-1]["c"] == "4000.0"
    hours = candles.snapshot("1h", 0, NOW)
    assert len(hours) > 4900, "a bot that warms up on a thousand hours has them"


def test_what_happens_is_the_same_whether_the_past_is_asked_for_before_or_after() -> None:
    early, late = _whole(), _whole()
    early.snapshot("1m", 0, NOW)
    for candles in (early, late):
        for minute in range(200):
            candles.trade(D(4000 + minute), D(1), NOW + minute * MINUTE)
    for interval in INTERVALS:
        end = NOW + 200 * MINUTE
        assert early.snapshot(interval, 0, end) == late.snapshot(interval, 0, end), interval


def test_the_same_seed_tells_the_same_past_and_another_one_another() -> None:
    one, same = past(WALK, D(4000), NOW), past(WALK, D(4000), NOW)
    other = past(WALK._replace(seed="2:xyz:GOLD"), D(4000), NOW)
    shown = [[bar.shown("x", "1h") for bar in found["1h"]] for found in (one, same, other)]
    assert shown[0] == shown[1] != shown[2]
