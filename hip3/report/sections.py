"""The parts of a report: what trips came to by this and that, how well was filled, how fast, what quotes did. Pure.

All figures are text or whole numbers; what is not known is null. Groups are lists of rows in a fixed order.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

from hip3.core.money import ZERO, div
from hip3.core.results import QUOTE_HORIZONS_S, Mean, markout_bps, plain, rounded, split
from hip3.observe.interval import Estimate, estimate
from hip3.observe.markouts import HORIZONS_S
from hip3.observe.summary import hour_of, session_of
from hip3.ops.figures import percentile
from hip3.report.facts import Done, Facts, Trip

HOLDING = (
    (1000, "under 1 s"),
    (5000, "1 to 5 s"),
    (10_000, "5 to 10 s"),
    (30_000, "10 to 30 s"),
    (60_000, "30 to 60 s"),
)
LONGER = "over 60 s"
LATENCY_US = (100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 150_000, 250_000, 500_000, 1_000_000)
SLIPPAGE_BPS = tuple(Decimal(b) for b in (-20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20, 50, 100))
MOST_TRIPS = 2000


def holding(held_ms: int) -> str:
    """The bucket of a holding time."""
    return next((name for most, name in HOLDING if held_ms < most), LONGER)


KEYS: dict[str, Callable[[Trip], str]] = {
    "market": lambda t: t.coin,
    "exit": lambda t: t.exit,
    "hour": lambda t: hour_of(t.closed_ms),
    "session": lambda t: session_of(t.closed_ms),
    "holding": lambda t: holding(t.closed_ms - t.opened_ms),
}
"""What round trips are grouped by."""


def grouped(trips: Iterable[Trip], by: str) -> list[dict[str, Any]]:
    """Round trips by one of `KEYS`."""
    parts: dict[str, list[Trip]] = {}
    for trip in trips:
        parts.setdefault(KEYS[by](trip), []).append(trip)
    names = [*(n for _, n in HOLDING), LONGER] if by == "holding" else sorted(parts)
    return [_row(name, parts[name]) for name in names if name in parts]


def _row(name: str, trips: Sequence[Trip]) -> dict[str, Any]:
    wins = sum(t.net > 0 for t in trips)
    parts = ("net", "realized", "fees", "funding")
    sums = {part: plain(sum((getattr(t, part) for t in trips), ZERO)) for part in parts}
    return {
        "name": name, "round_trips": len(trips), "wins": wins,
        "win_rate": rounded(div(Decimal(wins), Decimal(len(trips))), 4),
        **{f"{part}_usd": value for part, value in sums.items()},
        **estimated(estimate((t.closed_ms, t.net_bps) for t in trips)),
    }  # fmt: skip


def estimated(e: Estimate) -> dict[str, Any]:
    """A mean of basis points with its interval."""
    return {"n": e.n, "mean_bps": e.mean, "low_bps": e.low, "high_bps": e.high}


def markets(facts: Facts) -> list[dict[str, Any]]:
    """The money of each market, split as all of it is. Its open positions are left out: only what was closed counts."""
    nothing = type(facts.money)().sums(ZERO)
    return [
        {"name": coin, "fills": m.fills, "volume_usd": rounded(m.volume)} | split(m.sums(ZERO), nothing)
        for coin, m in sorted(facts.by_market.items())
    ]


# Fills.


def quality(facts: Facts) -> dict[str, Any]:
    """How orders were filled: worse than the touch that they were decided by, and what was left of the edge."""
    entries = [d for d in facts.done if d.entry and not d.quote]
    exits = [d for d in facts.done if not d.entry]
    kept = [(d.at_ms, d.edge_bps - d.slippage_bps) for d in entries if d.slippage_bps is not None]
    wanted, got = sum((d.wanted for d in entries), ZERO), sum((d.executed for d in entries), ZERO)
    return {
        "entries_sent": facts.sent_entries, "entries_filled": len(entries),
        "fill_rate": _share(Decimal(len(entries)), Decimal(facts.sent_entries)), "size_filled": _share(got, wanted),
        "entry_slippage": _slippage(entries), "exit_slippage": _slippage(exits),
        "edge_decided": estimated(estimate((d.at_ms, d.edge_bps) for d in entries)),
        "edge_executed": estimated(estimate(kept)),
        "markouts": taken_markouts(facts, entries),
    }  # fmt: skip


def _share(part: Decimal, whole: Decimal) -> str | None:
    return rounded(div(part, whole), 4) if whole else None


def _slippage(done: Sequence[Done]) -> dict[str, Any]:
    values = [(d.at_ms, d.slippage_bps) for d in done if d.slippage_bps is not None]
    counts = _counts([v for _, v in values], SLIPPAGE_BPS)
    names = [f"to {b}" for b in SLIPPAGE_BPS] + [f"over {SLIPPAGE_BPS[-1]}"]
    return estimated(estimate(values)) | {"bins": names, "counts": counts}


def _counts(values: Sequence[Any], bounds: Sequence[Any]) -> list[int]:
    """How many are at most each bound and above the one before; the last: above all."""
    out = [0] * (len(bounds) + 1)
    for value in values:
        out[next((i for i, bound in enumerate(bounds) if value <= bound), len(bounds))] += 1
    return out


def taken_markouts(facts: Facts, entries: Sequence[Done]) -> dict[str, Any]:
    """What taken entries were worth at the middle some seconds later, of the price they executed at; by seconds.

    Where follow-ups are on: without them nothing says what prices did.
    """
    by_cloid = {d.cloid: d for d in entries}
    found: dict[str, list[tuple[int, Decimal]]] = {str(s): [] for s in HORIZONS_S}
    for at_ms, f in facts.episodes:
        done = by_cloid.get(facts.taken.get((f["run"], f["episode"]["signal_id"]), ""))
        for look in f["after"] if done is not None else ():
            if look["s"] in found and look["bid"] is not None:
                assert done is not None
                mid = (Decimal(look["bid"]["px"]) + Decimal(look["ask"]["px"])) / 2
                found[look["s"]].append((at_ms, markout_bps(done.side.sign, done.avg_px, mid)))
    return {s: estimated(estimate(values)) for s, values in found.items()}


# Time.


def latency(facts: Facts) -> dict[str, Any]:
    """Both legs that a journal knows: from a signal to the socket, from there to the reply. Milliseconds as text."""
    return {
        "signal_to_sent": _leg(facts.decided_us),
        "sent_to_reply": _leg(facts.reply_us),
        "bins": [f"to {rounded(Decimal(us) / 1000, 2 if us < 1000 else 0)} ms" for us in LATENCY_US] + ["over 1000 ms"],
    }


def _leg(samples_us: list[int]) -> dict[str, Any]:
    def ms(share: int) -> str | None:
        return rounded(Decimal(percentile(samples_us, share)) / 1000, 3) if samples_us else None

    return {
        "n": len(samples_us), "p50_ms": ms(50), "p95_ms": ms(95), "p99_ms": ms(99), "max_ms": ms(100),
        "counts": _counts(samples_us, LATENCY_US),
    }  # fmt: skip


# Quotes.


def quotes(facts: Facts) -> list[dict[str, Any]]:
    """One row for each quoted market. Uptime is of the minutes' statuses, weighted by runs."""
    return [
        {
            "name": coin, "fills": q.fills, "captured_bps": _mean(q.captured), "captured_usd": plain(q.captured.usd),
            "volume_usd": rounded(q.captured.usd_volume),
            "markout_bps": {str(s): _mean(q.markouts.get(s)) for s in QUOTE_HORIZONS_S},
            "uptime_ratio": _uptime(q.uptime), "completions": q.completions,
            "stances": dict(sorted(q.stances.items())),
        }
        for coin, q in sorted(facts.quotes.items())
    ]  # fmt: skip


def _mean(mean: Mean | None) -> str | None:
    return None if mean is None or mean.value is None else rounded(mean.value)


def _uptime(runs: list[tuple[int, Decimal]]) -> str | None:
    weight = sum(n for n, _ in runs)
    return rounded(div(sum((n * ratio for n, ratio in runs), ZERO), Decimal(weight)), 4) if weight else None


# The table of round trips.


def trip_rows(trips: Sequence[Trip]) -> list[dict[str, Any]]:
    """The newest round trips, the newest first."""
    newest = sorted(trips, key=lambda t: t.closed_ms, reverse=True)[:MOST_TRIPS]
    return [
        {
            "closed_ms": t.closed_ms, "market": t.coin, "kind": "quote" if t.quoted else "take",
            "held_ms": t.closed_ms - t.opened_ms, "entry_px": f"{t.entry_px:.8g}", "exit_px": f"{t.exit_px:.8g}",
            "entered_usd": rounded(t.entered_usd), "realized_usd": plain(t.realized), "fees_usd": plain(t.fees),
            "funding_usd": plain(t.funding), "net_usd": plain(t.net), "net_bps": rounded(t.net_bps),
            "edge_bps": None if t.edge_bps is None else rounded(t.edge_bps), "exit": t.exit,
        }
        for t in newest
    ]  # fmt: skip


def streaks(curve: Sequence[tuple[int, Decimal]]) -> list[tuple[int, Decimal]]:
    """How far below its highest each point of the closed result is; 0 or negative."""
    best, out = ZERO, []
    for at_ms, usd in curve:
        best = max(best, usd)
        out.append((at_ms, usd - best))
    return out


def profit_factor(trips: Sequence[Trip]) -> str | None:
    """What winners gained for each dollar that losers lost; null without a loser."""
    gained = sum((t.net for t in trips if t.net > 0), ZERO)
    lost = -sum((t.net for t in trips if t.net < 0), ZERO)
    return rounded(div(gained, lost)) if lost else None


def spread_of(bid: str | None, ask: str | None) -> Decimal | None:
    """The middle of a two-sided quotation."""
    if bid is None or ask is None:
        return None
    return (Decimal(bid) + Decimal(ask)) / 2
