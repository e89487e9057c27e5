"""A recording as the source of a market: the touch is quoted and the oracle published as they were written down.

One JSON object per line, in order of time, prices and sizes as strings:

    {"time_ms": 1787566551000, "coin": "para:UNITREE", "bid": "88.701", "bid_sz": "1.2", "ask": "88.74",
     "ask_sz": "0.9", "oracle": "89.157"}

The first line happens when the exchange starts, the rest as much later as then. It is played once: after the last
line its touch stays until it is traded away. Nothing but the touch is known, so nothing is quoted behind it.
"""

from decimal import Decimal
from pathlib import Path

import msgspec

from hip3.core.money import ceil_size, div, floor_size, round_price
from hip3.errors import ConfigError
from hip3.venue.engine.rules import MIN_NOTIONAL
from hip3.venue.market.market import PUBLISH_MS, UNIT, Publish, Touch, Wish
from hip3.venue.setup.settings import MarketSetup

NEVER = 1 << 60


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the file."""

    time_ms: int
    coin: str
    bid: Decimal
    bid_sz: Decimal
    ask: Decimal
    ask_sz: Decimal
    oracle: Decimal


class Recording:
    """The rows of every coin. `start_ms` is the time of the first of all."""

    def __init__(self, rows: list[Row]) -> None:
        self.start_ms = rows[0].time_ms if rows else 0
        self._of: dict[str, list[Row]] = {}
        for row in rows:
            self._of.setdefault(row.coin, []).append(row)

    def covers(self, coin: str) -> bool:
        return coin in self._of

    def px(self, market: MarketSetup) -> Decimal:
        """The price a market starts with: the first recorded oracle, or its own."""
        return self._of[market.coin][0].oracle if self.covers(market.coin) else market.px

    def model(self, coin: str, now_ms: int) -> "RecordedModel":
        """What drives a covered coin."""
        return RecordedModel(self._of[coin], now_ms - self.start_ms)


class RecordedModel:
    """Drives one market by its rows, in place of a `MarketModel`. `offset_ms` is from the rows' time to ours."""

    def __init__(self, rows: list[Row], offset_ms: int) -> None:
        self._rows, self._offset = rows, offset_ms
        self._next = 0
        self._touch: Touch | None = None
        self._oracle: Decimal | None = None
        self._published = 0

    @property
    def oracle(self) -> int:
        return int((self._oracle or self._rows[0].oracle) * UNIT)

    def next_due(self) -> int:
        """When the next row happens; never, when all have."""
        return self._rows[self._next].time_ms + self._offset if self._next < len(self._rows) else NEVER

    def shift(self, ms: int) -> None:
        """So much time is leapt over: what is left of the recording happens as much later."""
        self._offset += ms

    def advance(self, now_ms: int) -> list[tuple[int, Wish]]:
        """What changed by the rows that became due up to `now_ms`, in order of time."""
        out: list[tuple[int, Wish]] = []
        while (due := self.next_due()) <= now_ms:
            row = self._rows[self._next]
            self._next += 1
            touch = Touch(row.bid, row.bid_sz, row.ask, row.ask_sz)
            if touch != self._touch:  # the same again is no new offer: what was taken of it stays taken
                self._touch = touch
                out.append((due, touch))
            if row.oracle != self._oracle or due - self._published >= PUBLISH_MS:
                self._oracle, self._published = row.oracle, due
                out.append((due, Publish(self.oracle)))
        return out

    def requote(self, maker: int) -> None:
        """Nobody refills a recorded touch."""

    def jump(self, units: int) -> list[Wish]:
        """The recording goes on as it is: its next row quotes anew."""
        self._touch = self._oracle = None
        return []


NOTHING = Recording([])


def load_recording(path: Path, markets: list[MarketSetup]) -> Recording:
    """The rows of a file, checked against the markets they are of. ConfigError names the first bad line."""
    known = {market.coin: market for market in markets}
    rows: list[Row] = []
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    row = msgspec.json.decode(line, type=Row)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise ConfigError([f"recording {path}, line {number}: {error}"]) from None
                fault = _fault(row, known.get(row.coin), rows[-1].time_ms if rows else 0)
                if fault:
                    raise ConfigError([f"recording {path}, line {number}: {fault}"])
                rows.append(row)
    except OSError as error:
        raise ConfigError([f"recording {path}: {error.strerror}"]) from None
    if not rows:
        raise ConfigError([f"recording {path} is empty"])
    return Recording(rows)


def _fault(row: Row, market: MarketSetup | None, earliest_ms: int) -> str:
    """What is wrong with a row; "" if nothing is."""
    if market is None:
        return f"{row.coin} is not a market of this exchange; add it by --config"
    if row.time_ms < earliest_ms:
        return f"time_ms {row.time_ms} is before the line above ({earliest_ms})"
    for name in ("bid", "bid_sz", "ask", "ask_sz", "oracle"):
        value = getattr(row, name)
        if not value.is_finite() or value <= 0:
            return f"{name} is {value}, it must be above 0"
    if row.bid >= row.ask:
        return f"bid {row.bid} is not below ask {row.ask}"
    decimals = market.sz_decimals
    for name, px in (("bid", row.bid), ("ask", row.ask)):
        if round_price(px, decimals, up=True) != px:
            return f"{name} {px} is no price of {row.coin}: at most 5 figures and {6 - decimals} decimals"
    for name, sz in (("bid_sz", row.bid_sz), ("ask_sz", row.ask_sz)):
        if floor_size(sz, decimals) != sz:
            return f"{name} {sz} has more than the {decimals} decimals of {row.coin}"
    return ""


def at_least_minimum(px: Decimal, sz: Decimal, sz_decimals: int) -> Decimal:
    """The size to quote: rests of orders may be below the exchange's minimum, new orders must not."""
    return max(sz, ceil_size(div(MIN_NOTIONAL, px), sz_decimals))
