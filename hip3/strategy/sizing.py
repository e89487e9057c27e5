"""How much to trade of a dislocated touch. Pure."""

from decimal import Decimal

import msgspec

from hip3.core.money import LIMIT_SHARE, MIN_NOTIONAL_USD, ONE, ZERO, ceil_size, div, floor_size


class SizingParams(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one market."""

    alpha: Decimal
    min_book: Decimal
    normal_book: Decimal
    max_notional: Decimal
    sz_decimals: int
    order_notional: Decimal = ZERO
    """USD of every order, whatever the touch shows; 0: by the touch."""


def impossible(params: SizingParams, px: Decimal) -> str | None:
    """Why no order at this price can be within the limit, or None; a sentence for people. Pure."""
    wished = params.order_notional or MIN_NOTIONAL_USD
    smallest = ceil_size(div(wished, px), params.sz_decimals) * px
    most = floor_size(div(params.max_notional * LIMIT_SHARE, px), params.sz_decimals) * px
    if smallest <= most:
        return None
    return (
        f"the smallest order is {smallest:.2f} USD, the limit of {params.max_notional} USD allows {most:.2f}: no entry "
        "is possible; raise HIP3_MAX_NOTIONAL_PER_MARKET, or take the market out"
    )


def suggest(params: SizingParams, touch_px: Decimal, touch_sz: Decimal, share: Decimal = ONE) -> Decimal:
    """The size on the lot, or 0 when the touch is too thin for an order of $11.

    alpha * liquidity factor * touch, where the factor rises from 0 at `min_book` to 1 at
    `normal_book` dollars of the touch; at least $11 where the touch has that much, at most 99 % of
    the market's limit. `order_notional` replaces the share, rounded up to the lot. `touch_px` is the price of the
    side that is traded, not the middle; `share` is the part of it that the market's health allows.
    """
    book = touch_px * touch_sz
    factor = div(book - params.min_book, params.normal_book - params.min_book)
    if factor <= 0:
        return ZERO
    size = params.alpha * min(factor, ONE) * touch_sz * share
    ceiling = floor_size(div(params.max_notional * LIMIT_SHARE, touch_px), params.sz_decimals)
    smallest = ceil_size(div(MIN_NOTIONAL_USD, touch_px), params.sz_decimals)
    size = min(max(floor_size(size, params.sz_decimals), smallest), ceiling)
    if params.order_notional:
        size = smallest = ceil_size(div(params.order_notional, touch_px), params.sz_decimals)
    if size < smallest or size > ceiling or smallest > touch_sz:
        return ZERO
    return size
