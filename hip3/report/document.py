"""`report.json`: the whole report as one value, of which the page is made; nothing is left to compute. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hip3.core.money import TEN_THOUSAND, ZERO, div
from hip3.core.results import DAY_MS, net, plain, rounded, split
from hip3.observe.interval import estimate
from hip3.observe.summary import observed, told, verdict
from hip3.ops.figures import percentile
from hip3.report import sections
from hip3.report.facts import Facts, Money
from hip3.report.thin import thin

SCHEMA = 2
MOST_MARKS = 4000
"""Fills and signals of one market in its picture: a fill is never left out below that; beyond, the newest are shown."""
MOST_DETAILED = 30
"""Markets with a picture of their own: those with the most fills."""


def account(facts: Facts) -> dict[str, Any]:
    """The figures at the top of a live account's report: the same names as a replay's."""
    m = facts.money
    total = net(m.realized, m.fees, m.funding)
    return {
        "signals": facts.signals, "orders": facts.sent, "fills": m.fills, "round_trips": m.trips, "wins": m.wins,
        "net_usd": plain(total), "gross_usd": plain(m.realized), "fees_usd": plain(m.fees),
        "funding_usd": plain(m.funding), "notional_usd": plain(m.volume),
        "net_bps_of_notional": rounded(div(total * TEN_THOUSAND, m.volume), 4) if m.volume else None,
        "refused_by_gate": dict(sorted(facts.refused_by_gate.items())),
        "refused_by_exchange": dict(sorted(facts.refused_by_exchange.items())),
        "exits": dict(sorted(facts.exits.items())),
    }  # fmt: skip


def told_of(facts: Facts) -> dict[str, Any]:
    """What a journal says beyond the figures at the top."""
    whole = split(facts.money.sums(facts.opened.usd), Money().sums(facts.opened.began_usd))
    result = estimate((t.closed_ms, t.net_bps) for t in facts.trips)
    falls = sections.streaks(facts.curve)
    return {
        "sentence": sentence(facts, whole),
        "from_ms": facts.first_ms, "to_ms": facts.last_ms,
        "split": whole, "days": days(facts),
        "trip_result": sections.estimated(result), "verdict": verdict(result),
        "profit_factor": sections.profit_factor(facts.trips),
        "drawdown_usd": plain(-min((usd for _, usd in falls), default=ZERO)),
        "curve": _points(facts.curve), "drawdown": _points(falls), "equity": _points(facts.equity),
        "funnel": _funnel(facts), "by": {name: sections.grouped(facts.trips, name) for name in sections.KEYS},
        "by_market_money": sections.markets(facts), "quality": sections.quality(facts),
        "timing": sections.latency(facts), "quotes": sections.quotes(facts),
        "blocked": [{"market": c, "gate": g, "seconds": ms // 1000} for (c, g), ms in sorted(facts.blocked_ms.items())],
        "observed": _observed(facts), "pictures": pictures(facts), "trips": sections.trip_rows(facts.trips),
        "trips_left_out": max(0, len(facts.trips) - sections.MOST_TRIPS),
        "alerts": [[at, text] for at, text in facts.alerts[-200:]], "gaps_ms": [list(gap) for gap in facts.gaps],
        "notes": notes(facts),
    }  # fmt: skip


def report(facts: Facts, made_ms: int) -> dict[str, Any]:
    """The report of a live account."""
    snap = facts.snap
    head = {
        "schema": SCHEMA, "what": "report", "version": facts.version, "made_ms": made_ms, "account": snap.account,
        "network": snap.network, "mode": snap.mode, "runs": facts.runs,
    }  # fmt: skip
    return head | account(facts) | told_of(facts)


def sentence(facts: Facts, whole: dict[str, Any]) -> str:
    """What stands first."""
    if not facts.money.fills:
        seen, moved = _observed(facts), whole["net_usd"]
        if moved not in (None, "0"):
            return f"Nothing was traded; what is held moved by {rounded(Decimal(moved), 4)} USD, funding included."
        return "Nothing was traded." if seen is None else f"Nothing was traded. {seen['sentence']}."
    usd = whole["net_usd"]
    m = facts.money
    result = estimate((t.closed_ms, t.net_bps) for t in facts.trips)
    closed = rounded(net(m.realized, m.fees, m.funding), 4)
    amount = (
        f"net {rounded(Decimal(usd), 4)} USD" if usd is not None else f"{closed} USD closed, open positions unknown"
    )
    return f"{m.trips} round trips, {amount}; per round trip {told(result)}: {verdict(result)}."


def days(facts: Facts) -> list[dict[str, Any]]:
    """Each UTC day, split as the live page splits today: by the same function, from what it began with."""
    edges = [sums for _, sums in facts.days] + [facts.money.sums(facts.opened.usd)]
    edges[0] = Money().sums(facts.opened.began_usd)  # what was open then was told after the first record
    return [
        {"day": day_of(number)} | split(edges[i + 1], edges[i]) for i, (number, _) in enumerate(facts.days)
    ]  # fmt: skip


def day_of(number: int) -> str:
    """A day number as its date."""
    return datetime.fromtimestamp(number * DAY_MS / 1000, UTC).strftime("%Y-%m-%d")


def _funnel(facts: Facts) -> list[list[Any]]:
    entries = [d for d in facts.done if d.entry and not d.quote]
    taken = [t for t in facts.trips if not t.quoted]
    return [
        ["signals", facts.signals], ["passed the gates", facts.queued], ["sent", facts.sent_entries],
        ["filled", len(entries)], ["round trips", len(taken)], ["won", sum(t.net > 0 for t in taken)],
    ]  # fmt: skip


def _observed(facts: Facts) -> dict[str, Any] | None:
    if not facts.episodes and not facts.structures:
        return None
    return observed(facts.episodes, facts.structures, facts.last_ms - facts.first_ms)


def _points(points: list[tuple[int, Decimal]]) -> list[list[Any]]:
    return [[at, plain(usd)] for at, usd in thin(points, lambda p: p[0], lambda p: p[1])]


def closed(rows: Iterable[tuple[int, str, str]]) -> list[list[Any]]:
    """The closed result over time of a journal's records, thinned."""
    facts = Facts()
    for at_ms, kind, body in rows:
        facts.add(at_ms, kind, body)
    return _points(facts.curve)


def pictures(facts: Facts) -> dict[str, Any]:
    """By market: quotations, fills, signals, entry to exit."""
    counts = {coin: (money.fills, coin) for coin, money in facts.by_market.items()}
    order = sorted(facts.prices, key=lambda coin: counts.get(coin, (0, coin)), reverse=True)[:MOST_DETAILED]
    return {coin: _picture(facts, coin) for coin in sorted(order)}


def _picture(facts: Facts, coin: str) -> dict[str, Any]:
    looks = sorted(facts.prices[coin], key=lambda row: row[0])  # those after an episode are told with its last
    rows = thin(looks, lambda row: row[0], lambda row: sections.spread_of(row[1], row[2]))
    fills = [f for f in facts.fills if f[1] == coin]
    signals = [s for s in facts.marks if s[1] == coin]
    return {
        "prices": [list(row) for row in rows],
        "fills": [[at, side, px, sz, ours] for at, _, side, px, sz, ours in fills[-MOST_MARKS:]],
        "signals": [[at, side, px, gate] for at, _, side, px, gate in signals[-MOST_MARKS:]],
        "trips": [
            [t.opened_ms, t.closed_ms, f"{t.entry_px:.8g}", f"{t.exit_px:.8g}", plain(t.net)]
            for t in facts.trips if t.coin == coin
        ][-MOST_MARKS:],
        "left_out": max(0, len(fills) - MOST_MARKS) + max(0, len(signals) - MOST_MARKS),
    }  # fmt: skip


def notes(facts: Facts) -> list[str]:
    """What the figures cannot say."""
    out = [
        "Result and days go by the journal: what it was not told, such as deposits and fills of before, is not in them."
    ]
    if facts.money.volume:
        out.append("What our own orders did to prices is in no figure: they were small, or it cannot be told apart.")
    result = estimate((t.closed_ms, t.net_bps) for t in facts.trips)
    if facts.trips and result.low is None:
        out.append("There are too few hours for an interval: a mean of so few round trips is no expectation.")
    if not facts.episodes:
        out.append("Signals were not followed (HIP3_FOLLOWUPS): what refused ones would have made is not known.")
    elif facts.episodes[-1][1].get("late_ms") is not None:
        late = facts.episodes[-1][1]["late_ms"]
        own = facts.episodes[-1][1].get("late_own", False)
        whose = "as this account's own orders travelled" if own else "as the project has measured it, not this account"
        out.append(f"The late price is the touch {late} ms after a signal, {whose}.")
        if facts.reply_us and not own:
            answered = percentile(facts.reply_us, 50) // 1000
            out.append(
                f"This account's own orders were answered after {answered} ms in the middle, the way back included."
            )
    if any(r[1]["episode"]["why"] is None and r[1]["gates"] and not r[1]["gates"]["decided"] for r in facts.episodes):
        out.append("Nothing was traded while observing: the gates are those of a flat account with these limits.")
    if facts.prices:
        out.append(
            "Prices in pictures are looks: one a minute, more after followed signals and in a service's last hour."
        )
    if facts.opened.usd is None:
        out.append(
            "Open positions have no mark since their last fill: moves and net are not known, only what was closed."
        )
    if facts.gaps:
        seconds = sum(b - a for a, b in facts.gaps) // 1000
        out.append(
            f"There was no connection {len(facts.gaps)} times, {seconds} s in all: nothing is known of these times."
        )
    if facts.trips and facts.last_ms - facts.first_ms < 60 * DAY_MS:
        out.append("Nothing is annualised: it takes sixty days for that.")
    return out
