"""Inbound frame to decision, and to ledger: on the ws-reader thread, beside `json.loads` and the SDK."""

import io
import json
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from decimal import Decimal
from functools import partial
from itertools import cycle
from typing import Any

import msgspec

from hip3.bench import frames, reference
from hip3.bench.quiet import Moments
from hip3.bench.rig import Rig, pause
from hip3.bench.rows import Goal, Row, absent, at_least, at_most, beside, figure, number, ours, quietly
from hip3.bench.signed import sample_order
from hip3.bench.stats import WARM_UP, Samples, now_ns, side_by_side
from hip3.core.money import ZERO, half_even
from hip3.core.orders import PendingOrder
from hip3.exchange.protocol import Session

LOADS, SDK = "json.loads", "SDK's on_message"
LOT = Decimal("0.01")
AHEAD_MS = 2000
"""No book of the exchange itself is newer: one that goes back would be refused early, and so measured too fast."""
BATCH = 64
"""So many different frames go round where each call is timed; where they follow each other no two are alike."""
PASSES, STRETCHES, BETWEEN_S = 10, 100, 0.02
"""Ten times as many frames follow each other, in a hundred stretches with a pause between."""


def measure(rig: Rig, count: int) -> Iterable[Row]:
    """Rows of bbo, contexts, order updates and fills."""
    coin = rig.coins[0]
    price = rig.price(coin)
    tick = half_even(price / 10_000, 3)
    ahead = rig.clock.wall_ms() + AHEAD_MS
    bbos = [_bbo(coin, price, tick, n, ahead) for n in range(BATCH)]
    ctxs = [frames.ctx(coin, price + tick * (n % 2), price) for n in range(BATCH)]
    yield from _rows(rig, "bbo frame to decision", bbos, count, at_most(12))
    yield _rate(rig, lambda n, ahead: _bbo(coin, price, tick, n, ahead), PASSES * count)
    yield from _rows(rig, "context frame to decision", ctxs, count, None)
    order = msgspec.structs.replace(sample_order(1), coin=coin)
    rig.trading.tracker.admit(order, lambda ledger, wished: wished)
    rig.trading.tracker.mark_sent(order.cloid, nonce=1, expires_ms=None, generation=1, mono_ms=rig.clock.mono_ms())
    yield from _rows(rig, "orderUpdates frame to ledger", _updates(order), count, None)
    rig.trading.tracker.refuse(order.cloid, "the benchmark is over")
    yield from _fill_rows(rig, coin, price, count)


def _bbo(coin: str, price: Decimal, tick: Decimal, n: int, time_ms: int) -> bytes:
    """The n-th of a row of touches, each with a time and a size of its own."""
    bid, ask = price - tick * (n % 9 + 1), price + tick * (n % 7 + 1)
    return frames.bbo(coin, time_ms + n // BATCH, bid, ask, Decimal(n + 1) / 8)


def _fill_rows(rig: Rig, coin: str, price: Decimal, count: int) -> Iterable[Row]:
    fee = rig.fee(coin, price * LOT)
    fills = _fills(coin, price, rig.clock.wall_ms(), count, fee)
    path = "userFills frame to ledger"
    moments = Moments()
    yield from _rows(rig, path, fills, count, None, at_most(30, "median"), moments)
    own, every = moments.judged, moments.every
    tail = figure(f"{path}, 99th percentile in medians", own.p99 / own.median, "x", at_most(10, "median"))
    yield quietly(tail, moments, f"{number(every.p99 / every.median)} x")
    if rig.trading.tracker.position(coin) is not None:
        last = frames.user_fill(
            coin, cloid="0x0", oid=0, tid=len(fills), px=price, sz=LOT, buy=False, start=LOT,
            time_ms=rig.clock.wall_ms() + len(fills), fee=fee,
        )  # fmt: skip
        rig.on_reader(lambda session: rig.receive(session, last))


def _rows(
    rig: Rig, path: str, texts: list[bytes], count: int, goal: Goal | None, own_goal: Goal | None = None,
    moments: Moments | None = None,
) -> Iterable[Row]:  # fmt: skip
    manager = _sdk_manager(json.loads(texts[0]))
    # The SDK is given text by its WebSocket, and `json.loads` is faster with it.
    own, decoded, again = cycle(texts), cycle([t.decode() for t in texts]), cycle([t.decode() for t in texts])

    def job(session: Session) -> dict[str, Samples]:
        calls: dict[str, Callable[[int], object]] = {
            "ours": lambda n: rig.receive(session, next(own)),
            LOADS: lambda n: json.loads(next(decoded)),
        }
        if manager is not None:
            calls[SDK] = lambda n: manager.on_message(None, next(again))
        with redirect_stdout(io.StringIO()):
            if moments is None:
                return side_by_side(calls, count)
            return side_by_side(calls, count, STRETCHES, {"ours": moments.take})

    taken = rig.on_reader(job)
    if moments is None:
        yield ours(path, taken["ours"], own_goal)
    else:
        yield quietly(ours(path, moments.judged, own_goal), moments, f"{number(moments.every.median)} us")
    yield beside(path, taken["ours"], LOADS, taken[LOADS], goal)
    if manager is None:
        yield absent(path, SDK)
    else:
        yield beside(path, taken["ours"], SDK, taken[SDK])


def _rate(rig: Rig, made: Callable[[int, int], bytes], count: int) -> Row:
    """Frames a second when one follows the other, without a clock between them, all market gates on. `made(n, ahead)`:
    the n-th of them."""
    moments, each = Moments(), max(1, count // STRETCHES)

    def stretch(session: Session, texts: list[bytes]) -> list[float]:
        began = now_ns()
        for text in texts:
            rig.receive(session, text)
        return [(now_ns() - began) / 1000 / len(texts)]

    def job(session: Session, texts: list[bytes]) -> None:
        moments.take(lambda: stretch(session, texts))

    for first in range(0, count, each):
        ahead = rig.clock.wall_ms() + AHEAD_MS - first // BATCH
        rig.on_reader(partial(job, texts=[made(n, ahead) for n in range(first, first + each)]))
        pause(BETWEEN_S)
    row = figure("bbo frames, one after the other", _per_s(moments.judged), "per s", at_least(100_000, "median"))
    return quietly(row, moments, f"{number(_per_s(moments.every))} per s")


def _per_s(took: Samples) -> float:
    """From the microseconds of a frame, over all of them."""
    return 1e6 * len(took.us) / sum(took.us)


def _sdk_manager(message: dict[str, Any]) -> Any:
    """The SDK's manager with one callback that does nothing, subscribed to such messages; it never connects."""
    module = reference.module("websocket_manager")
    if module is None:
        return None
    manager = module.WebsocketManager("http://127.0.0.1:9")
    identifier = module.ws_msg_to_identifier(message)
    manager.active_subscriptions[identifier].append(module.ActiveSubscription(lambda _: None, 1))
    return manager


def _updates(order: PendingOrder) -> list[bytes]:
    """Updates of an order of ours that rests and shrinks."""
    return [
        frames.order_update(
            order.coin, cloid=order.cloid, oid=7, px=order.px, sz=Decimal(BATCH), left=Decimal(BATCH - n), status="open"
        )
        for n in range(BATCH)
    ]


def _fills(coin: str, price: Decimal, wall_ms: int, count: int, fee: Decimal) -> list[bytes]:
    """Fills that open and close a small position in turn, each of them new."""
    out = []
    for n in range(count + 2 * WARM_UP):
        buy = n % 2 == 0
        fill = frames.user_fill(
            coin, cloid=f"0x{n:032x}", oid=n, tid=n, px=price, sz=LOT, buy=buy,
            start=ZERO if buy else LOT, time_ms=wall_ms + n, fee=fee,
        )  # fmt: skip
        out.append(fill)
    return out
