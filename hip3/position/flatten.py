"""FlattenOrderBuilder: the reduce-only order that ends a position. Pure."""

from decimal import Decimal

from hip3.core.ledger import PositionView
from hip3.core.market import MarketSpec, MarketView
from hip3.core.money import shift_bps, taker_price
from hip3.core.orders import ExitReason, PendingOrder, Side, Tif


def reference_px(view: MarketView | None, side: Side) -> Decimal | None:
    """What the exit is priced from: the touch of the other side, else mark, else oracle."""
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
