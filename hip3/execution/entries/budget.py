"""ActionBudget: so many new orders per second, in a fixed window.

Guards: window start and count, together, so that check, consume and window reset are one step (the
ancestor's repaired loop still lost a count when a reset was overtaken between its two atomics).
Called from: the executor, on the ws-reader. Monotonic milliseconds. This is our own brake; what the exchange allows
the address is `sending.address_budget`.
"""

from hip3.locks import new_lock

WINDOW_MS = 1000


class ActionBudget:
    """At most `limit` per window. A window begins with the first action after the last one's end."""

    def __init__(self, limit: int) -> None:
        self._lock = new_lock("ActionBudget")
        self._limit = limit
        self._start_ms = -WINDOW_MS
        self._count = 0

    def try_consume(self, now_ms: int) -> bool:
        """Take one action of the window that `now_ms` is in; False if it is spent."""
        with self._lock:
            if now_ms - self._start_ms >= WINDOW_MS:
                self._start_ms, self._count = now_ms, 0
            if self._count >= self._limit:
                return False
            self._count += 1
            return True

    def refund(self, taken_ms: int) -> None:
        """Give one back that was taken at `taken_ms`; only its own window gets it back."""
        with self._lock:
            if self._count > 0 and 0 <= taken_ms - self._start_ms < WINDOW_MS:
                self._count -= 1

    @property
    def used(self) -> int:
        """Count of the latest window, also when it is over."""
        with self._lock:
            return self._count
