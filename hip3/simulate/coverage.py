"""Coverage as a number: how often each kind of mishap hit while an order was in each state."""

from collections import Counter
from collections.abc import Mapping

from hip3.simulate.plan import rows

COLUMNS = ("none", "queued", "sent", "unknown", "open", "unbooked", "holding")
"""Order states at that moment. `unbooked`: a reply or an update says more than the booked fills. `holding`: a
position, whatever orders there are. `none`: neither order nor position."""
UNREACHABLE: dict[tuple[str, str], str] = {}
"""Cells that cannot be hit, with the reason."""


def empty(hits: Mapping[tuple[str, str], int]) -> list[tuple[str, str]]:
    """Reachable cells that were never hit."""
    return [(r, c) for r in rows() for c in COLUMNS if (r, c) not in UNREACHABLE and not hits.get((r, c))]


def table(hits: Mapping[tuple[str, str], int]) -> list[str]:
    """The table as lines; `-` marks a cell that cannot be hit."""
    seen = Counter(dict(hits))
    width = max(len(row) for row in rows())
    lines = ["coverage: how often each mishap hit while an order was in each state", ""]
    lines.append(" " * width + "".join(f"{column:>10}" for column in COLUMNS))
    for row in rows():
        cells = ("-" if (row, c) in UNREACHABLE else str(seen[row, c]) for c in COLUMNS)
        lines.append(f"{row:<{width}}" + "".join(f"{cell:>10}" for cell in cells))
    missing = empty(hits)
    lines += ["", "empty cells: " + (", ".join(f"{r} / {c}" for r, c in missing) or "none")]
    return lines
