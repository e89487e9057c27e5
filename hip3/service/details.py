"""What `status` shows beyond the keys of the interface: orders under way, refusals, budgets, stream ages.

`/metrics` is made of the same object. Called by control, HTTP and main.
"""

from typing import Any

from hip3.core.decisions import Rejected, Skipped
from hip3.core.market import MarketView
from hip3.core.order_state import OrderState
from hip3.core.orders import OrderBatch
from hip3.exchange.rate_limit import IP_WEIGHT_PER_MINUTE
from hip3.execution.truth.account import weight_spent
from hip3.ops.metrics import Histograms
from hip3.service.parts import Trading
from hip3.service.running import Running

NO_DATA = "no market data since the connection began"
MISMATCHES = {
    "adopted": "position", "orders_differ": "order", "gap_accepted": "fill", "storm": "storm",
    "second_instance": "second instance",
}  # fmt: skip
"""Records of the journal that are a difference between our books and the exchange's."""


def details(running: Running, now_ms: int) -> dict[str, Any]:
    """The further keys, at monotonic `now_ms`; all of them also before anything is known."""
    trading, journal = running.trading, running.journal
    kinds = journal.kinds.copy()
    out: dict[str, Any] = {
        "config_hash": running.config_hash,
        "journal": {"failed": journal.store_failed, "lost": journal.lost},
        "latency": _latency(running),
        "followups": None if trading is None or trading.observer is None else trading.observer.state(),
        "reconciliation": {word: kinds[kind] for kind, word in MISMATCHES.items()},
    }
    return out | (_of(running, trading, now_ms) if trading is not None else _nothing(running, now_ms))


def _nothing(running: Running, now_ms: int) -> dict[str, Any]:
    lists = ("inflight", "unknown", "refusals", "streams", "flags")
    tables = ("closed_ms", "blocked", "market_gates", "market_gate_blocks", "refused_by_gate", "oracle_age_ms")
    unknown = ("address_used", "address_cap", "address_left_for_entries")
    return {
        **{name: [] for name in lists},
        **{name: {} for name in tables},
        "queues": {"cancels": 0, "reduce_only": 0, "new": 0},
        "nonce_last": None,
        "risk": None,
        "budgets": _budgets(running, now_ms) | dict.fromkeys(unknown),
    }


def _of(running: Running, trading: Trading, now_ms: int) -> dict[str, Any]:
    wall_ms, executor = running.clock.wall_ms(), trading.executor
    views = [v for v in trading.market_state.views().values() if v.generation == trading.link.generation]
    address = trading.address.state()
    return {
        "closed_ms": trading.exits.closed(now_ms),
        "blocked": dict.fromkeys(running.readiness.silent(now_ms), NO_DATA) | dict(trading.blocked),
        "market_gates": trading.gates.standing(),
        "market_gate_blocks": dict(trading.gates.blocks),
        "risk": trading.risk.figures(),
        "flags": [
            *_waiting(trading),
            *trading.flags.sentences(now_ms),
            *_no_order_fits(trading, views),
            *_echoes(trading),
        ],
        "inflight": [
            {
                "action": "orders" if isinstance(post.batch, OrderBatch) else "cancels",
                "items": len(post.batch.orders if isinstance(post.batch, OrderBatch) else post.batch.cancels),
                "age_ms": now_ms - post.sent_ms,
            }
            for post in trading.posts.waiting()
        ],
        "unknown": [
            {"cloid": t.order.cloid, "market": t.order.coin, "age_ms": max(0, wall_ms - t.order.created_ms)}
            for t in trading.tracker.live(OrderState.UNKNOWN)
        ],
        "refusals": [] if executor is None else [_refusal(r, wall_ms) for r in reversed(executor.last_refused.copy())],
        "refused_by_gate": {} if executor is None else dict(executor.refused),
        "queues": dict(zip(("cancels", "reduce_only", "new"), trading.scheduler.counts(), strict=True)),
        "streams": _streams(trading, views, now_ms),
        "oracle_age_ms": {v.coin: now_ms - v.ctx_at_ms for v in views if v.ctx_at_ms is not None},
        "nonce_last": None if trading.loop is None else trading.loop.last_nonce,
        "budgets": _budgets(running, now_ms)
        | {
            "address_used": address.used,
            "address_cap": address.cap,
            "address_left_for_entries": address.left_for_entries,
        },
    }


def _waiting(trading: Trading) -> list[str]:
    """Exits that wait for what no price can help."""
    return [f"{coin}: its exit waits, refused for no price: {why}" for coin, why in trading.exits.waiting().items()]


def _echoes(trading: Trading) -> list[str]:
    """Markets whose oracle has no source of its own now."""
    why = "its oracle follows its own book, as outside the hours of its underlying: a quote away from it lags nothing"
    return [f"{coin}: {why}" for coin in trading.detector.echoes()]


def _no_order_fits(trading: Trading, views: list[MarketView]) -> list[str]:
    """Markets in which no size is both large enough for the exchange and within the limit."""
    found = ((v.coin, v.mark and trading.detector.impossible(v.coin, v.mark)) for v in views)
    return [f"{coin}: {why}" for coin, why in found if why]


def _budgets(running: Running, now_ms: int) -> dict[str, Any]:
    return {
        "ip_weight_used": None if running.rest is None else running.rest.weight_used(now_ms),
        "ip_weight_limit": IP_WEIGHT_PER_MINUTE,
        "ip_weight_refused": running.rest is not None and bool(weight_spent(running.rest, now_ms)),
        "inflight_limit": running.settings.base.max_inflight,
    }


def _refusal(known: tuple[int, str, Rejected | Skipped], wall_ms: int) -> dict[str, Any]:
    at_ms, coin, verdict = known
    return {
        "market": coin,
        "gate": verdict.gate,
        "reason": verdict.reason.value,
        "numbers": dict(verdict.numbers),
        "age_ms": max(0, wall_ms - at_ms),
    }


def _streams(trading: Trading, views: list[MarketView], now_ms: int) -> list[dict[str, Any]]:
    """The last message of each private stream, and of each market's own touch and context: one stream may die while
    all others speak."""
    private = sorted(trading.link.private_ms.copy().items())
    heard: list[tuple[str, str | None, int]] = [(stream, None, at) for stream, at in private]
    for view in views:
        own = (("bbo", view.bbo_at_ms), ("activeAssetCtx", view.ctx_at_ms))
        heard += [(stream, view.coin, at) for stream, at in own if at is not None]
    return [
        {"stream": stream, "market": coin, "dex": "" if coin is None else coin.partition(":")[0], "age_ms": now_ms - at}
        for stream, coin, at in heard
    ]


def _latency(running: Running) -> dict[str, Any]:
    """Counts by upper bound in microseconds (null: beyond all), of this run; for the page."""
    loop, figures = None if running.trading is None else running.trading.loop, running.journal.figures
    found = {"signal_to_sent": figures.decided, "sent_to_reply": figures.post_us["order"]}
    if loop is not None:
        found |= {"tick_lag": loop.lag, "intent_durable": loop.durable}
    return {name: histogram.buckets() for name, histogram in found.items()}


def histograms(running: Running) -> Histograms:
    """What is counted by duration, for `/metrics`."""
    figures = running.journal.figures
    out: Histograms = {
        "post_latency_seconds": ("action", figures.post_us),
        "signal_to_sent_seconds": ("", {"": figures.decided}),
    }
    loop = None if running.trading is None else running.trading.loop
    if loop is not None:
        out |= {"tick_lag_seconds": ("", {"": loop.lag}), "journal_fsync_seconds": ("", {"": loop.durable})}
    return out
