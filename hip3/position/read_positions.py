"""Positions taken from readings, and fills that come before or after them. Pure; the tracker's lock guards it.

Two readings of the exchange need not be of one age: a position may hold a fill that no list of fills shows yet, and be
older than one that a stream has told of. Which of the two came later the exchange's times say. Nothing here raises.
"""

from bisect import insort
from decimal import Decimal

from hip3.core.events import Fill
from hip3.core.orders import PendingOrder

KEPT = 64
"""So many of a market's newest fills are remembered: more do not come between a reading and its use."""

LATER_MS = 60_000
"""Between a reading and its use pass seconds."""


class ReadPositions:
    """See the module."""

    def __init__(self) -> None:
        self._as_of: dict[str, int] = {}
        self._exact: set[str] = set()
        """Markets whose time is that of the newest fill in the position, and not of an answer."""
        self._recent: dict[str, list[Fill]] = {}
        """Booked, by time and tid, whatever the order of arrival."""
        self._held_ms: dict[str, int] = {}
        """Of the newest fill that a reading had in it."""

    def taken(self, coin: str, read_ms: int | None, *, exact: bool = False) -> list[Fill]:
        """A position is taken from a reading as of `read_ms`: the fills that were booked and came after it. None:
        nobody knows of when it is, and all that is booked is in it.

        A fill that is dated long after it came after nothing: its date is wrong, and kept it would come on top of every
        reading for ever. `exact`: the position is that of booked fills until `read_ms`, not an answer's of that time.
        """
        (self._exact.add if exact else self._exact.discard)(coin)
        if read_ms is None:
            return []
        self._as_of[coin] = max(read_ms, self._as_of.get(coin, 0))
        return self.after(coin, read_ms)

    def after(self, coin: str, read_ms: int) -> list[Fill]:
        """The fills that were booked and came after a reading as of `read_ms`."""
        return [f for f in self._recent.get(coin, ()) if read_ms < f.time_ms <= read_ms + LATER_MS]

    def newest(self, coin: str) -> Fill | None:
        """The newest fill that was booked since the run began."""
        recent = self._recent.get(coin)
        return recent[-1] if recent else None

    def booked(self, fill: Fill) -> None:
        """A fill changed the books."""
        recent = self._recent.setdefault(fill.coin, [])
        if not recent or fill.time_ms > recent[-1].time_ms:
            recent.append(fill)
        else:
            insort(recent, fill, key=lambda f: (f.time_ms, f.tid))
        del recent[:-KEPT]

    def shows(self, order: PendingOrder, at_ms: int, size: Decimal, szi: Decimal) -> bool:
        """Whether the position that was read holds an execution of `size` until `at_ms` that an update told of.

        `szi` is what is booked. As old as that, an entry must be seen in it: an answer may be older than its time says,
        and then what it does not show counts all the same. What an exit took away is gone from it.
        """
        if at_ms > self._as_of.get(order.coin, -1):
            return False
        return order.reduce_only or szi * order.side.sign >= size

    def hold(self, fill: Fill, szi: Decimal) -> bool:
        """Whether the position that was read has this fill in it already; `szi` is what is booked.

        An answer may be older than its time says: a fill that goes on where the books are, and is not older than any
        that came, was not in it. What an earlier run booked is as of its newest fill, and older than nothing.
        """
        coin, at_ms = fill.coin, fill.time_ms
        if at_ms > self._as_of.get(coin, -1):
            return False
        recent = self._recent.get(coin)
        newest = max(recent[-1].time_ms if recent else 0, self._held_ms.get(coin, 0))
        if coin not in self._exact and fill.start_position == szi and at_ms >= newest:
            return False
        self._held_ms[coin] = max(at_ms, self._held_ms.get(coin, 0))
        return True
