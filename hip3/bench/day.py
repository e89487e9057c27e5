"""A stretch of market data made from a seed: what is measured with it is the same everywhere, and needs no recording.

Markets move as HIP-3 markets do: an oracle every 3 s, a touch that follows it some hundred milliseconds later, a few
quotes a second that change a size or a tick, and now and then a run of oracle steps that the touch is slow to follow.
Prices are ticks of 0.01 USD, sizes hundredths: integers, from which each engine's own form is made without rounding.
"""

import heapq
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from hip3.record.lines import encode_line
from hip3.record.segment import SegmentWriter

START_MS = 1_790_000_000_000
ORACLE_MS, CONTEXT_MS = 3000, 1000
LATE_MS = 40
"""How long each frame is under way."""
RUN_EVERY_MS = 40_000
"""Of a market, on average, between two runs of its oracle."""
FOLLOWS_MS = 900
"""After a run the touch stays so long where it was."""
TICKS_USD, LOTS = 100, 100


class Day(NamedTuple):
    """How much: `rate` frames a second over all markets."""

    markets: int = 100
    seconds: int = 120
    rate: int = 1000
    seed: int = 0

    @property
    def coins(self) -> list[str]:
        """Their names."""
        return [f"xyz:M{number:03d}" for number in range(self.markets)]


class Event(NamedTuple):
    """A touch, or an oracle (then sizes are 0 and `bid` is the oracle, `ask` the mark)."""

    at_ms: int
    """Of the exchange."""
    market: int
    touch: bool
    bid: int
    bid_sz: int
    ask: int
    ask_sz: int


class _Market:
    def __init__(self, number: int, rng: random.Random, every_ms: int) -> None:
        self.number, self._rng, self._every = number, rng, every_ms
        self.oracle = self._mid = rng.randrange(5_000, 60_000)
        self._spread = max(2, self.oracle // 5000)
        self.next_quote = rng.randrange(every_ms)
        self.next_oracle, self.next_context = rng.randrange(ORACLE_MS), rng.randrange(CONTEXT_MS)
        self._run, self._way, self._stale_until = 0, 1, 0

    @property
    def due(self) -> int:
        """When it has something to say."""
        return min(self.next_oracle, self.next_context, self.next_quote)

    def quote(self, now: int) -> Event:
        rng = self._rng
        self.next_quote = now + rng.randrange(self._every // 2, self._every * 3 // 2 + 1)
        if now >= self._stale_until:
            gap = self.oracle - self._mid
            self._mid += gap if abs(gap) > 2 * self._spread else rng.randrange(-1, 2) + (gap > 0) - (gap < 0)
        half = self._spread // 2
        return Event(
            now, self.number, True, self._mid - half, rng.randrange(50, 3000), self._mid + half, rng.randrange(50, 3000)
        )

    def context(self, now: int) -> Event:
        self.next_context = now + CONTEXT_MS
        return Event(now, self.number, False, self.oracle, 0, self._mid, 0)

    def step(self, now: int) -> Event:
        """The oracle's turn."""
        rng = self._rng
        self.next_oracle = now + ORACLE_MS
        if self._run:
            self._run -= 1
        elif rng.randrange(RUN_EVERY_MS) < ORACLE_MS:
            self._run, self._way = 3, rng.choice((-1, 1))
        size = rng.randrange(4, 14) * self.oracle // 10_000 * self._way if self._run else rng.randrange(-1, 2)
        self.oracle += size
        if self._run:
            self._stale_until = now + FOLLOWS_MS
        return self.context(now)


def events(day: Day) -> Iterator[Event]:
    """All of it, in order of time, of one time by market."""
    rng = random.Random(f"{day.seed}:day")  # noqa: S311 a market is seeded on purpose
    quotes = max(1, day.rate - day.markets * 1000 * (ORACLE_MS + CONTEXT_MS) // (ORACLE_MS * CONTEXT_MS))
    every_ms = max(2, day.markets * 1000 // quotes)
    markets = [_Market(number, rng, every_ms) for number in range(day.markets)]
    due = [(market.due, market.number) for market in markets]
    heapq.heapify(due)
    while due[0][0] < day.seconds * 1000:
        now, number = due[0]
        market = markets[number]
        if market.next_oracle <= now:
            yield market.step(now)
        elif market.next_context <= now:
            yield market.context(now)
        if market.next_quote <= now:
            yield market.quote(now)
        heapq.heapreplace(due, (market.due, number))


def record(day: Day, path: Path) -> int:
    """Write it as a segment, whole with the answers about its markets: how many frames. OSError."""
    writer, number = SegmentWriter(path), 0
    coins = [coin.encode() for coin in day.coins]

    def line(kind: str, at_ms: int, data: bytes, stream: str) -> None:
        nonlocal number
        number += 1
        at_ns = (START_MS + at_ms) * 1_000_000
        mono_ns = (at_ms + 1000) * 1_000_000
        writer.append(encode_line(number, at_ns, mono_ns, 1, kind, data), number, at_ns, mono_ns, stream)

    for answer in _answers(day):
        line("meta", 0, msgspec.json.encode(answer), "meta")
    line("gap", 0, b'{"what":"up","why":""}', "gap")
    first = number
    for event in events(day):
        coin = coins[event.market]
        if event.touch:
            data = _BBO % (
                coin,
                START_MS + event.at_ms,
                *_px(event.bid),
                *_sz(event.bid_sz),
                *_px(event.ask),
                *_sz(event.ask_sz),
            )
        else:
            data = _CTX % (coin, *_px(event.bid), *_px(event.ask), *_px(event.ask), *_px(event.bid))
        line("in", event.at_ms + LATE_MS, data, "bbo" if event.touch else "activeAssetCtx")
    writer.close()
    return number - first


_BBO = (
    b'{"channel":"bbo","data":{"coin":"%b","time":%d,"bbo":[{"px":"%d.%02d","sz":"%d.%02d","n":2},'
    b'{"px":"%d.%02d","sz":"%d.%02d","n":2}]}}'
)
_CTX = (
    b'{"channel":"activeAssetCtx","data":{"coin":"%b","ctx":{"funding":"0.0000125","openInterest":"1000.5",'
    b'"prevDayPx":"100.0","dayNtlVlm":"12345.6","premium":"0.0001","oraclePx":"%d.%02d","markPx":"%d.%02d",'
    b'"midPx":"%d.%02d","impactPxs":["%d.%02d","100.1"],"dayBaseVlm":"100.0"}}}'
)


def _px(ticks: int) -> tuple[int, int]:
    return divmod(ticks, TICKS_USD)


def _sz(lots: int) -> tuple[int, int]:
    return divmod(lots, LOTS)


def _answers(day: Day) -> list[dict[str, Any]]:
    """What the exchange says of its markets. Order sizes have two decimals, prices two."""
    dex = {"name": "xyz", "fullName": "xyz", "deployer": "0x" + "0" * 40}
    universe = [
        {
            "name": coin, "szDecimals": 2, "maxLeverage": 10, "marginTableId": 10, "deployerFeeScale": "1.0",
            "growthMode": "enabled", "onlyIsolated": True, "marginMode": "strictIsolated",
        }
        for coin in day.coins
    ]  # fmt: skip
    contexts = [{"oraclePx": "100.0", "markPx": "100.0", "funding": "0.0"} for _ in day.coins]
    asked = START_MS * 1_000_000
    return [
        {"asked_ns": asked, "request": {"type": "perpDexs"}, "answer": [None, dex]},
        {
            "asked_ns": asked, "request": {"type": "metaAndAssetCtxs", "dex": "xyz"},
            "answer": [{"universe": universe, "marginTables": []}, contexts],
        },
    ]  # fmt: skip
