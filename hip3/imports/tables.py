"""Formats in tables: tardis.dev's CSV, the archive's asset contexts, CoinAPI's oracle prices."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hip3.imports import frames
from hip3.imports.faults import Faults
from hip3.imports.frames import Line, coin_of_symbol, iso_ns, number, positive
from hip3.imports.reading import Wish, known
from hip3.imports.sources import lines_of

Row = dict[str, str]
QUOTES = ("exchange", "symbol", "timestamp", "local_timestamp", "ask_amount", "ask_price", "bid_price", "bid_amount")
TRADES = ("exchange", "symbol", "timestamp", "local_timestamp", "id", "side", "price", "amount")
TICKER = (
    "exchange", "symbol", "timestamp", "local_timestamp", "funding_timestamp", "funding_rate",
    "predicted_funding_rate", "open_interest", "last_price", "index_price", "mark_price",
)  # fmt: skip
CONTEXTS = (
    "time", "coin", "funding", "open_interest", "prev_day_px", "day_ntl_vlm", "premium", "oracle_px", "mark_px",
    "mid_px", "impact_bid_px", "impact_ask_px",
)  # fmt: skip
COINAPI = (
    "time_exchange", "time_coinapi", "coin_id", "update_class", "mark_px", "mark_daily_px", "oracle_px",
    "oracle_daily_px",
)  # fmt: skip


def _snapshot(depth: int) -> tuple[str, ...]:
    sides = [f"{side}[{n}].{what}" for n in range(depth) for side in ("asks", "bids") for what in ("price", "amount")]
    return ("exchange", "symbol", "timestamp", "local_timestamp", *sides)


SNAPSHOTS = {depth: _snapshot(depth) for depth in (5, 25)}


class Cells:
    """One row of a table: reads cells, and tells what is wrong with one. `bad` is whether anything was."""

    def __init__(self, row: Row, path: Path, where: str, faults: Faults) -> None:
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
        """A number, or None where the cell is empty."""
        return self.number(column) if self.row[column] not in ("", "null", "None") else None

    def whole(self, column: str) -> int:
        """A whole number."""
        if not self.row[column].isdecimal():
            self.wrong(column, "a whole number")
            return 0
        return int(self.row[column])

    def side(self, bid: bool, px: str, sz: str) -> frames.Level | None:
        """Price and size of a side, None where it is empty."""
        if self.row[px] in ("", "null") and self.row[sz] in ("", "null"):
            return None
        return self.positive(px), self.positive(sz)


def _rows(path: Path, faults: Faults, wish: Wish, tables: dict[str, tuple[str, ...]]) -> Iterator[tuple[str, Cells]]:
    """(kind of table, row) of a CSV file whose head is one of `tables`."""
    text = (line.decode(errors="replace") for _, line in lines_of(path, faults, wish.format, torn=wish.torn))
    reader = csv.reader(text)
    head = next(reader, None)
    if head is None:
        return
    kind = next((name for name, columns in tables.items() if tuple(head) == columns), "")
    if not kind:
        _head(path, head, tables, faults)
        return
    columns = tables[kind]
    for row in reader:
        where = f"row {reader.line_num}"
        if len(row) != len(columns):
            faults.add(path, where, f"{len(columns)} columns", ",".join(row), "is the file whole? else give --torn")
            continue
        yield kind, Cells(dict(zip(columns, row, strict=True)), path, where, faults)


def _head(path: Path, head: list[str], tables: dict[str, tuple[str, ...]], faults: Faults) -> None:
    """What is wrong with a head: against the table that it is most like."""
    name, columns = max(tables.items(), key=lambda item: len(set(item[1]) & set(head)))
    missing, unknown = [c for c in columns if c not in head], [c for c in head if c not in columns]
    if len(missing) == len(columns):
        faults.add(path, "row 1", f"the columns of {', '.join(tables)}", ",".join(head), "is it another format?")
        return
    for column in missing:
        faults.file(path, f"row 1: column {column} of {name} is missing; get the file again")
    for column in unknown:
        faults.file(path, f"row 1: column {column[:60]} is none of {name}; it is another version of the format")
    if not missing and not unknown:
        faults.add(path, "row 1", f"the columns {','.join(columns)}", ",".join(head), "put them in this order")


def tardis_csv(path: Path, faults: Faults, wish: Wish) -> Iterator[Line]:
    """quotes, trades, derivative_ticker, book_snapshot_5 and _25; times in microseconds."""
    tables = {"quotes": QUOTES, "trades": TRADES, "derivative_ticker": TICKER}
    tables |= {f"book_snapshot_{depth}": columns for depth, columns in SNAPSHOTS.items()}
    makers: dict[str, Callable[[Cells, str, int], bytes]] = {
        "quotes": _quote,
        "trades": _trade,
        "derivative_ticker": _tick,
    }
    for kind, cells in _rows(path, faults, wish, tables):
        coin = coin_of_symbol(cells.row["symbol"], wish.known)
        if not wish.wants(coin) or not known(coin, path, cells.where, faults, wish, column="symbol"):
            continue
        local_us, time_ms = cells.whole("local_timestamp"), cells.whole("timestamp") // 1000
        data = makers.get(kind, _book)(cells, coin, time_ms)
        if not cells.bad and data:
            yield Line(local_us * 1000, data, cells.where)


def _quote(cells: Cells, coin: str, time_ms: int) -> bytes:
    bid, ask = cells.side(True, "bid_price", "bid_amount"), cells.side(False, "ask_price", "ask_amount")
    return frames.bbo(coin, time_ms, bid, ask)


def _trade(cells: Cells, coin: str, time_ms: int) -> bytes:
    side = {"buy": "B", "sell": "A"}.get(cells.row["side"])
    if side is None:
        cells.wrong("side", "buy or sell")
    px, sz, tid = cells.positive("price"), cells.positive("amount"), cells.whole("id")
    return frames.trades([{"coin": coin, "side": side, "px": px, "sz": sz, "time": time_ms, "tid": tid}])


def _tick(cells: Cells, coin: str, time_ms: int) -> bytes:
    """A ticker without an oracle yet says nothing."""
    oracle = cells.maybe("index_price")
    if oracle is None:
        return b""
    more = {"funding": cells.maybe("funding_rate"), "openInterest": cells.maybe("open_interest")}
    return frames.context(coin, oracle, cells.maybe("mark_price") or oracle, **more)


def _book(cells: Cells, coin: str, time_ms: int) -> bytes:
    depth = sum(column.startswith("asks[") for column in cells.row) // 2
    sides: list[list[Any]] = []
    for side in ("bids", "asks"):
        levels = [cells.side(side == "bids", f"{side}[{n}].price", f"{side}[{n}].amount") for n in range(depth)]
        sides.append([level for level in levels if level is not None])
    return frames.book(coin, time_ms, sides[0], sides[1])


def contexts(path: Path, faults: Faults, wish: Wish) -> Iterator[Line]:
    """hl-asset-ctxs: a row a minute; empty where nothing was known, and now and then twice."""
    seen: set[tuple[str, str]] = set()
    for _, cells in _rows(path, faults, wish, {"asset_ctxs": CONTEXTS}):
        coin, stamp = cells.row["coin"], cells.row["time"]
        if not wish.wants(coin) or not known(coin, path, cells.where, faults, wish):
            continue
        at_ns = iso_ns(stamp)
        if at_ns is None:
            cells.wrong("time", "a time like 2026-09-01T00:00:00Z")
            continue
        if (stamp, coin) in seen:
            continue
        seen.add((stamp, coin))
        oracle = cells.maybe("oracle_px")
        mark = cells.maybe("mark_px")
        more = {
            "funding": cells.maybe("funding"),
            "openInterest": cells.maybe("open_interest"),
            "midPx": cells.maybe("mid_px"),
        }
        if oracle is not None and not cells.bad:
            yield Line(at_ns, frames.context(coin, oracle, mark or oracle, **more), cells.where)


def coinapi(path: Path, faults: Faults, wish: Wish) -> Iterator[Line]:
    """Oracle and mark as the deployer published them, with the exchange's own time."""
    for _, cells in _rows(path, faults, wish, {"coinapi": COINAPI}):
        coin = coin_of_symbol(cells.row["coin_id"], wish.known)
        if not wish.wants(coin) or not known(coin, path, cells.where, faults, wish, column="coin_id"):
            continue
        at_ns = iso_ns(cells.row["time_coinapi"])
        if at_ns is None:
            cells.wrong("time_coinapi", "a time like 2026-09-01T00:00:00.0000000Z")
            continue
        data = frames.context(coin, cells.positive("oracle_px"), cells.positive("mark_px"))
        if not cells.bad:
            yield Line(at_ns, data, cells.where)
