"""What a trade costs: volume tiers, referral, the HIP-3 factor, the builder's part. Pure.

taker = rate x f x g x (1 - referral); maker likewise, but a rebate is scaled by g alone. Every part of a fee
is cut to 6 decimals by itself (docs/venue-facts.md F7, F27). Rates are fractions of the notional; here they are
only worked out, `matching` takes the cash.
"""

from decimal import Decimal
from typing import NamedTuple

from hip3.core.money import ONE, TEN_THOUSAND, ZERO, div, truncate
from hip3.exchange.registry import hip3_fee_factor
from hip3.venue.engine.account import USD_DECIMALS, Account
from hip3.venue.engine.model import MAKER_RATE, TAKER_RATE, MarketInfo

DAY_MS = 86_400_000
TIER_DAYS = 14
"""How many whole UTC days before today count for the tiers."""
REFERRAL_DISCOUNT = Decimal("0.04")
"""Share of the fee that an account with a referrer saves."""
BUILDER_CAP = 100
"""Highest builder fee on perps, in tenths of a basis point."""
BUILDER_UNIT = ONE / (TEN_THOUSAND * 10)
"""A tenth of a basis point as a fraction."""
GROWTH = Decimal("0.1")
"""What a growth market multiplies fees, rebates and counted volume by."""


class Tier(NamedTuple):
    """Rates above a 14-day volume."""

    cutoff: Decimal
    """USD; the tier begins above it."""
    cross: Decimal
    """As taker."""
    add: Decimal
    """As maker."""


def _tier(millions: int, cross: str, add: str) -> Tier:
    return Tier(Decimal(millions) * 1_000_000, Decimal(cross), Decimal(add))


# Rising: whoever reads them takes the last one that is passed.
VIP: tuple[Tier, ...] = (
    _tier(5, "0.0004", "0.00012"),
    _tier(25, "0.00035", "0.00008"),
    _tier(100, "0.0003", "0.00004"),
    _tier(500, "0.00028", "0"),
    _tier(2000, "0.00026", "0"),
    _tier(7000, "0.00024", "0"),
)
MAKER_SHARES: tuple[tuple[Decimal, Decimal], ...] = (
    (Decimal("0.005"), Decimal("-0.00001")),
    (Decimal("0.015"), Decimal("-0.00002")),
    (Decimal("0.03"), Decimal("-0.00003")),
)
"""(share of the exchange's maker volume, maker rate above it); the rates are rebates."""


def base_rates(account: Account, exchange_volume: dict[int, Decimal], now_ms: int) -> tuple[Decimal, Decimal]:
    """(taker, maker) rate by the volume of the 14 days before today, before discounts and the HIP-3 factor.

    `exchange_volume` is everybody's maker volume by UTC day. A maker's rebate by share beats the volume tier.
    """
    days = range(now_ms // DAY_MS - TIER_DAYS, now_ms // DAY_MS)
    crossed = sum((account.daily[d][0] for d in days if d in account.daily), ZERO)
    added = sum((account.daily[d][1] for d in days if d in account.daily), ZERO)
    taker, maker = TAKER_RATE, MAKER_RATE
    for tier in VIP:
        if crossed + added > tier.cutoff:
            taker, maker = tier.cross, tier.add
    everybody = sum((exchange_volume.get(d, ZERO) for d in days), ZERO)
    share = div(added, everybody) if everybody else ZERO
    for least, rate in MAKER_SHARES:
        if share > least:
            maker = rate
    return taker, maker


def rate_of(info: MarketInfo, rate: Decimal, discount: Decimal) -> Decimal:
    """What becomes of a base rate on a market, for an account with a referral discount (a fraction).

    A rebate (negative) gets neither the HIP-3 factor nor the discount, only the tenth of a growth market.
    """
    factor = ONE if info.fee_scale is None else hip3_fee_factor(info.fee_scale, growth=info.growth)
    if rate >= 0:
        return rate * factor * (ONE - discount)
    return rate * (GROWTH if info.fee_scale is not None and info.growth else ONE)


def charged(notional: Decimal, rate: Decimal) -> Decimal:
    """What is taken for a trade of `notional` USD at this rate, cut to 6 decimals; negative: it is paid out."""
    return truncate(notional * rate, USD_DECIMALS)
