"""A position that our books and the exchange do not have in one size, and when the exchange's is believed. Pure."""

from decimal import Decimal

import msgspec

GONE_READINGS = 3
GONE_MS = 60_000
"""A position that the exchange does not show is believed gone after so many readings over so long."""


class Difference(msgspec.Struct, frozen=True):
    """Our size and the exchange's (signed, in units), since when (monotonic), and in how many readings in a row."""

    ours: Decimal
    """By booked fills alone."""
    theirs: Decimal
    since_ms: int
    readings: int
    ours_by_fills: bool
    """The newest fill of the market says what our books say: the reading may be an old one."""

    @property
    def grown(self) -> bool:
        """The exchange has more than we knew of, or the other side."""
        return not self.ours_by_fills and self._larger

    @property
    def _larger(self) -> bool:
        return abs(self.theirs) > abs(self.ours) or (self.theirs != 0 and (self.theirs > 0) != (self.ours > 0))

    def again(self) -> "Difference":
        """The same, seen in one reading more."""
        return msgspec.structs.replace(self, readings=self.readings + 1)

    def believable(self, now_ms: int) -> bool:
        """Whether the exchange's size is to be taken for true now."""
        if self.grown:
            return self.readings >= 2
        return self.readings >= GONE_READINGS and now_ms - self.since_ms >= GONE_MS
