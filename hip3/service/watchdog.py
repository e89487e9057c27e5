"""Watchdog: which thread hangs, and whether the whole machine stood still. Pure.

Called by main each round with the threads' heartbeats. A gap in which every thread was still (the machine was
suspended, the process stopped) is no thread's fault: it is told as such, and the heartbeats count from its end.
"""

from collections.abc import Mapping

import msgspec

SLOW_MS = 5000
"""A trading thread without heartbeat for so long: no new entries."""
HUNG_MS = 30_000
"""For so long: the process ends, so that a fresh one can look after the positions."""
STILL_MS = 3000
"""Main looks every 200 ms: a gap of so much means that nothing ran."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the watchdog found in one round."""

    stood_still_ms: int = 0
    slow: str = ""
    """A sentence about the threads that are late; empty when none is."""
    hung: str = ""
    """The thread that hangs; empty when none does."""


class Watchdog:
    """See the module. Confined to main."""

    def __init__(self, mono_ms: int, wall_ms: int) -> None:
        self._mono_ms, self._wall_ms = mono_ms, wall_ms
        self._since_ms = mono_ms

    def look(self, beats: Mapping[str, int], mono_ms: int, wall_ms: int) -> Verdict:
        """One round: thread -> its last heartbeat (monotonic), and both clocks.

        A stopped process shows in both clocks; so does a suspended machine, but where the monotonic clock stands still
        with it: there in the wall clock alone.
        """
        gap = mono_ms - self._mono_ms
        still = max(gap, wall_ms - self._wall_ms)
        self._mono_ms, self._wall_ms = mono_ms, wall_ms
        if still >= STILL_MS:
            self._since_ms = mono_ms
            return Verdict(stood_still_ms=still)
        late = {name: mono_ms - max(beat, self._since_ms) for name, beat in beats.items()}
        slow = {name: age for name, age in late.items() if age >= SLOW_MS}
        hung = [name for name, age in slow.items() if age >= HUNG_MS]
        sentence = ", ".join(f"thread {name} has not moved for {age // 1000} s" for name, age in slow.items())
        return Verdict(slow=sentence, hung=hung[0] if hung else "")
