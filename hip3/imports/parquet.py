"""Parquet files as rows of text, some at a time: memory holds what is being read, never a file. Needs polars. IO.

Text and whole numbers stand as they are, decimals without the zeros that fill up their column, floats as the shortest
decimal that is that float, times as nanoseconds, lists as JSON.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from hip3.imports.faults import Faults
from hip3.imports.sources import lab

CHUNK = 65_536
"""Rows that are in memory at a time. A slice decodes what it touches of a row group, so that reading in slices takes no
more memory for a longer file; polars' own batches look many row groups ahead."""
_MAGIC = b"PAR1"


class Head(msgspec.Struct, frozen=True):
    """What a file says before its rows."""

    polars: Any
    lazy: Any
    schema: dict[str, Any]
    about: dict[str, str]
    """Its writer's own metadata."""

    @property
    def names(self) -> list[str]:
        """Its columns."""
        return list(self.schema)

    def whole(self, column: str) -> bool:
        """Whether a column holds whole numbers."""
        return bool(self.schema[column].is_integer())


def is_one(path: Path) -> bool:
    """Whether a file begins as Parquet does."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def head_of(path: Path, faults: Faults, what: str) -> Head | None:
    """The head; None: what is wrong is told."""
    polars = lab("polars", what)
    try:
        # Names of folders like date=2026-09-21 are no columns, and brackets no pattern.
        lazy = polars.scan_parquet(path, glob=False, hive_partitioning=False)
        return Head(polars, lazy, dict(lazy.collect_schema()), polars.read_parquet_metadata(path))
    except _errors(polars) as error:
        text = "its index stands at its end, so nothing of it can be read, not with --torn either; get it again"
        faults.file(path, f"is no whole Parquet file ({_said(error)}); {text}")
        return None


def rows_of(
    path: Path, head: Head, names: Sequence[str], faults: Faults, *, torn: bool
) -> Iterator[tuple[int, list[str]]]:
    """(number from 1, texts of the columns `names`) of each row. A file that is damaged is a fault; with `torn` it is
    read up to there."""
    polars, number = head.polars, 0
    floats = [name for name in names if _inexact(polars, head.schema[name])]
    if floats:
        text = f"numbers of the float columns {', '.join(floats)} are the shortest decimals that are those floats"
        faults.assume(text)
    chosen = head.lazy.select([_text(polars, name, head.schema[name]) for name in names])
    try:
        while number % CHUNK == 0:
            piece = chosen.slice(number, CHUNK).collect(engine="streaming")
            for number, row in enumerate(piece.iter_rows(), number + 1):  # noqa: B020 it goes on where it was
                yield number, [_plain(cell) for cell in row]
            if not len(piece):
                return
    except _errors(polars) as error:
        if not torn:
            faults.file(path, f"is damaged after row {number} ({_said(error)}); get it again, or take it with --torn")


def _errors(polars: Any) -> tuple[type[BaseException], ...]:
    return (polars.exceptions.PolarsError, polars.exceptions.PanicException, OSError)


def _said(error: BaseException) -> str:
    return str(error).partition("\n")[0][:120]


def _inexact(polars: Any, kind: Any) -> bool:
    """Whether a column, or a list's elements, are floats."""
    inner = [kind.inner] if hasattr(kind, "inner") else [f.dtype for f in getattr(kind, "fields", ())]
    return kind in (polars.Float32, polars.Float64) or any(_inexact(polars, one) for one in inner)


def _text(polars: Any, name: str, kind: Any) -> Any:
    """The expression of a column as text; lists as they are."""
    column = polars.col(name)
    if kind.is_nested():
        return column
    if _inexact(polars, kind):
        return column.cast(polars.String).str.strip_suffix(".0")
    if kind.is_decimal() and kind.scale:
        return column.cast(polars.String).str.strip_chars_end("0").str.strip_chars_end(".")
    if kind == polars.Datetime:
        return column.dt.epoch("ns").cast(polars.String)
    return column.cast(polars.String, strict=False)


def _plain(cell: Any) -> str:
    if cell is None:
        return ""
    return cell if isinstance(cell, str) else msgspec.json.encode(cell).decode()
