"""`import columns`: tables in our derived columns, CSV or Parquet, of `record convert` or of anybody's own making."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from hip3.imports import frames, parquet
from hip3.imports.cells import NOTHING, Cells
from hip3.imports.faults import Faults
from hip3.imports.frames import Line
from hip3.imports.layout import CONTEXT, DEPTH, KEY, LOOKS, NUMBERS, TOUCH, TRADES, About
from hip3.imports.reading import Wish, known
from hip3.imports.sheets import rows
from hip3.imports.sources import is_pointer

_about = msgspec.json.Decoder(About)
_SIDES = {"B": "B", "A": "A"}


def columns(path: Path, faults: Faults, wish: Wish) -> Iterator[Line]:
    """Touches, contexts, trades and order books. Rows of one time are one frame of trades, or one book."""
    if is_pointer(path, faults):
        return
    about = _head(path, faults, wish)
    if about is None:
        return
    trades, book = _Trades(), _Book()
    for kind, cells in rows(path, faults, wish, (LOOKS, TRADES, DEPTH)):
        coin = cells.row.get("coin") or about.coin or (wish.coins[0] if len(wish.coins) == 1 else "")
        if not coin:
            do = "give it a column coin, or name it, and only it, with --coins"
            faults.file(path, f"does not say which market it is of; {do}")
            return
        if not wish.wants(coin) or not known(coin, path, cells.where, faults, wish):
            continue
        for name, scale in about.scales.items():
            if cells.row.get(name):
                cells.row[name] = scale.text(int(cells.row[name]))
        at_ns = cells.moment("recv_ns")
        time_ms = at_ns // 10**6 if cells.row.get("exch_ms", "") in NOTHING else cells.whole("exch_ms")
        if kind == LOOKS.name:
            yield from _look(cells, coin, at_ns, time_ms)
        else:
            yield from (trades if kind == TRADES.name else book).row(cells, coin, at_ns, time_ms)
    yield from trades.end()
    yield from book.end()


def _head(path: Path, faults: Faults, wish: Wish) -> About | None:
    """What the file says of itself; None where that is wrong, and told."""
    if not parquet.is_one(path):
        return About()
    head = parquet.head_of(path, faults, wish.format)
    if head is None:
        return None
    try:
        about = _about.decode(head.about.get(KEY, "{}"))
    except msgspec.DecodeError as error:
        faults.file(path, f"its metadata {KEY} is none of `record convert` ({error}); make the file again")
        return None
    numbers = {name for names in NUMBERS.values() for name in names}
    whole = [name for name in head.names if name in numbers and head.whole(name)]
    bare = [name for name in whole if name not in about.scales]
    for name in bare:
        do = f"say it in the metadata {KEY}, or write text or decimals"
        faults.file(path, f"column {name} has whole numbers and nothing says with which exponent; {do}")
    scales = {name: scale for name, scale in about.scales.items() if name in whole}
    return None if bare else About(about.coin, scales)


def _look(cells: Cells, coin: str, at_ns: int, time_ms: int) -> list[Line]:
    if cells.one_of("kind", {str(TOUCH): "touch", str(CONTEXT): "context"}) == "context":
        oracle = cells.positive("oracle")
        more = {"midPx": cells.maybe("mid"), "funding": cells.maybe("funding"), "openInterest": cells.maybe("oi")}
        data = frames.context(coin, oracle, cells.maybe("mark") or oracle, **more)
    else:
        bid, ask = cells.side("bid_px", "bid_sz"), cells.side("ask_px", "ask_sz")
        data = frames.bbo(coin, time_ms, bid, ask)
    return [] if cells.bad else [Line(at_ns, data, cells.where)]


class _Trades:
    """Trades of one market and time, until another comes."""

    def __init__(self) -> None:
        self._key, self._where = (0, ""), ""
        self._rows: list[dict[str, str | int]] = []

    def row(self, cells: Cells, coin: str, at_ns: int, time_ms: int) -> list[Line]:
        """One more; the frame before it, if that is complete."""
        side, tid = cells.one_of("side", _SIDES), cells.whole("tid")
        px, sz = cells.positive("px"), cells.positive("sz")
        if cells.bad:
            return []
        done = [] if self._key == (at_ns, coin) else self.end()
        if not self._rows:
            self._key, self._where = (at_ns, coin), cells.where
        self._rows.append({"coin": coin, "side": side, "px": px, "sz": sz, "time": time_ms, "tid": tid})
        return done

    def end(self) -> list[Line]:
        """The frame that is being gathered."""
        rows, self._rows = self._rows, []
        return [Line(self._key[0], frames.trades(rows), self._where)] if rows else []


class _Book:
    """Levels of one order book, until another begins."""

    def __init__(self) -> None:
        self._key, self._where, self._place = (0, "", 0), "", (False, -1)
        self._sides: dict[str, list[frames.Deep]] = {"A": [], "B": []}

    def row(self, cells: Cells, coin: str, at_ns: int, time_ms: int) -> list[Line]:
        """One more; the frame before it, if that is complete. A book is its bids, then its asks, the best first."""
        side, level = cells.one_of("side", _SIDES), cells.whole("level")
        px, sz = cells.positive("px"), cells.positive("sz")
        orders = 1 if cells.row.get("n", "") in NOTHING else cells.whole("n")
        if cells.bad:
            return []
        key, place = (at_ns, coin, time_ms), (side == "A", level)
        same = self._key == key and place > self._place
        done = [] if same else self.end()
        if not same:
            self._key, self._where = key, cells.where
        self._place = place
        self._sides[side].append((px, sz, orders))
        return done

    def end(self) -> list[Line]:
        """The frame that is being gathered."""
        sides, self._sides = self._sides, {"A": [], "B": []}
        at_ns, coin, time_ms = self._key
        if not sides["A"] and not sides["B"]:
            return []
        return [Line(at_ns, frames.book(coin, time_ms, sides["B"], sides["A"]), self._where)]
