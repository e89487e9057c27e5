"""Pacing: how many actions the quotes may cost. Pure state, confined to the tick.

An address may send 10,000 actions and one more for each dollar traded. Retreats take from the bucket, into debt if need
be, and are never held back by it; placements and improvements wait for it. The spread is never widened because the
budget is short: fewer fills would make it shorter still.
"""

from decimal import Decimal

from hip3.core.money import ZERO, div
from hip3.execution.sending.address_budget import BudgetState

HORIZON_MS = 86_400_000
"""What is left lasts for a day."""
BURST = 20.0
KEPT, KEPT_PER_KEY = 500, 2
"""What quotes leave to exits."""
LEAN_SHARE = 4
"""With less than this part of the cap left quoting is lean: one level, and improvements four times as patient."""


class Pacing:
    """A token bucket over the address's budget."""

    def __init__(self, keys: int, *, cost: int = 2) -> None:
        """`cost`: actions for one quote that moves, a cancel and a placement or a move."""
        self._keys, self._cost = max(keys, 1), cost
        self._tokens = BURST
        self._rate, self._per_second = 0.0, ZERO
        """What comes back: per millisecond, and per second."""
        self._at_ms: int | None = None
        self.spent = False
        """The reserve is reached: nothing of quotes may rest."""
        self.lean = False
        self.rich = True
        """More than half of the cap is left."""

    def refresh(self, state: BudgetState, now_ms: int) -> None:
        """Take the budget as it is now, at monotonic `now_ms`; each pass."""
        left, kept = state.cap - state.used, max(state.kept, KEPT) + KEPT_PER_KEY * self._keys
        self.spent, self.lean = left <= kept, left < state.cap // LEAN_SHARE
        self.rich = left * 2 > state.cap
        rate = max(0, left - kept) / HORIZON_MS
        if rate != self._rate:
            self._rate, self._per_second = rate, Decimal(repr(rate * 1000))
        if self._at_ms is not None:
            self._tokens = min(BURST, self._tokens + (now_ms - self._at_ms) * self._rate)
        self._at_ms = now_ms

    def take(self, *, urgent: bool = False, beside: int = 0) -> bool:
        """Pay for one action; False: it has to wait. `urgent` ones never do. `beside`: so many others are to come."""
        if not urgent and self._tokens < 1 + beside:
            return False
        self._tokens -= 1
        return True

    def give_back(self) -> None:
        """What was taken for an action that is not sent after all."""
        self._tokens += 1

    def width_bps(self, sigma_bps: Decimal, half_bps: Decimal) -> Decimal:
        """How far a quote must be from where it should be before moving it is worth an action.

        A random walk leaves the band between retreat and improvement in its product over the variance: with this width
        all keys together spend what the budget gives. At most twice the half spread.
        """
        if self._rate <= 0:
            return 2 * half_bps
        retreat = max(Decimal(1), half_bps / 4)
        width = div(self._keys * self._cost * sigma_bps * sigma_bps, retreat * self._per_second)
        return max(ZERO, min(2 * half_bps, width))
