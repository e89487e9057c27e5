"""The exchange's limits per minute (docs/venue-facts.md F10): of weight by a bucket, of messages by a window.

They hold what this process has spent. Others behind the same IP spend of the same limits: then the exchange says 429.
"""

from collections import deque

from hip3.locks import new_lock

IP_WEIGHT_PER_MINUTE = 1200
"""Of requests over HTTP; `rest.weight_of` tells what each costs."""
WS_MESSAGES_PER_MINUTE = 2000
"""Of ours over WebSockets: posts, subscriptions, pings."""
MINUTE_MS = 60_000


class TokenBucket:
    """`capacity` tokens that refill evenly over a minute.

    Guards: level and time of the last refill. Called from: whoever sends (tick and ws-reader, or rest), and status.
    Monotonic milliseconds; a time before the last one refills nothing. It begins full. Nothing raises or waits.

    Kept in whole thousandths of a token, so that no rounding adds up however often it is asked.
    """

    def __init__(self, capacity: int, now_ms: int) -> None:
        self._lock = new_lock("TokenBucket")
        self._capacity = capacity
        self._milli = capacity * 1000
        self._at_ms = now_ms

    def try_take(self, tokens: int, now_ms: int, *, keep: int = 0) -> bool:
        """Take `tokens` at once, or nothing; whether it took them. `keep` tokens must be left over, for others."""
        with self._lock:
            self._refill_locked(now_ms)
            if self._milli < (tokens + keep) * 1000:
                return False
            self._milli -= tokens * 1000
            return True

    def wait_ms(self, tokens: int, now_ms: int) -> int:
        """How long until `tokens` are there, rounded up (0: now), if nobody takes any meanwhile."""
        with self._lock:
            self._refill_locked(now_ms)
            missing = tokens * 1000 - self._milli
            if missing <= 0:
                return 0
            return -(-missing * MINUTE_MS // (self._capacity * 1000))

    def level(self, now_ms: int) -> int:
        """Whole tokens left, from 0 to the capacity."""
        with self._lock:
            self._refill_locked(now_ms)
            return self._milli // 1000

    def _refill_locked(self, now_ms: int) -> None:
        """Credit the time since the last refill, up to the capacity."""
        assert self._lock.locked()
        elapsed = max(0, now_ms - self._at_ms)
        gained = elapsed * self._capacity * 1000 // MINUTE_MS
        if gained:
            self._milli = min(self._capacity * 1000, self._milli + gained)
            # Only whole thousandths were credited: keep the rest of the time for the next call.
            self._at_ms += (
                gained * MINUTE_MS // (self._capacity * 1000) if self._milli < self._capacity * 1000 else elapsed
            )


class MinuteWindow:
    """So many in any minute, whenever it begins: where one too many closes the connection.

    A bucket that begins full gives twice its capacity in its first minute. Guards: what was taken in the last minute.
    Called from: tick and ws-reader. Monotonic milliseconds. Nothing raises or waits.
    """

    def __init__(self, capacity: int) -> None:
        self._lock = new_lock("MinuteWindow")
        self._capacity = capacity
        self._taken: deque[int] = deque()

    def try_take(self, now_ms: int) -> bool:
        """Take one; whether there was one left."""
        with self._lock:
            self._forget_locked(now_ms)
            if len(self._taken) >= self._capacity:
                return False
            self._taken.append(now_ms)
            return True

    def left(self, now_ms: int) -> int:
        """How many may be taken now, from 0 to the capacity."""
        with self._lock:
            self._forget_locked(now_ms)
            return self._capacity - len(self._taken)

    def _forget_locked(self, now_ms: int) -> None:
        assert self._lock.locked()
        while self._taken and self._taken[0] <= now_ms - MINUTE_MS:
            self._taken.popleft()
