"""What a replay came to: `report.json` from its journal and the exchange's own books, and the hash over all of it."""

import hashlib
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from hip3.core.money import TEN_THOUSAND, ZERO, div, half_even
from hip3.errors import ConfigError
from hip3.replay.head import Head
from hip3.replay.run import Ask, Replay
from hip3.venue.engine.account import Position
from hip3.version import __version__

SCHEMA = 1
UNHASHED = frozenset({"start", "stop", "snapshot"})
"""Records with folders, versions and whole statuses in them."""


Rows = list[tuple[int, str, str]]
"""(wall time, kind, body as JSON)."""


def journal_of(state: Path) -> Path:
    """The one journal below a state folder."""
    return next(state.glob("*/journal.db"))


def records(journal: Path) -> Rows:
    """(wall time, kind, body as JSON) of all records, in order of writing. ConfigError: it is no journal."""
    try:
        with closing(sqlite3.connect(f"{journal.resolve().as_uri()}?mode=ro", uri=True)) as db:
            return db.execute("SELECT at_ms, kind, body FROM records ORDER BY id").fetchall()
    except sqlite3.Error as error:
        raise ConfigError([f"{journal} cannot be read as a journal: {error}"]) from None


def hash_of(rows: Rows, report: dict[str, Any]) -> str:
    """SHA-256 over what happened and what came of it: the same on every machine."""
    sha = hashlib.sha256()
    for at_ms, kind, body in rows:
        if kind not in UNHASHED:
            sha.update(f"{at_ms} {kind} {body}\n".encode())
    sha.update(msgspec.json.encode(report, order="sorted"))
    return sha.hexdigest()


def text(value: Decimal) -> str:
    """A decimal as text, without an exponent."""
    return format(value.normalize(), "f") if value else "0"


def report_of(ask: Ask, head: Head, done: Replay) -> dict[str, Any]:
    """The figures, decimals as text. The account's are the exchange's own."""
    figures, account = done.app.running.journal.figures, done.venue.engine.account(done.user)
    assert account is not None
    fills = account.fills
    realized = sum((Decimal(str(f["closedPnl"])) for f in fills), ZERO)
    fees = sum((Decimal(str(f["fee"])) for f in fills), ZERO)
    funding = sum((Decimal(str(r["delta"]["usdc"])) for r in account.funding_rows), ZERO)
    marks = done.venue.engine.marks()
    held = [(coin, p) for dex in account.dexs.values() for coin, p in dex.positions.items() if p.szi]
    open_ones = [_open(coin, p, marks[coin]) for coin, p in held]
    open_usd = sum((p.unrealized(marks[coin]) for coin, p in held), ZERO)
    notional = sum((Decimal(str(f["px"])) * Decimal(str(f["sz"])) for f in fills), ZERO)
    net = realized - fees + funding
    trading = done.app.running.trading
    per_notional = text(half_even(div(net * TEN_THOUSAND, notional), 4)) if notional else None
    blocks = {} if trading is None else {k: str(v) for k, v in sorted(trading.gates.blocks.items())}
    return {
        "schema": SCHEMA,
        "version": __version__,
        "signals": figures.signals,
        "orders": figures.sent,
        "fills": len(fills),
        "round_trips": figures.round_trips,
        "wins": figures.wins,
        "net_usd": text(net),
        "open_usd": text(half_even(open_usd, 6)),  # what is held, at its marks; no part of net
        "gross_usd": text(realized),
        "fees_usd": text(fees),
        "funding_usd": text(funding),
        "notional_usd": text(notional),
        "net_bps_of_notional": per_notional,
        "open_positions": open_ones,
        "refused_by_gate": dict(sorted(figures.refused_by_gate.items())),
        "market_gate_blocks": blocks,
        "refused_by_exchange": dict(sorted(figures.venue_rejected.items())),
        "exits": dict(sorted(figures.exits.items())),
        "frames": done.source.frames,
        "frames_digest": done.source.digest,
        "first_ms": done.wall_first_ms,
        "last_ms": done.wall_last_ms,
        "fill_model": "own" if ask.own else ask.model.fills.text,
        "queue_model": ask.model.queue.text,
        "behind_touch": ask.model.behind,
        "impact": text(ask.model.impact),
        "size_beyond_evidence": _beyond(done),
        "latency": ask.latency.source,
        "seed": ask.seed,
        "balance_usd": text(ask.balance),
        "markets": sorted(ask.coins),
        "gaps": [[at, why] for at, why in done.source.gaps],
        "unreadable": len(done.source.damage),
        "assumed": [*head.assumed, *_assumed(ask, head)],
        "problem": done.problem,
        "incomplete": done.incomplete,
        "trades": [_fill(f) for f in fills],
    }


def _open(coin: str, position: Position, mark: Decimal) -> dict[str, str]:
    """What is still held of a market."""
    entry = half_even(position.entry_px, 8)
    return {"market": coin, "size": text(position.szi), "entry_px": text(entry), "mark_px": text(mark)}


MOST_LARGE = Decimal("0.2")


def _beyond(done: Replay) -> bool:
    """More than a fifth of what was taken was more than half of what stood there: nobody knows what that would do."""
    offers = done.venue.offers
    return offers.large > MOST_LARGE * offers.notional


def _assumed(ask: Ask, head: Head) -> list[str]:
    out = [f"a context reached us as late as a touch did in the middle: {head.lag_ms} ms"]
    if ask.latency.source.startswith("assumed"):
        out.append("latency is not this account's: the project's own figures")
    if head.held:
        what = ", ".join(held.text for held in head.held)
        begins = "flat" if not ask.own or ask.from_ns is not None else "with it, at its mean entry, and manages it"
        out.append(f"the account that recorded held {what} when it began; the replay begins {begins}")
    if ask.own:
        return out
    if ask.model.behind == "none":
        out.append("nothing is known behind the touch, so nothing was filled there")
    if not ask.model.impact:
        out.append("own orders move no price")
    if not head.trades:
        out.append("no trades are recorded: a resting order was filled where the other side's touch came to its price")
    return out


def _fill(f: dict[str, Any]) -> dict[str, Any]:
    keys = ("time", "coin", "side", "px", "sz", "dir", "closedPnl", "fee", "crossed", "cloid")
    return {key: f.get(key) for key in keys}
