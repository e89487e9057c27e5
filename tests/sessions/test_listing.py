"""Markets that leave, dexs that are not for everybody, and cancels that keep their place."""

import json
from pathlib import Path
from typing import Any

import pytest

from hip3.core.orders import ExitReason, Side, Tif
from hip3.execution.truth.universe import learn_universe
from hip3.service.operating import CancelAll
from hip3.venue.actions.actions import L1
from hip3.venue.answers.replies import err
from hip3.venue.engine import halts
from tests.builders import D
from tests.world import World, quiet_world

GOLD, TSLA = "xyz:GOLD", "xyz:TSLA"


def _answers(world: World, change: Any) -> None:
    """`change(request, answer)` what is read over HTTP."""
    honest = type(world.rest).info_json.__get__(world.rest)

    def info_json(request: dict[str, Any]) -> Any:
        return change(request, honest(request))

    world.rest.info_json = info_json  # type: ignore[method-assign]


def _without(coin: str) -> Any:
    def change(request: dict[str, Any], answer: Any) -> Any:
        if request["type"] == "meta":
            for market in answer["universe"]:
                if market["name"] == coin:
                    market["name"] = "xyz:RECYCLED"
        return answer

    return change


def test_a_coin_that_is_gone_takes_no_other_market_with_it(tmp_path: Path) -> None:
    """A subscription to an unlisted coin closes the socket of all."""
    world = quiet_world(tmp_path, markets=f"{GOLD},{TSLA}")
    _answers(world, _without(TSLA))
    for _ in range(2):
        world.cut()
        world.connect()
        world.run(200)
    world.cut()
    assert world.run_until(lambda: world.trading.markets.listed() == [GOLD], 2000), "read at once, not after a minute"
    world.connect()
    assert world.run_until(lambda: world.ready, 20_000)
    assert "gone from meta" in world.trading.blocked[TSLA]
    assert GOLD not in world.trading.blocked


def test_a_settlement_is_a_forced_fill(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 3000)
    halts.halt(world.venue.engine, world.venue.engine.markets[GOLD], world.exchange_ms())
    assert world.run_until(lambda: bool(world.journal.of("forced_fill")), 3000)
    (told,) = world.journal.of("forced_fill")
    assert told["fill"].direction == "Settlement"
    assert not world.latch.tripped
    assert world.trading.tracker.totals()[:2] == world.exchange_totals()


def _starred(request: dict[str, Any], answer: Any) -> Any:
    if request["type"] == "perpDexs":
        next(dex for dex in answer if dex and dex["name"] == "para")["isStar"] = True
    return answer


def test_a_permissioned_dex_is_closed_to_entries_where_it_is_named_and_else_left_out(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, markets="")
    _answers(world, _starred)
    base = world.settings.base
    assert {spec.dex for spec in learn_universe(world.rest, base, world.user).specs.values()} == {"xyz"}
    named = quiet_world(tmp_path / "named", markets="xyz:GOLD,para:AVGO")
    _answers(named, _starred)
    learnt = learn_universe(named.rest, named.settings.base, named.user)
    assert "permissioned" in learnt.blocked["para:AVGO"]
    assert set(learnt.specs) == {GOLD, "para:AVGO"}, "what an earlier run left in it is still watched and left"


def test_cancels_of_limits_keep_their_place_and_stops_go_by_themselves(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, protective_stop_bps=D(300), foreign_positions="manage")
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    below = {coin: world.venue.engine.markets[coin].oracle * 9 // 10 for coin in (TSLA, "xyz:NVDA")}
    placed = [world.by_hand(coin, Side.BUY, D("0.1"), px=px, tif=Tif.GTC) for coin, px in below.items()]
    resting = {answer["resting"]["oid"] for answer in placed}
    assert world.run_until(lambda: any(o["isTrigger"] for o in world.listed("xyz")), 5000)
    asked = CancelAll(world.running, 10_000)
    assert world.run_until(lambda: asked.poll() is not None, 10_000)
    frames = [json.loads(text) for text in world.sender.sent if '"cancel"' in text]
    sent = [frame["request"]["payload"]["action"] for frame in frames]
    fast = {item["o"] for action in sent if action.get("f") for item in action["cancels"]}
    plain = {item["o"] for action in sent if not action.get("f") for item in action["cancels"]}
    assert fast == resting
    assert not plain
    assert [o["isTrigger"] for o in world.listed("xyz")] == [True], "the stop of a position stays"


def test_cancels_that_were_refused_as_one_go_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An action with the cancel of a market that is gone was refused as a whole, and asked again as a whole."""
    world = quiet_world(tmp_path)
    below = {coin: world.venue.engine.markets[coin].oracle * 9 // 10 for coin in (TSLA, "xyz:NVDA", GOLD)}
    for coin, px in below.items():
        world.by_hand(coin, Side.BUY, D("0.1"), px=px, tif=Tif.GTC)
    assert world.run_until(lambda: len(world.trading.tracker.ledger().foreign) == 3, 5000)
    honest, gone = L1["cancel"], world.venue.engine.markets[TSLA].info.asset_id

    def refusing(books: Any, account: Any, action: dict[str, Any], now_ms: int) -> Any:
        if any(item["a"] == gone for item in action["cancels"]):
            return err("Cannot process API request.")
        return honest(books, account, action, now_ms)

    monkeypatch.setitem(L1, "cancel", refusing)
    asked = CancelAll(world.running, 10_000)
    assert world.run_until(lambda: asked.poll() is None and len(world.listed("xyz")) == 1, 3000)
    assert [o["coin"] for o in world.listed("xyz")] == [TSLA]
    monkeypatch.setitem(L1, "cancel", honest)
    assert world.run_until(lambda: asked.poll() is not None, 20_000)
    assert world.listed("xyz") == []


def _saying_less(name: str) -> Any:
    """Answers in which no market of `meta`, and no dex, says this."""

    def change(request: dict[str, Any], answer: Any) -> Any:
        if request["type"] == "meta":
            for market in answer["universe"]:
                market.pop(name, None)
        return answer

    return change


@pytest.mark.parametrize("name", ["deployerFeeScale", "maxLeverage"])
def test_what_is_held_in_a_market_that_meta_says_less_of_is_still_left(tmp_path: Path, name: str) -> None:
    """Without a fee scale a market had no precision either, and nothing could leave it."""
    world = quiet_world(tmp_path, markets=f"{GOLD},{TSLA}", foreign_positions="manage")
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 3000)
    world.restart(lambda: _answers(world, _saying_less(name)))
    world.trading.exiting.request(ExitReason.STOP)
    assert world.run_until(lambda: not world.exchange_positions(), 5000)
    assert ("fee scale" in world.trading.blocked.get(GOLD, "")) is (name == "deployerFeeScale")
