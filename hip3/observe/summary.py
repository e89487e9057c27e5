"""What episodes say, as the section `observed` of a report: every figure as text, from the journal's records. Pure.

Headline is the markout `late` after five seconds: bought when the order would have been executed, if it still could be,
sold at the other side's touch five seconds after the signal, both taker fees paid. All else stands beside it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hip3.core.money import ZERO, div
from hip3.core.results import DAY_MS, rounded
from hip3.observe.episode import Why
from hip3.observe.interval import Estimate, estimate
from hip3.observe.markouts import HORIZONS_S, LATE

HEADLINE_S = "5"
ENOUGH = 100
"""Fillable signals below which nothing is called a gain."""
STRUCTURAL, LEAST_SAMPLES = Decimal("0.5"), 60
"""Share of a market's time in which its book stands further away than a trade costs, and the oracle did not move; of
at least a minute."""
THRESHOLDS = range(2, 31)
KINDS = ("mid_bps", "touch_bps", "net_bps", "late_bps")
_WHYS = tuple(sorted(w.value for w in Why))
_NEW_YORK = ZoneInfo("America/New_York")
Row = tuple[int, dict[str, Any]]
"""Wall time of writing, and the record."""


def hour_of(at_ms: int) -> str:
    """The hour of the day, UTC."""
    return f"{at_ms // 3_600_000 % 24:02d}"


def session_of(at_ms: int) -> str:
    """Where the underlying stocks are: open (09:30 to 16:00 in New York), closed, or weekend."""
    there = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(_NEW_YORK)
    if there.weekday() > 4:
        return "weekend"
    minute = there.hour * 60 + there.minute
    return "us hours" if 9 * 60 + 30 <= minute < 16 * 60 else "us closed"


def observed(rows: Iterable[Row], structures: Iterable[Row], span_ms: int) -> dict[str, Any]:
    """The section. `rows`: records `episode`; `structures`: records `structure`; `span_ms`: how long was looked."""
    all_rows = list(rows)
    why = {kind: [r for r in all_rows if r[1]["episode"]["why"] == kind] for kind in (None, *_WHYS)}
    signals = why[None]
    days = div(Decimal(max(span_ms, 1)), Decimal(DAY_MS))
    structure = _structure(structures)
    headline = _headline(signals, days)
    return {
        "sentence": headline + _traps(structure),
        "days": rounded(days, 3), "near": len(all_rows) - len(signals), "late_ms": _late_ms(all_rows),
        "all": group(signals, days),
        "by_market": _by(signals, days, lambda at, e: str(e["coin"])),
        "by_hour": _by(signals, days, lambda at, e: hour_of(at)),
        "by_session": _by(signals, days, lambda at, e: session_of(at)),
        "near_why": {kind: len(why[kind]) for kind in _WHYS if why[kind]},
        "near_moved": group([r for r in why["edge"] if r[1]["episode"]["moved"]], days),
        "near_still": group(why["oracle"], days),
        "gates": gates(all_rows),
        "thresholds": thresholds(all_rows, days),
        "structure": structure,
    }  # fmt: skip


def _late_ms(rows: Sequence[Row]) -> int | None:
    return rows[-1][1]["late_ms"] if rows else None


def _headline(signals: Sequence[Row], days: Decimal) -> str:
    got = estimate(markout(signals, HEADLINE_S, "late_bps"))
    count = f"{len(signals)} episodes over {rounded(days)} days; "
    if got.mean is None:
        return count + "none could be had at the late price; not enough"
    return count + f"net at the late price {told(got)}; {verdict(got)}"


def told(e: Estimate) -> str:
    """An estimate in words."""
    if e.mean is None:
        return "no data"
    return f"{e.mean} bps " + (
        f"[{e.low}, {e.high}]" if e.low is not None else f"(n {e.n}, too few hours for an interval)"
    )


def verdict(e: Estimate) -> str:
    """not enough, loses, or may pay."""
    return "loses" if e.sign < 0 else "may pay" if e.sign > 0 and e.n >= ENOUGH else "not enough"


def markout(rows: Iterable[Row], s: str, kind: str) -> list[tuple[int, Decimal]]:
    """(when, basis points) of those that have one."""
    out = []
    for at, r in rows:
        for look in r["after"]:
            if look["s"] == s and look[kind] is not None:
                out.append((at, Decimal(look[kind])))
    return out


def group(rows: Sequence[Row], days: Decimal) -> dict[str, Any]:
    """The figures of some episodes."""
    late = [look for _, r in rows for look in r["after"] if look["s"] == LATE and look["missing"] is None]
    had = sum(Decimal(look["takable"] or "0") > 0 for look in late)
    edges = [Decimal(r["episode"]["edge_bps"]) for _, r in rows]
    less = [_less_baseline(r["episode"]) for _, r in rows]
    gross = [
        (at, value + 2 * Decimal(r["episode"]["fee_bps"]))
        for at, r in rows for _, value in markout([(at, r)], HEADLINE_S, "late_bps")
    ]  # fmt: skip
    mean = estimate(gross).mean
    return {
        "episodes": len(rows), "per_day": rounded(div(Decimal(len(rows)), days), 1),
        "followed_late": len(late), "fillable": _share(had, len(late)),
        "edge_bps": _mean(edges), "edge_less_baseline_bps": _mean([v for v in less if v is not None]),
        "late": {str(s): _plain(estimate(markout(rows, str(s), "late_bps"))) for s in HORIZONS_S},
        "markouts": {k.removesuffix("_bps"): _means(rows, k) for k in KINDS},
        "closed": _closed(rows),
        "breakeven_fee_bps": None if mean is None else rounded(Decimal(mean) / 2),
        "missing": sum(look["missing"] is not None for _, r in rows for look in r["after"]),
    }  # fmt: skip


def _plain(e: Estimate) -> dict[str, Any]:
    return {"n": e.n, "mean_bps": e.mean, "low_bps": e.low, "high_bps": e.high}


def _less_baseline(e: dict[str, Any]) -> Decimal | None:
    """An edge less where the book usually stands; a buy's edge is what the middle is below its oracle."""
    if e["baseline_bps"] is None:
        return None
    sign = 1 if e["side"] == "B" else -1
    return Decimal(e["edge_bps"]) + sign * Decimal(e["baseline_bps"])


def _closed(rows: Sequence[Row]) -> dict[str, str | None]:
    """By what half of the edge was gone within the last horizon; of those watched without a hole."""
    whole = [r for _, r in rows if not r["cut"]]
    by = Counter(r["closed_by"] or "not" for r in whole)
    return {name: _share(by[name], len(whole)) for name in ("oracle", "quote", "not")}


def _share(part: int, whole: int) -> str | None:
    return rounded(div(Decimal(part), Decimal(whole)), 4) if whole else None


def _mean(values: Sequence[Decimal]) -> str | None:
    return rounded(div(sum(values, ZERO), Decimal(len(values)))) if values else None


def _means(rows: Sequence[Row], kind: str) -> dict[str, str | None]:
    return {str(s): _mean([v for _, v in markout(rows, str(s), kind)]) for s in HORIZONS_S}


def _by(rows: Sequence[Row], days: Decimal, key: Callable[[int, dict[str, Any]], str]) -> dict[str, Any]:
    parts: dict[str, list[Row]] = {}
    for row in rows:
        parts.setdefault(key(row[0], row[1]["episode"]), []).append(row)
    return {name: group(part, days) for name, part in sorted(parts.items())}


def gates(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What each gate refused, and what that would have made: a gate that refuses winners is shown as such."""
    refused: dict[str, list[Row]] = {}
    for row in rows:
        e, asked = row[1]["episode"], row[1]["gates"]
        name = e["gate"] if e["why"] == "gate" else asked["first"] if e["why"] is None and asked else None
        if name is not None:
            refused.setdefault(str(name), []).append(row)
    out = []
    for name, part in sorted(refused.items()):
        got = estimate(markout(part, HEADLINE_S, "late_bps"))
        word = {1: "refuses winners", -1: "refuses losers", 0: "not enough to say"}[got.sign]
        out.append({"gate": name, "refused": len(part), **_plain(got), "word": word})
    return out


def thresholds(rows: Sequence[Row], days: Decimal) -> dict[str, str | None]:
    """Episodes a day whose oracle had moved, by the least edge in basis points; null: so small gaps are not noted."""
    noted = [Decimal(r["episode"]["cost_bps"]) / 2 for _, r in rows]
    least = max(noted, default=None)
    edges = [Decimal(r["episode"]["edge_bps"]) for _, r in rows if r["episode"]["moved"]]
    return {
        str(bps): None if least is None or bps < least else rounded(div(Decimal(sum(e >= bps for e in edges)), days), 1)
        for bps in THRESHOLDS
    }  # fmt: skip


def _structure(records: Iterable[Row]) -> dict[str, Any]:
    """By market: the median of the ten minutes' medians, and how much of the time the book stood away by itself."""
    by: dict[str, list[dict[str, Any]]] = {}
    for _, r in records:
        by.setdefault(str(r["coin"]), []).append(r)
    out = {}
    for coin, part in sorted(by.items()):
        medians = sorted(Decimal(r["median_bps"]) for r in part if r["median_bps"] is not None)
        samples, still = sum(r["samples"] for r in part), sum(r["still"] for r in part)
        share = div(Decimal(still), Decimal(samples)) if samples else ZERO
        out[coin] = {
            "median_bps": rounded(medians[len(medians) // 2]) if medians else None, "samples": samples,
            "over": _share(sum(r["over"] for r in part), samples), "still": _share(still, samples),
            "structural": share >= STRUCTURAL and samples >= LEAST_SAMPLES and bool(medians),
        }  # fmt: skip
    return out


def _traps(structure: dict[str, Any]) -> str:
    found = [
        f"{coin}: a structural gap, no lag: the middle stands {s['median_bps']} bps from the oracle, and for "
        f"{Decimal(s['still']) * 100:.0f} % of the time a touch was further away than a trade costs without the oracle "
        "having moved there"
        for coin, s in structure.items() if s["structural"]
    ]  # fmt: skip
    return "".join(f". {text}" for text in found)


def lines(section: dict[str, Any]) -> list[tuple[str, str]]:
    """The section as rows of a closing table."""
    a = section["all"]
    five = a["late"][HEADLINE_S]
    rows = [
        ("observed", section["sentence"]),
        (
            "near misses",
            f"{section['near']} ({', '.join(f'{k} {v}' for k, v in section['near_why'].items()) or 'none'})",
        ),
    ]
    if a["episodes"]:
        closed = _pairs(a["closed"])
        marks = _pairs({f"{s} s": e["mean_bps"] for s, e in a["late"].items()})
        rows += [
            (f"fillable after {section['late_ms']} ms", f"{a['fillable'] or 'no data'} of {a['followed_late']}"),
            ("net at the late price", f"{marks} (bps)"), ("net after 5 s, n", str(five["n"])),
            ("half of the edge closed by", closed),
            ("edge less baseline", f"{a['edge_less_baseline_bps'] or 'no data'} bps"),
            ("break-even fee", f"{a['breakeven_fee_bps'] or 'no data'} bps a leg"),
            ("follow-ups missing", str(a["missing"])),
        ]  # fmt: skip
    for g in section["gates"]:
        rows.append((f"refused by {g['gate']}", f"{g['refused']}, {g['mean_bps'] or 'no data'} bps: {g['word']}"))
    for coin, s in section["structure"].items():
        word = "structural" if s["structural"] else "ordinary"
        rows.append((f"{coin} gap", f"{s['median_bps'] or 'no data'} bps, {word}"))
    return rows


def _pairs(of: dict[str, Any]) -> str:
    return ", ".join(f"{name} {'no data' if value is None else value}" for name, value in of.items())


def closing(section: dict[str, Any]) -> list[str]:
    """The section as the last lines of a run or a replay, name first."""
    rows = lines(section)
    width = max(len(name) for name, _ in rows) + 3
    return [f"{name:<{width}}{value}" for name, value in rows]
