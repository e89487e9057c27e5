"""The exchange's clock, told by ours: the median of the last five readings. Pure.

`exchange_ms` runs on the monotonic clock, so that a machine whose wall clock is set neither keeps a
position for ever nor closes it at once. Before the first reading the wall clock is all there is.
"""

from collections import deque

from hip3.core.ports import Clock

KEPT = 5


class ClockOffset:
    """Written by the rest thread; what is read by others is one attribute at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wall: deque[int] = deque(maxlen=KEPT)
        self._mono: deque[int] = deque(maxlen=KEPT)
        self.offset_ms = 0
        """Exchange time minus local wall time; 0 before the first reading."""
        self._base: int | None = None
        """Exchange time minus monotonic time."""

    def add(self, exchange_ms: int, round_trip_ms: int) -> None:
        """One reading that just arrived; half the round trip is taken off."""
        now = exchange_ms + round_trip_ms // 2
        self._wall.append(now - self._clock.wall_ms())
        self._mono.append(now - self._clock.mono_ms())
        self.offset_ms = sorted(self._wall)[len(self._wall) // 2]
        self._base = sorted(self._mono)[len(self._mono) // 2]

    def exchange_ms(self) -> int:
        """What the exchange's clock says now."""
        base = self._base
        return self._clock.wall_ms() if base is None else self._clock.mono_ms() + base

    @property
    def known(self) -> bool:
        return self._base is not None
