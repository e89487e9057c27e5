"""The scene below all who act on it: clock, threads, exchange, the process that runs, and the chronicle.

Who acts (network, mishaps, witness, operator, checks) takes the scene and not the world that made them.
"""

import random
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

from hip3.config.reading import MarketSettings
from hip3.config.settings import Settings
from hip3.core.money import round_price
from hip3.core.orders import PendingOrder
from hip3.exchange.embedded import key_number_one
from hip3.exchange.signing import SigningKey
from hip3.onethread.clock import SimClock
from hip3.onethread.threads import Threads
from hip3.service.running import Running
from hip3.simulate.mishap import Mishap
from hip3.simulate.plan import Plan
from hip3.simulate.setup import setup_of
from hip3.venue.venue import Venue

SHOWN_WHOLE = frozenset(
    {"connected", "disconnected", "adopted", "market_blocked", "storm", "second_instance", "gap_accepted"}
)
"""Records whose fields are their line."""


class Scene:
    """See the module."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder
        self.clock = SimClock()
        self.began_ms = self.clock.mono_ms()
        self.threads = Threads(self.clock, plan.seed, preempt=plan.preempt)
        settings = {"state_dir": str(folder), "log_dir": str(folder / "logs")} | plan.settings
        self.settings = MarketSettings(Settings(**settings))
        self.dexs = self.settings.base.dexs
        seed = plan.settings["exchange_seed"]
        self.user = SigningKey(key_number_one(seed)).address
        self.venue = Venue(
            setup_of(plan), seed=seed, profile="simulated", now_ms=self.clock.wall_ms(), latency_ms=plan.latency_ms
        )
        self.rng = random.Random(f"{plan.seed}:world")
        self.skew_ms = 0
        """How far the machine's wall clock is ahead of the exchange's."""
        self.heard_ms = 0
        """When the service last read a frame."""
        self.running: Running | None = None
        """The parts of the process that lives, or None."""
        self.stopping = False
        """The service has begun to stop."""
        self.tripped = False
        """The latch is on disk."""
        self.ends: dict[str, str] = {}
        """cloid -> how the intent log says it ended."""
        self.rules_change = any(m.kind == "change" for m in plan.mishaps)
        self.log: list[str] = []
        self.untold: dict[int, str] = {}
        """oid -> market of somebody else's orders of which nothing reached the service: only a reading can find what
        they did."""
        self.unread = False
        """The service has yet to read what a silence or old answers, which are over, kept from it."""
        self.gapped: dict[str, int] = {}
        """Market -> when its price was last elsewhere at once (monotonic)."""
        self.hits: Counter[tuple[str, str]] = Counter()
        self.counts: Counter[str] = Counter()
        self._names: dict[str, str] = {}

    # What is.

    def exchange_ms(self) -> int:
        """The exchange's time."""
        return self.clock.wall_ms() - self.skew_ms + self.venue.clock_offset_ms

    def file(self, name: str) -> Path | None:
        """A file of the account's state folder, if it is there."""
        return next((p for p in self.folder.glob(f"*/{name}")), None)

    def positions(self) -> dict[str, Decimal]:
        """The account's positions by the exchange's books."""
        account = self.venue.engine.account(self.user)
        if account is None:
            return {}
        return {coin: p.szi for dex in account.dexs.values() for coin, p in dex.positions.items() if p.szi}

    def states(self) -> set[str]:
        """What states orders are in, and whether a position is held."""
        running = self.running
        if running is None or running.trading is None:
            return {"none"}
        orders = running.trading.tracker._orders
        found = {t.state.value for t in orders.live.values()}
        if orders.provisional:
            found.add("unbooked")
        if self.positions():
            found.add("holding")
        return found or {"none"}

    # What happens.

    def lure(self, count: int = 9) -> None:
        """So many markets have something to trade on: an oracle leaves its book behind."""
        for coin in self.rng.sample(self.plan.coins, min(count, len(self.plan.coins))):
            market = self.venue.engine.markets[coin]
            if not market.halted:
                away = Decimal(self.rng.choice((-1, 1)) * self.rng.randint(8, 40)) / 10_000
                market.oracle = round_price(market.oracle * (1 + away), market.info.sz_decimals, up=False)

    def hit(self, m: Mishap) -> None:
        """A mishap hits: count what state each order is in."""
        self.counts["mishaps"] += 1
        for state in self.states():
            self.hits[m.row, state] += 1

    # What is told.

    def name(self, cloid: str | None) -> str:
        """A short name for an order, the same in every run of the seed."""
        return "nobody's" if cloid is None else self._names.setdefault(cloid, f"#{len(self._names) + 1}")

    def say(self, text: str) -> None:
        """One line of the event log."""
        self.log.append(f"{self.clock.mono_ms() - self.began_ms:>7}  {text.replace(str(self.folder), 'STATE')}")

    def tell(self, kind: str, fields: dict[str, Any]) -> None:
        """A record of the journal as a line of the event log, if it says something new."""
        line = self._line_of(kind, fields)
        if line:
            self.say(line)

    def _line_of(self, kind: str, fields: dict[str, Any]) -> str:
        """A record as a line of the event log; "" for those that say nothing new."""
        if kind == "order":
            event = fields["event"]
            why = event.why.replace(event.order.cloid, "it")
            return f"order {self.name(event.order.cloid)} {event.before.value} -> {event.after.value}: {why}"
        if kind == "fill":
            fill = fields["event"].fill
            return f"fill of {self.name(fill.cloid)}: {fill.sz} {fill.coin} at {fill.px}, {fields['event'].kind}"
        if kind == "certificate":
            return f"certificate of {self.name(fields['cloid'])}: {fields['how']}"
        if kind == "exit":
            order: PendingOrder = fields["order"]
            reason = order.exit_reason.value if order.exit_reason is not None else "-"
            return f"exit {self.name(order.cloid)} of {order.coin} for {reason}, attempt {order.attempt}"
        if kind == "state":
            return f"state {fields['word']} {fields['why']}"
        if kind in SHOWN_WHOLE:
            shown = " ".join(f"{k}={v}" for k, v in fields.items() if k != "cloid")
            return f"{kind} {shown}"
        return ""
