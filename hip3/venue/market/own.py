"""What a recording has of the account that recorded it, and funding as it was recorded. Pure."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from hip3.core.money import div, truncate
from hip3.venue.engine.account import USD_DECIMALS
from hip3.venue.engine.funding import HOUR_MS, Funding
from hip3.venue.engine.model import Market

LATE_MS = HOUR_MS // 60
"""A payment is made with the hour's first block, and surely within this of it."""


class OwnFill(NamedTuple):
    """A fill of the account that the recording itself has."""

    at_ms: int
    coin: str
    is_buy: bool
    px: Decimal
    sz: Decimal
    crossed: bool
    cloid: str | None


class OwnFunding(NamedTuple):
    """A payment that the recording itself has."""

    at_ms: int
    coin: str
    usdc: Decimal
    szi: Decimal
    rate: Decimal


class Own(msgspec.Struct):
    """What the recording has of the account that recorded it: its takings are added back to what was offered, and its
    resting orders are filled when they were. Filled ahead of time, like the tapes."""

    fills: list[OwnFill] = []
    fundings: list[OwnFunding] = []


class RecordedFunding(Funding):
    """Paid every hour at the recorded rate on the recorded oracle; at the very payment that the recording has where
    the position is the same."""

    def __init__(
        self, engine: Any, now_ms: int, prices: Callable[[str, int], tuple[Decimal, Decimal] | None], own: Own | None
    ) -> None:
        super().__init__(engine, now_ms)
        self._prices, self._own = prices, own

    @property
    def next_hour(self) -> int:
        """When the next payment is due: when it was made where that is recorded, else at the full hour."""
        rows = [] if self._own is None else self._own.fundings
        hour = self._next_hour
        return min((r.at_ms for r in rows if hour <= r.at_ms < hour + LATE_MS), default=hour)

    def advance(self, now_ms: int) -> None:
        """Pay what is due."""
        due = self.next_hour
        if due > now_ms:
            return
        self._next_hour = now_ms - now_ms % HOUR_MS + HOUR_MS
        for market in self._engine.markets.values():
            if not market.holders:
                continue
            prices = self._prices(market.info.coin, due)
            if prices is not None:
                market.oracle, market.funding = prices
            self._as_recorded(market, due)
            self.pay(market, due)

    def missed(self, coin: str, rows: Iterable[tuple[int, Decimal]]) -> None:
        """Payments that were due while nobody ran: (when, hourly rate), at the oracle of now, which is all there is."""
        market = self._engine.markets[coin]
        now = market.funding
        for at_ms, rate in rows:
            market.funding = rate
            self.pay(market, at_ms)
        market.funding = now

    def _as_recorded(self, market: Market, at_ms: int) -> None:
        """The recorded payment's own rate, and an oracle that makes its amount."""
        for row in [] if self._own is None else self._own.fundings:
            if row.coin == market.info.coin and abs(row.at_ms - at_ms) < LATE_MS:
                market.funding = row.rate
                made = truncate(row.szi * market.oracle * row.rate, USD_DECIMALS)
                if row.szi and row.rate and made != -row.usdc:
                    # In the middle of what is cut to that amount: nothing of it may be lost to rounding.
                    half = Decimal("0.0000005").copy_sign(-row.usdc)
                    market.oracle = div(half - row.usdc, row.szi * row.rate)
