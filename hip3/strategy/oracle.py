"""Consecutive oracle moves of one market: a fold over oracle prices. Pure."""

from decimal import Decimal

from hip3.core.money import ZERO, bps_of


class OracleMoves:
    """How often in a row the oracle stepped up or down, and how far the last time.

    An unchanged price changes nothing. A change below `min_move_bps` is no step: the counts stay,
    and it becomes the last change. A step one way ends the run of the other.
    """

    __slots__ = ("down", "last", "last_change_bps", "up")

    def __init__(self) -> None:
        self.last: Decimal | None = None
        self.up = 0
        self.down = 0
        self.last_change_bps = ZERO
        """Signed size of the last change, in basis points of the price before it."""

    def observe(self, oracle: Decimal, min_move_bps: Decimal) -> None:
        """Fold in one published price."""
        last = self.last
        if last is None or oracle == last:
            self.last = oracle
            return
        change = bps_of(oracle - last, last)
        self.last = oracle
        self.last_change_bps = change
        if change >= min_move_bps:
            self.up += 1
            self.down = 0
        elif -change >= min_move_bps:
            self.down += 1
            self.up = 0
