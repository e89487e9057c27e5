"""Wire shapes to core types. With `wire_out` the only home of px, sz, a, b, p, s, r, t, c, o.

Inbound: a frame is decoded into typed structs chosen by a peek at its channel, so that a frame of
market data costs one decode and no dict. Unknown fields are ignored, unknown channels and words
are reported as such, and one broken item of a list costs that item only.

Pure; called by the ws-reader (frames) and rest (answers of the same shapes). Where it says ValueError, msgspec's errors
are among them. The structs below name the exchange's fields as it does; a default stands where some source leaves a
field out. Numbers come as strings and become Decimals without a float between (docs/venue-facts.md F3).
"""

from decimal import Decimal
from typing import Any

import msgspec

from hip3.core.events import (
    BboUpdate,
    CtxUpdate,
    ErrorFrame,
    Event,
    Funding,
    Ignored,
    Malformed,
    OrderUpdate,
    OrderUpdates,
    Pong,
    SubscriptionAck,
    UserFills,
    UserFundings,
)
from hip3.core.market import Level
from hip3.core.money import ZERO
from hip3.exchange.subscriptions import key_of
from hip3.exchange.wire_fills import fills_of_frame, parse_user_fills
from hip3.exchange.wire_numbers import DECODE_ERRORS, finite, items_of, side_of
from hip3.exchange.wire_reply import parse_post

_Raw = msgspec.Raw


class _BboData(msgspec.Struct):
    """bbo: bid, then ask; null where a side has no quotes."""

    coin: str
    time: int
    bbo: tuple[Level | None, Level | None]


class _BboFrame(msgspec.Struct):
    data: _BboData


class _Ctx(msgspec.Struct):
    """activeAssetCtx of a perp; a spot market's has other fields and comes by another channel."""

    oraclePx: Decimal
    markPx: Decimal
    openInterest: Decimal = ZERO


class _CtxData(msgspec.Struct):
    coin: str
    ctx: _Ctx


class _CtxFrame(msgspec.Struct):
    data: _CtxData


class _OrderBody(msgspec.Struct):
    """An order as orderUpdates, orderStatus or frontendOpenOrders show it: each leaves out some of it."""

    coin: str
    side: str
    sz: Decimal
    oid: int
    limitPx: Decimal | None = None
    px: Decimal | None = None
    origSz: Decimal | None = None
    timestamp: int = 0
    cloid: str | None = None
    reduceOnly: bool | None = None
    isTrigger: bool = False
    triggerPx: Decimal | None = None


class _OrderItem(msgspec.Struct):
    """An order with its status; `statusTimestamp` is exchange time, 0 where there is none."""

    order: _OrderBody
    status: str
    statusTimestamp: int = 0


class _Envelope(msgspec.Struct):
    """Any frame: the channel, and data that is decoded once it is known as what."""

    channel: str
    data: _Raw = msgspec.Raw(b"null")


class _FundingItem(msgspec.Struct):
    coin: str
    time: int
    usdc: Decimal


class _FundingsData(msgspec.Struct):
    fundings: list[_Raw]


class _OrdersFrame(msgspec.Struct):
    data: list[_OrderItem]


class _AckData(msgspec.Struct):
    method: str
    subscription: dict[str, Any]


_decode_bbo = msgspec.json.Decoder(_BboFrame).decode
_decode_ctx = msgspec.json.Decoder(_CtxFrame).decode
_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_order_item = msgspec.json.Decoder(_OrderItem).decode
_decode_orders_frame = msgspec.json.Decoder(_OrdersFrame).decode
_decode_funding = msgspec.json.Decoder(_FundingItem).decode
_decode_fundings = msgspec.json.Decoder(_FundingsData).decode
_decode_ack = msgspec.json.Decoder(_AckData).decode
_decode_any = msgspec.json.Decoder().decode

# How the exchange's frames begin. One that is spelt otherwise goes the longer way and is read all the same.
_BBO_HEAD = '{"channel":"bbo"'
_CTX_HEAD = '{"channel":"activeAssetCtx"'
_FILLS_HEAD = '{"channel":"userFills"'
_ORDERS_HEAD = '{"channel":"orderUpdates"'
# Known and not asked for; every other name is reported as unknown.
_IGNORED_CHANNELS = frozenset(
    {
        "allMids", "l2Book", "trades", "candle", "user", "notification", "webData2", "webData3",
        "userNonFundingLedgerUpdates", "activeSpotAssetCtx", "activeAssetData",
        "userTwapSliceFills", "userTwapHistory", "twapStates", "clearinghouseState", "openOrders",
        "allDexsClearinghouseState", "allDexsAssetCtxs", "assetCtxs", "spotState",
    }
)  # fmt: skip


def _level(level: Level | None) -> Level | None:
    """A side of the touch, checked; ValueError for a quote of nothing."""
    if level is None:
        return None
    finite(level.px, level.sz)
    if level.px <= 0 or level.sz <= 0:
        raise ValueError(f"a quote without price or size: {level.px} x {level.sz}")
    return level


def parse_frame(text: str | bytes) -> Event:
    """One frame as one event: what cannot be read is `Malformed`. Never None: every frame is a sign of life."""
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError:
            return Malformed("encoding", "the frame is not UTF-8")
    try:
        if text.startswith(_BBO_HEAD):
            return _bbo(_decode_bbo(text).data)
        if text.startswith(_CTX_HEAD):
            return _ctx(_decode_ctx(text).data)
        return _at_once(text) or _by_channel(text)
    except DECODE_ERRORS as error:
        return Malformed(_kind_of(text), str(error)[:200])


def _at_once(text: str) -> UserFills | OrderUpdates | None:
    """A frame about our orders, by one decoding. None for any other, and for one of which something cannot be read:
    the longer way reads it item by item."""
    try:
        if text.startswith(_FILLS_HEAD):
            return fills_of_frame(text)
        if text.startswith(_ORDERS_HEAD):
            return OrderUpdates(tuple([order_update(item) for item in _decode_orders_frame(text).data]), 0)
    except DECODE_ERRORS:
        pass
    return None


def _kind_of(text: str) -> str:
    """What a broken frame is counted as: its channel if that can be read."""
    try:
        return _decode_envelope(text).channel
    except DECODE_ERRORS:
        return "json"


def _bbo(data: _BboData) -> BboUpdate:
    bid, ask = data.bbo
    return BboUpdate(data.coin, data.time, _level(bid), _level(ask))


def _ctx(data: _CtxData) -> CtxUpdate:
    ctx = data.ctx
    finite(ctx.oraclePx, ctx.markPx, ctx.openInterest)
    if ctx.oraclePx <= 0 or ctx.markPx <= 0:
        raise ValueError("an asset context without price")
    return CtxUpdate(data.coin, ctx.oraclePx, ctx.markPx, ctx.openInterest)


def _by_channel(text: str) -> Event:
    """The longer way: the channel first, then its data. Raises `DECODE_ERRORS` for what cannot be read."""
    frame = _decode_envelope(text)
    channel, data = frame.channel, frame.data
    if channel == "bbo":
        return _bbo(_decode_bbo(text).data)
    if channel == "activeAssetCtx":
        return _ctx(_decode_ctx(text).data)
    if channel == "post":
        return parse_post(bytes(data))
    if channel == "orderUpdates":
        return parse_order_updates(bytes(data))
    if channel == "userFills":
        return parse_user_fills(bytes(data))
    if channel == "userFundings":
        return parse_user_fundings(bytes(data))
    if channel == "subscriptionResponse":
        ack = _decode_ack(data)
        if ack.method != "subscribe":
            return Ignored("unsubscribeResponse")
        return SubscriptionAck(key_of(ack.subscription))
    if channel == "pong":
        return Pong()
    if channel == "error":
        body = _decode_any(data)
        return ErrorFrame(body if isinstance(body, str) else str(body))
    return Ignored(channel if channel in _IGNORED_CHANNELS else f"unknown:{channel[:40]}")


def order_update(item: _OrderItem) -> OrderUpdate:
    """An order item of any channel as an `OrderUpdate`; ValueError for nonsense.

    Without an original size it is what remains, without a status time that of the placement. A trigger price counts
    for triggers alone: other orders show 0 there.
    """
    body = item.order
    price = body.limitPx if body.limitPx is not None else body.px
    if price is None:
        raise ValueError("an order without price")
    orig = body.origSz if body.origSz is not None else body.sz
    finite(price, body.sz, orig)
    return OrderUpdate(
        coin=body.coin, side=side_of(body.side), oid=body.oid, cloid=body.cloid, limit_px=price,
        remaining=body.sz, orig_sz=orig, status=item.status,
        status_ms=item.statusTimestamp or body.timestamp, reduce_only=bool(body.reduceOnly),
        placed_ms=body.timestamp, trigger_px=body.triggerPx if body.isTrigger else None,
    )  # fmt: skip


def parse_order_record(record: bytes) -> OrderUpdate:
    """One {order, status, statusTimestamp} of orderStatus or historicalOrders. ValueError if it cannot be read."""
    return order_update(_decode_order_item(record))


def parse_order_updates(data: bytes) -> OrderUpdates:
    """orderUpdates: a list (or one object) of {order, status, statusTimestamp}. ValueError if it is neither."""
    good, malformed = [], 0
    for raw in items_of(data):
        try:
            good.append(order_update(_decode_order_item(raw)))
        except DECODE_ERRORS:
            malformed += 1
    return OrderUpdates(tuple(good), malformed)


def parse_user_fundings(data: bytes) -> UserFundings:
    """userFundings: {isSnapshot?, fundings: [...]}; the mark is not needed. ValueError for another shape."""
    good, malformed = [], 0
    for raw in _decode_fundings(data).fundings:
        try:
            good.append(parse_funding(raw))
        except DECODE_ERRORS:
            malformed += 1
    return UserFundings(tuple(good), malformed)


def parse_funding(raw: bytes) -> Funding:
    """One payment, as the stream shows it; hourly, by market (docs/venue-facts.md F28). ValueError."""
    item = _decode_funding(raw)
    finite(item.usdc)
    return Funding(item.coin, item.time, item.usdc)
