"""Fills from the wire, by stream or by REST. Beside `wire`, the home of startPosition, closedPnl, feeToken, crossed.

Pure; called by the ws-reader (frames) and rest (answers of the same shape). Where it says ValueError, msgspec's errors
are among them. Numbers come as strings and become Decimals without a float between (docs/venue-facts.md F3).
"""

from collections.abc import Container
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from hip3.core.events import Fill, UserFills
from hip3.core.market import in_dexs
from hip3.exchange.wire_numbers import DECODE_ERRORS, finite, items_of, side_of


class _FillItem(msgspec.Struct):
    """A fill of userFills, by stream or by REST. What positions and results are made of has no default."""

    coin: str
    px: Decimal
    sz: Decimal
    side: str
    time: int
    oid: int
    tid: int
    startPosition: Decimal
    closedPnl: Decimal
    fee: Decimal
    feeToken: str = "USDC"
    dir: str = ""
    crossed: bool = True
    cloid: str | None = None
    liquidation: Any = None


class _Coin(msgspec.Struct):
    coin: str


class _FillsData(msgspec.Struct):
    fills: list[msgspec.Raw]
    isSnapshot: bool | None = None


class _Fills(msgspec.Struct):
    fills: list[_FillItem]
    isSnapshot: bool | None = None


class _FillsFrame(msgspec.Struct):
    data: _Fills


_decode_coin = msgspec.json.Decoder(_Coin).decode
_decode_fill = msgspec.json.Decoder(_FillItem).decode
_decode_fills = msgspec.json.Decoder(_FillsData).decode
_decode_frame = msgspec.json.Decoder(_FillsFrame).decode


def _fill(item: _FillItem) -> Fill:
    """A fill, checked. A price of 0 is possible, a size of 0 is not."""
    finite(item.px, item.sz, item.startPosition, item.closedPnl, item.fee)
    if item.px < 0 or item.sz <= 0:
        raise ValueError("a fill without size")
    return Fill(
        coin=item.coin, side=side_of(item.side), px=item.px, sz=item.sz, time_ms=item.time,
        tid=item.tid, oid=item.oid, cloid=item.cloid, start_position=item.startPosition,
        closed_pnl=item.closedPnl, fee=item.fee, fee_token=item.feeToken, direction=item.dir,
        crossed=item.crossed, liquidation=item.liquidation is not None,
    )  # fmt: skip


class FillList(NamedTuple):
    """A list of fills as it was answered."""

    fills: tuple[Fill, ...]
    malformed: int
    """Rows that could not be read and may count."""
    rows: int
    """All of them: so many at most are in one answer (docs/venue-facts.md F13)."""
    unread: frozenset[str] = frozenset()
    """The coins of the malformed ones; "" is among them where a row does not even tell that."""


def parse_fill_list(data: bytes, dexs: Container[str] | None = None) -> FillList:
    """A list of fills (also the REST answer): what could be read, and how many could not. ValueError if it is no list.

    In the order they came: REST answers are newest first, except userFillsByTime. Whether an unreadable one spoils
    what the others prove is the caller's to judge; of a coin that is in none of these `dexs` it spoils nothing and is
    not counted: an outcome token may have rows of its own kind (docs/venue-facts.md F37).
    """
    good, malformed, rows = [], 0, 0
    unread: set[str] = set()
    for raw in items_of(data):
        rows += 1
        try:
            good.append(_fill(_decode_fill(raw)))
        except DECODE_ERRORS:
            coin = _coin_of(raw)
            if dexs is None or not coin or in_dexs(coin, dexs):
                malformed += 1
                unread.add(coin)
    return FillList(tuple(good), malformed, rows, frozenset(unread))


def _coin_of(raw: bytes) -> str:
    """Of which coin a row says that it is; empty where it does not."""
    try:
        return _decode_coin(raw).coin
    except DECODE_ERRORS:
        return ""


def parse_user_fills(data: bytes) -> UserFills:
    """userFills: {isSnapshot?, fills: [...]}, a bare list, or one fill. An absent mark is False.

    A snapshot repeats what was told before: fills are counted by their identity. ValueError for another shape.
    """
    if data[:1] == b"{" and b'"fills"' in data:
        body = _decode_fills(data)
        fills, malformed = [], 0
        for raw in body.fills:
            try:
                fills.append(_fill(_decode_fill(raw)))
            except DECODE_ERRORS:
                malformed += 1
        return UserFills(tuple(fills), bool(body.isSnapshot), malformed)
    found = parse_fill_list(data)
    return UserFills(found.fills, False, found.malformed)


def fills_of_frame(text: str) -> UserFills:
    """A whole frame of userFills by one decoding. One of its `DECODE_ERRORS` if any of it cannot be read:
    `parse_user_fills` then reads fill by fill."""
    body = _decode_frame(text).data
    return UserFills(tuple([_fill(item) for item in body.fills]), bool(body.isSnapshot))
