"""The picture of one market: quotations, oracle and mark, fills, signals, entry to exit, gaps shaded. Pure."""

from typing import Any

from hip3.report.figures import AXIS_TIME, Doc, Figure, Trace

BUY, SELL = "B", "A"


def market_figures(doc: Doc) -> list[Figure]:
    """One for each market that has prices; those with fills first."""
    order = sorted(doc["pictures"], key=lambda coin: (-len(doc["pictures"][coin]["fills"]), coin))
    return [_one(coin, doc["pictures"][coin], doc["gaps_ms"]) for coin in order]


def _one(coin: str, p: Doc, gaps: list[list[int]]) -> Figure:
    prices = p["prices"]
    x = [row[0] for row in prices]
    line = {"type": "scatter", "mode": "lines", "x": x, "connectgaps": True}
    touch = {"color": "--touch", "width": 1, "shape": "hv"}
    data: list[Trace] = [
        line | {"name": "bid", "y": [r[1] for r in prices], "line": touch},
        line | {"name": "ask", "y": [r[2] for r in prices], "line": touch, "fill": "tonexty",
                "fillcolor": "--touch-soft"},
        line | {"name": "oracle", "y": [r[3] for r in prices],
                "line": {"color": "--oracle", "width": 2, "shape": "hv"}},
        line | {"name": "mark", "y": [r[4] for r in prices], "line": {"color": "--mark", "width": 1, "dash": "dot"},
                "visible": "legendonly"},
        *_trips(p["trips"]), *_fills(p["fills"]), *_signals(p["signals"]),
    ]  # fmt: skip
    shapes = [
        {"type": "rect", "xref": "x", "yref": "paper", "x0": a, "x1": b, "y0": 0, "y1": 1, "line": {"width": 0},
         "fillcolor": "--gap"} for a, b in gaps
    ]  # fmt: skip
    text = f"{len(p['fills'])} fills, {len(p['signals'])} signals, {len(p['trips'])} round trips."
    if p["left_out"]:
        text += f" {p['left_out']} older ones are left out of the picture; the journal has them."
    spec = {
        "data": data,
        "layout": {"xaxis": AXIS_TIME, "yaxis": {"type": "linear", "title": {"text": "USD"}}, "shapes": shapes},
    }
    return Figure(f"market-{coin.replace(':', '-')}", coin, text, spec, tall=True)


def _trips(trips: list[list[Any]]) -> list[Trace]:
    """Entry to exit, those that gained and those that lost apart."""
    out = []
    for name, color, gained in (("gained", "--gain", True), ("lost", "--loss", False)):
        some = [t for t in trips if (not t[4].startswith("-")) is gained]
        if some:
            out.append(
                {"type": "scatter", "mode": "lines", "name": name, "x": [v for t in some for v in (t[0], t[1], None)],
                 "y": [v for t in some for v in (t[2], t[3], None)], "line": {"color": color, "width": 2},
                 "connectgaps": False}
            )  # fmt: skip
    return out


def _fills(fills: list[list[Any]]) -> list[Trace]:
    out = []
    for name, side, color, symbol in (
        ("bought", BUY, "--gain", "triangle-up"),
        ("sold", SELL, "--loss", "triangle-down"),
    ):
        some = [f for f in fills if f[1] == side]
        if some:
            out.append(
                {"type": "scatter", "mode": "markers", "name": name, "x": [f[0] for f in some],
                 "y": [f[2] for f in some],
                 "text": [f"{name} {f[3]}{'' if f[4] else ', not of an order of ours'}" for f in some],
                 "marker": {"color": color, "symbol": symbol, "size": 10, "line": {"color": "--back", "width": 1}}}
            )  # fmt: skip
    return out


def _signals(signals: list[list[Any]]) -> list[Trace]:
    refused = [s for s in signals if s[3] is not None]
    if not refused:
        return []
    return [
        {"type": "scatter", "mode": "markers", "name": "refused signals", "x": [s[0] for s in refused],
         "y": [s[2] for s in refused], "text": [f"refused by {s[3]}" for s in refused],
         "marker": {"color": "--quiet", "symbol": "x-thin-open", "size": 8}}
    ]  # fmt: skip
