"""Formats of the exchange's public archive: order books, and fills by block."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from hip3.imports import frames
from hip3.imports.faults import Faults
from hip3.imports.frames import Line, iso_ns, positive
from hip3.imports.reading import Wish, known, raw_frame
from hip3.imports.sources import lines_of

T = TypeVar("T")


class _Level(msgspec.Struct):
    px: str
    sz: str


class _Data(msgspec.Struct):
    coin: str
    time: int
    levels: tuple[list[_Level], list[_Level]]


class _Frame(msgspec.Struct):
    data: _Data


class _Seen(msgspec.Struct):
    time: str
    raw: msgspec.Raw


class _Block(msgspec.Struct):
    local_time: str
    events: list[tuple[str, dict[str, Any]]]


_seen = msgspec.json.Decoder(_Seen)
_frame = msgspec.json.Decoder(_Frame)
_block = msgspec.json.Decoder(_Block)
_FILL = {"coin": str, "px": str, "sz": str, "side": str, "time": int, "tid": int, "crossed": bool}


def books(path: Path, faults: Faults, wish: Wish) -> Iterator[Line]:
    """hl-archive: each order book as it came, and the touch where it is another one."""
    touches = frames.Touches()
    for where, at_ns, seen in _dated(path, faults, wish, _seen, ("time", "raw"), "is it another format?"):
        data = bytes(seen.raw)
        if not raw_frame(data, path, where, faults, wish):
            continue
        yield Line(at_ns, data, where)
        if data.startswith(b'{"channel":"l2Book"'):
            book = _frame.decode(data).data
            bid, ask = ((side[0].px, side[0].sz) if side else None for side in book.levels)
            if touches.changed(book.coin, bid, ask):
                yield Line(at_ns, frames.bbo(book.coin, book.time, bid, ask), where)


def fills(path: Path, faults: Faults, wish: Wish) -> Iterator[Line]:
    """hl-fills: the takers' rows as trades, by market; each trade is in the file twice, once for each side."""
    names = ("local_time", "events")
    for where, at_ns, block in _dated(path, faults, wish, _block, names, "is it node_fills_by_block?"):
        by_coin: dict[str, list[dict[str, Any]]] = {}
        for _, fill in block.events:
            row = _trade(fill, path, where, faults)
            if row is not None and wish.wants(row["coin"]) and known(row["coin"], path, where, faults, wish):
                by_coin.setdefault(row["coin"], []).append(row)
        for rows in by_coin.values():
            yield Line(at_ns, frames.trades(rows), where)


def _dated(
    path: Path, faults: Faults, wish: Wish, decoder: msgspec.json.Decoder[T], names: tuple[str, str], hint: str
) -> Iterator[tuple[str, int, T]]:
    """(place, nanoseconds, line) of each line that is one: an object with `names`, the first of them its time."""
    column, what = names
    for number, text in lines_of(path, faults, wish.format, torn=wish.torn):
        where = f"line {number}"
        try:
            line = decoder.decode(text)
        except msgspec.DecodeError:
            faults.add(path, where, f"an object with {column} and {what}", text, hint)
            continue
        stamp = getattr(line, column)
        at_ns = iso_ns(stamp)
        if at_ns is None:
            wanted = "a time like 2026-09-01T00:00:00.000000000"
            faults.add(path, where, wanted, stamp, "get the file again", column=column)
            continue
        yield where, at_ns, line


def _trade(fill: dict[str, Any], path: Path, where: str, faults: Faults) -> dict[str, Any] | None:
    """The taker's row; None for the maker's, and for one that is told."""
    for name, kind in _FILL.items():
        value = fill.get(name)
        fits = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
        if (
            not fits
            or (name in ("px", "sz") and positive(str(value)) is None)
            or (name == "side" and value not in ("A", "B"))
        ):
            wanted = {"side": "A or B", "crossed": "true or false"}.get(
                name, "a number" if name != "coin" else "a name"
            )
            faults.add(path, where, wanted, value, "get the file again", column=name)
            return None
    if not fill["crossed"]:
        return None
    return {name: fill[name] for name in ("coin", "side", "px", "sz", "time", "tid")}
