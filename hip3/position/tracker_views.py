"""What the one ledger of orders, fills and positions looks like from outside: the readers of `PositionTracker`.

Guards, with the tracker's own lock: orders by cloid and oid, holdings, resting orders of others, results. Each answer
is of one instant and shares nothing with the books but the orders themselves, which are read only. Any thread.
"""

from decimal import Decimal

from hip3.core.events import OrderUpdate
from hip3.core.ledger import LedgerView, PositionView
from hip3.core.order_state import OrderState
from hip3.locks import new_lock
from hip3.position.holding import Holding
from hip3.position.order_index import OrderIndex
from hip3.position.results import Results
from hip3.position.tracked import TrackedOrder
from hip3.position.views import effective_size, effective_sizes, ledger_view, position_view


class TrackerViews:
    """See the module. Only the tracker changes what is here."""

    def __init__(self) -> None:
        self._lock = new_lock("PositionTracker")
        self._orders = OrderIndex()
        self._holdings: dict[str, Holding] = {}
        self._foreign: dict[int, OrderUpdate] = {}
        self._results = Results()

    def _view_locked(self) -> LedgerView:
        return ledger_view(self._orders, self._holdings, self._foreign.values())

    def ledger(self) -> LedgerView:
        """Positions and orders as the gates would see them now."""
        with self._lock:
            return self._view_locked()

    def booked(self) -> dict[str, Decimal]:
        """Signed sizes by booked fills alone, those that are not zero: what a reading of the exchange must equal."""
        with self._lock:
            return {coin: h.szi for coin, h in self._holdings.items() if h.szi}

    def positions(self) -> list[PositionView]:
        """Effective positions: booked, and what replies and updates say was executed."""
        with self._lock:
            sizes = effective_sizes(self._orders, self._holdings)
            return [position_view(self._orders, self._holdings, coin, szi) for coin, szi in sizes.items()]

    def position(self, coin: str) -> PositionView | None:
        """The effective position of one coin, or None when flat."""
        with self._lock:
            szi = effective_size(self._orders, self._holdings, coin)
            return position_view(self._orders, self._holdings, coin, szi) if szi else None

    def get(self, cloid: str) -> TrackedOrder | None:
        """One order of ours; read-only for the caller."""
        with self._lock:
            return self._orders.find(cloid, None)

    def live(self, *states: OrderState) -> list[TrackedOrder]:
        """Orders not terminal, of the given states (all if none is given)."""
        with self._lock:
            return [t for t in self._orders.live.values() if not states or t.state in states]

    def protective(self) -> dict[str, list[TrackedOrder]]:
        """Protective stops that are not over, by market, oldest first."""
        out: dict[str, list[TrackedOrder]] = {}
        with self._lock:
            for tracked in self._orders.stops.values():
                out.setdefault(tracked.order.coin, []).append(tracked)
        return out

    def quotes(self, coin: str) -> list[TrackedOrder]:
        """Quotes of a market that may be alive, oldest first."""
        with self._lock:
            return list(self._orders.quotes.get(coin, {}).values())

    def unbooked(self) -> list[TrackedOrder]:
        """Orders whose reply, or an update, says more than the booked fills."""
        with self._lock:
            return list(self._orders.provisional.values())

    def unlinked(self) -> list[str]:
        """Coins whose fills do not form a chain: one is missing."""
        with self._lock:
            return [coin for coin, h in self._holdings.items() if h.fills and not h.linked]

    def open_net(self) -> Decimal:
        """What open positions have come to since they were last flat: realised, fees and funding, in USD."""
        with self._lock:
            return self._results.open_net(self._holdings)

    def funding(self) -> Decimal:
        """Funding since this account's state began; negative: paid."""
        with self._lock:
            return self._results.totals.funding

    def totals(self) -> tuple[Decimal, Decimal, int, int]:
        """(realized, fees, fills, round trips) since this account's state began; realized is gross. Funding and
        positions are asked for apart: who needs them of one instant looks at the fills before and after."""
        with self._lock:
            t = self._results.totals
            return t.realized, t.fees, t.fills, t.round_trips
