"""How cost grows: per message with the number of markets, per tick with the number of resting orders."""

from collections.abc import Callable, Iterable
from decimal import Decimal

import msgspec

from hip3.bench import frames
from hip3.bench.rig import Rig
from hip3.bench.rows import Goal, Row, at_most, beside, ours
from hip3.bench.signed import sample_order
from hip3.bench.stats import WARM_UP, Samples, time_calls
from hip3.core.events import Resting
from hip3.exchange.protocol import Session

ROUNDS = 20
Block = Callable[[Rig, int, int], list[float]]
"""(rig, first number, how many) -> microseconds of each."""


def measure_messages(small: Rig, large: Rig, count: int) -> Iterable[Row]:
    """Rows of a bbo frame, round robin over all markets of each rig."""
    path = f"bbo frame, {len(small.coins)} -> {len(large.coins)} markets"
    texts = {rig: [_frame(rig, coin) for coin in rig.coins] for rig in (small, large)}

    def block(rig: Rig, first: int, size: int) -> list[float]:
        def job(session: Session) -> list[float]:
            own = texts[rig]
            return time_calls(lambda n: rig.receive(session, own[n % len(own)]), first, size)

        return rig.on_reader(job)

    yield from in_turns(path, small, large, block, count, at_most(1.2))


def measure_ticks(small: Rig, large: Rig, few: int, many: int, count: int) -> Iterable[Row]:
    """Rows of one idle tick, while `few` orders rest on the one rig and `many` on the other."""
    rest(small, few)
    rest(large, many)
    yield from in_turns(f"tick, {few} -> {many} resting orders", small, large, ticks, count, at_most(3))


def ticks(rig: Rig, first: int, size: int) -> list[float]:
    """Microseconds of rounds of the tick, one after the other."""
    return rig.on_tick(lambda: time_calls(lambda n: rig.step(rig.clock.mono_ms()), first, size))


def rest(rig: Rig, orders: int) -> None:
    """Put so many resting entries into the books."""
    tracker = rig.trading.tracker
    for n in range(orders):
        order = msgspec.structs.replace(sample_order(1_000_000 + n), coin=rig.coins[n % len(rig.coins)])
        tracker.admit(order, lambda ledger, wished: wished)
        tracker.mark_sent(order.cloid, nonce=n, expires_ms=None, generation=1, mono_ms=rig.clock.mono_ms())
        tracker.on_status(order.cloid, Resting(1_000_000 + n))


def _frame(rig: Rig, coin: str) -> bytes:
    price = rig.price(coin)
    return frames.bbo(coin, 1 << 42, price * Decimal("0.9995"), price * Decimal("1.0005"), Decimal(5))


def in_turns(
    path: str, small: Rig, large: Rig, block: Block, count: int, goal: Goal, *, than: str = "its own smallest case"
) -> Iterable[Row]:
    """The larger case is ours, the smaller what it is measured beside."""
    each = max(1, count // ROUNDS)
    taken: dict[Rig, list[float]] = {small: [], large: []}
    for rig in taken:
        block(rig, 0, WARM_UP)
    for turn in range(max(1, count // each)):
        for rig, samples in taken.items():
            samples.extend(block(rig, turn * each, each))
    own = Samples.of(taken[large])
    yield ours(path, own)
    yield beside(path, own, than, Samples.of(taken[small]), goal)
