"""Exponential back-off with jitter, as a value: time and randomness are passed in. Pure."""

FIRST_MS = 500
MAX_MS = 30_000
"""The exchange allows 30 new connections a minute (docs/venue-facts.md F10); these delays make far fewer."""
RESET_AFTER_MS = 10_000
"""So much time in READY makes the next failure a first one again."""


class Backoff:
    """Delays 0.5 s, 1 s, 2 s … 30 s, each between half and all of itself.

    Each user has one of its own: the ws-reader for connections, main for the reads of a start. No lock.
    """

    def __init__(self) -> None:
        self._failures = 0

    def next_delay_ms(self, jitter: float) -> int:
        """The delay before the next attempt, in milliseconds; `jitter` in [0, 1). Counts one more failure."""
        full = min(MAX_MS, FIRST_MS << min(self._failures, 10))  # bounded, so that no number grows with a long outage
        self._failures += 1
        return full // 2 + int(full // 2 * jitter)

    def reset(self) -> None:
        """Call after `RESET_AFTER_MS` of good service."""
        self._failures = 0
