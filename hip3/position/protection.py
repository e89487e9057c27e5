"""The stop that stands on the exchange while we are dead. Pure: position and what stands -> what to do.

A reduce-only trigger on the mark, `bps` against the entry, of the whole position. A changed size is placed anew
before the old one is taken away, so that the position is never without; both are reduce-only and can never close
more than there is (docs/venue-facts.md F12, F17). Prices are USD per unit, sizes units.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from hip3.core.ledger import PositionView
from hip3.core.market import MarketSpec
from hip3.core.money import HALF, ONE, TEN_THOUSAND, bps_of, div, floor_size, round_price, shift_bps, taker_price
from hip3.core.order_state import OrderState
from hip3.core.orders import PendingOrder, Side, Tif
from hip3.position.tracked import TrackedOrder

ROOM_SHARE = Decimal("0.8")
"""A stop takes at most this of the way from the entry to the liquidation price: the mark may jump the rest."""


def liquidation_bps(leverage: int, max_leverage: int, *, long: bool) -> Decimal:
    """How far from the entry an isolated position is liquidated, in basis points, before any funding. `leverage` is
    `max_leverage` at most.

    Initial margin 1 / leverage, maintenance margin half of that at the highest leverage (docs/venue-facts.md F20): of
    what it is worth then, so that a short has less room than a long.
    """
    maintenance = div(HALF, Decimal(max_leverage))
    left = ONE - maintenance if long else ONE + maintenance
    return div(div(ONE, Decimal(leverage)) - maintenance, left) * TEN_THOUSAND


def bounded_bps(position: PositionView, bps: Decimal, liquidation: Decimal | None) -> Decimal:
    """The distance of a stop, so that it fires before the exchange liquidates.

    `liquidation` is the price at which that happens, None where nobody knows one. One on the wrong side of the entry is
    of another position than this, and says nothing.
    """
    if liquidation is None or position.entry_px <= 0:
        return bps
    room = bps_of((position.entry_px - liquidation) * (1 if position.szi > 0 else -1), position.entry_px)
    return min(bps, room * ROOM_SHARE) if room > 0 else bps


class Protection(msgspec.Struct, frozen=True):
    """What to do for one market now."""

    place: bool = False
    """A stop of the whole position is missing."""
    cancel: tuple[int, ...] = ()
    """Order ids that are no longer needed."""


def decide(
    position: PositionView | None, standing: Sequence[TrackedOrder], liquidation: Decimal | None = None,
    spec: MarketSpec | None = None,
) -> Protection:  # fmt: skip
    """`standing`: the protective orders of the market that are not over, oldest first. One that lies beyond the
    `liquidation` price protects nothing. Of a position that is no multiple of the lot as `spec` has it, which may have
    changed, the rest takes no order.

    A position of None means flat: all that stands goes. One that is queued, sent or unknown counts as there, so that
    no second is placed beside it; but only one that rests lets others be taken away.
    """
    alive = [t for t in standing if t.state is OrderState.OPEN and t.oid is not None]
    if position is None:
        return Protection(cancel=tuple(t.oid for t in alive if t.oid is not None))
    side, size = Side.SELL if position.szi > 0 else Side.BUY, abs(position.szi)
    most = size if spec is None else floor_size(size, spec.sz_decimals)
    fits = [
        t
        for t in standing
        if t.order.side is side
        and t.order.sz == t.covers
        and t.covers in (size, most)
        and not _beyond(position, t.order, liquidation)
    ]
    if not fits:
        return Protection(place=most > 0)
    # Only one that rests may replace the others: what is under way may still be refused.
    keeper = next((t for t in reversed(fits) if t in alive), None)
    if keeper is None:
        return Protection()  # under way: what stands goes when it is there
    return Protection(cancel=tuple(t.oid for t in alive if t is not keeper and t.oid is not None))


def _beyond(position: PositionView, stop: PendingOrder, liquidation: Decimal | None) -> bool:
    """Whether the exchange would liquidate before the stop fires."""
    if liquidation is None or stop.trigger_px is None or position.entry_px <= 0:
        return False
    long = position.szi > 0
    ours = liquidation < position.entry_px if long else liquidation > position.entry_px
    return ours and (stop.trigger_px <= liquidation if long else stop.trigger_px >= liquidation)


def trigger_px(position: PositionView, bps: Decimal, spec: MarketSpec) -> Decimal:
    """Where it fires, rounded to the legal price nearer to the entry. `position.entry_px` must be positive.

    ValueError where nothing positive is left at that distance.
    """
    away = -bps if position.szi > 0 else bps
    return round_price(shift_bps(position.entry_px, away), spec.sz_decimals, up=position.szi > 0)


def build(
    position: PositionView, spec: MarketSpec, *, cloid: str, bps: Decimal, slippage_bps: Decimal, wall_ms: int
) -> PendingOrder:
    """The trigger order: at market once it fires, within `slippage_bps` of its trigger; of all that the lot allows.

    `bps` is the distance of the trigger from the entry price, `wall_ms` the time of the decision. ValueError as in
    `trigger_px`.
    """
    side = Side.SELL if position.szi > 0 else Side.BUY
    trigger = trigger_px(position, bps, spec)
    worst = shift_bps(trigger, slippage_bps if side.is_buy else -slippage_bps)
    return PendingOrder(
        cloid=cloid, coin=position.coin, side=side, px=taker_price(worst, spec.sz_decimals, is_buy=side.is_buy),
        sz=floor_size(abs(position.szi), spec.sz_decimals), reduce_only=True, created_ms=wall_ms, tif=Tif.GTC,
        trigger_px=trigger,
    )  # fmt: skip
