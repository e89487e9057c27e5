"""The rule of `bench replay` on hftbacktest, over the same data, in a process of its own.

`python -m hip3.bench.by_hftbacktest MARKETS SECONDS RATE SEED`. It knows no oracle: its steps are arrays beside
the engine, looked up by its clock. The strategy is compiled by numba before the clock starts, on a few seconds of data.
"""

import json
import os
import sys
from typing import Any

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    LIMIT,
    LOCAL_EVENT,
    SELL_EVENT,
    BacktestAsset,
    HashMapMarketDepthBacktest,
    event_dtype,
)
from numba import njit

from hip3.bench import rule
from hip3.bench.day import LATE_MS, START_MS, Day, events
from hip3.bench.process import cpu_s
from hip3.bench.stats import now_ns

IOC, END = 3, 1
UNDER_WAY_NS = 150_000_000
"""So long an order's market is left alone: its way and its answer's, and a little more."""
STEP, LAST, STEPS, EDGE, BACK = rule.STEP_BPS, rule.LAST_STEP_BPS, rule.STEPS, rule.EDGE_BPS, rule.BACK_BPS
HOLD_NS, STOP_NS, USD, SHARE, LEAST, MOST = (
    rule.HOLD_NS, rule.STOP_NS, rule.ORDER_USD, rule.SHARE, rule.LEAST_USD, rule.MOST_HELD,
)  # fmt: skip


@njit  # type: ignore[untyped-decorator]
def stepped(run: int, before: float, new: float) -> Any:
    """(steps in one direction, size of this one in bps) after the oracle went on."""
    if before in (0.0, new):
        return run, -1.0
    bps = (new - before) / before * 10_000
    way = 1 if bps >= STEP else (-1 if bps <= -STEP else 0)
    if way == 0:
        return 0, abs(bps)
    return (run + way if run * way > 0 else way), abs(bps)


@njit  # type: ignore[untyped-decorator]
def wish(position: float, run: int, oracle: float, bid: float, ask: float, held_ns: int) -> int:
    """1: buy, -1: sell, 0: neither."""
    if position != 0.0:
        side = 1 if position > 0.0 else -1
        px = bid if side > 0 else ask
        back = (oracle - px) / px * 10_000 * side <= BACK
        return -side if held_ns >= STOP_NS or (held_ns >= HOLD_NS and back) else 0
    side = 1 if run > 0 else -1
    px = ask if side > 0 else bid
    return side if (oracle - px) / px * 10_000 * side > EDGE else 0


@njit  # type: ignore[untyped-decorator]
def send(hbt: Any, market: int, number: int, side: int, size: float) -> None:
    """An order at once or not at all, at the touch."""
    depth = hbt.depth(market)
    if side > 0:
        hbt.submit_buy_order(market, number, depth.best_ask, size, IOC, LIMIT, False)
    else:
        hbt.submit_sell_order(market, number, depth.best_bid, size, IOC, LIMIT, False)


@njit  # type: ignore[untyped-decorator]
def sized(depth: Any, side: int) -> float:
    """What an entry asks for; 0 where that is too little."""
    px, touch = (depth.best_ask, depth.best_ask_qty) if side > 0 else (depth.best_bid, depth.best_bid_qty)
    size: float = np.round(min(USD / px, SHARE * touch), 2)
    return size if size * px >= LEAST else 0.0


@njit  # type: ignore[untyped-decorator]
def busy(hbt: Any, until: Any, now: int) -> int:
    """Markets that are held, or have an order under way."""
    found = 0
    for market in range(hbt.num_assets):
        if hbt.position(market) != 0.0 or now < until[market]:
            found += 1
    return found


@njit  # type: ignore[untyped-decorator]
def trade(hbt: Any, times: Any, values: Any, count: Any) -> Any:
    """(signals, orders). `times`, `values`: the oracle's steps of each market; `count`: how many."""
    n = hbt.num_assets
    at, run, last = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.float64)
    oracle, since, until = np.zeros(n, np.float64), np.zeros(n, np.int64), np.zeros(n, np.int64)
    signals, orders = 0, 0
    while hbt.wait_next_feed(True, 60_000_000_000) != END:
        now = hbt.current_timestamp
        for m in range(n):
            while at[m] < count[m] and times[m, at[m]] <= now:
                new = values[m, at[m]]
                run[m], bps = stepped(run[m], oracle[m], new)
                last[m] = bps if bps >= 0.0 else last[m]
                oracle[m] = new
                at[m] += 1
            position = hbt.position(m)
            if now < until[m] or (position == 0.0 and (abs(run[m]) < STEPS or last[m] < LAST)):
                continue
            depth = hbt.depth(m)
            side = wish(position, run[m], oracle[m], depth.best_bid, depth.best_ask, now - since[m])
            if side == 0:
                continue
            size = abs(position)
            if position == 0.0:
                signals += 1
                size = sized(depth, side) if busy(hbt, until, now) < MOST else 0.0
                since[m] = now
            if size > 0.0:
                orders += 1
                until[m] = now + UNDER_WAY_NS
                send(hbt, m, orders, side, size)
    return signals, orders


def prepared(day: Day) -> tuple[list[Any], Any, Any, Any, int]:
    """(events of each market, oracle times, oracle values, how many of these, frames)."""
    rows: list[list[tuple[int, int, float, float]]] = [[] for _ in range(day.markets)]
    steps: list[list[tuple[int, float]]] = [[] for _ in range(day.markets)]
    shown: dict[tuple[int, int], int] = {}
    frames = 0
    for e in events(day):
        frames += 1
        at_ns = (START_MS + e.at_ms) * 1_000_000
        if not e.touch:
            steps[e.market].append((at_ns + LATE_MS * 1_000_000, e.bid / 100))
            continue
        for side, px, sz in ((BUY_EVENT, e.bid, e.bid_sz), (SELL_EVENT, e.ask, e.ask_sz)):
            before = shown.get((e.market, side))
            if before is not None and before != px:  # its book keeps levels: the one that is left goes
                rows[e.market].append((side, at_ns, before / 100, 0.0))
            shown[e.market, side] = px
            rows[e.market].append((side, at_ns, px / 100, sz / 100))
    data = []
    for market in rows:
        array = np.zeros(len(market), event_dtype)
        for number, (side, at_ns, usd, size) in enumerate(market):
            array[number] = (
                DEPTH_EVENT | EXCH_EVENT | LOCAL_EVENT | side, at_ns, at_ns + LATE_MS * 1_000_000, usd, size, 0, 0, 0.0,
            )  # fmt: skip
        data.append(array)
    longest = max(len(of) for of in steps)
    times: Any = np.zeros((day.markets, longest), np.int64)
    values: Any = np.zeros((day.markets, longest), np.float64)
    for number, of in enumerate(steps):
        for at, (heard_ns, usd) in enumerate(of):
            times[number, at], values[number, at] = heard_ns, usd
    return data, times, values, np.array([len(of) for of in steps], np.int64), frames


def backtest(data: list[Any]) -> Any:
    """Its engine over them."""
    assets = [
        BacktestAsset()
        .data([array])
        .linear_asset(1.0)
        .constant_order_latency(rule.ORDER_NS, LATE_MS * 1_000_000)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, rule.FEE_BPS / 10_000)
        .tick_size(0.01)
        .lot_size(0.01)
        for array in data
    ]
    return HashMapMarketDepthBacktest(assets)


def run(day: Day) -> dict[str, Any]:
    """Frames, seconds of loading, compiling and running, and what was traded."""
    began = now_ns()
    few, times, values, count, _ = prepared(Day(day.markets, 3, day.rate, day.seed))
    trade(backtest(few), times, values, count)
    compiled = now_ns()
    data, times, values, count, frames = prepared(day)
    hbt = backtest(data)
    loaded, spent = now_ns(), cpu_s(os.getpid())
    signals, orders = trade(hbt, times, values, count)
    ended, spent = now_ns(), cpu_s(os.getpid()) - spent
    fills = sum(hbt.state_values(number).num_trades for number in range(day.markets))
    hbt.close()
    return {
        "frames": frames, "compile_s": (compiled - began) / 1e9, "load_s": (loaded - compiled) / 1e9,
        "run_s": (ended - loaded) / 1e9, "cpu_s": spent,
        "signals": int(signals), "orders": int(orders), "fills": int(fills),
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(run(Day(*(int(number) for number in sys.argv[1:5])))))
