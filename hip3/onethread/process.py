"""The service itself, without threads, sockets or real waiting: `hip3.service.app.App` on a runtime of its own.

What is replaced is what blocks or belongs to a process: workers do not start a thread but are stepped by
`Threads`, pauses let the others run, the socket and the HTTP session are given by who drives it. All else, the
start, the supervision and the stop included, is the production code.
"""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol, TypeVar

from hip3.config.reading import MarketSettings
from hip3.core.ports import Clock
from hip3.errors import JournalError
from hip3.exchange.connection import Connection
from hip3.exchange.rest import RestClient
from hip3.execution.sending.cloids import CloidSource
from hip3.onethread.threads import NEVER, Actor, Threads, Violation
from hip3.ops.intents import Intent, IntentLog
from hip3.ops.journal import EventLog
from hip3.service.app import App
from hip3.service.runtime import Runtime
from hip3.service.stop_wish import Event
from hip3.service.workers import RestJobs, Worker

T = TypeVar("T")
REST_MS, JOURNAL_MS, RECORD_MS, IDLE_MS, HARD_STOP_MS = 200, 60, 500, 1000, 100
MAIN_MS = 20
"""How long main pauses before it looks again at what it waits for."""


class Socket(Protocol):
    """An open WebSocket that says when there is something to read (monotonic)."""

    def next_ms(self) -> int: ...
    def recv_data(self) -> tuple[int, bytes]: ...
    def send(self, payload: str) -> object: ...
    def shutdown(self) -> None: ...


class Around(Protocol):
    """What is around the process: it is asked for connections, and told what the process does."""

    def connect(self, url: str) -> Socket: ...
    def session(self) -> Any: ...
    def jitter(self) -> float: ...
    def run(self) -> str: ...
    def tick_began(self) -> None: ...
    def recorded(self, kind: str, fields: dict[str, Any]) -> None: ...
    def intent_written(self, record: Intent) -> None: ...
    def intent_failed(self, record: Intent) -> None: ...


class Wish:
    """A `threading.Event` whose wait lets the others run."""

    def __init__(self, threads: Threads) -> None:
        self._threads, self._set = threads, False

    def set(self) -> None:
        self._set = True

    def is_set(self) -> bool:
        return self._set

    def wait(self, timeout: float = 0) -> bool:
        self._threads.wait_until(self.is_set, self._threads.clock.mono_ms() + round(timeout * 1000))
        return self._set


class Answer(Future[T]):
    """A future whose result is waited for by letting the others run."""

    threads: Threads

    def result(self, timeout: float | None = None) -> T:
        self.threads.wait_until(self.done, self.threads.clock.mono_ms() + round((timeout or 0) * 1000))
        return super().result(0)


class Jobs(RestJobs):
    """The rest thread's inbox, which never blocks."""

    def __init__(self, threads: Threads) -> None:
        super().__init__()
        self._threads = threads

    def submit(self, job: Callable[[], T]) -> "Future[T]":
        """As the production one; the future lets the others run."""
        answer: Answer[T] = Answer()
        answer.threads = self._threads

        def run() -> None:
            try:
                answer.set_result(job())
            except Exception as error:  # noqa: BLE001 it belongs to who asked
                answer.set_exception(error)

        self._jobs.put(run)
        return answer

    @property
    def waiting(self) -> bool:
        return not self._jobs.empty()

    def run_one(self, timeout_s: float) -> None:
        """Run what waits."""
        if self.waiting:
            super().run_one(0)


class Stepped(Worker):
    """A worker without a thread: `turn` is one round of its loop."""

    def __init__(self, name: str, clock: Clock, *, trades: bool, began: Callable[[], None]) -> None:
        super().__init__(name, clock, trades=trades)
        self._began = began
        self.up = False
        self.turned_ms = 0
        """When its last round began (monotonic)."""

    def start(self, step: Callable[[], None]) -> None:
        """As the production one, without a thread."""
        self._step = step
        self.up = True

    def stop(self) -> None:
        """It has no round any more."""
        super().stop()
        self.up = False

    @property
    def alive(self) -> bool:
        """Whether it was started and not stopped."""
        return self.up

    def join(self, timeout_s: float) -> bool:
        """It is between two rounds whenever anybody else runs."""
        return True

    def turn(self) -> None:
        """One round; whatever escapes it would end the thread, and is a violation."""
        assert self._step is not None
        self.turned_ms = self._clock.mono_ms()
        self._began()
        self.beat()
        try:
            self._step()
        except Exception as error:
            self.failure = error
            raise Violation(f"thread {self.name} died: {type(error).__name__}: {error}") from error


class Recorder(EventLog):
    """The production journal, which also tells what is around."""

    def __init__(self, wall_ms: Callable[[], int], around: Around) -> None:
        super().__init__(wall_ms)
        self._around = around

    def record(self, kind: str, **fields: object) -> None:
        self._around.recorded(kind, fields)
        super().record(kind, **fields)

    @property
    def records(self) -> int:
        """How many wait."""
        return len(self._records)


class OneThread(Runtime):
    """Workers are actors of `threads`; nothing blocks."""

    journal_gather_s = 0.0
    risk_wait_s = 0.0
    record_wait_s = 0.0
    rest_wait_s = 0.0

    def __init__(self, threads: Threads, around: Around) -> None:
        self._threads, self._around = threads, around
        self.app: App
        """Set as soon as there is one, before anything is due."""

    def give_way(self) -> None:
        """There is no other thread."""

    def event(self) -> Event:
        return Wish(self._threads)

    def jobs(self) -> RestJobs:
        return Jobs(self._threads)

    def journal(self, clock: Clock) -> EventLog:
        return Recorder(clock.wall_ms, self._around)

    def intents(self, path: Path, *, sync: bool) -> IntentLog:
        """The production log, which tells of every intent that is on disk."""
        log = IntentLog(path, sync=sync)
        append, around = log.append, self._around

        def watched(record: Intent, *, new_risk: bool) -> None:
            try:
                append(record, new_risk=new_risk)
            except JournalError:
                around.intent_failed(record)
                raise
            around.intent_written(record)

        log.append = watched  # type: ignore[method-assign]
        return log

    def cloids(self) -> CloidSource:
        return CloidSource(self._around.run())

    def rest(self, url: str, clock: Clock, state: Path) -> RestClient:
        rest = RestClient(url, clock, state)
        rest._session = self._around.session()
        return rest

    def connection(self, **parts: Any) -> Connection:
        return Connection(**parts, connect=self._around.connect, jitter=self._around.jitter)

    def read(self, connection: Connection) -> None:
        connection.step()

    def worker(self, name: str, clock: Clock, *, trades: bool) -> Worker:
        began = self._around.tick_began if name == "tick" else _nothing
        worker = Stepped(name, clock, trades=trades, began=began)
        due = getattr(self, "_due_" + name.replace("-", "_"))
        self._threads.actors[name] = Actor(name, lambda: due(worker) if worker.up else NEVER, worker.turn)
        return worker

    def wait_for(self, future: "Future[Any]", seconds: float) -> None:
        if not future.done():
            self._threads.sleep(MAIN_MS)

    def tune(self) -> None:
        """The interpreter is not ours alone."""

    # When each thread has something to do.

    def _due_journal(self, worker: Stepped) -> int:
        journal: Any = self.app.running.journal
        return worker.turned_ms + (JOURNAL_MS if journal.records else REST_MS)

    def _due_recorder(self, worker: Stepped) -> int:
        return worker.turned_ms + RECORD_MS

    def _due_rest(self, worker: Stepped) -> int:
        jobs: Any = self.app.running.rest_jobs
        return 0 if jobs._jobs.queue else worker.turned_ms + REST_MS

    def _due_ws_reader(self, worker: Stepped) -> int:
        connection: Any = self.app.running.connection
        if connection._ws is None:
            return int(connection.next_try_ms)
        return min(int(connection._ws.next_ms()), worker.turned_ms + IDLE_MS)

    def _due_tick(self, worker: Stepped) -> int:
        app = self.app
        assert app.running.trading is not None
        assert app._supervisor is not None
        return 0 if app.running.trading.scheduler._woken else app._supervisor._next_tick_ms

    def _due_risk(self, worker: Stepped) -> int:
        trading, latch = self.app.running.trading, self.app.running.latch
        assert trading is not None
        if trading.risk_events.queue:
            return 0
        sequence = trading.risk.sequence
        busy = latch is not None and latch._state.tripped and sequence is not None and not sequence.verified
        return worker.turned_ms + (HARD_STOP_MS if busy else IDLE_MS)


def _nothing() -> None:
    """Nobody is told."""


def process(settings: MarketSettings, threads: Threads, around: Around) -> App:
    """One life of the service, not yet started: `start_helpers`, `start_trading`, `watch`, `stop`, `close`."""
    runtime = OneThread(threads, around)
    runtime.app = App(settings, threads.clock, runtime)
    return runtime.app
