"""Strangers: updates of orders that are not in our books. Each is asked for once; a storm is noticed.

Guards: what waits to be explained, what is explained, whose fills came, when updates came. Called from: ws-reader
(`note`, `filled`), rest (all of them). All memory is bounded: what is pushed out is asked for again if it speaks again.
An order is known by its oid here, since one that others placed need not have a cloid. Nothing raises.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable

from hip3.core.events import OrderUpdate
from hip3.locks import new_lock

STORM = 50
"""More unexplained updates than this within a minute mean that our books are not the account's."""
MINUTE_MS = 60_000
MOST_WAITING = 200
"""So many orders wait to be explained; then the oldest is forgotten. It still counts for a storm."""
MOST_FILLED = 1000
"""So many orders of others are remembered as told of by a fill, the newest."""
MOST_EXPLAINED = 5000
"""So many are remembered as explained, the newest."""


class Strangers:
    """See the module. Times are monotonic milliseconds."""

    def __init__(self) -> None:
        self._lock = new_lock("Strangers")
        self._waiting: OrderedDict[int, OrderUpdate] = OrderedDict()
        self._explained: OrderedDict[int, None] = OrderedDict()
        self._filled: OrderedDict[int, None] = OrderedDict()
        self._came: deque[int] = deque(maxlen=STORM + 1)
        self.total = 0
        """Updates of unexplained orders since the run began."""

    def note(self, update: OrderUpdate, now_ms: int) -> bool:
        """One update of an order we do not know; True if this is a storm. An explained one is no news, nor counted."""
        with self._lock:
            if update.oid in self._explained:
                return False
            self.total += 1
            self._came.append(now_ms)
            self._waiting[update.oid] = update
            while len(self._waiting) > MOST_WAITING:
                self._waiting.popitem(last=False)
            return self._storm_locked(now_ms)

    def storm(self, now_ms: int) -> bool:
        """Whether the last minute had more than `STORM`."""
        with self._lock:
            return self._storm_locked(now_ms)

    def _storm_locked(self, now_ms: int) -> bool:
        return len(self._came) > STORM and now_ms - self._came[0] < MINUTE_MS

    def take(self, most: int) -> list[OrderUpdate]:
        """The oldest that wait for an explanation, with the latest update of each; they wait until `explained`."""
        with self._lock:
            return list(self._waiting.values())[:most]

    def filled(self, oids: Iterable[int]) -> None:
        """Fills of somebody else's orders were told of. Said again it changes nothing."""
        with self._lock:
            self._filled.update(dict.fromkeys(oids))
            while len(self._filled) > MOST_FILLED:
                self._filled.popitem(last=False)

    def has_filled(self, oid: int) -> bool:
        """Whether a fill of this order was told of, as far as is remembered."""
        with self._lock:
            return oid in self._filled

    def explained(self, oid: int) -> None:
        """It is known what this order is: its updates are no news. Said again it changes nothing."""
        with self._lock:
            self._waiting.pop(oid, None)
            self._explained[oid] = None
            while len(self._explained) > MOST_EXPLAINED:
                self._explained.popitem(last=False)
