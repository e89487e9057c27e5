"""What earlier runs of an account's state left, and what a start makes of it."""

from collections.abc import Collection
from pathlib import Path

import msgspec

from hip3.config.reading import MarketSettings
from hip3.core.market import MarketSpec
from hip3.execution.exits.risk_desk import KeptRisk, Past, pending
from hip3.execution.truth.bootstrap import Beginning, opening, still_held
from hip3.execution.truth.margin import Margin, MarginRead, changes
from hip3.execution.truth.markets import KeptCaps
from hip3.ops.intents import IntentLog, Recovered
from hip3.ops.journal import EventLog
from hip3.position.held import Held
from hip3.position.tracker import PositionTracker
from hip3.position.trips import round_trips
from hip3.risk.guards import TripNote
from hip3.risk.hard_stop import HardStopLatch, Reset
from hip3.risk.monitor import FlattenFailed


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """What earlier runs of this account's state left, beside its positions and results."""

    recovered: Recovered | None = None
    risk: KeptRisk | None = None
    trips: list[TripNote] = []
    approved: dict[str, MarketSpec] = {}
    caps: KeptCaps | None = None
    mode: str | None = None
    """The account's mode that the figures are of."""
    margins: dict[str, MarginRead] = {}
    """How markets are margined, and when that was read or set."""
    clock: tuple[int, int] | None = None
    """The exchange's time, and ours (monotonic) when it was read."""
    late_ms: int | None = None
    """In the middle, from the signing of this account's orders to their execution; None: nobody knows, or asks."""
    began_ms: int = 0
    """When this account's state began (exchange time)."""


def new_tracker(beginning: Beginning | None, recovered: Recovered | None, now_ms: int) -> PositionTracker:
    """The books as the exchange has them at the start, and the orders of an earlier run without an end."""
    tracker = PositionTracker()
    if recovered is not None:
        for order, nonce, expires in recovered.open:
            tracker.restore(order, nonce=nonce, expires_ms=expires, mono_ms=now_ms)
    if beginning is not None:
        report = beginning.report
        known = max((f.time_ms for f in report.fills), default=0)
        tracker.seed_fills(beginning.fills, known, beginning.totals)
        held = still_held(report, beginning.held)
        for coin, (szi, _) in report.positions.items():
            if szi:
                tracker.adopt(coin, szi, opening(report, coin, held.get(coin)))
        tracker.all_adopted()
    return tracker


def margin_changes(
    settings: MarketSettings, margins: dict[str, Margin], specs: dict[str, MarketSpec]
) -> dict[str, Margin]:
    """Markets whose margin type or leverage is not as wished."""
    of = settings.for_market
    return changes(margins, specs, lambda c: of(c).leverage, lambda c: of(c).margin == "isolated")


def past(before: Before, beginning: Beginning | None, latch: HardStopLatch, quoted: Collection[str]) -> Past:
    """What the risk desk goes on from: what was kept, and what happened while no service ran. `quoted`: markets."""
    fills = [] if beginning is None else [f for f in beginning.fills if f.time_ms >= before.began_ms]
    held = [] if beginning is None else still_held(beginning.report, beginning.held).values()
    return Past(
        kept=before.risk, notes=before.trips, reset=latch.state().reset,
        trips=[msgspec.structs.replace(t, quoted=t.coin in quoted) for t in round_trips(fills)],
        failures=[FlattenFailed(h.coin, h.failures) for h in held if h.failures],
    )  # fmt: skip


def anew(held: list[Held], reset: Reset | None, before: Before) -> list[Held]:
    """A reset after too many failed exits begins to count them anew."""
    due = pending(reset, before.risk)
    fresh = due is not None and due.code == "flatten_failures"
    return [msgspec.structs.replace(h, failures=0, attempt=0) for h in held] if fresh else held


def latch_path(folder: Path) -> Path:
    """Where the latch of an account's state is."""
    return folder / "latch.json"


def left_by(journal: EventLog, intents: IntentLog | None, *, others: bool) -> list[str]:
    """The markets in which an earlier run left a position, one of `others` as well, or an order without an end."""
    orders = [] if intents is None else [order.coin for order, _, _ in intents.recovered.open]
    held = journal.fact("held", list[Held]) or []
    return [h.coin for h in held if h.szi and (others or not h.foreign)] + orders
