"""Round trips told from fills alone: those that ended while no service looked. Pure.

Asked at a start, of the fills that it has read. Sizes are units, money is USD, `realized` gross of fees
(docs/venue-facts.md F7), times are exchange time.
"""

from collections.abc import Iterable
from decimal import Decimal

from hip3.core.events import Fill
from hip3.core.ledger import RoundTrip
from hip3.core.money import ZERO, div


class _Trip:
    """What was entered and left of one market since it was flat."""

    __slots__ = ("entered", "exited", "fees", "got", "opened_ms", "paid", "realized")

    def __init__(self, opened_ms: int) -> None:
        self.opened_ms = opened_ms
        self.realized = self.fees = ZERO
        self.entered = self.paid = self.exited = self.got = ZERO

    def add(self, fill: Fill) -> Decimal:
        """Count one fill; the position after it, by the start position that the exchange gave the fill."""
        before, signed = fill.start_position, fill.signed_sz
        same_side = before == 0 or (before > 0) == (signed > 0)
        left = ZERO if same_side else min(abs(before), fill.sz)
        self.exited, self.got = self.exited + left, self.got + left * fill.px
        self.entered, self.paid = self.entered + fill.sz - left, self.paid + (fill.sz - left) * fill.px
        self.realized += fill.closed_pnl
        self.fees += fill.fee
        return before + signed

    def ended(self, last: Fill) -> RoundTrip:
        """The round trip that this fill ended."""
        return RoundTrip(
            coin=last.coin, opened_ms=self.opened_ms, closed_ms=last.time_ms, realized=self.realized,
            fees=self.fees, entry_px=div(self.paid, self.entered) if self.entered else ZERO,
            exit_px=div(self.got, self.exited) if self.exited else ZERO, entered_usd=self.paid,
        )  # fmt: skip


def round_trips(fills: Iterable[Fill]) -> list[RoundTrip]:
    """Every round trip that ends in these fills (oldest first), in the order of their ends.

    One that began before the first fill counts with what is seen of it. Funding is not in fills, so it is 0 here. A
    fill through zero ends nothing: the two sides are one round trip, as in the tracker.
    """
    out = []
    trips: dict[str, _Trip] = {}
    for fill in fills:
        trip = trips.setdefault(fill.coin, _Trip(fill.time_ms))
        # By the exchange's start position, not by a sum of ours: a missing fill cannot keep a trip open for ever.
        if trip.add(fill) == 0:
            del trips[fill.coin]
            out.append(trip.ended(fill))
    return out
