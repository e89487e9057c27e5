"""`report.html` of a replay: one file that needs no network, made of `report.json` alone. Pure."""

from decimal import Decimal
from html import escape
from typing import Any

WIDTH, HEIGHT = 900, 220
HEAD = (
    "signals", "orders", "fills", "round_trips", "wins", "net_usd", "gross_usd", "fees_usd", "funding_usd",
    "net_bps_of_notional", "fill_model", "latency", "seed", "frames",
)  # fmt: skip
STYLE = """
:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2em auto;padding:0 1em}
table{border-collapse:collapse}td,th{padding:.2em .8em .2em 0;text-align:left;border-bottom:1px solid #8884}
.scroll{overflow-x:auto}svg{width:100%;height:auto}.line{fill:none;stroke:#0072b2;stroke-width:2}.zero{stroke:#8888}
"""


def page(report: dict[str, Any]) -> str:
    """The page; every value from outside is escaped."""
    net, trips = Decimal(report["net_usd"]), report["round_trips"]
    verdict = f"{trips} round trips, net {report['net_usd']} USD after fees and funding"
    word = "No trade." if not report["fills"] else "It gained." if net > 0 else "It lost."
    notes = [*report["assumed"], *(f"gap: {why}" for _, why in report["gaps"][:20])]
    notes += [f"open at the end: {p['size']} {p['market']}" for p in report["open_positions"]]
    return "\n".join(
        [
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
            f"<title>hip3 replay</title><style>{STYLE}</style><h1>Replay</h1>",
            f"<p><strong>{word}</strong> {escape(verdict)}, fills {escape(report['fill_model'])}.</p>",
            "<h2>Result over time</h2>", _equity(report["trades"]),
            "<h2>Figures</h2>", _table([(key, report[key]) for key in HEAD]),
            "<h2>Refused</h2>", _table([*report["refused_by_gate"].items(), *report["refused_by_exchange"].items()]),
            "<h2>Exits</h2>", _table(list(report["exits"].items())),
            "<h2>What is assumed, and what is missing</h2><ul>",
            *(f"<li>{escape(str(note))}</li>" for note in notes), "</ul>",
            "<h2>Fills</h2><div class=scroll>", _fills(report["trades"][:2000]), "</div></html>",
        ]
    )  # fmt: skip


def _table(rows: list[tuple[str, Any]]) -> str:
    if not rows:
        return "<p>None.</p>"
    cells = "".join(f"<tr><th scope=row>{escape(str(k))}</th><td>{escape(str(v))}</td></tr>" for k, v in rows)
    return f"<table>{cells}</table>"


def _fills(trades: list[dict[str, Any]]) -> str:
    if not trades:
        return "<p>None.</p>"
    head = "".join(f"<th>{escape(key)}</th>" for key in trades[0])
    rows = "".join("<tr>" + "".join(f"<td>{escape(str(v))}</td>" for v in t.values()) + "</tr>" for t in trades)
    return f"<table><tr>{head}</tr>{rows}</table>"


def _equity(trades: list[dict[str, Any]]) -> str:
    """The running sum of results less fees, as a line."""
    if not trades:
        return "<p>No fill.</p>"
    total, points = Decimal(0), [(int(trades[0]["time"]), Decimal(0))]
    for trade in trades:
        total += Decimal(trade["closedPnl"]) - Decimal(trade["fee"])
        points.append((int(trade["time"]), total))
    low, high = min(v for _, v in points), max(v for _, v in points)
    span, first, last = (high - low) or Decimal(1), points[0][0], points[-1][0]

    def x(at: int) -> float:
        return (at - first) / ((last - first) or 1) * WIDTH

    def y(value: Decimal) -> Decimal:
        return HEIGHT - 10 - (value - low) / span * (HEIGHT - 20)

    path = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in points)
    zero = (
        f"<line class=zero x1=0 x2={WIDTH} y1={y(Decimal(0)):.1f} y2={y(Decimal(0)):.1f} />" if low <= 0 <= high else ""
    )
    label = f"result from {points[0][1]:.4f} to {points[-1][1]:.4f} USD, lowest {low:.4f}, highest {high:.4f}"
    return (
        f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role=img aria-label='{label}'>{zero}"
        f"<polyline class=line points='{path}' /></svg><p>{label}</p>"
    )
