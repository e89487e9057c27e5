"""A deployer of a dex over a real socket: what his markets are called, whom he lets in, and how a dex ends."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec
import pytest

from hip3.clock import SystemClock
from hip3.exchange.signing import SigningKey
from hip3.venue.setup.settings import load_setup
from tests.stories.process import LocalExchange, local_exchange
from tests.venue.desk import GOLD

DEPLOYER = SigningKey(bytes([7]) * 32)


@pytest.fixture(scope="module")
def at() -> Iterator[LocalExchange]:
    setup = load_setup()
    dexs = [
        msgspec.structs.replace(d, deployer=DEPLOYER.address, permissioned=d.name == "para") if d.name != "" else d
        for d in setup.dexs
    ]
    accounts = {**setup.accounts, DEPLOYER.address: Decimal(1000)}
    with local_exchange(setup=msgspec.structs.replace(setup, dexs=dexs, accounts=accounts)) as started:
        yield started


def test_markets_have_the_names_that_are_shown_for_them(at: LocalExchange) -> None:
    shown = {coin: said.get("displayName") for coin, said in at.info(type="perpConciseAnnotations")}
    assert shown["xyz:CL"] == "WTI Crude"
    assert shown[GOLD] is None


def test_a_permissioned_dex_says_what_a_user_may(at: LocalExchange) -> None:
    state = {"isReduceOnly": False, "isBackstopLiquidatorDepositAllowed": False}
    assert at.info(type="userStarState", user=DEPLOYER.address) == {"dexToState": [["para", state]]}


def test_a_dex_is_disabled_by_its_deployer(at: LocalExchange) -> None:
    assert at.sign(DEPLOYER, {"type": "perpDeploy", "disableDex": "para"}, SystemClock().wall_ms()) == {
        "type": "default"
    }
    universe = at.info(type="meta", dex="para")["universe"]
    assert universe
    assert all(market["isDelisted"] for market in universe)
    assert not any("isDelisted" in market for market in at.info(type="meta", dex="xyz")["universe"])
