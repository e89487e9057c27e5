"""Markets: what is fixed about one (`MarketSpec`) and what is seen of it (`MarketView`).

The values of hip3 are `msgspec.Struct`s: immutable, slotted, and five times cheaper to make than a
frozen dataclass, which counts on the path of every market-data frame (docs/decisions/0003). Pure; an immutable value
may be read by any thread without a lock. Prices are USD for one unit of the asset, sizes units of the asset.
"""

from collections.abc import Container
from decimal import Decimal

import msgspec

from hip3.core.money import HALF, ONE, ZERO

DELISTED = "delisted"
"""Why a market that `meta` calls so is not traded; a halt shows as this, too (docs/venue-facts.md F29)."""


def in_dexs(coin: str, dexs: Container[str]) -> bool:
    """Whether a coin belongs to one of these builder dexs; the main dex and spot belong to none."""
    dex, colon, _ = coin.partition(":")
    return bool(colon) and dex in dexs


class _EveryDex:
    def __contains__(self, name: object) -> bool:
        return True


EVERY_DEX: Container[str] = _EveryDex()
"""Any builder dex: what is in none is of the main dex, of spot or an outcome, and no order of ours."""


class MarketSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of one market, read once per start from `perpDexs`, `meta` and `userFees`."""

    coin: str
    """With its dex, like `xyz:GOLD`."""
    dex: str
    asset_id: int
    """What actions name the market by (docs/venue-facts.md F8)."""
    sz_decimals: int
    """Decimals of a size; they also bound those of a price (docs/venue-facts.md F1, F2)."""
    max_leverage: int | None
    """None: not known, and neither is where an isolated position would be liquidated."""
    isolated_only: bool
    """Cross margin is not allowed."""
    growth: bool
    """In growth mode, whose fees are a tenth (docs/venue-facts.md F7)."""
    fee_factor: Decimal = ONE
    """What the dex multiplies the base rate by."""
    taker_fee_bps: Decimal
    """One taker leg of this account in this market, all factors included."""
    maker_fee_bps: Decimal | None = None
    """The same of a resting order; negative: a rebate. None: not known."""

    collateral_token: int | None = 0
    """Token number of the dex's collateral; 0 is USDC. None: not known, and neither is a pooled account's worth."""


class Level(msgspec.Struct, frozen=True):
    """The touch of one side: price and displayed size, both positive."""

    px: Decimal
    sz: Decimal


class MarketView(msgspec.Struct, frozen=True):
    """What is known of a market at one instant. None means not seen, or a side without quotes.

    Values of an earlier generation stay in it until new ones come; its age marks do not.
    """

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
    """In units of the asset; 0 also before it is known."""
    ctx_at_ms: int | None = None
    """Monotonic time at which the last asset context was received in this epoch; None before the first."""
    generation: int = 0
    """The connection generation these data came in."""

    @property
    def heard(self) -> "MarketView":
        """Only what came by this connection: without a touch, or without oracle and mark, where the last ones are of
        before it. A context that comes first says nothing of a touch that stood before a gap."""
        if self.bbo_at_ms is not None and self.ctx_at_ms is not None:
            return self
        changes: dict[str, None] = {} if self.bbo_at_ms is not None else {"bid": None, "ask": None}
        changes |= {} if self.ctx_at_ms is not None else {"oracle": None, "mark": None}
        return msgspec.structs.replace(self, **changes)

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
