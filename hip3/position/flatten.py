"""FlattenOrderBuilder: the reduce-only order that ends a position. Pure.

The order may be sized by a position that has shrunk meanwhile: reduce-only shrinks with it and never flips, and the
rest of an IOC goes silently (docs/venue-facts.md F12).
"""

from decimal import Decimal

from hip3.core.ledger import PositionView
from hip3.core.market import MarketSpec, MarketView
from hip3.core.money import shift_bps, taker_price
from hip3.core.orders import ExitReason, PendingOrder, Side, Tif


def reference_px(view: MarketView | None, side: Side) -> Decimal | None:
    """What the exit is priced from: the touch of the other side, else mark, else oracle; None without any of them.

    `side` is the exit order's. USD per unit. An old price is better than none: a position must be able to end.
    """
    if view is None:
        return None
    touch = view.ask if side.is_buy else view.bid
    if touch is not None:
        return touch.px
    return view.mark or view.oracle


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
    """An IOC of the whole position, this much worse than the touch; None without any price.

    The whole position, also when it is worth less than $10: a full close is exempt from the
    exchange's minimum (docs/venue-facts.md F11).

    `attempt` counts from 1 and `predecessor` is the cloid of the attempt before. `wall_ms` and `mono_us` are the
    decision's times. The limit is rounded to the aggressive side; ValueError where nothing positive is left of it.
    """
    side = Side.SELL if position.szi > 0 else Side.BUY
    touch = reference_px(view, side)
    if touch is None:
        return None
    limit = shift_bps(touch, slippage_bps if side.is_buy else -slippage_bps)
    return PendingOrder(
        cloid=cloid,
        coin=position.coin,
        side=side,
        px=taker_price(limit, spec.sz_decimals, is_buy=side.is_buy),
        sz=abs(position.szi),
        reduce_only=True,
        created_ms=wall_ms,
        tif=Tif.IOC,
        touch_px=touch,
        exit_reason=reason,
        attempt=attempt,
        predecessor=predecessor,
        decided_us=mono_us,
    )
