"""An order in the books, with all that is known of it. The tracker's lock guards it.

Sizes are units of the asset and never negative, prices USD per unit, money USD. Nothing here raises.
"""

from decimal import Decimal

import msgspec

from hip3.core.events import Fill, Filled
from hip3.core.money import ZERO, div
from hip3.core.order_state import OrderState
from hip3.core.orders import PendingOrder, Tif


class TrackedOrder:
    """An order in our books and all that is known of it.

    The tracker hands these out as they are, to be read only. A reader without the lock sees each field as it is at
    that moment: state and fills may be of two instants.
    """

    __slots__ = (
        "_sums", "certificate", "claimed", "claimed_ms", "contained", "covers", "disclaimed", "expires_ms", "fills",
        "finished", "generation", "nonce", "oid", "order", "reply", "said_gone", "sent_mono_ms", "state",
    )  # fmt: skip

    def __init__(self, order: PendingOrder) -> None:
        self.order = order
        self.state = OrderState.QUEUED
        self.oid: int | None = None
        """The exchange's id; None until a reply, an update or a fill told it."""
        self.reply: Filled | None = None
        """The reply that it executed at once; None: no reply yet, or another."""
        self.claimed = ZERO
        """Executed by an order update's word: the whole size, when it says that an entry is filled."""
        self.claimed_ms = 0
        """Exchange time of that update."""
        self.said_gone = False
        """The exchange refused to cancel it, since there is no such order; no proof, so its status is asked for."""
        self.disclaimed = False
        """The exchange's fills know nothing of what was claimed: no word of an update counts any more."""
        self.fills: dict[tuple[str, int, int], Fill] = {}
        """By identity (coin, time, tid): a fill that comes twice is one. `book` alone adds to it."""
        self._sums = (ZERO, ZERO)
        """Size and notional of the fills: one value, replaced as a whole, since readers hold no lock."""
        self.contained = False
        """A position that was read holds what an update told of it: until its fills come no word adds to that."""
        self.covers = order.sz
        """Of a stop that stands: the smallest the position was meanwhile. The exchange shrinks it so far, and it never
        grows again (docs/venue-facts.md F12)."""
        self.finished = False
        """Whether its end was told."""
        self.nonce = 0
        """Of the action that carried it; all orders of one batch share it. 0: not sent."""
        self.expires_ms: int | None = None
        """Exchange time after which the action is refused; None: never."""
        self.generation = 0
        """The connection it was sent by, for HTTP a number beyond all of them; 0: it was not sent by this run."""
        self.sent_mono_ms = 0
        """Monotonic; of an earlier run's order, when this run began."""
        self.certificate: str | None = None
        """Why it can never land; only a DEAD order has one."""

    def book(self, fill: Fill) -> None:
        """A fill that is new. Under the tracker's lock."""
        self.fills[fill.key] = fill
        booked, worth = self._sums
        self._sums = (booked + fill.sz, worth + fill.sz * fill.px)

    def claim(self, size: Decimal, at_ms: int) -> None:
        """An update of `at_ms` (exchange time) says that so much was executed; words only add up to the largest."""
        if not self.disclaimed and size > self.claimed:
            self.claimed, self.claimed_ms, self.contained = size, at_ms, False

    def disclaim(self) -> None:
        """What was claimed beyond the fills never happened."""
        self.disclaimed, self.claimed = True, self.booked

    @property
    def booked(self) -> Decimal:
        """Executed by fills."""
        return self._sums[0]

    @property
    def provisional(self) -> Decimal:
        """Executed by the word of a reply or an update, not yet by a fill."""
        return max(ZERO, self._said - self._sums[0])

    @property
    def executed(self) -> Decimal:
        """The larger of what fills say and what a reply or an update says."""
        return max(self._sums[0], self._said)

    @property
    def _said(self) -> Decimal:
        if self.reply is None:
            return self.claimed
        # Of an IOC the reply is the last word; an update may call the whole of an exit filled that was shrunk.
        return self.reply.total_sz if self.order.tif is Tif.IOC else max(self.claimed, self.reply.total_sz)

    @property
    def untouched(self) -> bool:
        """Nothing of it executed, as far as anybody told, and nothing says that it is gone."""
        return not self.executed and not self.said_gone

    @property
    def avg_px(self) -> Decimal:
        """Mean price executed; 0 if nothing was. While fills are missing the reply's, or the limit for want of one."""
        booked, worth = self._sums
        if self.provisional:
            return self.order.px if self.reply is None else self.reply.avg_px
        return div(worth, booked) if booked else ZERO


class Totals:
    """Sums over booked fills since this account's state began, or of one position since it was last flat."""

    __slots__ = ("fees", "fills", "funding", "realized", "round_trips")

    def __init__(self) -> None:
        self.realized = ZERO
        """Sum of closedPnl, gross of fees (docs/venue-facts.md F7)."""
        self.fees = ZERO
        """Positive: paid."""
        self.funding = ZERO
        """Negative: paid."""
        self.fills = 0
        self.round_trips = 0

    def add(self, fill: Fill) -> None:
        """Count one fill; that it was not counted before is the caller's to know."""
        self.realized += fill.closed_pnl
        self.fees += fill.fee
        self.fills += 1

    @property
    def net(self) -> Decimal:
        """What they come to: realised, less fees, with funding."""
        return self.realized - self.fees + self.funding

    def keep(
        self, since_ms: int, recent: list[tuple[str, int, int]], fundings: list[tuple[str, int]],
        trips: "dict[str, Totals]",
    ) -> "KeptTotals":  # fmt: skip
        """The sums as a value, with the fills and payments that they hold by name, and those of open positions."""
        return KeptTotals(
            realized=self.realized, fees=self.fees, funding=self.funding, fills=self.fills,
            round_trips=self.round_trips, since_ms=since_ms, recent=recent, fundings=fundings,
            trips={coin: (t.realized, t.fees, t.funding) for coin, t in trips.items()},
        )  # fmt: skip

    def restore(self, kept: "KeptTotals") -> None:
        """Go on from an earlier run's sums."""
        self.realized, self.fees, self.funding = kept.realized, kept.fees, kept.funding
        self.fills, self.round_trips = kept.fills, kept.round_trips


class KeptTotals(msgspec.Struct, frozen=True, kw_only=True):
    """Results since this account's state began, as an earlier run kept them.

    With none before: zero, and `since_ms` is when this account's state began. It is kept as a fact of the journal by
    the names of its fields: one that is renamed is lost.
    """

    since_ms: int
    """Fills from here on (exchange time) are in the sums only if they are in `recent`."""
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    fills: int = 0
    round_trips: int = 0
    recent: list[tuple[str, int, int]] = []
    """Identities (coin, time, tid) of the newest fills that are in the sums."""
    fundings: list[tuple[str, int]] = []
    """The newest payments that are in the sum."""
    trips: dict[str, tuple[Decimal, Decimal, Decimal]] = {}
    """Of each position since it was last flat: realised, fees, funding."""


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """How a position that the exchange shows was opened, as far as its fills or an earlier run tell."""

    px: Decimal
    """Mean entry price as the exchange shows it."""
    ms: int
    """Exchange time of the opening fill, else of the adoption."""
    fees: Decimal = ZERO
    """Paid for it so far."""
    realized: Decimal = ZERO
    edge_bps: Decimal = ZERO
    """The entry's edge; 0: not known."""
    admission_px: Decimal = ZERO
    """The price at which an earlier run's limits counted it; 0: not known."""
    foreign: bool = False
    """None of it came from an order of ours."""
    exact: bool = False
    """`read_ms` is the time of the newest fill in it, as an earlier run booked it."""
    read_ms: int | None = None
    """Exchange time as of which the position was read: fills until then are in it, whenever they arrive. None: nobody
    knows, and what is booked already is in it."""


def oldest_first(fills: list[Fill]) -> list[Fill]:
    """Fills in order of time; the exchange's lists are newest first, its increments oldest first.

    The list may be turned round in place: give one of your own. Within a millisecond the exchange's order stays.
    """
    if len(fills) > 1 and fills[0].time_ms > fills[-1].time_ms:
        fills.reverse()  # before the sort, which is stable: fills of one millisecond must be turned round, too
    return sorted(fills, key=lambda f: f.time_ms)
