"""An episode and what is looked at after it: values for the journal. Pure.

One episode for each market, side and oracle price: however often a gap is seen again, it is one. Prices are USD for one
unit, sizes units, edges and markouts basis points, ages and lags milliseconds. None: not known, or not seen.
"""

import enum
from decimal import Decimal

import msgspec

from hip3.core.market import Level, MarketView
from hip3.core.orders import Side


class Why(enum.Enum):
    """Why a gap was no signal; of several the first."""

    EDGE = "edge"
    """Less than it costs: at least half of it."""
    ORACLE = "oracle"
    """The oracle had not moved towards it: the book stands away by itself."""
    GATE = "gate"
    """A market-health gate blocked; all else was there."""
    SIZE = "size"
    """No size was left: the touch too thin, or the limit below the smallest order."""


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """A signal, or a gap that came near to one (`why`), with all that was known then."""

    id: int
    """Counted from 1 in each run, over all markets."""
    signal_id: int | None
    """None: no signal, and `why` says why."""
    why: Why | None
    coin: str
    side: Side
    """The side that would be taken."""
    at_ms: int
    """Wall time at which the frame was received that made it."""
    exchange_ms: int
    """The exchange's time of the book."""
    bbo_lag_ms: int | None
    """How long the book was under way; None while the exchange's time is not known. A context has no time."""
    bbo_age_ms: int
    ctx_age_ms: int
    bid: Level
    ask: Level
    oracle: Decimal
    oracle_step_bps: str
    """The last change, signed."""
    oracle_run: int
    """Steps in a row, signed."""
    moved: bool
    """Whether they were enough, and towards this side."""
    mark: Decimal | None
    edge_bps: str
    cost_bps: str
    fee_bps: str
    """One taker leg."""
    size: Decimal | None
    """Suggested; None where there was no signal."""
    gate: str | None
    """The market-health gate that blocked."""
    baseline_bps: str | None
    """Median of middle against oracle over the last ten minutes, of the oracle; None before there is enough."""

    @property
    def touch(self) -> Level:
        """What would be taken."""
        return self.ask if self.side.is_buy else self.bid


class After(msgspec.Struct, frozen=True, kw_only=True):
    """One look after an episode. Markouts are never mixed; see `hip3.observe.markouts`."""

    s: str
    """Seconds after it: `late` (when an order would be executed), 1, 3, 5, 10, 30."""
    missing: str | None = None
    """Why nothing can be said; then all else is None."""
    after_ms: int | None = None
    """When the look was in truth."""
    bid: Level | None = None
    ask: Level | None = None
    oracle: Decimal | None = None
    edge_bps: str | None = None
    """What is left of it."""
    takable: Decimal | None = None
    """Size at the touch of then within the limit; 0: none."""
    mid_bps: str | None = None
    touch_bps: str | None = None
    net_bps: str | None = None
    late_bps: str | None = None


def usable(view: MarketView, generation: int) -> bool:
    """Whether touch and oracle are of this connection and both sides stand: else there is no price to speak of."""
    return (
        view.generation == generation
        and view.bbo_at_ms is not None
        and view.ctx_at_ms is not None
        and view.two_sided
        and bool(view.oracle)
    )
