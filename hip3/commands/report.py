"""`report`: what an account did, from its journal: `report.json`, the page made of it, and tables on stdout. Main.

It reads by a connection of its own, beside a running service or without one, and writes nothing into the state folder.
"""

import argparse
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hip3.clock import SystemClock
from hip3.config.reading import load
from hip3.core.results import DAY_MS
from hip3.errors import ConfigError
from hip3.report.document import report
from hip3.report.journal import newest, read
from hip3.report.page import rows_as_csv, short, write

OK = 0
COLUMNS = {
    "day": ("day", "net_usd", "captured_usd", "moves_usd", "fees_usd", "funding_usd", "round_trips", "wins"),
    "market": (
        "name",
        "net_usd",
        "captured_usd",
        "moves_usd",
        "fees_usd",
        "funding_usd",
        "round_trips",
        "wins",
        "fills",
    ),
    "trip": ("closed_ms", "market", "exit", "held_ms", "entered_usd", "fees_usd", "funding_usd", "net_usd", "net_bps"),
}
GROUPED = ("name", "round_trips", "wins", "net_usd", "fees_usd", "mean_bps", "low_bps", "high_bps")


def run(args: argparse.Namespace, env_file: Path, say: Callable[[str], None]) -> int:
    """The command; its exit code. ConfigError: bad options, no journal, or no lab packages: then only JSON is there."""
    clock = SystemClock()
    since_ms = since(args.days, args.since, clock.wall_ms())
    if args.out.suffix != ".html":
        raise ConfigError([f"--out {args.out}: expected a file that ends in .html; report.json goes beside it"])
    path = args.journal
    if path is None:
        base = load(os.environ, env_file, markets=False)
        path = newest(Path(base.state_dir), base.place)
    facts = read(path, since_ms)
    doc = report(facts, clock.wall_ms())
    if args.csv:
        say(rows_as_csv(table(doc, args.by or "day")).rstrip("\n"))
        return OK
    say(doc["sentence"])
    if args.by is not None:
        say(aligned(table(doc, args.by)))
    write(args.out.parent, doc, args.out.stem)
    say(f"{args.out} of {path}, {args.out.stem}.json beside it")
    return OK


def since(days: int | None, text: str | None, now_ms: int) -> int:
    """Where the span begins, wall milliseconds; 0: with the journal. ConfigError."""
    if days is not None:
        if days < 1:
            raise ConfigError(["--days: expected at least 1"])
        return now_ms - days * DAY_MS
    if text is None:
        return 0
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError([f"--since {text}: expected a UTC time like 2026-09-21T14:00"]) from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()) * 1000


def table(doc: dict[str, Any], by: str) -> list[dict[str, Any]]:
    """The rows of one table, with the columns that are shown."""
    whole = {"day": doc["days"], "trip": doc["trips"], "market": doc["by_market_money"]}
    rows = whole[by] if by in whole else doc["by"][by]
    columns = COLUMNS.get(by, GROUPED)
    return [{key: row[key] for key in columns} for row in rows]


def aligned(rows: list[dict[str, Any]]) -> str:
    """Rows as a table for a terminal."""
    if not rows:
        return "nothing to list"
    cells = [list(rows[0]), *([("?" if v is None else str(short(v))) for v in row.values()] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    lines = ["  ".join(c.ljust(w) if not i else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True)))
             for line in cells]  # fmt: skip
    return "\n".join(line.rstrip() for line in lines)
