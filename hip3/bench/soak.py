"""A million messages and ten thousand orders through one service: does it grow?

Run as a process of its own (`python -m hip3.bench.soak FOLDER MESSAGES ORDERS`), so that its resident memory is the
service's. The exchange's answers are made here: at 2,000 messages a minute the real limit would take hours. All
else is the service as it is: its threads, gates, books, exits, journal and intents.
"""

import json
import os
import sys
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from hip3.bench import frames
from hip3.bench.process import resident_mb
from hip3.bench.rig import DEX, Broken, Rig, TimedWriter, exchange, pause
from hip3.bench.shots import shot
from hip3.bench.stats import now_ns
from hip3.clock import SystemClock
from hip3.core.money import ZERO
from hip3.core.ports import SendOutcome, SendResult
from hip3.exchange.protocol import Session
from hip3.position.order_index import KEPT_ORDERS
from hip3.position.read_positions import KEPT as KEPT_FILLS

MARKETS = 100
BLOCK = 5000
"""Messages of one job on the ws-reader: short enough for its heartbeat."""
SHOT_EVERY = 100
FULL = max(KEPT_ORDERS, MARKETS * KEPT_FILLS) + 500
"""After so many orders the bounded stores of ended orders and of each market's fills are full: what they hold is no
growth any more."""
ROOMY: dict[str, Any] = {
    "max_notional_total": Decimal(1_000_000), "max_concurrent_positions": 1000, "time_stop_ms": 100,
    "hard_stop_max_slippage_bps": Decimal(10_000),
}  # fmt: skip
"""Every market may hold a position, for a tenth of a second each."""
QUIET_MS = 10_000
AHEAD_MS = 3_600_000
"""No book of the exchange itself is newer than those made here, which all have one time."""


class Answering(TimedWriter):
    """Takes the posts and executes every order whole; everything else goes to the exchange."""

    fee: Callable[[str, Decimal], Decimal]
    """What taking costs in a market, of a notional; known once the service is ready."""

    def __init__(self, clock: SystemClock) -> None:
        super().__init__(clock)
        self.frames: deque[bytes] = deque()
        self.orders = 0
        self._held: dict[int, Decimal] = {}

    def send(self, text: str, generation: int | None = None, by_ms: int | None = None) -> SendResult:
        """One frame of the service."""
        if not text.startswith('{"method":"post"'):
            return super().send(text, generation, by_ms)
        message = msgspec.json.decode(text)
        action = message["request"]["payload"]["action"]
        if action["type"] == "order":
            self._execute(message["id"], action["orders"])
        return SendResult(SendOutcome.SENT, 1)

    def _execute(self, post_id: int, orders: list[dict[str, Any]]) -> None:
        now, oids = self.clock.wall_ms(), []
        for order in orders:
            self.orders += 1
            oids.append(self.orders)
            asset, size, px = order["a"], Decimal(order["s"]), Decimal(order["p"])
            coin, held = f"{DEX}:M{asset % 10_000:03d}", self._held.get(asset, ZERO)
            self._held[asset] = held + (size if order["b"] else -size)
            names: dict[str, Any] = {"cloid": order["c"], "oid": self.orders, "px": px, "sz": size}
            fee = self.fee(coin, px * size)
            fill = frames.user_fill(coin, tid=self.orders, buy=order["b"], start=held, time_ms=now, fee=fee, **names)
            self.frames.append(fill)
            self.frames.append(frames.order_update(coin, left=ZERO, status="filled", **names))
        sizes = [order["s"] for order in orders]
        self.frames.append(frames.filled_reply(post_id, oids=oids, px=Decimal(orders[0]["p"]), sizes=sizes))


class Soak:
    """Feeds one rig."""

    def __init__(self, rig: Rig, writer: Answering) -> None:
        self._rig, self._writer = rig, writer
        self.messages = 0
        self._shots = 0
        self._book_ms = rig.clock.wall_ms() + AHEAD_MS
        coins = rig.coins
        prices = [rig.price(coin) for coin in coins]
        half = Decimal("0.0005")
        self._texts = [
            text
            for coin, px in zip(coins, prices, strict=True)
            for text in (
                frames.bbo(coin, self._book_ms, px - px * half, px + px * half, Decimal(9)),
                frames.ctx(coin, px, px),
            )
        ]
        self._prices = prices
        writer.fee = rig.fee

    def feed(self, messages: int, orders: int) -> None:
        """Until there were so many of both. Broken if orders are wanted and none comes for long."""
        clock, seen = self._rig.clock, self._writer.orders
        end = clock.mono_ms() + QUIET_MS
        while self.messages < messages or self._writer.orders < orders:
            self._rig.on_reader(lambda session: self._block(session, more_orders=self._writer.orders < orders))
            if self._writer.orders > seen or seen >= orders:
                seen, end = self._writer.orders, clock.mono_ms() + QUIET_MS
            elif clock.mono_ms() > end:
                raise Broken(f"no order since the {seen}th: {dict(self._rig.trading.blocked) or self._rig.reasons}")
            # No backlog of records that a real pace would never pile up.
            self._rig.wait(lambda: self._rig.running.journal.empty, "an empty journal queue")

    def _block(self, session: Session, *, more_orders: bool) -> None:
        receive, texts = self._rig.receive, self._texts
        for n in range(BLOCK):
            receive(session, texts[(self.messages + n) % len(texts)])
            self._answer(session)
            if more_orders and n % SHOT_EVERY == 0:
                self._shoot(session)
        self.messages += BLOCK

    def _answer(self, session: Session) -> None:
        while self._writer.frames:
            self._rig.receive(session, self._writer.frames.popleft())

    def _shoot(self, session: Session) -> None:
        self._shots += 1
        number = self._shots % len(self._prices)
        for text in shot(self._rig.coins[number], self._prices[number], self._shots, self._book_ms):
            self._rig.receive(session, text)

    def settled_mb(self) -> float:
        """Resident memory once nothing is under way any more."""
        rig = self._rig

        def quiet() -> bool:
            rig.on_reader(self._answer)
            tracker = rig.trading.tracker
            return rig.running.journal.empty and not tracker.live() and not tracker.positions()

        rig.wait(quiet, "an end of all orders")
        pause(0.5)
        return resident_mb(os.getpid())


def run(folder: Path, messages: int, orders: int) -> dict[str, float]:
    """The figures of one soak."""
    with exchange(folder, MARKETS) as url, Rig(folder / "soak", url, MARKETS, writer=Answering, **ROOMY) as rig:
        assert isinstance(rig.writer, Answering)
        began, soak = now_ns(), Soak(rig, rig.writer)
        ready = soak.settled_mb()
        soak.feed(messages // 10, min(orders * 3 // 4, FULL))
        before = soak.settled_mb()
        soak.feed(messages, orders)
        after = soak.settled_mb()
        return {
            "ready_mb": ready, "before_mb": before, "after_mb": after,
            "messages": soak.messages, "orders": rig.writer.orders, "seconds": (now_ns() - began) / 1e9,
        }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
