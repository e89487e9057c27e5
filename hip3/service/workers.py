"""Threads: a named loop around a testable step. All threads of the service are made here.

A worker never dies quietly: what escapes its step is logged with its traceback, kept in `failure`,
and the supervisor acts on it. A beat before every step lets the supervisor see one that hangs.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from loguru import logger

from hip3.core.ports import Clock
from hip3.errors import VenueReadError

T = TypeVar("T")


class Worker:
    """Runs `step` until told to stop."""

    def __init__(self, name: str, clock: Clock, *, trades: bool = False) -> None:
        self.name, self.trades = name, trades
        self.failure: BaseException | None = None
        self.last_beat_ms = clock.mono_ms()
        self._step: Callable[[], None] | None = None
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self, step: Callable[[], None]) -> None:
        """Begin to run `step`, again and again."""
        self._step = step
        self._thread.start()

    def beat(self) -> None:
        """Say that it lives."""
        self.last_beat_ms = self._clock.mono_ms()

    def _run(self) -> None:
        assert self._step is not None
        try:
            while not self._stop.is_set():
                self.beat()
                self._step()
        except BaseException as error:  # noqa: BLE001 no thread dies quietly
            self.failure = error
            logger.opt(exception=error).error(f"thread {self.name} died: {type(error).__name__}: {error}")

    @property
    def stopping(self) -> threading.Event:
        """Set when the worker is to end; loops of their own wait on it."""
        return self._stop

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        """Ask it to end after the current step."""
        self._stop.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for it; False if it did not end in time."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, timeout_s))
        return not self._thread.is_alive()


class RestJobs:
    """The rest thread's inbox: one-off jobs between its rounds of housekeeping."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[Callable[[], None]] = queue.Queue(maxsize=1000)
        self._urgent: deque[Callable[[], None]] = deque()

    def submit_urgent(self, job: Callable[[], None]) -> None:
        """Run `job`, which raises nothing that anybody waits for, before all others, and between the reads of what is
        under way: an order that waits for a round of slow reads would expire here."""
        self._urgent.append(job)
        self.wake()

    def run_urgent(self) -> None:
        """Run what must not wait. The rest thread, before each job and each read."""
        while self._urgent:
            job = self._urgent.popleft()
            try:
                job()
            except Exception as error:  # noqa: BLE001 who gave it knows what becomes of its order
                logger.opt(exception=error).error(f"a request broke: {type(error).__name__}: {error}")

    def submit(self, job: Callable[[], T]) -> "Future[T]":
        """Run `job` on the rest thread; its result or error comes by the future.

        Never waits: where the rest thread takes nothing any more the future fails, and the tick goes on.
        """
        future: Future[T] = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(job())
                except Exception as error:  # noqa: BLE001 it belongs to who asked
                    future.set_exception(error)

        try:
            self._jobs.put_nowait(run)
        except queue.Full:
            future.set_exception(VenueReadError("the rest thread takes no more jobs"))
        return future

    def wake(self) -> None:
        """Begin the next round at once. Dropped if the inbox is full: then it is awake."""
        try:
            self._jobs.put_nowait(lambda: None)
        except queue.Full:
            return

    def run_one(self, timeout_s: float) -> None:
        """Wait up to `timeout_s` for a job and run it, and with it all that wait."""
        try:
            job = self._jobs.get(timeout=timeout_s)
            while True:
                self.run_urgent()
                job()
                job = self._jobs.get_nowait()
        except queue.Empty:
            return
