"""perpDeploy by the deployer of a dex, and by somebody else."""

from typing import Any

import msgspec
import pytest

from hip3.exchange.signing import SigningKey
from hip3.venue.setup.settings import load_setup
from tests.venue.desk import GOLD, GOLD_ID, Desk

DEPLOYER = SigningKey(bytes([7]) * 32)
OK = {"status": "ok", "response": {"type": "default"}}


@pytest.fixture
def desk() -> Desk:
    dexs = [msgspec.structs.replace(d, deployer=DEPLOYER.address) if d.name == "xyz" else d for d in load_setup().dexs]
    found = Desk(dexs=dexs)
    found.key(7)
    return found


def _delisted(desk: Desk, dex: str) -> set[str]:
    return {m["name"] for m in desk.info("meta", dex=dex)["universe"] if m.get("isDelisted")}


def _rest(desk: Desk, key: SigningKey) -> Any:
    wire = {"a": GOLD_ID, "b": True, "p": "3900", "s": "0.01", "r": False, "t": {"limit": {"tif": "Gtc"}}}
    return desk.act(key, {"type": "order", "orders": [wire], "grouping": "na"})["response"]["data"]["statuses"][0]


def test_a_halt_ends_orders_and_is_taken_back(desk: Desk) -> None:
    one = desk.key(1)
    oid = _rest(desk, one)["resting"]["oid"]
    assert desk.act(DEPLOYER, {"type": "perpDeploy", "haltTrading": {"coin": GOLD, "isHalted": True}}) == OK
    assert _delisted(desk, "xyz") == {GOLD}
    assert desk.info("orderStatus", user=one.address, oid=oid)["order"]["status"] == "delistedCanceled"
    assert "error" in _rest(desk, one)
    assert desk.act(DEPLOYER, {"type": "perpDeploy", "haltTrading": {"coin": GOLD, "isHalted": False}}) == OK
    assert "resting" in _rest(desk, one)


def test_a_dex_that_is_disabled_has_no_market_left_and_the_others_go_on(desk: Desk) -> None:
    assert desk.act(DEPLOYER, {"type": "perpDeploy", "disableDex": "xyz"}) == OK
    assert _delisted(desk, "xyz") == {m["name"] for m in desk.info("meta", dex="xyz")["universe"]}
    assert _delisted(desk, "para") == set()


@pytest.mark.parametrize(
    "wish", [{"disableDex": "xyz"}, {"disableDex": "nope"}, {"haltTrading": {"coin": GOLD, "isHalted": True}}]
)
def test_nobody_else_may(desk: Desk, wish: dict[str, Any]) -> None:
    assert desk.act(desk.key(1), {"type": "perpDeploy"} | wish)["status"] == "err"
    assert desk.act(DEPLOYER, {"type": "perpDeploy", "disableDex": "para"})["status"] == "err"
    assert _delisted(desk, "xyz") == set()


def test_what_is_missing_of_it_is_refused_by_name(desk: Desk) -> None:
    answer = desk.act(DEPLOYER, {"type": "perpDeploy", "setOracle": {}})
    assert answer == {"status": "err", "response": "perpDeploy setOracle is not offered by the embedded exchange"}
