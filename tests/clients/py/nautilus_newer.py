"""nautilus_trader's Hyperliquid client (Rust) since it has it all: reads, orders by HTTP and WebSocket, streams.

Its HTTP addresses are fixed: the process trusts a certificate of the test's and goes through a proxy of the test's.
"""

import asyncio
import json
import re
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from nautilus_trader.core import nautilus_pyo3 as nautilus

SETUP = json.loads(sys.argv[1])
ACCOUNT = "HYPERLIQUID-001"
TESTNET = nautilus.hyperliquid.HyperliquidEnvironment.TESTNET
ETH = nautilus.InstrumentId.from_str("ETH-USD-PERP.HYPERLIQUID")
GOLD = nautilus.InstrumentId.from_str("xyz:GOLD-USD-PERP.HYPERLIQUID")
LIMIT, STOP = nautilus.OrderType.LIMIT, nautilus.OrderType.STOP_MARKET
BUY, SELL = nautilus.OrderSide.BUY, nautilus.OrderSide.SELL
GTC, IOC = nautilus.TimeInForce.GTC, nautilus.TimeInForce.IOC
LONGEST_S = 20


def tell(name: str, **line: Any) -> None:
    print(json.dumps({"name": name, **line}), flush=True)


async def attempt(name: str, call: Callable[[], Awaitable[Any]], show: Callable[[Any], Any] = str) -> Any:
    """Run a call and tell what `show` makes of its value, or its error."""
    try:
        value = await asyncio.wait_for(call(), LONGEST_S)
    except Exception as error:
        tell(name, error=str(error) or type(error).__name__)
        return None
    tell(name, value=show(value))
    return value


def reported(report: Any) -> list[str]:
    """The facts of an order report."""
    return [str(report.order_status), str(report.venue_order_id), str(report.filled_qty)]


def size(text: str) -> Any:
    return nautilus.Quantity.from_str(text)


def price(name: str, table: str = "px") -> Any:
    return nautilus.Price.from_str(SETUP[table][name])


def named(number: int) -> Any:
    return nautilus.ClientOrderId(f"O-{number}")


class Ear:
    """Counts what is heard, by kind."""

    def __init__(self) -> None:
        self.heard: Counter[str] = Counter()

    def __call__(self, message: Any) -> None:
        found = re.search(r'data_type="(\w+)"', str(message)) if type(message).__name__ == "CustomData" else None
        self.heard[found[1] if found else type(message).__name__] += 1

    async def until(self, wanted: list[str]) -> None:
        """Return when all of these were heard, or after a while."""
        for _ in range(LONGEST_S * 10):
            if set(wanted) <= set(self.heard):
                return
            await asyncio.sleep(0.1)


async def listen(socket: Any, instruments: list[Any], ear: Ear) -> None:
    """Connect and subscribe to everything that we serve."""
    await attempt("connect", lambda: socket.connect(asyncio.get_running_loop(), instruments, ear))
    await attempt("active", lambda: socket.wait_until_active(10.0))
    spec = nautilus.BarSpecification(1, nautilus.BarAggregation.MINUTE, nautilus.PriceType.LAST)
    for name in ("order_updates", "user_events"):
        await attempt(f"subscribe {name}", lambda n=name: getattr(socket, f"subscribe_{n}")(SETUP["user"]))
    for name in ("quotes", "trades", "book", "mark_prices", "index_prices", "funding_rates", "open_interest"):
        for coin in (ETH, GOLD):
            await attempt(f"subscribe {name} {coin}", lambda n=name, c=coin: getattr(socket, f"subscribe_{n}")(c))
    await attempt("subscribe bars", lambda: socket.subscribe_bars(nautilus.BarType(ETH, spec)))
    await attempt("subscribe mids", socket.subscribe_all_mids)
    await attempt("subscribe mids of xyz", lambda: socket.subscribe_all_mids_with_dex("xyz"))
    await attempt("subscribe contexts", socket.subscribe_all_dexs_asset_ctxs)


async def trade(
    way: str, place: Callable[..., Any], modify: Callable[..., Any], cancel: Callable[..., Any], first: int
) -> None:
    """The same orders by either way."""
    ids = [named(first + n) for n in range(6)]
    rests = await attempt(
        f"{way} gtc", lambda: place(ETH, ids[0], BUY, LIMIT, size("0.05"), GTC, price("low")), reported
    )
    await attempt(f"{way} ioc", lambda: place(ETH, ids[1], BUY, LIMIT, size("0.05"), IOC, price("high")), reported)
    await attempt(f"{way} small", lambda: place(ETH, ids[2], BUY, LIMIT, size("0.001"), GTC, price("low")))
    await attempt(
        f"{way} alo that takes", lambda: place(ETH, ids[3], BUY, LIMIT, size("0.05"), GTC, price("high"), None, True)
    )
    gold = price("high", "goldPx")
    await attempt(f"{way} gold", lambda: place(GOLD, ids[4], BUY, LIMIT, size("0.02"), IOC, gold), reported)
    stop = (ETH, ids[5], SELL, STOP, size("0.02"), GTC, None, price("low"), False, True)
    await attempt(f"{way} stop", lambda: place(*stop), reported)
    changed = (ETH, rests.venue_order_id, BUY, LIMIT, price("lower"), size("0.06"), None, False, False, GTC, ids[0])
    await attempt(f"{way} modify", lambda: modify(*changed))
    await attempt(f"{way} cancel", lambda: cancel(ETH, ids[0], None))


async def account(client: Any) -> None:
    """What the client makes of the account afterwards."""
    await attempt(
        "order reports",
        lambda: client.request_order_status_reports(None),
        lambda rows: [str(r.venue_order_id) for r in rows],
    )
    await attempt(
        "fill reports", lambda: client.request_fill_reports(None),
        lambda rows: [[str(r.instrument_id), str(r.last_qty), str(r.commission)] for r in rows],
    )  # fmt: skip
    await attempt(
        "positions",
        lambda: client.request_position_status_reports(None),
        lambda rows: [str(r.quantity) for r in rows],
    )
    await attempt("account state", client.request_account_state)
    await attempt("public trades", lambda: client.request_public_trades(ETH), len)
    await attempt("fees", client.info_user_fees, json.loads)
    await attempt("spot state", client.info_spot_clearinghouse_state, json.loads)


async def main() -> None:
    """All of it."""
    made, ear = nautilus.hyperliquid.HyperliquidHttpClient.from_credentials, Ear()
    client = made(SETUP["key"], None, TESTNET, 20, None, False)
    client.set_account_id(ACCOUNT)
    loaded = lambda: client.load_instrument_definitions(True, True, True)  # noqa: E731
    instruments = await attempt("instruments", loaded, lambda rows: [str(row.id) for row in rows])
    for instrument in instruments:
        client.cache_instrument(instrument)
    socket = nautilus.hyperliquid.HyperliquidWebSocketClient(SETUP["ws"], TESTNET, ACCOUNT)
    dexs = await client.build_all_dex_asset_ctxs_instrument_ids()
    socket.cache_all_dex_asset_ctxs_instrument_ids(dexs)
    await listen(socket, instruments, ear)
    await trade("http", client.submit_order, client.modify_order, client.cancel_order, 1)

    def signed(call: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args: call(client, *args)

    await trade("ws", signed(socket.submit_order), signed(socket.modify_order), signed(socket.cancel_order), 11)
    await account(client)
    await ear.until(SETUP["wanted"])
    tell("heard", value=dict(ear.heard))
    await socket.close()


asyncio.run(main())
