"""One market that is being left, and one attempt at it: the values that the `ExitDesk` keeps and hands out.

Changed under the desk's lock alone. Times are monotonic milliseconds.
"""

from decimal import Decimal

import msgspec

from hip3.core.orders import ExitReason
from hip3.position.exit_rules import ExitParams

SLOW_RETRY_MS = ((36, 5000), (60, 30_000))
"""The same at the largest slippage, up to so many: three minutes long every 5 s, then twelve every 30 s, and then:"""


class ExitPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One claimed attempt: build it and send it, or give it back by `unbuilt`."""

    coin: str
    reason: ExitReason
    """The one that came first, whatever the claim was made for."""
    attempt: int
    """From 1; an attempt that the exchange did not answer is not counted."""
    slippage_bps: Decimal
    """How much worse than the touch the limit may be."""
    predecessor: str | None
    """The cloid of the attempt before; None for the first of this run."""
    claim: int
    """Which claim of this exit it is; tells a latecomer that another took its place."""


class LeavingMarket:
    """One market that is being left."""

    __slots__ = (
        "attempt",
        "claims",
        "cloid",
        "deadline_ms",
        "ended_ms",
        "failures",
        "leaving",
        "next_ms",
        "once",
        "reason",
        "reasons",
        "refused",
        "slow",
        "stuck",
        "waits_for",
    )

    def __init__(self, reason: ExitReason, now_ms: int) -> None:
        self.reason = reason
        self.attempt = 0
        self.cloid: str | None = None
        """The order of the latest attempt; between a claim and `started` still that of the one before."""
        self.deadline_ms: int | None = None
        """Set while an attempt is under way."""
        self.once = False
        """It is one order of COMPLETION, and not an exit."""
        self.leaving = False
        """Its order is being handed to the socket."""
        self.next_ms = now_ms
        self.failures = self.claims = 0
        self.refused = 0
        """Attempts in a row that were refused for what no price can help."""
        self.waits_for = ""
        """What the exchange said of the last of them; empty after any other end."""
        self.stuck = False
        self.ended_ms = now_ms
        """When the last attempt was over."""
        self.slow = 0
        """Attempts without hope of a better price so far: they come further apart."""
        self.reasons = {reason}
        """All that were given for it: a new one is tried at once."""

    def slow_ms(self, slowest_ms: int) -> int:
        """Until the next of these; each counts."""
        self.slow += 1
        return next((ms for most, ms in SLOW_RETRY_MS if self.slow <= most), slowest_ms)

    def tempted(self, quote_ms: int | None) -> None:
        """A quote that it could take has come since its last attempt, if one has: `quote_ms` is of the newest."""
        if self.slow and not self.refused and quote_ms is not None and quote_ms > self.ended_ms:
            self.next_ms = min(self.next_ms, self.ended_ms + SLOW_RETRY_MS[0][1])

    def taken_over(self, reason: ExitReason, now_ms: int) -> None:
        """A reason to leave it takes the place of a single order; that may still be under way, and is waited for."""
        if self.once and reason is not ExitReason.COMPLETION:
            self.once, self.reason, self.reasons, self.attempt, self.next_ms = False, reason, {reason}, 0, now_ms

    def hurry(self, reason: ExitReason, now_ms: int) -> None:
        """Somebody, or another rule, wants it left as well: that may have waited for a long time."""
        if reason not in self.reasons:
            self.reasons.add(reason)
            if self.slow:
                self.slow, self.next_ms = 0, min(self.next_ms, now_ms)

    def at_bound(self, params: ExitParams) -> bool:
        """Whether the last attempt was at the largest slippage: no further one can offer more."""
        reached = params.slippage_bps + params.step_bps * (self.attempt - 1) >= params.max_slippage_bps
        return reached or params.step_bps <= 0
