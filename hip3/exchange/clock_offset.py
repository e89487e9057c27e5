"""How far the exchange's clock is from ours: the median of the last five readings. Pure."""

from collections import deque

KEPT = 5


class ClockOffset:
    """Written by the rest thread; `offset_ms` is one attribute and may be read by any thread."""

    def __init__(self) -> None:
        self._samples: deque[int] = deque(maxlen=KEPT)
        self.offset_ms = 0
        """Exchange time minus local wall time; 0 before the first reading."""

    def add(self, exchange_ms: int, sent_wall_ms: int, received_wall_ms: int) -> None:
        """One reading; half the round trip is taken off."""
        self._samples.append(exchange_ms - (sent_wall_ms + received_wall_ms) // 2)
        self.offset_ms = sorted(self._samples)[len(self._samples) // 2]

    @property
    def known(self) -> bool:
        return bool(self._samples)
