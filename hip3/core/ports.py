"""The seams to the outside: tests put fakes here, `app` the real things.

What implements a port keeps its word on threads, blocking and errors; the callers rely on nothing else.
"""

import enum
from typing import Any, Literal, Protocol

import msgspec

from hip3.core.orders import OrderBatch


class Clock(Protocol):
    """See `hip3.clock.SystemClock`. Any thread; raises nothing and takes no lock."""

    def wall_ms(self) -> int:
        """Milliseconds since the epoch; may step either way when the machine's clock is set."""
        ...

    def mono_ms(self) -> int:
        """Milliseconds since an arbitrary start; never steps back. Means nothing in another run."""
        ...

    def boot_ms(self) -> int:
        """As `mono_ms`, from another start; it goes on while the machine is suspended."""
        ...

    def mono_us(self) -> int:
        """Microseconds of the same monotonic clock, for latency figures."""
        ...

    def wall_ns(self) -> int:
        """`wall_ms` as finely as the machine has it, for recordings."""
        ...

    def mono_ns(self) -> int:
        """`mono_ms` as finely as the machine has it, for recordings."""
        ...


class Tap(Protocol):
    """Is shown what passes between us and the exchange. Neither waits nor raises, whatever becomes of what it is shown.

    Nothing that it is shown may change afterwards.
    """

    def heard(self, generation: int, data: bytes) -> None:
        """A frame of the exchange, as it came. ws-reader."""
        ...

    def said(self, generation: int, text: str) -> None:
        """A frame of ours that left. tick, ws-reader; signed actions come with their signature."""
        ...

    def link(self, generation: int, what: Literal["up", "down"], why: str = "") -> None:
        """A connection began, or ended and why. ws-reader."""
        ...

    def learnt(self, request: dict[str, Any], answer: bytes, asked_ns: int) -> None:
        """The answer to an info request, and when it was asked. rest."""
        ...


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
    """Where nothing was sent: that of the latest connection."""
    detail: str = ""
    """Why not, for people; empty for SENT."""


class Sender(Protocol):
    """The only way out over the socket for signed actions. Called by the tick thread only."""

    def send(self, text: str, generation: int | None = None, by_ms: int | None = None) -> SendResult:
        """One frame; NOT_SENT where the connection is another than that of `generation`, or after `by_ms` (monotonic).

        A post belongs to one connection: when that broke, its orders are unknown and perhaps already proved dead.
        Raises nothing; what went wrong is in the result. May wait for the socket, never for an answer.
        """
        ...

    @property
    def connected(self) -> bool:
        """Whether there is a connection now; it may be gone by the time of a send."""
        ...

    def messages_left(self, now_ms: int) -> int:
        """How many messages the exchange still takes in this minute, at monotonic `now_ms`."""
        ...


class Intents(Protocol):
    """Makes signed actions durable before they leave; JournalError if it cannot.

    Then entries and whatever else takes new risk must not leave; exits and cancels do, since to be without them is
    worse. Called from: tick (orders, cancels), rest (noops, other actions). Blocks for the disk. `at_ms` is wall time.
    """

    def begin(self, run: str, at_ms: int) -> None:
        """A run begins whose cloids all start so; from main, before anything is placed. Raises nothing."""
        ...

    def knows(self, cloid: str) -> bool:
        """Whether this run or one of the last ones placed an order, even if its own intent could not be written.

        Any thread.
        """
        ...

    def orders(self, batch: OrderBatch, nonce: int, expires_ms: int | None, at_ms: int) -> None:
        """A batch of orders is about to leave; `expires_ms` is exchange time, None: it never expires."""
        ...

    def cancels(self, nonce: int, at_ms: int) -> None:
        """A batch of cancels is about to leave: its nonce is used. Which orders it names does not matter later."""
        ...

    def noop(self, nonce: int, cloid: str, at_ms: int) -> None:
        """A noop with the nonce of the order `cloid` is about to leave."""
        ...

    def action(self, kind: str, nonce: int, at_ms: int) -> None:
        """Any other signed action is about to leave; `kind` is its type."""
        ...


class Journal(Protocol):
    """Takes records from any thread at once and never blocks; a full queue is counted. Raises nothing."""

    def record(self, kind: str, **fields: object) -> None:
        """Note one thing that happened. The fields are read later, on the journal thread: they must not change."""
        ...

    def keep(self, name: str, value: object) -> None:
        """Note the latest value of a fact that a restart needs; the one before is forgotten. Same rule for `value`."""
        ...
