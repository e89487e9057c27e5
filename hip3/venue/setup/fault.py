"""A scripted fault: what goes wrong, when, and how often. docs/exchange.md has the table of kinds.

Only the description: `serving.faults` does it. Fields that a kind does not use are ignored.
"""

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
    """A channel, the type of a request or action, "http", or "*" for everything."""
    at_ms: int = 0
    """When it begins, in exchange milliseconds after it was added."""
    for_ms: int = 0
    """How long it lasts; 0: for good."""
    times: int = 0
    """On how many items it acts, then it is used up; 0: on all."""
    ms: int = 500
    """How late (delay), how far off (clock; negative: behind)."""
    status: int = 500
    """HTTP status of the answer (http)."""
    dex: str | None = None
    """Of the account answers meant (empty, stale); None: of every dex, "": of the main one."""
    dated: Literal["then", "now"] = "then"
    """What time an old answer names (stale): its own, or that of the node that is behind."""
    coin: str = ""
    """Of the market meant (halt, change), which must exist."""
    count: int = 1000
    """How many frames (flood)."""
    sz_decimals: int | None = None
    max_leverage: int | None = None
    """What the market has from now on (change); None: as it was. It does not change back when the fault ends."""


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The shape of the file of `--faults`; `load_setup` reads it as a part of the setup."""

    faults: list[Fault] = []
