"""Frames as the exchange would have sent them, of what foreign files say. Pure.

Numbers keep the text they have: nothing is computed with them, so nothing can be lost.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_SHORT = re.compile(r"-?\d(\.\d+)?[eE][-+]?\d{1,2}")
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|\+00:00)?")
K_COINS = {f"K{name}": f"k{name}" for name in ("PEPE", "SHIB", "BONK", "LUNC", "FLOKI", "DOGS", "NEIRO")}
"""Markets of a thousand: sources in capitals have lost the small letter."""
Level = tuple[str, str]
"""Price and size."""
Deep = tuple[str, str, int]
"""Price, size and number of orders."""
_UNITS_NS = {10: 10**9, 13: 10**6, 16: 10**3, 19: 1}
"""Digits of a time since 1970 -> its unit, until the year 2286."""


class Line(NamedTuple):
    """One frame of a foreign file."""

    t_ns: int
    """When it was received, as far as the file knows."""
    data: bytes
    where: str
    """Line or row."""
    kind: str = "in"


def number(text: str) -> str | None:
    """A decimal number as it stands, one with an exponent written out; None: it is none."""
    if _NUMBER.fullmatch(text):
        return text
    return format(Decimal(text), "f") if _SHORT.fullmatch(text) else None


def positive(text: str) -> str | None:
    """The same of one above 0."""
    plain = number(text)
    return plain if plain is not None and plain[0] != "-" and plain.strip("0.") else None


def iso_ns(text: str) -> int | None:
    """Nanoseconds of a UTC time in ISO form, with up to nine digits after the second; None: it is none."""
    found = _ISO.fullmatch(text)
    if found is None:
        return None
    day, hour, minute, second, rest, _ = found.groups()
    try:
        at = datetime.fromisoformat(f"{day}T{hour}:{minute}:{second}").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(at.timestamp()) * 1_000_000_000 + int((rest or "0").ljust(9, "0"))


def moment_ns(text: str) -> int | None:
    """Nanoseconds of a time, in ISO form or as whole seconds, milli-, micro- or nanoseconds; None: it is none."""
    if text.isdecimal():
        unit = _UNITS_NS.get(len(text))
        return None if unit is None else int(text) * unit
    return iso_ns(text)


def coin_of_symbol(symbol: str, known: Sequence[str]) -> str:
    """The exchange's name of a market that a source writes in its own way: by the known ones, else by the rules."""
    for coin in known:
        if coin.upper() == symbol.upper():
            return coin
    dex, colon, name = symbol.partition(":")
    return f"{dex.lower()}:{name}" if colon else K_COINS.get(symbol, symbol)


def frame(channel: str, data: Any) -> bytes:
    """The frame's bytes."""
    return msgspec.json.encode({"channel": channel, "data": data})


def bbo(coin: str, time_ms: int, bid: Level | None, ask: Level | None) -> bytes:
    """A touch."""
    sides = [None if side is None else {"px": side[0], "sz": side[1], "n": 1} for side in (bid, ask)]
    return frame("bbo", {"coin": coin, "time": time_ms, "bbo": sides})


def context(coin: str, oracle: str, mark: str, **more: str | None) -> bytes:
    """An asset context; what is not known of it is left out."""
    ctx = {"oraclePx": oracle, "markPx": mark} | {key: value for key, value in more.items() if value is not None}
    return frame("activeAssetCtx", {"coin": coin, "ctx": ctx})


def book(coin: str, time_ms: int, bids: Sequence[Deep], asks: Sequence[Deep]) -> bytes:
    """An order book."""
    levels = [[{"px": px, "sz": sz, "n": n} for px, sz, n in side] for side in (bids, asks)]
    return frame("l2Book", {"coin": coin, "time": time_ms, "levels": levels})


def trades(rows: Sequence[dict[str, Any]]) -> bytes:
    """Trades; each with coin, side (B: its taker bought, A: sold), px, sz, time and tid."""
    return frame("trades", rows)


class Touches:
    """The touch of each market as a source shows it: the same again is no news."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[Level | None, Level | None]] = {}

    def changed(self, coin: str, bid: Level | None, ask: Level | None) -> bool:
        """Whether this is another one than before."""
        if self._last.get(coin) == (bid, ask):
            return False
        self._last[coin] = (bid, ask)
        return True
