"""`explain CLOID`: the whole story of one order from the journal, in order of time, for a person.

Reads the journals of every account below the state folder by a connection of its own, so it works while the
service runs and after it is gone.
"""

import sqlite3
import sys
from pathlib import Path

from hip3.errors import ConfigError
from hip3.ops.store import cloids_like, story
from hip3.ops.stories import render, when

OK, FAILED = 0, 1
LEAST_DIGITS = 4


def explain(root: Path, wanted: str) -> int:
    """Print the story; 1 if no journal knows the order. Of several that end alike the newest, and the names of the
    others. ConfigError if `wanted` is no cloid."""
    part = wanted.lower().removeprefix("0x")
    if len(part) < LEAST_DIGITS or not set(part) <= set("0123456789abcdef"):
        raise ConfigError([f"{wanted} is no cloid: give 0x and 32 hex digits, or at least its last {LEAST_DIGITS}"])
    found = {cloid: path for path in sorted(root.glob("*/journal.db")) for cloid in _matching(path, part)}
    if not found:
        print(f"hip3: no journal below {root} knows an order {wanted}", file=sys.stderr)  # noqa: T201
        return FAILED
    stories = {cloid: story(path, cloid) for cloid, path in found.items()}
    # The digits that the log shows count from 1 in each run: the newest is meant, and the others are named.
    newest, *others = sorted(stories, key=lambda cloid: stories[cloid][-1][0], reverse=True)
    print(render(newest, stories[newest]), end="")  # noqa: T201
    for cloid in others:
        print(f"older, with the same digits: {cloid}, {when(stories[cloid][-1][0])[:-4]}")  # noqa: T201
    return OK


def _matching(path: Path, part: str) -> list[str]:
    try:
        return cloids_like(path, part)
    except sqlite3.Error as error:
        print(f"hip3: {path} cannot be read: {error}", file=sys.stderr)  # noqa: T201
        return []
