"""A folder of recordings: `<dir>/<network>/<YYYY-MM-DD>/<HH>-<start_ns>-<pid>.ndjson.zst`, UTC, one for each
hour and process.

One process writes to a network's folder at a time, by a lock in it.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from hip3.errors import AlreadyRunning, ConfigError
from hip3.record.lines import Record, decode_line
from hip3.record.segment import Damage, SegmentReader, side_path

SUFFIX = ".ndjson.zst"
GIB = 1 << 30
HOUR_NS = 3_600_000_000_000


class FolderLock:
    """The right to write to a network's folder; it ends with the process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = open(folder / "lock", "a", encoding="ascii")  # noqa: SIM115 held for life
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise AlreadyRunning(f"another hip3 records to {folder} (its lock is held)") from None

    def release(self) -> None:
        """Give it up."""
        self._file.close()


def hour_of(t_ns: int) -> int:
    """The hour a wall time lies in."""
    return t_ns // HOUR_NS


def segment_path(folder: Path, t_ns: int) -> Path:
    """Where a segment that begins at `t_ns` goes; its day's folder is made."""
    at = datetime.fromtimestamp(t_ns // 1_000_000_000, UTC)
    day = folder / f"{at:%Y-%m-%d}"
    day.mkdir(parents=True, exist_ok=True)
    return day / f"{at:%H}-{t_ns}-{os.getpid()}{SUFFIX}"


def start_ns(path: Path) -> int:
    """When a segment began, by its name."""
    parts = path.name.removesuffix(SUFFIX).split("-")
    return int(parts[1]) if len(parts) > 1 and parts[1].isdecimal() else 0


def segments(where: Path) -> list[Path]:
    """All segments of a folder of any depth, or the one file, in order of time. ConfigError where there are none."""
    if where.is_file():
        return [where]
    found = sorted(where.rglob(f"*{SUFFIX}"), key=lambda p: (start_ns(p), str(p)))
    if not found:
        raise ConfigError([f"{where} has no recording (no *{SUFFIX} in it)"])
    networks = {p.relative_to(where).parts[0] for p in found if len(p.relative_to(where).parts) > 2}
    if len(networks) > 1:
        raise ConfigError([f"{where} has recordings of several networks; name one: {', '.join(sorted(networks))}"])
    return found


def read(where: Path, damage: list[Damage] | None = None) -> Iterator[Record]:
    """Every record of a recording, in the order written. What could not be read is put into `damage`.

    One zstd frame is in memory at a time. WireError for a line that is none: a whole frame holds whole lines.
    """
    for path in segments(where):
        reader = SegmentReader(path)
        for line in reader.lines():
            yield decode_line(line)
        if damage is not None:
            damage += reader.damage


def prune(folder: Path, keep_days: int, keep_bytes: int, now_ns: int, writing: Path | None) -> list[Path]:
    """Delete whole days, the oldest first: those older than `keep_days`, then until no more than `keep_bytes` are left.

    Never the day that is written to. What was deleted.
    """
    days = sorted(p for p in folder.iterdir() if p.is_dir())
    oldest = f"{datetime.fromtimestamp(max(0, now_ns // 1_000_000_000 - keep_days * 86_400), UTC):%Y-%m-%d}"
    sizes = {day: sum(f.stat().st_size for f in day.rglob("*") if f.is_file()) for day in days}
    gone: list[Path] = []
    for day in days:
        if writing is not None and day in writing.parents:
            continue
        if day.name < oldest or sum(sizes.values()) > keep_bytes:
            shutil.rmtree(day, ignore_errors=True)
            del sizes[day]
            gone.append(day)
    return gone


def open_segments(folder: Path) -> list[Path]:
    """Segments without a side file: their process died, or still writes."""
    return [p for p in sorted(folder.rglob(f"*{SUFFIX}")) if not side_path(p).exists()]
