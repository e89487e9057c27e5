"""The desired ladder of a quoted market: prices and sizes of each side, from values alone. Pure.

Half spread, skew, sizes, rounding and clamps, in this order. A clamp only ever moves a price away from the market, and
what is too small at its rounded price is left out, never rounded up. Prices are USD per unit, sizes units, distances
basis points.
"""

from decimal import Decimal
from functools import lru_cache

import msgspec

from hip3.core.market import MarketSpec
from hip3.core.money import (
    CTX,
    MIN_NOTIONAL_USD,
    ONE,
    TEN_THOUSAND,
    ZERO,
    div,
    floor_size,
    maker_price,
    shift_bps,
    tick_of,
)
from hip3.core.orders import Side
from hip3.strategy.fair import Fair


class LadderParams(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one market's ladder."""

    levels: int
    spacing_bps: Decimal
    size_usd: Decimal
    """Of the rung nearest to the market."""
    size_decay: Decimal
    """Each further rung is so much of the one before."""
    max_inventory_usd: Decimal
    min_half_bps: Decimal
    max_half_bps: Decimal
    min_edge_bps: Decimal
    vol_factor: Decimal
    tau_ms: int
    """For so long a quote is at risk before it can be moved: the half spread covers the volatility of that time."""
    skew: Decimal
    """Share of the half spread that a full inventory moves both sides."""
    addon_max_bps: Decimal


class Rung(msgspec.Struct, frozen=True):
    """One desired order."""

    px: Decimal
    sz: Decimal

    @property
    def usd(self) -> Decimal:
        """What it is worth at its limit."""
        return self.px * self.sz


Key = tuple[Side, int]
"""Side and level; with the market it is a quote's key."""
Ladder = dict[Key, Rung]


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What bounds a ladder: the wire's touch, own orders included, and every own order of the other side."""

    bid: Decimal | None
    ask: Decimal | None
    own_buy: Decimal | None = None
    """The highest buy of the account that may be alive: ours in whatever state, or a person's."""
    own_sell: Decimal | None = None


def half_spread(p: LadderParams, maker_fee_bps: Decimal, sigma_bps: Decimal, addon_bps: Decimal) -> Decimal:
    """Half the spread in basis points. Add-ons are added and capped: factors upon factors run away."""
    by_risk = p.vol_factor * sigma_bps * _root(p.tau_ms)
    wanted = max(p.min_half_bps, maker_fee_bps + p.min_edge_bps, by_risk) + min(addon_bps, p.addon_max_bps)
    return min(p.max_half_bps, wanted)


@lru_cache(maxsize=64)
def _root(tau_ms: int) -> Decimal:
    """Of so many seconds."""
    return CTX.sqrt(div(Decimal(tau_ms), Decimal(1000)))


def least_half_bps(p: LadderParams, maker_fee_bps: Decimal) -> Decimal:
    """The half spread below which a fill does not earn half of the least edge after its fee, in basis points."""
    return maker_fee_bps + p.min_edge_bps / 2


def coarse_tick_bps(p: LadderParams, spec: MarketSpec, maker_fee_bps: Decimal, px: Decimal) -> Decimal | None:
    """The tick in basis points where it takes more than the edge of the narrowest spread; None where it does not."""
    tick = tick_of(px, spec.sz_decimals) * TEN_THOUSAND
    room = max(p.min_half_bps, maker_fee_bps + p.min_edge_bps) - least_half_bps(p, maker_fee_bps)
    return div(tick, px) if tick > room * px else None


def filled_share(position_usd: Decimal, p: LadderParams) -> Decimal:
    """The inventory as a signed share of the largest, within -1 and 1."""
    return max(-ONE, min(ONE, div(position_usd, p.max_inventory_usd))) if position_usd else ZERO


def ladder(
    p: LadderParams,
    spec: MarketSpec,
    fair: Fair,
    half_bps: Decimal,
    position_usd: Decimal,
    around: Around,
    sides: frozenset[Side],
) -> Ladder:
    """What should rest. `position_usd` is signed, at the mark; `sides` are those that may be quoted.

    The inventory that all buys, or all sells, would lead to stays within the largest: the outermost rungs go first. A
    position makes no room on its other side, since an exit may take it at any time.
    """
    out: Ladder = {}
    for side in sides:
        room = p.max_inventory_usd - max(position_usd * side.sign, ZERO)
        for level, rung in enumerate(_side(p, spec, fair, half_bps, position_usd, around, side)):
            fits, usd = rung, rung.usd
            if usd > room:
                fits = Rung(rung.px, floor_size(div(max(room, ZERO), rung.px), spec.sz_decimals))
                usd = fits.usd
            if usd >= MIN_NOTIONAL_USD:
                out[(side, level)] = fits
                room -= usd
    return out


def _side(
    p: LadderParams,
    spec: MarketSpec,
    fair: Fair,
    half_bps: Decimal,
    position_usd: Decimal,
    around: Around,
    side: Side,
) -> list[Rung]:
    """All rungs of one side, the nearest first, whatever they are worth."""
    buy, sign = side.is_buy, side.sign
    shift = p.skew * filled_share(position_usd, p) * half_bps  # long: both sides go down
    base = fair.bid if buy else fair.ask
    out: list[Rung] = []
    bounds = _bounds(spec, around, side)
    if position_usd * sign < 0:  # it makes the inventory smaller, and is not to be paid for
        fee = max(spec.maker_fee_bps or ZERO, ZERO)
        bounds.append(shift_bps(base, -sign * fee))
    size, away, nearest = p.size_usd, half_bps, min if buy else max
    for _ in range(p.levels):
        px = nearest([shift_bps(base, -sign * away - shift), *bounds])
        if px <= 0:
            break
        px = maker_price(px, spec.sz_decimals, is_buy=buy)
        out.append(Rung(px, floor_size(div(size, px), spec.sz_decimals)))
        bounds = [px - sign * tick_of(px, spec.sz_decimals)]  # beyond all that bounded this one
        size, away = size * p.size_decay, away + p.spacing_bps
    return out


def _bounds(spec: MarketSpec, around: Around, side: Side) -> list[Decimal]:
    """Prices that an order of this side must not be beyond: one tick inside the touch of the other side, and of every
    own order there."""
    others = (around.ask, around.own_sell) if side.is_buy else (around.bid, around.own_buy)
    return [px - side.sign * tick_of(px, spec.sz_decimals) for px in others if px is not None]
