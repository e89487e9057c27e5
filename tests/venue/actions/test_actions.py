"""Signed actions on orders and accounts: modify, the dead man's switch, leverage, margin, reserved requests."""

from typing import Any

import pytest

from hip3.exchange.signing import SigningKey
from hip3.venue.actions import actions, auth
from hip3.venue.setup.parameters import Parameters
from tests.venue.desk import GOLD, GOLD_ID, META_ID, SILVER_ID, D, Desk, wire

MILLION = D(1_000_000)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def one(desk: Desk) -> SigningKey:
    return desk.key(1)


@pytest.fixture
def two(desk: Desk) -> SigningKey:
    return desk.key(2)


def _modify(desk: Desk, key: SigningKey, oid: Any, item: dict[str, Any], **always: Any) -> Any:
    reply = desk.act(key, {"type": "batchModify", "modifies": [{"oid": oid, "order": item}], **always})
    assert reply["response"]["type"] == "order"
    return reply["response"]["data"]["statuses"][0]


def test_a_modified_order_is_a_new_one_at_the_end_of_its_queue(desk: Desk, one: SigningKey, two: SigningKey) -> None:
    old = desk.order(one, True, "3900", "0.01")["resting"]["oid"]
    other = desk.order(two, True, "3910", "0.01")["resting"]["oid"]
    new = _modify(desk, one, old, wire(True, "3910", "0.02"))["resting"]["oid"]
    assert new > other > old
    assert desk.info("orderStatus", user=one.address, oid=old)["order"]["status"] == "canceled"
    record = desk.info("orderStatus", user=one.address, oid=new)["order"]
    assert (record["status"], record["order"]["tif"]) == ("open", "Alo")
    (level,) = desk.info("l2Book", coin=GOLD)["levels"][0]
    assert level == {"px": "3910.0", "sz": "0.03", "n": 2}
    desk.order(one, False, "3950", "0.01")
    assert desk.venue.engine.markets[GOLD].book.next_maker(is_buy=False, limit_px=D(3900)).oid == other  # type: ignore[union-attr]


def test_a_modify_by_cloid_keeps_the_name(desk: Desk, one: SigningKey) -> None:
    cloid = "0x" + "a" * 32
    desk.order(one, True, "3900", "0.01", cloid=cloid)
    entry = _modify(desk, one, cloid, wire(True, "3901", "0.01", cloid=cloid))
    assert entry["resting"]["cloid"] == cloid
    assert desk.info("orderStatus", user=one.address, oid=cloid)["order"]["order"]["limitPx"] == "3901.0"


@pytest.mark.parametrize(
    ("px", "tif", "error"),
    [("4000", "Gtc", True), ("3900", "Ioc", True), ("3999", "Gtc", False), ("3999", "Alo", False)],
)
def test_without_always_place_the_new_order_must_only_make(
    desk: Desk, one: SigningKey, two: SigningKey, px: str, tif: str, error: bool
) -> None:
    desk.order(two, False, "4000", "0.01")
    old = desk.order(one, True, "3900", "0.01")["resting"]["oid"]
    entry = _modify(desk, one, old, wire(True, px, "0.01", tif))
    if error:
        assert entry == {"error": "Attempted to modify to invalid new order"}
        assert [o["oid"] for o in desk.info("openOrders", user=one.address, dex="xyz")] == [old]
    else:
        assert "resting" in entry


def test_with_always_place_it_may_take(desk: Desk, one: SigningKey, two: SigningKey) -> None:
    desk.order(two, False, "4000", "0.01")
    old = desk.order(one, True, "3900", "0.01")["resting"]["oid"]
    assert _modify(desk, one, old, wire(True, "4000", "0.01", "Ioc"), a=True)["filled"]["totalSz"] == "0.01"


def test_a_refused_new_order_leaves_the_old_one(desk: Desk, one: SigningKey) -> None:
    old = desk.order(one, True, "3900", "0.01")["resting"]["oid"]
    assert _modify(desk, one, old, wire(True, "3900", "0.001"))["error"].startswith("Order must have minimum value")
    assert _modify(desk, one, old, wire(True, "3900", "90"))["error"].startswith("Insufficient margin")
    assert [o["oid"] for o in desk.info("openOrders", user=one.address, dex="xyz")] == [old]
    assert _modify(desk, one, 5, wire(True, "3900", "0.01")) == {"error": "Cannot modify canceled or filled order"}


@pytest.mark.parametrize("ends", [True, False])
def test_a_post_only_modify_that_would_cross_takes_the_old_order_with_it(ends: bool) -> None:
    desk = Desk(parameters=Parameters(crossing_modify_ends_old=ends))
    one, two = desk.key(1), desk.key(2)
    desk.order(two, False, "4000", "0.01")
    old = desk.order(one, True, "3900", "0.01")["resting"]["oid"]
    assert _modify(desk, one, old, wire(True, "4000", "0.01", "Alo"))["error"].startswith("Post only order would have")
    assert bool(desk.info("openOrders", user=one.address, dex="xyz")) is not ends
    status = desk.info("orderStatus", user=one.address, oid=old)["order"]["status"]
    assert status == ("canceled" if ends else "open")


def test_a_modify_does_not_change_sides(desk: Desk, one: SigningKey) -> None:
    old = desk.order(one, True, "3900", "0.01")["resting"]["oid"]
    assert _modify(desk, one, old, wire(False, "4100", "0.01", "Alo")) == {
        "error": "Attempted to modify to invalid new order"
    }
    assert [o["oid"] for o in desk.info("openOrders", user=one.address, dex="xyz")] == [old]


def test_the_margin_of_the_order_it_replaces_is_free_for_the_new_one(desk: Desk, one: SigningKey) -> None:
    old = desk.order(one, True, "4000", "4.9")["resting"]["oid"]  # 980 of 1000
    assert "resting" in _modify(desk, one, old, wire(True, "3999", "4.9"))


def test_a_single_modify_answers_default_and_a_refusal_as_a_whole(desk: Desk, one: SigningKey) -> None:
    old = desk.order(one, True, "3900", "0.01")["resting"]["oid"]
    action = {"type": "modify", "oid": old, "order": wire(True, "3901", "0.01")}
    assert desk.act(one, action) == {"status": "ok", "response": {"type": "default"}}
    again = desk.act(one, action)
    assert again == {"status": "err", "response": "Cannot modify canceled or filled order"}


def test_the_switch_is_gated_by_volume_and_cancels_everything(desk: Desk, one: SigningKey) -> None:
    action = {"type": "scheduleCancel", "time": desk.now + 10_000}
    refused = desk.act(one, action)["response"]
    assert refused == (
        "Cannot set scheduled cancel time until enough volume traded. Required: $1000000. Traded: $0.00."
    )
    desk.venue.engine.accounts[one.address].volume = MILLION
    early = desk.act(one, {"type": "scheduleCancel", "time": desk.now + 4000})
    assert early["status"] == "err"
    assert desk.act(one, action)["status"] == "ok"
    oids = [desk.order(one, True, "3900", "0.01")["resting"]["oid"] for _ in range(2)]
    desk.wait(9000)
    assert len(desk.info("openOrders", user=one.address, dex="xyz")) == 2
    desk.wait(1100)
    assert desk.info("openOrders", user=one.address, dex="xyz") == []
    states = [desk.info("orderStatus", user=one.address, oid=oid)["order"]["status"] for oid in oids]
    assert states == ["scheduledCancel"] * 2


def test_the_switch_can_be_taken_back_and_fires_ten_times_a_day(desk: Desk, one: SigningKey) -> None:
    desk.venue.engine.accounts[one.address].volume = MILLION
    desk.act(one, {"type": "scheduleCancel", "time": desk.now + 6000})
    assert desk.act(one, {"type": "scheduleCancel"})["status"] == "ok"
    desk.order(one, True, "3900", "0.01")
    desk.wait(7000)
    assert len(desk.info("openOrders", user=one.address, dex="xyz")) == 1
    for _ in range(10):
        assert desk.act(one, {"type": "scheduleCancel", "time": desk.now + 5002})["status"] == "ok"
        desk.wait(5100)
    refused = desk.act(one, {"type": "scheduleCancel", "time": desk.now + 6000})["response"]
    assert refused.startswith("Too many scheduled cancels triggered for the day")


@pytest.mark.parametrize(
    ("asset", "leverage", "cross", "text"),
    [
        (GOLD_ID, 0, False, "Invalid leverage value"),
        (GOLD_ID, 26, False, "Invalid leverage value"),
        (SILVER_ID, 10, True, "Cross margin is not allowed for this asset."),
        (META_ID, 5, True, "Cross margin is not allowed for this asset."),
    ],
)
def test_leverage_that_is_not_possible(
    desk: Desk, one: SigningKey, asset: int, leverage: int, cross: bool, text: str
) -> None:
    action = {"type": "updateLeverage", "asset": asset, "isCross": cross, "leverage": leverage}
    assert desk.act(one, action) == {"status": "err", "response": text}


def test_the_leverage_of_a_position_changes_with_its_margin(desk: Desk, one: SigningKey, two: SigningKey) -> None:
    desk.isolate(one)
    desk.trade(one, two, "0.1")
    action = {"type": "updateLeverage", "asset": GOLD_ID, "isCross": False, "leverage": 10}
    refused = desk.act(one, action)["response"]
    assert refused == (
        "Isolated position does not have sufficient margin available to decrease leverage. "
        "To decrease leverage, add margin to the position."
    )
    top_up = {"type": "updateIsolatedMargin", "asset": GOLD_ID, "isBuy": True, "ntli": 25_000_000}
    assert desk.act(one, top_up)["status"] == "ok"
    assert desk.act(one, action)["status"] == "ok"
    position = desk.info("clearinghouseState", user=one.address, dex="xyz")["assetPositions"][0]["position"]
    assert position["leverage"]["value"] == 10


def test_a_cross_position_needs_the_account_for_less_leverage(desk: Desk) -> None:
    one, two = desk.key(1, "60"), desk.key(2)
    desk.trade(one, two, "0.01", "83757", asset=0)
    action = {"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 5}
    assert desk.act(one, action)["response"].startswith("Cross position does not have sufficient margin available")
    switch = action | {"isCross": False, "leverage": 20}
    assert desk.act(one, switch)["response"] == "Cannot switch leverage type with open position."
    assert desk.act(one, action | {"leverage": 40})["status"] == "ok"


def test_isolated_margin_goes_in_and_out(desk: Desk, one: SigningKey, two: SigningKey) -> None:
    def move(ntli: int, asset: int = GOLD_ID) -> Any:
        return desk.act(one, {"type": "updateIsolatedMargin", "asset": asset, "isBuy": True, "ntli": ntli})["response"]

    assert move(1) == "Cannot update margin for empty position."
    desk.isolate(one)
    desk.trade(one, two, "0.1")
    desk.venue.engine.markets[GOLD].mark = D(4000)
    before = desk.info("clearinghouseState", user=one.address, dex="xyz")
    assert move(0) == "Update to isolated margin cannot be zero."
    assert move(30_000_000) == {"type": "default"}
    after = desk.info("clearinghouseState", user=one.address, dex="xyz")
    used = [D(s["assetPositions"][0]["position"]["marginUsed"]) for s in (before, after)]
    assert used[1] - used[0] == 30
    assert D(after["withdrawable"]) == D(before["withdrawable"]) - 30
    assert after["marginSummary"]["accountValue"] == before["marginSummary"]["accountValue"]
    assert move(2_000_000_000) == "Account does not have sufficient margin available for increase."
    assert move(-20_000_000) == "Position does not have sufficient margin for reduction."  # a tenth must stay
    assert move(-10_000_000) == {"type": "default"}


def test_margin_of_a_strictly_isolated_market_stays(desk: Desk, one: SigningKey, two: SigningKey) -> None:
    desk.trade(one, two, "1", "650", asset=META_ID)
    action = {"type": "updateIsolatedMargin", "asset": META_ID, "isBuy": True, "ntli": -1_000_000}
    assert desk.act(one, action)["response"].startswith("Cannot remove isolated margin for this asset.")


def test_requests_can_be_bought_but_not_by_an_agent(desk: Desk, one: SigningKey) -> None:
    action = {"type": "reserveRequestWeight", "weight": 1000}
    before = desk.info("userRateLimit", user=one.address)["nRequestsCap"]
    assert desk.act(one, action)["status"] == "ok"
    assert desk.info("userRateLimit", user=one.address)["nRequestsCap"] == before + 1000
    assert desk.info("clearinghouseState", user=one.address)["withdrawable"] == "999.5"
    agent = desk.key(9, cash=None)
    desk.venue.books.agents.approve(one.address, agent.address, "bot", desk.now)
    refused = desk.act(agent, action)["response"]
    assert refused == f"Must deposit before performing actions. User: {agent.address}"


def test_withdrawable_leaves_the_margin_of_resting_orders(desk: Desk, one: SigningKey) -> None:
    desk.order(one, True, "4000", "0.1")  # 20 at 20x
    assert desk.info("clearinghouseState", user=one.address, dex="xyz")["withdrawable"] == "980.0"


def test_a_member_of_a_tpsl_group_can_be_modified_and_stays_in_it(desk: Desk, one: SigningKey, two: SigningKey) -> None:
    def stop(px: str, kind: str) -> dict[str, Any]:
        trigger = {"trigger": {"isMarket": True, "triggerPx": px, "tpsl": kind}}
        return wire(False, px, "0.1", reduce_only=True) | {"t": trigger}

    orders = [wire(True, "4000", "0.1"), stop("4100", "tp"), stop("3900", "sl")]
    desk.act(one, {"type": "order", "orders": orders, "grouping": "normalTpsl"})
    parent, take, loss = (o["oid"] for o in reversed(desk.info("frontendOpenOrders", user=one.address, dex="xyz")))
    desk.order(two, False, "4000", "0.1", "Ioc")
    new = _modify(desk, one, take, stop("4050", "tp"), a=True)["resting"]["oid"]
    desk.order(two, True, "4045", "1")
    desk.venue.engine.set_mark(desk.venue.engine.markets[GOLD], D(4051), desk.now)
    states = {
        o: desk.info("orderStatus", user=one.address, oid=o)["order"]["status"] for o in (parent, take, loss, new)
    }
    assert states == {parent: "filled", take: "canceled", loss: "siblingFilledCanceled", new: "filled"}


@pytest.mark.parametrize("kind", ["twapOrder", "spotDeploy", "userDexAbstraction", "multiSig"])
def test_what_is_missing_is_refused_by_name(desk: Desk, one: SigningKey, kind: str) -> None:
    refused = {"status": "err", "response": f"{kind} is not offered by the embedded exchange"}
    assert desk.act(one, {"type": kind}) == refused


def test_every_l1_action_that_parses_is_offered() -> None:
    assert set(actions.L1) == set(auth._KEYS)
    assert set(actions.BY_USER) == set(auth.USER_SIGNED)


def test_over_its_limit_an_address_acts_every_ten_seconds(desk: Desk, one: SigningKey) -> None:
    account = desk.venue.engine.accounts[one.address]
    account.actions_used = 10_000

    def act() -> str:
        return str(desk.act(one, {"type": "order", "orders": [wire(True, "3900", "0.01")], "grouping": "na"})["status"])

    assert [act() for _ in range(3)] == ["ok", "err", "err"]
    refused = desk.act(one, {"type": "order", "orders": [wire(True, "3900", "0.01")], "grouping": "na"})["response"]
    assert refused.startswith("Too many cumulative requests sent (10002 > 10000) for cumulative volume traded $0.00.")
    assert account.actions_used == 10_001
    desk.now += 10_000
    assert act() == "ok"
    assert desk.info("userRateLimit", user=one.address)["nRequestsSurplus"] == 2


def test_a_fast_cancel_ends_limits_and_refuses_triggers(desk: Desk, one: SigningKey, two: SigningKey) -> None:
    desk.trade(one, two, "0.5")
    limit = desk.order(one, True, "3900", "0.01", cloid="0x" + "a" * 32)["resting"]["oid"]
    item = {"a": GOLD_ID, "b": False, "p": "3500", "s": "0.1", "r": True}
    item["t"] = {"trigger": {"isMarket": True, "triggerPx": "3600", "tpsl": "sl"}}
    reply = desk.act(one, {"type": "order", "orders": [item], "grouping": "na"})
    stop = reply["response"]["data"]["statuses"][0]["resting"]["oid"]

    def cancel(*oids: int, **more: Any) -> list[Any]:
        action = {"type": "cancel", "cancels": [{"a": GOLD_ID, "o": oid} for oid in oids]} | more
        found: list[Any] = desk.act(one, action)["response"]["data"]["statuses"]
        return found

    refused = desk.venue.engine.parameters.fast_trigger_text
    assert cancel(stop, limit, f=True) == [{"error": refused}, "success"]
    assert cancel(stop) == ["success"]


@pytest.mark.parametrize(("taken", "fits"), [("both", True), ("testnet", True), ("mainnet", False)])
def test_an_action_for_another_network_is_another_signer_s(taken: Any, fits: bool) -> None:
    desk = Desk(parameters=Parameters(signatures=taken))
    one = desk.key(1)
    reply = desk.act(one, {"type": "noop"})
    sent = desk.by_user(1, {"type": "usdSend", "destination": desk.key(2).address, "amount": "1"})
    assert (reply["status"] == "ok") is fits
    assert (sent["status"] == "ok") is fits
    if not fits:
        assert reply["response"].startswith("User or API Wallet 0x")
        assert one.address not in reply["response"]
    assert desk.info("embeddedExchange")["signed"] == ({"testnet": 1} if fits else {})


def test_isolated_margin_is_topped_up_to_a_leverage(desk: Desk, one: SigningKey, two: SigningKey) -> None:
    top_up = {"type": "topUpIsolatedOnlyMargin", "asset": GOLD_ID}
    assert desk.act(one, top_up | {"leverage": "5"})["response"] == "Cannot update margin for empty position."
    desk.isolate(one)
    desk.trade(one, two, "0.5")
    market = desk.venue.engine.markets[GOLD]
    desk.venue.engine.set_mark(market, D(4000), desk.now)

    def margin() -> Any:
        (held,) = desk.info("clearinghouseState", user=one.address, dex="xyz")["assetPositions"]
        return D(held["position"]["marginUsed"])

    assert margin() == 100  # 20x
    assert desk.act(one, top_up | {"leverage": "5"})["status"] == "ok"
    assert margin() == 400
    assert desk.act(one, top_up | {"leverage": "10"})["status"] == "ok"  # more is there already
    assert margin() == 400
    assert "sufficient margin" in desk.act(one, top_up | {"leverage": "1"})["response"]


@pytest.mark.parametrize("asset", [990_000, 110_999])
def test_a_cancel_of_an_asset_that_is_none_says_so(desk: Desk, one: SigningKey, asset: int) -> None:
    answer = desk.act(one, {"type": "cancel", "cancels": [{"a": asset, "o": 1}]})
    (status,) = answer["response"]["data"]["statuses"]
    assert status == {"error": "Order was never placed, already canceled, or filled. asset=-1"}
