"""The ways of an account's own orders, read from its journal, and a replay whose orders travel like them."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip3.errors import ConfigError
from hip3.ops.travelled import FEWEST
from hip3.replay.head import first_look
from hip3.replay.latency import Travels
from hip3.replay.measured import Between, Pair, latency_of, pairs, quantiles
from hip3.replay.once import once
from hip3.replay.ways import Ways
from hip3.venue.market.filling import BLOCK_MS
from hip3.venue.market.latency import Latency
from tests.ops.test_travelled import journal_of
from tests.replay.session import recorded
from tests.replay.test_models import _args


def test_a_journal_becomes_quantiles_or_the_ways_of_their_time(tmp_path: Path) -> None:
    journal = str(
        journal_of(
            tmp_path / "j.db", [(n * 1000, n * 1000 + 100 + n, n * 1000 + 150 + n) for n in range(1, FEWEST + 2)]
        )
    )
    measured = latency_of(journal, 5)
    assert isinstance(measured, Latency)
    assert (measured.exec[0], measured.exec[50], measured.exec[100]) == (31, 41, 51)
    assert set(measured.reply) == {50}
    assert f"measured of {FEWEST + 1} orders, 1970-01-01" in measured.source
    between = latency_of(f"interp:{journal}", 5)
    assert isinstance(between, Between)
    assert [between.there(at) for at in (0, 1000, 1500, 2000, 10**9)] == [31, 31, 32, 32, 51]
    assert between.times("2").there(1000) == 62
    travels = Travels(between, 1, Ways(0), own=False)
    assert travels(2000, {"action": {}}) == 32 + BLOCK_MS
    assert travels.reply_ms("2000") == 50


def test_what_is_no_measure_is_said(tmp_path: Path) -> None:
    few = journal_of(tmp_path / "few.db", [(1000, 1150, 1210)])
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE t (x)")
    db.close()
    for text, words in (
        (str(few), "1 orders with fills in it, 20 at least"), ("interp", "give interp:JOURNAL"), ("fixed:x", "whole milliseconds"),
        (str(other), "journal.db of an account"), (f"interp:{other}", "journal.db of an account"),
        (str(tmp_path / "none"), "No such file"), (f"interp:{tmp_path / 'none'}", "unable to open"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=f"(?i){words}"):
            latency_of(text, 5)
    assert isinstance(latency_of(None, 5), Latency)


legs = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 5000), st.integers(0, 5000)), min_size=1, max_size=20)


@given(found=legs, at_ms=st.integers(-1000, 2 * 10**6))
def test_between_two_measures_nothing_is_faster_or_slower_than_both(
    found: list[tuple[int, int, int]], at_ms: int
) -> None:
    ordered = sorted(Pair(*one) for one in found)
    there = Between(ordered, "x").there(at_ms)
    before = [p for p in ordered if p.at_ms <= at_ms][-1:] or ordered[:1]
    after = [p for p in ordered if p.at_ms >= at_ms][:1] or ordered[-1:]
    near = [p.there_ms for p in ordered if p.at_ms in (before[0].at_ms, after[0].at_ms)]
    assert min(near) <= there <= max(near)
    values = quantiles([p.there_ms for p in ordered])
    assert values == sorted(values)
    assert (values[0], values[-1]) == (min(p.there_ms for p in ordered), max(p.there_ms for p in ordered))


def test_a_replay_travels_as_the_journal_of_its_session_did(tmp_path: Path) -> None:
    """An exchange that takes 100 ms, in blocks: the measured ways are these, and a replay over them trades again."""
    session = recorded(tmp_path, 3, 1)
    found = pairs(session.journal)
    assert found
    assert all(0 <= p.there_ms + BLOCK_MS <= 100 + 2 * BLOCK_MS for p in found)
    head = first_look(session.recording)
    args = _args(str(session.recording), "--latency", f"interp:{session.journal}", "--no-band")
    report = once(args, head, None).report
    assert report["fills"] > 0
    assert report["latency"].startswith(f"measured of {len(found)} orders")
    assert not any("latency" in text for text in report["assumed"])
