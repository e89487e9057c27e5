"""Fakes at the ports: a clock that is told the time, a sender that can fail, hold and answer late."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from hip3.core.orders import OrderBatch, PendingOrder, run_of
from hip3.core.ports import SendOutcome, SendResult
from hip3.errors import JournalError
from hip3.onethread.clock import SimClock
from hip3.ops.intents import Recovered

FakeClock = SimClock
"""Wall and monotonic time that move only when told."""


class MockSender:
    """The `Sender` port: records what it was given.

    `fail_next(outcome)` makes the next send end like that; `hold()` keeps posts instead of passing
    them on, `release()` passes the held ones on late, in order; `deliver` is where sent posts go.
    """

    def __init__(self, deliver: Callable[[str], None] | None = None, clock: SimClock | None = None) -> None:
        self.clock = clock or SimClock()
        self.sent: list[str] = []
        self.generation = 1
        self.connected = True
        self.left = 2000
        self._deliver = deliver
        self._fail: list[SendOutcome] = []
        self._holding = False
        self._held: list[str] = []

    def messages_left(self, now_ms: int) -> int:
        return self.left

    def fail_next(self, outcome: SendOutcome, times: int = 1) -> None:
        self._fail += [outcome] * times

    def hold(self) -> None:
        self._holding = True

    def release(self) -> None:
        self._holding = False
        held, self._held = self._held, []
        for text in held:
            self._pass_on(text)

    def drop_held(self) -> None:
        """The held posts are lost on the way."""
        self._holding, self._held = False, []

    def send(self, text: str, generation: int | None = None, by_ms: int | None = None) -> SendResult:
        if generation not in (None, self.generation):
            return SendResult(SendOutcome.NOT_SENT, self.generation, "its connection is gone")
        if by_ms is not None and self.clock.mono_ms() > by_ms:
            return SendResult(SendOutcome.NOT_SENT, self.generation, "held up on the way")
        outcome = self._fail.pop(0) if self._fail else SendOutcome.SENT
        if outcome is SendOutcome.SENT:
            self.sent.append(text)
            if self._holding:
                self._held.append(text)
            else:
                self._pass_on(text)
        return SendResult(outcome, self.generation, "" if outcome is SendOutcome.SENT else "told to fail")

    def _pass_on(self, text: str) -> None:
        if self._deliver is not None:
            self._deliver(text)

    def posts(self) -> list[dict[str, Any]]:
        """The posts sent so far, decoded."""
        return [msgspec.json.decode(text) for text in self.sent]

    def sent_entries(self) -> list[dict[str, Any]]:
        """Orders sent that are not reduce-only."""
        return [o for a in self.actions() if a["type"] == "order" for o in a["orders"] if not o["r"]]

    def actions(self) -> list[dict[str, Any]]:
        """The actions sent so far."""
        return [post["request"]["payload"]["action"] for post in self.posts()]


class MemoryIntents:
    """The `Intents` port: a list; `broken` makes it fail like a full disk."""

    def __init__(self) -> None:
        self.records: list[tuple[str, int]] = []
        self.open: dict[str, tuple[PendingOrder, int, int | None]] = {}
        self.placed: list[PendingOrder] = []
        self.runs: list[str] = []
        self.broken = False

    def _append(self, kind: str, nonce: int) -> None:
        if self.broken:
            raise JournalError("told to fail")
        self.records.append((kind, nonce))

    def begin(self, run: str, at_ms: int) -> None:
        self.runs.append(run)

    def knows(self, cloid: str) -> bool:
        return run_of(cloid) in self.runs

    def orders(self, batch: OrderBatch, nonce: int, expires_ms: int | None, at_ms: int) -> None:
        self._append("orders", nonce)
        for order in batch.orders:
            self.open[order.cloid] = (order, nonce, expires_ms)
            self.placed.append(order)

    @property
    def recovered(self) -> Recovered:
        """What a process that begins now finds."""
        floor = max((nonce for _, nonce in self.records), default=0)
        return Recovered(open=list(self.open.values()), nonce_floor=floor, torn=0)

    def cancels(self, nonce: int, at_ms: int) -> None:
        self._append("cancels", nonce)

    def noop(self, nonce: int, cloid: str, at_ms: int) -> None:
        self._append("noop", nonce)

    def action(self, kind: str, nonce: int, at_ms: int) -> None:
        self._append(kind, nonce)


class MemoryJournal:
    """The `Journal` port: a list."""

    def __init__(self) -> None:
        self.records: list[tuple[str, dict[str, Any]]] = []
        self.kept: dict[str, Any] = {}
        self.facts_known = True

    def record(self, kind: str, **fields: Any) -> None:
        self.records.append((kind, fields))

    def late_ms(self) -> int | None:
        return None

    def keep(self, name: str, value: object) -> None:
        self.kept[name] = value

    def fact(self, name: str, kind: type[Any]) -> Any:
        return self.kept.get(name)

    def open(self, path: Path, intents: MemoryIntents) -> None:
        pass

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [fields for k, fields in self.records if k == kind]
