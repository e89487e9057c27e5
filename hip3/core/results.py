"""Results: the one definition of each figure that live page, closing table, `observe` and reports show. Pure.

`captured`: what entries were better than their reference when they were decided, the oracle of a taken signal or the
fair price of a quote; `moves`: the rest of the gross result, what prices did until the position was left, open ones at
their marks; then fees and funding. `net` is the sum of the four. A markout is what a fill was worth some seconds later,
in basis points of its price and from our side. Money is USD; an amount that is not known is None, never 0.
"""

from decimal import Decimal
from typing import Any

import msgspec

from hip3.core.money import BASIS_POINT, TEN_THOUSAND, ZERO, bps_of, div, half_even

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
QUOTE_HORIZONS_S = (1, 5, 30)
"""Seconds after a quote's fill at which it is judged."""
LATE_MS = 2000
"""A price that comes so much later than its horizon is not that horizon's."""


def plain(value: Decimal) -> str:
    """An amount as text, without an exponent and without zeros at its end."""
    return format(value.normalize(), "f") if value else "0"


def rounded(value: Decimal, digits: int = 2) -> str:
    """A figure for people, half even, with so many decimals: basis points, USD of a table."""
    return f"{half_even(value, digits):f}"


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """What the account came to since its state began, at one instant."""

    realized_usd: str
    fees_usd: str
    funding_usd: str
    captured_usd: str
    """What entries were better than their reference: oracle or fair price."""
    open_usd: str | None
    """What open positions have gained at their marks; None: a mark is not known."""
    equity_usd: str | None
    round_trips: int = 0
    wins: int = 0


NOTHING = Sums(realized_usd="0", fees_usd="0", funding_usd="0", captured_usd="0", open_usd="0", equity_usd=None)
"""An account's state as it begins."""


def split(now: Sums, then: Sums) -> dict[str, Any]:
    """The result between two instants; what is not known is null."""

    def of(name: str) -> Decimal:
        return Decimal(getattr(now, name)) - Decimal(getattr(then, name))

    captured, fees, funding = of("captured_usd"), of("fees_usd"), of("funding_usd")
    moves: Decimal | None = None
    if now.open_usd is not None and then.open_usd is not None:
        moves = of("realized_usd") + of("open_usd") - captured
    return {
        "net_usd": None if moves is None else plain(captured + moves - fees + funding),
        "captured_usd": plain(captured), "moves_usd": None if moves is None else plain(moves),
        "fees_usd": plain(fees), "funding_usd": plain(funding),
        "round_trips": now.round_trips - then.round_trips, "wins": now.wins - then.wins,
    }  # fmt: skip


def net(realized: Decimal, fees: Decimal, funding: Decimal) -> Decimal:
    """What fills came to: gross result, less fees, plus funding (negative: paid)."""
    return realized - fees + funding


def captured_usd(edge_bps: Decimal, executed: Decimal, avg_px: Decimal) -> Decimal:
    """What one taken entry was better than the oracle that it was signalled by, at what it executed."""
    return edge_bps * executed * avg_px / TEN_THOUSAND


def markout_bps(sign: int, px: Decimal, later: Decimal) -> Decimal:
    """What a fill at `px` was worth at the price of later, from its side (`sign` 1 for a buy, -1 for a sell)."""
    return bps_of(sign * (later - px), px)


class Mean:
    """A mean of basis points, weighted by volume in USD."""

    __slots__ = ("_sum", "usd_volume")

    def __init__(self) -> None:
        self.usd_volume = self._sum = ZERO

    def add(self, bps: Decimal, usd: Decimal) -> None:
        """One fill of so many USD."""
        self.usd_volume += usd
        self._sum += bps * usd

    @property
    def usd(self) -> Decimal:
        """What the basis points came to."""
        return self._sum * BASIS_POINT

    @property
    def value(self) -> Decimal | None:
        """The mean; None without volume."""
        return div(self._sum, self.usd_volume) if self.usd_volume else None
