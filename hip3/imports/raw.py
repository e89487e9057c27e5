"""Formats that keep the exchange's own frames: ours, hftbacktest's collector, tardis.dev's raw feed."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from hip3.core.money import div
from hip3.errors import ConfigError, WireError
from hip3.imports import frames
from hip3.imports.faults import Faults
from hip3.imports.frames import Line
from hip3.imports.reading import Wish, known, raw_frame
from hip3.imports.sources import lines_of
from hip3.record.folder import SUFFIX, segments
from hip3.record.lines import decode_line
from hip3.record.segment import SegmentReader

CONTEXT_MS = 1000
"""A recorded oracle that stands still is said again so often, as the exchange says it."""
_OLD = ("time_ms", "coin", "bid", "bid_sz", "ask", "ask_sz", "oracle")


def hip3(path: Path, faults: Faults, wish: Wish) -> Iterator[Line]:
    """Our own recordings, or the file of `exchange --recording`."""
    if path.is_dir() or path.name.endswith(SUFFIX):
        yield from _segments(path, faults, wish)
    else:
        yield from _rows(path, faults, wish)


def _segments(path: Path, faults: Faults, wish: Wish) -> Iterator[Line]:
    try:
        files = segments(path)
    except ConfigError as error:
        faults.file(path, error.faults[0])
        return
    for file in files:
        reader = SegmentReader(file)
        for number, text in enumerate(reader.lines(), 1):
            where = f"line {number}"
            try:
                record = decode_line(text)
            except WireError:
                faults.add(file, where, "a line of a recording", text, "run ./run.sh record verify on it")
                continue
            if record.d == "in" and raw_frame(record.data, file, where, faults, wish):
                yield Line(record.t, record.data, where)
            elif record.d in ("meta", "gap", "clock"):
                yield Line(record.t, record.data, where, record.d)
        if reader.damage and not wish.torn:
            at = reader.damage[0].at
            faults.file(file, f"cannot be read from byte {at} on; take what is there with --torn")


def _rows(path: Path, faults: Faults, wish: Wish) -> Iterator[Line]:
    touches = frames.Touches()
    said: dict[str, tuple[str, int]] = {}
    for number, text in lines_of(path, faults, "hip3", torn=wish.torn):
        where = f"line {number}"
        row = _row(text, path, where, faults)
        if row is None or not wish.wants(row["coin"]) or not known(row["coin"], path, where, faults, wish):
            continue
        at_ms, coin = row["time_ms"], row["coin"]
        bid, ask = (row["bid"], row["bid_sz"]), (row["ask"], row["ask_sz"])
        if touches.changed(coin, bid, ask):
            yield Line(at_ms * 1_000_000, frames.bbo(coin, at_ms, bid, ask), where)
        oracle, before_ms = said.get(coin, ("", 0))
        if oracle != row["oracle"] or at_ms - before_ms >= CONTEXT_MS:
            said[coin] = (row["oracle"], at_ms)
            middle = format(div(Decimal(bid[0]) + Decimal(ask[0]), Decimal(2)).normalize(), "f")
            yield Line(at_ms * 1_000_000, frames.context(coin, row["oracle"], middle), where)


def _row(text: bytes, path: Path, where: str, faults: Faults) -> dict[str, Any] | None:
    try:
        row = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        row = None
    if not isinstance(row, dict):
        faults.add(path, where, "one JSON object", text, "repair the line or leave it away")
        return None
    for name in row.keys() - set(_OLD):
        faults.add(path, where, f"the columns {', '.join(_OLD)} and no other", name, "is it another format?")
        return None
    for name in _OLD:
        value = row.get(name)
        fits = isinstance(value, int) if name == "time_ms" else isinstance(value, str)
        if not fits or (name not in ("time_ms", "coin") and frames.positive(str(value)) is None):
            wanted = {"time_ms": "milliseconds", "coin": "a market's name"}.get(name, "a price or size above 0 as text")
            faults.add(path, where, wanted, value, "repair the line or leave it away", column=name)
            return None
    return row


def hftbacktest(path: Path, faults: Faults, wish: Wish) -> Iterator[Line]:
    """A line: 19 digits of local nanoseconds, a blank, the frame."""
    for number, text in lines_of(path, faults, "hftbacktest", torn=wish.torn):
        where = f"line {number}"
        stamp, blank, data = text.partition(b" ")
        if len(stamp) != 19 or not stamp.isdigit() or not blank:
            faults.add(
                path, where, "19 digits of local nanoseconds, a blank and a frame", text, "is it another format?"
            )
        elif raw_frame(data, path, where, faults, wish):
            yield Line(int(stamp), data, where)


def tardis_raw(path: Path, faults: Faults, wish: Wish) -> Iterator[Line]:
    """A line: local ISO time with nanoseconds, a blank, the frame."""
    for number, text in lines_of(path, faults, "tardis", torn=wish.torn):
        where = f"line {number}"
        stamp, _, data = text.partition(b" ")
        at_ns = frames.iso_ns(stamp.decode(errors="replace"))
        if at_ns is None:
            faults.add(
                path, where, "a time like 2026-09-01T00:00:00.000000000Z and a frame", text, "is it another format?"
            )
        elif raw_frame(data, path, where, faults, wish):
            yield Line(at_ns, data, where)
