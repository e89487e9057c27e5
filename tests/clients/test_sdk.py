"""The official Python SDK: what its order examples leave out. Those are in tests/venue/test_sdk_examples.py."""

import time
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.types import Cloid

from tests.clients.scene import CLOID, GTC, VAULT, Scene, done, lived_in, px
from tests.stories.process import eventually

pytestmark = pytest.mark.long

OK = {"status": "ok", "response": {"type": "default"}}


def _trader(scene: Scene, key: str = "", **more: Any) -> Exchange:
    return Exchange(Account.from_key(key or scene.key), scene.venue.url, perp_dexs=["", "xyz"], **more)


def test_every_read_of_what_is_served(tmp_path: Path) -> None:
    with lived_in(tmp_path, 71) as scene:
        info, user = Info(scene.venue.url, skip_ws=True, perp_dexs=["", "xyz"]), scene.user
        assert [p["position"]["coin"] for p in info.user_state(user)["assetPositions"]] == ["ETH"]
        assert [p["position"]["coin"] for p in info.user_state(user, "xyz")["assetPositions"]] == ["xyz:GOLD"]
        assert info.spot_user_state(user)["balances"][0]["total"] == "60.0"
        assert len(info.open_orders(user)) == len(info.frontend_open_orders(user)) == 6
        assert [f["coin"] for f in info.user_fills(user)] == ["xyz:GOLD", "ETH", "ETH"]
        assert info.user_fills_by_time(user, 0, aggregate_by_time=True) == info.user_fills(user)[::-1]
        assert len(info.historical_orders(user)) == 11
        assert info.query_order_by_oid(user, scene.oid)["order"]["status"] == "open"
        assert info.query_order_by_cloid(user, Cloid.from_str(CLOID))["order"]["order"]["cloid"] == CLOID
        assert info.user_funding_history(user, 0) == info.funding_history("ETH", 0) == []
        assert len(info.user_non_funding_ledger_updates(user, 0)) == 7
        assert info.user_fees(user)["userCrossRate"] == "0.00045"
        assert info.user_rate_limit(user)["nRequestsUsed"] > 10
        assert info.user_role(scene.agent)["role"] == "agent"
        assert info.extra_agents(user)[0]["address"] == scene.agent
        assert info.query_sub_accounts(user)[0]["subAccountUser"] == scene.sub
        assert info.user_vault_equities(user)[0]["vaultAddress"] == VAULT
        assert len(info.portfolio(user)) == 8
        assert info.query_referral_state(user)["referredBy"] is None
        assert info.query_user_abstraction_state(user) == "default"
        assert info.user_twap_slice_fills(user) == []
        assert [d and d["name"] for d in info.perp_dexs()] == [None, "xyz", "para"]
        assert info.l2_snapshot("xyz:GOLD")["coin"] == "xyz:GOLD"
        assert info.candles_snapshot("ETH", "1m", 0, 2**42)[-1]["s"] == "ETH"
        assert len(info.meta_and_asset_ctxs()) == len(info.spot_meta_and_asset_ctxs()) == 2


def test_orders_in_bulk_and_by_agents_and_sub_accounts(tmp_path: Path) -> None:
    with lived_in(tmp_path, 72) as scene:
        me = _trader(scene)
        low = px(me, "ETH", 0.5)
        order = {"coin": "ETH", "is_buy": True, "sz": 0.05, "limit_px": low, "order_type": GTC, "reduce_only": False}
        changed = me.bulk_modify_orders_new(
            [{"oid": scene.oid, "order": order}, {"oid": Cloid.from_str(CLOID), "order": order | {"sz": 0.06}}]  # type: ignore[list-item]
        )
        assert ["resting" in s for s in changed["response"]["data"]["statuses"]] == [True, True]
        sizes = sorted(o["sz"] for o in me.info.open_orders(scene.user) if float(o["limitPx"]) == low)
        assert {"0.05", "0.06"} <= set(sizes)
        of_sub = _trader(scene, vault_address=scene.sub)
        oid = done(of_sub.order("ETH", True, 0.01, px(me, "ETH", 0.6), GTC))["resting"]["oid"]
        cloid = Cloid.from_int(9)
        done(of_sub.order("ETH", True, 0.01, px(me, "ETH", 0.6), GTC, cloid=cloid))
        assert len(me.info.open_orders(scene.sub)) == 2
        gone = [
            of_sub.bulk_cancel([{"coin": "ETH", "oid": oid}]),
            of_sub.bulk_cancel_by_cloid([{"coin": "ETH", "cloid": cloid}]),
        ]
        assert [done(one) for one in gone] == ["success", "success"]
        me.set_expires_after(1_700_000_000_000)
        assert me.order("ETH", True, 0.05, low, GTC) == {"status": "err", "response": "Action already expired"}
        stranger = _trader(scene, key="0x" + "5" * 64)
        refused = stranger.order("ETH", True, 0.05, low, GTC)["response"]
        assert refused == f"User or API Wallet {stranger.wallet.address.lower()} does not exist."


def test_money_modes_and_what_is_not_offered(tmp_path: Path) -> None:
    with lived_in(tmp_path, 73) as scene:
        me, usdc = _trader(scene), "USDC:0x6d1e7cde53ba9467b783cb7c530ce054"
        assert me.sub_account_spot_transfer(scene.sub, True, usdc, 2) == OK
        assert me.spot_transfer(3, scene.other, usdc) == me.usd_class_transfer(4, True) == OK
        assert me.info.spot_user_state(scene.user)["balances"][0]["total"] == "51.0"
        assert me.set_referrer("FRIEND") == me.noop(int(time.time() * 1000)) == OK
        assert me.info.user_fees(scene.user)["activeReferralDiscount"] == "0.04"
        assert me.schedule_cancel(int(time.time() * 1000) + 3_600_000) == me.schedule_cancel(None) == OK
        refused = me.usd_transfer(99_999, scene.other)
        assert refused == {"status": "err", "response": "Insufficient balance for token transfer"}
        other = _trader(scene, key=scene.other_key)
        assert other.agent_set_abstraction("u") == OK
        assert other.info.query_user_abstraction_state(scene.other) == "unifiedAccount"
        assert other.user_set_abstraction(scene.other, "disabled") == OK
        for answer in (
            me.use_big_blocks(True),
            me.token_delegate(VAULT, 1, False),
            me.convert_to_multi_sig_user([VAULT], 1),
        ):
            assert answer["status"] == "err"
            assert answer["response"].endswith("is not offered by the embedded exchange")


def test_streams_of_builder_dexs_and_of_an_account(tmp_path: Path) -> None:
    """Beside those of the SDK's own example; two fills of one account are heard once in each stream."""
    seen: dict[str, list[Any]] = {}
    with lived_in(tmp_path, 74) as scene:
        info = Info(scene.venue.url, perp_dexs=["", "xyz"])
        eventually(lambda: info.ws_manager.ws_ready, 10, "the SDK's WebSocket")
        wanted: dict[str, Any] = {
            "bbo": {"type": "bbo", "coin": "xyz:GOLD"}, "l2Book": {"type": "l2Book", "coin": "xyz:GOLD"},
            "trades": {"type": "trades", "coin": "xyz:GOLD"},
            "candle": {"type": "candle", "coin": "xyz:GOLD", "interval": "1m"},
            "activeAssetCtx": {"type": "activeAssetCtx", "coin": "xyz:GOLD"},
            "activeAssetData": {"type": "activeAssetData", "user": scene.user, "coin": "xyz:GOLD"},
            "orderUpdates": {"type": "orderUpdates", "user": scene.user},
            "userFills": {"type": "userFills", "user": scene.user}, "userEvents": {"type": "userEvents", "user": scene.user},
        }  # fmt: skip
        for name, subscription in wanted.items():
            info.subscribe(subscription, lambda message, name=name: seen.setdefault(name, []).append(message))
        eventually(lambda: "userFills" in seen, 10, "the fills there were")
        oid = done(_trader(scene).market_open("xyz:GOLD", False, 0.02))["filled"]["oid"]
        eventually(lambda: set(wanted) <= set(seen) and len(seen["userFills"]) > 1, 15, f"all of them: {sorted(seen)}")
        info.ws_manager.stop_event.set()
    info.ws_manager.join(10)  # it ends with the exchange
    info.ws_manager.ping_sender.join(10)
    assert len(seen["userFills"][0]["data"]["fills"]) == 3
    assert {f["oid"] for f in seen["userFills"][1]["data"]["fills"]} == {oid}
    assert {f["oid"] for f in seen["userEvents"][0]["data"]["fills"]} == {oid}
    assert [u["status"] for u in seen["orderUpdates"][0]["data"]] == ["open", "filled"]
