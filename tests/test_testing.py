"""The fixture for other people's bots, used as they would."""

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
