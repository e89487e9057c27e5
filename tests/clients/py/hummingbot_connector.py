"""hummingbot's connector for perpetuals, started as its strategies start it: markets, balances, orders, positions."""

import asyncio
import json
import sys
from decimal import Decimal
from typing import Any

from hummingbot.connector.derivative.hyperliquid_perpetual import hyperliquid_perpetual_constants as constants
from hummingbot.connector.derivative.hyperliquid_perpetual.hyperliquid_perpetual_derivative import (
    HyperliquidPerpetualDerivative,
)
from hummingbot.core.clock import Clock, ClockMode
from hummingbot.core.data_type.common import OrderType, PositionAction

SETUP = json.loads(sys.argv[1])
PAIRS = ["ETH-USD", "XYZ:GOLD-USD"]
LONGEST_S = 40


def tell(name: str, **line: Any) -> None:
    print(json.dumps({"name": name, **line}, default=str), flush=True)


async def until(what: str, condition: Any) -> Any:
    """The first true answer, told under its name; nothing after a while."""
    for _ in range(LONGEST_S * 10):
        answer = condition()
        if answer:
            tell(what, value=answer)
            return answer
        await asyncio.sleep(0.1)
    tell(what, error=f"not within {LONGEST_S} s")
    return None


def state_of(connector: Any, order_id: str) -> str:
    """The state of one of its orders, in progress or done."""
    order = connector._order_tracker.fetch_order(order_id)
    return "" if order is None else order.current_state.name


async def trade(connector: Any) -> None:
    """Orders that rest, fill, close and are refused, on both kinds of market."""
    px = {name: Decimal(text) for name, text in SETUP["px"].items()}
    open_, close = PositionAction.OPEN, PositionAction.CLOSE
    rests = connector.buy(PAIRS[0], Decimal("0.05"), OrderType.LIMIT, px["low"], position_action=open_)
    await until(
        "rests", lambda: state_of(connector, rests) == "OPEN" and connector.in_flight_orders[rests].exchange_order_id
    )
    connector.cancel(PAIRS[0], rests)
    await until("cancelled", lambda: state_of(connector, rests) == "CANCELED")
    for name, pair, at in (("filled", PAIRS[0], px["high"]), ("gold", PAIRS[1], Decimal(SETUP["goldPx"]["high"]))):
        order = connector.buy(pair, Decimal("0.02"), OrderType.MARKET, at, position_action=open_)
        await until(name, lambda o=order: state_of(connector, o) == "FILLED")
    await connector._update_positions()
    tell("positions", value={str(p.trading_pair): str(p.amount) for p in connector.account_positions.values()})
    order = connector.sell(PAIRS[0], Decimal("0.02"), OrderType.MARKET, px["low"], position_action=close)
    await until("closed", lambda: state_of(connector, order) == "FILLED")
    maker = connector.buy(PAIRS[0], Decimal("0.02"), OrderType.LIMIT_MAKER, px["high"], position_action=open_)
    await until("maker that takes", lambda: state_of(connector, maker) == "FAILED")


async def main() -> None:
    """Start, trade, stop."""
    constants.TESTNET_BASE_URL = SETUP["url"]
    constants.TESTNET_WS_URL = SETUP["url"].replace("http", "ws") + "/ws"
    connector = HyperliquidPerpetualDerivative(
        hyperliquid_perpetual_secret_key=SETUP["key"], hyperliquid_perpetual_address=SETUP["user"],
        trading_pairs=PAIRS, domain=constants.TESTNET_DOMAIN,
    )  # fmt: skip
    clock = Clock(ClockMode.REALTIME)
    clock.add_iterator(connector)
    with clock:
        running = asyncio.ensure_future(clock.run())
        await until("ready", lambda: connector.ready and dict(connector.status_dict))
        tell("balance", value=str(connector.get_balance("USD")))
        tell(
            "rules", value={pair: str(rule.min_base_amount_increment) for pair, rule in connector.trading_rules.items()}
        )
        tell("leverage", value=list(await connector._set_trading_pair_leverage(PAIRS[0], 10)))
        await trade(connector)
        running.cancel()
    await connector.stop_network()


asyncio.run(main())
