"""FlattenOrderBuilder: the reduce-only order that ends a position. Pure.

The order may be sized by a position that has shrunk meanwhile: reduce-only shrinks with it and never flips, and the
rest of an IOC goes silently (docs/venue-facts.md F12).
"""

from decimal import Decimal

import msgspec

from hip3.core.ledger import PositionView
from hip3.core.market import MarketSpec, MarketView
from hip3.core.money import bps_of, floor_size, shift_bps, taker_price
from hip3.core.orders import ExitReason, PendingOrder, Side, Tif

BELIEVED_BPS = Decimal(100)
"""How far a touch may be from the mark, or from the other side of its book, and be what one could leave at."""
OLD_MS, DEAD_MS = 10_000, 60_000
"""A mark that the stream told longer ago gives way to one that was read since; after a minute a living book, too."""
ReadMark = tuple[Decimal, int]
"""A mark by a reading of the account, and when that was (monotonic)."""


def priced(coin: str, view: MarketView | None, read: ReadMark | None, now_ms: int) -> MarketView | None:
    """What an exit is priced by: the stream's word while it is new, else what is newer; None where nothing is known.

    One stream of a market may die and leave its last mark standing: an exit bound to that is sold to nobody while the
    book has long gone. What was read without a connection has its time with the reading.
    """
    told = view is not None and bool(view.mark or view.oracle)
    if view is not None and told and _age(view.ctx_at_ms, now_ms) <= OLD_MS:
        return view
    by_reading = None if read is None else msgspec.structs.replace(view or MarketView(coin), mark=read[0], oracle=None)
    if read is not None and now_ms - read[1] <= OLD_MS:
        return by_reading
    if view is not None and _age(view.ctx_at_ms, now_ms) > DEAD_MS and _age(view.bbo_at_ms, now_ms) <= OLD_MS:
        by_book = msgspec.structs.replace(view, mark=None, oracle=None)
        if anchor_px(by_book) is not None:
            return by_book
    newer = read is None or (view is not None and view.ctx_at_ms is not None and view.ctx_at_ms >= read[1])
    return view if told and newer else by_reading or view


def _age(at_ms: int | None, now_ms: int) -> int:
    """How long ago; before this connection is longer than any bound."""
    return DEAD_MS + 1 if at_ms is None else now_ms - at_ms


def newest_mark(coin: str, view: MarketView | None, read: ReadMark | None, now_ms: int) -> Decimal | None:
    """What a position is worth by: the mark by which it would be left, or the middle of the book that stands for it."""
    by = priced(coin, view, read, now_ms)
    return None if by is None else by.mark or (None if read is None else read[0]) or by.mid


def anchor_px(view: MarketView) -> Decimal | None:
    """The price that no single quote can move: the mark, the oracle, or the middle of a book whose sides are near to
    each other. USD per unit."""
    if view.mark or view.oracle or view.bid is None or view.ask is None:
        return view.mark or view.oracle
    near = bps_of(view.ask.px - view.bid.px, view.bid.px) <= BELIEVED_BPS
    return (view.bid.px + view.ask.px) / 2 if near else None


def exit_price(view: MarketView | None, side: Side, slippage_bps: Decimal) -> tuple[Decimal, Decimal] | None:
    """(what an exit is priced from, its limit before rounding); None without any price. `side` is the exit order's.

    The touch of the other side, this much worse. But one thin or forgotten quote must not sell the position far from
    what it is worth: a touch further than `slippage_bps` from the anchor is not believed, the anchor stands for it, and
    no limit is further from the anchor than that; alone it is no price. An old one is better than none: a position must
    be able to end.
    """
    anchor = None if view is None else anchor_px(view)
    if view is None or anchor is None:
        return None
    touch, shift = view.ask if side.is_buy else view.bid, slippage_bps if side.is_buy else -slippage_bps
    bound = shift_bps(anchor, shift)
    if touch is None or abs(touch.px - anchor) > abs(anchor - bound):
        return anchor, bound
    limit = shift_bps(touch.px, shift)
    return touch.px, min(limit, bound) if side.is_buy else max(limit, bound)


def build(
    position: PositionView,
    view: MarketView | None,
    spec: MarketSpec,
    *,
    cloid: str,
    reason: ExitReason,
    slippage_bps: Decimal,
    attempt: int,
    predecessor: str | None,
    wall_ms: int,
    mono_us: int,
) -> PendingOrder | None:
    """An IOC of the whole position, priced by `exit_price`; None without any price, or where none is left of it.

    The whole position, also when it is worth less than $10: a full close is exempt from the
    exchange's minimum (docs/venue-facts.md F11).

    `attempt` counts from 1 and `predecessor` is the cloid of the attempt before. `wall_ms` and `mono_us` are the
    decision's times. The limit is rounded to the aggressive side; the size is cut to the market's lot, which may have
    become coarser than the position, unless nothing would be left.
    """
    side = Side.SELL if position.szi > 0 else Side.BUY
    priced = exit_price(view, side, slippage_bps)
    if priced is None:
        return None
    touch, limit = priced
    try:
        px = taker_price(limit, spec.sz_decimals, is_buy=side.is_buy)
        sz = floor_size(abs(position.szi), spec.sz_decimals) or abs(position.szi)
    except (ValueError, ArithmeticError):  # it rounds to nothing, or is no number: no price now is no exit now
        return None
    return PendingOrder(
        cloid=cloid,
        coin=position.coin,
        side=side,
        px=px,
        sz=sz,
        reduce_only=True,
        created_ms=wall_ms,
        tif=Tif.IOC,
        touch_px=touch,
        exit_reason=reason,
        attempt=attempt,
        predecessor=predecessor,
        decided_us=mono_us,
    )
