"""Core types to wire shapes: actions with their keys in the signed order (docs/venue-facts.md F5). Pure.

A dict literal keeps the order it is written in, and msgpack keeps the dict's: the lines below are the order that is
signed. Numbers are strings in normal form (docs/venue-facts.md F3); sides are a letter's boolean, cloids as they are.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from hip3.core.money import to_wire
from hip3.core.orders import PendingCancel, PendingOrder, Side

_encode = msgspec.json.encode


def order_action(orders: Iterable[PendingOrder], asset_ids: dict[str, int]) -> dict[str, Any]:
    """The `order` action; KeyError if a coin has no asset id. Protective stops go alone, tied to the position.

    The grouping is one for all, so the first order speaks for the kind (docs/venue-facts.md F17, `positionTpsl`).
    """
    orders = list(orders)
    return {
        "type": "order",
        "orders": [order_item(order, asset_ids[order.coin]) for order in orders],
        "grouping": "positionTpsl" if orders and orders[0].protective else "na",
    }


def order_item(order: PendingOrder, asset_id: int) -> dict[str, Any]:
    """One order of an action, keys a, b, p, s, r, t, c in the signed order. Price and size must be legal already."""
    return {
        "a": asset_id,
        "b": order.side is Side.BUY,
        "p": to_wire(order.px),
        "s": to_wire(order.sz),
        "r": order.reduce_only,
        "t": _kind(order),
        "c": order.cloid,
    }


def modify_action(orders: Iterable[PendingOrder], asset_ids: dict[str, int]) -> dict[str, Any]:
    """The `batchModify` action: oid, order; each names the order it replaces. KeyError if a coin has no asset id.

    Without `a` a new order that is not post-only is refused (docs/venue-facts.md F23); n orders cost n actions.
    """
    items = [{"oid": order.replaces, "order": order_item(order, asset_ids[order.coin])} for order in orders]
    return {"type": "batchModify", "modifies": items}


def _kind(order: PendingOrder) -> dict[str, Any]:
    """A limit with its time in force, or a stop that is a market order once it fires (docs/venue-facts.md F17)."""
    if order.trigger_px is None:
        return {"limit": {"tif": order.tif.value}}
    return {"trigger": {"isMarket": True, "triggerPx": to_wire(order.trigger_px), "tpsl": "sl"}}


def cancel_action(cancels: Iterable[PendingCancel], asset_ids: dict[str, int]) -> dict[str, Any]:
    """The `cancel` action: a, o; no grouping. By order id alone; KeyError if a coin has no asset id.

    Where all are of plain limits `f` keeps their priority; of triggers it is refused (docs/venue-facts.md F36).
    """
    cancels = list(cancels)
    action = {"type": "cancel", "cancels": [{"a": asset_ids[c.coin], "o": c.oid} for c in cancels]}
    return action | {"f": True} if cancels and all(c.limit for c in cancels) else action


def leverage_action(asset_id: int, *, is_cross: bool, leverage: int) -> dict[str, Any]:
    """The `updateLeverage` action: type and leverage of one market's margin, set together."""
    return {"type": "updateLeverage", "asset": asset_id, "isCross": is_cross, "leverage": leverage}


def signed_body(
    action: dict[str, Any],
    nonce: int,
    signature: dict[str, Any],
    vault_address: str | None = None,
    expires_after: int | None = None,
) -> dict[str, Any]:
    """The request body of /exchange; absent means absent, never null.

    `vault_address` and `expires_after` (exchange milliseconds) are those that were signed.
    """
    body: dict[str, Any] = {"action": action, "nonce": nonce, "signature": signature}
    if vault_address is not None:
        body["vaultAddress"] = vault_address
    if expires_after is not None:
        body["expiresAfter"] = expires_after
    return body


def post_frame(post_id: int, body: dict[str, Any]) -> str:
    """A WebSocket post of a signed action, as text; the reply comes back with `post_id`."""
    return _encode({"method": "post", "id": post_id, "request": {"type": "action", "payload": body}}).decode()


def frame(message: dict[str, Any]) -> str:
    """Any outgoing message as text."""
    return _encode(message).decode()
