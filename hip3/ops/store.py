"""The journal on disk: SQLite, one writer (the journal thread), readers by their own connection.

`records` holds what happened in order of writing, `names` which orders a record is about, `facts` the latest
value of what a restart needs. WAL, so that `explain` reads while the service writes. A record is JSON;
Decimals are strings.
"""

import re
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

_MIGRATIONS = (
    """
CREATE TABLE records (
  id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, cloid TEXT, coin TEXT, body TEXT NOT NULL);
CREATE INDEX records_cloid ON records (cloid) WHERE cloid IS NOT NULL;
CREATE INDEX records_kind ON records (kind);
""",
    """
CREATE TABLE names (cloid TEXT NOT NULL, record INTEGER NOT NULL);
INSERT INTO names SELECT cloid, id FROM records WHERE cloid IS NOT NULL;
DROP INDEX records_cloid;
CREATE INDEX names_cloid ON names (cloid);
CREATE TABLE facts (name TEXT PRIMARY KEY, body TEXT NOT NULL);
""",
    """
CREATE INDEX names_record ON names (record);
CREATE INDEX records_at ON records (at_ms);
""",
)
"""What brings a file from each version to the next; `records.cloid` is of version 1 alone."""
CHECKED_BYTES = 64_000_000
"""Of larger files only what a restart needs is read through at the start, which should take less than two seconds."""

_SIZES = ("page_count", "freelist_count", "page_size")
Row = tuple[int, str, str | None, str]
"""(at_ms, kind, coin, body)."""
_CLOID = re.compile(r'"(?:cloid|predecessor)":"(0x[0-9a-f]{32})"')


class JournalStore:
    """Confined to the journal thread. sqlite3.Error from any method: the journal is not writable."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        if found > len(_MIGRATIONS):
            raise sqlite3.OperationalError(f"{path} was written by a newer version ({found})")
        whole = path.stat().st_size <= CHECKED_BYTES
        (verdict,) = self._db.execute(f"PRAGMA quick_check({1 if whole or found < 2 else 'facts'})").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"{path} is damaged: {verdict}")
        for number, script in enumerate(_MIGRATIONS[found:], found + 1):
            self._db.executescript(f"BEGIN;{script}PRAGMA user_version={number};COMMIT;")

    def write(self, rows: Iterable[Row], facts: dict[str, str]) -> None:
        """Append records and replace facts in one transaction."""
        self._db.execute("BEGIN")
        try:
            for at_ms, kind, coin, body in rows:
                done = self._db.execute(
                    "INSERT INTO records (at_ms, kind, coin, body) VALUES (?,?,?,?)", (at_ms, kind, coin, body)
                )
                named = {(cloid, done.lastrowid) for cloid in _CLOID.findall(body)}
                self._db.executemany("INSERT INTO names VALUES (?,?)", named)
            self._db.executemany("INSERT OR REPLACE INTO facts VALUES (?,?)", facts.items())
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def prune(self, before_ms: int, most_bytes: int, live: Iterable[str], most_rows: int) -> int:
        """Delete the oldest records: those of before `before_ms` (wall time), and more while the file holds more than
        `most_bytes`; what names an order of `live` stays. At most `most_rows` of them; how many there were.

        Pages that fall free are used again, so the file stays as large as it was, and no larger.
        """
        pages, free, size = (self._db.execute(f"PRAGMA {p}").fetchone()[0] for p in _SIZES)
        full = (pages - free) * size > most_bytes
        live = list(live)
        named = f"SELECT record FROM names WHERE cloid IN ({','.join('?' * len(live))})"  # noqa: S608 marks alone
        ids = [
            row[0]
            for row in self._db.execute(
                f"SELECT id FROM records WHERE (? OR at_ms < ?) AND id NOT IN ({named}) ORDER BY id LIMIT ?",  # noqa: S608
                (full, before_ms, *live, most_rows),
            )
        ]
        if not ids:
            return 0
        self._db.execute("BEGIN")
        try:
            self._db.executemany("DELETE FROM names WHERE record = ?", ((i,) for i in ids))
            self._db.executemany("DELETE FROM records WHERE id = ?", ((i,) for i in ids))
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        return len(ids)

    def fact(self, name: str) -> str | None:
        """The latest value of a fact, or None."""
        row = self._db.execute("SELECT body FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def knows(self, cloid: str) -> bool:
        """Whether any record names the order."""
        return self._db.execute("SELECT 1 FROM names WHERE cloid = ? LIMIT 1", (cloid,)).fetchone() is not None

    def close(self) -> None:
        """Fold the write-ahead log into the file."""
        self._db.close()


def damages(error: Exception) -> bool:
    """Whether it says that the file is damaged, and not that the disk, a lock or a permission is in the way."""
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)


def open_store(path: Path, at_ms: int, *, damaged: bool = False) -> tuple[JournalStore, Path | None]:
    """The journal at `path`; a damaged one is set aside under the returned name and a new one begun. `damaged`: it is
    known to be, by what writing to it said.

    sqlite3.OperationalError: it cannot be opened (permissions, disk, a newer version), which is no damage.
    """
    try:
        if not damaged:
            return JournalStore(path), None
    except sqlite3.DatabaseError as error:
        if not damages(error):
            raise
    aside = path.with_name(f"{path.name}.damaged-{at_ms}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return JournalStore(path), aside


def _plain(value: Any) -> Any:
    """What JSON does not know: by its own plain form, by name, or as text."""
    plain = getattr(value, "plain", None)
    if plain is not None:
        return plain()
    return getattr(value, "value", None) or str(value)


def encode(fields: object) -> str:
    """The body of a record."""
    return msgspec.json.encode(fields, enc_hook=_plain).decode()


def coin_of(fields: dict[str, Any]) -> str | None:
    """The market a record is about, wherever it stands in it."""
    for value in fields.values():
        inner = getattr(value, "order", None) or getattr(value, "fill", None) or value
        coin = getattr(inner, "coin", None)
        if isinstance(coin, str):
            return coin
    named = fields.get("coin")
    return named if isinstance(named, str) else None


def kept(path: Path, name: str) -> str | None:
    """The latest value of a fact, for who is not the journal thread; sqlite3.Error if it cannot be read."""
    found = _read(path, "SELECT body FROM facts WHERE name = ?", name)
    return str(found[0][0]) if found else None


Story = list[tuple[int, str, dict[str, Any]]]


def story(path: Path, cloid: str) -> Story:
    """Every record that names `cloid`, in order: (at_ms, kind, fields)."""
    query = (
        "SELECT DISTINCT r.id, r.at_ms, r.kind, r.body FROM names n JOIN records r ON r.id = n.record "
        "WHERE n.cloid = ? ORDER BY r.id"
    )
    return [(at, kind, msgspec.json.decode(body)) for _, at, kind, body in _read(path, query, cloid)]


def cloids_like(path: Path, part: str) -> list[str]:
    """The newest orders whose cloid ends in `part`."""
    query = "SELECT cloid FROM names WHERE cloid LIKE ? GROUP BY cloid ORDER BY max(record) DESC LIMIT 10"
    return [str(row[0]) for row in _read(path, query, f"%{part}")]


def _read(path: Path, query: str, *values: str) -> list[Any]:
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return db.execute(query, values).fetchall()
    finally:
        db.close()
