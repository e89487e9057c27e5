"""Tables: which columns one has, and cells that are read with a fault for each that is wrong. Pure."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from hip3.imports import frames
from hip3.imports.faults import Faults
from hip3.imports.frames import moment_ns, number, positive

NOTHING = ("", "null", "None")
"""How sources write a cell that is empty."""
_levels = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of table of a format."""

    name: str
    needs: tuple[str, ...]
    may: tuple[str, ...] = ()
    """Columns that may be missing."""
    also: dict[str, tuple[str, ...]] = {}
    """Other names of a column, the likelier first."""
    ordered: bool = False
    """Whether the columns stand in this order and no other."""
    others: bool = False
    """Whether there may be columns that are not named here: the source does not say which it has."""

    def found(self, head: Sequence[str]) -> dict[str, str]:
        """Column -> its name in a head, of those that are there."""
        names = ((column, (column, *self.also.get(column, ()))) for column in (*self.needs, *self.may))
        there = ((column, [name for name in known if name in head]) for column, known in names)
        return {column: names[0] for column, names in there if names}

    def missing(self, head: Sequence[str]) -> list[str]:
        """What it needs and has not, with its other names."""
        there = self.found(head)
        return [" or ".join((c, *self.also.get(c, ()))) for c in self.needs if c not in there]

    def unknown(self, head: Sequence[str]) -> list[str]:
        """Columns that it has not."""
        known = {*self.needs, *self.may, *(name for names in self.also.values() for name in names)}
        return [] if self.others else [column for column in head if column not in known]

    def fits(self, head: Sequence[str]) -> bool:
        """Whether this is its head."""
        return tuple(head) == self.needs if self.ordered else not self.missing(head) and not self.unknown(head)


def table_of(path: Path, where: str, head: Sequence[str], tables: Sequence[Table], faults: Faults) -> Table | None:
    """The table whose head this is; None: what is wrong is told, against the one that it is most like."""
    for table in tables:
        if table.fits(head):
            return table
    table = max(tables, key=lambda t: len(t.found(head)))
    missing, unknown = table.missing(head), table.unknown(head)
    if not table.found(head):
        names = ", ".join(t.name for t in tables)
        faults.add(path, where, f"the columns of {names}", ",".join(head), "is it another format?")
        return None
    do = "get the file again"
    if table.others:
        do = f"the file has {', '.join(head)}"[:300] + "; name the files of the oracle alone"
    for column in missing:
        faults.file(path, f"{where}: column {column} of {table.name} is missing; {do}")
    for column in unknown:
        faults.file(path, f"{where}: column {column[:60]} is none of {table.name}; it is another version of the format")
    if not missing and not unknown:
        faults.add(path, where, f"the columns {','.join(table.needs)}", ",".join(head), "put them in this order")
    return None


class Cells:
    """One row of a table: reads cells, and tells what is wrong with one. `bad` is whether anything was."""

    def __init__(self, row: dict[str, str], path: Path, where: str, faults: Faults) -> None:
        self.row, self._path, self.where, self._faults = row, path, where, faults
        self.bad = False

    def wrong(self, column: str, expected: str) -> None:
        """That cell is none of what was expected."""
        self.bad = True
        do = "repair the row or leave it away"
        self._faults.add(self._path, self.where, expected, self.row[column], do, column=column)

    def number(self, column: str) -> str:
        """A number as it stands."""
        return self._as(column, "a number", number)

    def positive(self, column: str) -> str:
        """A number above 0 as it stands."""
        return self._as(column, "a number above 0", positive)

    def _as(self, column: str, expected: str, read: Callable[[str], str | None]) -> str:
        found = read(self.row[column])
        if found is None:
            self.wrong(column, expected)
        return found or "0"

    def maybe(self, column: str) -> str | None:
        """A number, or None where the cell is empty or the table has no such column."""
        return self.number(column) if self.row.get(column, "") not in NOTHING else None

    def whole(self, column: str) -> int:
        """A whole number."""
        if not self.row[column].isdecimal():
            self.wrong(column, "a whole number")
            return 0
        return int(self.row[column])

    def one_of(self, column: str, words: dict[str, str]) -> str:
        """What one of these words stands for."""
        found = words.get(self.row[column])
        if found is None:
            self.wrong(column, " or ".join(words))
        return found or ""

    def moment(self, column: str) -> int:
        """Nanoseconds of a time: ISO, or whole seconds, milli-, micro- or nanoseconds."""
        at_ns = moment_ns(self.row[column])
        if at_ns is None:
            self.wrong(column, "a time like 2026-09-01T00:00:00Z, or like 1790000000000")
        return at_ns or 0

    def side(self, px: str, sz: str) -> frames.Level | None:
        """Price and size of a side, None where it is empty."""
        if self.row[px] in ("", "null") and self.row[sz] in ("", "null"):
            return None
        return self.positive(px), self.positive(sz)

    def levels(self, column: str) -> list[frames.Deep]:
        """Levels of a side, the best first, of a list of objects; none where the cell is empty."""
        if self.row[column] in NOTHING:
            return []
        try:
            found = [_level(level) for level in _levels.decode(self.row[column])]
        except (msgspec.DecodeError, KeyError, ValueError, RecursionError):
            self.wrong(column, 'levels like [{"px":"1.5","sz":"2","n":1}], numbers above 0')
            return []
        return found


def _level(level: dict[str, msgspec.Raw]) -> frames.Deep:
    """KeyError, ValueError where it is none."""
    raw = [level[short] if short in level else level[long] for short, long in (("px", "price"), ("sz", "size"))]
    px, sz = positive(_text(raw[0])), positive(_text(raw[1]))
    if px is None or sz is None:
        raise ValueError("no price, or no size")
    return px, sz, int(_text(level["n"])) if "n" in level else 1


def _text(raw: msgspec.Raw) -> str:
    """A number of JSON: text as it stands, a float without the zero that makes it one."""
    text = bytes(raw).decode()
    return text[1:-1] if text.startswith('"') else text.removesuffix(".0")
