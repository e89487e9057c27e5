"""One market's position, folded from fills. Pure; the tracker's lock guards it.

The position is what was adopted from the exchange plus the sum of the fills booked since, which
makes it independent of the order in which they arrive. Entry price and time come from a fold in
exchange order (time, then the chain of start positions), repeated on every fill: a position has few.

Sizes are signed units of the asset, negative for a short; prices USD per unit; times exchange time. Nothing raises.
"""

from bisect import insort
from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise

from hip3.core.events import Fill
from hip3.core.money import ZERO, div

MOST_FILLS = 64
"""So many fills are folded again on each new one; older ones are kept as a sum."""


class Holding:
    """Booked position of one coin since it was last flat. Only fills are in it, never a reply's word."""

    __slots__ = (
        "_base_entered",
        "_base_entry_ms",
        "_base_entry_px",
        "_base_exited",
        "_base_opened_ms",
        "_base_szi",
        "admission_px",
        "as_of_ms",
        "coin",
        "edge_bps",
        "entered",
        "entry_ms",
        "entry_px",
        "exited",
        "fills",
        "foreign",
        "opened_ms",
        "szi",
    )

    def __init__(self, coin: str) -> None:
        self.coin = coin
        self.szi = ZERO
        self.entry_px = ZERO
        """Mean price of what is held; 0 when flat. Leaving a part does not change it."""
        self.entry_ms = 0
        """When the position of this side began, or was adopted; 0 when flat."""
        self.fills: list[Fill] = []
        """By time and tid, whatever the order of arrival."""
        self.entered = (ZERO, ZERO)
        """(size, USD) of all that was entered since flat, and of all that was left: what a round trip reports."""
        self.exited = (ZERO, ZERO)
        self.opened_ms = 0
        """When the first of it was entered; 0 if nothing was."""
        self.as_of_ms = 0
        """Fills until then are in it: of the newest one booked, or of the reading that it was taken from."""
        self.admission_px = ZERO
        """The price at which an earlier run's limits counted the entry."""
        self.edge_bps = ZERO
        """The entry's edge, where an earlier run kept it."""
        self.foreign = False
        """None of it came from an order of ours."""
        self._base_szi = ZERO
        self._base_entry_px = ZERO
        self._base_entry_ms = 0
        self._base_entered = (ZERO, ZERO)
        self._base_exited = (ZERO, ZERO)
        self._base_opened_ms = 0

    def adopt(
        self, szi: Decimal, entry_px: Decimal, entry_ms: int, *, edge_bps: Decimal = ZERO, foreign: bool = False,
        later: Iterable[Fill] = (), as_of_ms: int = 0,
    ) -> None:  # fmt: skip
        """Replace everything by the exchange's position (start, or a reconciliation).

        The fills booked so far are in it but for those of `later`, which come on top. From here on only later ones may
        be booked.
        """
        self.edge_bps, self.foreign = edge_bps, foreign
        self.fills = sorted(later, key=lambda f: (f.time_ms, f.tid))
        self.as_of_ms = max([self.as_of_ms, as_of_ms, *(f.time_ms for f in self.fills)])
        self._base_szi, self._base_entry_px, self._base_entry_ms = szi, entry_px, entry_ms
        self._base_entered, self._base_exited = (abs(szi), abs(szi) * entry_px), (ZERO, ZERO)
        self._base_opened_ms = entry_ms if szi else 0
        self._fold()

    def book(self, fill: Fill, *, ours: bool) -> str:
        """Add one fill that was not booked before; what it did: opened, closed, flipped, increased or reduced.

        Seen from the size before and after, so a fill that comes late may be called by another name than the
        exchange's; the size is right whatever the order. `ours`: it belongs to an order of ours.
        """
        before = self.szi
        # One fill of ours makes the position ours for good; a stranger's decides only if it opens it.
        self.foreign = (self.foreign or (not self.fills and before == 0)) and not ours
        insort(self.fills, fill, key=lambda f: (f.time_ms, f.tid))
        self.as_of_ms = max(self.as_of_ms, fill.time_ms)
        self._fold()
        # Not while one is missing: it may belong before those that would be folded away.
        if len(self.fills) > MOST_FILLS and self.linked:
            self._compress()
        if before == 0:
            return "opened"
        if self.szi == 0:
            return "closed"
        if (self.szi > 0) != (before > 0):
            return "flipped"
        return "increased" if abs(self.szi) > abs(before) else "reduced"

    def _compress(self) -> None:
        """Fold the older half into the base: what is linked needs no second look."""
        ordered = self._in_exchange_order()
        half = len(ordered) // 2
        self.fills = ordered[:half]
        self._fold()
        self._base_szi, self._base_entry_px, self._base_entry_ms = self.szi, self.entry_px, self.entry_ms
        self._base_entered, self._base_exited, self._base_opened_ms = self.entered, self.exited, self.opened_ms
        self.fills = ordered[half:]
        self._fold()

    @property
    def linked(self) -> bool:
        """Whether the fills form one chain of start positions; if not, one is missing. True without fills."""
        szi = self._base_szi
        for fill in self._in_exchange_order():
            if fill.start_position != szi:
                return False
            szi += fill.signed_sz
        return True

    def _in_exchange_order(self) -> list[Fill]:
        """By time; within a millisecond along the chain of start positions, else by tid."""
        rest = list(self.fills)
        if all(a.time_ms != b.time_ms for a, b in pairwise(rest)):
            return rest  # they are kept by time: there is nothing to choose
        out: list[Fill] = []
        szi = self._base_szi
        while rest:
            same = [f for f in rest if f.time_ms == rest[0].time_ms]
            # Where none follows there is a gap: any order will do, and `linked` says so.
            follows = next((f for f in same if f.start_position == szi), same[0])
            rest.remove(follows)
            out.append(follows)
            szi += follows.signed_sz
        return out

    def _fold(self) -> None:
        """Size, entry price and time, and what a round trip reports, from the base and the fills."""
        szi, cost, since = self._base_szi, abs(self._base_szi) * self._base_entry_px, self._base_entry_ms
        entered, exited, opened = self._base_entered, self._base_exited, self._base_opened_ms
        for fill in self._in_exchange_order():
            signed = fill.signed_sz
            added = fill.sz if szi == 0 or (szi > 0) == (signed > 0) else max(ZERO, fill.sz - abs(szi))
            # All of it enters; all of it leaves, at the mean price; or it goes through zero and begins anew.
            if added == fill.sz:
                since = since if szi != 0 else fill.time_ms
                cost += fill.sz * fill.px
            elif not added:
                cost -= div(cost * fill.sz, abs(szi))
            else:
                cost, since = added * fill.px, fill.time_ms
            entered = (entered[0] + added, entered[1] + added * fill.px)
            exited = (exited[0] + fill.sz - added, exited[1] + (fill.sz - added) * fill.px)
            opened = opened or (fill.time_ms if added else 0)
            szi += signed
        self.entered, self.exited, self.opened_ms = entered, exited, opened
        self.szi = szi
        self.entry_px = div(cost, abs(szi)) if szi else ZERO
        self.entry_ms = since if szi else 0
