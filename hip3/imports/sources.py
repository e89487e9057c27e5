"""Foreign files as lines, whatever they are packed in; pointers and torn ends are told apart from data. IO."""

import gzip
import importlib
import io
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import zstandard

from hip3.errors import ConfigError
from hip3.imports.faults import Faults

LFS = b"version https://git-lfs.github.com/spec"
_TORN = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, zstandard.ZstdError, RuntimeError)


def lab(module: str, what: str) -> Any:
    """A package of the lab. ConfigError where it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigError(
            [f"import {what} needs the lab packages: .venv/bin/pip install -r requirements-lab.txt"]
        ) from None


def _opened(path: Path, what: str) -> IO[bytes]:
    """The file, unpacked by what it begins with."""
    with path.open("rb") as file:
        head = file.read(len(LFS))
    if head.startswith(b"\x1f\x8b"):
        return gzip.open(path, "rb")  # type: ignore[return-value]
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return io.BufferedReader(zstandard.open(path, "rb"))
    if head.startswith(b"\x04\x22\x4d\x18"):
        return lab("lz4.frame", what).open(path, "rb")  # type: ignore[no-any-return]
    return path.open("rb")


def is_pointer(path: Path, faults: Faults) -> bool:
    """Whether a file only stands for one that is elsewhere, or is none; told."""
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        faults.file(path, f"{error.strerror}; name a file that is there")
        return True
    if head.startswith(LFS):
        faults.file(path, "is a Git-LFS pointer and not the data; fetch it with git lfs pull")
        return True
    if b"/annex/objects/" in head and len(head) < 512:
        faults.file(path, "is a git-annex pointer and not the data; fetch it with git annex get")
        return True
    if not head:
        faults.file(path, "is empty; leave it away")
        return True
    return False


def lines_of(path: Path, faults: Faults, what: str, *, torn: bool) -> Iterator[tuple[int, bytes]]:
    """(number from 1, line without its end) of a text file. A file that ends too early is a fault; with `torn` it is
    read up to there."""
    if is_pointer(path, faults):
        return
    number = 0
    try:
        with _opened(path, what) as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n") and torn:
                    return
                if line.strip():
                    yield number, line.rstrip(b"\r\n")
    except _TORN as error:
        if not torn:
            text = f"ends too early, or is damaged, after line {number} ({error}); get it again, or take it with --torn"
            faults.file(path, text)
