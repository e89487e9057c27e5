"""A replay's one line of progress: recorded time, how much faster than it was, what is left, trades and result."""

from collections.abc import Callable
from typing import IO

from hip3.core.ports import Clock

TERMINAL_MS, OTHERWISE_MS = 1000, 60_000


class Progress:
    """Called as often as anybody likes; says something once a second on a terminal, once a minute otherwise.

    `first_ms` and `last_ms` are the recording's own wall times, `last_ms` None: its end is not known.
    """

    def __init__(self, clock: Clock, out: IO[str], first_ms: int, last_ms: int | None, *, terminal: bool) -> None:
        self._clock, self._out, self._terminal = clock, out, terminal
        self._first_ms, self._last_ms = first_ms, last_ms
        self._began_ms = self._said_ms = clock.mono_ms()
        self._every_ms = TERMINAL_MS if terminal else OTHERWISE_MS

    def __call__(self, wall_ms: int, figures: Callable[[], tuple[int, str]]) -> None:
        """`wall_ms`: the recorded time now; `figures`: round trips, net USD."""
        now = self._clock.mono_ms()
        if now - self._said_ms < self._every_ms:
            return
        self._said_ms = now
        line = self.line(wall_ms, now, *figures())
        self._out.write(f"\r{line}\x1b[K" if self._terminal else f"{line}\n")
        self._out.flush()

    def line(self, wall_ms: int, now_ms: int, trips: int, net: str) -> str:
        """The words."""
        passed, took = wall_ms - self._first_ms, max(1, now_ms - self._began_ms)
        left = ""
        if self._last_ms is not None and passed > 0:
            left = f", {_time(max(0, self._last_ms - wall_ms) * took // passed)} left"
        return (
            f"replay: {_time(passed)} recorded, {passed / took:.0f} times as fast{left}, {trips} round trips, {net} USD"
        )

    def close(self) -> None:
        """Leave a terminal's line empty."""
        if self._terminal:
            self._out.write("\r\x1b[K")
            self._out.flush()


def _time(ms: int) -> str:
    seconds = ms // 1000
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
