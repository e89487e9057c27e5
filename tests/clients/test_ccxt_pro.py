"""ccxt.pro (Python): everything that can be watched, and orders by WebSocket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import ccxt
import ccxt.pro
import pytest

from tests.clients.scene import Scene, lived_in
from tests.clients.test_ccxt import ETH, GOLD, keys_of

pytestmark = pytest.mark.long

TSLA = "XYZ-TSLA/USDC:USDC"
LONGEST_S = 20


@contextlib.asynccontextmanager
async def _opened(scene: Scene) -> AsyncIterator[Any]:
    # Names are looked up by Python itself: the other resolver leaves a thread behind.
    connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver())
    async with aiohttp.ClientSession(connector=connector) as session:
        client = ccxt.pro.hyperliquid(keys_of(scene) | {"session": session})
        client.urls["api"]["public"] = client.urls["api"]["private"] = scene.venue.url
        client.urls["api"]["ws"]["public"] = scene.venue.url.replace("http", "ws") + "/ws"
        await client.load_markets()
        try:
            yield client
        finally:
            await client.close()


async def _heard(call: Any) -> Any:
    return await asyncio.wait_for(call, LONGEST_S)


async def _market(client: Any) -> None:
    """What needs no key."""
    for symbol in (GOLD, ETH):
        assert (await _heard(client.watch_ticker(symbol)))["symbol"] == symbol
    assert set(await _heard(client.watch_tickers([GOLD, TSLA]))) <= {GOLD, TSLA}
    assert ETH in await _heard(client.watch_tickers([ETH]))
    for symbol in (GOLD, ETH):
        book = await _heard(client.watch_order_book(symbol))
        assert book["bids"][0][0] < book["asks"][0][0]
    assert (await _heard(client.watch_trades(ETH)))[-1]["symbol"] == ETH
    assert len((await _heard(client.watch_ohlcv(ETH)))[-1]) == 6


async def _orders(client: Any, mid: float) -> None:
    """Orders by WebSocket: placed, filled, refused, changed, cancelled."""
    low, high = round(mid * 0.5, 1), round(mid * 1.02, 1)
    resting = await _heard(client.create_order_ws(ETH, "limit", "buy", 0.05, low))
    taken = await _heard(client.create_order_ws(ETH, "limit", "buy", 0.05, high, {"timeInForce": "IOC"}))
    assert taken["filled"] == 0.05
    stop = {"stopLossPrice": low, "reduceOnly": True}
    bracket = [
        {
            "symbol": ETH,
            "type": "limit",
            "side": "buy",
            "amount": 0.05,
            "price": high,
            "params": {"timeInForce": "IOC"},
        },
        {"symbol": ETH, "type": "market", "side": "sell", "amount": 0.05, "price": low, "params": stop},
    ]
    placed = await _heard(client.create_orders_ws(bracket, {"grouping": "normalTpsl"}))
    assert (placed[0]["filled"], len(placed)) == (0.05, 2)
    with pytest.raises(ccxt.InvalidOrder, match="minimum value"):
        await _heard(client.create_order_ws(ETH, "limit", "buy", 0.001, low))
    edited = await _heard(client.edit_order_ws(resting["id"], ETH, "limit", "buy", 0.06, low + 1))
    assert (await _heard(client.cancel_order_ws(edited["id"], ETH)))["status"] == "success"
    with pytest.raises(ccxt.OrderNotFound, match="already canceled"):
        await _heard(client.cancel_order_ws(edited["id"], ETH))


async def _account(client: Any, mid: float) -> None:
    """What is heard of an account while it trades."""
    first = asyncio.gather(
        *(_heard(call) for call in (client.watch_balance(), client.watch_balance({"type": "spot"}))),
    )
    (swap, spot), positions = await first, await _heard(client.watch_positions())
    assert (spot["USDC"]["total"], round(swap["USDC"]["total"] / 10)) == (60, 85)
    assert [p["symbol"] for p in positions] == [ETH]
    await _heard(client.watch_my_trades())  # what there was
    news = asyncio.gather(_heard(client.watch_orders()), _heard(client.watch_my_trades()))
    await _orders(client, mid)
    orders, trades = await news
    assert {o["symbol"] for o in orders} == {ETH}
    assert (trades[-1]["symbol"], trades[-1]["side"]) == (ETH, "buy")


async def _left(client: Any) -> None:
    """Every way of hearing no more."""
    calls = [
        client.un_watch_trades(ETH), client.un_watch_order_book(GOLD), client.un_watch_tickers([ETH]),
        client.un_watch_orders(), client.un_watch_my_trades(), client.un_watch_ohlcv(ETH), client.un_watch_positions(),
    ]  # fmt: skip
    assert all([await _heard(call) for call in calls])


async def _session(scene: Scene) -> None:
    async with _opened(scene) as client, _opened(scene) as other:
        mid = (await client.fetch_order_book(ETH))["asks"][0][0]
        await _market(client)
        await _account(client, mid)
        # A client of its own: one of ccxt's follows the positions of one dex only.
        (gold,) = await _heard(other.watch_positions([GOLD]))
        assert (gold["side"], gold["contracts"]) == ("short", 0.05)
        await _left(client)


def test_everything_that_can_be_watched_and_orders_by_socket(tmp_path: Path) -> None:
    with lived_in(tmp_path, 62, "--speed", "3") as scene:
        asyncio.run(_session(scene))
