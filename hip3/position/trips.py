"""Round trips told from fills alone: those that ended while no service looked. Pure."""

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
        """Count one fill; the position after it."""
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

    One that began before the first fill counts with what is seen of it. Funding is not in fills.
    """
    out = []
    trips: dict[str, _Trip] = {}
    for fill in fills:
        trip = trips.setdefault(fill.coin, _Trip(fill.time_ms))
        if trip.add(fill) == 0:
            del trips[fill.coin]
            out.append(trip.ended(fill))
    return out
