"""`record convert DIR --out DIR`: a recording of ours as tables in our derived columns (Parquet), a file for each
market and day. Needs polars.

The recording is read once. Rows go to parts beside the place of the files, numbers as text; when all have been seen,
each column's scale is known, and the parts become one file. Memory holds `MOST_ROWS` rows, whatever the length.
"""

import errno
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from hip3.errors import ConfigError, WireError
from hip3.imports.layout import CONTEXT, DEPTH, EXCH_UNKNOWN, KEY, LOOKS, NUMBERS, TOUCH, TRADES, About
from hip3.imports.reading import Trade
from hip3.imports.scales import Seen
from hip3.imports.sources import lab
from hip3.record.folder import read
from hip3.record.lines import Record, channel_of
from hip3.record.segment import Damage

MOST_ROWS = 100_000
ROW_GROUP = 50_000
DAY_NS = 86_400_000_000_000
Row = tuple[Any, ...]
COLUMNS = {
    LOOKS.name: {
        "recv_ns": "Int64", "exch_ms": "Int64", "kind": "UInt8", "bid_px": "", "bid_sz": "", "ask_px": "", "ask_sz": "",
        "oracle": "", "mark": "", "mid": "", "funding": "", "oi": "", "flags": "UInt16",
    },
    TRADES.name: {
        "recv_ns": "Int64", "exch_ms": "Int64", "tid": "UInt64", "side": "String", "px": "", "sz": "",
        "crossed_user": "String",
    },
    DEPTH.name: {
        "recv_ns": "Int64", "exch_ms": "Int64", "side": "String", "level": "UInt16", "px": "", "sz": "", "n": "UInt32",
    },
}  # fmt: skip
"""Columns of each table and their types; those without one are numbers, and scaled."""


class _Level(msgspec.Struct):
    px: str
    sz: str
    n: int = 1


class _Bbo(msgspec.Struct):
    coin: str
    time: int
    bbo: tuple[_Level | None, _Level | None]


class _Ctx(msgspec.Struct):
    oraclePx: str  # noqa: N815 the exchange's own names
    markPx: str  # noqa: N815
    midPx: str | None = None  # noqa: N815
    funding: str | None = None
    openInterest: str | None = None  # noqa: N815


class _CtxData(msgspec.Struct):
    coin: str
    ctx: _Ctx


class _Book(msgspec.Struct):
    coin: str
    time: int
    levels: tuple[list[_Level], list[_Level]]


class _Trade(Trade):
    users: list[str] = msgspec.field(default_factory=list)
    """Buyer, seller."""


class _BboFrame(msgspec.Struct):
    data: _Bbo


class _CtxFrame(msgspec.Struct):
    data: _CtxData


class _BookFrame(msgspec.Struct):
    data: _Book


class _TradesFrame(msgspec.Struct):
    data: list[_Trade]


_bbo, _ctx = msgspec.json.Decoder(_BboFrame), msgspec.json.Decoder(_CtxFrame)
_book, _trades = msgspec.json.Decoder(_BookFrame), msgspec.json.Decoder(_TradesFrame)


class Rows:
    """Records become rows: (table, market, row). `unreadable` counts the frames that are none."""

    def __init__(self) -> None:
        self.unreadable = 0
        self._touch: dict[str, Row] = {}
        self._context: dict[str, Row] = {}
        self._of: dict[str, Callable[[int, bytes], Iterator[tuple[str, str, Row]]]] = {
            "bbo": self._bbo, "activeAssetCtx": self._ctx, "trades": self._trades, "l2Book": self._levels,
        }  # fmt: skip

    def of(self, record: Record) -> list[tuple[str, str, Row]]:
        """The rows of one record."""
        if record.d == "gap" and record.value.get("what") in ("up", "down"):
            self._touch.clear()  # what was known before a connection is not known in it
            self._context.clear()
        reader = self._of.get(channel_of(record.data)) if record.d == "in" else None
        if reader is None:
            return []
        try:
            return list(reader(record.t, record.data))
        except (msgspec.DecodeError, RecursionError):
            self.unreadable += 1
            return []

    def _bbo(self, t: int, data: bytes) -> Iterator[tuple[str, str, Row]]:
        found = _bbo.decode(data).data
        touch = tuple(text for side in found.bbo for text in ((None, None) if side is None else (side.px, side.sz)))
        self._touch[found.coin] = touch
        yield LOOKS.name, found.coin, (t, found.time, TOUCH, *touch, *self._context.get(found.coin, (None,) * 5), 0)

    def _ctx(self, t: int, data: bytes) -> Iterator[tuple[str, str, Row]]:
        found = _ctx.decode(data).data
        c = found.ctx
        context = (c.oraclePx, c.markPx, c.midPx, c.funding, c.openInterest)
        self._context[found.coin] = context
        touch = self._touch.get(found.coin, (None,) * 4)
        yield LOOKS.name, found.coin, (t, None, CONTEXT, *touch, *context, EXCH_UNKNOWN)

    def _trades(self, t: int, data: bytes) -> Iterator[tuple[str, str, Row]]:
        for one in _trades.decode(data).data:
            user = one.users[one.side == "A"] if len(one.users) == 2 else None
            yield TRADES.name, one.coin, (t, one.time, one.tid, one.side, one.px, one.sz, user)

    def _levels(self, t: int, data: bytes) -> Iterator[tuple[str, str, Row]]:
        found = _book.decode(data).data
        for side, levels in zip("BA", found.levels, strict=True):
            for number, level in enumerate(levels):
                yield DEPTH.name, found.coin, (t, found.time, side, number, level.px, level.sz, level.n)


class Files:
    """Rows go in, files come out below `folder`."""

    def __init__(self, polars: Any, folder: Path) -> None:
        self._polars, self._folder = polars, folder
        self._waiting: dict[tuple[str, str, str], list[Row]] = {}
        self._parts: dict[tuple[str, str, str], list[Path]] = {}
        self._seen: dict[tuple[str, str, str], dict[int, Seen]] = {}
        self._count = self._part = 0

    def add(self, table: str, coin: str, row: Row) -> None:
        """One row."""
        key = (table, coin, f"{datetime.fromtimestamp(row[0] // DAY_NS * 86_400, UTC):%Y-%m-%d}")
        if key not in self._seen:
            names = list(COLUMNS[table])
            self._seen[key] = {names.index(name): Seen() for name in NUMBERS[table]}
        for at, seen in self._seen[key].items():
            if row[at] is not None:
                seen.add(row[at])
        self._waiting.setdefault(key, []).append(row)
        self._count += 1
        if self._count >= MOST_ROWS:
            self._flush()

    def _flush(self) -> None:
        for key, rows in self._waiting.items():
            self._part += 1
            part = self._folder / "parts" / f"{self._part}.parquet"
            part.parent.mkdir(parents=True, exist_ok=True)
            self._frame(key[0], rows).write_parquet(part)
            self._parts.setdefault(key, []).append(part)
        self._waiting.clear()
        self._count = 0

    def _frame(self, table: str, rows: list[Row]) -> Any:
        types = {name: getattr(self._polars, kind or "String") for name, kind in COLUMNS[table].items()}
        return self._polars.DataFrame(rows, schema=types, orient="row")

    def end(self) -> int:
        """Write the files; how many."""
        self._flush()
        for key, parts in self._parts.items():
            table, coin, date = key
            names = list(COLUMNS[table])
            scales = {names[at]: scale for at, seen in self._seen[key].items() if (scale := seen.scale()) is not None}
            path = self._folder / "out" / table / quote(coin, safe=":").replace(".", "%2E") / f"{date}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            about = msgspec.json.encode(About(coin, scales)).decode()
            whole = [self._whole(name, scale.exponent) for name, scale in scales.items()]
            self._polars.scan_parquet(parts, glob=False).with_columns(whole).sink_parquet(
                path, metadata={KEY: about}, row_group_size=ROW_GROUP
            )
        return len(self._parts)

    def _whole(self, name: str, exponent: int) -> Any:
        """Text to int: the digits before and after the point, filled up; nothing is computed that could round."""
        polars = self._polars
        halves = polars.col(name).str.splitn(".", 2).struct
        tail = halves.field("field_1").fill_null("").str.pad_end(exponent, "0")
        return (halves.field("field_0") + tail).cast(polars.Int64).alias(name)


def convert(where: Path, out: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Convert; what there is now. ConfigError for a recording that cannot be read, OSError of the disk written to."""
    polars = lab("polars", "columns")
    if any((out / table).exists() for table in COLUMNS):
        raise ConfigError([f"{out} has tables already; name another folder with --out"])
    aside, damage = out / ".converting", list[Damage]()
    shutil.rmtree(aside, ignore_errors=True)
    rows, files, counts = Rows(), Files(polars, aside), dict.fromkeys(COLUMNS, 0)
    try:
        for record in read(where, damage):
            for table, coin, row in rows.of(record):
                files.add(table, coin, row)
                counts[table] += 1
        if not any(counts.values()):
            raise ConfigError([f"{where} has no frame of a market that could become a row"])
        say(f"writing {sum(counts.values())} rows")
        made = files.end()
        for folder in (aside / "out").iterdir():
            folder.rename(out / folder.name)
    except WireError as error:
        raise ConfigError([f"{where}: {error}; run ./run.sh record verify on it"]) from None
    except polars.exceptions.PolarsError as error:
        raise OSError(errno.EIO, str(error).partition("\n")[0], str(out)) from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    lost = {"unreadable": rows.unreadable, "damaged": len(damage)}
    return counts | {name: count for name, count in lost.items() if count} | {"files": made, "folder": out}
