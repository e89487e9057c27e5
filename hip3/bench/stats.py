"""Samples in microseconds, and how they are taken: side by side, in turns."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec

from hip3.clock import SystemClock

now_ns = SystemClock.mono_ns
WARM_UP = 50
"""Calls of each before the first that counts: caches, branch predictors and lazy imports."""


class Samples(msgspec.Struct, frozen=True):
    """Sorted durations in microseconds."""

    us: tuple[float, ...]

    @staticmethod
    def of(us: Sequence[float]) -> "Samples":
        """From durations in any order; at least one."""
        assert us
        return Samples(tuple(sorted(us)))

    @property
    def median(self) -> float:
        return self.us[len(self.us) // 2]

    @property
    def p99(self) -> float:
        return self.us[min(len(self.us) - 1, len(self.us) * 99 // 100)]

    def less(self, us: float) -> "Samples":
        """The same without a part that all of them have; none becomes negative."""
        return Samples(tuple(max(sample - us, 0.0) for sample in self.us))


def time_calls(call: Callable[[int], object], first: int, count: int) -> list[float]:
    """Microseconds of `call(first)`, `call(first + 1)`, ... each."""
    out = []
    for n in range(first, first + count):
        began = now_ns()
        call(n)
        out.append((now_ns() - began) / 1000)
    return out


Block = Callable[[], list[float]]
"""Takes some samples."""
Take = Callable[[Block], list[float]]
"""Runs a block of samples where it is called."""


def side_by_side(
    calls: Mapping[str, Callable[[int], object]], count: int, rounds: int = 20,
    around: Mapping[str, Take] | None = None,
) -> dict[str, Samples]:  # fmt: skip
    """Samples of every call, taken in turns: what slows the machine down for a while slows all alike.

    Each is called with a running number, so that it can take different input each time. `around`: by whom the blocks
    of a call are run.
    """
    each = max(1, count // rounds)
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        time_calls(call, 0, min(WARM_UP, each))
    for turn in range(max(1, count // each)):
        for name, call in calls.items():
            block = partial(time_calls, call, WARM_UP + turn * each, each)
            taken[name] += around[name](block) if around and name in around else block()
    return {name: Samples.of(us) for name, us in taken.items()}
