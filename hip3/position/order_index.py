"""The index of our orders: live and ended, by cloid and by oid. The tracker's lock guards it.

Ended orders are kept for late fills, the newest 1,000. An order is moved along `core.order_state` only here, but for
the tracker's own marks that it is sent, or was not sent after all. An order is in `live` or in `done`; the other
collections are views of some of them. Nothing here raises, and nothing is called back.
"""

from collections import OrderedDict
from decimal import Decimal

from hip3.core.ledger import OrderChanged, OrderFinished, TrackerEvent
from hip3.core.money import ZERO
from hip3.core.order_state import OrderState, may_move
from hip3.position.tracked import TrackedOrder

KEPT_ORDERS = 1000
"""So many ended orders are remembered; what comes of an older one is taken for a stranger's."""


class OrderIndex:
    """See the module. Keys are cloids where nothing else is said."""

    def __init__(self) -> None:
        self.live: dict[str, TrackedOrder] = {}
        """Orders that are not over, in the order in which they came."""
        self.stops: dict[str, TrackedOrder] = {}
        """The protective stops among them: the tick looks at these each time, whatever else rests."""
        self.quotes: dict[str, dict[str, TrackedOrder]] = {}
        """The quotes among the live, by coin: the tick looks at one market's each time."""
        self.done: OrderedDict[str, TrackedOrder] = OrderedDict()
        """Orders that are over, the one that ended first at the front."""
        self.provisional: dict[str, TrackedOrder] = {}
        """Orders, live or over, that a reply or an update says executed more than is booked."""
        self.entry: dict[str, TrackedOrder] = {}
        """By coin: the entry that last executed in a market, where a position's edge and admission price are kept."""
        self._cloid_of: dict[int, str] = {}

    def add(self, tracked: TrackedOrder) -> None:
        """A new live order, in whatever state it comes."""
        self.live[tracked.order.cloid] = tracked
        if tracked.order.protective:
            self.stops[tracked.order.cloid] = tracked
        if tracked.order.level is not None:
            self.quotes.setdefault(tracked.order.coin, {})[tracked.order.cloid] = tracked

    def shrink_stops(self, coin: str, szi: Decimal) -> None:
        """A position has changed: stops cover no more than was left of it."""
        for tracked in self.stops.values():
            if tracked.order.coin == coin:
                tracked.covers = min(tracked.covers, max(ZERO, -szi * tracked.order.side.sign))

    def move(self, tracked: TrackedOrder, to: OrderState, why: str) -> list[TrackerEvent]:
        """Move along the table; what it does not allow changes nothing and gives nothing.

        Returns OrderChanged, and OrderFinished after it where no fill is missing any more. `why` is for people.
        """
        before = tracked.state
        if before is to or not may_move(before, to):
            return []
        tracked.state = to
        if to.terminal:
            # Into the new collection before out of the old one: never briefly invisible.
            self.done[tracked.order.cloid] = tracked
            self.live.pop(tracked.order.cloid, None)
            self.stops.pop(tracked.order.cloid, None)
            if tracked.order.level is not None:
                self.quotes[tracked.order.coin].pop(tracked.order.cloid, None)
            # Who ended first is the least likely to be heard of again.
            while len(self.done) > KEPT_ORDERS:
                _, old = self.done.popitem(last=False)
                if old.oid is not None:
                    self._cloid_of.pop(old.oid, None)
        changed = OrderChanged(
            order=tracked.order, before=before, after=to, why=why,
            executed=tracked.executed, avg_px=tracked.avg_px,
        )  # fmt: skip
        return [changed, *self.finish(tracked)]

    def finish(self, tracked: TrackedOrder) -> list[TrackerEvent]:
        """Tell once that an order is over with all its fills.

        Empty while it lives, while fills are missing, and for one that executed nothing: there is no price to judge.
        """
        if tracked.finished or not tracked.state.terminal or tracked.provisional or not tracked.booked:
            return []
        tracked.finished = True
        return [OrderFinished(order=tracked.order, executed=tracked.booked, avg_px=tracked.avg_px)]

    def find(self, cloid: str | None, oid: int | None) -> TrackedOrder | None:
        """An order of ours by the exchange's id, else by its cloid; None: not in the books.

        The id first: the end of an order that was replaced may come with the cloid of the one that replaced it.
        """
        if oid is not None:
            cloid = self._cloid_of.get(oid, cloid)
        if cloid is None:
            return None
        found = self.live.get(cloid) or self.done.get(cloid)
        return None if found is not None and oid is not None and found.order.replaces == oid else found

    def note_oid(self, tracked: TrackedOrder, oid: int) -> None:
        """Learn the exchange's id of an order; the first that is heard stays, whoever tells it again."""
        if tracked.oid is None:
            tracked.oid = oid
            self._cloid_of[oid] = tracked.order.cloid

    def note_executed(self, tracked: TrackedOrder) -> None:
        """Keep the index of orders that executed more than is booked, and the market's last entry.

        To be called after every change of an order's reply, claim or fills.
        """
        if tracked.provisional:
            self.provisional[tracked.order.cloid] = tracked
        else:
            self.provisional.pop(tracked.order.cloid, None)
        if tracked.executed and not tracked.order.reduce_only:
            self.entry[tracked.order.coin] = tracked
