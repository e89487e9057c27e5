"""The composition root of trading: every object once, by constructor, complete at birth.

Tests call `build` with fakes in place of clock, sender, REST and journal.
"""

import queue
from collections.abc import Callable
from pathlib import Path

import msgspec

from hip3.config import MarketSettings
from hip3.core.market import MarketSpec
from hip3.core.money import ZERO
from hip3.core.ports import Clock, Intents, Journal, Sender
from hip3.exchange.clock_offset import ClockOffset
from hip3.exchange.nonce import NonceManager
from hip3.exchange.registry import sum_fee_bps
from hip3.execution.account import Rest
from hip3.execution.address_budget import AddressBudget
from hip3.execution.bootstrap import Beginning, Universe, opening, still_held
from hip3.execution.budget import ActionBudget
from hip3.execution.executor import CloidSource, EntryLimits, Executor
from hip3.execution.exiting import Exiting
from hip3.execution.flow import TradeFlow
from hip3.execution.housekeeping import Housekeeping
from hip3.execution.identity import Identity
from hip3.execution.loop import ExecutorLoop, HttpLane
from hip3.execution.margin import Margin, MarginSetter, changes
from hip3.execution.open_orders import OpenOrders
from hip3.execution.posts import PostRequestManager
from hip3.execution.protector import Protector
from hip3.execution.readiness import Readiness
from hip3.execution.resolver import Resolver, Signed
from hip3.execution.scheduler import BatchScheduler
from hip3.execution.strangers import Strangers
from hip3.feed.market_state import MarketState
from hip3.ops.intents import Recovered
from hip3.position.exit_rules import ExitParams
from hip3.position.exits import ExitDesk
from hip3.position.tracker import PositionTracker
from hip3.risk.hard_stop import HardStopLatch
from hip3.risk.monitor import RiskEvent, RiskLimits, RiskMonitor
from hip3.strategy.detector import Detector, DetectorParams

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
    monitor: RiskMonitor
    risk_events: "queue.Queue[RiskEvent]"
    housekeeping: Housekeeping
    offset: ClockOffset
    address: AddressBudget


def detector_params(settings: MarketSettings, specs: dict[str, MarketSpec]) -> dict[str, DetectorParams]:
    """Detector settings of every market."""
    out = {}
    for coin, spec in specs.items():
        s = settings.for_market(coin)
        out[coin] = Detector.params_for(
            spec, sum_fee_bps(s.taker_fee_bps, spec), slippage_bps=s.slippage_bps, min_edge_bps=s.min_edge_bps,
            min_oracle_change_bps=s.min_oracle_change_bps, min_oracle_moves=s.min_oracle_moves,
            oracle_move_bps=s.oracle_move_bps, sizing_alpha=s.sizing_alpha,
            min_book_notional=s.min_book_notional, normal_book_notional=s.normal_book_notional,
            max_notional_per_market=s.max_notional_per_market,
        )  # fmt: skip
    return out


def exit_params(settings: MarketSettings, coin: str) -> ExitParams:
    """Exit settings of one market."""
    s = settings.for_market(coin)
    return ExitParams(
        time_stop_ms=s.time_stop_ms, regression_bps=s.mark_regression_bps, min_holding_ms=s.min_holding_ms,
        slippage_bps=s.exit_slippage_bps, step_bps=s.exit_step_bps, max_slippage_bps=s.exit_max_slippage_bps,
        quick_profit_bps=s.quick_profit_bps, quick_profit_min_holding_ms=s.quick_profit_min_holding_ms,
        evaporation=s.edge_evaporation, evaporation_bps=s.edge_evaporation_bps,
        evaporation_min_holding_ms=s.edge_evaporation_min_holding_ms, min_loss_bps=s.min_loss_exit_bps,
        edge_scale=s.entry_edge_scale_factor if s.entry_edge_scaling else ZERO,
        decay_start_ms=s.time_decay_start_ms if s.time_decay else 0, decay_min=s.time_decay_min_factor,
        take_profit_bps=s.take_profit_bps, stop_loss_bps=s.stop_loss_bps,
        trailing_activation_bps=s.trailing_activation_bps, trailing_distance_bps=s.trailing_distance_bps,
        oracle_exit=s.oracle_exit, oracle_against=s.oracle_exit_against_moves, oracle_with=s.oracle_exit_with_moves,
        oracle_min_holding_ms=s.oracle_exit_min_holding_ms, oracle_move_bps=s.oracle_move_bps,
    )  # fmt: skip


def entry_limits(settings: MarketSettings, coin: str) -> EntryLimits:
    """Entry limits of one market and of the account."""
    s = settings.for_market(coin)
    return EntryLimits(
        max_per_market=s.max_notional_per_market, max_total=s.max_notional_total,
        max_positions=s.max_concurrent_positions, slippage_bps=s.entry_slippage_bps,
    )  # fmt: skip


def risk_limits(settings: MarketSettings) -> RiskLimits:
    """Thresholds of the RiskMonitor."""
    s = settings.base
    return RiskLimits(
        max_loss_usd=s.hard_stop_max_loss_usd, max_consecutive_losses=s.hard_stop_max_consecutive_losses,
        max_flatten_failures=s.hard_stop_max_flatten_failures,
        max_rejects_per_hour=s.hard_stop_max_rejects_per_hour,
        max_slippage_bps=s.hard_stop_max_slippage_bps, slippage_streak=s.hard_stop_slippage_streak,
    )  # fmt: skip


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


def build(
    *,
    settings: MarketSettings,
    clock: Clock,
    universe: Universe,
    identity: Identity | None,
    user: str | None,
    beginning: Beginning | None,
    latch: HardStopLatch,
    readiness: Readiness,
    sender: Sender,
    rest: Rest,
    journal: Journal,
    intents: Intents,
    recovered: Recovered | None,
    signed: Signed,
    http: HttpLane,
    wake_rest: Callable[[], None],
    known_before: Callable[[str], bool],
    on_risk_lost: Callable[[], None],
) -> Trading:
    """Wire everything. Without an identity (observe) there is no executor and no tick."""
    base, specs, blocked = settings.base, universe.specs, dict(universe.blocked)
    market_state = MarketState(specs)
    detector = Detector(detector_params(settings, specs))
    tracker, offset = new_tracker(beginning, recovered, clock.mono_ms()), ClockOffset(clock)
    exits = ExitDesk(base.post_timeout_ms + 1000)
    if beginning is not None:
        exits.restore(list(still_held(beginning.report, beginning.held).values()), clock.mono_ms())
    scheduler, posts, cloids = BatchScheduler(base.max_inflight), PostRequestManager(), CloidSource()
    risk_events: queue.Queue[RiskEvent] = queue.Queue(maxsize=RISK_QUEUE)
    address, strangers = AddressBudget(), Strangers()
    limits = {coin: entry_limits(settings, coin) for coin in specs}
    executor = None
    if identity is not None:
        executor = Executor(
            clock=clock, specs=specs, limits=limits.__getitem__, blocked=blocked.get, latch=latch,
            other_marks=lambda: housekeeping.marks, readiness=readiness, market_state=market_state,
            tracker=tracker, exits=exits, budget=ActionBudget(base.orders_per_second),
            address=address, scheduler=scheduler, posts=posts,
            cloids=cloids,
        )  # fmt: skip
    exiting = Exiting(
        clock=clock, specs=specs, params={c: exit_params(settings, c) for c in specs} if identity else {},
        tracker=tracker, desk=exits, market_state=market_state, scheduler=scheduler, cloids=cloids, journal=journal,
        exchange_ms=offset.exchange_ms, watch_foreign=base.foreign_positions == "watch",
        drop=lambda order, why, now_ms: flow.dispatch(tracker.drop(order.cloid, why), now_ms),
    )  # fmt: skip
    flow = TradeFlow(
        clock=clock, specs=specs, dexs=universe.dexs, market_state=market_state, detector=detector,
        executor=executor, tracker=tracker, exiting=exiting,
        scheduler=scheduler, posts=posts, readiness=readiness, strangers=strangers,
        on_storm=lambda: housekeeping.rebuild(),  # noqa: PLW0108 housekeeping is built last
        address=address, risk_events=risk_events, journal=journal, wake_rest=wake_rest,
        account_doubt=lambda: housekeeping.doubt(),  # noqa: PLW0108 housekeeping is built last
        on_risk_lost=on_risk_lost,
    )  # fmt: skip
    loop, resolver, margin, open_orders = None, None, None, None
    nonces = NonceManager(recovered.nonce_floor if recovered is not None else 0)
    if identity is not None:
        protector = Protector(
            clock=clock, specs=specs, bps=lambda c: settings.for_market(c).protective_stop_bps, tracker=tracker,
            desk=exits, exiting=exiting, market_state=market_state, scheduler=scheduler, cloids=cloids, journal=journal,
        )  # fmt: skip
        loop = ExecutorLoop(
            clock=clock, identity=identity, asset_ids=universe.asset_ids, protector=protector, latch=latch,
            readiness=readiness, scheduler=scheduler, posts=posts, tracker=tracker, flow=flow, sender=sender,
            http=http, intents=intents, address=address, nonces=nonces, journal=journal,
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
            readiness=readiness, journal=journal, strangers=strangers, known_before=known_before,
            markets=frozenset(universe.asset_ids), started_ms=beginning.report.at_ms if beginning else clock.wall_ms(),
            cancel_all=base.start_policy == "cancel_all",
        )  # fmt: skip
    housekeeping = Housekeeping(
        clock=clock, rest=rest, user=user if identity is not None else None, dexs=universe.dexs, tracker=tracker,
        flow=flow, market_state=market_state, readiness=readiness, journal=journal, offset=offset, resolver=resolver,
        address=address, margin=margin, specs=specs, blocked=blocked,
        abstraction=beginning.abstraction if beginning is not None else "unknown", strangers=strangers,
        open_orders=open_orders,
    )  # fmt: skip
    return Trading(
        specs=specs, blocked=blocked, market_state=market_state, detector=detector, tracker=tracker, exits=exits,
        scheduler=scheduler, posts=posts, flow=flow, executor=executor, loop=loop,
        monitor=RiskMonitor(risk_limits(settings)), risk_events=risk_events, housekeeping=housekeeping,
        offset=offset, address=address,
    )  # fmt: skip


def latch_path(folder: Path) -> Path:
    """Where the latch of an account's state is."""
    return folder / "latch.json"
