"""The pictures of a report, as plotly's own JSON, made of `report.json` alone. Pure; plotly itself is not needed.

A figure is (id, title, a sentence that says the same, spec). Colours are names of the page's style (`--net`), which the
page puts in, so that light and dark are one spec. Numbers stay the texts that they are.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

Doc = dict[str, Any]
Trace = dict[str, Any]
FEW = 3
SUPPOSED = {
    "race_band": (
        "Net by who wins the race for a quote",
        "What gains only where we always win depends on winning races.",
    ),
    "latency_times": ("Net by latency", "Orders and answers that travel so many times as long."),
    "impact": (
        "Net by impact of own orders",
        "Later prices worsened by so many spreads for each touch that was taken.",
    ),
    "size_times": ("Net by size", "Entries and quotes, with the limits above them, so many times as large."),
    "fees_times": ("Net by fees", "The same fills at so many times their fees."),
}
"""Suppositions of a replay -> (title, sentence)."""
AXIS_TIME = {"type": "date", "hoverformat": "%Y-%m-%d %H:%M:%S.%L"}


class Figure(NamedTuple):
    """One picture."""

    id: str
    title: str
    text: str
    spec: dict[str, Any]
    tall: bool = False


def _spec(data: list[Trace], x: dict[str, Any] | None = None, y: dict[str, Any] | None = None, **layout: Any) -> Doc:
    axes = {"xaxis": x or {"type": "category"}, "yaxis": {"type": "linear", "zeroline": True} | (y or {})}
    bars = [len(trace["x"]) for trace in data if trace["type"] == "bar"]
    if bars and max(bars) <= FEW:  # two bars over half a screen are a wall
        layout = {"bargap": 0.7} | layout
    return {"data": data, "layout": axes | layout}


def _title(text: str) -> dict[str, Any]:
    return {"title": {"text": text}}


def _xy(points: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    return {"x": [p[0] for p in points], "y": [p[1] for p in points]}


def figures(doc: Doc) -> list[Figure]:
    """All pictures for which there is something to draw, in the order of the page."""
    parts = [_result(doc), *_supposed(doc), _equity(doc), _days(doc), *_markouts(doc), *_by(doc), *_fills(doc),
             *_time(doc), *_observed(doc), _quotes(doc)]  # fmt: skip
    return [f for f in parts if f is not None]


# Money over time.


def _result(doc: Doc) -> Figure | None:
    if not doc["curve"]:
        return None
    line = {"type": "scatter", "mode": "lines", "line": {"shape": "hv", "color": "--net", "width": 2}}
    fall = {"type": "scatter", "mode": "lines", "fill": "tozeroy", "yaxis": "y2", "fillcolor": "--loss-soft",
            "line": {"shape": "hv", "color": "--loss", "width": 1}}  # fmt: skip
    others = [(name, f["curve"]) for name, f in doc.get("race_band", {}).items() if f.get("curve")]
    data = [
        line | {"name": name, "line": {"shape": "hv", "color": "--quiet", "width": 1.5, "dash": dash}} | _xy(curve)
        for (name, curve), dash in zip(others, ("dot", "dash", "dashdot"), strict=False)
    ]
    data += [
        line | {"name": f"closed result{', ' + doc['fill_model'] if others else ''}"} | _xy(doc["curve"]),
        fall | {"name": "below its highest"} | _xy(doc["drawdown"]),
    ]
    spec = _spec(data, AXIS_TIME | {"anchor": "y2"}, {"domain": [0.32, 1]} | _title("USD"),
                 yaxis2={"domain": [0, 0.24], "type": "linear"} | _title("USD"))  # fmt: skip
    text = (
        f"After fees and funding {doc['net_usd']} USD at the end; at most {doc['drawdown_usd']} USD below its highest."
    )
    return Figure("result", "Closed result over time", text, spec, tall=True)


def _supposed(doc: Doc) -> list[Figure]:
    """The net result by who wins the races, and under what else was tried."""
    out = []
    groups = {"race_band": doc.get("race_band", {})} | doc.get("sensitivity", {})
    for group, (title, text) in SUPPOSED.items():
        rows = groups.get(group)
        if rows:
            bar = {"type": "bar", "x": list(rows), "y": [f["net_usd"] for f in rows.values()], "name": "net",
                   "marker": {"color": ["--loss" if f["net_usd"].startswith("-") else "--gain" for f in rows.values()]},
                   "text": [f"{f['fills']} fills" for f in rows.values()], "textposition": "outside",
                   "cliponaxis": False}  # fmt: skip
            out.append(Figure(f"if-{group}", title, text, _spec([bar], None, _title("USD"))))
    return out


def _equity(doc: Doc) -> Figure | None:
    points = doc["equity"]
    if len(points) < 2:
        return None
    trace = {"type": "scatter", "mode": "lines", "name": "equity", "line": {"color": "--touch", "width": 2}} | _xy(
        points
    )
    return Figure("equity", "Equity", f"From {points[0][1]} to {points[-1][1]} USD, as the exchange told it.",
                  _spec([trace], AXIS_TIME, _title("USD")))  # fmt: skip


def _days(doc: Doc) -> Figure | None:
    days = doc["days"]
    if not days or not doc["fills"]:
        return None
    x = [d["day"] for d in days]
    parts = (
        ("captured", "captured_usd", "--captured"),
        ("moves", "moves_usd", "--moves"),
        ("funding", "funding_usd", "--funding"),
    )
    data: list[Trace] = [
        {"type": "bar", "name": name, "x": x, "y": [d[key] for d in days], "marker": {"color": color}}
        for name, key, color in parts
    ]
    minus = [None if d["fees_usd"] is None else _minus(d["fees_usd"]) for d in days]
    data.append(
        {"type": "bar", "name": "fees", "x": x, "y": minus, "marker": {"color": "--fees", "pattern": {"shape": "/"}}}
    )
    data.append({"type": "scatter", "mode": "markers", "name": "net", "x": x, "y": [d["net_usd"] for d in days],
                 "marker": {"color": "--text", "size": 11, "symbol": "diamond"}})  # fmt: skip
    text = "What entries were better than their reference, what prices did until they were left, fees and funding."
    return Figure("days", "Result by day and where it came from", text,
                  _spec(data, {"type": "category"}, _title("USD"), barmode="relative"))  # fmt: skip


def _minus(text: str) -> str:
    return text[1:] if text.startswith("-") else text if text == "0" else f"-{text}"


# What fills were worth.


def _error(rows: Sequence[Doc], color: str) -> Doc:
    """Asymmetric bars from the interval of each row; none where there is no interval."""

    def apart(a: str | None, b: str | None) -> str | None:
        return None if a is None or b is None else _difference(a, b)

    if all(r["low_bps"] is None for r in rows):
        return {"visible": False}
    return {
        "type": "data", "symmetric": False, "color": color, "thickness": 1.5, "width": 4,
        "array": [apart(r["high_bps"], r["mean_bps"]) for r in rows],
        "arrayminus": [apart(r["mean_bps"], r["low_bps"]) for r in rows],
    }  # fmt: skip


def _difference(a: str, b: str) -> str:
    return str(Decimal(a) - Decimal(b))


def _estimates(name: str, by: dict[str, Doc], color: str, symbol: str) -> Trace:
    rows = [by[s] for s in by]
    return {
        "type": "scatter", "mode": "lines+markers", "name": name, "x": [f"{s} s" for s in by],
        "y": [r["mean_bps"] for r in rows], "error_y": _error(rows, color), "line": {"color": color, "width": 2},
        "marker": {"color": color, "size": 9, "symbol": symbol}, "text": [f"n {r['n']}" for r in rows],
    }  # fmt: skip


def _markouts(doc: Doc) -> list[Figure]:
    out = []
    taken = doc["quality"]["markouts"]
    if any(e["n"] for e in taken.values()):
        text = (
            "What taken entries were worth at the middle some seconds later, of the price they got; no fee taken off."
        )
        out.append(Figure("taken", "Markouts of taken entries", text,
                          _spec([_estimates("middle", taken, "--net", "circle")], None, _title("bps"))))  # fmt: skip
    q = doc["quality"]
    if q["edge_decided"]["n"]:
        rows = [q["edge_decided"], q["edge_executed"]]
        bar = {"type": "bar", "x": ["when decided", "when executed"], "y": [r["mean_bps"] for r in rows],
               "marker": {"color": ["--captured", "--net"]}, "error_y": _error(rows, "--text"), "name": "edge",
               "text": [f"n {r['n']}" for r in rows]}  # fmt: skip
        text = "The edge that entries were decided by, and what was left of it at the price they got."
        out.append(Figure("edge", "Edge decided and edge executed", text, _spec([bar], None, _title("bps"))))
    return out


def _by(doc: Doc) -> list[Figure]:
    titles = {"market": "market", "exit": "reason of the exit", "hour": "hour (UTC)", "session": "session",
              "holding": "holding time"}  # fmt: skip
    out = []
    for name, title in titles.items():
        rows = doc["by"][name]
        if not rows:
            continue
        bar = {"type": "bar", "x": [r["name"] for r in rows], "y": [r["net_usd"] for r in rows], "name": "net",
               "marker": {"color": ["--loss" if r["net_usd"].startswith("-") else "--gain" for r in rows]},
               "text": [f"{r['round_trips']}" for r in rows], "textposition": "outside", "cliponaxis": False,
               "hovertext": [f"{r['wins']} of {r['round_trips']} won, mean {r['mean_bps']} bps" for r in rows],
               }  # fmt: skip
        text = "Net USD of round trips, with how many there were; its table has means and intervals."
        out.append(Figure(f"by-{name}", f"Net by {title}", text, _spec([bar], None, _title("USD"))))
    return out


# Filling, and time.


def _fills(doc: Doc) -> list[Figure]:
    out = []
    if doc["signals"]:
        names, counts = [f[0] for f in doc["funnel"]], [f[1] for f in doc["funnel"]]
        bar = {"type": "bar", "orientation": "h", "y": names, "x": counts, "text": counts, "textposition": "auto",
               "marker": {"color": "--touch"}, "name": "count"}  # fmt: skip
        out.append(Figure("funnel", "From signals to wins", "How many of each were left.",
                          _spec([bar], {"type": "linear"}, {"type": "category", "autorange": "reversed"})))  # fmt: skip
    slips = [
        ("entries", doc["quality"]["entry_slippage"], "--net"),
        ("exits", doc["quality"]["exit_slippage"], "--loss"),
    ]
    data = [{"type": "bar", "name": name, "x": s["bins"], "y": s["counts"], "marker": {"color": color}}
            for name, s, color in slips if s["n"]]  # fmt: skip
    if data:
        text = "How much worse than the touch that they were decided by orders were filled; below 0: better."
        out.append(Figure("slippage", "Slippage (bps)", text, _spec(data, None, _title("orders"), barmode="group")))
    return out


def _time(doc: Doc) -> list[Figure]:
    found, out = doc["timing"], []
    for key, title in (("signal_to_sent", "From signal to sent"), ("sent_to_reply", "From sent to reply")):
        leg = found[key]
        if leg["n"]:
            bar = {
                "type": "bar",
                "x": found["bins"],
                "y": leg["counts"],
                "name": "orders",
                "marker": {"color": "--touch"},
            }
            text = f"n {leg['n']}; median {leg['p50_ms']} ms, 95 % within {leg['p95_ms']}, 99 % within {leg['p99_ms']}."
            out.append(Figure(f"time-{key}", title, text, _spec([bar], None, _title("orders"))))
    return out


# What was observed, and quotes.


def _observed(doc: Doc) -> list[Figure]:
    seen = doc["observed"]
    out: list[Figure] = []
    if seen is None:
        return out
    if seen["all"]["episodes"]:
        colors = {"mid": ("--quiet", "x"), "touch": ("--touch", "square"), "net": ("--moves", "diamond")}
        data: list[Trace] = [
            {"type": "scatter", "mode": "lines+markers", "name": name, "x": [f"{s} s" for s in by],
             "y": list(by.values()),
             "line": {"color": colors[name][0], "dash": "dot"}, "marker": {"symbol": colors[name][1], "size": 8}}
            for name, by in seen["all"]["markouts"].items() if name in colors
        ]  # fmt: skip
        data.append(_estimates("late, net", seen["all"]["late"], "--net", "circle"))
        out.append(
            Figure(
                "observed", "Signals: what taking them was worth", seen["sentence"], _spec(data, None, _title("bps"))
            )
        )
    if seen["gates"]:
        rows = seen["gates"]
        bar = {"type": "bar", "x": [g["gate"] for g in rows], "y": [g["mean_bps"] for g in rows],
               "name": "late, net, 5 s",
               "error_y": _error(rows, "--text"), "marker": {"color": "--captured"},
               "text": [g["refused"] for g in rows],
               "hovertext": [f"{g['refused']} refused: {g['word']}" for g in rows]}  # fmt: skip
        text = "What the signals that each gate refused would have made; above 0 it refuses winners."
        out.append(Figure("gates", "What gates refused", text, _spec([bar], None, _title("bps"))))
    known = {k: v for k, v in seen["thresholds"].items() if v is not None}
    if known:
        line = {"type": "scatter", "mode": "lines+markers", "x": list(known), "y": list(known.values()),
                "name": "episodes a day",
                "line": {"color": "--touch", "width": 2}}  # fmt: skip
        text = "Episodes a day whose oracle had moved, with at least so much edge; smaller gaps are not noted."
        x = {"type": "linear", "title": {"text": "least edge, bps"}}
        out.append(Figure("thresholds", "Episodes a day by threshold", text, _spec([line], x, {"rangemode": "tozero"})))
    return out


def _quotes(doc: Doc) -> Figure | None:
    rows = [q for q in doc["quotes"] if q["captured_bps"] is not None]
    if not rows:
        return None
    bars = [("captured", [q["captured_bps"] for q in rows], "--captured")]
    bars += [(f"after {s} s", [q["markout_bps"][s] for q in rows], color)
             for s, color in (("1", "--touch"), ("5", "--moves"), ("30", "--net"))]  # fmt: skip
    data = [{"type": "bar", "name": name, "x": [q["name"] for q in rows], "y": y, "marker": {"color": color}}
            for name, y, color in bars]  # fmt: skip
    text = "What quotes' fills were better than fair, and what was left of it 1, 5 and 30 s later."
    return Figure("quotes", "Quotes: captured and markouts", text, _spec(data, None, _title("bps"), barmode="group"))
