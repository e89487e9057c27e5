"""`history.db`: what a chart shows of the past. SQLite beside the journal, written by the `live` thread alone.

Samples, not events: each can be lost without a loss, so they stand apart from the journal, whose room they must not
take and whose failures hold entries back. Results are kept every five seconds for an hour, every minute for eight
days, every hour for good; markets for a little more than an hour. Amounts are texts, times wall milliseconds.
"""

import sqlite3
from pathlib import Path
from typing import Any

import msgspec

from hip3.core.results import DAY_MS, HOUR_MS, Sums

SCHEMA = """
CREATE TABLE IF NOT EXISTS results (at_ms INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS markets (at_ms INTEGER PRIMARY KEY, body TEXT NOT NULL);
"""
MARKETS_KEPT_MS = 75 * 60_000
MOST_POINTS = 1500
"""Of a curve: more than any screen has columns."""


Quotation = tuple[str | None, str | None, str | None, str | None, str | None, str | None]
"""Bid, ask, oracle, mark, our best bid, our best ask."""


class History:
    """The writer. sqlite3.Error from any method: nothing is kept now."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=0.2)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")  # of a power cut nothing but a sample is lost
        self._db.executescript(SCHEMA)

    def add(self, at_ms: int, sums: Sums, markets: dict[str, Quotation]) -> None:
        """One sample of each."""
        self._db.execute("INSERT OR REPLACE INTO results VALUES (?,?)", (at_ms, _encode(sums)))
        self._db.execute("INSERT OR REPLACE INTO markets VALUES (?,?)", (at_ms, _encode(markets)))

    def thin(self, now_ms: int) -> None:
        """Drop what is finer than it need be by its age."""
        self._db.execute("DELETE FROM markets WHERE at_ms < ?", (now_ms - MARKETS_KEPT_MS,))
        for age_ms, step_ms in ((HOUR_MS, 60_000), (8 * DAY_MS, HOUR_MS)):
            # The last of each step, since a day begins with what the one before ended with.
            self._db.execute(
                "DELETE FROM results WHERE at_ms < ?1 AND at_ms NOT IN "
                "(SELECT max(at_ms) FROM results WHERE at_ms < ?1 GROUP BY at_ms / ?2)",
                (now_ms - age_ms, step_ms),
            )

    def last_before(self, at_ms: int) -> Sums | None:
        """The latest sample of before `at_ms`."""
        row = self._db.execute("SELECT body FROM results WHERE at_ms < ? ORDER BY at_ms DESC LIMIT 1", (at_ms,))
        return _sums(row.fetchone())

    def first_since(self, at_ms: int) -> Sums | None:
        """The earliest sample of `at_ms` or after."""
        row = self._db.execute("SELECT body FROM results WHERE at_ms >= ? ORDER BY at_ms LIMIT 1", (at_ms,))
        return _sums(row.fetchone())

    def close(self) -> None:
        """Fold the write-ahead log into the file."""
        self._db.close()


def _encode(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _sums(row: tuple[str] | None) -> Sums | None:
    return None if row is None else msgspec.json.decode(row[0], type=Sums)


def curve(path: Path, since_ms: int, until_ms: int) -> list[tuple[int, Sums]]:
    """Samples of a span, the last of each step so that there are at most `MOST_POINTS`; sqlite3.Error if unreadable."""
    step = max(1, (until_ms - since_ms) // MOST_POINTS)
    query = (
        "SELECT at_ms, body FROM results WHERE at_ms IN "
        "(SELECT max(at_ms) FROM results WHERE at_ms >= ? GROUP BY at_ms / ?) ORDER BY at_ms"
    )
    return [(at, msgspec.json.decode(body, type=Sums)) for at, body in _read(path, query, since_ms, step)]


def first_ms(path: Path) -> int | None:
    """When the first result was kept."""
    found = _read(path, "SELECT min(at_ms) FROM results")[0][0]
    return None if found is None else int(found)


def market_curve(path: Path, coin: str, since_ms: int) -> list[tuple[int, Quotation]]:
    """One market's samples."""
    # The path of a JSON key with a colon or a dot in it needs quotes.
    query = (
        "SELECT at_ms, json_extract(body, ?) FROM markets WHERE at_ms >= ? AND json_extract(body, ?) IS NOT NULL "
        "ORDER BY at_ms"
    )
    key = '$."' + coin.replace('"', "") + '"'
    return [(at, msgspec.json.decode(body, type=Quotation)) for at, body in _read(path, query, key, since_ms, key)]


def _read(path: Path, query: str, *values: str | int) -> list[Any]:
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0.2)
    try:
        return db.execute(query, values).fetchall()
    finally:
        db.close()
