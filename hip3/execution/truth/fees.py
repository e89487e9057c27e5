"""What our own fills cost, held against what is assumed of their market: a fee that was raised makes every entry lose.

Pure but for what it tells. Called by whoever books a fill.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

from hip3.core.events import Fill
from hip3.core.market import MarketSpec
from hip3.core.money import BASIS_POINT, TEN_THOUSAND, div

CUT = Decimal("0.000002")
"""Fees are cut to 6 decimals, a part at a time."""
TOLERANCE = Decimal("0.005")
"""Of the assumed fee: less than the smallest step between two tiers (docs/venue-facts.md F27)."""

GROWTH_SHARE = Decimal("0.1")
"""What the volume of a growth market counts (docs/venue-facts.md F27)."""


class FeeWatch:
    """`differs(coin, crossed, assumed_bps, paid_bps)` is told of each fill that cost something else."""

    def __init__(self, specs: Mapping[str, MarketSpec], differs: Callable[[str, bool, Decimal, Decimal], None]) -> None:
        self._specs, self._differs = specs, differs

    def credit(self, fill: Fill) -> Decimal:
        """What a fill adds to the address's budget of actions, in USD: on growth markets a tenth."""
        spec, notional = self._specs.get(fill.coin), fill.px * fill.sz
        return notional * GROWTH_SHARE if spec is not None and spec.growth else notional

    def look(self, fill: Fill) -> None:
        """One fill of an order of ours. What the exchange closes by itself is free, and is not judged; nor is a rate
        that nobody told."""
        spec, notional = self._specs.get(fill.coin), fill.px * fill.sz
        if spec is None or fill.liquidation or not notional:
            return
        assumed = spec.taker_fee_bps if fill.crossed else spec.maker_fee_bps
        if assumed is None:
            return
        wanted = notional * assumed * BASIS_POINT
        if abs(fill.fee - wanted) > max(CUT, abs(wanted) * TOLERANCE):
            self._differs(fill.coin, fill.crossed, assumed, div(fill.fee * TEN_THOUSAND, notional))
