"""The only module that reads a clock.

Wall time (epoch milliseconds) is for what people read. Monotonic time is for intervals (timeouts, ages, back-off) and
carries the exchange's time between two readings of it (`hip3.exchange.clock_offset`). It goes on while the machine is
suspended, where the system has such a clock: data do not stay fresh by sleeping.
"""

import sys
import time
from collections.abc import Callable
from functools import partial

_mono_ns: Callable[[], int] = time.monotonic_ns
if sys.platform == "linux":
    _mono_ns = partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)


class SystemClock:
    """The machine's clocks. Thread-safe: it has no state."""

    def wall_ms(self) -> int:
        """Milliseconds since the epoch; may step when the machine's clock is set."""
        return time.time_ns() // 1_000_000

    def mono_ms(self) -> int:
        """Milliseconds since an arbitrary start; never steps back."""
        return _mono_ns() // 1_000_000

    def mono_us(self) -> int:
        """Microseconds of the same monotonic clock, for latency figures."""
        return _mono_ns() // 1_000

    mono_ns = staticmethod(_mono_ns)
    """Nanoseconds of the same clock, for the benchmarks: a call of ours around it would be part of the figure."""
