"""Inbound frames as the exchange writes them, for feeding the production path."""

from decimal import Decimal

import msgspec

_encode = msgspec.json.encode


def bbo(coin: str, time_ms: int, bid: Decimal, ask: Decimal, sz: Decimal) -> bytes:
    """A touch."""
    sides = [{"px": str(px), "sz": str(sz), "n": 3} for px in (bid, ask)]
    return _encode({"channel": "bbo", "data": {"coin": coin, "time": time_ms, "bbo": sides}})


def ctx(coin: str, oracle: Decimal, mark: Decimal) -> bytes:
    """An asset context."""
    body = {
        "funding": "0.0000125", "openInterest": "18234.12", "prevDayPx": str(mark), "dayNtlVlm": "18233123.12",
        "premium": "0.0001", "oraclePx": str(oracle), "markPx": str(mark), "midPx": str(mark),
        "impactPxs": [str(mark), str(mark)], "dayBaseVlm": "4412.1",
    }  # fmt: skip
    return _encode({"channel": "activeAssetCtx", "data": {"coin": coin, "ctx": body}})


def order_update(coin: str, *, cloid: str, oid: int, px: Decimal, sz: Decimal, left: Decimal, status: str) -> bytes:
    """One order's update."""
    order = {
        "coin": coin, "side": "B", "limitPx": str(px), "sz": str(left), "oid": oid, "timestamp": 1_790_000_000_000,
        "origSz": str(sz), "cloid": cloid,
    }  # fmt: skip
    item = {"order": order, "status": status, "statusTimestamp": 1_790_000_000_001}
    return _encode({"channel": "orderUpdates", "data": [item]})


def user_fill(
    coin: str, *, cloid: str, oid: int, tid: int, px: Decimal, sz: Decimal, buy: bool, start: Decimal, time_ms: int,
    fee: Decimal,
) -> bytes:  # fmt: skip
    """One fill of a taker. A sale's result pays both fees, so that a million of them trip no limit."""
    fill = {
        "coin": coin, "px": str(px), "sz": str(sz), "side": "B" if buy else "A", "time": time_ms,
        "startPosition": str(start), "dir": "Open Long" if buy else "Close Long",
        "closedPnl": "0.0" if buy else str(3 * fee), "hash": "0x" + "00" * 32, "oid": oid, "crossed": True,
        "fee": str(fee), "tid": tid, "feeToken": "USDC", "cloid": cloid,
    }  # fmt: skip
    user = "0x" + "ab" * 20
    return _encode({"channel": "userFills", "data": {"isSnapshot": False, "user": user, "fills": [fill]}})


def filled_reply(post_id: int, *, oids: list[int], px: Decimal, sizes: list[str]) -> bytes:
    """The answer to a post whose orders were all executed."""
    statuses = [{"filled": {"totalSz": sz, "avgPx": str(px), "oid": oid}} for oid, sz in zip(oids, sizes, strict=True)]
    payload = {"status": "ok", "response": {"type": "order", "data": {"statuses": statuses}}}
    response = {"type": "action", "payload": payload}
    return _encode({"channel": "post", "data": {"id": post_id, "response": response}})
