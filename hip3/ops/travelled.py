"""How long an account's own orders travelled, by its journal. IO; nothing is written.

An order's nonce is the exchange's time of its signing, and its first fill has the exchange's time of its execution:
what lies between is the way there with the wait for a block, what is left of the reply's time is the way back. Orders
that rested, or whose nonce was moved on past the time, say nothing of that and are left out.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec

KINDS = ("reply", "fill")
_NEWEST = (
    "SELECT kind, body FROM"
    " (SELECT id, kind, body FROM records WHERE kind IN (?, ?) ORDER BY id DESC LIMIT ?) ORDER BY id"
)
ALL = -1
FEWEST = 20
"""Orders below which a middle, or quantiles, are a guess."""


class Travelled(NamedTuple):
    """One order that was executed at once."""

    at_ms: int
    """Exchange time of its signing."""
    executed_ms: int
    """From then until it was executed, the wait for its block included."""
    back_ms: int
    """From its execution until its reply was heard."""


def travelled(journal: Path, newest: int = ALL) -> list[Travelled]:
    """By the time of their signing; of so many records, the newest. sqlite3.Error, or DecodeError, KeyError, TypeError
    and ValueError of a file that is no journal."""
    replies: dict[str, tuple[int, int]] = {}
    """cloid -> (nonce, how long the reply took)."""
    filled: dict[str, int] = {}
    """cloid -> exchange time of its first fill; the word of it may come before the reply."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
        for kind, body in db.execute(_NEWEST, (*KINDS, newest)):
            record = msgspec.json.decode(body)
            if kind == "fill":
                fill = record["event"]["fill"]
                if fill["crossed"] and fill["cloid"]:
                    filled.setdefault(fill["cloid"], fill["time_ms"])
                continue
            post = record["post"]
            took = (record["at_us"] - post["sent_us"]) // 1000
            replies |= {o["cloid"]: (post["nonce"], took) for o in post["batch"].get("orders", [])}
    out = []
    for cloid, (nonce, took) in replies.items():
        executed = filled.get(cloid, nonce - 1) - nonce
        if 0 <= executed <= took:
            out.append(Travelled(nonce, executed, took - executed))
    return sorted(out)
