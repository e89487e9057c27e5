"""Supervisor: the bodies of the tick and risk threads, and what main watches.

A tripped latch ends no process: positions are looked after (`execution/exits/hard_stop_sequence.py`).
"""

from loguru import logger

from hip3.ops.supervised import LASTED_MS
from hip3.service.parts import Trading
from hip3.service.running import Running
from hip3.service.snapshot import snapshot, word
from hip3.service.stop_wish import StopMode
from hip3.service.watchdog import Watchdog

STILL_MS = 60_000
HELPERS = {"rest": "read", "journal": "write"}
"""Threads without whose rounds for so long no new risk is taken: nobody looks at caps, unknown orders and equity; or
nothing that is done is written down."""


class Supervisor:
    """See the module."""

    def __init__(self, running: Running, trading: Trading) -> None:
        self._running = running
        self._trading = trading
        self._word = ""
        self._next_tick_ms = 0
        self._next_second_ms = 0
        self._next_minute_ms = running.clock.mono_ms() + 60_000
        self._dog = Watchdog(running.clock.mono_ms(), running.clock.wall_ms())

    def tick_step(self) -> None:
        """The tick thread's body: wait for work or the tick, then run until nothing is left."""
        running, loop = self._running, self._trading.loop
        assert loop is not None
        now = running.clock.mono_ms()
        woken = self._trading.scheduler.wait(max(0, self._next_tick_ms - now) / 1000)
        now = running.clock.mono_ms()
        if not woken and self._next_tick_ms:
            loop.lag.observe(max(0, now - self._next_tick_ms) * 1000)
        tick_ms = running.settings.base.tick_ms
        if self._next_tick_ms and now > self._next_tick_ms + tick_ms:
            loop.late_ticks += 1  # skipped, not caught up
        self._next_tick_ms = now + tick_ms
        while loop.step(running.clock.mono_ms()):
            running.workers["tick"].beat()

    def risk_step(self) -> None:
        """The risk thread's body: one event, or none within the wait."""
        self._trading.risk.step(self._running.runtime.risk_wait_s)

    def watch(self, now_ms: int) -> None:
        """Main's round: dead threads, a dead exchange, a changed state."""
        running = self._running
        self._watchdog(now_ms)
        for worker in running.workers.values():
            if not worker.alive and not worker.stopping.is_set():
                if worker.trades:
                    running.trip("thread_dead", f"{worker.name}: {worker.failure}")
                    running.failed = f"thread {worker.name} died"
                    running.stop.ask(StopMode.FLATTEN, 5000)
                elif worker.name == "rest":
                    running.failed = f"thread rest died: {worker.failure}"
                    running.stop.ask(StopMode.LEAVE, 0)  # nobody proves anything any more: a fresh process can
                elif worker.failure is not None:
                    logger.error(f"thread {worker.name} is gone; positions are looked after")
                    worker.stop()
        if running.own is not None and not running.own.alive:
            running.failed = "the embedded exchange ended"
            running.stop.ask(StopMode.LEAVE, 0)
        if now_ms >= self._next_second_ms:
            self._next_second_ms = now_ms + 1000
            problem = running.latch.persist() if running.latch is not None else ""
            running.readiness.hold("latch", problem)
            if problem:
                logger.error(problem)
        if now_ms >= self._next_minute_ms:
            self._minute(now_ms)
        self._note_state(now_ms)

    def _watchdog(self, now_ms: int) -> None:
        running = self._running
        beats = {w.name: w.last_beat_ms for w in running.workers.values() if w.trades and w.alive}
        connection = running.connection
        assert connection is not None
        if connection.connecting:
            beats.pop("ws-reader", None)
        found = self._dog.look(beats, now_ms, running.clock.wall_ms())
        if found.stood_still_ms:
            logger.warning(f"nothing ran for {found.stood_still_ms} ms: the connection is begun anew")
            running.journal.record("stood_still", ms=found.stood_still_ms)
            connection.drop(f"nothing ran for {found.stood_still_ms} ms")
            self._trading.view.clock_doubted = True
            running.rest_jobs.wake()
        running.readiness.hold("watchdog", found.slow)
        for name, does in HELPERS.items():
            worker = running.workers.get(name)
            still = worker is None or now_ms - worker.last_beat_ms > STILL_MS or not worker.alive
            running.readiness.hold(f"thread {name}", f"the {name} thread does not {does} any more" if still else "")
        if found.hung:
            running.failed = found.slow
            running.stop.ask(StopMode.LEAVE, 0)  # what hangs cannot flatten; a fresh process can

    def _minute(self, now_ms: int) -> None:
        """A snapshot for the journal, and a word for the supervision that this run lasts."""
        self._next_minute_ms = now_ms + 60_000
        self._running.journal.record("snapshot", status=snapshot(self._running))
        if now_ms - self._running.started_ms >= LASTED_MS:
            problem = self._running.supervised.good()
            if problem:
                logger.warning(f"that this run lasts could not be noted: {problem}")

    def _note_state(self, now_ms: int) -> None:
        state, reasons = word(self._running, now_ms)
        why = "; ".join(reasons)
        if f"{state.value}:{why}" != self._word:
            self._word = f"{state.value}:{why}"
            self._running.journal.record("state", word=state.value, why=why)
