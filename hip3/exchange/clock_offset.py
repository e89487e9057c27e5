"""The exchange's clock, told by ours: the median of the last five readings, since they were last doubted. Pure.

`exchange_ms` runs on the boot clock, so that a machine whose wall clock is set, or which was suspended, neither keeps
a position for ever nor closes it at once. Before the first reading the wall clock is all there is. Times are
milliseconds.
"""

from collections import deque
from collections.abc import Callable

from hip3.core.ports import Clock

MOST_BEHIND_MS = 60_000
"""A node that answers may be so far behind."""
KEPT = 5
"""Readings that are kept. The median of an odd number is one of them, and two wild ones do not move it."""


class ClockOffset:
    """Written by the rest thread, by main before there are threads.

    Others read one attribute at a time, so there is no lock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._boot: deque[int] = deque(maxlen=KEPT)
        self._doubted = False
        self.told: Callable[[int], None] = lambda exchange_ms: None
        """Called with each reading, by whoever made it: what the time is now. Set once."""
        self._heard = 0
        """The same at least, by the time in what the exchange said unasked. One step, written by the ws-reader."""
        self._base: int | None = None
        """Exchange time minus boot time; None before the first reading."""
        self.mono_base = 0
        """Exchange time minus monotonic time, as of the newest reading: for whoever has a monotonic time at hand.
        Meaningless before the first; behind after a suspend, until the next."""

    def doubt(self) -> None:
        """The machine may have stood still, or the exchange says that our time is over: what was read before goes with
        the next reading, which counts alone. Until then it is what we have."""
        self._doubted = True

    def add(self, exchange_ms: int, round_trip_ms: int) -> None:
        """One reading that just arrived: the time in an answer, and how long we waited for it.

        Half of that is the answer's way to us and is added. Call at once: our clock is read here.
        """
        now = exchange_ms + round_trip_ms // 2
        if self._doubted:
            self._doubted = False
            self._boot.clear()
        boot_ms = self._clock.boot_ms()
        self._boot.append(now - boot_ms)
        self._base = sorted(self._boot)[len(self._boot) // 2]
        self.mono_base = self._base + boot_ms - self._clock.mono_ms()
        self.told(boot_ms + self._base)

    @property
    def offset_ms(self) -> int:
        """Exchange time minus local wall time as it is now; 0 before the first reading. Positive: our clock is behind.
        Any thread."""
        return self.exchange_ms() - self._clock.wall_ms()

    def exchange_ms(self) -> int:
        """What the exchange's clock says now, as far as we know; it may step with a new reading. Any thread."""
        base = self._base  # read once: the rest thread may write it meanwhile
        return self._clock.wall_ms() if base is None else self._clock.boot_ms() + base

    def heard(self, exchange_ms: int) -> None:
        """Something that just came was said at this time: it is no earlier, whatever a node answers. Not believed
        where it is a minute ahead. The ws-reader."""
        base, heard = self._base, exchange_ms - self._clock.boot_ms()
        if base is not None and base < heard <= base + MOST_BEHIND_MS:
            self._heard = heard

    def latest_ms(self) -> int:
        """The latest that the exchange's clock may say now: for whatever must not be too early. Any thread."""
        base, heard = self._base, self._heard
        if base is None or not base < heard <= base + MOST_BEHIND_MS:
            return self.exchange_ms()
        return self._clock.boot_ms() + heard

    @property
    def known(self) -> bool:
        """Whether there was a reading; before it `exchange_ms` is our wall clock."""
        return self._base is not None
