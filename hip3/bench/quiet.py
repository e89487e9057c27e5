"""Moments in which a core is ours alone, found by a fixed piece of work.

On a rented machine a core is half of one: what a neighbour does on the other half slows ours down by up to two times,
from one tenth of a second to the next, and no counter of the kernel shows it. So a goal in microseconds is judged by
what was measured between two probes that were about as fast as the fastest. Ratios need none of it: both sides are
taken in turns.
"""

import time
from decimal import Decimal
from typing import ClassVar

from hip3.bench.stats import Block, Samples

SLACK = 1.2
"""A moment is quiet where both of its probes took at most so many times what the fastest twentieth took."""
FEWEST = 10
"""Blocks; by fewer quiet ones nothing is judged."""
_WORK = range(100)


def probe_us() -> float:
    """Processor time of the fixed work, in microseconds: waiting for the interpreter is not what is asked for. The
    better of two, since the first finds its caches cold."""
    return min(_work_us(), _work_us())


def _work_us() -> float:
    began, price, seen = time.thread_time_ns(), Decimal("123.456"), 0
    for n in _WORK:
        seen += len({n: price * n + price})
    return (time.thread_time_ns() - began) / 1000


class Moments:
    """Blocks of samples, each between two probes. Confined to one thread at a time."""

    _probes: ClassVar[list[float]] = []
    """All of this process."""

    def __init__(self) -> None:
        self._blocks: list[tuple[float, list[float]]] = []

    def take(self, block: Block) -> list[float]:
        """Run a block of samples on the calling thread, and give them."""
        before, us, after = probe_us(), block(), probe_us()
        self._probes.extend((before, after))
        self._blocks.append((max(before, after), us))
        return us

    @classmethod
    def _fast(cls) -> float:
        return sorted(cls._probes)[len(cls._probes) // 20]

    @property
    def _quiet(self) -> list[list[float]]:
        most = SLACK * self._fast()
        return [us for slowest, us in self._blocks if slowest <= most]

    @property
    def enough(self) -> bool:
        """Whether there were quiet moments to judge by."""
        return len(self._quiet) >= FEWEST

    @property
    def judged(self) -> Samples:
        """The samples of quiet moments, or all where those were too few."""
        return Samples.of([one for us in self._quiet for one in us]) if self.enough else self.every

    @property
    def every(self) -> Samples:
        """All samples."""
        return Samples.of([one for _, us in self._blocks for one in us])

    @property
    def percent(self) -> float:
        """How many of the blocks were quiet."""
        return 100 * len(self._quiet) / len(self._blocks)
