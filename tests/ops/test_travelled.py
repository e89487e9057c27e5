"""How long an account's own orders travelled, and what is made of it at the next start."""

import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hip3.ops.journal import EventLog
from hip3.ops.travelled import FEWEST, Travelled, travelled
from tests.world import World


def journal_of(
    path: Path, orders: list[tuple[int, int, int]], *, told_first: bool = False, crossed: bool = True
) -> Path:
    """A journal of orders that were signed, executed and answered at these times."""
    rows: list[tuple[str, Any]] = []
    for number, (signed, executed, answered) in enumerate(orders):
        cloid = f"0x{number:032x}"
        fill = {"cloid": cloid, "crossed": crossed, "time_ms": executed}
        post = {"nonce": signed, "sent_us": 5_000_000, "batch": {"orders": [{"cloid": cloid}]}}
        reply = {"post": post, "at_us": 5_000_000 + (answered - signed) * 1000}
        both = [("reply", reply), ("fill", {"event": {"fill": fill}})]
        rows += reversed(both) if told_first else both
    with sqlite3.connect(path) as db:
        db.execute(
            "CREATE TABLE records (id INTEGER PRIMARY KEY, at_ms INTEGER, kind TEXT, cloid TEXT, coin TEXT, body TEXT)"
        )
        db.executemany(
            "INSERT INTO records (at_ms, kind, body) VALUES (0, ?, ?)",
            [(kind, msgspec.json.encode(body).decode()) for kind, body in rows],
        )
    db.close()
    return path


@pytest.mark.parametrize("told_first", [False, True])
def test_what_lies_between_nonce_fill_and_reply(tmp_path: Path, told_first: bool) -> None:
    orders = [(1000, 1150, 1210), (2000, 2000, 2100), (3000, 2990, 3100), (4000, 4200, 4100)]
    found = travelled(journal_of(tmp_path / "journal.db", orders, told_first=told_first))
    assert found == [Travelled(1000, 150, 60), Travelled(2000, 0, 100)], "a nonce ahead of time says nothing"
    assert travelled(tmp_path / "journal.db", newest=4) == []


def test_orders_that_rested_say_nothing(tmp_path: Path) -> None:
    assert travelled(journal_of(tmp_path / "journal.db", [(1000, 1150, 1210)], crossed=False)) == []


@pytest.mark.parametrize(("orders", "late"), [(FEWEST - 1, None), (FEWEST + 1, 130)])
def test_the_middle_of_enough_orders_is_how_late_one_is(tmp_path: Path, orders: int, late: int | None) -> None:
    at = [(n * 1000, n * 1000 + 120 + n, n * 1000 + 300) for n in range(orders)]
    log = EventLog(lambda: 0)
    log._path = journal_of(tmp_path / "journal.db", at)
    assert log.late_ms() == late


def test_a_journal_that_cannot_be_read_is_no_reason_not_to_start(tmp_path: Path) -> None:
    log = EventLog(lambda: 0)
    assert log.late_ms() is None
    log._path = tmp_path / "nowhere.db"
    assert log.late_ms() is None


@pytest.mark.parametrize("follows", [True, False])
def test_a_restart_follows_signals_as_late_as_its_own_orders_were(tmp_path: Path, follows: bool) -> None:
    world = World(tmp_path, on_disk=True, followups=follows)
    world.connect()
    assert world.run_until(lambda: world.running.journal.figures.round_trips > 10, limit_ms=600_000)
    assert world.trading.observer is None or world.trading.observer.follow_ups.late_ms == 150
    world.restart()
    found = sorted(t.executed_ms for t in travelled(tmp_path / "journal.db"))
    assert len(found) >= FEWEST
    if follows:
        assert world.trading.observer is not None
        assert world.trading.observer.follow_ups.late_ms == found[len(found) // 2] != 150
    else:
        assert world.trading.observer is None
