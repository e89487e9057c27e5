"""How long an order of a replay travels, and its answer: as it was drawn (`venue.market.latency`), as an account's
orders travelled around that time (`measured`), or, where the recording is one of a service that traded, as long as it
took then. Pure.
"""

from typing import Any

from hip3.replay.measured import Between, Legs
from hip3.replay.ways import Ways
from hip3.venue.market.filling import BLOCK_MS
from hip3.venue.market.latency import key_of


class Travels:
    """When each action is executed, in exchange milliseconds after its sending."""

    def __init__(self, latency: Legs, seed: int, ways: Ways, *, own: bool, timed: bool = False) -> None:
        """`own`, `timed`: the recorded service's orders are repeated, or those of paper; of these the answers, too."""
        self._latency, self._seed, self._ways = latency, seed, ways
        self._own, self._timed = own or timed, timed

    def __call__(self, now_ms: int, request: Any) -> int:
        """For the venue; `now_ms` is the exchange's time of the sending."""
        key = key_of(request)
        if self._own:
            found = self._ways.of(request, now_ms)
            if found is not None:
                return found
        return self._there(key, now_ms) + (0 if self._own else BLOCK_MS)

    def _there(self, key: str, now_ms: int) -> int:
        if isinstance(self._latency, Between):
            return self._latency.there(now_ms)
        return self._latency.drawn(self._latency.exec, self._seed, f"{key}:{now_ms}")

    def reply_ms(self, key: str) -> int:
        """The way back of what happened at an exchange time."""
        if self._timed and (back := self._ways.backs_ms.get(int(key))) is not None:
            return max(0, back)
        if isinstance(self._latency, Between):
            return self._latency.back(int(key))
        return self._latency.drawn(self._latency.reply, self._seed, f"reply:{key}")
