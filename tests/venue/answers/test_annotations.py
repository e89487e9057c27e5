"""Annotations of markets, and whom a permissioned dex keeps out."""

import msgspec

from hip3.venue.setup.settings import load_setup
from tests.venue.desk import GOLD, Desk

ONE = "0x" + "1" * 40


def test_annotations_have_what_the_deployer_said_and_leave_the_rest_out() -> None:
    desk = Desk()
    concise = dict(desk.info("perpConciseAnnotations"))
    assert concise[GOLD] == {"category": "commodities"}
    assert concise["xyz:CL"] == {"category": "commodities", "displayName": "WTI Crude", "keywords": ["oil"]}
    assert "BTC" not in concise
    whole = desk.info("perpAnnotation", coin="xyz:CL")
    assert whole == concise["xyz:CL"] | {"description": "West Texas Intermediate, front month"}
    assert desk.info("perpAnnotation", coin="BTC") is None
    assert dict(desk.info("perpCategories"))["xyz:TSLA"] == "stocks"


def test_a_permissioned_dex_says_what_it_lets_a_user_do() -> None:
    assert Desk().info("userStarState", user=ONE) == {"dexToState": []}
    dexs = [msgspec.structs.replace(d, permissioned=d.name == "para") for d in load_setup().dexs]
    state = {"isReduceOnly": False, "isBackstopLiquidatorDepositAllowed": False}
    assert Desk(dexs=dexs).info("userStarState", user=ONE) == {"dexToState": [["para", state]]}
