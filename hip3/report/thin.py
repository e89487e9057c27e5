"""Fewer points with the same picture: the first, lowest, highest and last of each of equally long spans. Pure."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeVar

MOST_POINTS = 5000
P = TypeVar("P")


def thin(points: Sequence[P], at: Callable[[P], int], value: Callable[[P], Decimal | None], most: int = MOST_POINTS
         ) -> list[P]:  # fmt: skip
    """At most `most` of `points`, which are in order of time. No peak is lost, and the first and the last stay.

    Points whose value is None mark holes and are kept, one in each span.
    """
    if len(points) <= most:
        return list(points)
    first, last = at(points[0]), at(points[-1])
    spans = max(1, most // 5)
    width = max(1, -(-(last - first + 1) // spans))
    out: list[P] = []
    start = 0
    while start < len(points):
        span = (at(points[start]) - first) // width
        end = start
        while end < len(points) and (at(points[end]) - first) // width == span:
            end += 1
        out += _extremes(points, start, end, value)
        start = end
    return out


def _extremes(points: Sequence[P], start: int, end: int, value: Callable[[P], Decimal | None]) -> list[P]:
    known = [(found, i) for i in range(start, end) if (found := value(points[i])) is not None]
    holes = [i for i in range(start, end) if value(points[i]) is None][:1]
    kept = {start, end - 1, *holes}
    if known:
        kept |= {min(known)[1], max(known)[1]}
    return [points[i] for i in sorted(kept)]
