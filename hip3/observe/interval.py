"""A mean and how far it can be trusted: the stationary block bootstrap of Politis and Romano over hours. Pure.

Episodes come in clusters: fifty of one hour are not fifty tries. What is drawn are therefore runs of hours (of ten
minutes where there are few hours), as long as the hours are likely to depend on each other. The draws are seeded: the
same data give the same interval. Without enough hours there is none, and no figure is better than one that looks exact.
"""

import random
from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from hip3.core.money import ZERO, div
from hip3.core.results import HOUR_MS, rounded

DRAWS = 2000
LEAST_BLOCKS = 8
SHORT_MS = 600_000
MILLION = 1_000_000
LOW, HIGH = 0.025, 0.975
Sample = tuple[int, Decimal]
"""(wall time, value)."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A mean as text, with its 95 % interval where one can be given."""

    n: int
    mean: str | None
    low: str | None = None
    high: str | None = None

    @property
    def sign(self) -> int:
        """1 or -1 where the whole interval is on one side of 0; else, and without one, 0."""
        if self.low is None or self.high is None:
            return 0
        return 1 if Decimal(self.low) > 0 else -1 if Decimal(self.high) < 0 else 0


def estimate(samples: Iterable[Sample], digits: int = 2) -> Estimate:
    """Of the mean of `samples`, in their own unit."""
    values = list(samples)
    if not values:
        return Estimate(n=0, mean=None)
    mean = div(sum((v for _, v in values), ZERO), Decimal(len(values)))
    blocks = _blocks(values, HOUR_MS)
    if len(blocks) < LEAST_BLOCKS:
        blocks = _blocks(values, SHORT_MS)
    if len(blocks) < LEAST_BLOCKS:
        return Estimate(n=len(values), mean=rounded(mean, digits))
    drawn = _drawn(blocks)
    low, high = (drawn[int(share * (len(drawn) - 1))] for share in (LOW, HIGH))
    return Estimate(n=len(values), mean=rounded(mean, digits), low=f"{low:.{digits}f}", high=f"{high:.{digits}f}")


def _blocks(values: Sequence[Sample], step_ms: int) -> list[tuple[int, int]]:
    """(sum in millionths, count) of each span in which there is anything."""
    out: dict[int, tuple[int, int]] = {}
    for at_ms, value in values:
        total, count = out.get(at_ms // step_ms, (0, 0))
        out[at_ms // step_ms] = total + int(value * MILLION), count + 1
    return [out[key] for key in sorted(out)]


def _drawn(blocks: list[tuple[int, int]]) -> list[float]:
    """Sorted means of resampled runs of blocks."""
    rng, size = random.Random(len(blocks)), len(blocks)  # noqa: S311 seeded on purpose
    ends = 1 / max(1.0, round(size ** (1 / 3)))
    out = []
    for _ in range(DRAWS):
        total, count, at = 0, 0, 0
        for step in range(size):
            at = rng.randrange(size) if not step or rng.random() < ends else (at + 1) % size
            total, count = total + blocks[at][0], count + blocks[at][1]
        out.append(total / count / MILLION)
    return sorted(out)
