"""A stop that rests where no position is shown: litter of a position that was closed, or the trace of a hidden one.

An empty or old answer has hidden real positions before, and whoever cancels their stops then leaves them naked. What
tells the two apart is the exchange's list of fills: a stop is placed for a position that stands, so what closed the
position is newer than the stop. Pure; the rest thread alone looks (in `commands/by_hand.py`, without a service, main).
"""

from collections.abc import Iterable

from hip3.core.events import Fill, OrderUpdate
from hip3.execution.truth.account import closed_since
from hip3.execution.truth.difference import GONE_MS, GONE_READINGS


class StopsInDoubt:
    """Which stops protect a position that no reading shows, and since when. Confined to who reads."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[int, int]] = {}
        """oid -> (monotonic time of the first reading in which it was so, how many in a row)."""

    def look(self, stops: Iterable[OrderUpdate], fills: Iterable[Fill], now_ms: int) -> list[OrderUpdate]:
        """One reading more: those of `stops`, whose positions nobody shows, that are in doubt at monotonic `now_ms`.

        The others are litter: their position was closed after they were placed, or has not been shown for as long as
        it takes to believe that one is gone. `fills`: of the same reading, newest first.
        """
        fills = list(fills)
        before, self._seen = self._seen, {}
        doubtful = []
        for stop in stops:
            if closed_since(stop, fills):
                continue
            since, readings = before.get(stop.oid, (now_ms, 0))
            self._seen[stop.oid] = since, readings + 1
            if readings + 1 < GONE_READINGS or now_ms - since < GONE_MS:
                doubtful.append(stop)
        return doubtful
