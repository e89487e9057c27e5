"""A clock that moves only when told."""

START_MS = 1_790_000_000_000


class SimClock:
    """The `Clock` port: wall and monotonic time."""

    def __init__(self, wall_ms: int = START_MS) -> None:
        self._wall_ms = wall_ms
        self._mono_us = 1_000_000_000

    def wall_ms(self) -> int:
        """Milliseconds since the epoch."""
        return self._wall_ms

    def mono_ms(self) -> int:
        """Monotonic milliseconds."""
        return self._mono_us // 1000

    def boot_ms(self) -> int:
        """As a machine has it that is never suspended."""
        return self._mono_us // 1000

    def mono_us(self) -> int:
        """Monotonic microseconds."""
        return self._mono_us

    def wall_ns(self) -> int:
        """Nanoseconds since the epoch."""
        return self._wall_ms * 1_000_000

    def mono_ns(self) -> int:
        """Monotonic nanoseconds."""
        return self._mono_us * 1000

    def advance(self, ms: int) -> None:
        """Both clocks go on."""
        self._wall_ms += ms
        self._mono_us += ms * 1000

    def step_wall(self, ms: int) -> None:
        """Somebody sets the machine's clock."""
        self._wall_ms += ms
