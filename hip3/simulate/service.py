"""The service itself, without threads, sockets or real waiting: `hip3.service.app.App` with its edges replaced.

What is replaced is what blocks or belongs to a process: workers do not start a thread but are stepped by
`Threads`, pauses let the others run, the socket and the HTTP session are the network's. All else, the start, the
supervision and the stop included, is the production code.
"""

from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

import hip3.ops.journal
import hip3.service.app
import hip3.service.stopping
import hip3.service.supervisor
from hip3.core.ports import Clock
from hip3.errors import VenueReadError
from hip3.exchange.rest import RestClient
from hip3.execution.sending.posts import Post
from hip3.ops.intents import Intent, IntentLog
from hip3.ops.journal import EventLog
from hip3.service.app import App
from hip3.service.workers import RestJobs, Worker
from hip3.simulate.network import SimHttp
from hip3.simulate.threads import NEVER, Actor, Violation

if TYPE_CHECKING:
    from hip3.simulate.world import World

T = TypeVar("T")
REST_MS, JOURNAL_MS, MAIN_MS, IDLE_MS, HARD_STOP_MS = 200, 60, 200, 1000, 100


class Wish:
    """A `threading.Event` whose wait lets the others run."""

    def __init__(self, world: "World") -> None:
        self._world, self._set = world, False

    def set(self) -> None:
        self._set = True

    def is_set(self) -> bool:
        return self._set

    def wait(self, timeout: float = 0) -> bool:
        self._world.threads.wait_until(self.is_set, self._world.clock.mono_ms() + round(timeout * 1000))
        return self._set


class Answer(Future[T]):
    """A future whose result is waited for by letting the others run."""

    world: "World"

    def result(self, timeout: float | None = None) -> T:
        self.world.threads.wait_until(self.done, self.world.clock.mono_ms() + round((timeout or 0) * 1000))
        return super().result(0)


class Jobs(RestJobs):
    """The rest thread's inbox, which never blocks."""

    def __init__(self, world: "World") -> None:
        super().__init__()
        self._world = world

    def submit(self, job: Callable[[], T]) -> "Future[T]":
        """As the production one; the future lets the others run."""
        answer: Answer[T] = Answer()
        answer.world = self._world

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

    def __init__(self, world: "World", name: str, step: Callable[[], None], clock: Clock, *, trades: bool) -> None:
        super().__init__(name, step, clock, trades=trades)
        self._world = world
        self.up = False

    def start(self) -> None:
        self.up = True

    def stop(self) -> None:
        super().stop()
        self.up = False

    @property
    def alive(self) -> bool:
        return self.up

    def join(self, timeout_s: float) -> bool:
        return True

    def turn(self) -> None:
        """One round; whatever escapes it would end the thread, and is a violation."""
        if self.name == "tick":
            self._world.witness.tick_began()
        self.beat()
        try:
            self._step()
        except Exception as error:
            self.failure = error
            raise Violation(f"thread {self.name} died: {type(error).__name__}: {error}") from error


class Recorder(EventLog):
    """The production journal, which also tells the world."""

    def __init__(self, world: "World") -> None:
        super().__init__(world.clock.wall_ms)
        self._world = world

    def record(self, kind: str, **fields: object) -> None:
        self._world.recorded(kind, fields)
        super().record(kind, **fields)

    @property
    def records(self) -> int:
        """How many wait."""
        return len(self._records)


class Service(App):
    """See the module."""

    def __init__(self, world: "World", number: int) -> None:
        self.world, self._number = world, number
        super().__init__(world.settings, world.clock)
        self.rest_jobs: Jobs = Jobs(world)
        self.stop_wish: Any = Wish(world)
        self.journal: Recorder = Recorder(world)
        self._last: dict[str, int] = {}

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "rest" and isinstance(value, RestClient):
            session: Any = SimHttp(self.world.network)
            value._session = session
        elif name == "intents" and isinstance(value, IntentLog):
            self._watch(value)
        super().__setattr__(name, value)

    def _watch(self, log: IntentLog) -> None:
        """Tell the world of every intent that is on disk."""
        append, world = log.append, self.world

        def watched(record: Intent, *, new_risk: bool) -> None:
            append(record, new_risk=new_risk)
            world.witness.intent(record)
            if record.k != "end":
                world.mishaps.intent_written()

        log.append = watched  # type: ignore[method-assign]

    # Life.

    def boot(self) -> bool:
        """Start everything; False if it was asked to stop meanwhile."""
        self._start_helpers()
        return self._start_trading()

    def end(self) -> None:
        """Stop in the mode that was asked for."""
        self.world.stopping = True
        outcome = self._stop()
        self.journal.record("stop", mode=outcome.mode.value, clean=outcome.clean, proof=outcome.sentence)
        self._close()
        self.world.ended(outcome)

    def _start_helpers(self) -> None:
        self._worker("journal", lambda: self.journal.drain(0))
        self._worker("rest", self._rest_step)

    def _start_threads(self, url: str) -> None:
        super()._start_threads(url)
        assert self.trading is not None
        assert self.trading.executor is not None
        # The same cloids for the same seed, and others for each run.
        self.trading.executor._cloids._run = f"{self.world.plan.seed % 2**32:08x}{self._number:04x}"
        connection: Any = self.connection
        connection._connect = self.world.network.connect
        connection._jitter = self.world.jitter
        self.workers["ws-reader"].replace_step(self.connection.step)

    def by_http(self, post: Post, body: dict[str, Any]) -> None:
        """Count it as sent."""
        self.world.witness.posts += 1
        super().by_http(post, body)

    def _make(self, name: str, step: Callable[[], None], *, trades: bool = False) -> Worker:
        worker = Stepped(self.world, name, step, self.clock, trades=trades)
        self.workers[name] = worker
        due = getattr(self, "_due_" + name.replace("-", "_"))
        self.world.threads.actors[name] = Actor(name, self._while_up(worker, due), self._timed(name, worker.turn))
        return worker

    def _while_up(self, worker: Stepped, due: Callable[[], int]) -> Callable[[], int]:
        return lambda: due() if worker.up else NEVER

    def _timed(self, name: str, step: Callable[[], None]) -> Callable[[], None]:
        def timed() -> None:
            self._last[name] = self.clock.mono_ms()
            step()

        return timed

    def _await(self, future: "Future[T]") -> T:
        while not future.done():
            if self._stop_wanted():
                raise VenueReadError("stopped while waiting for the exchange")
            self.world.threads.sleep(20)
        return future.result()

    # When each thread has something to do.

    def _due_journal(self) -> int:
        return self._last.get("journal", 0) + (JOURNAL_MS if self.journal.records else REST_MS)

    def _due_rest(self) -> int:
        return 0 if self.rest_jobs._jobs.queue else self._last.get("rest", 0) + REST_MS

    def _due_ws_reader(self) -> int:
        connection: Any = self.connection
        if connection._ws is None:
            return int(connection.next_try_ms)
        return min(int(connection._ws.next_ms()), self._last.get("ws-reader", 0) + IDLE_MS)

    def _due_tick(self) -> int:
        assert self.trading is not None
        return 0 if self.trading.scheduler._woken else self._supervisor._next_tick_ms

    def _due_risk(self) -> int:
        assert self.trading is not None
        if self.trading.risk_events.queue:
            return 0
        sequence = self.trading.risk.sequence
        busy = self.latch is not None and self.latch._state.tripped and sequence is not None and not sequence.verified
        return self._last.get("risk", 0) + (HARD_STOP_MS if busy else IDLE_MS)


class _Pauses:
    """What `hip3.service.stopping` takes for the threading module."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def Event(self) -> Wish:  # noqa: N802 the name of what it stands for
        return Wish(self._world)


class _NoPause:
    """What the journal takes for the time module: its records gather between its turns."""

    @staticmethod
    def sleep(seconds: float) -> None: ...


def replaced(world: "World") -> list[tuple[Any, str, Any]]:
    """(module, name, value) of what blocks or belongs to a process."""
    return [
        (hip3.service.app, "tune", lambda: None), (hip3.service.stopping, "threading", _Pauses(world)),
        (hip3.service.supervisor, "RISK_WAIT_S", 0.0), (hip3.ops.journal, "time", _NoPause),
    ]  # fmt: skip
