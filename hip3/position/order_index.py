"""The index of our orders: live and ended, by cloid and by oid. The tracker's lock guards it.

Ended orders are kept for late fills, the newest 1,000. An order is moved along `core.order_state` only here.
"""

from collections import OrderedDict

from hip3.core.ledger import OrderChanged, OrderFinished, TrackerEvent
from hip3.core.order_state import OrderState, may_move
from hip3.position.tracked import TrackedOrder

KEPT_ORDERS = 1000


class OrderIndex:
    """See the module."""

    def __init__(self) -> None:
        self.live: dict[str, TrackedOrder] = {}
        self.stops: dict[str, TrackedOrder] = {}
        """The protective stops among them: the tick looks at these each time, whatever else rests."""
        self.done: OrderedDict[str, TrackedOrder] = OrderedDict()
        self.provisional: dict[str, TrackedOrder] = {}
        """Orders that a reply or an update says executed more than is booked."""
        self.entry: dict[str, TrackedOrder] = {}
        """The entry that last executed in a market: where a position's edge and admission price are kept."""
        self._cloid_of: dict[int, str] = {}

    def add(self, tracked: TrackedOrder) -> None:
        """A new live order."""
        self.live[tracked.order.cloid] = tracked
        if tracked.order.protective:
            self.stops[tracked.order.cloid] = tracked

    def move(self, tracked: TrackedOrder, to: OrderState, why: str) -> list[TrackerEvent]:
        """Move along the table; what it does not allow changes nothing."""
        before = tracked.state
        if before is to or not may_move(before, to):
            return []
        tracked.state = to
        if to.terminal:
            # Into the new collection before out of the old one: never briefly invisible.
            self.done[tracked.order.cloid] = tracked
            self.live.pop(tracked.order.cloid, None)
            self.stops.pop(tracked.order.cloid, None)
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
        """Tell once that an order is over with all its fills."""
        if tracked.finished or not tracked.state.terminal or tracked.provisional or not tracked.booked:
            return []
        tracked.finished = True
        return [OrderFinished(order=tracked.order, executed=tracked.booked, avg_px=tracked.avg_px)]

    def find(self, cloid: str | None, oid: int | None) -> TrackedOrder | None:
        if cloid is None and oid is not None:
            cloid = self._cloid_of.get(oid)
        if cloid is None:
            return None
        return self.live.get(cloid) or self.done.get(cloid)

    def note_oid(self, tracked: TrackedOrder, oid: int) -> None:
        if tracked.oid is None:
            tracked.oid = oid
            self._cloid_of[oid] = tracked.order.cloid

    def note_executed(self, tracked: TrackedOrder) -> None:
        """Keep the index of orders that executed more than is booked, and the market's last entry."""
        if tracked.provisional:
            self.provisional[tracked.order.cloid] = tracked
        else:
            self.provisional.pop(tracked.order.cloid, None)
        if tracked.executed and not tracked.order.reduce_only:
            self.entry[tracked.order.coin] = tracked
