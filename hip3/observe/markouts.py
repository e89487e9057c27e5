"""What taking an episode's touch was worth some seconds later, told four ways. Pure.

`mid`    bought at the touch seen, worth the middle then: what is easily looked at, and what nobody gets
`touch`  bought at the touch seen, sold at the other side's then
`net`    the same, less both taker fees
`late`   bought at what the touch was when the order would have been executed, if it was still within the limit; less
         both fees. The honest one.
"""

from decimal import Decimal
from typing import NamedTuple

from hip3.core.market import Level, MarketView
from hip3.core.money import ZERO, bps_of
from hip3.core.orders import Side
from hip3.core.results import markout_bps

HORIZONS_S = (1, 3, 5, 10, 30)
LATE = "late"


class Markouts(NamedTuple):
    """Basis points; None where there is no price, or nothing was had."""

    mid: Decimal | None
    touch: Decimal | None
    net: Decimal | None
    late: Decimal | None


def entry_level(view: MarketView, side: Side) -> Level | None:
    """The touch that this side takes."""
    return view.ask if side.is_buy else view.bid


def exit_level(view: MarketView, side: Side) -> Level | None:
    """The touch at which what it took is left."""
    return view.bid if side.is_buy else view.ask


def edge_bps(view: MarketView, side: Side) -> Decimal | None:
    """From the touch to the oracle, of the oracle, signed; None without either."""
    touch = entry_level(view, side)
    return None if touch is None or not view.oracle else bps_of(side.sign * (view.oracle - touch.px), view.oracle)


def takable(view: MarketView, side: Side, limit: Decimal) -> Decimal:
    """Size at the touch that is no worse than the limit."""
    touch = entry_level(view, side)
    return touch.sz if touch is not None and side.sign * (limit - touch.px) >= 0 else ZERO


def markouts(side: Side, entry: Decimal, late_entry: Decimal | None, fee_bps: Decimal, view: MarketView) -> Markouts:
    """Of one look. `late_entry`: the touch at which a late order executed; None: it got nothing, or nobody knows."""
    leave, mid = exit_level(view, side), view.mid
    if leave is None or mid is None:
        return Markouts(None, None, None, None)
    touch = markout_bps(side.sign, entry, leave.px)
    late = None if late_entry is None else markout_bps(side.sign, late_entry, leave.px) - 2 * fee_bps
    return Markouts(markout_bps(side.sign, entry, mid), touch, touch - 2 * fee_bps, late)
