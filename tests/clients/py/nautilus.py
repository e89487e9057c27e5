"""What of nautilus_trader's Hyperliquid client (Rust) can be called by itself: reads and signed orders.

Its addresses are fixed: the process trusts a certificate of the test's and goes through a proxy of the test's. Its
WebSocket client is left out: in this version a subscription waits for a lock that the reader holds while it waits for
the next message, whatever the exchange does; so are its fill reports, which make an id too long for itself of any
transaction hash.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from nautilus_trader.core import nautilus_pyo3 as nautilus

SETUP = json.loads(sys.argv[1])
ACCOUNT = nautilus.AccountId("HYPERLIQUID-001")
ETH = nautilus.InstrumentId.from_str("ETH-USD-PERP.HYPERLIQUID")


def tell(name: str, **line: Any) -> None:
    print(json.dumps({"name": name, **line}), flush=True)


async def attempt(name: str, call: Callable[[], Awaitable[Any]], show: Callable[[Any], Any]) -> Any:
    """Run a call and tell what `show` makes of its value, or its error."""
    try:
        value = await call()
        tell(name, value=show(value))
    except Exception as error:
        tell(name, error=str(error))
        return None
    return value


def limit_order(number: int, side: str, px: str, tif: str, *, post_only: bool = False, sz: str = "0.05") -> Any:
    """A limit order of ETH."""
    return nautilus.LimitOrder(
        nautilus.TraderId("T-1"), nautilus.StrategyId("S-1"), ETH, nautilus.ClientOrderId(f"0x{number:032x}"),
        nautilus.OrderSide.from_str(side), nautilus.Quantity.from_str(sz), nautilus.Price.from_str(px),
        nautilus.TimeInForce.from_str(tif), post_only, False, False, nautilus.UUID4(), 0,
    )  # fmt: skip


def reported(report: Any) -> Any:
    """The facts of an order report."""
    return {"status": str(report.order_status), "oid": str(report.venue_order_id), "filled": str(report.filled_qty)}


async def read(client: Any) -> list[Any]:
    """Reads without a key; the instruments."""
    found = await attempt(
        "instruments", lambda: client.load_instrument_definitions(True, True),
        lambda all_: {str(i.id): [str(i.price_increment), str(i.size_increment)] for i in all_},
    )  # fmt: skip
    await attempt("perp meta", client.get_perp_meta, json.loads)
    await attempt("spot meta", client.get_spot_meta, json.loads)
    await attempt("book", lambda: client.get_l2_book("ETH"), json.loads)
    return found or []


async def trade(client: Any) -> None:
    """Signed orders, and what the account is afterwards."""
    px = SETUP["px"]
    orders = {
        "gtc": limit_order(1, "BUY", px["low"], "GTC"),
        "post only": limit_order(2, "BUY", px["low"], "GTC", post_only=True),
        "post only that takes": limit_order(3, "BUY", px["high"], "GTC", post_only=True),
        "ioc": limit_order(4, "BUY", px["high"], "IOC"),
        "too small": limit_order(5, "BUY", px["low"], "GTC", sz="0.001"),
    }
    for name, order in orders.items():
        await attempt(name, lambda o=order: client.submit_order(o), reported)
    both = [limit_order(n, "BUY", px["lower"], "GTC") for n in (6, 7)]
    await attempt("batch", lambda: client.submit_orders(both), lambda all_: [reported(r) for r in all_])
    await attempt("open orders", client.get_open_orders, json.loads)
    await attempt("account", client.get_clearinghouse_state, json.loads)
    reports = client.request_order_status_reports
    await attempt("order reports", lambda: reports(None), lambda all_: sorted(r["oid"] for r in map(reported, all_)))


async def main() -> None:
    """All of it."""
    client = nautilus.hyperliquid.HyperliquidHttpClient.from_credentials(SETUP["key"], None, True, 20)
    client.set_account_id("HYPERLIQUID-001")
    tell("address", value=client.get_user_address())
    instruments = await read(client)
    for instrument in instruments:
        client.add_instrument(instrument)
    await trade(client)


asyncio.run(main())
