"""The disk below a service: full, free again, or let go of by a process that is gone."""

import os
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hip3.simulate.service import Service

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

    def fill(self, service: "Service", *, journal: bool, intents: bool) -> None:
        """Files cannot grow any more."""
        if service.intents is None:
            return
        if intents and self._real_fd is None:
            self._real_fd, service.intents._fd = service.intents._fd, os.open("/dev/full", os.O_WRONLY)
        store: Any = service.journal._store
        if journal and store is not None:
            self.journal_full = True
            store._db.execute("PRAGMA max_page_count=1")

    def free(self, service: "Service") -> None:
        """They can again."""
        self.journal_full = False
        if self._real_fd is not None and service.intents is not None:
            os.close(service.intents._fd)
            service.intents._fd, self._real_fd = self._real_fd, None
        store: Any = service.journal._store
        if store is not None:
            with suppress(sqlite3.ProgrammingError):  # closed in order, by a stop that was cut short
                store._db.execute(f"PRAGMA max_page_count={MOST_PAGES}")

    def close(self, service: "Service") -> None:
        """The process is gone, and with it what it held open."""
        self.free(service)
        store: Any = service.journal._store
        for file in (service.intents, store):
            with suppress(OSError):  # closed in order, by a stop that was cut short
                if file is not None:
                    file.close()

    def forget(self) -> None:
        """The service has closed its files itself."""
        self.journal_full = False
        if self._real_fd is not None:
            os.close(self._real_fd)
            self._real_fd = None
