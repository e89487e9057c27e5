"""AddressBudget: how many actions the address may still send.

The exchange allows an address 10,000 actions and one more for each dollar traded; a batch of n counts n. Over its
limit an address may act every ten seconds (docs/venue-facts.md F33). Cancels have a larger allowance of their own. A
share is kept for cancels and reduce-only orders, so that entries can never use up what exits need.

Guards: used and cap. Called from: ws-reader (entries, fills), tick (what is sent), rest (the anchor: `userRateLimit`
every 60 s; noops, leverage, fills), status and alerts (`state`). Unknown until the first anchor: then the start value
of the protocol is assumed. Between two anchors our own count drifts; the next one puts it right.
"""

from decimal import Decimal

import msgspec

from hip3.core.money import ZERO
from hip3.locks import new_lock

START_CAP = 10_000
"""Actions that an address may send before it has traded anything."""
KEPT_SHARE = 20
"""One twentieth of the cap, at most `KEPT_MOST`, is kept for cancels and reduce-only orders."""
KEPT_MOST = 500
EXPIRED_COST = 5
"""What an action that arrives after its expiry costs, instead of 1."""


class BudgetState(msgspec.Struct, frozen=True):
    """The ledger at one instant, in actions."""

    used: int
    cap: int
    """How many it may have sent in all."""
    kept: int
    """Of the cap, what entries must leave."""

    @property
    def left_for_entries(self) -> int:
        """Entries that may still be sent; negative when exits live on what is kept."""
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
        """Whether one more entry leaves enough for exits. Takes nothing: the tick counts what is sent, so entries
        that wait in the queue are not in it yet."""
        return self.state().left_for_entries >= 1

    def spend(self, actions: int) -> None:
        """So many items were sent (or the exchange charged for so many); negative: they did not leave after all."""
        with self._lock:
            self._used += actions

    def traded(self, notional: Decimal) -> None:
        """A fill raises the cap: one action for each whole dollar of `notional` (USD), the rest is carried on."""
        with self._lock:
            self._traded += notional
            whole = int(self._traded)
            self._cap += whole
            self._traded -= whole

    def anchor(self, used: int, cap: int) -> None:
        """What the exchange itself says, in actions. It replaces our count, and what was carried on is dropped."""
        with self._lock:
            self._used, self._cap, self._traded = used, cap, ZERO
