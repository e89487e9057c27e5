"""The same replay under other suppositions: who wins the races, how long orders travel, how far they move prices, how
large they are, what fees are.

Each is a replay of its own, in a process of its own where there are cores for it. What comes out does not depend on
how many ran at a time.
"""

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from hip3.core.money import TEN_THOUSAND, div
from hip3.core.results import net, plain, rounded
from hip3.replay.head import Head
from hip3.replay.once import Once, once
from hip3.report.document import closed
from hip3.venue.market.filling import parse_fills

KEYS = (
    "orders", "fills", "round_trips", "wins", "net_usd", "open_usd", "gross_usd", "fees_usd", "funding_usd",
    "notional_usd", "net_bps_of_notional", "problem",
)  # fmt: skip
SHARE = "share:0.5"
"""Of the middle of the band, where no other was asked for: nobody has measured how often live orders win."""
LATENCIES, IMPACTS, SIZES, FEES = ("0.5", "1", "2"), ("0", "0.5", "1"), ("0.5", "1", "2"), ("0.5", "1", "2")


class Variant(NamedTuple):
    """One supposition. `group` and `name` are where it stands in the report."""

    group: str
    name: str
    options: dict[str, Any]
    """Of the command, in place of those that were given."""


def variants(args: argparse.Namespace, head: Head) -> list[Variant]:
    """What is to be run beside the headline: both ends of the race and its middle; by `--sensitivity` the rest.

    Without recorded trades nobody knows what was contested: the band has its two ends alone.
    """
    if args.own or args.no_band:
        return []
    asked = parse_fills(args.fills).text
    middle = [asked if asked.startswith("share") else SHARE] if head.trades else []
    band = [Variant("race_band", name, {"fills": name}) for name in ("pessimistic", *middle, "optimistic")]
    if args.sensitivity:
        band += [Variant("latency_times", x, {"latency_times": x}) for x in LATENCIES]
        band += [Variant("impact", x, {"impact": x}) for x in IMPACTS]
        band += [Variant("size_times", x, {"size_times": x}) for x in SIZES]
    return band


def same(args: argparse.Namespace, variant: Variant) -> bool:
    """Whether a variant is the headline itself."""
    return all(str(getattr(args, name)) == value for name, value in variant.options.items())


def run_all(
    args: argparse.Namespace, head: Head, env_file: Path | None, headline: dict[str, Any]
) -> Iterator[tuple[Variant, dict[str, Any]]]:
    """Each variant with its figures, in order; what is the headline itself is not run again.

    The others of the race band have their closed result over time, too, as `curve`.
    """
    wanted = variants(args, head)
    others = [v for v in wanted if not same(args, v)]
    asked = [argparse.Namespace(**(vars(args) | v.options)) for v in others]
    results = _results(asked, head, env_file, min(args.jobs or os.cpu_count() or 1, len(others)))
    for variant in wanted:
        report = headline if same(args, variant) else next(results)
        curve = {"curve": report["curve"]} if variant.group == "race_band" and "curve" in report else {}
        yield variant, {key: report[key] for key in KEYS} | curve


def _results(asked: list[argparse.Namespace], head: Head, env_file: Path | None, jobs: int) -> Iterator[dict[str, Any]]:
    if jobs <= 1:
        for args in asked:
            yield _report(args, head, env_file)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_report, asked, [head] * len(asked), [env_file] * len(asked))


def _report(args: argparse.Namespace, head: Head, env_file: Path | None) -> dict[str, Any]:
    run: Once = once(args, head, env_file)
    return run.report | {"curve": closed(run.rows)}


def groups(found: list[tuple[Variant, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """As it stands in the report: `race_band`, and under `sensitivity` the others, each name -> figures."""
    out: dict[str, dict[str, Any]] = {}
    for variant, figures in found:
        where = out if variant.group == "race_band" else out.setdefault("sensitivity", {})
        where.setdefault(variant.group, {})[variant.name] = figures
    if "sensitivity" in out:
        headline = next(f for v, f in found if v.group == "size_times" and v.name == "1")
        out["sensitivity"]["fees_times"] = {times: at_fees(headline, times) for times in FEES}
    return out


def at_fees(figures: dict[str, Any], times: str) -> dict[str, Any]:
    """The same fills at so many times their fees: no other replay, since what was decided is not to change."""
    fees, volume = Decimal(figures["fees_usd"]) * Decimal(times), Decimal(figures["notional_usd"])
    total = net(Decimal(figures["gross_usd"]), fees, Decimal(figures["funding_usd"]))
    bps = rounded(div(total * TEN_THOUSAND, volume), 4) if volume else None
    wins = figures["wins"] if times == "1" else None
    return figures | {"fees_usd": plain(fees), "net_usd": plain(total), "net_bps_of_notional": bps, "wins": wins}


TITLES = {
    "race_band": "who wins the race", "latency_times": "latency, times", "impact": "impact of own orders",
    "size_times": "size and limits, times", "fees_times": "fees, times",
}  # fmt: skip


def table(report: dict[str, Any]) -> str:
    """For people; `*` marks the headline's own row."""
    headline, lines = report["fill_model"], list[str]()
    for group, rows in {"race_band": report.get("race_band", {}), **report.get("sensitivity", {})}.items():
        if not rows:
            continue
        lines.append(
            f"{TITLES[group]:<22}{'net USD':>12}{'open':>10}{'fees':>10}{'orders':>8}{'fills':>7}{'trips':>7}{'won':>6}"
        )
        for name, f in rows.items():
            mark = "*" if group == "race_band" and name == headline else " "
            lines.append(
                f" {mark} {name:<19}{f['net_usd']:>12}{f['open_usd']:>10}{f['fees_usd']:>10}{f['orders']:>8}"
                f"{f['fills']:>7}{f['round_trips']:>7}{'–' if f['wins'] is None else f['wins']:>6}"
            )
    return "\n".join(lines)
