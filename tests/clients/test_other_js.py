"""Further clients on node: ccxt's JavaScript build, and the npm package `hyperliquid`. Each signs with code of its own."""

from pathlib import Path

import pytest

from tests.clients.environment import run_node
from tests.clients.scene import lived_in, setup_of

pytestmark = pytest.mark.long


def test_ccxt_on_node(tmp_path: Path) -> None:
    with lived_in(tmp_path, 44, "--speed", "3") as scene:
        said = run_node("ccxt.mjs", setup_of(scene))
        subs = scene.venue.info(type="openOrders", user=scene.sub)
        fills = scene.venue.info(type="userFills", user=scene.user)
    errors = {name: one.error for name, one in said.items() if one.error}
    assert set(errors) == {"refused", "cancel again"}, errors
    assert "Post only order would have immediately matched, bbo was " in str(errors["refused"])
    assert "never placed, already canceled, or filled" in str(errors["cancel again"])
    assert (said["status"].value, said["cancel"].value) == ("open", "success")
    assert [(f["coin"], f["oid"]) for f in reversed(fills[:2])] == [
        ("ETH", int(said["market"].value["id"])), ("xyz:GOLD", int(said["gold"].value["id"])),
    ]  # fmt: skip
    assert [o["oid"] for o in subs] == [int(said["sub"].value["id"])]
    assert "resting" in said["by socket"].value["info"]
    assert said["watched"].value == ["XYZ-GOLD/USDC:USDC"]


def test_the_package_hyperliquid(tmp_path: Path) -> None:
    with lived_in(tmp_path, 45) as scene:
        said = run_node("nomeida.mjs", setup_of(scene))
        fills = scene.venue.info(type="userFills", user=scene.user)
    assert {name: one.error for name, one in said.items() if one.error} == {}
    assert (said["state"].value, said["open orders"].value, said["fills"].value) == (1, 6, 3)
    statuses = {
        name: said[name].value["response"]["data"]["statuses"][0]
        for name in ("rests", "fills now", "too small", "cancel")
    }
    assert "resting" in statuses["rests"]
    assert statuses["fills now"]["filled"]["oid"] == fills[0]["oid"]
    assert statuses["too small"] == {"error": "Order must have minimum value of $10. asset=1"}
    assert statuses["cancel"] == "success"
    assert said["transfer"].value == {"status": "ok", "response": {"type": "default"}}
    assert {"user", "fills"} <= set(said["heard"].value)
