"""Fills in the order in which they happened, also within one millisecond. Pure.

The exchange lists the newest first, and nothing says in which order it lists the parts of one order that were filled in
the same millisecond. Each fill carries the position before it, so those of one market and instant are a path through
positions; who asks for the newest fill of a market must not take one from the middle of it.
"""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from itertools import groupby

from hip3.core.events import Fill
from hip3.core.money import ZERO


def newest_of(fills: Iterable[Fill], coin: str) -> Fill | None:
    """The newest fill of a market, of `fills` newest first."""
    return next((f for f in fills if f.coin == coin), None)


def newest_first(fills: Iterable[Fill]) -> tuple[Fill, ...]:
    """By time, the newest first; of one market and instant along the path of positions, where they form one, else as
    they were listed."""
    after: dict[str, Decimal] = {}
    """Where each market's older fills ended: where the path of the next instant begins."""
    out: list[Fill] = []
    oldest_first = list(fills)[::-1]
    oldest_first.sort(key=lambda f: f.time_ms)  # what was listed later stays the older one
    for _, instant in groupby(oldest_first, key=lambda f: f.time_ms):
        of: dict[str, list[Fill]] = defaultdict(list)
        for fill in instant:
            of[fill.coin].append(fill)
        for coin, same in of.items():
            path = _path(same, after.get(coin)) if len(same) > 1 else same
            after[coin] = path[-1].end_position
            out += path
    return tuple(reversed(out))


def _path(fills: list[Fill], begin: Decimal | None) -> list[Fill]:
    """These fills, oldest first, as one path through positions that uses each once (Hierholzer); as given where there
    is none. A path that ends elsewhere tells by itself where it begins; a round begins where older fills ended
    (`begin`), else flat."""
    leaving: dict[Decimal, list[Fill]] = defaultdict(list)
    balance: dict[Decimal, int] = defaultdict(int)
    for fill in reversed(fills):  # taken from the end: what was listed first goes first
        leaving[fill.start_position].append(fill)
        balance[fill.start_position] += 1
        balance[fill.end_position] -= 1
    open_ends = [position for position, n in balance.items() if n > 0]
    start = open_ends[0] if open_ends else begin if begin is not None and begin in leaving else ZERO
    if start not in leaving:
        start = fills[0].start_position
    stack: list[tuple[Decimal, Fill | None]] = [(start, None)]
    path: list[Fill] = []
    while stack:
        position, by = stack[-1]
        if leaving.get(position):
            fill = leaving[position].pop()
            stack.append((position + fill.signed_sz, fill))
        else:
            stack.pop()
            if by is not None:
                path.append(by)
    return path[::-1] if len(path) == len(fills) else fills
