"""What was earned and paid: fills and funding, each counted once. The tracker's lock guards it.

Sums run since this account's state began, and beside them for each position since it was last flat. What was
counted is remembered, boundedly, so that a snapshot after a cut, or a restart, counts nothing twice. Money is USD,
results are gross of fees (docs/venue-facts.md F7), times are exchange time. Nothing here raises.
"""

import heapq
from collections import OrderedDict
from collections.abc import Iterable
from decimal import Decimal
from itertools import chain

from hip3.core.events import Fill, Funding
from hip3.core.ledger import RoundTrip, TrackerEvent
from hip3.core.money import ZERO
from hip3.position.tracked import KeptTotals, Totals

KEPT_FILLS = 3000
"""More than the 2,000 of a snapshot, so that one after a cut finds all of its fills known."""
KEPT_FUNDINGS = 1000
"""So many payments are remembered one by one; what is older than they are counts as known."""
MOST_RECENT = 1000
"""So many fills are named, at most, in what is kept for a restart."""
OVERLAP_MS = 60_000
NAMED = 100
"""Fills that are older than this by the newest one, and older than so many others, count as booked at a restart: a
list may be late by a minute, and after a suspend by hours, in which little was filled."""


class Results:
    """See the module."""

    def __init__(self) -> None:
        self.totals = Totals()
        """Sums since this account's state began; read under the tracker's lock."""
        self._told: tuple[int, Decimal] = (0, ZERO)
        self._seen: OrderedDict[tuple[str, int, int], None] = OrderedDict()
        self._known_until_ms = 0
        self._counted: frozenset[tuple[str, int, int]] = frozenset()
        self._counted_until_ms = 0
        """Fills that an earlier run counted: the first list of this run may be too old to show them."""
        self._funded: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._funded_since_ms = 0
        self._trips: dict[str, Totals] = {}
        self._kept_trips: set[str] = set()
        """Those of an earlier run whose position has not been found yet."""

    def knows(self, fill: Fill) -> bool:
        """Whether a fill was counted, or is older than all that the positions at the start held."""
        return fill.key in self._seen or fill.time_ms < self._known_until_ms

    def counted_before(self, fill: Fill) -> bool:
        """Whether an earlier run counted a fill, and with it the round trip that it may have ended."""
        return fill.key in self._counted or fill.time_ms < self._counted_until_ms

    def add(self, fill: Fill) -> None:
        """Count a fill that was not known: ask `knows` first, in the same critical section."""
        self._remember(fill)
        if not self.counted_before(fill):
            self.totals.add(fill)
        self._trips.setdefault(fill.coin, Totals()).add(fill)

    def _remember(self, fill: Fill) -> None:
        self._seen[fill.key] = None
        while len(self._seen) > KEPT_FILLS:
            self._seen.popitem(last=False)

    def fund(self, item: Funding) -> bool:
        """Count a payment; False if it was counted, or is from before this account's state began.

        It belongs to the sums, and to the position of its market while there is one.
        """
        if item.key in self._funded or item.time_ms < self._funded_since_ms:
            return False
        self._funded[item.key] = None
        while len(self._funded) > KEPT_FUNDINGS:
            (_, oldest), _ = self._funded.popitem(last=False)
            # What is forgotten must not be counted again: from now on its time tells.
            self._funded_since_ms = max(self._funded_since_ms, oldest + 1)
        self.totals.funding += item.usdc
        trip = self._trips.get(item.coin)
        if trip is not None:
            trip.funding += item.usdc
        return True

    # Round trips.

    def begin_trip(self, coin: str, *, fees: Decimal, realized: Decimal) -> None:
        """A position was found with this behind it: fees paid for it and what it realised so far. Where an earlier run
        kept its sums they stand: fills tell no more than those since its last turn through zero."""
        if coin in self._kept_trips:
            self._kept_trips.discard(coin)
            return
        trip = self._trips[coin] = Totals()
        trip.fees, trip.realized = fees, realized

    def end_trip(self, coin: str) -> Totals:
        """A position is flat: what it came to, funding included. Counts one round trip."""
        self.totals.round_trips += 1
        return self._trips.pop(coin, None) or Totals()

    def late_trip(self, fill: Fill) -> list[TrackerEvent]:
        """The fill that closed a position which was believed gone before it came: a round trip of which no more is
        known. Left here its result would be charged to the next one."""
        trip = self.end_trip(fill.coin)
        if self.counted_before(fill):
            return []
        return [RoundTrip(
            coin=fill.coin, opened_ms=fill.time_ms, closed_ms=fill.time_ms, realized=trip.realized, fees=trip.fees,
            funding=trip.funding, entry_px=ZERO, exit_px=fill.px,
        )]  # fmt: skip

    def forget_kept_trips(self) -> None:
        """The positions of the start are all adopted: what was kept of others is over."""
        for coin in self._kept_trips:
            self._trips.pop(coin, None)
        self._kept_trips.clear()

    def open_net(self, coins: Iterable[str]) -> Decimal:
        """What these positions have come to since they were last flat, without what they are worth."""
        return sum((self._trips[coin].net for coin in coins if coin in self._trips), ZERO)

    def forget_trip(self, coin: str) -> None:
        """The position is gone without its fills: there is no result to tell."""
        self._trips.pop(coin, None)

    # Restarts.

    def seed(self, fills: Iterable[Fill], known_until_ms: int, kept: KeptTotals) -> None:
        """Go on from `kept`; of these fills, count those that it does not hold, and know them all.

        `known_until_ms`: what was filled before is in the positions that the start adopts. Once, at a start.
        """
        counted = self._counted = frozenset(kept.recent)
        self._counted_until_ms = kept.since_ms
        self._known_until_ms = max(self._known_until_ms, known_until_ms)
        self.totals.restore(kept)
        for coin, (realized, fees, funding) in kept.trips.items():
            trip = self._trips[coin] = Totals()
            trip.realized, trip.fees, trip.funding = realized, fees, funding
            self._kept_trips.add(coin)
        self._funded = OrderedDict.fromkeys(kept.fundings)
        self._funded_since_ms = min((t for _, t in kept.fundings), default=kept.since_ms)
        for fill in fills:
            if fill.key not in self._seen and fill.time_ms >= kept.since_ms and fill.key not in counted:
                self.totals.add(fill)
                self._add_to_kept(fill)
            self._remember(fill)

    def _add_to_kept(self, fill: Fill) -> None:
        if fill.coin in self._kept_trips:
            self._trips[fill.coin].add(fill)
            if fill.end_position == 0:  # that round trip is found by its fills
                self._kept_trips.discard(fill.coin)
                del self._trips[fill.coin]

    def changed(self) -> KeptTotals | None:
        """The sums for a restart; None if no fill and no payment came since they were asked for last."""
        told = (self.totals.fills, self.totals.funding)
        if told == self._told:
            return None
        self._told = told
        # Also what only an earlier run saw: this one's list may have been too old to show it.
        before = (key for key in self._counted if key not in self._seen)
        latest = heapq.nlargest(MOST_RECENT, chain(self._seen, before), key=lambda key: key[1])
        times, since = [key[1] for key in latest], self._counted_until_ms  # the newest first
        if len(times) > NAMED:
            since = max(since, min(times[0] - OVERLAP_MS, times[NAMED] + 1))
        # Cut off: a millisecond of which perhaps not every fill is named must not be one in which names decide.
        if len(latest) == MOST_RECENT:
            since = max(since, times[-1] + 1)
        return self.totals.keep(since, [k for k in latest if k[1] >= since], list(self._funded), self._trips)
