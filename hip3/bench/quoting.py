"""What quoting costs: markets that are taken beside it, one decision, the way out of a price, the tick.

The quotes rest on the embedded exchange, and the budget of actions is said to be large: what a fresh address may
send is not what is measured. Measured in turns with the same service, all of whose markets are taken.
"""

import contextlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from hip3.bench import frames
from hip3.bench.quiet import Moments
from hip3.bench.rig import Broken, Rig, TimedWriter, coins, exchange, pause
from hip3.bench.rows import Goal, Row, at_most, beside, number, ours, quietly
from hip3.bench.scaling import in_turns, ticks
from hip3.bench.stats import Samples, Take, now_ns, time_calls
from hip3.bench.wired import BETWEEN_S, HAND_OFF, hand_off
from hip3.core.money import shift_bps
from hip3.core.ports import SendResult
from hip3.exchange.protocol import Session
from hip3.execution.quotes.quoter import Quoter
from hip3.strategy.ladder import Key
from hip3.strategy.quote_diff import SlotState

LEVELS, KEYS = 5, 10
"""Rungs of a side, and keys of a market."""
USUAL = 2
"""Rungs of a side, as they are unless a person wants others."""
TAKEN = 5
"""Markets that are not quoted."""
RICH = 1_000_000_000
"""Actions of the address."""
HALF_BPS, JUMP_BPS = Decimal(20), Decimal(20)
"""Half the spread, and how far the oracle jumps: to where the quote rests."""
ROOMY: dict[str, Any] = {
    "max_notional_total": Decimal(1_000_000), "max_concurrent_positions": 1000, "quote_levels": LEVELS,
    "quote_min_half_bps": HALF_BPS, "quote_max_half_bps": HALF_BPS, "quote_size_usd": Decimal(15),
    "quote_size_decay": Decimal(1), "quote_max_inventory_usd": Decimal(1000), "max_notional_per_market": Decimal(1000),
    "quote_warmup_s": 2, "quote_min_interval_ms": 0, "quote_jump_bps": Decimal(1000),
}  # fmt: skip
BLOCK, LONG = 20, 5
UNQUOTED = "with no market quoted"
PATIENCE_S = 60.0
"""Two samples of warm-up, and margins set one by one."""


class CancelWriter(TimedWriter):
    """Also says when the next cancel has been written."""

    cancelled: "Future[int] | None" = None

    def send(self, text: str, generation: int | None = None, by_ms: int | None = None) -> SendResult:
        """One frame of the service."""
        result = super().send(text, generation, by_ms)
        if self.cancelled is not None and '"type":"cancel"' in text:
            waiting, self.cancelled = self.cancelled, None
            waiting.set_result(now_ns())
        return result


def measure(folder: Path, quotes: int, count: int, shots: int) -> Iterable[Row]:
    """All rows, with at least so many resting quotes in the larger rig."""
    markets = -(-quotes // KEYS)
    with exchange(folder, markets + TAKEN) as url:
        with _rig(folder / "taken", url, markets, 0) as taken, _rig(folder / "quoted", url, markets, markets) as quoted:
            _all_rest(quoted, LEVELS)
            yield from _taken_frames(taken, quoted, count)
            yield from in_turns(
                f"tick, {markets * KEYS} resting quotes", taken, quoted, ticks, count, at_most(1.5), than=UNQUOTED
            )
            yield _decided(f"decided, {KEYS} keys", quoted, count, None)
        with _rig(folder / "alone", url, 1, 1, quote_levels=USUAL) as rig:
            _all_rest(rig, USUAL)
            yield _decided(f"decided, {2 * USUAL} keys", rig, count, at_most(150, "median"))
            yield from _jumps(rig, rig.coins[0], shots)


@contextlib.contextmanager
def _rig(folder: Path, url: str, markets: int, quoted: int, **settings: Any) -> Iterator[Rig]:
    names = ",".join(coins(markets)[:quoted])
    more = {**ROOMY, "quote_markets": names or None, **settings}
    with Rig(folder, url, markets + TAKEN, writer=CancelWriter, **more) as rig:
        address = rig.trading.address
        address.anchor(0, RICH)
        address.anchor = lambda *_: None  # type: ignore[method-assign]
        yield rig


def _quoter(rig: Rig) -> Quoter:
    quoter = rig.trading.quotes
    assert isinstance(quoter, Quoter)
    return quoter


def _live(rig: Rig, coin: str) -> dict[Key, Decimal]:
    """Prices of the quotes that rest, none of which is being cancelled. On the tick."""
    slots = _quoter(rig).markets[coin].keys.slots(rig.trading.tracker.quotes(coin))
    return {key: slot.px for key, slot in slots.items() if slot.state is SlotState.LIVE}


def _all_rest(rig: Rig, levels: int) -> None:
    """Wait until every key of every quoted market has its quote."""
    markets = _quoter(rig).markets
    wanted = len(markets) * levels * 2

    def rests() -> bool:
        return rig.on_tick(lambda: sum(len(_live(rig, coin)) for coin in markets)) >= wanted

    rig.wait(rests, f"{wanted} resting quotes", PATIENCE_S)


def _taken_frames(taken: Rig, quoted: Rig, count: int) -> Iterable[Row]:
    """A bbo frame of a market that is taken, without and with others that are quoted."""
    coin = taken.coins[-1]
    px, part = quoted.price(coin), Decimal("0.0005")
    text = frames.bbo(coin, 1 << 42, px * (1 - part), px * (1 + part), Decimal(5))

    def block(rig: Rig, first: int, size: int, take: Take) -> list[float]:
        def job(session: Session) -> list[float]:
            return take(partial(time_calls, lambda n: rig.receive(session, text), first, size))

        return rig.on_reader(job)

    # Long turns: what a frame passes through is compared, not how cold it finds the caches after what was quoted.
    path = "taken bbo frame, others quoted"
    yield from in_turns(path, taken, quoted, block, LONG * count, at_most(1.02), than=UNQUOTED)


def _decided(path: str, rig: Rig, count: int, goal: Goal | None) -> Row:
    """One round in which one quoted market has to be looked at; nothing is to be done."""
    quoter, moments = _quoter(rig), Moments()
    markets = list(quoter.markets.values())

    def decide(n: int) -> None:
        view = markets[n % len(markets)].view
        assert view is not None
        quoter.moved(view)
        quoter.step(rig.clock.mono_ms())

    for _ in range(0, count, BLOCK):
        rig.on_tick(lambda: moments.take(lambda: time_calls(decide, 0, BLOCK)))
    return quietly(ours(path, moments.judged, goal), moments, f"{number(moments.every.median)} us")


def _jumps(rig: Rig, coin: str, shots: int) -> Iterable[Row]:
    """From the frame of an oracle that jumps to where a quote rests, to the bytes of that quote's cancel."""
    writer = rig.writer
    assert isinstance(writer, CancelWriter)
    took, bare = [], []
    with hand_off(rig) as call:
        for n in range(shots):
            took.append(_jump(rig, writer, coin, up=n % 2 == 0))
            pause(BETWEEN_S)
            bare.append(call())
    own = Samples.of(took)
    yield ours("oracle jump to cancel, idle", own)
    yield beside("oracle jump to cancel, idle", own, HAND_OFF, Samples.of(bare), at_most(5))


def _jump(rig: Rig, writer: CancelWriter, coin: str, *, up: bool) -> float:
    """One jump and the way back; microseconds."""
    px = rig.price(coin)
    ready = shift_bps(px, HALF_BPS * 2)
    rig.wait(lambda: _near(rig, coin, ready - px), "quotes on both sides", PATIENCE_S)
    jumped = frames.ctx(coin, shift_bps(px, JUMP_BPS if up else -JUMP_BPS), px)
    began: list[int] = []

    def jump(session: Session) -> None:
        began.append(now_ns())
        rig.receive(session, jumped)

    pause(BETWEEN_S)
    waiting = writer.cancelled = Future()
    rig.fire(jump)
    try:
        cancelled = waiting.result(PATIENCE_S)
    except TimeoutError:
        raise Broken(f"no cancel after a jump in {coin}: {rig.reasons}") from None
    rig.on_reader(lambda session: rig.receive(session, frames.ctx(coin, px, px)))
    return (cancelled - began[0]) / 1000


def _near(rig: Rig, coin: str, within: Decimal) -> bool:
    """Whether both sides rest about where they should."""
    found = rig.on_tick(lambda: _live(rig, coin))
    return len(found) == 2 * USUAL and all(abs(px - rig.price(coin)) <= within for px in found.values())
