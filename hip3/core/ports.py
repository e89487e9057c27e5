"""The seams to the outside: tests put fakes here, `app` the real things."""

import enum
from typing import Protocol

import msgspec

from hip3.core.orders import OrderBatch


class Clock(Protocol):
    """See `hip3.clock.SystemClock`."""

    def wall_ms(self) -> int: ...
    def mono_ms(self) -> int: ...
    def mono_us(self) -> int: ...


CLOCK_WARN_MS, CLOCK_STOP_MS = 2000, 5000
"""A machine's clock that is further off the exchange's than this is told; further than that, no entry leaves."""


class SendOutcome(enum.Enum):
    """What is known after a send."""

    SENT = "sent"
    """The bytes went to the socket. Whether they arrive is the exchange's to say."""
    NOT_SENT = "not_sent"
    """Not one byte left: no connection, or the rate limit. Safe to send again."""
    MAYBE_SENT = "maybe_sent"
    """The send broke: some bytes may have left. The outcome is unknown."""


class SendResult(msgspec.Struct, frozen=True):
    """Outcome, and the connection generation that was written to."""

    outcome: SendOutcome
    generation: int
    detail: str = ""


class Sender(Protocol):
    """The only way out for signed actions. Called by the tick thread only."""

    def send(self, text: str, generation: int | None = None) -> SendResult:
        """One frame; NOT_SENT where the connection is another than the one of `generation`.

        A post belongs to one connection: when that broke, its orders are unknown and perhaps already proved dead.
        """
        ...

    @property
    def connected(self) -> bool: ...


class Intents(Protocol):
    """Makes signed actions durable before they leave; JournalError if it cannot."""

    def orders(self, batch: OrderBatch, nonce: int, expires_ms: int | None, at_ms: int) -> None: ...
    def cancels(self, nonce: int, at_ms: int) -> None: ...
    def noop(self, nonce: int, cloid: str, at_ms: int) -> None: ...
    def action(self, kind: str, nonce: int, at_ms: int) -> None: ...


class Journal(Protocol):
    """Takes records from any thread at once and never blocks; a full queue is counted."""

    def record(self, kind: str, **fields: object) -> None: ...
    def keep(self, name: str, value: object) -> None: ...
