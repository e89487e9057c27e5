"""Formats of the exchange's public archive: order books, and fills by block."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from hip3.imports import frames
from hip3.imports.faults import Faults
from hip3.imports.frames import Line, iso_ns, positive
from hip3.imports.reading import Wish, known, raw_frame
from hip3.imports.sources import lines_of


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
    for number, text in lines_of(path, faults, "hl-archive", torn=wish.torn):
        where = f"line {number}"
        try:
            seen = _seen.decode(text)
        except msgspec.DecodeError:
            faults.add(path, where, "an object with time and raw", text, "is it another format?")
            continue
        at_ns = iso_ns(seen.time)
        if at_ns is None:
            faults.add(
                path, where, "a time like 2026-09-01T00:00:00.000000000", seen.time, "get the file again", column="time"
            )
            continue
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
    for number, text in lines_of(path, faults, "hl-fills", torn=wish.torn):
        where = f"line {number}"
        try:
            block = _block.decode(text)
        except msgspec.DecodeError:
            faults.add(path, where, "an object with local_time and events", text, "is it node_fills_by_block?")
            continue
        at_ns = iso_ns(block.local_time)
        if at_ns is None:
            do = "get the file again"
            faults.add(
                path, where, "a time like 2026-09-01T00:00:00.000000000", block.local_time, do, column="local_time"
            )
            continue
        by_coin: dict[str, list[dict[str, Any]]] = {}
        for _, fill in block.events:
            row = _trade(fill, path, where, faults)
            if row is not None and wish.wants(row["coin"]) and known(row["coin"], path, where, faults, wish):
                by_coin.setdefault(row["coin"], []).append(row)
        for rows in by_coin.values():
            yield Line(at_ns, frames.trades(rows), where)


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
