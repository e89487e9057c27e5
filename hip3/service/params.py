"""From the settings to what each part is given: one function per part, one place per name."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

from hip3.config.reading import MarketSettings
from hip3.config.settings import Settings
from hip3.core.ledger import PositionView
from hip3.core.market import MarketSpec
from hip3.core.money import ZERO, shift_bps
from hip3.core.windows import parse_sessions, parse_windows
from hip3.exchange.registry import sum_fee_bps
from hip3.execution.account_view import AccountView
from hip3.execution.entries.executor import EntryLimits
from hip3.execution.quotes.params import QuoteParams
from hip3.execution.truth.margin import Margin
from hip3.position.exit_rules import ExitParams
from hip3.position.protection import liquidation_bps
from hip3.risk.drawdown import DrawdownLimits
from hip3.risk.guards import GuardSettings
from hip3.risk.market_track import MarketGateParams
from hip3.risk.monitor import RiskLimits
from hip3.strategy.completing import CompletionParams
from hip3.strategy.detector import Detector, DetectorParams
from hip3.strategy.ladder import LadderParams

NEVER_MS, NEVER_BPS = 1 << 60, Decimal(-1_000_000)
"""An age and a distance that nothing reaches."""


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
            max_notional_per_market=s.max_notional_per_market, order_notional=s.order_notional,
        )  # fmt: skip
    return out


def liquidation_of(
    settings: MarketSettings,
    margins: dict[str, Margin],
    specs: dict[str, MarketSpec],
    view: AccountView,
) -> Callable[[PositionView], Decimal | None]:
    """At which price the exchange closes a position: by the last reading of it, before one by its market's margin; None
    where nobody knows, or where it is cross and the account backs it."""

    def px(position: PositionView) -> Decimal | None:
        known = view.liquidation_px(position)
        if known is not None or view.cross(position):
            return known
        room = isolated_room(settings, position.coin, margins, specs.get(position.coin))
        if room is None:
            return None
        return shift_bps(position.entry_px, -room.long_bps if position.szi > 0 else room.short_bps)

    return px


class Room(NamedTuple):
    """How far from its entry, in bps, the exchange closes a position by its own margin, and at which leverage."""

    long_bps: Decimal
    short_bps: Decimal
    leverage: int


def isolated_room(
    settings: MarketSettings, coin: str, margins: Mapping[str, Margin], spec: MarketSpec | None
) -> Room | None:
    """The room of a position that is opened now, by its market's margin and what the settings make of that before the
    first entry; None where the whole account backs it, or nobody knows."""
    margin, s = margins.get(coin), settings.for_market(coin)
    if margin is None or spec is None or spec.max_leverage is None:
        return None
    if not (margin.isolated or spec.isolated_only or s.margin == "isolated"):
        return None
    leverage, most = s.leverage or margin.leverage, spec.max_leverage
    if leverage > most:  # it cannot be set, and what is held has another
        leverage = min(margin.leverage, most)
    long_bps, short_bps = (liquidation_bps(leverage, most, long=long) for long in (True, False))
    return Room(long_bps, short_bps, leverage)


def exit_params(settings: MarketSettings, coin: str) -> ExitParams:
    """Exit settings of one market.

    What is held in a quoted market is inventory: no rule but its own stop loss ends it.
    """
    s = settings.for_market(coin)
    if coin in settings.base.quoted_coins:
        return ExitParams(
            time_stop_ms=NEVER_MS, regression_bps=NEVER_BPS, min_holding_ms=NEVER_MS, slippage_bps=s.exit_slippage_bps,
            step_bps=s.exit_step_bps, max_slippage_bps=s.exit_max_slippage_bps,
            stop_loss_bps=s.quote_stop_loss_bps,
        )  # fmt: skip
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


def adopts(s: Settings) -> bool:
    """Whether quotes of an earlier run keep their place. HIP3_START_POLICY=cancel_all asks for more, and wins."""
    return s.quote_start == "adopt" and s.start_policy != "cancel_all"


def quote_params(settings: MarketSettings, coin: str) -> QuoteParams:
    """Settings of one quoted market."""
    s = settings.for_market(coin)
    return QuoteParams(
        ladder=LadderParams(
            levels=s.quote_levels, spacing_bps=s.quote_spacing_bps, size_usd=s.quote_size_usd,
            size_decay=s.quote_size_decay, max_inventory_usd=s.quote_max_inventory_usd,
            min_half_bps=s.quote_min_half_bps, max_half_bps=s.quote_max_half_bps, min_edge_bps=s.quote_min_edge_bps,
            vol_factor=s.quote_vol_factor, tau_ms=s.quote_tau_ms, skew=s.quote_skew,
            addon_max_bps=s.quote_addon_max_bps,
        ),
        reference=s.quote_reference, warmup_s=s.quote_warmup_s, min_interval_ms=s.quote_min_interval_ms,
        grow=s.quote_size_tolerance_pct / 100, fill_delay_ms=s.quote_fill_delay_ms, one_side_at=s.quote_one_side_at,
        closed=s.quote_preset == "weekend", closed_band_bps=s.quote_closed_band_bps, max_gap_bps=s.quote_max_gap_bps,
        max_spread_bps=s.quote_max_spread_bps, jump_bps=s.quote_jump_bps, side_pull_ms=s.quote_side_pull_ms,
        cutoff_ms=s.quote_cutoff_ms, sessions=parse_sessions(s.quote_sessions or s.sessions),
        blackout=parse_windows(s.blackout), adopt=adopts(s),
        toxic_addon_bps=s.quote_toxic_addon_bps, complete_at=s.quote_complete_at,
        modify=s.quote_modify, max_age_ms=s.quote_max_age_s * 1000, carry_usd=s.quote_carry_usd,
        completion_exit=s.completion_exit,
        completion=CompletionParams(
            max_usd=s.completion_max_usd, min_profit_bps=s.completion_min_profit_bps,
            max_loss_bps=s.completion_max_loss_bps, max_loss_usd=s.completion_max_loss_usd,
        ),
    )  # fmt: skip


def entry_limits(settings: MarketSettings, coin: str) -> EntryLimits:
    """Entry limits of one market and of the account."""
    s = settings.for_market(coin)
    return EntryLimits(
        max_per_market=s.max_notional_per_market, max_total=s.max_notional_total,
        max_positions=s.max_concurrent_positions, slippage_bps=s.entry_slippage_bps,
        max_weight=s.max_weighted_positions if s.correlation_position else None, weights=settings.weights(),
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


def drawdown_limits(settings: MarketSettings) -> DrawdownLimits:
    """Limits per UTC day."""
    s = settings.base
    return DrawdownLimits(max_daily_loss_usd=s.max_daily_loss_usd, max_drawdown_pct=s.max_drawdown_pct)


def guard_settings(s: Settings) -> GuardSettings:
    """Entry guards of one market, or of the account."""
    return GuardSettings(
        max_hourly_drawdown_usd=s.max_hourly_drawdown_usd, max_hourly_drawdown_pct=s.max_hourly_drawdown_pct,
        correlation_closes=s.correlation_close_threshold, correlation_window_ms=s.correlation_window_ms,
        correlation_cooldown_ms=s.correlation_cooldown_ms, burst=s.burst_signal, burst_window_ms=s.burst_window_ms,
        burst_max_signals=s.burst_max_signals, burst_cooldown_ms=s.burst_cooldown_ms,
        burst_bypass_edge_bps=s.burst_bypass_edge_bps, tilt=s.tilt_guard,
        tilt_losses=s.tilt_max_consecutive_losses, tilt_cooldown_ms=s.tilt_cooldown_ms,
        re_entry_delay_ms=s.re_entry_delay_ms, health=s.market_health, health_window=s.market_health_window,
        health_disable=s.market_health_disable, health_enable=s.market_health_enable,
        health_min_samples=s.market_health_min_samples, health_retry_ms=s.market_health_retry_ms,
    )  # fmt: skip


def market_gate_params(s: Settings) -> MarketGateParams:
    """Market-health gates of one market."""
    return MarketGateParams(
        max_bbo_age_ms=s.max_bbo_age_ms, max_ctx_age_ms=s.max_ctx_age_ms, max_mark_mid_bps=s.max_mark_mid_bps,
        spread_shock=s.spread_shock, blackout=parse_windows(s.blackout),
        sessions=parse_sessions(s.sessions), max_oracle_still_ms=s.max_oracle_still_ms,
        max_oracle_step_bps=s.max_oracle_step_bps, max_edge_bps=s.max_edge_bps,
    )  # fmt: skip
