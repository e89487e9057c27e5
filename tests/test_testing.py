"""The fixture for other people's bots, used as they would."""

import requests
from eth_account import Account
from hyperliquid.exchange import Exchange as Client
from hyperliquid.info import Info

from hip3.testing import Exchange, exchange

__all__ = ["exchange"]


def test_a_bot_with_the_official_sdk_buys_and_sees_it(exchange: Exchange) -> None:
    bot = Client(Account.from_key(exchange.key), exchange.url, perp_dexs=["xyz"])
    bought = bot.market_open("xyz:GOLD", True, 0.01)
    assert "filled" in bought["response"]["data"]["statuses"][0]
    held = Info(exchange.url, skip_ws=True, perp_dexs=["xyz"]).user_state(exchange.address, dex="xyz")
    assert held["assetPositions"][0]["position"]["szi"] == "0.01"


def test_another_account_is_funded_on_demand(exchange: Exchange) -> None:
    stranger = Account.create().address
    exchange.fund(stranger)
    state = Info(exchange.url, skip_ws=True, perp_dexs=["xyz"]).user_state(stranger, dex="xyz")
    assert float(state["marginSummary"]["accountValue"]) == 1000


def test_time_is_the_test_s(exchange: Exchange) -> None:
    exchange.pause()
    before = exchange.time_ms
    exchange.step(3600)
    assert exchange.time_ms == before + 3_600_000
    exchange.resume()
    assert exchange.time_ms >= before + 3_600_000


def test_what_goes_wrong_is_the_test_s(exchange: Exchange) -> None:
    exchange.fault("http", on="allMids", status=502, times=1)
    asked = [requests.post(f"{exchange.url}/info", json={"type": "allMids"}, timeout=10).status_code for _ in range(2)]
    assert asked == [502, 200]
    exchange.move("xyz:GOLD", 5000)
    assert 4900 < float(Info(exchange.url, skip_ws=True, perp_dexs=["xyz"]).all_mids(dex="xyz")["xyz:GOLD"]) < 5100


def test_a_test_can_be_had_again_from_a_snapshot(exchange: Exchange) -> None:
    bot = Client(Account.from_key(exchange.key), exchange.url, perp_dexs=["xyz"])
    before = exchange.snapshot()
    assert "filled" in bot.market_open("xyz:GOLD", True, 0.01)["response"]["data"]["statuses"][0]
    exchange.restore(before)
    state = Info(exchange.url, skip_ws=True, perp_dexs=["xyz"]).user_state(exchange.address, dex="xyz")
    assert state["assetPositions"] == []
