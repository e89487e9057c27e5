"""NonceManager: strictly rising nonces near the exchange's time.

Protocol (docs/venue-facts.md F6): per signer the 100 highest nonces are kept; a new one must be
unused, above the smallest kept, and within (T - 2 days, T + 1 day) of block time T in milliseconds.
Nonces rise over restarts as well: `nonce_floor` says from where.
"""

from hip3.core.nonce_floor import MAX_LEAD_MS, floor_of
from hip3.errors import NonceError
from hip3.locks import new_lock


class NonceManager:
    """Gives out `max(last + 1, now)`, so that a nonce tells about when it was given.

    Guards: the last nonce. Called from: tick, rest (leverage, `learned`), status (`last`). `floor` is what an earlier
    run gave out. Time is an argument: the exchange's (`ClockOffset`), so that a machine whose clock is set wrong for a
    moment neither signs what is refused nor leaves a floor behind that is. A noop that contends with an order takes the
    order's own nonce, and none from here.
    """

    def __init__(self, floor: int = 0) -> None:
        self._lock = new_lock("NonceManager")
        self._last = floor

    def next(self, now_ms: int) -> int:
        """A nonce greater than every one before; NonceError if it would run most of a day ahead of `now_ms`, the
        exchange's time. After an error the last nonce is as it was."""
        with self._lock:
            nonce = max(self._last + 1, now_ms)
            if nonce > now_ms + MAX_LEAD_MS:
                raise NonceError(
                    f"the next nonce {nonce} is {(nonce - now_ms) // 1000} s ahead of the exchange; "
                    "wait until its clock has come nearer",
                    nonce=nonce,
                )
            self._last = nonce
            return nonce

    def learned(self, exchange_ms: int) -> None:
        """The exchange's time was read. What a clock gave out that was a day ahead, while nothing told the time, keeps
        no nonce of now away. The rest thread, main."""
        with self._lock:
            self._last = floor_of(self._last, exchange_ms)

    @property
    def last(self) -> int:
        """The highest nonce given out, or the floor."""
        with self._lock:
            return self._last
