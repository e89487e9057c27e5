"""NonceManager: strictly rising nonces near the exchange's time.

Protocol (docs/venue-facts.md F6): per signer the 100 highest nonces are kept; a new one must be
unused, above the smallest kept, and within (T - 2 days, T + 1 day) of block time T in milliseconds.
Nonces rise over restarts as well: the intent log keeps the highest one of earlier runs.
"""

from hip3.errors import NonceError
from hip3.locks import new_lock

MAX_LEAD_MS = 20 * 60 * 60 * 1000
"""How far the last nonce may run ahead of our clock before we refuse. The exchange allows a day ahead of its
own; a clock that was set back by hours must not keep exits from leaving."""


def floor_of(kept: int, exchange_ms: int | None, wall_ms: int) -> int:
    """What no nonce of this run may be at or below: `kept` on disk, and what was signed while the disk was full.

    Those that no disk holds were below the exchange's time, unless our clock was ahead of it; it may have been set
    back since. Never so far ahead of it that nothing could leave. Pure; milliseconds. `exchange_ms` is None where
    nothing tells it: then `kept` alone holds.
    """
    unkept = 0 if exchange_ms is None else min(exchange_ms, wall_ms + MAX_LEAD_MS // 2)
    return max(kept, unkept)


class NonceManager:
    """Gives out `max(last + 1, now)`, so that a nonce tells about when it was given, in wall milliseconds.

    Guards: the last nonce. Called from: tick, rest (leverage), status (`last`). `floor` is what an earlier run gave
    out. Time is an argument. A noop that contends with an order takes the order's own nonce, and none from here.
    """

    def __init__(self, floor: int = 0) -> None:
        self._lock = new_lock("NonceManager")
        self._last = floor

    def next(self, now_ms: int) -> int:
        """A nonce greater than every one before; NonceError if it would run most of a day ahead.

        After an error the last nonce is as it was: once the clock is right, nonces are given out again.
        """
        with self._lock:
            nonce = max(self._last + 1, now_ms)
            if nonce > now_ms + MAX_LEAD_MS:
                raise NonceError(
                    f"the next nonce {nonce} is {(nonce - now_ms) // 1000} s ahead of the clock; "
                    "set the clock right or wait",
                    nonce=nonce,
                )
            self._last = nonce
            return nonce

    @property
    def last(self) -> int:
        """The highest nonce given out, or the floor."""
        with self._lock:
            return self._last
