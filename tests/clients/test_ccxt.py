"""ccxt (Python): every call of its hyperliquid class that concerns what we serve, by what comes of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ccxt
import pytest

from tests.clients.scene import VAULT, Scene, an_hour_later, lived_in

pytestmark = pytest.mark.long

ETH, GOLD = "ETH/USDC:USDC", "XYZ-GOLD/USDC:USDC"
CLOID = "0x" + "e" * 32
MARKETS = {"types": ["swap", "hip3"], "hip3": {"dex": ["xyz", "para"]}}


def keys_of(scene: Scene) -> dict[str, Any]:
    """What a client of ccxt is made with."""
    keys = {"walletAddress": scene.user, "privateKey": scene.key, "enableRateLimit": False}
    return keys | {"options": {"fetchMarkets": MARKETS}}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with lived_in(tmp_path, 61) as found:
        yield found


@pytest.fixture
def client(scene: Scene) -> Any:
    made = ccxt.hyperliquid(keys_of(scene))
    made.urls["api"] = {"public": scene.venue.url, "private": scene.venue.url}
    made.load_markets()
    return made


@pytest.fixture
def mid(client: Any) -> float:
    book = client.fetch_order_book(ETH)
    assert book["bids"][0][0] < book["asks"][0][0]
    return float(book["asks"][0][0])


def test_market_data(client: Any) -> None:
    assert {ETH, GOLD} <= set(client.markets)
    tickers = client.fetch_tickers([ETH, GOLD])
    assert all(tickers[symbol]["bid"] < tickers[symbol]["ask"] for symbol in (ETH, GOLD))
    assert client.fetch_ticker(GOLD)["symbol"] == GOLD
    assert client.fetch_ohlcv(GOLD)[-1][5] > 0
    assert client.fetch_currencies()["USDC"]["info"]["index"] == 0
    assert client.fetch_funding_rate(ETH)["fundingRate"] != 0
    assert {ETH, "BTC/USDC:USDC"} <= set(client.fetch_funding_rates())
    assert client.fetch_open_interest(ETH)["openInterestAmount"] > 0
    assert {ETH, "BTC/USDC:USDC"} <= set(client.fetch_open_interests())
    assert client.fetch_status()["status"] == "ok"
    assert client.fetch_time() > 1_700_000_000_000


def test_what_the_account_is_and_did(client: Any, scene: Scene) -> None:
    assert client.fetch_balance()["USDC"]["total"] == pytest.approx(854.9, abs=1)
    assert client.fetch_balance({"type": "spot"})["USDC"]["total"] == 60
    assert client.fetch_balance({"dex": "xyz"})["USDC"]["total"] == pytest.approx(1006.8, abs=1)
    (gold,) = client.fetch_positions([GOLD])
    assert (gold["side"], gold["contracts"], gold["marginMode"], gold["leverage"]) == ("short", 0.05, "isolated", 5)
    assert client.fetch_position(ETH)["contracts"] == 0.08
    assert client.fetch_trading_fee(ETH)["taker"] == 0.00045
    assert len(client.fetch_open_orders(ETH)) == 6
    assert client.fetch_open_orders(GOLD) == []
    assert {o["status"] for o in client.fetch_closed_orders()} == {"closed"}
    assert [o["status"] for o in client.fetch_canceled_orders()] == ["canceled"]
    assert len(client.fetch_orders()) == 11
    assert [(t["side"], t["amount"]) for t in client.fetch_my_trades(ETH)] == [("buy", 0.1), ("sell", 0.02)]
    assert [t["side"] for t in client.fetch_my_trades(GOLD)] == ["sell"]
    assert len(client.fetch_trades(ETH, params={"user": scene.user})) == 2
    assert len(client.fetch_ledger()) == len(client.fetch_ledger(since=0)) == 7
    assert len(client.fetch_deposits()) == 1
    assert len(client.fetch_withdrawals()) == 1


def test_funding_with_and_without_a_start(client: Any, scene: Scene) -> None:
    an_hour_later(scene.venue)
    rows = client.fetch_funding_history(ETH)
    # It takes every coin for the symbol that was asked for; what was paid is right.
    assert {row["info"]["delta"]["coin"] for row in rows} == {"ETH", "xyz:GOLD"}
    again = client.fetch_funding_history(ETH, since=0)
    assert sorted(again, key=str) == sorted(rows, key=str)
    assert len(client.fetch_funding_rate_history(ETH)) == 1


def test_orders_of_every_kind(client: Any, mid: float) -> None:
    low, high = round(mid * 0.5, 1), round(mid * 1.02, 1)
    resting = client.create_order(ETH, "limit", "buy", 0.05, low)
    assert client.fetch_order(resting["id"], ETH)["status"] == "open"
    gold = client.fetch_order_book(GOLD)["asks"][0][0]
    assert client.create_order(GOLD, "market", "buy", 0.02, gold)["filled"] == 0.02
    client.create_order(ETH, "limit", "buy", 0.05, low, {"clientOrderId": CLOID})
    assert client.fetch_order(None, ETH, {"clientOrderId": CLOID})["clientOrderId"] == CLOID
    exits = {"stopLossPrice": low, "takeProfitPrice": round(mid * 1.5, 1)}
    for kind, at in exits.items():
        order = client.create_order(ETH, "market", "sell", 0.05, at, {kind: at, "reduceOnly": True})
        assert client.fetch_order(order["id"], ETH)["info"]["order"]["isTrigger"] is True
    edited = client.edit_order(resting["id"], ETH, "limit", "buy", 0.06, low + 1)
    assert client.fetch_order(resting["id"], ETH)["status"] == "canceled"
    assert client.fetch_order(edited["id"], ETH)["amount"] == 0.06
    assert client.cancel_order(None, ETH, {"clientOrderId": CLOID})["status"] == "success"
    with pytest.raises(ccxt.OrderNotFound, match="never placed, already canceled, or filled"):
        client.cancel_order(None, ETH, {"clientOrderId": CLOID})
    assert [o["status"] for o in client.cancel_orders([edited["id"]], ETH)] == ["success"]
    last = client.create_order(ETH, "limit", "buy", 0.05, low)
    client.cancel_orders_for_symbols([{"id": last["id"], "symbol": ETH}])
    assert client.fetch_order(last["id"], ETH)["status"] == "canceled"
    assert client.create_order(ETH, "limit", "buy", 0.02, high, {"timeInForce": "IOC"})["filled"] == 0.02


def test_a_bracket_in_one_call(client: Any, mid: float) -> None:
    low, high, far = round(mid * 0.5, 1), round(mid * 1.02, 1), round(mid * 1.6, 1)
    exits = {"stopLoss": {"triggerPrice": low}, "takeProfit": {"triggerPrice": far}}
    entry = {"symbol": ETH, "type": "limit", "side": "buy", "amount": 0.05, "price": high, "params": exits}
    before = len(client.fetch_open_orders(ETH))
    placed = client.create_orders([entry])
    assert placed[0]["filled"] == 0.05
    assert [o["info"] for o in placed[1:]] == [{"status": "waitingForTrigger"}] * 2
    children = client.fetch_open_orders(ETH)[before:]
    assert {o["info"]["orderType"] for o in children} == {"Stop Limit", "Take Profit Limit"}
    client.create_order(ETH, "limit", "buy", 0.05, round(mid * 0.7, 1), exits)
    assert len(client.fetch_open_orders(ETH)) == before + 5


@pytest.mark.parametrize(
    ("price", "amount", "params", "text"),
    [
        (1.02, 0.05, {"postOnly": True}, "Post only order would have immediately matched, bbo was "),
        (0.5, 0.05, {"timeInForce": "IOC"}, "Order could not immediately match against any resting orders"),
        (0.5, 0.001, {}, "Order must have minimum value of \\$10"),
    ],
)
def test_refusals_are_understood(
    client: Any, mid: float, price: float, amount: float, params: dict[str, Any], text: str
) -> None:
    with pytest.raises(ccxt.InvalidOrder, match=text):
        client.create_order(ETH, "limit", "buy", amount, round(mid * price, 1), params)


def test_margin_money_and_sub_accounts(client: Any, scene: Scene, mid: float) -> None:
    ok = {"status": "ok", "response": {"type": "default"}}
    assert client.set_leverage(12, ETH, {"marginMode": "cross"}) == ok
    with pytest.raises(ccxt.ExchangeError, match="Cannot switch leverage type with open position"):
        client.set_margin_mode("isolated", ETH, {"leverage": 5})
    before = client.fetch_positions([GOLD])[0]["initialMargin"]
    assert client.add_margin(GOLD, 3)["info"] == client.reduce_margin(GOLD, 1)["info"] == ok
    assert client.fetch_positions([GOLD])[0]["initialMargin"] == pytest.approx(before + 2, abs=0.5)
    assert client.transfer("USDC", 3, "spot", "swap")["status"] == "ok"
    assert client.fetch_balance({"type": "spot"})["USDC"]["total"] == 57
    assert client.withdraw("USDC", 4, scene.other)["info"] == ok
    assert client.reserve_request_weight(5) == client.cancel_all_orders_after(100_000) == ok
    assert client.create_sub_account("ccxt")["response"]["type"] == "createSubAccount"
    order = client.create_order(ETH, "limit", "buy", 0.01, round(mid * 0.6, 1), {"vaultAddress": scene.sub})
    assert [o["id"] for o in client.fetch_open_orders(ETH, params={"user": scene.sub})] == [order["id"]]
    client.cancel_order(order["id"], ETH, {"vaultAddress": scene.sub})
    with pytest.raises(ccxt.ExchangeError, match="Vault not registered"):
        client.create_order(ETH, "limit", "buy", 0.01, round(mid * 0.6, 1), {"vaultAddress": VAULT})
    with pytest.raises(ccxt.ExchangeError, match="twapOrder is not offered by the embedded exchange"):
        client.create_twap_order(ETH, "buy", 1, 60_000)
