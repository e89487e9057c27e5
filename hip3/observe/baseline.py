"""The structural gap of a market: where its middle usually stands against its oracle. Pure, confined to one thread.

A gap that is always there is no lag. What is subtracted from an edge, and named in the report, is the median of the
last ten minutes, of one sample a second.
"""

from collections import deque
from decimal import Decimal
from typing import NamedTuple

from hip3.core.market import MarketView
from hip3.core.money import bps_of

SPAN_MS, STEP_MS = 600_000, 1000
LEAST = 30
"""Samples without which nothing is called usual."""


class Structure(NamedTuple):
    """What ten minutes of a market looked like."""

    median_bps: Decimal | None
    """Middle against oracle, signed, of the oracle; None below `LEAST` samples."""
    samples: int
    over: int
    """Samples in which the touch of a side was further from the oracle than a trade costs."""
    still: int
    """Of those: without the oracle having moved towards it. No lag, but where the book stands."""


class Baseline:
    """Samples of one market; times are monotonic."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, Decimal]] = deque()
        self._next_ms = 0
        self._began_ms: int | None = None
        self._count = self._over = self._still = 0

    def sample(self, view: MarketView, now_ms: int, *, over: bool, still: bool) -> None:
        """A look at a market whose prices are usable; one a second is kept."""
        if now_ms < self._next_ms:
            return
        mid, oracle = view.mid, view.oracle
        if mid is None or not oracle:
            return
        self._next_ms = now_ms + STEP_MS
        if self._began_ms is None:
            self._began_ms = now_ms
        self._samples.append((now_ms, bps_of(mid - oracle, oracle)))
        while self._samples[0][0] <= now_ms - SPAN_MS:
            self._samples.popleft()
        self._count += 1
        self._over += over
        self._still += still

    @property
    def median_bps(self) -> Decimal | None:
        """The usual gap; None below `LEAST` samples."""
        if len(self._samples) < LEAST:
            return None
        ordered = sorted(gap for _, gap in self._samples)
        return ordered[len(ordered) // 2]

    def ended(self, now_ms: int, *, last: bool = False) -> Structure | None:
        """What a span of ten minutes looked like, once when it is over, or at the `last` of all."""
        began = self._began_ms
        if began is None or not self._count or (now_ms - began < SPAN_MS and not last):
            return None
        out = Structure(self.median_bps, self._count, self._over, self._still)
        self._began_ms, self._count, self._over, self._still = now_ms, 0, 0, 0
        return out
