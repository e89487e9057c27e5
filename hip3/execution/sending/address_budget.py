"""AddressBudget: how many actions the address may still send.

The exchange allows an address 10,000 actions and one more for each dollar traded; a batch of n counts n
(docs/venue-facts.md F10). Cancels have a larger allowance of their own. A share is kept for cancels and
reduce-only orders, so that entries can never use up what exits need.

Guards: used and cap. Called from: ws-reader (entries), tick (what is sent), rest (the anchor: `userRateLimit`
every 60 s; noops). Unknown until the first anchor: then the start value of the protocol is assumed.
"""

from decimal import Decimal

import msgspec

from hip3.core.money import ZERO
from hip3.locks import new_lock

START_CAP = 10_000
KEPT_SHARE = 20
"""One twentieth of the cap, at most `KEPT_MOST`, is kept for cancels and reduce-only orders."""
KEPT_MOST = 500
EXPIRED_COST = 5
"""What an action that arrives after its expiry costs, instead of 1."""


class BudgetState(msgspec.Struct, frozen=True):
    """The ledger at one instant."""

    used: int
    cap: int
    kept: int

    @property
    def left_for_entries(self) -> int:
        return self.cap - self.used - self.kept


class AddressBudget:
    """See the module."""

    def __init__(self) -> None:
        self._lock = new_lock("AddressBudget")
        self._used = 0
        self._cap = START_CAP
        self._traded = ZERO

    def state(self) -> BudgetState:
        """Used, cap, and what is kept for exits."""
        with self._lock:
            return BudgetState(self._used, self._cap, min(self._cap // KEPT_SHARE, KEPT_MOST))

    def may_enter(self) -> bool:
        """Whether one more entry leaves enough for exits."""
        return self.state().left_for_entries >= 1

    def spend(self, actions: int) -> None:
        """So many items were sent (or the exchange charged for so many)."""
        with self._lock:
            self._used += actions

    def traded(self, notional: Decimal) -> None:
        """A fill raises the cap by a dollar for a dollar."""
        with self._lock:
            self._traded += notional
            whole = int(self._traded)
            self._cap += whole
            self._traded -= whole

    def anchor(self, used: int, cap: int) -> None:
        """What the exchange itself says."""
        with self._lock:
            self._used, self._cap, self._traded = used, cap, ZERO
