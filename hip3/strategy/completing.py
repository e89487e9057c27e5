"""Completion: how much of an inventory is taken to the other side of the book, and at which price at worst. Pure.

A price cap never loosens because an order did not match. Prices are USD per unit, sizes units, distances basis points.
"""

from decimal import Decimal

import msgspec

from hip3.core.ledger import PositionView
from hip3.core.market import Level, MarketSpec
from hip3.core.money import HALF, MIN_NOTIONAL_USD, ZERO, ceil_size, div, floor_size, maker_price, shift_bps
from hip3.core.orders import Side
from hip3.strategy.fair import Fair

FAIR_BPS = Decimal(30)
"""In an emergency never further than this from what the market is worth."""


class CompletionParams(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one market's completions."""

    max_usd: Decimal
    """Of one order."""
    min_profit_bps: Decimal
    """Beyond the entry and a taker's fee, where nothing presses."""
    max_loss_bps: Decimal
    max_loss_usd: Decimal
    """In an emergency: whichever of both allows less."""


def cap(
    p: CompletionParams, spec: MarketSpec, position: PositionView, fair: Fair | None, *, emergency: bool
) -> Decimal | None:
    """The worst price of the order that makes a position smaller, legal and never past the bound; None: nobody knows.

    Normally the entry and what leaving costs. In an emergency the tightest of a loss in basis points, a loss in USD and
    a distance from fair.
    """
    if position.entry_px <= 0:
        return None
    long = position.szi > 0
    sign = 1 if long else -1
    if emergency:
        if fair is None:
            return None
        fees = abs(position.szi) * position.entry_px * spec.taker_fee_bps / 10_000
        by_usd = position.entry_px - sign * div(p.max_loss_usd - fees, abs(position.szi))
        by_fair = shift_bps(fair.bid if long else fair.ask, -sign * FAIR_BPS)
        bounds = [shift_bps(position.entry_px, -sign * p.max_loss_bps), by_usd, by_fair]
    else:
        bounds = [shift_bps(position.entry_px, sign * (spec.taker_fee_bps + p.min_profit_bps))]
    px = max(bounds) if long else min(bounds)
    return None if px <= 0 else maker_price(px, spec.sz_decimals, is_buy=not long)


def size(
    p: CompletionParams, spec: MarketSpec, position: PositionView, target_usd: Decimal, touch: Level | None, px: Decimal
) -> Decimal:
    """How much of it to take to the other side at the cap `px`; 0: nothing, since nobody there pays it.

    At most half of what the touch shows, but at least $11; what would be left is nothing or worth $11, else all goes:
    a whole close may be worth less.
    """
    long, held = position.szi > 0, abs(position.szi)
    if touch is None or (touch.px < px if long else touch.px > px):
        return ZERO
    least = div(MIN_NOTIONAL_USD, px)
    wanted = held - div(target_usd, px)
    wanted = min(wanted, max(touch.sz * HALF, least), div(p.max_usd, px))
    if wanted <= 0:
        return ZERO
    sz = floor_size(max(wanted, least), spec.sz_decimals)
    if sz < least:  # where a lot is worth dollars
        sz = ceil_size(least, spec.sz_decimals)
    return held if (held - sz) * px < MIN_NOTIONAL_USD else sz


def side_of(position: PositionView) -> Side:
    """Of the order that makes it smaller."""
    return Side.SELL if position.szi > 0 else Side.BUY
