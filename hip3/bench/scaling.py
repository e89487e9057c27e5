"""How cost grows: per message with the number of markets, per tick with the number of resting orders."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import partial

import msgspec

from hip3.bench import frames
from hip3.bench.quiet import Moments
from hip3.bench.rig import Rig
from hip3.bench.rows import Goal, Row, at_most, beside, ours
from hip3.bench.signed import sample_order
from hip3.bench.stats import WARM_UP, Take, time_calls
from hip3.core.events import Resting
from hip3.exchange.protocol import Session

ROUNDS = 100
Turn = Callable[[Rig, int, int, Take], list[float]]
"""(rig, first number, how many, by whom they are run) -> microseconds of each."""


def measure_messages(small: Rig, large: Rig, count: int) -> Iterable[Row]:
    """Rows of a bbo frame, round robin over all markets of each rig."""
    path = f"bbo frame, {len(small.coins)} -> {len(large.coins)} markets"
    texts = {rig: [_frame(rig, coin) for coin in rig.coins] for rig in (small, large)}

    def block(rig: Rig, first: int, size: int, take: Take) -> list[float]:
        def job(session: Session) -> list[float]:
            own = texts[rig]
            return take(partial(time_calls, lambda n: rig.receive(session, own[n % len(own)]), first, size))

        return rig.on_reader(job)

    yield from in_turns(path, small, large, block, count, at_most(1.2))


def measure_ticks(small: Rig, large: Rig, few: int, many: int, count: int) -> Iterable[Row]:
    """Rows of one idle tick, while `few` orders rest on the one rig and `many` on the other."""
    rest(small, few)
    rest(large, many)
    yield from in_turns(f"tick, {few} -> {many} resting orders", small, large, ticks, count, at_most(3))


def ticks(rig: Rig, first: int, size: int, take: Take) -> list[float]:
    """Microseconds of rounds of the tick, one after the other."""
    return rig.on_tick(lambda: take(partial(time_calls, lambda n: rig.step(rig.clock.mono_ms()), first, size)))


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
    path: str, small: Rig, large: Rig, block: Turn, count: int, goal: Goal, *, than: str = "its own smallest case"
) -> Iterable[Row]:
    """The larger case is ours, the smaller what it is measured beside. Their threads may be on two cores, of which a
    neighbour slows one alone: both are judged by their quiet moments, or by all where either has too few."""
    each = max(1, count // ROUNDS)
    taken = {small: Moments(), large: Moments()}
    for rig in taken:
        block(rig, 0, WARM_UP, lambda some: some())
    for turn in range(max(1, count // each)):
        for rig, moments in taken.items():
            block(rig, turn * each, each, moments.take)
    quiet = all(moments.enough for moments in taken.values())
    own, other = (m.judged if quiet else m.every for m in (taken[large], taken[small]))
    percent = min(m.percent for m in taken.values()) if quiet else 0.0
    note = f"{percent:.0f} % of moments were quiet" if quiet else "too few moments were quiet: all of them are shown"
    yield ours(path, own)
    row = beside(path, own, than, other, goal)
    yield msgspec.structs.replace(row, note=note, quiet_percent=percent)
