"""Supervisor: the bodies of the tick and risk threads, and what main watches.

A tripped latch ends no process: positions are looked after (`execution/exits/hard_stop_sequence.py`).
"""

from typing import TYPE_CHECKING

from loguru import logger

from hip3.ops.supervised import LASTED_MS
from hip3.service.stopping import StopMode
from hip3.service.trading import Trading
from hip3.service.watchdog import Watchdog

if TYPE_CHECKING:
    from hip3.service.app import App

RISK_WAIT_S = 0.1
REST_STILL_MS = 60_000
"""So long without a round of readings: nobody looks at caps, parameters, unknown orders, equity."""


class Supervisor:
    """See the module."""

    def __init__(self, app: "App", trading: Trading) -> None:
        self._app = app
        self._trading = trading
        self._word = ""
        self._next_tick_ms = 0
        self._next_second_ms = 0
        self._next_minute_ms = app.clock.mono_ms() + 60_000
        self._dog = Watchdog(app.clock.mono_ms(), app.clock.wall_ms())

    def tick_step(self) -> None:
        """The tick thread's body: wait for work or the tick, then run until nothing is left."""
        app, loop = self._app, self._trading.loop
        assert loop is not None
        now = app.clock.mono_ms()
        woken = self._trading.scheduler.wait(max(0, self._next_tick_ms - now) / 1000)
        now = app.clock.mono_ms()
        if not woken and self._next_tick_ms:
            loop.lag.observe(max(0, now - self._next_tick_ms) * 1000)
        tick_ms = app.settings.base.tick_ms
        if self._next_tick_ms and now > self._next_tick_ms + tick_ms:
            loop.late_ticks += 1  # skipped, not caught up
        self._next_tick_ms = now + tick_ms
        while loop.step(app.clock.mono_ms()):
            app.workers["tick"].beat()

    def risk_step(self) -> None:
        """The risk thread's body: one event, or none within the wait."""
        self._trading.risk.step(RISK_WAIT_S)

    def watch(self, now_ms: int) -> None:
        """Main's round: dead threads, a dead exchange, a changed state."""
        app = self._app
        self._watchdog(now_ms)
        for worker in app.workers.values():
            if not worker.alive and not worker.stopping.is_set():
                if worker.trades:
                    app.trip("thread_dead", f"{worker.name}: {worker.failure}")
                    app.failed = f"thread {worker.name} died"
                    app.ask_stop(StopMode.FLATTEN, 5000)
                elif worker.failure is not None:
                    logger.error(f"thread {worker.name} is gone; positions are looked after")
                    worker.stop()
        if app.own is not None and not app.own.alive:
            app.failed = "the embedded exchange ended"
            app.ask_stop(StopMode.LEAVE, 0)
        if now_ms >= self._next_second_ms:
            self._next_second_ms = now_ms + 1000
            problem = app.latch.persist() if app.latch is not None else ""
            if problem:
                logger.error(problem)
        if now_ms >= self._next_minute_ms:
            self._minute(now_ms)
        self._note_state(now_ms)

    def _watchdog(self, now_ms: int) -> None:
        app = self._app
        beats = {w.name: w.last_beat_ms for w in app.workers.values() if w.trades and w.alive}
        if app.connection.connecting:
            beats.pop("ws-reader", None)
        found = self._dog.look(beats, now_ms, app.clock.wall_ms())
        if found.stood_still_ms:
            logger.warning(f"nothing ran for {found.stood_still_ms} ms: the connection is begun anew")
            app.journal.record("stood_still", ms=found.stood_still_ms)
            app.connection.drop(f"nothing ran for {found.stood_still_ms} ms")
        app.readiness.hold("watchdog", found.slow)
        rest = app.workers["rest"]
        still = now_ms - rest.last_beat_ms > REST_STILL_MS or not rest.alive
        app.readiness.hold("rest", "the rest thread does not read any more; restart" if still else "")
        if found.hung:
            app.failed = found.slow
            app.ask_stop(StopMode.LEAVE, 0)  # what hangs cannot flatten; a fresh process can

    def _minute(self, now_ms: int) -> None:
        """A snapshot for the journal, and a word for the supervision that this run lasts."""
        self._next_minute_ms = now_ms + 60_000
        self._app.journal.record("snapshot", status=self._app.status())
        if now_ms - self._app.started_ms >= LASTED_MS:
            self._app.supervised.good()

    def _note_state(self, now_ms: int) -> None:
        status = self._app.status()
        why = "; ".join(status["reasons"])
        if f"{status['state']}:{why}" != self._word:
            self._word = f"{status['state']}:{why}"
            self._app.journal.record("state", word=status["state"], why=why)
