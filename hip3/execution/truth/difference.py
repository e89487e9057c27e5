"""A position that our books and the exchange do not have in one size, and when the exchange's is believed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from hip3.core.events import Fill
from hip3.core.market import in_dexs
from hip3.core.money import ZERO
from hip3.execution.truth.account import AccountReport
from hip3.execution.truth.bootstrap import by_fills, read_ms
from hip3.execution.truth.fill_order import newest_of
from hip3.position.tracker import PositionTracker

GONE_READINGS = 3
GONE_MS = 60_000
"""A position that the exchange does not show is believed gone after so many readings over so long."""


class Difference(msgspec.Struct, frozen=True):
    """Our size and the exchange's (signed, in units), since when (monotonic), and in how many readings in a row."""

    ours: Decimal
    """By booked fills alone."""
    theirs: Decimal
    since_ms: int
    readings: int
    ours_by_fills: bool
    """The newest fill of the market that anybody told of says what our books say: the reading may be an old one."""

    @property
    def grown(self) -> bool:
        """The exchange has more than we knew of, or the other side."""
        return not self.ours_by_fills and self._larger

    @property
    def _larger(self) -> bool:
        return abs(self.theirs) > abs(self.ours) or (self.theirs != 0 and (self.theirs > 0) != (self.ours > 0))

    def again(self) -> "Difference":
        """The same, seen in one reading more."""
        return msgspec.structs.replace(self, readings=self.readings + 1)

    def believable(self, now_ms: int) -> bool:
        """Whether the exchange's size is to be taken for true now."""
        if self.grown:
            return self.readings >= 2
        return self.readings >= GONE_READINGS and now_ms - self.since_ms >= GONE_MS


def list_is_behind(fills: Iterable[Fill], booked: Fill | None, ours: Decimal) -> bool:
    """Whether a reading's `fills`, newest first, lack the newest one that was `booked`, which says what our books say:
    what was read with them may be as old, whatever its date."""
    if booked is None or booked.end_position != ours:
        return False
    listed = newest_of(fills, booked.coin)
    return listed is None or listed.time_ms < booked.time_ms


def differences(
    before: Mapping[str, Difference], tracker: PositionTracker, report: AccountReport, dexs: Collection[str],
    now_ms: int,
) -> dict[str, Difference]:  # fmt: skip
    """The markets of these `dexs`, which the reading has whole, in which our books and a reading differ; `before`:
    those of the reading before it. Takes the tracker's lock."""
    booked, told = tracker.booked(), by_fills(report, dexs).positions
    found: dict[str, Difference] = {}
    for coin in (c for c in dict.fromkeys([*booked, *report.positions]) if in_dexs(c, dexs)):
        ours, theirs = booked.get(coin, ZERO), report.positions.get(coin, (ZERO, ZERO))[0]
        read = read_ms(report, coin)
        if ours != theirs + (ZERO if read is None else tracker.traded_after(coin, read)):
            known = before.get(coin)
            same = known is not None and (known.ours, known.theirs) == (ours, theirs)
            by_fill = told.get(coin, (ZERO, ZERO))[0] == ours or list_is_behind(
                report.fills, tracker.newest_fill(coin), ours
            )
            found[coin] = known.again() if known and same else Difference(ours, theirs, now_ms, 1, by_fill)
    return found


ASK_MS = 5000
MOST_ASKED = 6
"""So often the fills of an adopted position are asked for: half a minute is longer than a list is behind."""


class Unexplained:
    """Positions that were taken from a reading and that no fill explains yet: their results are in no sum, and the list
    that told of none was an old one. Confined to the rest thread."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[Decimal, int]] = {}
        """Coin -> (signed size that was adopted, how often its fills were asked for)."""
        self._next_ms = 0

    @property
    def coins(self) -> list[str]:
        """Their markets."""
        return list(self._open)

    def adopted(self, coin: str, szi: Decimal, fills: Iterable[Fill], now_ms: int) -> None:
        """A size was taken from a reading with these `fills`, newest first; monotonic."""
        if not _explained(coin, szi, fills):
            self._open[coin] = (szi, 0)
            self._next_ms = now_ms + ASK_MS

    def due(self, now_ms: int) -> bool:
        """Whether fills are to be asked for because of them."""
        return bool(self._open) and now_ms >= self._next_ms

    def read(self, fills: Sequence[Fill], now_ms: int, *, whole: bool) -> None:
        """These fills were read, newest first. It counts as asking for them where that was due, and the list is
        `whole`: a fill that cannot be read might be the one."""
        due = self.due(now_ms)
        counted = 1 if due and whole else 0
        self._open = {
            coin: (szi, asked + counted)
            for coin, (szi, asked) in self._open.items()
            if asked + counted < MOST_ASKED and not _explained(coin, szi, fills)
        }
        if due:
            self._next_ms = now_ms + ASK_MS


def _explained(coin: str, szi: Decimal, fills: Iterable[Fill]) -> bool:
    """Whether the newest fill left just this position: an older one that did is of another."""
    newest = newest_of(fills, coin)
    return newest is not None and newest.end_position == szi
