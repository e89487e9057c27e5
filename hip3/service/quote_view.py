"""What people see of the quotes: the objects of the status and the rows of the closing table. Any thread.

Single fields of a market are read, each of which is one step; they may be of two passes.
"""

from collections import Counter
from decimal import Decimal
from typing import Any

from hip3.core.money import ZERO
from hip3.core.order_state import OrderState
from hip3.core.results import QUOTE_HORIZONS_S as HORIZONS_S
from hip3.execution.quotes.market import QuotedMarket
from hip3.service.parts import Trading


def quotes_of(trading: Trading) -> list[dict[str, Any]]:
    """One object for each quoted market, as docs and interface have them."""
    held = {p.coin: p.szi for p in trading.tracker.positions()}
    return [_one(trading, market, held.get(coin, ZERO)) for coin, market in trading.quotes.markets.items()]


def _one(trading: Trading, market: QuotedMarket, szi: Decimal) -> dict[str, Any]:
    view, fair, figures = trading.market_state.view(market.coin), market.fair, market.figures
    mark = view.mark if view is not None else None
    live = [t for t in trading.tracker.quotes(market.coin) if t.state is OrderState.OPEN]
    return {
        "market": market.coin,
        "stance": market.stance.value,
        "reasons": list(market.reasons),
        "fair_bid": None if fair is None else f"{fair.bid:.8g}",
        "fair_ask": None if fair is None else f"{fair.ask:.8g}",
        "half_bps": _bps(market.half_bps),
        "live": [
            {
                "side": "buy" if t.order.side.is_buy else "sell", "level": t.order.level, "px": str(t.order.px),
                "sz": str(t.order.sz - t.executed), "oid": t.oid,
            }
            for t in live
        ],
        "inventory_usd": None if mark is None and szi else f"{szi * (mark or ZERO):.2f}",
        "uptime_ratio": None if figures.uptime is None else f"{figures.uptime:.4f}",
        "captured_bps": _bps(figures.captured_bps),
        "markout_bps": {str(s): _bps(figures.markout_bps[s]) for s in HORIZONS_S},
        "actions": figures.counts["placed"] + figures.counts["cancelled"],
        "fills": figures.counts["fills"],
        "counts": dict(figures.counts),
    }  # fmt: skip


def _bps(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def quote_rows(trading: Trading) -> list[tuple[str, object]]:
    """The quotes' part of the closing table, over all quoted markets; empty where none is quoted."""
    markets = list(trading.quotes.markets.values())
    if not markets:
        return []
    counts: Counter[str] = sum((m.figures.counts for m in markets), Counter())
    rows: list[tuple[str, object]] = [
        (f"quotes {name}", counts[name]) for name in ("placed", "kept", "moved", "cancelled", "refused")
    ]
    rows.append(("quote fills", counts["fills"]))
    for market in markets:
        figures, name = market.figures, market.coin
        marks = ", ".join(f"{s} s {_bps(figures.markout_bps[s]) or 'no data'}" for s in HORIZONS_S)
        captured = figures.captured_bps
        rows += [
            (f"{name} stance", f"{market.stance.value} {'; '.join(market.reasons)}".rstrip()),
            (f"{name} spread captured", "no data" if captured is None else f"{_bps(captured)} bps"),
            (f"{name} markouts", f"{marks} (bps)"),
            (f"{name} uptime", "no data" if figures.uptime is None else f"{figures.uptime:.1%}"),
        ]
    return rows
