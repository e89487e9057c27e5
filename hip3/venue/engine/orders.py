"""Orders and fills of the embedded exchange as it prints them, and its opaque ids. Pure.

Ids are hashes of counters, not random: the same calls give the same ids. Shapes: docs/venue-facts.md F13, F17.
"""

from decimal import Decimal
from typing import Any

from hip3.core.money import ZERO, div, half_even, to_wire
from hip3.venue.engine.book import BookOrder
from hip3.venue.engine.numbers import num


def average(paid: Decimal, size: Decimal, sz_decimals: int) -> Decimal:
    """Mean price of `size` for `paid` USD, rounded half even to the decimals of a price; 0 without a size."""
    return half_even(div(paid, size), max(0, 6 - sz_decimals)) if size else ZERO


def mix(n: int) -> int:
    """A 64-bit scramble (splitmix64), so that ids look as opaque as the real ones."""
    n = (n + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    n = ((n ^ (n >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    n = ((n ^ (n >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return n ^ (n >> 31)


def fill_id(taker_oid: int, maker_oid: int) -> int:
    """The `tid` both sides of a trade share: a 50-bit hash of the two order ids.

    Two orders meet only once on the book, so one id is one trade.
    """
    return mix(taker_oid * 1_000_003 + maker_oid) & ((1 << 50) - 1)


def direction(before: Decimal, signed: Decimal) -> str:
    """`dir` of a fill: what `signed` units more made of a position of `before` units."""
    after = before + signed
    if before == 0 or (before > 0) == (signed > 0):
        return "Open Long" if signed > 0 else "Open Short"
    if after == 0 or (after > 0) == (before > 0):
        return "Close Long" if before > 0 else "Close Short"
    return "Long > Short" if before > 0 else "Short > Long"


def order_type(order: BookOrder) -> str:
    """The type as the front end names it: "Limit", "Market", "Stop Market", "Take Profit Limit" and so on."""
    if order.trigger is not None:
        kind = "Stop" if order.trigger.tpsl == "sl" else "Take Profit"
        return f"{kind} {'Market' if order.trigger.is_market else 'Limit'}"
    return "Market" if order.tif in ("FrontendMarket", "LiquidationMarket") else "Limit"


def trigger_condition(order: BookOrder) -> str:
    """ "Price above 10.004", "Price below 9.5", or "N/A"."""
    if order.trigger is None:
        return "N/A"
    return f"Price {'above' if order.trigger.above else 'below'} {to_wire(order.trigger.px)}"


def frontend_order(order: BookOrder, sz: Decimal) -> dict[str, Any]:
    """The order as frontendOpenOrders, orderStatus and historicalOrders show it: a copy of the moment.

    `sz` is what is left, in units. A trigger order has no `tif`, before it fires and after.
    """
    trigger = order.trigger
    return {
        "coin": order.coin, "side": "B" if order.is_buy else "A", "limitPx": num(order.limit_px),
        "sz": num(sz), "oid": order.oid, "timestamp": order.placed_ms, "triggerCondition": trigger_condition(order),
        "isTrigger": trigger is not None, "triggerPx": "0.0" if trigger is None else num(trigger.px),
        "children": [frontend_order(child, child.sz) for child in order.children],
        "isPositionTpsl": order.position_tpsl, "reduceOnly": order.reduce_only, "orderType": order_type(order),
        "origSz": num(order.orig_sz), "tif": order.tif if trigger is None else None, "cloid": order.cloid,
    }  # fmt: skip


def open_order(order: BookOrder, sz: Decimal | None = None) -> dict[str, Any]:
    """The order as openOrders and orderUpdates show it; a trigger order looks like a reduce-only limit.

    `sz` is what is left, in units; None: what is left now. `cloid` and `reduceOnly` are absent where they do not hold.
    """
    out: dict[str, Any] = {
        "coin": order.coin, "side": "B" if order.is_buy else "A", "limitPx": num(order.limit_px),
        "sz": num(order.sz if sz is None else sz), "oid": order.oid, "timestamp": order.placed_ms,
        "origSz": num(order.orig_sz),
    }  # fmt: skip
    if order.cloid is not None:
        out["cloid"] = order.cloid
    if order.reduce_only:
        out["reduceOnly"] = True
    return out
