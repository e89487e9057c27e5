"""Tables in files, CSV or Parquet, whichever a file is: row after row as cells. IO."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from hip3.imports import frames, parquet
from hip3.imports.cells import Cells, Table, table_of
from hip3.imports.faults import Faults
from hip3.imports.frames import Line
from hip3.imports.reading import Wish
from hip3.imports.sources import is_pointer, lines_of


def rows(path: Path, faults: Faults, wish: Wish, tables: Sequence[Table]) -> Iterator[tuple[str, Cells]]:
    """(name of the table, row) of a file whose head is that of one of `tables`."""
    if is_pointer(path, faults):
        return
    yield from (_parquet if parquet.is_one(path) else _csv)(path, faults, wish, tables)


def _csv(path: Path, faults: Faults, wish: Wish, tables: Sequence[Table]) -> Iterator[tuple[str, Cells]]:
    text = (line.decode(errors="replace") for _, line in lines_of(path, faults, wish.format, torn=wish.torn))
    reader = csv.reader(text)
    try:
        head = next(reader, None)
        table = None if head is None else table_of(path, "row 1", head, tables, faults)
        if head is None or table is None:
            return
        columns = {column: head.index(name) for column, name in table.found(head).items()}
        for row in reader:
            where = f"row {reader.line_num}"
            if len(row) != len(head):
                do = "is the file whole? else give --torn"
                faults.add(path, where, f"{len(head)} columns", ",".join(row), do)
                continue
            yield table.name, Cells({column: row[at] for column, at in columns.items()}, path, where, faults)
    except csv.Error as error:
        faults.file(path, f"row {reader.line_num}: is no row of a CSV file ({error}); is it another format?")


def _parquet(path: Path, faults: Faults, wish: Wish, tables: Sequence[Table]) -> Iterator[tuple[str, Cells]]:
    head = parquet.head_of(path, faults, wish.format)
    table = None if head is None else table_of(path, "its columns", head.names, tables, faults)
    if head is None or table is None:
        return
    found = table.found(head.names)
    columns = list(found)
    for number, row in parquet.rows_of(path, head, list(found.values()), faults, torn=wish.torn):
        yield table.name, Cells(dict(zip(columns, row, strict=True)), path, f"row {number}", faults)


def snapshot(cells: Cells, coin: str, at_ns: int, touches: frames.Touches) -> list[Line]:
    """An order book of the columns `bids` and `asks`, and its touch where it is another one; nothing of a bad row."""
    bids, asks = cells.levels("bids"), cells.levels("asks")
    if cells.bad:
        return []
    time_ms = at_ns // 10**6
    lines = [Line(at_ns, frames.book(coin, time_ms, bids, asks), cells.where)]
    bid, ask = (side[0][:2] if side else None for side in (bids, asks))
    if touches.changed(coin, bid, ask):
        lines.append(Line(at_ns, frames.bbo(coin, time_ms, bid, ask), cells.where))
    return lines
