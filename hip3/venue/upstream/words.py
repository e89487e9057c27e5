"""All that a mirror can say to its upstream: subscribe and unsubscribe market streams, ping, and public reads. Pure.

Nothing is passed on as it came: a client's wish is read into one of these structs, of known kinds and fields alone, and
the message is made of that. An account, an action or a field that is not listed has no way to be spelled.
"""

from enum import Enum
from typing import Annotated, Any, Literal, TypeVar, get_args, get_type_hints

import msgspec

T = TypeVar("T")
_Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9:@/_.-]{1,40}$")]
_Dex = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{0,20}$")]
_Figures = Literal[2, 3, 4, 5]


class Word(Enum):
    """What a message over the WebSocket may be."""

    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    PING = "ping"


class Stream(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True):
    """One stream of market data."""

    type: Literal["bbo", "l2Book", "trades", "activeAssetCtx", "candle", "allMids", "allDexsAssetCtxs", "assetCtxs"]
    coin: _Name | None = None
    interval: _Name | None = None
    dex: _Dex | None = None
    n_sig_figs: _Figures | None = None
    mantissa: Literal[1, 2, 5] | None = None
    fast: bool | None = None
    n_levels: Annotated[int, msgspec.Meta(ge=1, le=20)] | None = None


class Span(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True):
    """What candles are asked for."""

    coin: _Name
    interval: _Name
    start_time: int
    end_time: int | None = None


class Read(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True):
    """One public read: `POST /info`."""

    type: Literal[
        "meta", "metaAndAssetCtxs", "perpDexs", "perpsAtOpenInterestCap", "l2Book", "fundingHistory", "allMids",
        "candleSnapshot", "recentTrades", "predictedFundings", "marginTable", "exchangeStatus",
    ]  # fmt: skip
    dex: _Dex | None = None
    coin: _Name | None = None
    id: int | None = None
    start_time: int | None = None
    end_time: int | None = None
    n_sig_figs: _Figures | None = None
    mantissa: Literal[1, 2, 5] | None = None
    req: Span | None = None


PUBLIC = frozenset({"bbo", "l2Book", "trades", "activeAssetCtx", "candle", "allMids", "allDexsAssetCtxs", "assetCtxs"})
"""Channels that are passed on; whatever else the upstream says is nobody's."""


READS = frozenset(get_args(get_type_hints(Read)["type"]))
"""Types of reads that can be spelled."""


def stream_of(subscription: dict[str, Any]) -> Stream | None:
    """The market stream that a client wishes for; None: it is none, or not one that can be spelled."""
    return _as(Stream, subscription)


def read_of(request: Any) -> Read | None:
    """The public read that a client asks for; None: it is none that is passed on."""
    return _as(Read, request)


def _as(kind: type[T], wish: Any) -> T | None:
    if not isinstance(wish, dict):
        return None
    try:
        return msgspec.convert({k: v for k, v in wish.items() if v is not None}, kind)
    except msgspec.ValidationError:
        return None


def frame_of(word: Word, stream: Stream | None = None) -> str:
    """The message over the WebSocket."""
    message: dict[str, Any] = {"method": word.value}
    if stream is not None and word is not Word.PING:
        message["subscription"] = stream
    return msgspec.json.encode(message).decode()


def body_of(read: Read) -> bytes:
    """The body of a `POST /info`."""
    return msgspec.json.encode(read)
