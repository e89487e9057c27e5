"""How long an account's own orders travelled (`ops.travelled`), as quantiles or as they came, for a replay."""

import sqlite3
from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import msgspec

from hip3.errors import ConfigError
from hip3.ops.travelled import FEWEST, travelled
from hip3.venue.market.filling import BLOCK_MS
from hip3.venue.market.latency import Latency, parse_latency

SQLITE = b"SQLite format 3\x00"
STEPS = 100
INTERP = "interp:"


class Pair(NamedTuple):
    """One order that was executed at once."""

    at_ms: int
    """Exchange time of its sending."""
    there_ms: int
    """Until it had reached the exchange: without the wait for its block, which a replay adds."""
    back_ms: int


class Between(msgspec.Struct, frozen=True):
    """Latency as it was at the time: between the measured orders before and after, at the ends the nearest one."""

    pairs: list[Pair]
    """By time, at least one."""
    source: str
    factor: Decimal = Decimal(1)

    def times(self, factor: str) -> "Between":
        """All of it so many times as long; `factor` is a decimal number above 0."""
        by = Decimal(factor)
        return self if by == 1 else Between(self.pairs, f"{self.source}, times {factor}", self.factor * by)

    def there(self, at_ms: int) -> int:
        """The way of an order that is sent at an exchange time."""
        return self._at(at_ms, 1)

    def back(self, at_ms: int) -> int:
        """The way of the answer to what was executed at an exchange time."""
        return self._at(at_ms, 2)

    def _at(self, at_ms: int, leg: int) -> int:
        after = bisect_left(self.pairs, at_ms, key=lambda pair: pair.at_ms)
        low, high = self.pairs[max(after - 1, 0)], self.pairs[min(after, len(self.pairs) - 1)]
        span = high.at_ms - low.at_ms
        share = Decimal(min(max(at_ms - low.at_ms, 0), span)) / span if span else Decimal(0)
        return round((low[leg] + (high[leg] - low[leg]) * share) * self.factor)


Legs = Latency | Between


def latency_of(text: str | None, lag_ms: int) -> Legs:
    """What `--latency` says: as `parse_latency`, a journal, or `interp:` and a journal. ConfigError."""
    if text is None:
        return parse_latency(text, lag_ms)
    if text == INTERP.rstrip(":"):
        raise ConfigError(
            ["--latency interp: of which orders? Give interp:JOURNAL, the journal of an account that traded"]
        )
    between = text.startswith(INTERP)
    path = Path(text.removeprefix(INTERP))
    if not between and not _is_journal(path):
        return parse_latency(text, lag_ms)
    found = pairs(path)
    if not found or (not between and len(found) < FEWEST):
        least = 1 if between else FEWEST
        raise ConfigError([f"--latency {text}: {len(found)} orders with fills in it, {least} at least are wanted"])
    source = f"measured of {len(found)} orders, {_day(found[0])} to {_day(found[-1])}"
    if between:
        return Between(found, f"{source}, as it was at the time")
    return Latency(quantiles([p.there_ms for p in found]), quantiles([p.back_ms for p in found]), source)


def _day(pair: Pair) -> str:
    return datetime.fromtimestamp(pair.at_ms / 1000, UTC).strftime("%Y-%m-%d")


def _is_journal(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(SQLITE)) == SQLITE
    except OSError:
        return False  # parse_latency says what is wrong with it


def quantiles(values: Sequence[int]) -> list[int]:
    """From the lowest to the highest in a hundred steps."""
    ordered = sorted(values)
    return [ordered[round(step * (len(ordered) - 1) / STEPS)] for step in range(STEPS + 1)]


def pairs(journal: Path) -> list[Pair]:
    """Orders that were executed as they arrived, by the time of their sending. ConfigError if it cannot be read."""
    try:
        found = travelled(journal)
    except (sqlite3.Error, msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError([f"--latency {journal}: {error}; name the journal.db of an account that traded"]) from None
    return [Pair(one.at_ms, max(0, one.executed_ms - BLOCK_MS), one.back_ms) for one in found]
