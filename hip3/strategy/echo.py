"""Whether an oracle is the echo of its own book. Pure.

Outside the hours of its underlying, and where its sources are silent, the deployer's oracle is a slow average of the
market's own price (docs/venue-facts.md F38): it creeps towards the middle of the book, a little with each publication.
A quote that is away from such an oracle lags nothing.
"""

from decimal import Decimal

from hip3.core.money import ZERO

SHARE = Decimal("0.05")
"""A step of an average is less than this share of its way; an oracle with a source leaps as far as its source did."""
RUN = 20
"""So many steps in a row: by chance no source takes them."""
DIGITS = 4
"""Behind the first of a price: a step cannot be smaller than the last of five digits."""


class Echo:
    """Folds an oracle and the middle of its book."""

    __slots__ = ("_mid", "_oracle", "run")

    def __init__(self) -> None:
        self._oracle: Decimal | None = None
        self._mid: Decimal | None = None
        self.run = 0
        """How many steps in a row were such as an average takes."""

    @property
    def heard(self) -> bool:
        """Whether the oracle follows its book now."""
        return self.run >= RUN

    def observe(self, oracle: Decimal, mid: Decimal | None) -> None:
        """One publication, with the middle of the book at that time; None: nobody knows it, and then nothing is
        learnt. An unchanged price is no step."""
        before, way_to = self._oracle, self._mid
        self._oracle, self._mid = oracle, mid
        if before is None or way_to is None or oracle == before:
            return
        step, way = oracle - before, way_to - before
        if way < ZERO:
            step, way = -step, -way
        follows = ZERO < 2 * step < way and (step <= way * SHARE or step <= _tick(before))
        self.run = self.run + 1 if follows else 0


def _tick(px: Decimal) -> Decimal:
    return Decimal(1).scaleb(px.adjusted() - DIGITS)
