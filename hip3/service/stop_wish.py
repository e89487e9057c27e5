"""The wish to stop: in which mode and within which time. A later one counts where it leaves less open."""

import enum
from typing import Protocol

FLATTEN_TIMEOUT_MS = 30_000


class StopMode(enum.Enum):
    """What is left open: nothing; positions; everything."""

    FLATTEN = "flatten"
    CANCEL = "cancel"
    LEAVE = "leave"

    def covers(self, other: "StopMode") -> bool:
        """Whether a stop in this mode leaves no more open than one in the other."""
        return _RANKS[self] >= _RANKS[other]


_RANKS = {StopMode.LEAVE: 0, StopMode.CANCEL: 1, StopMode.FLATTEN: 2}


class Event(Protocol):
    """What of `threading.Event` is used: a runtime may have its own."""

    def set(self) -> None: ...
    def is_set(self) -> bool: ...
    def wait(self, timeout: float) -> bool: ...


class StopWish:
    """Asked for by any thread; read and carried out by main."""

    def __init__(self, event: Event) -> None:
        self._event = event
        self.mode = StopMode.CANCEL
        self.timeout_ms = FLATTEN_TIMEOUT_MS
        self.signals = 0
        """How many signals have come; counted by the handler, which does nothing else."""

    def ask(self, mode: StopMode, timeout_ms: int) -> None:
        """End the service. While it stops already, a wish that leaves less open takes the place of the one before."""
        if not self._event.is_set() or not self.mode.covers(mode):
            self.timeout_ms, self.mode = timeout_ms, mode  # the mode last: who sees it reads the time that goes with it
            self._event.set()

    @property
    def asked(self) -> bool:
        """Whether anybody wished."""
        return self._event.is_set()

    def wait(self, seconds: float) -> None:
        """Main's pause, which a wish cuts short."""
        self._event.wait(seconds)
