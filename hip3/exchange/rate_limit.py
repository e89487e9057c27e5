"""Token buckets for the exchange's limits per minute (docs/venue-facts.md F10)."""

from hip3.locks import new_lock

IP_WEIGHT_PER_MINUTE = 1200
WS_MESSAGES_PER_MINUTE = 2000
MINUTE_MS = 60_000


class TokenBucket:
    """`capacity` tokens that refill evenly over a minute.

    Guards: level and time of the last refill. Called from: whoever sends. Monotonic milliseconds.
    """

    def __init__(self, capacity: int, now_ms: int) -> None:
        self._lock = new_lock("TokenBucket")
        self._capacity = capacity
        self._milli = capacity * 1000
        self._at_ms = now_ms

    def try_take(self, tokens: int, now_ms: int, *, keep: int = 0) -> bool:
        """Take `tokens` at once, or nothing. `keep` tokens stay for others."""
        with self._lock:
            self._refill_locked(now_ms)
            if self._milli < (tokens + keep) * 1000:
                return False
            self._milli -= tokens * 1000
            return True

    def wait_ms(self, tokens: int, now_ms: int) -> int:
        """How long until `tokens` are there (0: now)."""
        with self._lock:
            self._refill_locked(now_ms)
            missing = tokens * 1000 - self._milli
            if missing <= 0:
                return 0
            return -(-missing * MINUTE_MS // (self._capacity * 1000))

    def level(self, now_ms: int) -> int:
        """Whole tokens left."""
        with self._lock:
            self._refill_locked(now_ms)
            return self._milli // 1000

    def _refill_locked(self, now_ms: int) -> None:
        assert self._lock.locked()
        elapsed = max(0, now_ms - self._at_ms)
        gained = elapsed * self._capacity * 1000 // MINUTE_MS
        if gained:
            self._milli = min(self._capacity * 1000, self._milli + gained)
            # Only whole thousandths were credited: keep the rest of the time for the next call.
            self._at_ms += (
                gained * MINUTE_MS // (self._capacity * 1000) if self._milli < self._capacity * 1000 else elapsed
            )
