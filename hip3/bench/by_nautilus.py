"""The rule of `bench replay` on nautilus_trader's BacktestEngine, over the same data, in a process of its own.

`python -m hip3.bench.by_nautilus MARKETS SECONDS RATE SEED`. Quotes are its quote ticks, the oracle custom data; both
are made before the clock starts, so that what is timed is its run alone.
"""

import json
import os
import sys
from decimal import Decimal
from typing import Any

from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.backtest.models import LatencyModel
from nautilus_trader.common.config import LoggingConfig
from nautilus_trader.core.data import Data
from nautilus_trader.model.currencies import BTC, USDC
from nautilus_trader.model.data import CustomData, DataType, QuoteTick
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide, TimeInForce
from nautilus_trader.model.identifiers import ClientId, InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

from hip3.bench import rule
from hip3.bench.day import LATE_MS, START_MS, Day, events
from hip3.bench.process import cpu_s
from hip3.bench.stats import now_ns

VENUE, ORACLES = Venue("XYZ"), ClientId("ORACLE")


class Oracle(Data):  # type: ignore[misc]
    """One step of one market's oracle, in USD."""

    def __init__(self, market: int, px: float, at_ns: int) -> None:
        self.market, self.px = market, px
        self._at_ns = at_ns

    @property
    def ts_event(self) -> int:
        return self._at_ns

    @property
    def ts_init(self) -> int:
        return self._at_ns


class Market:
    """What the rule knows of one market."""

    __slots__ = ("ask", "bid", "held", "instrument", "last_bps", "oracle", "pending", "run", "since")

    def __init__(self, instrument: Any) -> None:
        self.instrument = instrument
        self.oracle = self.last_bps = self.held = 0.0
        self.run, self.since, self.pending = 0, 0, False
        self.bid: Any = None
        self.ask: Any = None


class Rule(Strategy):  # type: ignore[misc]
    """See `hip3.bench.rule`."""

    def __init__(self, instruments: list[Any]) -> None:
        super().__init__()
        self.markets = [Market(instrument) for instrument in instruments]
        self.by_id = {m.instrument.id: m for m in self.markets}
        self.signals = self.filled = 0

    def on_start(self) -> None:
        for market in self.markets:
            self.subscribe_quote_ticks(market.instrument.id)
        self.subscribe_data(DataType(Oracle), client_id=ORACLES)

    def on_data(self, data: Any) -> None:
        market = self.markets[data.market]
        if market.oracle and data.px != market.oracle:
            bps = (data.px - market.oracle) / market.oracle * 10_000
            way = 1 if bps >= rule.STEP_BPS else -1 if bps <= -rule.STEP_BPS else 0
            market.run = 0 if not way else market.run + way if market.run * way > 0 else way
            market.last_bps = abs(bps)
        market.oracle = data.px
        self.judge(market, data.ts_init)

    def on_quote_tick(self, tick: Any) -> None:
        market = self.by_id[tick.instrument_id]
        market.bid, market.ask = tick.bid_price.as_double(), tick.ask_price.as_double()
        market.since = market.since
        self.judge(market, tick.ts_init, tick)

    def judge(self, market: Market, now: int, tick: Any = None) -> None:
        """Enter, leave, or neither."""
        if market.ask is None or not market.oracle or market.pending:
            return
        if market.held:
            back = market.bid if market.held > 0 else market.ask
            gap = (market.oracle - back) / back * 10_000 * (1 if market.held > 0 else -1)
            if now - market.since >= rule.STOP_NS or (now - market.since >= rule.HOLD_NS and gap <= rule.BACK_BPS):
                self.send(market, market.held < 0, abs(market.held), reduce=True)
            return
        if abs(market.run) < rule.STEPS or market.last_bps < rule.LAST_STEP_BPS or tick is None:
            return
        buy = market.run > 0
        px = market.ask if buy else market.bid
        if (market.oracle - px) / px * 10_000 * (1 if buy else -1) <= rule.EDGE_BPS:
            return
        self.signals += 1
        if sum(1 for m in self.markets if m.held or m.pending) >= rule.MOST_HELD:
            return
        touch = (tick.ask_size if buy else tick.bid_size).as_double()
        size = round(min(rule.ORDER_USD / px, rule.SHARE * touch), 2)
        if size * px >= rule.LEAST_USD:
            market.since = now
            self.send(market, buy, size, reduce=False)

    def send(self, market: Market, buy: bool, size: float, *, reduce: bool) -> None:
        """An order at once or not at all, at the touch."""
        px = market.ask if buy else market.bid
        order = self.order_factory.limit(
            instrument_id=market.instrument.id, order_side=OrderSide.BUY if buy else OrderSide.SELL,
            quantity=Quantity(size, 2), price=Price(px, 2), time_in_force=TimeInForce.IOC, reduce_only=reduce,
        )  # fmt: skip
        market.pending = True
        self.submit_order(order)

    def on_order_filled(self, event: Any) -> None:
        market = self.by_id[event.instrument_id]
        size = event.last_qty.as_double() * (1 if event.order_side == OrderSide.BUY else -1)
        market.held = round(market.held + size, 2)
        market.pending = False
        self.filled += 1

    def on_order_canceled(self, event: Any) -> None:
        self.by_id[event.instrument_id].pending = False

    def on_order_rejected(self, event: Any) -> None:
        self.by_id[event.instrument_id].pending = False

    def on_order_denied(self, event: Any) -> None:
        self.by_id[event.instrument_id].pending = False


def instrument(number: int) -> Any:
    """One market: ticks and lots of 0.01."""
    name = f"M{number:03d}"
    return CryptoPerpetual(
        instrument_id=InstrumentId(Symbol(name), VENUE), raw_symbol=Symbol(name), base_currency=BTC,
        quote_currency=USDC, settlement_currency=USDC, is_inverse=False, price_precision=2, size_precision=2,
        price_increment=Price(0.01, 2), size_increment=Quantity(0.01, 2), ts_event=0, ts_init=0,
        margin_init=Decimal("0.1"), margin_maint=Decimal("0.05"), maker_fee=Decimal(0),
        taker_fee=Decimal(str(rule.FEE_BPS)) / 10_000,
    )  # fmt: skip


def run(day: Day) -> dict[str, Any]:
    """Frames, seconds of loading and of running, and what was traded."""
    began = now_ns()
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(
        venue=VENUE, oms_type=OmsType.NETTING, account_type=AccountType.MARGIN, base_currency=USDC,
        starting_balances=[Money(rule.CASH, USDC)], latency_model=LatencyModel(rule.ORDER_NS),
    )  # fmt: skip
    instruments = [instrument(number) for number in range(day.markets)]
    for one in instruments:
        engine.add_instrument(one)
    kind, ticks, oracles = DataType(Oracle), [], []
    for e in events(day):
        at_ns, heard_ns = (START_MS + e.at_ms) * 1_000_000, (START_MS + e.at_ms + LATE_MS) * 1_000_000
        if e.touch:
            ticks.append(
                QuoteTick(
                    instruments[e.market].id, Price(e.bid / 100, 2), Price(e.ask / 100, 2),
                    Quantity(e.bid_sz / 100, 2), Quantity(e.ask_sz / 100, 2), at_ns, heard_ns,
                )
            )  # fmt: skip
        else:
            oracles.append(CustomData(kind, Oracle(e.market, e.bid / 100, heard_ns)))
    engine.add_data(ticks, sort=False)
    engine.add_data(oracles, client_id=ORACLES, sort=True)
    strategy = Rule(instruments)
    engine.add_strategy(strategy)
    loaded, spent = now_ns(), cpu_s(os.getpid())
    engine.run()
    ended, spent = now_ns(), cpu_s(os.getpid()) - spent
    return {
        "frames": len(ticks) + len(oracles), "load_s": (loaded - began) / 1e9, "run_s": (ended - loaded) / 1e9,
        "cpu_s": spent,
        "signals": strategy.signals, "fills": strategy.filled,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(run(Day(*(int(number) for number in sys.argv[1:5])))))
