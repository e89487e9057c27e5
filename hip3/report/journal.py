"""Reading a journal for a report: by a connection of its own, record by record, while the service may go on writing."""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from hip3.errors import ConfigError
from hip3.ops.history import curve, market_curve
from hip3.report.facts import Facts

KINDS = (
    "start", "connected", "disconnected", "alert", "latch_set", "snapshot", "signal", "episode", "structure",
    "market_gate", "sent", "reply", "order", "exit", "finished", "fill", "funding", "round_trip", "quote_fill",
    "quote_markout",
)  # fmt: skip
"""What `Facts` knows what to do with."""


def newest(root: Path, network: str) -> Path:
    """The journal below a state folder that was written last, of this network. ConfigError if there is none."""
    found = sorted(root.glob(f"{network}-*/journal.db"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise ConfigError([f"there is no journal of {network} below {root}; name one with --journal"])
    return found[-1]


def read(path: Path, since_ms: int = 0, until_ms: int = 1 << 62) -> Facts:
    """All of a span, wall milliseconds. ConfigError: it is no journal, or cannot be read."""
    if not path.is_file():
        raise ConfigError([f"{path}: there is no such file; a journal is state/NETWORK-ACCOUNT/journal.db"])
    facts = Facts()
    marks = ",".join("?" * len(KINDS))
    query = (
        f"SELECT at_ms, kind, body FROM records WHERE at_ms >= ? AND at_ms < ? AND kind IN ({marks}) "  # noqa: S608 marks
        "ORDER BY id"
    )
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=2)) as db:
            for at_ms, kind, body in db.execute(query, (since_ms, until_ms, *KINDS)):
                facts.add(at_ms, kind, body)
    except (sqlite3.Error, msgspec.DecodeError, KeyError) as error:
        raise ConfigError([f"{path} cannot be read as a journal: {error}"]) from None
    _samples(path.with_name("history.db"), facts, since_ms, until_ms)
    return facts


def _samples(history: Path, facts: Facts, since_ms: int, until_ms: int) -> None:
    """Finer prices and equity of the page's past, where they lie beside the journal; without them the minutes' stay."""
    if not history.is_file():
        return
    try:
        equity = [(at, s.equity_usd) for at, s in curve(history, since_ms, min(until_ms, facts.last_ms + 1))]
        fine = {coin: market_curve(history, coin, since_ms) for coin in facts.prices}
    except sqlite3.Error:
        return
    facts.samples(equity, {coin: [(at, *q[:4]) for at, q in rows if at < until_ms] for coin, rows in fine.items()})
