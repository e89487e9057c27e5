"""hftbacktest's event arrays (`.npz`, array `data`): depth by level and trades of one market. Needs numpy."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hip3.errors import ConfigError
from hip3.imports import frames
from hip3.imports.faults import Faults
from hip3.imports.frames import Line
from hip3.imports.reading import Wish
from hip3.imports.sources import is_pointer, lab

COLUMNS = {
    "ev": "uint64", "exch_ts": "int64", "local_ts": "int64", "px": "float64", "qty": "float64", "order_id": "uint64",
    "ival": "int64", "fval": "float64",
}  # fmt: skip
DEPTH, TRADE, CLEAR, SNAPSHOT = 1, 2, 3, 4
"""Kinds of an event, its lowest byte."""
SELLS, BUYS, LOCAL = 1 << 28, 1 << 29, 1 << 30
"""Of an ask or a selling taker, of a bid or a buying one; and an event that the local side sees."""
CHUNK = 100_000


def events(path: Path, faults: Faults, wish: Wish) -> Iterator[Line]:
    """The touch where it changes, and the trades. The array has no name in it: `--coins` names the market."""
    if len(wish.coins) != 1:
        raise ConfigError([f"{path} does not say which market it is of: name it, and only it, with --coins"])
    data = _array(path, faults, wish)
    if data is None:
        return
    faults.assume("numbers of the array are the shortest decimals that are its floats")
    coin, book, touches = wish.coins[0], _Book(), frames.Touches()
    for row, (ev, exch_ns, local_ns, px, qty, tid, _, _) in enumerate(_tuples(data), 1):
        where, kind = f"row {row}", ev & 0xFF
        if not ev & LOCAL or kind not in (DEPTH, TRADE, CLEAR, SNAPSHOT):
            continue
        is_buy, text = bool(ev & BUYS), (_text(px), _text(qty))
        if kind != CLEAR and (text[0] is None or text[1] is None or px <= 0 or qty < 0 or not ev & (SELLS | BUYS)):
            column = "ev" if not ev & (SELLS | BUYS) else "px" if text[0] is None or px <= 0 else "qty"
            wanted = {"ev": "a side in the flags", "px": "a price above 0"}.get(column, "a size of 0 or more")
            faults.add(path, where, wanted, {"ev": ev, "px": px}.get(column, qty), "make the file again", column=column)
            continue
        if kind == TRADE:
            trade = {
                "coin": coin,
                "side": "B" if is_buy else "A",
                "px": text[0],
                "sz": text[1],
                "time": exch_ns // 10**6,
            }
            yield Line(local_ns, frames.trades([trade | {"tid": tid or row}]), where)
            continue
        book.change(is_buy, px, qty, clear=kind == CLEAR, both=not ev & (SELLS | BUYS))
        bid, ask = book.touch(True), book.touch(False)
        if touches.changed(coin, bid, ask):
            yield Line(local_ns, frames.bbo(coin, exch_ns // 10**6, bid, ask), where)


def _array(path: Path, faults: Faults, wish: Wish) -> Any:
    numpy = lab("numpy", wish.format)
    if is_pointer(path, faults):
        return None
    try:
        with path.open("rb") as file, numpy.load(file, allow_pickle=False) as archive:
            data = archive["data"]
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        faults.file(path, f"is no whole .npz file ({error}); make it again")
        return None
    except KeyError:
        faults.file(path, "has no array `data`; is it one of hftbacktest's?")
        return None
    names = data.dtype.names or ()
    wrong = [name for name, kind in COLUMNS.items() if name not in names or str(data.dtype[name]) != kind]
    for name in wrong:
        found = str(data.dtype[name]) if name in names else "no such column"
        faults.add(path, "array data", COLUMNS[name], found, "make it again with this version's format", column=name)
    for name in set(names) - COLUMNS.keys():
        faults.add(path, "array data", f"the columns {', '.join(COLUMNS)}", name, "make it again", column=name)
    return None if wrong or len(names) != len(COLUMNS) else data


def _tuples(data: Any) -> Iterator[tuple[Any, ...]]:
    """The rows as Python's own numbers, some at a time."""
    for begin in range(0, len(data), CHUNK):
        yield from data[begin : begin + CHUNK][list(COLUMNS)].tolist()


def _text(value: Any) -> str | None:
    """The shortest text of a number that is that number."""
    return frames.number(repr(value).removesuffix(".0"))


class _Book:
    """Levels of both sides."""

    def __init__(self) -> None:
        self._sides: dict[bool, dict[Any, str]] = {True: {}, False: {}}

    def change(self, is_buy: bool, px: Any, qty: Any, *, clear: bool, both: bool) -> None:
        """A level is another one, gone, or a side is cleared up to a price."""
        for side in (True, False) if both else (is_buy,):
            levels = self._sides[side]
            if clear:
                gone = [p for p in levels if not px or (p >= px if side else p <= px)]
                for p in gone:
                    del levels[p]
            elif qty:
                levels[px] = _text(qty) or "0"
            else:
                levels.pop(px, None)

    def touch(self, is_buy: bool) -> frames.Level | None:
        """Best price and its size."""
        levels = self._sides[is_buy]
        if not levels:
            return None
        px = max(levels) if is_buy else min(levels)
        return _text(px) or "0", levels[px]
