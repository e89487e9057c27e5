"""From readers to segments, in two passes: everything is read and judged first, then written aside and put in place.

Memory holds a line of each file, of Parquet some thousand rows, never a file. Several files are merged by the time of
receipt.
"""

import heapq
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from hip3.core.events import BboUpdate, CtxUpdate
from hip3.core.money import round_price
from hip3.core.ports import Clock
from hip3.errors import ConfigError
from hip3.exchange.wire import parse_frame
from hip3.imports.faults import Faults
from hip3.imports.frames import Line
from hip3.imports.reading import Reader, Wish
from hip3.ops.progress import Progress, progress
from hip3.record.folder import SUFFIX, hour_of, segment_path
from hip3.record.lines import channel_of, encode_line
from hip3.record.segment import SegmentWriter
from hip3.version import __version__

BACK_NS = 5_000_000_000
"""A file whose time runs back by more is not in order."""
NETWORK = "imported"
LOOKED = 1000
"""After so many lines a look at the clock."""


class Facts(msgspec.Struct):
    """What the lines say of a market, for a recording whose exchange nobody asked."""

    sz_decimals: int = 0
    px: str = "0"


class Judge:
    """Looks at every line of the first pass."""

    def __init__(self, faults: Faults, decimals: dict[str, int]) -> None:
        self._faults, self._decimals = faults, decimals
        self.began: dict[Path, int] = {}
        """File -> the time of its first line; of those that have one."""
        self.facts: dict[str, Facts] = {}
        self.first_ns = 0
        self.lines = 0
        """Of all files so far."""
        self.frames = 0
        self.has_meta = False
        """The files say themselves what the markets are."""

    def file(self, path: Path, lines: Iterator[Line], look: Callable[[], None]) -> None:
        """Read one file to its end; `look` is called now and then."""
        newest, count = 0, 0
        for line in lines:
            if line.t_ns < newest - BACK_NS:
                back = (newest - line.t_ns) / 1e9
                self._faults.add(
                    path, line.where, "time that goes on", f"{back:.1f} s back", "sort the file, or split it"
                )
            newest = max(newest, line.t_ns)
            self.began[path] = min(self.began.get(path, line.t_ns), line.t_ns)
            self.first_ns = min(self.first_ns or line.t_ns, line.t_ns)
            count += 1
            self.lines += 1
            if not count % LOOKED:
                look()
            self.has_meta |= line.kind == "meta"
            if line.kind == "in":
                self.frames += 1
                self._frame(path, line)
        self._faults.close(path, count)

    def so_far(self, path: Path) -> str:
        """What there is to say while `path` is read."""
        return f"{self.lines:,} lines, {path.name}"

    def _frame(self, path: Path, line: Line) -> None:
        event = parse_frame(line.data) if channel_of(line.data) in ("bbo", "activeAssetCtx") else None
        if isinstance(event, CtxUpdate):
            self.facts.setdefault(event.coin, Facts()).px = format(event.oracle, "f")
        elif isinstance(event, BboUpdate):
            facts = self.facts.setdefault(event.coin, Facts())
            bid, ask = event.bid, event.ask
            if bid is not None and ask is not None and bid.px >= ask.px:
                self._faults.rare(path, line.where, "a bid that is not below the ask")
            for level in (bid, ask):
                if level is None:
                    continue
                facts.sz_decimals = max(facts.sz_decimals, _decimals(level.sz))
                known = self._decimals.get(event.coin)
                if known is not None and round_price(level.px, known, up=True) != level.px:
                    self._faults.rare(path, line.where, f"a price off the grid of {event.coin}")


def _decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def assumed_metas(facts: dict[str, Facts]) -> list[dict[str, Any]]:
    """`perpDexs` and `metaAndAssetCtxs` of the markets, as far as their own lines tell; the worst for the rest."""
    by_dex: dict[str, list[str]] = {}
    for coin in sorted(facts):
        dex, colon, _ = coin.partition(":")
        if colon:
            by_dex.setdefault(dex, []).append(coin)
    dexs = [None, *({"name": dex, "fullName": dex, "deployer": "0x" + "0" * 40} for dex in by_dex)]
    out: list[dict[str, Any]] = [{"request": {"type": "perpDexs"}, "answer": dexs}]
    for dex, coins in by_dex.items():
        universe = [
            {"name": coin, "szDecimals": facts[coin].sz_decimals, "maxLeverage": 5, "marginTableId": 5,
             "onlyIsolated": True, "marginMode": "strictIsolated", "deployerFeeScale": "1.0", "growthMode": "disabled"}
            for coin in coins
        ]  # fmt: skip
        contexts = [{"oraclePx": facts[coin].px, "markPx": facts[coin].px, "funding": "0.0"} for coin in coins]
        answer = [{"universe": universe, "marginTables": []}, contexts]
        out.append({"request": {"type": "metaAndAssetCtxs", "dex": dex}, "answer": answer})
    return out


class Writer:
    """The second pass: lines become segments below `folder`, one for each hour."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._hour, self._n, self._mono = folder, -1, 0, 0
        self._segment: SegmentWriter | None = None

    def line(self, kind: str, t_ns: int, data: bytes) -> None:
        """One line, in its turn."""
        hour = hour_of(t_ns)
        if self._segment is None or hour > self._hour:
            self.close()
            self._hour = hour
            self._segment = SegmentWriter(segment_path(self._folder, t_ns))
            self._segment.side.version, self._segment.side.settings = __version__, "imported"
        self._n, self._mono = self._n + 1 + _missing(kind, data), max(self._mono, t_ns)
        stream = channel_of(data) if kind == "in" else kind
        text = encode_line(self._n, t_ns, self._mono, 1, kind, data)
        self._segment.append(text, self._n, t_ns, self._mono, stream)

    def close(self) -> None:
        """The last segment."""
        if self._segment is not None:
            self._segment.close()
            self._segment = None


def _missing(kind: str, data: bytes) -> int:
    """The numbers that a note of a loss accounts for."""
    body = msgspec.json.decode(data) if kind == "gap" else {}
    return int(body.get("count", 0)) if body.get("what") == "lost" else 0


def write(
    files: Sequence[tuple[Path, Reader]], wish: Wish, out: Path, metas: list[dict[str, Any]], assumed: list[str],
    clock: Clock,
) -> dict[str, Any]:  # fmt: skip
    """Import, with a line of how far it is; what there is now. ConfigError with the faults of the files: nothing was
    written then. OSError."""
    if out.exists() and any(out.rglob(f"*{SUFFIX}")):
        raise ConfigError([f"{out} has a recording already; name another folder with --out"])
    faults = Faults()
    judge = Judge(faults, _known_decimals(metas))
    _read(files, wish, judge, faults, clock)
    faults.end()
    if not judge.frames:
        raise ConfigError(["there is no frame of the exchange in these files; check FORMAT and files"])
    assumed = [*assumed, *faults.assumed]
    if not metas and not judge.has_meta:
        metas = assumed_metas(judge.facts)
        assumed = [*assumed, "markets are as their own lines tell: lots by the sizes seen, leverage 5, no growth mode"]
    aside = out / f".importing-{NETWORK}"
    shutil.rmtree(aside, ignore_errors=True)
    try:
        with progress("writing", judge.lines, clock) as line:
            count = _write(files, wish, aside / NETWORK, judge, metas, assumed, line)
        if count != judge.lines:
            raise ConfigError([f"{judge.lines} lines were read, and {count} the second time: the files have changed"])
        (aside / NETWORK).rename(out / NETWORK)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return {"lines": count, "frames": judge.frames, "markets": len(judge.facts), "folder": out / NETWORK}


def _read(files: Sequence[tuple[Path, Reader]], wish: Wish, judge: Judge, faults: Faults, clock: Clock) -> None:
    """The first pass. How far it is goes by the sizes of the files that are read."""
    sizes = [sum(p.stat().st_size for p in ([path] if path.is_file() else path.rglob("*"))) for path, _ in files]
    read = 0
    with progress("reading", sum(sizes) if len(files) > 1 else None, clock) as line:
        for (path, reader), size in zip(files, sizes, strict=True):
            look = partial(line.at, read, partial(judge.so_far, path))
            judge.file(path, reader(path, faults, wish), look)
            read += size


def _known_decimals(metas: list[dict[str, Any]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for meta in metas:
        if meta["request"].get("type") in ("meta", "metaAndAssetCtxs"):
            answer = meta["answer"][0] if isinstance(meta["answer"], list) else meta["answer"]
            found |= {m["name"]: int(m["szDecimals"]) for m in answer["universe"]}
    return found


def _write(
    files: Sequence[tuple[Path, Reader]], wish: Wish, folder: Path, judge: Judge, metas: list[dict[str, Any]],
    assumed: list[str], told: Progress,
) -> int:  # fmt: skip
    folder.mkdir(parents=True)
    writer, first_ns = Writer(folder), judge.first_ns
    about = {"format": wish.format, "files": [path.name for path, _ in files], "assumed": assumed}
    for meta in [*metas, {"request": {"type": "import"}, "answer": about}]:
        writer.line("meta", first_ns, msgspec.json.encode({"asked_ns": first_ns} | meta))
    writer.line("gap", first_ns, b'{"what":"up","why":""}')
    count = 0
    again = Faults()
    streams = [(judge.began[path], partial(reader, path, again, wish)) for path, reader in files if path in judge.began]
    for line in merged(streams):
        writer.line(line.kind, line.t_ns, line.data)
        count += 1
        if not count % LOOKED:
            told.at(count, partial("{:,} lines".format, count))
    writer.close()
    again.end()  # what could not be read again must not be missing in silence
    return count


def merged(files: Iterable[tuple[int, Callable[[], Iterator[Line]]]]) -> Iterator[Line]:
    """The lines of files in order of time; a file is opened when its first line (nanoseconds) is due, not before: a
    month of hourly files is more than a process may have open."""
    waiting = sorted(files, key=lambda one: one[0])
    opened: list[tuple[int, int, Line, Iterator[Line]]] = []
    number = 0

    def go_on(stream: Iterator[Line], place: int) -> None:
        line = next(stream, None)
        if line is not None:
            heapq.heappush(opened, (line.t_ns, place, line, stream))

    while opened or number < len(waiting):
        while number < len(waiting) and (not opened or waiting[number][0] <= opened[0][0]):
            go_on(waiting[number][1](), number)
            number += 1
        if opened:
            _, place, line, stream = heapq.heappop(opened)
            yield line
            go_on(stream, place)
