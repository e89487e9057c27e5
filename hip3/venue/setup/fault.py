"""A scripted fault: what goes wrong, when, and how often. docs/exchange.md has the table of kinds."""

from typing import Literal

import msgspec

Kind = Literal[
    "lose", "delay", "duplicate", "reorder", "cut", "refuse", "silence", "http", "empty", "stale", "halt", "change",
    "clock", "malformed", "flood",
]  # fmt: skip


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of a script."""

    kind: Kind
    on: str = "*"
    at_ms: int = 0
    for_ms: int = 0
    times: int = 0
    ms: int = 500
    """How late (delay), how far off (clock)."""
    status: int = 500
    """Of the answer (http)."""
    dex: str | None = None
    """Of the account answers meant (empty, stale)."""
    coin: str = ""
    """Of the market meant (halt, change)."""
    count: int = 1000
    """How many frames (flood)."""
    sz_decimals: int | None = None
    max_leverage: int | None = None
    """What the market has from now on (change)."""


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file of `--faults`."""

    faults: list[Fault] = []
