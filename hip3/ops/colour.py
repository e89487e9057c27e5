"""Colours and width for people at a terminal: losses and faults in red, gains in green, long lines continued below
their text. Neither anywhere else, and no colour by NO_COLOR.

Without rich, which takes longer to import than most commands to answer.
"""

import os
import shutil
import textwrap
from typing import IO

RED, GREEN = 31, 32
LEAST_WIDTH = 30


def coloured(out: IO[str]) -> bool:
    """Whether what is written there may have colours."""
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def painted(text: str, colour: int | None, out: IO[str]) -> str:
    """`text` in a colour, where `out` may have any."""
    return text if colour is None or not coloured(out) else f"\x1b[{colour}m{text}\x1b[0m"


def fitted(head: str, text: str, out: IO[str]) -> str:
    """`head` and `text`: on a terminal as wide as it is, continued below the text; elsewhere one line."""
    if not out.isatty():
        return head + text
    width = max(LEAST_WIDTH, shutil.get_terminal_size().columns - len(head))
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return head + ("\n" + " " * len(head)).join(lines)


def shown_table(table: str, out: IO[str]) -> str:
    """The closing table: as wide as a terminal, with what was earned, what was lost and a hard stop in colours."""
    lines = []
    for line in table.splitlines():
        name, _, value = line.partition("   ")
        value = value.strip()
        lines.append(painted(fitted(line.removesuffix(value), value, out), _of(name, value), out))
    return "\n".join(lines)


def _of(name: str, value: str) -> int | None:
    if name in ("net result", "realized pnl"):
        return RED if value.startswith("-") else GREEN if value.strip("0. USD") else None
    return RED if name == "hard stop" and value != "not tripped" else None
