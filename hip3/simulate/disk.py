"""The disk below a service: full, free again, or let go of by a process that is gone."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from hip3.ops.intents import Intent
from hip3.service.running import Running

MOST_PAGES = 1 << 30


class Disk:
    """See the module."""

    def __init__(self) -> None:
        self._real_fd: int | None = None
        """The intent log's own descriptor while it has one that cannot be written to."""
        self.journal_full = False

    @property
    def intents_full(self) -> bool:
        """Whether the intent log cannot grow."""
        return self._real_fd is not None

    def fill(self, running: Running, *, journal: bool, intents: bool) -> None:
        """Files cannot grow any more."""
        if running.intents is None:
            return
        if intents and self._real_fd is None:
            self._real_fd, running.intents._fd = running.intents._fd, os.open("/dev/full", os.O_WRONLY)
        store: Any = running.journal._store
        if journal and store is not None:
            self.journal_full = True
            store._db.execute("PRAGMA max_page_count=1")

    def free(self, running: Running) -> None:
        """They can again."""
        self.journal_full = False
        if self._real_fd is not None and running.intents is not None:
            assert running.intents._fd is not None
            os.close(running.intents._fd)
            running.intents._fd, self._real_fd = self._real_fd, None
        store: Any = running.journal._store
        if store is not None:
            with suppress(sqlite3.ProgrammingError):  # closed in order, by a stop that was cut short
                store._db.execute(f"PRAGMA max_page_count={MOST_PAGES}")

    def close(self, running: Running) -> None:
        """The process is gone, and with it what it held open."""
        self.free(running)
        store: Any = running.journal._store
        for file in (running.intents, store):
            with suppress(OSError):  # closed in order, by a stop that was cut short
                if file is not None:
                    file.close()

    def forget(self) -> None:
        """The service has closed its files itself."""
        self.journal_full = False
        if self._real_fd is not None:
            os.close(self._real_fd)
            self._real_fd = None


def ends_of(path: Path) -> dict[str, str]:
    """cloid -> state of every end that an intent log tells; damaged lines are left out."""
    found: dict[str, str] = {}
    if not os.path.exists(path):
        return found
    for line in path.read_bytes().split(b"\n"):
        body = line.rpartition(b" ")[0]
        try:
            record = msgspec.json.decode(body, type=Intent)
        except msgspec.DecodeError:
            continue
        if record.k == "end":
            found[record.cloid] = record.state
    return found
