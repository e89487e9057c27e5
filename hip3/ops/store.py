"""The journal on disk: SQLite, one writer (the journal thread), readers by their own connection.

One table of records in order of writing, with what one looks them up by: kind, cloid, coin. WAL, so that
`explain` reads while the service writes. A record is JSON; Decimals are strings.
"""

import sqlite3
from pathlib import Path
from typing import Any

import msgspec

VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
  id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, cloid TEXT, coin TEXT, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS records_cloid ON records (cloid) WHERE cloid IS NOT NULL;
CREATE INDEX IF NOT EXISTS records_kind ON records (kind);
"""

Row = tuple[int, str, str | None, str | None, str]


class JournalStore:
    """Confined to the journal thread. sqlite3.Error from any method: the journal is not writable."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        if found > VERSION:
            raise sqlite3.DatabaseError(f"{path} was written by a newer version ({found})")
        self._db.executescript(_SCHEMA)
        self._db.execute(f"PRAGMA user_version={VERSION}")

    def write(self, rows: list[Row]) -> None:
        """Append records in one transaction."""
        self._db.execute("BEGIN")
        try:
            self._db.executemany("INSERT INTO records (at_ms, kind, cloid, coin, body) VALUES (?,?,?,?,?)", rows)
        except sqlite3.Error:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def close(self) -> None:
        """Fold the write-ahead log into the file."""
        self._db.close()


def _plain(value: Any) -> Any:
    """What JSON does not know: by name or text."""
    return getattr(value, "value", None) or str(value)


def encode(fields: dict[str, Any]) -> str:
    """The body of a record."""
    return msgspec.json.encode(fields, enc_hook=_plain).decode()


def subject(fields: dict[str, Any]) -> tuple[str | None, str | None]:
    """(cloid, coin) of a record, wherever they stand in it."""
    for value in fields.values():
        order = getattr(value, "order", value)
        cloid = getattr(order, "cloid", None) or getattr(getattr(value, "fill", None), "cloid", None)
        coin = getattr(order, "coin", None) or getattr(getattr(value, "fill", None), "coin", None)
        if cloid or coin:
            return cloid, coin
    cloid = fields.get("cloid")
    return (cloid if isinstance(cloid, str) else None), None


def story(path: Path, cloid: str) -> list[tuple[int, str, dict[str, Any]]]:
    """Every record that names `cloid`, in order: (at_ms, kind, fields)."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        query = "SELECT at_ms, kind, body FROM records WHERE cloid = ? OR body LIKE ? ORDER BY id"
        rows = db.execute(query, (cloid, f"%{cloid}%")).fetchall()
    finally:
        db.close()
    return [(at_ms, kind, msgspec.json.decode(body)) for at_ms, kind, body in rows]
