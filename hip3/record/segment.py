"""A segment: one file of independent zstd frames, each with its checksum. Any `zstdcat` reads it.

Kill -9 at any byte costs the frame that was not whole, less than a second of lines: the reader drops it and says so. A
file is only ever appended to.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec
import zstandard

from hip3.record.lines import Frame, channels

LEVEL = 3
FRAME_BYTES = 256 * 1024
"""Of text, before a frame is closed."""
FRAME_NS = 750_000_000
"""And so old it may become. What a death costs is that, and a wait of the thread that writes: less than a second, where
the disk does not make it wait for longer."""
_MAGIC = b"\x28\xb5\x2f\xfd"
_CHUNK = 1 << 18


class Side(msgspec.Struct, kw_only=True):
    """The side file of a closed segment. Where it is missing the process died; `read_side` makes it anew."""

    records: int = 0
    first_n: int = 0
    last_n: int = 0
    first_ns: int = 0
    last_ns: int = 0
    streams: dict[str, int] = {}
    """Channel, or kind where it is no frame of the exchange -> lines."""
    bytes: int = 0
    sha256: str = ""
    lost: int = 0
    gaps: int = 0
    version: str = ""
    settings: str = ""


class SegmentWriter:
    """Appends lines to a new file. Confined to the recorder's thread; OSError of the disk goes to the caller."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.side = Side()
        self._file: BinaryIO = path.open("xb")
        self._zstd = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
        self._lines: list[bytes] = []
        self._size = 0
        self._since_ns = 0
        self._sha = hashlib.sha256()

    def append(self, line: bytes, n: int, t_ns: int, m_ns: int, stream: str) -> None:
        """One line of a recording. It is on disk with the next `flush`."""
        self._add([line], n, t_ns, t_ns, m_ns, {stream: 1})

    def extend(self, first_n: int, lines: Sequence[bytes], frames: Sequence[Frame]) -> None:
        """The lines of frames of the exchange, at least one, that follow each other."""
        self._add(lines, first_n, frames[0][0], frames[-1][0], frames[0][1], channels(frames))

    def _add(
        self, lines: Sequence[bytes], first_n: int, first_ns: int, last_ns: int, m_ns: int, streams: dict[str, int]
    ) -> None:
        side = self.side
        if not side.records:
            side.first_n, side.first_ns = first_n, first_ns
        if not self._lines:
            self._since_ns = m_ns
        side.records += len(lines)
        side.last_n, side.last_ns = first_n + len(lines) - 1, last_ns
        for stream, count in streams.items():
            side.streams[stream] = side.streams.get(stream, 0) + count
        self._lines += lines
        self._size += sum(map(len, lines))
        if self._size >= FRAME_BYTES:
            self.flush()

    def due(self, m_ns: int) -> bool:
        """Whether the oldest line has waited for so long."""
        return bool(self._lines) and m_ns - self._since_ns >= FRAME_NS

    def flush(self) -> None:
        """Close a frame and hand it to the system."""
        if not self._lines:
            return
        frame = self._zstd.compress(b"".join(self._lines))
        self._file.write(frame)
        self._file.flush()
        self._lines.clear()
        self._size = 0
        self._sha.update(frame)
        self.side.bytes += len(frame)

    def sync(self) -> None:
        """Wait for the disk."""
        os.fdatasync(self._file.fileno())

    def close(self) -> None:
        """The last frame, and the side file: written aside, synced, put in place."""
        try:
            self.flush()
            self.sync()
        finally:
            self._file.close()
        self.side.sha256 = self._sha.hexdigest()
        write_side(self.path, self.side)

    def abandon(self) -> int:
        """Let go of a file that cannot be written; what is whole on disk stays readable. How many lines are lost."""
        left = len(self._lines)
        self._lines.clear()
        with contextlib.suppress(OSError):
            self._file.close()
        return left


def side_path(path: Path) -> Path:
    """`<segment>.json`."""
    return path.with_name(path.name + ".json")


def write_side(path: Path, side: Side) -> None:
    """Put the side file in place, whole or not at all."""
    new = side_path(path).with_suffix(".new")
    with new.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(side)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, side_path(path))


def read_side(path: Path) -> Side | None:
    """What the writer said of a segment; None where it did not get to it, or it is damaged."""
    try:
        return msgspec.json.decode(side_path(path).read_bytes(), type=Side)
    except (OSError, msgspec.DecodeError):
        return None


class Damage(msgspec.Struct, frozen=True):
    """Bytes of a segment that could not be read."""

    path: Path
    at: int
    torn: bool
    """They are its end, where a process died; else something is wrong in the middle."""
    size: int


class SegmentReader:
    """Walks a segment's lines. `damage` has what was left out, after the walk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage: list[Damage] = []

    def lines(self) -> Iterator[bytes]:
        """Every line of every whole frame, in order, without its end. OSError if the file cannot be read."""
        for block in self._frames():
            yield from block.splitlines()

    def _frames(self) -> Iterator[bytes]:
        """The text of each whole frame. One is held at a time, and the file from what is damaged on."""
        with self.path.open("rb") as file:
            window, at, bad_from = b"", 0, -1
            while True:
                text, used, window = _one_frame(window, file)
                if text is not None:
                    if bad_from >= 0:
                        self.damage.append(Damage(self.path, bad_from, False, at - bad_from))
                        bad_from = -1
                    yield text
                    at += used
                    continue
                if not window:
                    break
                bad_from = at if bad_from < 0 else bad_from
                skip = window.find(_MAGIC, 1)
                skip = len(window) if skip < 0 else skip
                window, at = window[skip:], at + skip
            if bad_from >= 0:  # nothing whole comes after it: here the writer ended
                self.damage.append(Damage(self.path, bad_from, True, at - bad_from))


def _one_frame(window: bytes, file: BinaryIO) -> tuple[bytes | None, int, bytes]:
    """(text, its size, what follows) of the next frame; (None, 0, all that was read) where there is none that is whole.

    `window` is what was read of the file and not used yet.
    """
    machine = zstandard.ZstdDecompressor().decompressobj()
    read, texts, piece = [window], [], window or file.read(_CHUNK)
    if not window:
        read = [piece]
    try:
        while piece:
            texts.append(machine.decompress(piece))
            if machine.eof:
                left = machine.unused_data
                return b"".join(texts), sum(map(len, read)) - len(left), left
            piece = file.read(_CHUNK)
            read.append(piece)
    except zstandard.ZstdError:
        pass
    if not (rest := b"".join(read)):
        return None, 0, b""
    return None, 0, rest + file.read()
