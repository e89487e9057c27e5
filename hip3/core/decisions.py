"""What the strategy wants and what the gates answer. Refusals are values."""

import enum
from decimal import Decimal

import msgspec

from hip3.core.money import ONE
from hip3.core.orders import Side


class DislocationSignal(msgspec.Struct, frozen=True, kw_only=True):
    """A quote that lags its oracle by more than trading it costs."""

    signal_id: int
    coin: str
    side: Side
    touch_px: Decimal
    touch_sz: Decimal
    oracle: Decimal
    raw_edge_bps: Decimal
    cost_bps: Decimal
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


CLEAR = Standing()


class RejectReason(enum.Enum):
    """A limit says no."""

    HARD_STOP = "HardStop"
    MAX_DRAWDOWN = "MaxDrawdown"
    CORRELATION_COOLDOWN = "CorrelationCooldown"
    BURST_SIGNAL = "BurstSignal"
    TILT_GUARD = "TiltGuard"
    RE_ENTRY_DELAY = "ReEntryDelay"
    MARKET_HEALTH = "MarketHealth"
    NOT_READY = "NotReady"
    MAX_POSITION_PER_MARKET = "MaxPositionPerMarket"
    MAX_POSITION_TOTAL = "MaxPositionTotal"
    MAX_CONCURRENT_POSITIONS = "MaxConcurrentPositions"
    CORRELATION_POSITION_LIMIT = "CorrelationPositionLimit"
    MARKET_DATA_UNAVAILABLE = "MarketDataUnavailable"
    BELOW_MINIMUM = "BelowMinimum"
    QUEUE_FULL = "QueueFull"
    INFLIGHT_FULL = "InflightFull"


class SkipReason(enum.Enum):
    """There is nothing to do."""

    FLATTEN_IN_PROGRESS = "FlattenInProgress"
    ALREADY_HAS_POSITION = "AlreadyHasPosition"
    PENDING_ORDER_EXISTS = "PendingOrderExists"
    BUDGET_EXHAUSTED = "BudgetExhausted"


Numbers = tuple[tuple[str, str], ...]
"""The figures that decided, as (name, value) pairs; for the journal and for people."""


class Rejected(msgspec.Struct, frozen=True):
    """A gate refused the signal."""

    reason: RejectReason
    gate: str
    numbers: Numbers = ()


class Skipped(msgspec.Struct, frozen=True):
    """A gate found nothing to do."""

    reason: SkipReason
    gate: str
    numbers: Numbers = ()


class Queued(msgspec.Struct, frozen=True):
    """The order waits for the next tick."""

    cloid: str
    numbers: Numbers = ()


class QueuedDegraded(msgspec.Struct, frozen=True):
    """The order waits, but posts in flight are above the high watermark, so it may wait long."""

    cloid: str
    numbers: Numbers = ()


Verdict = Rejected | Skipped | Queued | QueuedDegraded


class Enqueued(enum.Enum):
    """The scheduler's answer; it never says QUEUED of something it dropped."""

    QUEUED = "Queued"
    DEGRADED = "QueuedDegraded"
    QUEUE_FULL = "QueueFull"
    INFLIGHT_FULL = "InflightFull"
    DUPLICATE = "Duplicate"
