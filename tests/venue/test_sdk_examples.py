"""What the official SDK's order-related examples show, one test per behaviour; other clients are in `tests/clients`.

Every test has an account of its own; nothing differs from the real exchange but URL and key.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from eth_account import Account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.types import Cloid

from hip3.exchange.embedded import key_number_one
from tests.stories.process import Exchange as ExchangeProcess
from tests.stories.process import eventually, exchange

GTC: Any = {"limit": {"tif": "Gtc"}}


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExchangeProcess]:
    config = tmp_path_factory.mktemp("exchange") / "config.toml"
    config.write_text("[parameters]\nip_weight_per_minute = 1_000_000\nschedule_cancel_volume = 0\n")
    with exchange(21, "--latency", "0", "--speed", "5", "--config", str(config)) as started:
        yield started


@pytest.fixture
def me(venue: ExchangeProcess) -> Exchange:
    wallet = Account.create()
    venue.info(type="claimDrip", user=wallet.address)
    return Exchange(wallet, venue.url, perp_dexs=["", "xyz"])


def _one(answer: Any) -> Any:
    assert answer["status"] == "ok", answer
    return answer["response"]["data"]["statuses"][0]


def _px(me: Exchange, coin: str, factor: float) -> float:
    dex = coin.split(":", maxsplit=1)[0] if ":" in coin else ""
    return float(f"{float(me.info.all_mids(dex=dex)[coin]) * factor:.5g}")


def test_basic_order_rests_is_queried_and_cancelled(me: Exchange) -> None:
    oid = _one(me.order("ETH", True, 0.2, _px(me, "ETH", 0.6), GTC))["resting"]["oid"]
    assert me.info.query_order_by_oid(me.wallet.address, oid)["order"]["status"] == "open"
    assert _one(me.cancel("ETH", oid)) == "success"


def test_basic_order_with_cloid(me: Exchange) -> None:
    cloid = Cloid.from_str("0x00000000000000000000000000000001")
    _one(me.order("ETH", True, 0.2, _px(me, "ETH", 0.6), GTC, cloid=cloid))["resting"]
    assert me.info.query_order_by_cloid(me.wallet.address, cloid)["order"]["order"]["cloid"] == cloid.to_raw()
    assert _one(me.cancel_by_cloid("ETH", cloid)) == "success"


def test_basic_order_modify_by_oid_and_by_cloid(me: Exchange) -> None:
    cloid = Cloid.from_int(5)
    oid = _one(me.order("ETH", True, 0.2, _px(me, "ETH", 0.6), GTC, cloid=cloid))["resting"]["oid"]
    first = _one(me.modify_order(oid, "ETH", True, 0.1, _px(me, "ETH", 0.65), GTC, cloid=cloid))["resting"]["oid"]
    second = _one(me.modify_order(cloid, "ETH", True, 0.1, _px(me, "ETH", 0.66), GTC, cloid=cloid))["resting"]["oid"]
    assert oid < first < second
    assert [o["oid"] for o in me.info.open_orders(me.wallet.address)] == [second]


def test_basic_market_order_opens_and_closes(me: Exchange) -> None:
    assert _one(me.market_open("ETH", False, 0.05, None, 0.01))["filled"]["totalSz"] == "0.05"
    assert _one(me.market_close("ETH"))["filled"]["totalSz"] == "0.05"
    assert me.info.user_state(me.wallet.address)["assetPositions"] == []


def test_basic_agent_unnamed_and_named(venue: ExchangeProcess, me: Exchange) -> None:
    for name in (None, "persist"):
        answer, key = me.approve_agent(name) if name else me.approve_agent()
        assert answer["status"] == "ok"
        agent = Exchange(Account.from_key(key), venue.url, account_address=me.wallet.address)
        oid = _one(agent.order("ETH", True, 0.2, _px(me, "ETH", 0.6), GTC))["resting"]["oid"]
        assert _one(agent.cancel("ETH", oid)) == "success"


def test_basic_tpsl_stop_and_take_profit(me: Exchange) -> None:
    _one(me.order("ETH", True, 0.02, _px(me, "ETH", 1.05), GTC))["filled"]
    for kind, at in (("sl", 0.9), ("tp", 1.1)):
        trigger: Any = {"trigger": {"triggerPx": _px(me, "ETH", at), "isMarket": True, "tpsl": kind}}
        oid = _one(me.order("ETH", False, 0.02, _px(me, "ETH", 0.8), trigger, reduce_only=True))["resting"]["oid"]
        assert me.info.query_order_by_oid(me.wallet.address, oid)["order"]["order"]["isTrigger"] is True
        assert _one(me.cancel("ETH", oid)) == "success"


def test_basic_schedule_cancel(venue: ExchangeProcess, me: Exchange) -> None:
    _one(me.order("ETH", True, 0.2, _px(me, "ETH", 0.6), GTC))["resting"]
    soon = venue.info(type="exchangeStatus")["time"] + 15_000  # at five times the speed: two seconds to spare
    assert me.schedule_cancel(soon)["status"] == "ok"
    eventually(lambda: me.info.open_orders(me.wallet.address) == [], 10, "the scheduled cancel")
    assert me.schedule_cancel(None)["status"] == "ok"


def test_basic_leverage_adjustment(me: Exchange) -> None:
    _one(me.market_open("ETH", True, 0.05))["filled"]
    assert me.update_leverage(21, "ETH")["status"] == "ok"
    switched = me.update_leverage(21, "ETH", False)
    assert switched == {"status": "err", "response": "Cannot switch leverage type with open position."}
    _one(me.market_close("ETH"))["filled"]
    assert me.update_leverage(21, "ETH", False)["status"] == "ok"
    _one(me.market_open("ETH", True, 0.05))["filled"]
    assert me.update_isolated_margin(1, "ETH")["status"] == "ok"
    position = me.info.user_state(me.wallet.address)["assetPositions"][0]["position"]
    assert position["leverage"]["type"] == "isolated"
    assert Decimal(position["marginUsed"]) > Decimal(position["positionValue"]) / 21 + Decimal("0.5")


def test_basic_order_with_a_builder_deployed_dex(me: Exchange) -> None:
    user = me.wallet.address
    oid = _one(me.order("xyz:GOLD", True, 0.01, _px(me, "xyz:GOLD", 0.9), GTC))["resting"]["oid"]
    assert me.info.query_order_by_oid(user, oid)["status"] == "order"
    assert [o["coin"] for o in me.info.open_orders(user, "xyz")] == ["xyz:GOLD"]
    assert _one(me.cancel("xyz:GOLD", oid)) == "success"


def test_cancel_open_orders(me: Exchange) -> None:
    for factor in (0.6, 0.7):
        _one(me.order("ETH", True, 0.2, _px(me, "ETH", factor), GTC))["resting"]
    for order in me.info.open_orders(me.wallet.address):
        assert _one(me.cancel(order["coin"], order["oid"])) == "success"
    assert me.info.open_orders(me.wallet.address) == []


def test_basic_adding_posts_only_and_cancels_in_bulk(me: Exchange) -> None:
    alo: Any = {"limit": {"tif": "Alo"}}
    quotes = [
        {
            "coin": "ETH",
            "is_buy": buy,
            "sz": 0.2,
            "limit_px": _px(me, "ETH", px),
            "order_type": alo,
            "reduce_only": False,
        }
        for buy, px in ((True, 0.99), (False, 1.01))
    ]
    statuses = me.bulk_orders(quotes)["response"]["data"]["statuses"]  # type: ignore[arg-type]
    oids = [s["resting"]["oid"] for s in statuses]
    answer = me.bulk_cancel([{"coin": "ETH", "oid": oid} for oid in oids])
    assert answer["response"]["data"]["statuses"] == ["success", "success"]
    crossed = _one(me.order("ETH", True, 0.2, _px(me, "ETH", 1.01), alo))
    assert crossed["error"].startswith("Post only order would have immediately matched, bbo was ")


def _subscribe_to_everything(info: Info, user: str, seen: dict[str, Any]) -> None:
    def listen(**subscription: Any) -> None:
        info.subscribe(subscription, lambda message: seen.setdefault(message["channel"], message))  # type: ignore[arg-type]

    listen(type="allMids")
    listen(type="l2Book", coin="ETH")
    listen(type="trades", coin="PURR/USDC")
    for kind in ("userEvents", "userFills", "orderUpdates", "userFundings", "userNonFundingLedgerUpdates"):
        listen(type=kind, user=user)
    listen(type="candle", coin="ETH", interval="1m")
    listen(type="bbo", coin="ETH")
    listen(type="activeAssetCtx", coin="BTC")
    listen(type="activeAssetCtx", coin="@1")
    listen(type="activeAssetData", user=user, coin="BTC")


def test_basic_ws_every_subscription_is_served() -> None:
    """Nobody trades PURR, so `trades` stays silent, and the SDK drops its empty snapshot."""
    wanted = {
        "allMids", "l2Book", "user", "userFills", "orderUpdates", "userFundings", "userNonFundingLedgerUpdates",
        "candle", "bbo", "activeAssetCtx", "activeSpotAssetCtx", "activeAssetData",
    }  # fmt: skip
    seen: dict[str, Any] = {}
    with exchange(22, "--latency", "0") as started:
        wallet = Account.from_key(key_number_one(22))
        info = Info(started.url)
        eventually(lambda: info.ws_manager.ws_ready, 10, "the SDK's WebSocket")
        _subscribe_to_everything(info, wallet.address, seen)
        trader = Exchange(wallet, started.url)
        _one(trader.market_open("ETH", True, 0.02))["filled"]
        eventually(lambda: wanted <= set(seen), 10, "a message of every kind")
        info.ws_manager.stop_event.set()
    info.ws_manager.join(10)  # it ends with the exchange
    info.ws_manager.ping_sender.join(10)
    assert set(seen) == wanted
