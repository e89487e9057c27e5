"""@nktkas/hyperliquid (TypeScript, on node): every read, stream and action that we serve, against its declared types."""

from pathlib import Path

import pytest
from eth_account import Account

from tests.clients.environment import Said, run_node
from tests.clients.scene import Scene, an_hour_later, funded, lived_in, setup_of

pytestmark = pytest.mark.long

NEWER = {
    "perpDexs": "deployerFeeScale|lastDeployerFeeScaleChangeTime|assetToFundingClamp|must be null|anyOf",
    "meta": "deployerFeeScale|lastFeeScaleChangeTime|growthMode",
    "metaAndAssetCtxs": "deployerFeeScale|lastFeeScaleChangeTime|growthMode",
    "allPerpMetas": "deployerFeeScale|lastFeeScaleChangeTime|growthMode",
}
"""What its types of 2026-08 do not have yet of the live shapes since August (docs/venue-facts.md F7, F28)."""
CLAMP = {"perpDexs": "assetToFundingClamp|must be null|anyOf"}
"""In the older form only the newest field is unknown to it."""


def _unexpected(said: dict[str, Said], allowed: dict[str, str]) -> dict[str, list[str]]:
    """Problems with shapes that are not excused, by call."""
    out = {}
    for name, one in said.items():
        excused = next((v.split("|") for k, v in allowed.items() if k in name.split()), [])
        found = [p for p in one.problems or [] if not any(word in p for word in excused)]
        if found:
            out[name] = found
    return out


@pytest.mark.parametrize(("newer", "allowed"), [("true", NEWER), ("false", CLAMP)])
def test_every_read_by_http_and_by_socket_is_of_its_declared_type(
    tmp_path: Path, newer: str, allowed: dict[str, str]
) -> None:
    with lived_in(tmp_path, 41, market_fee_scales=newer) as scene:
        an_hour_later(scene.venue)
        said = run_node("nktkas_reads.mjs", setup_of(scene))
    assert {name: one.error for name, one in said.items() if one.error} == {}
    assert len(said) == 124
    assert _unexpected(said, allowed) == {}
    assert all(one.problems is not None for one in said.values())
    user = f'{{"user":"{scene.user}"}}'
    for way in ("http", "ws"):
        ledger = [row["delta"]["type"] for row in said[f"{way} userNonFundingLedgerUpdates {user}"].value]
        assert ledger[0] == "withdraw", "newest first"
        assert len(ledger) == 7
        paid = said[f"{way} userFunding {user}"].value
        assert {row["delta"]["coin"] for row in paid} == {"ETH", "xyz:GOLD"}
        assert said[f'{way} orderStatus {{"user":"{scene.user}","oid":1}}'].value == {"status": "unknownOid"}
        assert len(said[f"{way} frontendOpenOrders {user}"].value) == 6
        assert said[f'{way} userRole {{"user":"{scene.agent}"}}'].value["data"] == {"user": scene.user}


def test_every_stream_is_heard_on_and_of_its_declared_type(tmp_path: Path) -> None:
    with lived_in(tmp_path, 42, "--speed", "5") as scene:
        said = run_node("nktkas_streams.mjs", setup_of(scene))
    assert {name: one.error for name, one in said.items() if one.error} == {}
    assert _unexpected(said, {}) == {}
    streams = {name: one.value for name, one in said.items() if name.startswith("stream ")}
    assert len(streams) == said["unsubscribed"].value == 36
    assert all(coin.startswith("xyz:") for coin in streams['stream allMids {"dex":"xyz"}']["last"]["mids"])
    assert streams["stream openOrders {}"]["last"]["orders"]
    assert (
        streams["stream userNonFundingLedgerUpdates {}"]["last"]["nonFundingLedgerUpdates"][0]["delta"]["usdc"] == "1.0"
    )


REFUSED = {
    "alo that takes": "Post only order would have immediately matched, bbo was ",
    "ioc of nobody": "Order could not immediately match against any resting orders. asset=1",
    "too small": "Order must have minimum value of $10. asset=1",
    "two, one bad": "order 1: Order must have minimum value of $10. asset=1",
    "modify of nothing": "Cannot modify canceled or filled order",
    "cancelByCloid again": "Order was never placed, already canceled, or filled. asset=1",
    "cancel twice": "Order was never placed, already canceled, or filled. asset=1",
    "tpsl that opens": "Invalid TP/SL price. asset=1",
    "scheduleCancel too soon": "Scheduled cancel time must be at least 5 seconds from now.",
    "updateLeverage too high": "Invalid leverage value",
    "updateIsolatedMargin of cross": "Position does not use isolated margin.",
    "builder too dear": "Builder fee has not been approved.",
    "agent sends": "Must deposit before performing actions. User: 0x",
    "stranger": "User or API Wallet 0x",
    "expired": "Action already expired",
    "no sub": "Vault not registered: 0x",
    "usdSend too much": "Insufficient balance for token transfer",
    "twapOrder": "twapOrder is not offered by the embedded exchange",
    "spot order": "Invalid asset",
}
"""Call -> what its refusal says; all others succeed."""
STATUSES = {
    "gtc": "resting", "alo": "resting", "ioc": "filled", "market": "filled", "gold": "filled", "batchModify": "resting",
    "for cancel": "resting", "cancel": "success", "cancelByCloid": "success", "builder": "filled", "agent": "resting",
    "sub": "resting",
}  # fmt: skip


@pytest.mark.parametrize("way", ["http", "ws"])
def test_every_action_does_what_it_says_or_is_refused_as_live(tmp_path: Path, way: str) -> None:
    agent = Account.create()
    with lived_in(tmp_path, 43) as scene:
        third = funded(scene.venue)
        more = {
            "way": way, "third": third.address.lower(), "thirdKey": third.key.hex(), "agentKey": agent.key.hex(),
            "strangerKey": Account.create().key.hex(), "cloids": [f"0x{c * 32}" for c in "def"],
        }  # fmt: skip
        before = _money(scene)
        said = run_node("nktkas_trade.mjs", setup_of(scene) | more)
        after = _money(scene)
        built = _check_account(scene, said, agent.address.lower())
    errors = {name: one.error for name, one in said.items() if one.error}
    assert set(errors) == set(REFUSED), errors
    assert {name: text for name, text in errors.items() if REFUSED[name] not in str(text)} == {}
    for name, wanted in STATUSES.items():
        (status,) = said[name].value["response"]["data"]["statuses"]
        assert wanted in status, (name, status)
    assert list(said["normalTpsl"].value["response"]["data"]["statuses"][0]) == ["filled"]
    assert said["normalTpsl"].value["response"]["data"]["statuses"][1:] == ["waitingForTrigger", "waitingForTrigger"]
    gained = {k: round(after[k] - before[k], 6) for k in after}
    assert gained == {"other": round(3 + built, 6), "other spot": 4, "other xyz": 5, "sub": 2, "sub spot": 2}


def _money(scene: Scene) -> dict[str, float]:
    """What others have, whom the actions pay."""
    ask = scene.venue.info

    def perp(user: str, dex: str = "") -> float:
        return float(ask(type="clearinghouseState", user=user, dex=dex)["marginSummary"]["accountValue"])

    def spot(user: str) -> float:
        return sum(float(b["total"]) for b in ask(type="spotClearinghouseState", user=user)["balances"])

    return {
        "other": perp(scene.other), "other spot": spot(scene.other), "other xyz": perp(scene.other, "xyz"),
        "sub": perp(scene.sub), "sub spot": spot(scene.sub),
    }  # fmt: skip


def _check_account(scene: Scene, said: dict[str, Said], agent: str) -> float:
    """What the exchange shows of the account when all is done; what the builder got of it."""
    ask = scene.venue.info
    fills = ask(type="userFills", user=scene.user)
    of_builder = next(f for f in fills if f.get("builderFee"))
    assert of_builder["oid"] == _oid(said["builder"], "filled")
    assert {"mine", "bot"} == {row["name"] for row in ask(type="extraAgents", user=scene.user)}
    assert ask(type="userRole", user=agent) == {"role": "agent", "data": {"user": scene.user}}
    open_orders = {o["oid"]: o for o in ask(type="frontendOpenOrders", user=scene.user)}
    assert _oid(said["agent"], "resting") in open_orders
    assert sum(o["isPositionTpsl"] for o in open_orders.values()) == 2
    assert [o["oid"] for o in ask(type="openOrders", user=scene.sub)] == [_oid(said["sub"], "resting")]
    subs = {row["name"]: row["subAccountUser"] for row in ask(type="subAccounts", user=scene.user)}
    assert subs == {"renamed": scene.sub, "second": said["createSubAccount"].value["response"]["data"]}
    assert ask(type="userFees", user=scene.user)["activeReferralDiscount"] == "0.04"
    (held,) = ask(type="clearinghouseState", user=scene.user, dex="xyz")["assetPositions"]
    assert held["position"]["leverage"]["type"] == "isolated"
    assert float(held["position"]["marginUsed"]) >= float(held["position"]["positionValue"]) / 4.1
    return float(of_builder["builderFee"])


def _oid(said: Said, status: str) -> int:
    oid: int = said.value["response"]["data"]["statuses"][0][status]["oid"]
    return oid
