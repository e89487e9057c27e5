"""The object of `status --json`, taken from the running parts. Called by control, HTTP and main."""

from collections import Counter
from decimal import Decimal
from typing import Any

from hip3.core.events import OrderUpdate
from hip3.core.ledger import PositionView
from hip3.core.market import MarketView
from hip3.core.money import ZERO
from hip3.core.order_state import OrderState
from hip3.execution.readiness import State
from hip3.risk.hard_stop import LatchState
from hip3.service.details import details
from hip3.service.market_view import markets_of
from hip3.service.parts import Trading
from hip3.service.quote_view import quotes_of
from hip3.service.running import Running
from hip3.version import __version__


def snapshot(running: Running) -> dict[str, Any]:
    """Everything a user sees, as of now."""
    base, trading, now = running.settings.base, running.trading, running.clock.mono_ms()
    state, reasons = word(running, now)
    latch = latch_of(running)
    who = running.who
    out: dict[str, Any] = {
        "state": state.value,
        "reasons": reasons,
        "network": base.shown_network,
        "mode": base.doing,
        "account": None if who is None else who.account,
        "signer": None if who is None or who.key is None else who.key.address,
        "version": __version__,
        "alerts": [channel.state(now) for channel in running.all_channels()],
        "uptime_s": (now - running.started_ms) // 1000,
        "left_s": None if running.end_ms is None else max(0, running.end_ms - now) // 1000,
        "page": running.page or None,
        "recording": None if running.recorder is None else running.recorder.state(),
        "account_read": trading is not None,
        "hard_stop": {"tripped": latch.tripped, "reason": latch.reason, "at_ms": latch.at_ms},
    }
    out |= details(running, now)
    return out | (_of(trading, running, now) if trading is not None else _empty(running))


def latch_of(running: Running) -> LatchState:
    """The latch's state; not tripped before there is one."""
    return running.latch.state() if running.latch is not None else LatchState(False)


def word(running: Running, now_ms: int) -> tuple[State, list[str]]:
    """The state's word and the reasons for it, none when READY, at monotonic `now_ms`; any thread.

    Main asks five times a second, so it is had without the rest of the snapshot.
    """
    latch = latch_of(running)
    state, reasons = running.readiness.word(now_ms, tripped=latch.tripped)
    if state is State.READY:
        return state, []
    if latch.tripped:
        reasons = [f"hard stop: {latch.reason}", *reasons]
    blocked = {} if running.trading is None else dict(running.trading.blocked)
    return state, reasons + [f"{coin} is not traded: {why}" for coin, why in blocked.items()]


def _empty(running: Running) -> dict[str, Any]:
    """Nothing was read yet: `account_read` says that none of it is a finding. What earlier runs left unknown is."""
    unknown = 0 if running.intents is None else len(running.intents.recovered.open)
    return {
        "positions": [],
        "orders": {"queued": 0, "inflight": 0, "open": 0, "unknown": unknown, "foreign": 0},
        "foreign_orders": [],
        "quotes": [],
        "markets": [],
        "result": {"today": None, "total": None},
        "account_mode": "unknown",
        "equity_usd": None,
        "exposure": {"worst_case_usd": "0", "limit_usd": str(running.settings.base.max_notional_total)},
        "counters": _counters(0, 0, 0, 0, 0),
        "pnl": {"realized_usd": "0", "fees_usd": "0", "funding_usd": "0"},
        "ws": {"connected": False, "generation": 0, "last_message_age_ms": None},
        "clock_offset_ms": None,
    }


def _counters(signals: int, queued: int, sent: int, filled: int, timeouts: int) -> dict[str, Any]:
    return {
        "signals": signals, "queued": queued, "sent": sent, "filled": filled, "timeouts": timeouts,
        "skipped": {}, "rejected": {}, "venue_rejected": {},
    }  # fmt: skip


def _of(trading: Trading, running: Running, now: int) -> dict[str, Any]:
    base, tracker, executor = running.settings.base, trading.tracker, trading.executor
    figures = running.journal.figures
    ledger, views = tracker.ledger(), trading.market_state.views()
    realized, fees, _, _ = tracker.totals()
    counters = _counters(
        trading.detector.emitted, executor.queued if executor else 0,
        trading.loop.sent_orders if trading.loop else 0, figures.filled, figures.timeouts,
    )  # fmt: skip
    if executor is not None:
        counters["skipped"], counters["rejected"] = dict(executor.skipped), dict(executor.rejected)
    if trading.detector.unsized:
        counters["skipped"]["no_size"] = trading.detector.unsized
    counters["venue_rejected"] = dict(Counter(figures.venue_rejected))
    exiting, foreign = trading.exits.exiting(), tracker.foreign_orders()
    occupied = {*ledger.positions, *ledger.buys, *ledger.sells}
    marks = {coin: _mark(views.get(coin)) or trading.view.marks.get(coin, ZERO) for coin in occupied}
    worst = sum((ledger.worst_usd(coin, mark) for coin, mark in marks.items()), ZERO)
    return {
        "positions": [_position(p, views.get(p.coin), exiting, running) for p in tracker.positions()],
        "orders": {
            "queued": sum(trading.scheduler.counts()),
            "inflight": trading.posts.inflight,
            "open": len(tracker.live(OrderState.OPEN)),
            "unknown": len(tracker.live(OrderState.UNKNOWN)),
            "foreign": len(foreign),
        },
        "foreign_orders": [_foreign(order) for order in foreign],
        "quotes": quotes_of(trading),
        "markets": markets_of(trading, now),
        "result": running.results.shown(running.results.sums(trading, figures)),
        "account_mode": trading.view.mode,
        "equity_usd": None if trading.view.equity is None else _text(trading.view.equity),
        "exposure": {"worst_case_usd": f"{worst:.2f}", "limit_usd": str(base.max_notional_total)},
        "counters": counters,
        "pnl": {"realized_usd": _text(realized), "fees_usd": _text(fees), "funding_usd": _text(tracker.funding())},
        "ws": {
            "connected": running.writer.connected,
            "generation": trading.link.generation,
            "last_message_age_ms": now - trading.link.last_event_ms if trading.link.generation else None,
        },
        "clock_offset_ms": trading.offset.offset_ms if trading.offset.known else None,
    }


def _mark(view: MarketView | None) -> Decimal | None:
    return None if view is None else view.mark


def _text(value: Decimal) -> str:
    return format(value.normalize(), "f") if value else "0"


def _foreign(order: OrderUpdate) -> dict[str, Any]:
    """A resting order of the account that is not ours."""
    return {
        "market": order.coin, "side": "buy" if order.side.is_buy else "sell", "px": _text(order.limit_px),
        "sz": _text(order.remaining), "oid": order.oid,
    }  # fmt: skip


def _position(p: PositionView, view: MarketView | None, exiting: dict[str, Any], running: Running) -> dict[str, Any]:
    mark, view_of = _mark(view), None if running.trading is None else running.trading.view
    pnl = None if mark is None or not p.entry_px else p.szi * (mark - p.entry_px)
    leaving = exiting.get(p.coin)
    margin = None if view_of is None else view_of.margins.get(p.coin)
    liquidation = None if view_of is None else view_of.liquidation_px(p)
    quoted = running.trading is not None and running.trading.quotes.quoted(p.coin)
    return {
        "market": p.coin,
        "size": _text(p.szi),
        "entry_px": f"{p.entry_px:.8g}",
        "mark_px": None if mark is None else _text(mark),
        "unrealized_pnl_usd": None if pnl is None else f"{pnl:.4f}",
        "age_ms": max(0, running.clock.wall_ms() - p.entry_ms),
        "exit": None if leaving is None else leaving[0].value,
        "exit_attempts": 0 if leaving is None else leaving[1],
        "notional_usd": None if mark is None else f"{p.szi * mark:.2f}",
        "foreign": p.foreign,
        "owner": "foreign" if p.foreign else "quote" if quoted else "take",
        "liquidation_px": None if liquidation is None else _text(liquidation),
        "margin": None if margin is None else margin.type,
        "leverage": None if margin is None else margin.leverage,
    }
