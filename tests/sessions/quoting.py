"""A service that quotes a market which stands still, until the test moves it; others trade with it by hand."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from hip3.core.orders import Side
from hip3.execution.quotes.market import QuotedMarket
from hip3.position.tracked import TrackedOrder
from hip3.venue.engine.engine import Request
from tests.builders import D
from tests.stage import OURS, EnvWorld

GOLD = "xyz:GOLD"
QUOTED = {
    "HIP3_QUOTE_MARKETS": GOLD, "HIP3_MIN_EDGE_BPS": "5000", "HIP3_MAX_NOTIONAL_PER_MARKET": "100",
    "HIP3_MAX_NOTIONAL_TOTAL": "200", "HIP3_QUOTE_VOL_FACTOR": "0",
}  # fmt: skip


class QuoteStage:
    """READY, warm, and from then on the market moves by `move` alone. Prices are basis points from where it stood."""

    def __init__(self, tmp_path: Path, *, warm: bool = True, rests: int = 4, **env: str) -> None:
        settings = QUOTED | {f"HIP3_{name.upper()}": value for name, value in env.items()}
        self.world = EnvWorld(tmp_path, OURS | settings)
        world = self.world
        assert world.run_until(lambda: world.ready, 8000)
        world.venue._crowd.advance = lambda now_ms: None  # type: ignore[method-assign]
        self.center = world.venue.engine.markets[GOLD].oracle
        self.move(0)
        if warm:
            assert world.run_until(lambda: len(self.live()) == rests, 120_000, step_ms=50), self.market.reasons

    @property
    def market(self) -> QuotedMarket:
        return self.world.trading.quotes.markets[GOLD]

    @property
    def orders(self) -> list[TrackedOrder]:
        """Quotes that may be alive."""
        return self.world.trading.tracker.quotes(GOLD)

    def live(self, side: Side | None = None) -> list[dict[str, Any]]:
        """Quotes that rest, by the exchange's own list."""
        words = {"B": Side.BUY, "A": Side.SELL}
        return [o for o in self.world.listed("xyz") if o["coin"] == GOLD and side in (None, words[o["side"]])]

    def prices(self, side: Side) -> list[Decimal]:
        """Of the quotes that rest, the nearest to the market first."""
        return sorted((D(o["limitPx"]) for o in self.live(side)), reverse=side.is_buy)

    def move(self, bps: float, *, usd: float = 5000) -> None:
        """Outside price, oracle, mark and makers go there at once."""
        self._at = bps
        px = (self.center * (1 + Decimal(str(bps)) / 10_000)).quantize(Decimal("0.1"))
        self.world.venue.move(GOLD, px, self.world.exchange_ms())

    def take(self, side: Side, size: str | None = None) -> None:
        """Somebody takes the nearest of our quotes of this side, or `size` of it."""
        engine, now = self.world.venue.engine, self.world.exchange_ms()
        ours = sorted(self.live(side), key=lambda o: D(o["limitPx"]) * -side.sign)[0]
        account = engine.account(self.world.user)
        assert account is not None
        taker = self.world.venue._crowd._agent("noise", "xyz")
        market = engine.markets[GOLD]
        # What others quote nearer to the market goes first.
        px, sz = D(ours["limitPx"]), D(size or ours["sz"])
        levels = market.book.depth(is_buy=side.is_buy, levels=1000)
        near = sum((size for at, size, _ in levels if (at - px) * side.sign >= 0), D(0)) - D(ours["sz"])
        engine.place(taker, Request(market, not side.is_buy, px, near + sz, False, "Ioc", None), now)
        self.move(self._at)  # the others are back at once

    def run(self, ms: int, step_ms: int = 10) -> None:
        self.world.run(ms, step_ms)

    def until(self, condition: Callable[[], bool], ms: int = 5000) -> bool:
        return self.world.run_until(condition, ms)

    def actions(self, kind: str) -> list[dict[str, Any]]:
        """Actions of a type that left so far."""
        return [a for a in self.world.sender.actions() if a["type"] == kind]

    def sent(self) -> int:
        """Items of actions that left so far, of whatever type."""
        return sum(len(a.get("orders", a.get("cancels", a.get("modifies", [1])))) for a in self.world.sender.actions())

    def journal(self, kind: str) -> list[dict[str, Any]]:
        return self.world.journal.of(kind)

    def drop(self, *beginnings: str) -> None:
        """Frames that begin so do not arrive any more."""
        self.world.filter_frame = lambda text: [] if text.startswith(beginnings) else [text]

    def frame(self, channel: str, data: Any) -> None:
        """A frame out of nowhere."""
        self.world.inject(json.dumps({"channel": channel, "data": data}, separators=(",", ":")))
