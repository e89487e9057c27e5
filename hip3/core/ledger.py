"""What the tracker says happened: facts for exits, risk, journal and statistics. Values.

Made under the tracker's lock, read by any thread afterwards. Prices are USD for one unit of the asset, sizes units of
the asset (signed: negative is short), money USD; times are exchange milliseconds.
"""

from decimal import Decimal

import msgspec

from hip3.core.events import Fill, Funding, OrderUpdate
from hip3.core.money import ZERO, bps_of
from hip3.core.order_state import OrderState
from hip3.core.orders import PendingOrder


class OrderChanged(msgspec.Struct, frozen=True, kw_only=True):
    """An order of ours moved to another state; told once for each move."""

    order: PendingOrder
    before: OrderState
    after: OrderState
    why: str
    """The exchange's word or text where it said so, else ours; `core.refusals` reads the text of a refusal."""
    executed: Decimal
    """Booked and provisional; after a terminal state a late fill may still add to it."""
    avg_px: Decimal
    """Mean price of what was executed; 0 if nothing was."""


class OrderFinished(msgspec.Struct, frozen=True, kw_only=True):
    """An order is over and every one of its fills is booked: its executed size and price are final.

    Told once for each order, and not at all of one that executed nothing.
    """

    order: PendingOrder
    executed: Decimal
    """More than 0."""
    avg_px: Decimal


class FillBooked(msgspec.Struct, frozen=True, kw_only=True):
    """One fill was booked, once. `kind`: opened, increased, reduced, closed, flipped."""

    fill: Fill
    kind: str
    position: Decimal
    """Signed size afterwards, by booked fills."""
    ours: bool
    """Whether it belongs to an order in our books."""


class FundingBooked(msgspec.Struct, frozen=True):
    """One funding payment was booked, once."""

    funding: Funding


class RoundTrip(msgspec.Struct, frozen=True, kw_only=True):
    """A position went from flat to flat."""

    coin: str
    opened_ms: int
    """When the first of it was entered, or adopted; `closed_ms` where nobody knows."""
    closed_ms: int
    """Time of the fill that ended it; with the coin it is the round trip's identity."""
    realized: Decimal
    """Sum of closedPnl, gross."""
    fees: Decimal
    """Positive: paid."""
    entry_px: Decimal
    """Mean over all that was entered; 0 where it is not known."""
    exit_px: Decimal
    """Mean over all that was left; 0 where it is not known."""
    funding: Decimal = ZERO
    """Negative: paid."""
    entered_usd: Decimal = ZERO
    """What was paid for all that was entered."""
    quoted: bool = False
    """Its market is quoted: it counts for money, and for no streak."""

    @property
    def net(self) -> Decimal:
        """What it came to in USD: fees taken off, funding added."""
        return self.realized - self.fees + self.funding

    @property
    def net_bps(self) -> Decimal:
        """The result against what was entered; 0 if that is not known."""
        return bps_of(self.net, self.entered_usd) if self.entered_usd else ZERO


class Stranger(msgspec.Struct, frozen=True):
    """An update of an order that is not in our books."""

    update: OrderUpdate


TrackerEvent = OrderChanged | OrderFinished | FillBooked | FundingBooked | RoundTrip | Stranger
"""What a change of the books tells; `execution.consequences` hands it on, in the order it happened."""


class PositionView(msgspec.Struct, frozen=True, kw_only=True):
    """A position as gates and exits see it: booked fills, plus what replies say was executed."""

    coin: str
    szi: Decimal
    """Signed; never 0."""
    entry_px: Decimal
    """Mean price of what is held; 0 where it is not known."""
    entry_ms: int
    """Exchange time of the fill that opened it, or of its adoption; our wall time of the order until a fill tells."""
    as_of_ms: int = 0
    """Exchange time until when fills are in it; 0 while some of it is by a reply's word alone."""
    entry_edge_bps: Decimal
    """The signal's edge at entry; 0 where it is not known."""
    foreign: bool = False
    """None of it came from an order of ours."""
    admission_px: Decimal = ZERO
    """The price at which the limits count it, where that is above the mark."""


class LedgerView(msgspec.Struct, frozen=True, kw_only=True):
    """What gates 3 to 8 decide on, taken under the tracker's lock: all of it is of one instant."""

    positions: dict[str, Decimal]
    """Signed sizes that are not zero."""
    held: dict[str, Decimal]
    """USD of positions at the price of their admission (adopted ones: at entry, or at what an earlier run kept)."""
    entries: dict[str, Decimal]
    """USD of entries not proven dead, by market, at the price of their admission."""
    reducing: frozenset[str]
    """Markets with a reduce-only order not proven dead; protective stops do not count."""
    foreign: dict[str, Decimal]
    """USD of resting orders that are not ours, by market: at their limit and full size, reduce-only ones left out."""
    buys: dict[str, Decimal] = {}
    """USD of what may still be bought, by market: entries not proven dead with what is left of them, at the price of
    their admission, and others' resting orders as in `foreign`."""
    sells: dict[str, Decimal] = {}
    """The same of what may still be sold."""

    def position_usd(self, coin: str, mark: Decimal) -> Decimal:
        """A position with its sign, at its mark or at the price of its admission where that is more.

        With the mark alone a position that lost value would make room that it takes again when it recovers.
        """
        szi = self.positions.get(coin, ZERO)
        usd = max(abs(szi) * mark, self.held.get(coin, ZERO)) if szi else ZERO
        return usd if szi >= 0 else -usd

    def side_usd(self, coin: str, mark: Decimal, *, buy: bool) -> Decimal:
        """What a market comes to if everything of one side executes and nothing of the other.

        A position of the other side makes no room: it may be left at any time, and the orders that counted on it stand.
        """
        signed = self.position_usd(coin, mark)
        orders = self.buys if buy else self.sells
        return max(signed if buy else -signed, ZERO) + orders.get(coin, ZERO)

    def worst_usd(self, coin: str, mark: Decimal) -> Decimal:
        """The most that a market can come to: by all of its buys or by all of its sells, which cannot add up."""
        return max(self.side_usd(coin, mark, buy=True), self.side_usd(coin, mark, buy=False))

    @property
    def occupied(self) -> set[str]:
        """Markets with a position or an order not proven dead."""
        return {*self.positions, *self.entries, *self.reducing, *self.foreign}
