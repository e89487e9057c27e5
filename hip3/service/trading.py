"""The composition root of trading: every object once, by constructor, complete at birth.

Tests call `build` with fakes in place of clock, sender, REST and journal.
"""

import queue
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec

from hip3.config.reading import MarketSettings
from hip3.core.market import MarketSpec, MarketView
from hip3.core.ports import Clock, Intents, Journal, Sender
from hip3.exchange.clock_offset import ClockOffset
from hip3.exchange.nonce import NonceManager, floor_of
from hip3.execution.entries.budget import ActionBudget
from hip3.execution.entries.executor import CloidSource, Executor
from hip3.execution.exits.exiting import Exiting
from hip3.execution.exits.hard_stop_sequence import HardStopSequence
from hip3.execution.exits.protector import Protector
from hip3.execution.exits.risk_desk import KeptRisk, Past, RiskDesk, Trip, pending
from hip3.execution.flow import TradeFlow
from hip3.execution.sending.address_budget import AddressBudget
from hip3.execution.sending.identity import Identity
from hip3.execution.sending.loop import ExecutorLoop, HttpLane
from hip3.execution.sending.posts import PostRequestManager
from hip3.execution.sending.scheduler import BatchScheduler
from hip3.execution.truth.account import Proof, Rest
from hip3.execution.truth.bootstrap import Beginning, Universe, opening, still_held
from hip3.execution.truth.housekeeping import Housekeeping
from hip3.execution.truth.margin import Margin, MarginSetter, changes
from hip3.execution.truth.markets import KeptCaps, Markets
from hip3.execution.truth.open_orders import OpenOrders
from hip3.execution.truth.readiness import Readiness
from hip3.execution.truth.resolver import Resolver, Signed
from hip3.execution.truth.strangers import Strangers
from hip3.execution.truth.streams import StreamWatch
from hip3.feed.market_state import MarketState
from hip3.ops.intents import Recovered
from hip3.position.exits import ExitDesk, Held
from hip3.position.tracker import PositionTracker
from hip3.position.trips import round_trips
from hip3.risk.drawdown import Drawdown
from hip3.risk.guards import EntryGuards, TripNote
from hip3.risk.hard_stop import HardStopLatch, Reset
from hip3.risk.market_flags import MarketFlags
from hip3.risk.market_gates import MarketGates
from hip3.risk.monitor import FlattenFailed, RiskEvent, RiskMonitor
from hip3.risk.trial import Trial
from hip3.service.params import (
    detector_params,
    drawdown_limits,
    entry_limits,
    exit_params,
    guard_settings,
    market_gate_params,
    risk_limits,
)
from hip3.strategy.detector import Detector

RISK_QUEUE = 10_000


class Trading(msgspec.Struct, frozen=True, kw_only=True):
    """The wired parts."""

    specs: dict[str, MarketSpec]
    blocked: dict[str, str]
    market_state: MarketState
    detector: Detector
    tracker: PositionTracker
    exits: ExitDesk
    scheduler: BatchScheduler
    posts: PostRequestManager
    flow: TradeFlow
    executor: Executor | None
    loop: ExecutorLoop | None
    risk: RiskDesk
    risk_events: "queue.Queue[RiskEvent]"
    housekeeping: Housekeeping
    offset: ClockOffset
    address: AddressBudget
    gates: MarketGates
    guards: EntryGuards
    flags: MarketFlags
    markets: Markets


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
        tracker.set_foreign(report.orders)
    return tracker


def margin_changes(settings: MarketSettings, beginning: Beginning, specs: dict[str, MarketSpec]) -> dict[str, Margin]:
    """Markets whose margin type or leverage is not as wished."""
    return changes(beginning.margins, specs, lambda c: settings.for_market(c).leverage)


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """What trading asks of the process around it. Any thread of its own may call them."""

    http: HttpLane
    """Posts cancels and exits by HTTP, while there is no socket."""
    wake_rest: Callable[[], None]
    known_before: Callable[[str], bool]
    """Whether a run of this journal placed an order."""
    trip: Trip
    """Trips the latch: code, detail, evidence."""
    ask_proof: Callable[[Callable[[Proof], None]], None]
    """Reads on the rest thread what the exchange says is open, and hands it over."""
    reconnect: Callable[[str], None]
    """Drops the connection, so that it is begun anew."""


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """What earlier runs of this account's state left, beside its positions and results."""

    recovered: Recovered | None = None
    risk: KeptRisk | None = None
    trips: list[TripNote] = []
    approved: dict[str, MarketSpec] = {}
    caps: KeptCaps | None = None
    clock: tuple[int, int] | None = None
    """The exchange's time, and ours (monotonic) when it was read."""
    began_ms: int = 0
    """When this account's state began (exchange time)."""


def _past(before: Before, beginning: Beginning | None, latch: HardStopLatch) -> Past:
    """What the risk desk goes on from: what was kept, and what happened while no service ran."""
    fills = [] if beginning is None else [f for f in beginning.fills if f.time_ms >= before.began_ms]
    held = [] if beginning is None else still_held(beginning.report, beginning.held).values()
    return Past(
        kept=before.risk, notes=before.trips, trips=round_trips(fills), reset=latch.state().reset,
        failures=[FlattenFailed(h.coin, h.failures) for h in held if h.failures],
    )  # fmt: skip


def _anew(held: list[Held], reset: Reset | None, before: Before) -> list[Held]:
    """A reset after too many failed exits begins to count them anew."""
    due = pending(reset, before.risk)
    fresh = due is not None and due.code == "flatten_failures"
    return [msgspec.structs.replace(h, failures=0, attempt=0) for h in held] if fresh else held


def build(
    *,
    settings: MarketSettings,
    clock: Clock,
    universe: Universe,
    identity: Identity | None,
    user: str | None,
    beginning: Beginning | None,
    before: Before,
    latch: HardStopLatch,
    readiness: Readiness,
    sender: Sender,
    rest: Rest,
    journal: Journal,
    intents: Intents,
    signed: Signed,
    links: Links,
) -> Trading:
    """Wire everything. Without an identity (observe) there is no executor and no tick."""
    base, specs, blocked = settings.base, universe.specs, dict(universe.blocked)
    market_state, offset = MarketState(specs), ClockOffset(clock)
    if before.clock is not None:  # what is judged now must be judged by the exchange's time
        offset.add(before.clock[0] + clock.mono_ms() - before.clock[1], 0)
    detector = Detector(detector_params(settings, specs))
    tracker = new_tracker(beginning, before.recovered, clock.mono_ms())
    exits = ExitDesk(base.post_timeout_ms + 1000)
    if beginning is not None:
        known = list(still_held(beginning.report, beginning.held).values())
        exits.restore(_anew(known, latch.state().reset, before), clock.mono_ms())
    scheduler, posts, cloids = BatchScheduler(base.max_inflight), PostRequestManager(), CloidSource()
    risk_events: queue.Queue[RiskEvent] = queue.Queue(maxsize=RISK_QUEUE)
    address, strangers, flags = AddressBudget(), Strangers(), MarketFlags()
    guards = EntryGuards({c: guard_settings(settings.for_market(c)) for c in specs}, guard_settings(base))
    gates = MarketGates(
        {c: market_gate_params(settings.for_market(c)) for c in specs}, flags, blocked.get,
        lambda coin, gate, why: journal.record("market_gate", coin=coin, gate=gate, why=why),
    )  # fmt: skip
    streams = StreamWatch(
        clock=clock, readiness=readiness, journal=journal, offset_ms=lambda: offset.offset_ms,
        reconnect=links.reconnect, disconnect_limit_ms=base.disconnect_limit_ms,
    )  # fmt: skip
    markets = Markets(
        clock=clock, rest=rest, specs=specs, dexs=universe.dexs, blocked=blocked, approved=before.approved,
        caps=before.caps, flags=flags, journal=journal,
    )  # fmt: skip
    executor = None
    if identity is not None:
        limits = {coin: entry_limits(settings, coin) for coin in specs}
        executor = Executor(
            clock=clock, specs=specs, limits=limits.__getitem__, blocked=blocked.get, latch=latch,
            other_marks=lambda: housekeeping.marks, readiness=readiness, market_state=market_state,
            tracker=tracker, guards=guards, exchange_ms=offset.exchange_ms, exits=exits,
            budget=ActionBudget(base.orders_per_second), address=address, scheduler=scheduler, posts=posts,
            cloids=cloids,
        )  # fmt: skip
    exiting = Exiting(
        clock=clock, specs=specs, params={c: exit_params(settings, c) for c in specs} if identity else {},
        others=universe.others, other_params=exit_params(settings, ""), other_marks=lambda: housekeeping.marks,
        tracker=tracker, desk=exits, market_state=market_state, scheduler=scheduler, cloids=cloids, journal=journal,
        exchange_ms=offset.exchange_ms, watch_foreign=base.foreign_positions == "watch",
        drop=lambda order, why, now_ms: flow.dispatch(tracker.drop(order.cloid, why), now_ms),
    )  # fmt: skip
    flow = TradeFlow(
        clock=clock, specs=specs, dexs=universe.dexs, market_state=market_state, detector=detector,
        executor=executor, tracker=tracker, exiting=exiting, scheduler=scheduler, posts=posts, readiness=readiness,
        strangers=strangers, market_gates=gates, flags=flags, guards=guards, streams=streams,
        on_storm=lambda: housekeeping.rebuild(),  # noqa: PLW0108 housekeeping is built last
        address=address, risk_events=risk_events, journal=journal, wake_rest=links.wake_rest,
        account_doubt=lambda: housekeeping.doubt(),  # noqa: PLW0108 housekeeping is built last
        on_risk_lost=lambda: links.trip("thread_dead", "the risk queue is full: events are lost", None),
    )  # fmt: skip
    nonces = NonceManager(
        floor_of(
            before.recovered.nonce_floor if before.recovered is not None else 0,
            offset.exchange_ms() if offset.known else None,
            clock.wall_ms(),
        )
    )
    loop, resolver, margin, open_orders, sequence = None, None, None, None, None
    if identity is not None:
        protector = Protector(
            clock=clock, specs=specs, bps=lambda c: settings.for_market(c).protective_stop_bps, tracker=tracker,
            desk=exits, exiting=exiting, market_state=market_state, scheduler=scheduler, cloids=cloids, journal=journal,
        )  # fmt: skip
        loop = ExecutorLoop(
            clock=clock, identity=identity, asset_ids=universe.asset_ids, protector=protector, latch=latch,
            readiness=readiness, scheduler=scheduler, posts=posts, tracker=tracker, flow=flow, sender=sender,
            http=links.http, intents=intents, address=address, nonces=nonces, journal=journal,
            stale=lambda coin, now_ms: gates.stale(market_state.view(coin), now_ms),
            post_timeout_ms=base.post_timeout_ms, expires_after_ms=base.expires_after_ms,
            exchange_ms=offset.exchange_ms,
        )  # fmt: skip
        resolver = Resolver(
            clock=clock, rest=rest, signed=signed, identity=identity, tracker=tracker, flow=flow,
            intents=intents, journal=journal, count_action=address.spend,
        )  # fmt: skip
        wishes = margin_changes(settings, beginning, specs) if beginning is not None else {}
        margin = MarginSetter(
            clock=clock, signed=signed, identity=identity, specs=specs, wishes=wishes, blocked=blocked, nonces=nonces,
            intents=intents, journal=journal, count_action=address.spend,
        )  # fmt: skip
        open_orders = OpenOrders(
            clock=clock, rest=rest, user=identity.account, tracker=tracker, flow=flow, scheduler=scheduler,
            readiness=readiness, journal=journal, strangers=strangers, known_before=links.known_before,
            markets=frozenset(universe.asset_ids), started_ms=beginning.report.at_ms if beginning else clock.wall_ms(),
            cancel_all=base.start_policy == "cancel_all",
        )  # fmt: skip
        sequence = HardStopSequence(
            clock=clock, latch=latch, scheduler=scheduler, tracker=tracker, flow=flow, journal=journal,
            flatten=base.hard_stop_flatten, ask_proof=links.ask_proof,
        )  # fmt: skip
    housekeeping = Housekeeping(
        clock=clock, rest=rest, user=user if identity is not None else None, dexs=universe.dexs, tracker=tracker,
        flow=flow, market_state=market_state, readiness=readiness, journal=journal, offset=offset, resolver=resolver,
        address=address, margin=margin, strangers=strangers, open_orders=open_orders, streams=streams, markets=markets,
        abstraction=beginning.abstraction if beginning is not None else "unknown",
    )  # fmt: skip
    kept = before.risk or KeptRisk()
    risk = RiskDesk(
        clock=clock, exchange_ms=offset.exchange_ms, events=risk_events,
        monitor=RiskMonitor(risk_limits(settings), kept.counters),
        drawdown=Drawdown(drawdown_limits(settings), kept.day),
        trial=Trial(kept.trial) if base.profile == "micro" else None, guards=guards, tracker=tracker,
        mark=lambda coin: _mark(market_state.view(coin)) or housekeeping.marks.get(coin),
        equity=lambda: housekeeping.equity, readiness=readiness, journal=journal, sequence=sequence,
        streams=streams, trip=links.trip,
    )  # fmt: skip
    if identity is not None:
        risk.begin(_past(before, beginning, latch))
    return Trading(
        specs=specs, blocked=blocked, market_state=market_state, detector=detector, tracker=tracker, exits=exits,
        scheduler=scheduler, posts=posts, flow=flow, executor=executor, loop=loop, risk=risk,
        risk_events=risk_events, housekeeping=housekeeping, offset=offset, address=address, gates=gates,
        guards=guards, flags=flags, markets=markets,
    )  # fmt: skip


def _mark(view: MarketView | None) -> Decimal | None:
    return None if view is None else view.mark


def latch_path(folder: Path) -> Path:
    """Where the latch of an account's state is."""
    return folder / "latch.json"
