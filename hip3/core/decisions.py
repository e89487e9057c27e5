"""What the strategy wants and what the gates answer. Refusals are values.

Pure. Prices are USD for one unit of the asset, sizes units of the asset, edges and costs basis points.
"""

import enum
from decimal import Decimal

import msgspec

from hip3.core.money import ONE
from hip3.core.orders import Side


class DislocationSignal(msgspec.Struct, frozen=True, kw_only=True):
    """A quote that lags its oracle by more than trading it costs. Made by the detector, on the ws-reader."""

    signal_id: int
    """Counted from 1 in each run, over all markets."""
    coin: str
    side: Side
    """The side we would take: a buy lifts an ask that is too low."""
    touch_px: Decimal
    touch_sz: Decimal
    """What is displayed there; another taker may be first."""
    oracle: Decimal
    raw_edge_bps: Decimal
    """From the touch to the oracle, of the oracle; no cost is taken off. At least `cost_bps`."""
    cost_bps: Decimal
    """Two taker legs, the expected slippage and the edge to keep."""
    size: Decimal
    """Suggested size, on the lot."""
    at_ms: int
    """Wall time of emission."""
    at_us: int = 0
    """Monotonic microseconds of emission."""


class Standing(msgspec.Struct, frozen=True):
    """What the market-health gates say of a market now."""

    blocked: str | None = None
    """The gate that blocks; None while none does."""
    factor: Decimal = ONE
    """What a size is multiplied by."""
    why: str = ""
    """A sentence for people; empty when all is well."""


CLEAR = Standing()
"""Nothing blocks, and sizes are whole."""


class RejectReason(enum.Enum):
    """A limit says no. The values are names of the interface: journal, status and metrics show them."""

    HARD_STOP = "HardStop"
    MAX_DRAWDOWN = "MaxDrawdown"
    CORRELATION_COOLDOWN = "CorrelationCooldown"
    BURST_SIGNAL = "BurstSignal"
    TILT_GUARD = "TiltGuard"
    RE_ENTRY_DELAY = "ReEntryDelay"
    MARKET_HEALTH = "MarketHealth"
    """The entry guard on a market's own results, not the market-health gates."""
    NOT_READY = "NotReady"
    """REDUCING as well: exits need no READY, entries always do."""
    MAX_POSITION_PER_MARKET = "MaxPositionPerMarket"
    MAX_POSITION_TOTAL = "MaxPositionTotal"
    MAX_CONCURRENT_POSITIONS = "MaxConcurrentPositions"
    CORRELATION_POSITION_LIMIT = "CorrelationPositionLimit"
    """Gate 5 where it weighs occupied markets instead of counting them."""
    MARKET_DATA_UNAVAILABLE = "MarketDataUnavailable"
    """A gate lacks its input, or the market is blocked: unknown never means yes."""
    BELOW_MINIMUM = "BelowMinimum"
    """No gate answers it: a size that a limit left too small is refused in that limit's name."""
    QUEUE_FULL = "QueueFull"
    INFLIGHT_FULL = "InflightFull"


class SkipReason(enum.Enum):
    """There is nothing to do. Names of the interface, like those of `RejectReason`."""

    FLATTEN_IN_PROGRESS = "FlattenInProgress"
    ALREADY_HAS_POSITION = "AlreadyHasPosition"
    PENDING_ORDER_EXISTS = "PendingOrderExists"
    BUDGET_EXHAUSTED = "BudgetExhausted"
    QUOTED = "Quoted"
    """The market is quoted, not taken."""


Numbers = tuple[tuple[str, str], ...]
"""The figures that decided, as (name, value) pairs; for the journal and for people."""


class Rejected(msgspec.Struct, frozen=True):
    """A gate refused the signal. Nothing of it is in the books."""

    reason: RejectReason
    gate: str
    """The gate's name as in docs/architecture.md; "enqueue" where the queue said no after them all."""
    numbers: Numbers = ()


class Skipped(msgspec.Struct, frozen=True):
    """A gate found nothing to do. Nothing of the signal is in the books."""

    reason: SkipReason
    gate: str
    numbers: Numbers = ()


class Queued(msgspec.Struct, frozen=True):
    """The order waits for the next tick. It may still be dropped before it is sent."""

    cloid: str
    numbers: Numbers = ()


class QueuedDegraded(msgspec.Struct, frozen=True):
    """The order waits, but posts in flight are above the high watermark, so it may wait long."""

    cloid: str
    numbers: Numbers = ()


Verdict = Rejected | Skipped | Queued | QueuedDegraded
"""The executor's answer to one signal."""


class Enqueued(enum.Enum):
    """The scheduler's answer; it never says QUEUED of something it dropped."""

    QUEUED = "Queued"
    DEGRADED = "QueuedDegraded"
    """Queued, with this one at or above the high watermark."""
    QUEUE_FULL = "QueueFull"
    INFLIGHT_FULL = "InflightFull"
    """Entries only: the rest of the slots in flight is kept for cancels and exits."""
    DUPLICATE = "Duplicate"
    """The same wish waits already: an exit of this market, or a cancel of this order."""
