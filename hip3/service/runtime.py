"""What of a process blocks, or belongs to the machine: threads, waiting, sockets, files.

One process has one `Runtime`. Production's is here; `hip3.onethread` has one that runs the same service in one
thread under its own clock.
"""

import threading
import time
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

from hip3.core.ports import Clock
from hip3.exchange.connection import Connection
from hip3.exchange.rest import RestClient
from hip3.execution.sending.cloids import CloidSource
from hip3.ops.intents import IntentLog
from hip3.ops.journal import EventLog
from hip3.service.stop_wish import Event
from hip3.service.tuning import tune
from hip3.service.workers import RestJobs, Worker


class Runtime:
    """Real threads, real waiting, real edges."""

    journal_gather_s = 0.02
    """How long records gather before they are written together."""
    risk_wait_s = 0.1
    """How long the risk thread waits for an event."""
    record_wait_s = 0.1
    """How long frames gather before they are recorded together."""
    rest_wait_s = 0.2
    """How long the rest thread waits for a job."""

    def event(self) -> Event:
        """A flag that can be waited for."""
        return threading.Event()

    def jobs(self) -> RestJobs:
        """The rest thread's inbox."""
        return RestJobs()

    def journal(self, clock: Clock) -> EventLog:
        """The journal, not yet open."""
        return EventLog(clock.wall_ms)

    def intents(self, path: Path, *, sync: bool) -> IntentLog:
        """The log of signed actions, opened."""
        return IntentLog(path, sync=sync)

    def cloids(self) -> CloidSource:
        """Names for the orders of this run."""
        return CloidSource()

    def rest(self, url: str, clock: Clock, state: Path) -> RestClient:
        """The client for requests over HTTP."""
        return RestClient(url, clock, state)

    def connection(self, **parts: Any) -> Connection:
        """The connection, not yet made; `parts` are its constructor's."""
        return Connection(**parts)

    def read(self, connection: Connection) -> None:
        """The ws-reader's step."""
        connection.run()

    def worker(self, name: str, clock: Clock, *, trades: bool) -> Worker:
        """A worker without a step yet."""
        return Worker(name, clock, trades=trades)

    def give_way(self) -> None:
        """Let a thread that was woken run before this one goes on."""
        time.sleep(0)

    def wait_for(self, future: "Future[Any]", seconds: float) -> None:
        """Wait until it is done, or so long."""
        wait([future], timeout=seconds)

    def tune(self) -> None:
        """Settings of the interpreter for a process that trades."""
        tune()
