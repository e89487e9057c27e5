"""Threads without threads: who runs next, and where one is interrupted, is drawn from a seed.

Each thread of the service is an `Actor` with a step. A step is interrupted where the real one could be: where a
lock is given back (`SimLock`), and where it waits (an HTTP request, a pause). Then steps of other threads run on
top of it. Time stands still while anything can run, and then jumps to what is due next.
"""

import random
from collections.abc import Callable
from typing import Any

from hip3.onethread.clock import SimClock

NEVER = 1 << 60
CROWD = 12
BLOCKS = frozenset({"rest", "main"})
"""Threads that wait within a step: they seldom run on top of another, which could not go on meanwhile."""


class Killed(BaseException):
    """The process is gone, wherever it was."""


class Violation(BaseException):
    """What must always hold does not. No handler of production code may take it for its own."""


class Actor:
    """One thread. `due` says when it has something to do (monotonic ms), `step` does it."""

    __slots__ = ("due", "name", "running", "stalled_until", "step")

    def __init__(self, name: str, due: Callable[[], int], step: Callable[[], None]) -> None:
        self.name, self.due, self.step = name, due, step
        self.running = False
        self.stalled_until = 0


class Threads:
    """All actors, and the one place where time passes."""

    def __init__(self, clock: SimClock, seed: int, *, preempt: int) -> None:
        """`preempt`: about how many times a lock is given back until another thread cuts in; 0: never."""
        self.clock = clock
        self._rng = random.Random(f"{seed}:threads")
        self._preempt = preempt
        self._crowded = 0
        self.left = self._next_switch()
        self.actors: dict[str, Actor] = {}
        self.holding: str | None = None
        self.quiet = False
        """While the checks look, nobody cuts in."""
        self.kill_armed = False
        self._hold_ms = 0
        self.depth = 0
        self.steps = 0
        self.after_step: Callable[[str], None] = lambda name: None

    def _next_switch(self) -> int:
        if self._crowded:
            self._crowded -= 1
            return self._rng.randint(1, 2)
        return 1 + int(self._rng.expovariate(1 / self._preempt)) if self._preempt else NEVER

    def lock(self, name: str) -> "SimLock":
        """The factory for `hip3.locks`."""
        return SimLock(name, self)

    def switch(self) -> None:
        """A lock was given back, and the seed says: here."""
        if self.kill_armed:
            self.kill_armed = False
            raise Killed
        self.left = self._next_switch()
        if self.quiet:
            return
        if self._hold_ms:
            held, self._hold_ms = self._hold_ms, 0
            self.sleep(held)
            return
        often = 1.0 if self._crowded else 0.2
        ready = [a for a in self._ready(self.clock.mono_ms()) if a.name not in BLOCKS or self._rng.random() < often]
        if ready:
            self._run(self._rng.choice(ready))

    def crowd(self) -> None:
        """For the next few steps threads cut in at nearly every place where they could."""
        self._crowded = CROWD
        self.left = min(self.left, self._next_switch())

    def hold_soon(self, ms: int) -> None:
        """The thread that runs is held up for so long at one of the next few points where it could be interrupted."""
        self._hold_ms = ms
        self.left = self._rng.randint(1, 8)

    def kill_soon(self) -> None:
        """The process dies at one of the next few points where it could be interrupted."""
        self.kill_armed = True
        self.left = self._rng.randint(1, 6)

    def _ready(self, now: int) -> list[Actor]:
        return [a for a in self.actors.values() if not a.running and a.stalled_until <= now and a.due() <= now]

    def _run(self, actor: Actor) -> None:
        actor.running = True
        self.depth += 1
        self.steps += 1
        try:
            actor.step()
        finally:
            actor.running = False
            self.depth -= 1
        self.after_step(actor.name)

    def turn(self, limit_ms: int) -> None:
        """One step of somebody, or time passes until something is due, at most until `limit_ms`."""
        now, soonest = self.clock.mono_ms(), limit_ms
        ready = []
        for actor in self.actors.values():
            if not actor.running:
                due = max(actor.due(), actor.stalled_until)
                if due <= now:
                    ready.append(actor)
                elif due < soonest:
                    soonest = due
        if ready:
            self._run(ready[0] if len(ready) == 1 else self._rng.choice(ready))
        else:
            self.clock.advance(max(1, soonest - now))

    def wait_until(self, done: Callable[[], bool], limit_ms: int) -> bool:
        """The actor that calls waits; the others run. False if it was not done at `limit_ms` (monotonic)."""
        while not done():
            if self.clock.mono_ms() >= limit_ms:
                return False
            self.turn(limit_ms)
        return True

    def sleep(self, ms: int) -> None:
        """The actor that calls pauses; the others run."""
        self.wait_until(lambda: False, self.clock.mono_ms() + ms)


class SimLock:
    """A lock of one thread: checks that every lock is a leaf, and is where threads are switched."""

    __slots__ = ("_held", "_threads", "name")

    def __init__(self, name: str, threads: Threads) -> None:
        self.name, self._threads, self._held = name, threads, False

    def __enter__(self) -> bool:
        threads = self._threads
        if threads.holding is not None:
            raise Violation(f"lock {self.name} was taken while {threads.holding} was held")
        threads.holding, self._held = self.name, True
        return True

    def __exit__(self, *exc: Any) -> None:
        threads = self._threads
        threads.holding, self._held = None, False
        threads.left -= 1
        if threads.left <= 0 and exc[0] is None:
            threads.switch()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As `with` does."""
        return self.__enter__()

    def release(self) -> None:
        """As the end of `with` does."""
        self.__exit__(None, None, None)

    def locked(self) -> bool:
        """Whether it is held."""
        return self._held
