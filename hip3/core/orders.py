"""Orders and cancels before they are sent, and the batches they travel in.

Pure. Prices are USD for one unit of the asset, sizes units of the asset. All are immutable: an order that is cut or
put back is another value with the same cloid, and the cloid is what identifies it.
"""

import enum
from decimal import Decimal

import msgspec

from hip3.core.money import ZERO


class Side(enum.Enum):
    """Direction of an order. The exchange calls them B (bid) and A (ask)."""

    BUY = "B"
    SELL = "A"

    __hash__ = object.__hash__
    """Sides are parts of keys on hot paths, and an Enum's own is a call in Python."""

    def __init__(self, code: str) -> None:
        # Attributes, not properties: they are asked for on hot paths.
        self.is_buy = code == "B"
        """Whether it buys."""
        self.sign = 1 if self.is_buy else -1
        """+1 for a buy, -1 for a sell: what a fill does to a signed position."""

    @property
    def opposite(self) -> "Side":
        """The other one."""
        return Side.SELL if self is Side.BUY else Side.BUY


SIDES = tuple(Side)
"""To go through both: the class itself asks in Python for each."""


class Tif(enum.Enum):
    """Time in force, in the exchange's words."""

    IOC = "Ioc"
    """Entries and exits. What does not execute at once goes without a word (docs/venue-facts.md F12)."""
    ALO = "Alo"
    """Post only."""
    GTC = "Gtc"
    """Protective stops."""


class ExitReason(enum.Enum):
    """Why a position is being closed. The first one to be claimed stands until the position is gone."""

    TIME_STOP = "time_stop"
    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"
    TRAILING_STOP = "trailing_stop"
    ORACLE_EXIT = "oracle_exit"
    MARK_REGRESSION = "mark_regression"
    HARD_STOP = "hard_stop"
    MANUAL = "manual"
    """An operator's flatten."""
    STOP = "stop"
    """The service ends and was asked to leave nothing open."""
    COMPLETION = "completion"
    """Inventory of quotes is taken to the other side of the book, in part and at a bounded price; any other takes its
    place."""


RUN_TAG = "68697033"
"""The first eight digits of every cloid of ours: "hip3"."""


def is_ours(cloid: str | None) -> bool:
    """Whether a cloid carries our tag, of this run or another."""
    return cloid is not None and cloid.startswith(f"0x{RUN_TAG}")


def run_of(cloid: str) -> str:
    """The part of a cloid of ours that all orders of one run share: `0x`, the tag and 12 hex digits."""
    return cloid[:22]


class PendingOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One order we decided to send. The cloid is made once and never changes.

    It is what the intent log writes, so it must hold all that a restart needs of an order without an outcome.
    """

    cloid: str
    """`0x` and 32 hex digits, ours by its tag."""
    coin: str
    side: Side
    px: Decimal
    """Limit price, already legal for the market (docs/venue-facts.md F1)."""
    sz: Decimal
    """Size in base units, positive, already on the lot."""
    reduce_only: bool
    created_ms: int
    """Wall time of the decision."""
    tif: Tif = Tif.IOC
    epoch: int = 0
    """Connection generation that approved it; entries of an older one die. Exits are of none: 0."""
    admission_px: Decimal = ZERO
    """The price at which its exposure is counted: max(limit, mark) at admission. Reduce-only orders: 0."""
    touch_px: Decimal = ZERO
    """The touch when it was decided; slippage is measured from here. 0: not measured (protective stops)."""
    edge_bps: Decimal = ZERO
    """Entries: the signal's edge."""
    exit_reason: ExitReason | None = None
    """Exits only; None also for protective stops."""
    attempt: int = 0
    """Exits: which attempt for this position, from 1."""
    predecessor: str | None = None
    """Exits: the cloid of the attempt before."""
    decided_us: int = 0
    """Monotonic microseconds of the decision, for latency figures only."""
    tries: int = 0
    """How often it went back to the front of its queue without having been sent."""
    trigger_px: Decimal | None = None
    """Protective stops: the mark at which it fires; None for all other orders."""
    level: int | None = None
    """Quotes: their rung of the ladder, 0 nearest to the market; None for all other orders. Market, side and level are
    a quote's key: of one key no two orders may ever be alive."""
    replaces: int | None = None
    """Quotes: the exchange's id of the resting quote of its key that it takes the place of, in one step; None: it is
    placed for itself."""

    @property
    def protective(self) -> bool:
        """A stop that stands on the exchange."""
        return self.trigger_px is not None

    @property
    def exposure(self) -> Decimal:
        """What an entry counts for while it is not proven dead, in USD."""
        return self.sz * self.admission_px


class PendingCancel(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to cancel one order, by the exchange's order id.

    Cancels do no harm twice: one for an order that is over is refused and changes nothing.
    """

    coin: str
    oid: int
    created_ms: int
    """Wall time of the wish."""
    tries: int = 0
    """How often it came back: not sent, or sent and never answered."""
    limit: bool = False
    """Its order is known to be a plain limit, no trigger: then it keeps its priority (docs/venue-facts.md F36)."""
    alone: bool = False
    """It shares no action: one that it was in was refused as a whole, and nobody knows for which of them."""


class OrderBatch(msgspec.Struct, frozen=True):
    """Orders of one kind for one action: all reduce-only, or all entries, or quotes of one market, placed or moved.
    Never empty.

    Kinds do not share an action because one error before validation answers for all of it (docs/venue-facts.md F11).
    Protective stops go without exits, too: their grouping differs.
    """

    orders: tuple[PendingOrder, ...]

    @property
    def reduce_only(self) -> bool:
        """Whether it takes no new risk; the first order speaks for all."""
        return self.orders[0].reduce_only

    @property
    def quotes(self) -> bool:
        """Whether these are quotes of one market."""
        return self.orders[0].level is not None

    @property
    def moves(self) -> bool:
        """Whether these quotes take the place of resting ones: all of them do, or none."""
        return self.orders[0].replaces is not None


class CancelBatch(msgspec.Struct, frozen=True):
    """Cancels for one action, all of limits or none. Never empty."""

    cancels: tuple[PendingCancel, ...]


ActionBatch = OrderBatch | CancelBatch
"""What one nonce and one signature are spent on."""


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """One signed action on its way, by the socket or by HTTP."""

    post_id: int
    """Counted from 1 in this process; pairs the reply."""
    batch: ActionBatch
    nonce: int
    generation: int
    """The connection it belongs to, and dies with; by HTTP a number that no connection reaches."""
    sent_ms: int
    """Monotonic milliseconds."""
    sent_us: int
    """Monotonic microseconds, for latency figures only."""
