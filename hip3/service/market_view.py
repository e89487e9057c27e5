"""What people see of each market: its prices, the edge there is and the edge it takes, why it is not entered.

Any thread.
"""

from decimal import Decimal
from typing import Any

from hip3.core.market import Level, MarketView
from hip3.core.money import bps_of
from hip3.core.order_state import OrderState
from hip3.ops.history import Quotation
from hip3.service.parts import Trading


def markets_of(trading: Trading, now_ms: int) -> list[dict[str, Any]]:
    """`markets` of the status, at monotonic `now_ms`."""
    gates, blocked = trading.gates.standing(), dict(trading.blocked)
    return [
        _one(trading, view, now_ms, blocked.get(coin) or gates.get(coin))
        for coin, view in trading.market_state.views().items()
    ]


def _one(trading: Trading, view: MarketView, now_ms: int, why: str | None) -> dict[str, Any]:
    live = view.generation == trading.link.generation
    mid, edge = view.mid, edge_bps(view)
    return {
        "market": view.coin, "bid": _touch(view.bid), "ask": _touch(view.ask),
        "oracle": _px(view.oracle), "mark": _px(view.mark),
        "spread_bps": None if mid is None or view.ask is None or view.bid is None
        else f"{bps_of(view.ask.px - view.bid.px, mid):.1f}",
        "edge_bps": None if edge is None else f"{edge:.1f}",
        "needed_bps": f"{trading.detector.cost_bps(view.coin):.1f}",
        "bbo_age_ms": now_ms - view.bbo_at_ms if live and view.bbo_at_ms is not None else None,
        "ctx_age_ms": now_ms - view.ctx_at_ms if live and view.ctx_at_ms is not None else None,
        "quoted": trading.quotes.quoted(view.coin),
        "gate": why,
    }  # fmt: skip


def edge_bps(view: MarketView) -> Decimal | None:
    """How far the touch lags the oracle, on its better side and of the oracle; below 0 where it does not."""
    if view.oracle is None or not view.oracle or view.bid is None or view.ask is None or not view.two_sided:
        return None
    return bps_of(max(view.oracle - view.ask.px, view.bid.px - view.oracle), view.oracle)


def _touch(level: Level | None) -> str | None:
    return None if level is None else format(level.px, "f")


def _px(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")


def quotations(trading: Trading) -> dict[str, Quotation]:
    """Prices of every market with those of our own best quotes, for a chart."""
    out: dict[str, Quotation] = {}
    for coin, view in trading.market_state.views().items():
        own = trading.tracker.quotes(coin) if trading.quotes.quoted(coin) else []
        live = [t.order for t in own if t.state is OrderState.OPEN]
        bids, asks = [o.px for o in live if o.side.is_buy], [o.px for o in live if not o.side.is_buy]
        out[coin] = (
            _touch(view.bid), _touch(view.ask), _px(view.oracle), _px(view.mark),
            _px(max(bids, default=None)), _px(min(asks, default=None)),
        )  # fmt: skip
    return out
