"""Colours for people at a terminal: losses and faults in red, gains in green. None anywhere else, and none by NO_COLOR.

Without rich, which takes longer to import than most commands to answer.
"""

import os
from typing import IO

RED, GREEN, YELLOW = 31, 32, 33


def coloured(out: IO[str]) -> bool:
    """Whether what is written there may have colours."""
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def painted(text: str, colour: int | None, out: IO[str]) -> str:
    """`text` in a colour, where `out` may have any."""
    return text if colour is None or not coloured(out) else f"\x1b[{colour}m{text}\x1b[0m"


def painted_table(table: str, out: IO[str]) -> str:
    """The closing table: what was earned, what was lost, and a hard stop."""
    return "\n".join(painted(line, _of(line), out) for line in table.splitlines())


def _of(line: str) -> int | None:
    name, _, value = (part.strip() for part in line.partition("   "))
    if name in ("net result", "realized pnl"):
        return RED if value.startswith("-") else GREEN if value.strip("0. USD") else None
    return RED if name == "hard stop" and value != "not tripped" else None
