"""What the page lists of the journal: signals, fills, round trips, alerts and changes of state, as small rows.

Read by connections of their own, so that the one who writes is not held up. sqlite3.Error from any function: the
journal cannot be read now.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from hip3.ops.store import cloids_like, story
from hip3.ops.stories import render

KINDS = {
    "signal": 60, "fill": 200, "round_trip": 60, "alert": 40, "state": 20, "latch_set": 5, "latch_reset": 5,
    "operator": 20, "stop": 5, "start": 5,
}  # fmt: skip
"""Kinds that the page lists, and how many of each a reload shows."""
MOST_AT_ONCE = 300
Row = dict[str, Any]


@contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0.2)
    try:
        yield db
    finally:
        db.close()


class Told:
    """What comes in, in the order of writing, from the first call of `new` on. For one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: int | None = None

    def new(self) -> list[Row]:
        """What was written since the last call; at most so many."""
        marks = ",".join("?" * len(KINDS))
        with _open(self._path) as db:
            if self._last is None:
                (self._last,) = db.execute("SELECT coalesce(max(id), 0) FROM records").fetchone()
            found = db.execute(
                "SELECT id, at_ms, kind, coin, body FROM records "  # noqa: S608 marks alone
                f"WHERE id > ? AND kind IN ({marks}) ORDER BY id LIMIT {MOST_AT_ONCE}",
                (self._last, *KINDS),
            ).fetchall()
        if found:
            self._last = found[-1][0]
        return [row(*one) for one in found]


def latest(path: Path) -> list[Row]:
    """The newest of each kind, the oldest first."""
    out: list[Row] = []
    with _open(path) as db:
        for kind, most in KINDS.items():
            query = "SELECT id, at_ms, kind, coin, body FROM records WHERE kind = ? ORDER BY id DESC LIMIT ?"
            out += [row(*one) for one in db.execute(query, (kind, most))]
    return sorted(out, key=lambda one: int(one["id"]))


def of_market(path: Path, coin: str, since_ms: int) -> list[Row]:
    """Signals and fills of one market, for its chart."""
    query = (
        "SELECT id, at_ms, kind, coin, body FROM records INDEXED BY records_at "
        "WHERE at_ms >= ? AND coin = ? AND kind IN ('signal', 'fill') ORDER BY id LIMIT 2000"
    )
    with _open(path) as db:
        return [row(*one) for one in db.execute(query, (since_ms, coin))]


def search(path: Path, wanted: str) -> list[Row]:
    """The newest orders whose cloid ends in `wanted`, or of the market of that name; none for what is neither."""
    part = wanted.strip().lower().removeprefix("0x")
    if len(part) >= 4 and set(part) <= set("0123456789abcdef"):
        found = cloids_like(path, part)
    else:
        query = (
            "SELECT n.cloid FROM records r JOIN names n ON n.record = r.id WHERE r.kind = 'sent' AND r.coin LIKE ? "
            "ESCAPE '!' GROUP BY n.cloid ORDER BY max(r.id) DESC LIMIT 20"
        )
        literal = wanted.strip().replace("!", "!!").replace("%", "!%").replace("_", "!_")
        with _open(path) as db:
            found = [str(one[0]) for one in db.execute(query, (f"%{literal}%",))] if literal else []
    return [_order(path, cloid) for cloid in found]


def _order(path: Path, cloid: str) -> Row:
    records = story(path, cloid)
    outcome = render(cloid, records).rstrip().rsplit("\n", 1)[-1]
    coins = [f["order"]["coin"] for _, kind, f in records if kind == "sent" and f["order"]["cloid"] == cloid]
    return {"cloid": cloid, "at_ms": records[0][0], "market": coins[0] if coins else None, "outcome": outcome}


def told_story(path: Path, cloid: str) -> str | None:
    """What `explain` prints of an order; None if the journal does not know it."""
    records = story(path, cloid)
    return render(cloid, records) if records else None


def row(number: int, at_ms: int, kind: str, coin: str | None, body: str) -> Row:
    """One record as the page has it."""
    out: Row = {"id": number, "at_ms": at_ms, "kind": kind, "market": coin}
    fields = msgspec.json.decode(body)
    writer = _WRITERS.get(kind)
    return out | (writer(fields) if writer is not None else {"text": _pairs(fields.items())})


def _pairs(items: Iterable[tuple[str, Any]]) -> str:
    return ", ".join(f"{k} {v}" for k, v in items if v not in (None, "") and not isinstance(v, dict | list))


def _signal(f: dict[str, Any]) -> Row:
    s, verdict = f["signal"], f["verdict"] or {}
    return {
        "side": "buy" if s["side"] == "B" else "sell", "px": s["touch_px"], "oracle": s["oracle"],
        "edge_bps": s["raw_edge_bps"], "cost_bps": s["cost_bps"], "cloid": verdict.get("cloid"),
        "gate": verdict.get("gate"), "reason": verdict.get("reason"),
        "numbers": ", ".join(f"{k} {v}" for k, v in verdict.get("numbers", ())),
    }  # fmt: skip


def _fill(f: dict[str, Any]) -> Row:
    e, fill = f["event"], f["event"]["fill"]
    return {
        "side": "buy" if fill["side"] == "B" else "sell", "px": fill["px"], "sz": fill["sz"], "fee": fill["fee"],
        "pnl": fill["closed_pnl"], "cloid": fill["cloid"], "what": e["kind"], "ours": e["ours"],
    }  # fmt: skip


def _trip(f: dict[str, Any]) -> Row:
    t = f["trip"]
    return {
        "held_ms": t["closed_ms"] - t["opened_ms"], "entry_px": t["entry_px"], "exit_px": t["exit_px"],
        "realized": t["realized"], "fees": t["fees"], "funding": t["funding"],
    }  # fmt: skip


def _alert(f: dict[str, Any]) -> Row:
    return {"level": f["level"], "what": f["what"], "over": f["over"], "text": f["text"]}


def _start(f: dict[str, Any]) -> Row:
    return {"text": f"hip3 {f['version']} started"}


_WRITERS = {"signal": _signal, "fill": _fill, "round_trip": _trip, "alert": _alert, "start": _start}
