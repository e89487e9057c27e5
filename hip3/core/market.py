"""Markets: what is fixed about one (`MarketSpec`) and what is seen of it (`MarketView`).

The values of hip3 are `msgspec.Struct`s: immutable, slotted, and five times cheaper to make than a
frozen dataclass, which counts on the path of every market-data frame (docs/decisions/0003).
"""

from collections.abc import Container
from decimal import Decimal

import msgspec

from hip3.core.money import HALF, ONE, ZERO


def in_dexs(coin: str, dexs: Container[str]) -> bool:
    """Whether a coin belongs to one of these builder dexs; the main dex and spot belong to none."""
    dex, colon, _ = coin.partition(":")
    return bool(colon) and dex in dexs


class MarketSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of one market, read once per start from `perpDexs`, `meta` and `userFees`."""

    coin: str
    dex: str
    asset_id: int
    sz_decimals: int
    max_leverage: int
    isolated_only: bool
    growth: bool
    fee_factor: Decimal = ONE
    """What the dex multiplies the base rate by."""
    taker_fee_bps: Decimal
    """One taker leg of this account in this market, all factors included."""

    collateral_token: int = 0


class Level(msgspec.Struct, frozen=True):
    """The touch of one side: price and displayed size, both positive."""

    px: Decimal
    sz: Decimal


class MarketView(msgspec.Struct, frozen=True):
    """What is known of a market at one instant. None means not seen, or a side without quotes."""

    coin: str
    bid: Level | None = None
    ask: Level | None = None
    book_time_ms: int = 0
    """The exchange's time of the book."""
    bbo_at_ms: int | None = None
    """Monotonic time at which the last bbo was received in this epoch; None before the first."""
    oracle: Decimal | None = None
    mark: Decimal | None = None
    open_interest: Decimal = ZERO
    ctx_at_ms: int | None = None
    """Monotonic time at which the last asset context was received in this epoch."""
    generation: int = 0
    """The connection generation these data came in."""

    @property
    def two_sided(self) -> bool:
        """Both sides quoted and not crossed: only then is there a price to trade at."""
        return self.bid is not None and self.ask is not None and self.bid.px < self.ask.px

    @property
    def mid(self) -> Decimal | None:
        """The middle of a two-sided book, else None."""
        if self.bid is None or self.ask is None or self.bid.px >= self.ask.px:
            return None
        return (self.bid.px + self.ask.px) * HALF
