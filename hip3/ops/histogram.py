"""A histogram of durations that is cheap to feed: one search and one addition, no label, no lock.

One thread observes; others read whole lists, which the interpreter copies at once.
"""

from bisect import bisect_left

FAST_US = (50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 100_000, 1_000_000)
"""For what should take microseconds: 50 µs to 1 s."""
SLOW_US = (1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000)
"""For what crosses a network, or waits: 1 ms to 5 s."""


class Histogram:
    """Counts by upper bound. Microseconds."""

    __slots__ = ("_bounds", "_counts", "_sum_us")

    def __init__(self, bounds_us: tuple[int, ...]) -> None:
        self._bounds = bounds_us
        self._counts = [0] * (len(bounds_us) + 1)
        self._sum_us = 0

    def observe(self, us: int) -> None:
        """Count one duration."""
        self._counts[bisect_left(self._bounds, us)] += 1
        self._sum_us += us

    def read(self) -> tuple[list[tuple[str, int]], float]:
        """Cumulative counts by upper bound in seconds, `+Inf` last, and the sum in seconds."""
        counts, out, so_far = list(self._counts), [], 0
        for bound, count in zip([f"{us / 1_000_000:g}" for us in self._bounds] + ["+Inf"], counts, strict=True):
            so_far += count
            out.append((bound, so_far))
        return out, self._sum_us / 1_000_000

    def buckets(self) -> list[tuple[int | None, int]]:
        """Counts of their own by upper bound in microseconds, None last."""
        return list(zip((*self._bounds, None), list(self._counts), strict=True))
