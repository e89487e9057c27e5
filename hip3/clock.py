"""The only module that reads a clock.

Wall time (epoch milliseconds) is for what people read, and for times of the day. Monotonic time is for intervals:
timeouts, ages, back-off. Boot time goes on while the machine is suspended, where the system has such a clock: it
carries the exchange's time between two readings of it (`hip3.exchange.clock_offset`).
"""

import time

_BOOT: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """The machine's clocks. Thread-safe: it has no state."""

    def wall_ms(self) -> int:
        """Milliseconds since the epoch; may step when the machine's clock is set."""
        return time.time_ns() // 1_000_000

    def mono_ms(self) -> int:
        """Milliseconds since an arbitrary start; never steps back."""
        return time.monotonic_ns() // 1_000_000

    def boot_ms(self) -> int:
        """As `mono_ms`, but it goes on in a suspend; from another start."""
        return time.clock_gettime_ns(_BOOT) // 1_000_000

    def mono_us(self) -> int:
        """Microseconds of the same monotonic clock, for latency figures."""
        return time.monotonic_ns() // 1_000

    wall_ns = staticmethod(time.time_ns)
    """Nanoseconds since the epoch. As the next one without a call of ours around it: both stand in hot paths."""

    mono_ns = staticmethod(time.monotonic_ns)
    """Nanoseconds of the monotonic clock."""
