"""The status as text for people: state word first, then why, then figures. Fits 80 columns. Pure.

Every line is made by `_Page.add`, which wraps and never lets one through that is longer than `WIDTH`; whatever the
exchange or a file name put into a value is shown in printable ASCII.
"""

import textwrap
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from hip3.core.money import ONE, div

WIDTH = 79
LABEL = 10
SKIPPED = {"no_size": "no size that is large enough and within the limit"}
"""Reasons of signals that became no order, in words; others speak for themselves."""
MOST_ROWS = 12
"""Of a list; the rest is counted."""


class _Page:
    """Lines under a label each, wrapped."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def head(self, text: str) -> None:
        """The first line."""
        self._wrap("", "  ", text)

    def add(self, label: str, text: str) -> None:
        """A labelled line, continued below its text."""
        self._wrap(f"{label:<{LABEL}}", " " * LABEL, text)

    def item(self, text: str) -> None:
        """A line of a list."""
        self._wrap("  ", "    ", text)

    def _wrap(self, first: str, other: str, text: str) -> None:
        self.lines += textwrap.wrap(
            plain(text), WIDTH, initial_indent=first, subsequent_indent=other, break_on_hyphens=False
        ) or [first.rstrip()]  # fmt: skip

    def row(self, cells: Iterable[tuple[str, int]]) -> None:
        """A row of a table; a cell that does not fit is cut, with a mark."""
        shown = []
        for text, width in cells:
            cut = _cut(plain(text), abs(width))
            shown.append(f"{cut:<{-width}}" if width < 0 else f"{cut:>{width}}")
        self.lines.append(" ".join(shown).rstrip())

    def gap(self) -> None:
        """An empty line."""
        self.lines.append("")


def plain(text: str) -> str:
    """One line of printable ASCII."""
    return "".join(c if c.isascii() and c.isprintable() else " " if c.isspace() else "?" for c in text)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + ">"


def _where(s: dict[str, Any]) -> str:
    """Network and mode; the network of paper says the mode, too."""
    return str(s["network"]) if s["mode"] == "paper" else f"{s['network']} {s['mode']}"


def status_text(s: dict[str, Any]) -> str:
    """Render the object of `status --json`."""
    page = _Page()
    left = "" if s.get("left_s") is None else f", ends in {age(s['left_s'] * 1000)}"
    page.head(f"{s['state']}  {_where(s)}, up {age(s['uptime_s'] * 1000)}{left}, hip3 {s['version']}")
    for reason in s["reasons"]:
        page.item(reason)
    if s["hard_stop"]["tripped"]:
        page.item("to trade again: ./run.sh latch reset --reason TEXT")
    _account(page, s)
    _orders(page, s)
    _markets(page, s)
    _positions(page, s["positions"], read=s["account_read"])
    _quotes(page, s["quotes"])
    _refusals(page, s)
    return "\n".join(page.lines) + "\n"


def _account(page: _Page, s: dict[str, Any]) -> None:
    exposure, pnl, budgets, ws = s["exposure"], s["pnl"], s["budgets"], s["ws"]
    signer = "" if s["signer"] in (None, s["account"]) else f", signed by {s['signer']}"
    page.add("account", f"{s['account'] or 'none (observe)'}{signer}")
    used, limit = Decimal(exposure["worst_case_usd"]), Decimal(exposure["limit_usd"])
    if not s["account_read"]:
        page.add("exposure", f"not read yet, of {exposure['limit_usd']} USD")
    else:
        worst = exposure["worst_case_usd"]
        page.add("exposure", f"{bar(used, limit)} {worst} of {exposure['limit_usd']} USD, worst case")
        page.add("pnl", f"realized {pnl['realized_usd']}, fees {pnl['fees_usd']}, funding {pnl['funding_usd']} USD")
    risk = s["risk"]
    if risk is not None:
        trial = "" if risk["trial_trades"] is None else f"; trial: {risk['trial_trades']} trades"
        page.add("risk", f"since reset {risk['net_usd']} of -{risk['max_loss_usd']} USD, open positions at their marks "
                 f"and fees in it; losing run {risk['losing_run']}, refusals {risk['rejects_within_hour']} an "
                 f"hour{trial}")  # fmt: skip
        if risk["max_daily_loss_usd"] != "0":
            page.add(
                "", f"lost today {risk['lost_today_usd']} of {risk['max_daily_loss_usd']} USD, by the same measure"
            )
    refused = ", the exchange says it is spent" if budgets["ip_weight_refused"] else ""
    spent = [f"weight {_known(budgets['ip_weight_used'])} of {budgets['ip_weight_limit']} a minute{refused}"]
    if budgets["address_cap"] is not None:
        spent.insert(0, f"address {budgets['address_used']} of {budgets['address_cap']} actions")
    page.add("budgets", "; ".join(spent))
    link = "connected" if ws["connected"] else "not connected"
    heard = "" if ws["last_message_age_ms"] is None else f", last message {age(ws['last_message_age_ms'])} ago"
    page.add("stream", f"{link}{heard} (connection {ws['generation']})")
    if s["streams"]:
        page.add("", ", ".join(_oldest(s["streams"])))
    offset = s["clock_offset_ms"]
    page.add("clock", "not compared yet" if offset is None else f"the exchange's is {offset} ms ahead of ours")
    for c in s.get("alerts", ()):
        word = {True: "ok", False: "FAILING", None: "not used yet"}[c["ok"]]
        rest = [c["detail"]] * bool(c["detail"]) + [f"{c[k]} {k}" for k in ("waiting", "lost") if c[k]]
        page.add("alerts", f"channel {c['channel']}: {', '.join([word, *rest])}")
    if s.get("recording"):
        r = s["recording"]
        page.add("recording", r["stopped"] or f"{r['frames']} lines, {r['bytes'] / 1e6:.1f} MB of text, {r['lost']} "
                 f"lost, {r['lag_ms']} ms behind")  # fmt: skip
    if s.get("page"):
        page.add("page", s["page"])
    if s["journal"]["failed"]:
        page.add("journal", s["journal"]["failed"])


def _oldest(streams: list[dict[str, Any]]) -> list[str]:
    """The age of each private stream, and of a dex's public ones that of the market which has been silent longest."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for one in streams:
        key = (one["dex"], one["stream"])
        if key not in found or one["age_ms"] > found[key]["age_ms"]:
            found[key] = one
    return [
        f"{'/'.join(filter(None, key))}:{age(one['age_ms'])}" + (f" ({one['market']})" if one["market"] else "")
        for key, one in found.items()
    ]


def bar(used: Decimal, limit: Decimal) -> str:
    """How much of a limit is used, in ten steps; any use shows."""
    share = min(ONE, div(used, limit)) if limit > 0 else ONE
    steps = max(1, round(10 * share)) if used > 0 or limit <= 0 else 0
    return f"[{'#' * steps}{'.' * (10 - steps)}]"


def _known(value: Any) -> str:
    return "?" if value is None else str(value)


def _orders(page: _Page, s: dict[str, Any]) -> None:
    counts = ", ".join(f"{n} {word}" for word, n in s["orders"].items())
    page.add("orders", counts if s["account_read"] else f"not read yet, {s['orders']['unknown']} unknown of before")
    for o in s.get("foreign_orders", ())[:MOST_ROWS]:
        page.item(f"not ours: {o['side']} {o['sz']} {o['market']} at {o['px']} ({o['oid']})")
    for post in s["inflight"][:MOST_ROWS]:
        page.item(f"in flight {post['items']} {post['action']}, sent {age(post['age_ms'])} ago")
    for order in s["unknown"][:MOST_ROWS]:
        page.item(f"UNKNOWN for {age(order['age_ms'])}: {order['market']} {order['cloid']}")
    for key in ("inflight", "unknown"):
        if len(s[key]) > MOST_ROWS:
            page.item(f"and {len(s[key]) - MOST_ROWS} more {key}")
    if s["closed_ms"]:
        shown = [f"{coin} for {age(ms)}" for coin, ms in sorted(s["closed_ms"].items())]
        more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
        page.add("closed", f"to entries by flatten: {', '.join(shown[:3])}{more}")


def _markets(page: _Page, s: dict[str, Any]) -> None:
    """Markets that are not entered though the service is READY, or would be."""
    sentences = [f"{coin} is not traded: {why}" for coin, why in sorted(s["blocked"].items())] + s["flags"]
    for sentence in [text for text in sentences if text not in s["reasons"]][:MOST_ROWS]:
        page.item(sentence)
    shown = [f"{coin} by {gate}" for coin, gate in sorted(s["market_gates"].items())]
    if shown:
        more = f" and {len(shown) - MOST_ROWS} more" if len(shown) > MOST_ROWS else ""
        page.add("no entry", f"{', '.join(shown[:MOST_ROWS])}{more}")


def _positions(page: _Page, positions: list[dict[str, Any]], *, read: bool) -> None:
    if not positions:
        page.add("positions", "none" if read else "not read yet")
        return
    page.gap()
    widths = (-19, 12, 11, 11, 11, 9)
    page.row(zip(("market", "size", "entry", "mark", "pnl", "age"), widths, strict=True))
    for p in positions[:MOST_ROWS]:
        mark, pnl = p["mark_px"] or "?", p["unrealized_pnl_usd"] or "?"
        cells = (p["market"], p["size"], p["entry_px"], mark, pnl, age(p["age_ms"]))
        page.row(zip(cells, widths, strict=True))
        if p["exit"] is not None:
            page.item(f"leaving by {p['exit']}, try {p['exit_attempts']}")
        if p["foreign"]:
            page.item("opened by others")
        if p.get("liquidation_px"):
            page.item(f"{p['margin']} margin, liquidated at {p['liquidation_px']}")
        elif p.get("margin") == "cross":
            page.item("cross margin: a loss is paid by all that the account has there")
    if len(positions) > MOST_ROWS:
        page.item(f"and {len(positions) - MOST_ROWS} more positions")


def _quotes(page: _Page, quotes: list[dict[str, Any]]) -> None:
    if not quotes:
        return
    page.gap()
    widths = (-19, -11, 12, 12, 11, 9)
    page.row(zip(("quoted", "stance", "fair bid", "fair ask", "inventory", "fills"), widths, strict=True))
    for q in quotes[:MOST_ROWS]:
        cells = (
            q["market"], q["stance"], q["fair_bid"] or "?", q["fair_ask"] or "?", q["inventory_usd"] or "?",
            str(q["fills"]),
        )  # fmt: skip
        page.row(zip(cells, widths, strict=True))
        for reason in q["reasons"]:
            page.item(reason)
        shown = [f"{o['side']} {o['sz']} at {o['px']}" for o in q["live"]]
        if shown:
            page.item(", ".join(shown))
    if len(quotes) > MOST_ROWS:
        page.item(f"and {len(quotes) - MOST_ROWS} more quoted markets")


def _refusals(page: _Page, s: dict[str, Any]) -> None:
    c = s["counters"]
    page.gap()
    page.add("signals", f"{c['signals']}; orders queued {c['queued']}, sent {c['sent']}, filled {c['filled']}, "
             f"timed out {c['timeouts']}")  # fmt: skip
    skipped = [f"{SKIPPED.get(why, why)} {n}" for why, n in sorted(c["skipped"].items())]
    if skipped:
        page.add("skipped", ", ".join(skipped))
    if s["refused_by_gate"]:
        page.add("refused", "by " + ", ".join(f"{gate} {n}" for gate, n in sorted(s["refused_by_gate"].items())))
    for r in s["refusals"]:
        numbers = ", ".join(f"{k} {v}" for k, v in r["numbers"].items())
        page.item(f"{age(r['age_ms'])} ago {r['market']}: {r['gate']}" + (f" ({numbers})" if numbers else ""))
    for text, n in sorted(c["venue_rejected"].items())[:MOST_ROWS]:
        page.item(f"refused by the exchange, {n} times: {text}")


def age(ms: int) -> str:
    """A duration in at most seven characters."""
    seconds = ms // 1000
    if ms < 10_000:
        return f"{ms / 1000:.1f}s"
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02d}s"
    if seconds < 100 * 3600:
        return f"{seconds // 3600}h{seconds % 3600 // 60:02d}m"
    return f"{seconds // 86_400}d{seconds % 86_400 // 3600:02d}h"
