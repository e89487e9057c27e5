"""How long an order of a replay travels, and its answer: as it was drawn (`venue.market.latency`), or, where the
recording is one of a service that traded, as long as it took then. Pure.
"""

from typing import Any

from hip3.replay.source import Source, median
from hip3.venue.market.filling import BLOCK_MS
from hip3.venue.market.latency import Latency, key_of


class Travels:
    """When each action is executed, in exchange milliseconds after its sending."""

    def __init__(self, latency: Latency, seed: int, source: Source, *, own: bool, offset_ms: int) -> None:
        self._latency, self._seed, self._source, self._own = latency, seed, source, own
        self._offset_ms = offset_ms

    def __call__(self, now_ms: int, request: Any) -> int:
        """For the venue; `now_ms` is the exchange's time of the sending."""
        key = key_of(request)
        if self._own:
            found = self._recorded(request, now_ms)
            if found is not None:
                return found
        return self._latency.drawn(self._latency.exec, self._seed, f"{key}:{now_ms}") + (0 if self._own else BLOCK_MS)

    def _recorded(self, request: Any, now_ms: int) -> int | None:
        """How long the same action took in the recording; None: it is not in it."""
        source, action = self._source, request.get("action") if isinstance(request, dict) else None
        if not isinstance(action, dict):
            return None
        for order in action.get("orders") or []:
            at = source.exec_ms.get(str(order.get("c")))
            if at is not None and at >= now_ms:
                return at - now_ms
        for cancel in action.get("cancels") or []:
            at = source.ended_ms.get(str(cancel.get("cloid")))
            if at is not None and at >= now_ms:
                return at - now_ms
        ways = [at - sent - self._offset_ms for cloid, sent in source.sent_ms.items()
                if (at := source.exec_ms.get(cloid)) is not None]  # fmt: skip
        return median(ways) if ways else None

    def reply_ms(self, key: str) -> int:
        """The way back of what happened at an exchange time."""
        if self._own and (back := self._source.back_ms.get(int(key))) is not None:
            return max(0, back)
        return self._latency.drawn(self._latency.reply, self._seed, f"reply:{key}")
