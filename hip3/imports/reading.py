"""What every reader is given, and the checks that hold for each frame of any of them. Pure."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from hip3.core.events import Malformed
from hip3.exchange.wire import parse_frame
from hip3.imports.faults import Faults
from hip3.imports.frames import Line
from hip3.record.lines import channel_of
from hip3.venue.market.tape import coin_of

KEPT = frozenset({"bbo", "activeAssetCtx", "trades", "l2Book"})
"""Channels that are imported."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the command asked for."""

    format: str
    coins: list[str] = []
    """Those to import; empty: all."""
    known: list[str] = []
    """The exchange's markets, where a `--meta` says them; empty: not known."""
    torn: bool = False

    def wants(self, coin: str) -> bool:
        """Whether a market is to be imported."""
        return not self.coins or coin in self.coins


Reader = Callable[[Path, Faults, Wish], Iterator[Line]]


class _Level(msgspec.Struct):
    px: str
    sz: str


class Trade(msgspec.Struct):
    """What every format has of a trade."""

    coin: str
    side: str
    px: str
    sz: str
    time: int
    tid: int


class _Book(msgspec.Struct):
    coin: str
    time: int
    levels: tuple[list[_Level], list[_Level]]


class _Trades(msgspec.Struct):
    data: list[Trade]


class _BookFrame(msgspec.Struct):
    data: _Book


_trades = msgspec.json.Decoder(_Trades)
_book = msgspec.json.Decoder(_BookFrame)


def raw_frame(data: bytes, path: Path, where: str, faults: Faults, wish: Wish) -> bool:
    """Whether a frame as the exchange sent it is one to import; what is wrong with it is told."""
    channel = channel_of(data)
    if channel not in KEPT:
        try:
            msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError):
            faults.add(path, where, "a frame of the exchange", data, "repair the line or leave it away")
        return False
    try:
        if channel == "trades":
            _trades.decode(data)
        elif channel == "l2Book":
            _book.decode(data)
        elif isinstance(event := parse_frame(data), Malformed):
            raise msgspec.DecodeError(str(event))
    except msgspec.DecodeError:
        faults.add(path, where, f"a frame of channel {channel}", data, "repair the line or leave it away")
        return False
    coin = coin_of(data)
    if not coin or not wish.wants(coin):
        return False
    return known(coin, path, where, faults, wish)


def known(coin: str, path: Path, where: str, faults: Faults, wish: Wish, *, column: str = "coin") -> bool:
    """Whether the exchange has a market of that name; that it has not is told."""
    if wish.known and coin not in wish.known:
        faults.add(path, where, "a market of --meta", coin, "name its own with --coins", column=column)
        return False
    return True
