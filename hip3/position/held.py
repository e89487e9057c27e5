"""Held: what the journal keeps of a position for the next start. Pure values."""

from decimal import Decimal

import msgspec

from hip3.core.money import ZERO
from hip3.core.orders import ExitReason
from hip3.position.exit_rules import ExitMemory


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What must be known of a position after a restart and is not the exchange's to tell."""

    coin: str
    entry_ms: int
    """Exchange time: with the side it tells whether a position found at a start is still this one."""
    entry_edge_bps: Decimal
    admission_px: Decimal = ZERO
    """The price at which the limits counted it."""
    szi: Decimal = ZERO
    """Signed size, for a start that cannot ask the exchange; 0 where an older version kept it."""
    as_of_ms: int = 0
    """Exchange time until when fills are in that size; 0 where an older version kept it."""
    entry_px: Decimal = ZERO
    foreign: bool = False
    memory: ExitMemory | None = None
    reason: ExitReason | None = None
    """Why it is being left; None while it is not."""
    attempt: int = 0
    """Attempts so far: the price step goes on where it was."""
    failures: int = 0
    """Attempts that ended without closing it."""

    @property
    def long(self) -> bool | None:
        """The side it was of; None if nobody remembers."""
        return None if self.memory is None else self.memory.long
