"""The embedded exchange driven by the official SDK: Info, Exchange and its WebSocket manager."""

import threading
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

COIN = "xyz:GOLD"


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ExchangeProcess, Info]]:
    config = tmp_path_factory.mktemp("exchange") / "config.toml"
    config.write_text("[parameters]\nip_weight_per_minute = 1_000_000\n")  # each new SDK client costs 80
    with exchange(11, "--latency", "0", "--config", str(config)) as started:
        client = Info(started.url, perp_dexs=["", "xyz"])
        eventually(lambda: client.ws_manager.ws_ready, 10, "the SDK's WebSocket")
        yield started, client
        client.ws_manager.stop_event.set()
    # The exchange is gone, so the SDK's reader ends by itself; closing it from here may miss it.
    client.ws_manager.join(10)
    client.ws_manager.ping_sender.join(10)


@pytest.fixture
def venue(clients: tuple[ExchangeProcess, Info]) -> ExchangeProcess:
    return clients[0]


@pytest.fixture
def info(clients: tuple[ExchangeProcess, Info]) -> Info:
    return clients[1]


@pytest.fixture
def trader(venue: ExchangeProcess) -> Exchange:
    return Exchange(Account.from_key(key_number_one(11)), venue.url, perp_dexs=["", "xyz"])


@pytest.fixture
def newcomer(venue: ExchangeProcess) -> Exchange:
    """Somebody with an account of their own, for tests that count."""
    wallet = Account.create()
    venue.info(type="claimDrip", user=wallet.address)
    return Exchange(wallet, venue.url, perp_dexs=["", "xyz"])


def _status(answer: dict[str, Any]) -> Any:
    assert answer["status"] == "ok", answer
    return answer["response"]["data"]["statuses"][0]


def test_meta_and_asset_ids_of_a_builder_dex(info: Info) -> None:
    assert info.perp_dexs()[0] is None
    universe = info.meta(dex="xyz")["universe"]
    assert universe[3]["name"] == COIN
    assert info.name_to_asset(COIN) == 110003
    assert Decimal(info.all_mids(dex="xyz")[COIN]) > 0
    book = info.l2_snapshot(COIN)
    assert Decimal(book["levels"][0][0]["px"]) < Decimal(book["levels"][1][0]["px"])


def test_order_query_cancel_ioc_and_the_streams(info: Info, trader: Exchange) -> None:
    user = trader.wallet.address
    updates: list[Any] = []
    fills: list[Any] = []
    info.subscribe({"type": "orderUpdates", "user": user}, lambda m: updates.extend(m["data"]))
    info.subscribe({"type": "userFills", "user": user}, lambda m: fills.append(m["data"]))
    eventually(lambda: fills, 10, "the snapshot of fills")
    assert fills[0]["isSnapshot"] is True

    cloid = Cloid.from_int(77)
    far = round(float(info.all_mids(dex="xyz")[COIN]) * 0.95)
    resting = _status(trader.order(COIN, True, 0.01, far, {"limit": {"tif": "Gtc"}}, cloid=cloid))["resting"]
    by_oid = info.query_order_by_oid(user, resting["oid"])
    assert by_oid["order"]["status"] == "open"
    assert by_oid == info.query_order_by_cloid(user, cloid)
    assert [o["oid"] for o in info.open_orders(user, dex="xyz")] == [resting["oid"]]
    assert info.open_orders(user) == []  # without the dex it is invisible
    assert _status(trader.cancel(COIN, resting["oid"])) == "success"
    again = _status(trader.cancel_by_cloid(COIN, cloid))
    assert again["error"].startswith("Order was never placed, already canceled, or filled.")

    filled = _status(trader.market_open(COIN, True, 0.01))["filled"]
    state = info.user_state(user, dex="xyz")["assetPositions"][0]["position"]
    assert (state["coin"], state["szi"]) == (COIN, "0.01")
    assert info.user_state(user)["assetPositions"] == []
    closed = _status(trader.order(COIN, False, 0.01, far, {"limit": {"tif": "Ioc"}}, reduce_only=True))
    assert closed["filled"]["totalSz"] == "0.01"
    eventually(lambda: sum(len(f["fills"]) for f in fills[1:]) >= 2, 10, "both fills")
    streamed = [f for frame in fills[1:] for f in frame["fills"]]  # the snapshot may hold another test's
    assert [f["oid"] for f in streamed] == [filled["oid"], closed["filled"]["oid"]]
    assert "isSnapshot" not in fills[-1]
    words = [(u["order"]["oid"], u["status"]) for u in updates]
    assert words[:2] == [(resting["oid"], "open"), (resting["oid"], "canceled")]
    assert (filled["oid"], "filled") in words


@pytest.mark.parametrize(
    ("size", "price_factor", "order_type", "reduce_only", "text"),
    [
        (0.0001, 1.0, {"limit": {"tif": "Gtc"}}, False, "Order must have minimum value of $10. asset=110003"),
        (0.01, 0.97, {"limit": {"tif": "Ioc"}}, False, "Order could not immediately match against any resting orders."),
        (0.01, 1.0, {"limit": {"tif": "Gtc"}}, True, "Reduce only order would increase position. asset=110003"),
        (0.01, 1.03, {"limit": {"tif": "Alo"}}, False, "Post only order would have immediately matched, bbo was "),
        (1000, 0.99, {"limit": {"tif": "Gtc"}}, False, "Insufficient margin to place order. asset=110003"),
        (0.01, 0.01, {"limit": {"tif": "Gtc"}}, False, "Order price cannot be more than 95% away"),
    ],
)
def test_refusals_have_the_real_texts(
    info: Info, trader: Exchange, size: float, price_factor: float, order_type: Any, reduce_only: bool, text: str
) -> None:
    px = round(float(info.all_mids(dex="xyz")[COIN]) * price_factor)
    answer = trader.order(COIN, True, size, px, order_type, reduce_only=reduce_only)
    assert _status(answer)["error"].startswith(text)


def test_an_agent_signs_for_its_account_and_its_own_address_is_empty(venue: ExchangeProcess, trader: Exchange) -> None:
    answer, agent_key = trader.approve_agent("bot")
    assert answer["status"] == "ok"
    agent = Account.from_key(agent_key)
    as_agent = Exchange(agent, venue.url, perp_dexs=["", "xyz"], account_address=trader.wallet.address)
    px = round(float(as_agent.info.all_mids(dex="xyz")[COIN]) * 0.97)
    placed = _status(as_agent.order(COIN, True, 0.01, px, {"limit": {"tif": "Gtc"}}))["resting"]
    assert [o["oid"] for o in as_agent.info.open_orders(trader.wallet.address, dex="xyz")] == [placed["oid"]]
    assert as_agent.info.open_orders(agent.address, dex="xyz") == []
    assert _status(as_agent.cancel(COIN, placed["oid"])) == "success"
    role = venue.info(type="userRole", user=agent.address)
    assert role == {"role": "agent", "data": {"user": trader.wallet.address.lower()}}
    assert [a["name"] for a in venue.info(type="extraAgents", user=trader.wallet.address)] == ["bot"]


def test_an_unfunded_address_reads_as_empty_and_does_not_exist_until_the_faucet(venue: ExchangeProcess) -> None:
    stranger = Account.create()
    client = Exchange(stranger, venue.url, perp_dexs=["", "xyz"])
    assert client.info.user_state(stranger.address, dex="xyz")["marginSummary"]["accountValue"] == "0.0"
    px = round(float(client.info.all_mids(dex="xyz")[COIN]) * 0.97)
    refused = client.order(COIN, True, 0.01, px, {"limit": {"tif": "Gtc"}})
    text = f"User or API Wallet {stranger.address.lower()} does not exist."
    assert refused == {"status": "err", "response": text}
    assert venue.info(type="claimDrip", user=stranger.address) is None
    for dex in ("", "xyz", "para"):
        assert client.info.user_state(stranger.address, dex=dex)["withdrawable"] == "1000.0"
    assert "resting" in _status(client.order(COIN, True, 0.01, px, {"limit": {"tif": "Gtc"}}))


def test_many_clients_at_once_get_their_own_answers(venue: ExchangeProcess) -> None:
    answers: dict[int, Any] = {}

    def ask(number: int) -> None:
        answers[number] = venue.info(type="userRole", user=f"0x{number:040x}")

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert answers == {n: {"role": "missing"} for n in range(8)}


def test_tp_and_sl_on_a_position_and_as_children(info: Info, newcomer: Exchange) -> None:
    trader, user = newcomer, newcomer.wallet.address
    mid = float(info.all_mids(dex="xyz")[COIN])
    _status(trader.market_open(COIN, True, 0.01))
    stop = {"trigger": {"triggerPx": round(mid * 0.9), "isMarket": True, "tpsl": "sl"}}
    take = {"trigger": {"triggerPx": round(mid * 1.1), "isMarket": False, "tpsl": "tp"}}
    placed = _status(trader.order(COIN, False, 0.01, round(mid * 0.85), stop, reduce_only=True))["resting"]["oid"]
    shown = next(o for o in info.frontend_open_orders(user, dex="xyz") if o["oid"] == placed)
    assert (shown["orderType"], shown["isTrigger"], shown["tif"]) == ("Stop Market", True, None)
    assert shown["triggerCondition"] == f"Price below {round(mid * 0.9)}"
    assert [o["reduceOnly"] for o in info.open_orders(user, dex="xyz") if o["oid"] == placed] == [True]
    assert _status(trader.cancel(COIN, placed)) == "success"
    assert "filled" in _status(trader.market_close(COIN))

    requests = [
        {"coin": COIN, "is_buy": True, "sz": 0.01, "limit_px": round(mid * 0.97), "order_type": {"limit": {"tif": "Gtc"}}, "reduce_only": False},
        {"coin": COIN, "is_buy": False, "sz": 0.01, "limit_px": round(mid * 1.1), "order_type": take, "reduce_only": True},
        {"coin": COIN, "is_buy": False, "sz": 0.01, "limit_px": round(mid * 0.85), "order_type": stop, "reduce_only": True},
    ]  # fmt: skip
    answer = trader.bulk_orders(requests, grouping="normalTpsl")  # type: ignore[arg-type]
    statuses = answer["response"]["data"]["statuses"]
    assert statuses[1:] == ["waitingForFill", "waitingForFill"]
    assert len(info.open_orders(user, dex="xyz")) == 3
    assert _status(trader.cancel(COIN, statuses[0]["resting"]["oid"])) == "success"
    assert info.open_orders(user, dex="xyz") == []
