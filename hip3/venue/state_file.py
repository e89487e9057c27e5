"""The file of `exchange --state`: read once, written whole every few seconds and at the end. Main's alone."""

import fcntl
import os
from pathlib import Path

from hip3.errors import ConfigError
from hip3.venue.books.kept import Kept, read


class StateFile:
    """One file, of one exchange at a time. ConfigError if another has it, or if it cannot be read or written."""

    def __init__(self, path: Path) -> None:
        if not path.name or path.is_dir():
            raise ConfigError([f"{path} is a folder: --state needs the name of a file"])
        self._path = path
        self._new = path.with_name(path.name + ".new")
        try:
            self._lock = path.with_name(path.name + ".lock").open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError([f"{path} is in use by another exchange; stop it, or name another --state"]) from None
        except OSError as error:
            raise ConfigError([f"{path} cannot be kept there: {os.strerror(error.errno or 0)}"]) from None

    def read(self) -> Kept | None:
        """What an earlier run left; None if there is none yet."""
        try:
            body = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError([f"{self._path} cannot be read: {os.strerror(error.errno or 0)}"]) from None
        return read(body, str(self._path))

    def write(self, body: bytes) -> None:
        """Replace it: a reader, or a kill, finds the old one or the new one. OSError."""
        self._new.write_bytes(body)
        os.replace(self._new, self._path)
