"""Pooled accounts: one cash for all dexs of a token, shown in spot; and the ways between the modes."""

from typing import Any

import pytest

from hip3.exchange.signing import SigningKey
from hip3.venue.setup.parameters import Parameters
from hip3.venue.setup.settings import load_setup
from tests.venue.desk import GOLD, GOLD_ID, D, Desk

AVGO_ID = 120001
REFUSED = {"status": "err", "response": "Abstraction transition not allowed"}


def _desk(mode: str = "default", *, usdh: bool = False, **parameters: Any) -> Desk:
    setup = load_setup()
    dexs = [
        type(d)(d.name, d.full_name, d.deployer, d.fee_scale, 360 if usdh and d.name == "para" else 0)
        for d in setup.dexs
    ]
    given: Any = {"account_mode": mode} | parameters
    return Desk(dexs=dexs, parameters=Parameters(**given))


def _spot(desk: Desk, user: str) -> dict[str, tuple[Any, Any]]:
    rows = desk.info("spotClearinghouseState", user=user)["balances"]
    return {row["coin"]: (D(row["total"]), D(row["hold"])) for row in rows}


def _dex(desk: Desk, user: str, dex: str) -> tuple[Any, Any]:
    """(accountValue, withdrawable)."""
    state = desk.info("clearinghouseState", user=user, dex=dex)
    return D(state["marginSummary"]["accountValue"]), D(state["withdrawable"])


def _mark(desk: Desk, px: str, coin: str = GOLD) -> None:
    desk.venue.engine.set_mark(desk.venue.engine.markets[coin], D(px), desk.now)


def _leverage(desk: Desk, key: SigningKey, *, cross: bool, leverage: int = 20, asset: int = GOLD_ID) -> None:
    action = {"type": "updateLeverage", "asset": asset, "isCross": cross, "leverage": leverage}
    assert desk.act(key, action)["status"] == "ok"


def _cross(desk: Desk, coin: str = GOLD) -> None:
    market = desk.venue.engine.markets[coin]
    market.info = market.info._replace(margin_mode=None)


@pytest.mark.parametrize("cross", [True, False])
def test_spot_has_what_the_pool_is_worth_and_a_dex_only_the_margin_posted(cross: bool) -> None:
    desk = _desk("unifiedAccount")
    _cross(desk)
    one, two = desk.key(1), desk.key(2, "100000")
    assert _spot(desk, one.address) == {"USDC": (2000, 0)}
    assert _dex(desk, one.address, "") == _dex(desk, one.address, "xyz") == (0, 0)
    _leverage(desk, one, cross=cross)
    desk.trade(one, two, "0.5")
    fee = D(desk.info("userFills", user=one.address)[0]["fee"])
    _mark(desk, "4000")
    assert _spot(desk, one.address)["USDC"] == (2000 - fee, 100)
    assert _dex(desk, one.address, "xyz") == (100, 0)
    _mark(desk, "4100")
    total, hold = _spot(desk, one.address)["USDC"]
    assert total == 2050 - fee
    assert _dex(desk, one.address, "xyz")[0] == hold == (D("102.5") if cross else 150)
    assert _dex(desk, one.address, "") == (0, 0)


def test_gains_that_are_not_realised_may_be_left_out() -> None:
    desk = _desk("unifiedAccount", pooled_gains=False)
    one, two = desk.key(1), desk.key(2, "100000")
    desk.trade(one, two, "0.5")
    fee = D(desk.info("userFills", user=one.address)[0]["fee"])
    _mark(desk, "4100")
    assert _spot(desk, one.address)["USDC"][0] == 2000 - fee


def test_one_dex_s_cash_backs_a_position_in_another_and_open_orders_bind_it_for_all() -> None:
    pooled, apart = _desk("unifiedAccount"), _desk()
    for desk, taken in ((pooled, True), (apart, False)):
        key = desk.key(1)  # 1,000 on the main dex and on xyz
        entry = desk.order(key, True, "3900", "7")  # 1,365 of margin
        assert ("resting" in entry) is taken
    one = pooled.key(1, None)
    assert _spot(pooled, one.address)["USDC"] == (2000, 1365)
    assert "resting" in pooled.order(one, True, "3900", "3")
    assert "error" in pooled.order(one, True, "3900", "3")


def test_a_cross_position_is_liquidated_when_the_whole_pool_is_gone() -> None:
    lost = {}
    for mode in ("default", "unifiedAccount"):
        desk = _desk(mode)
        _cross(desk)
        one, two = desk.key(1), desk.key(2, "1000000")
        _leverage(desk, one, cross=True)
        desk.trade(one, two, "4")
        desk.order(two, True, "3700", "10")
        _mark(desk, "3740")  # 1,040 are lost
        lost[mode] = desk.venue.engine.accounts[one.address].dex("xyz").positions.get(GOLD) is None
    assert lost == {"default": True, "unifiedAccount": False}


def test_collateral_of_two_tokens_is_two_pools() -> None:
    desk = _desk("unifiedAccount", usdh=True)
    one = desk.key(1)
    desk.venue.engine.fund(one.address, "para", D(500))
    assert _spot(desk, one.address) == {"USDC": (2000, 0), "USDH": (500, 0)}
    assert desk.info("meta", dex="para")["collateralToken"] == 360
    assert desk.info("meta", dex="xyz")["collateralToken"] == 0
    market = desk.venue.engine.by_asset[AVGO_ID]
    entry = desk.order(one, True, str(market.mark), "40", asset=AVGO_ID)
    assert "error" in entry, "the dollars of one token do not back what is margined in the other"


def test_an_agent_may_go_into_a_pooled_mode_and_not_back() -> None:
    desk = _desk()
    one = desk.key(1)
    assert desk.info("userAbstraction", user=one.address) == "default"
    assert desk.info("userDexAbstraction", user=one.address) is None, "never set"
    assert desk.act(one, {"type": "agentSetAbstraction", "abstraction": "u"})["status"] == "ok"
    assert desk.info("userAbstraction", user=one.address) == "unifiedAccount"
    assert _spot(desk, one.address) == {"USDC": (2000, 0)}
    assert desk.act(one, {"type": "agentSetAbstraction", "abstraction": "i"}) == REFUSED
    assert desk.act(one, {"type": "agentSetAbstraction", "abstraction": "p"})["status"] == "ok"
    assert desk.info("userAbstraction", user=one.address) == "portfolioMargin"


def test_the_owner_goes_back_and_finds_the_cash_in_spot() -> None:
    desk = _desk("unifiedAccount")
    one, two = desk.key(1), desk.key(2, "100000")

    def wish(mode: str) -> Any:
        return desk.by_user(1, {"type": "userSetAbstraction", "user": one.address, "abstraction": mode})

    _leverage(desk, one, cross=False)
    desk.trade(one, two, "0.5")
    _mark(desk, "4000")
    fee = D(desk.info("userFills", user=one.address)[0]["fee"])
    desk.order(one, True, "3000", "0.01")
    assert wish("disabled") == REFUSED  # an order is open
    oid = desk.info("openOrders", user=one.address, dex="xyz")[0]["oid"]
    desk.act(one, {"type": "cancel", "cancels": [{"a": GOLD_ID, "o": oid}]})
    assert wish("disabled")["status"] == "ok"
    assert desk.info("userDexAbstraction", user=one.address) is False
    assert _spot(desk, one.address) == {"USDC": (1900 - fee, 0)}
    assert _dex(desk, one.address, "xyz") == (100, 0)
    assert _dex(desk, one.address, "") == (0, 0)


def test_under_dex_abstraction_the_main_dex_shows_what_the_others_do_not_use() -> None:
    desk = _desk("dexAbstraction")
    one, two = desk.key(1), desk.key(2, "100000")
    _leverage(desk, one, cross=False)
    desk.trade(one, two, "0.5")
    _mark(desk, "4000")
    fee = D(desk.info("userFills", user=one.address)[0]["fee"])
    assert _spot(desk, one.address) == {}
    assert desk.info("userDexAbstraction", user=one.address) is True
    assert _dex(desk, one.address, "") == (1900 - fee, 1900 - fee)
    assert _dex(desk, one.address, "xyz") == (100, 0)


def test_cash_goes_between_pooled_and_other_accounts() -> None:
    desk = _desk()
    one, two = desk.key(1), desk.key(2)
    desk.act(one, {"type": "agentSetAbstraction", "abstraction": "u"})
    send = {"type": "spotSend", "destination": two.address, "token": "USDC:0x6d1e7cde53ba9467b783cb7c530ce054"}
    assert desk.by_user(1, send | {"amount": "1500"})["status"] == "ok"
    assert _spot(desk, two.address) == {"USDC": (1500, 0)}
    assert desk.by_user(1, send | {"amount": "501"})["status"] == "err"
    assert desk.by_user(2, {"type": "usdSend", "destination": one.address, "amount": "250"})["status"] == "ok"
    assert _spot(desk, one.address) == {"USDC": (750, 0)}
