"""What a recording is worth: its checksums, its sequence, its times, what is missing; and its figures by market."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from hip3.core.events import BboUpdate, CtxUpdate
from hip3.errors import WireError
from hip3.exchange.wire import parse_frame
from hip3.record.folder import segments
from hip3.record.lines import Record, channel_of, decode_line
from hip3.record.segment import Damage, SegmentReader, read_side

STILL_NS = 10_000_000_000
"""A stretch without any frame that counts as not covered: contexts alone come every second."""
LEAST_COVERED = 0.95
OUT_OF_ORDER_NS = 250_000_000
"""Two threads offer lines: so far apart they may have been overtaken."""
MOST_TOLD = 10


class Findings(msgspec.Struct, kw_only=True):
    """`faults` make a recording bad; `notes` are what its reader should know."""

    faults: list[str] = []
    notes: list[str] = []
    records: int = 0
    frames: int = 0
    """Of the exchange."""
    lost: int = 0
    segments: int = 0
    bytes: int = 0
    first_ns: int = 0
    last_ns: int = 0
    uncovered_ns: int = 0
    """Without a connection, or without a frame for ten seconds."""

    @property
    def covered(self) -> float:
        """Share of the time between first and last line in which something was heard."""
        span = self.last_ns - self.first_ns
        return 1.0 if span <= 0 else 1 - self.uncovered_ns / span

    def fault(self, text: str) -> None:
        """One thing that is wrong; the first ten are told."""
        if len(self.faults) < MOST_TOLD:
            self.faults.append(text)
        elif len(self.faults) == MOST_TOLD:
            self.faults.append("and more")


class _Walk:
    """Sequence, order of time and coverage over all segments of one process after the other."""

    def __init__(self, found: Findings) -> None:
        self._found = found
        self._n = 0
        self._mono: dict[tuple[int, str], int] = {}
        self._owed = 0
        """Numbers that a gap record has accounted for."""
        self._last_in: int | None = None
        self._in_wall = 0

    def begin(self) -> None:
        """A process's first segment: its numbers and its monotonic clock begin anew."""
        self._n, self._owed, self._last_in = 0, 0, None  # the wall clock alone goes on
        self._mono.clear()

    def line(self, record: Record, where: str) -> None:
        """One line in its turn."""
        found = self._found
        if record.n == 1 and self._n:
            found.notes.append(f"{where}: another process began here")
            self.begin()
        found.records += 1
        found.first_ns = found.first_ns or record.t
        found.last_ns = record.t
        if record.d == "gap":
            self._gap(record)
        skipped = record.n - self._n - 1
        if self._n and skipped != self._owed:
            found.fault(f"{where}: line {record.n} follows {self._n}, and a loss of {self._owed} is noted")
        self._n, self._owed = record.n, 0
        key = (record.c, record.d)
        before = self._mono.get(key, record.m)
        if record.m < before - OUT_OF_ORDER_NS:
            found.fault(f"{where}: line {record.n} was received {(before - record.m) // 1_000_000} ms before the last")
        self._mono[key] = max(before, record.m)
        if record.d == "in":
            found.frames += 1
            still = record.t - self._in_wall if self._last_in is None else record.m - self._last_in
            if self._in_wall and still > STILL_NS:
                found.uncovered_ns += still
            self._last_in, self._in_wall = record.m, record.t

    def _gap(self, record: Record) -> None:
        found, body = self._found, record.value
        if body.get("what") == "lost":
            self._owed = int(body.get("count", 0))
            found.lost += self._owed
            found.notes.append(f"{self._owed} lines lost: {body.get('why')}")
        elif body.get("what") == "clock":
            found.notes.append(str(body.get("why")))
        elif body.get("what") == "down":
            found.notes.append(f"connection {record.c} ended: {body.get('why')}")


def verify(where: Path, progress: Callable[[Path], None] = lambda path: None) -> Findings:
    """Read everything. ConfigError where there is no recording; OSError if it cannot be read."""
    found = Findings()
    walk = _Walk(found)
    for path in segments(where):
        progress(path)
        _segment(path, walk, found)
    if found.covered < LEAST_COVERED:
        found.fault(f"only {found.covered:.1%} of the time is covered: nothing came for more than 10 s at a time")
    if not found.frames:
        found.fault("there is no frame of the exchange in it")
    return found


def _segment(path: Path, walk: _Walk, found: Findings) -> None:
    found.segments += 1
    found.bytes += path.stat().st_size
    reader, lines = SegmentReader(path), 0
    for line in reader.lines():
        lines += 1
        try:
            walk.line(decode_line(line), path.name)
        except WireError as error:
            found.fault(f"{path.name}: {error}")
    torn, broken = damaged(reader.damage)
    found.notes += torn
    for fault in broken:
        found.fault(fault)
    side = read_side(path)
    if side is None:
        found.notes.append(f"{path.name} was not closed: its process died, or still writes; {lines} lines were read")
        return
    if side.sha256 != _sha(path):
        found.fault(f"{path.name} is not what was written: its SHA-256 differs from its side file's")
    if side.records != lines:
        found.fault(f"{path.name} has {lines} lines, its side file says {side.records}")


def damaged(damage: Iterable[Damage]) -> tuple[list[str], list[str]]:
    """(what was lost as a process died, what should be there and cannot be read), as sentences."""
    torn, broken = [], []
    for one in damage:
        text = f"{one.path.name}: {one.size} bytes from {one.at} on cannot be read"
        if one.torn and read_side(one.path) is None:
            torn.append(f"{text}: the last second before its process died")
        else:
            broken.append(text)
    return torn, broken


def _sha(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class MarketStat:
    """Gaps between touches, and how long frames took, of one market."""

    def __init__(self) -> None:
        self.bbo = self.ctx = 0
        self.gaps_ms: list[int] = []
        self.lags_ms: list[int] = []
        self._last_m = 0

    def touch(self, record: Record, exchange_ms: int, offset_ms: int) -> None:
        """One bbo."""
        self.bbo += 1
        if self._last_m and len(self.gaps_ms) < 1_000_000:
            self.gaps_ms.append((record.m - self._last_m) // 1_000_000)
        self._last_m = record.m
        if len(self.lags_ms) < 1_000_000:
            self.lags_ms.append(record.t // 1_000_000 + offset_ms - exchange_ms)


def stat(where: Path) -> tuple[dict[str, MarketStat], dict[str, int]]:
    """(by market, lines by stream). Latency is corrected by the clock's offset as far as it was recorded."""
    markets: dict[str, MarketStat] = {}
    streams: dict[str, int] = {}
    offset = 0
    for path in segments(where):
        for line in SegmentReader(path).lines():
            record = decode_line(line)
            if record.d == "clock":
                offset = int(record.value.get("offset_ms", 0))
            if record.d != "in":
                streams[record.d] = streams.get(record.d, 0) + 1
                continue
            channel = channel_of(record.data)
            streams[channel] = streams.get(channel, 0) + 1
            if channel in ("bbo", "activeAssetCtx"):
                event = parse_frame(record.data)
                if isinstance(event, BboUpdate):
                    markets.setdefault(event.coin, MarketStat()).touch(record, event.time_ms, offset)
                elif isinstance(event, CtxUpdate):
                    markets.setdefault(event.coin, MarketStat()).ctx += 1
    return markets, streams


def quantile(values: list[int], share: float) -> Any:
    """The value that so much of them do not exceed; "-" without values."""
    if not values:
        return "-"
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
