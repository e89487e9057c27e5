"""Markets are set isolated before their first entry, never while a position is open, and it is proved by reading."""

from pathlib import Path
from typing import Any

import pytest

from hip3.core.orders import Side
from hip3.execution.truth.margin import HELD, WAITING, Margin, changes
from tests.builders import D, spec
from tests.margined import GOLD, NVDA, hold, leverage_of, margined, set_by_hand
from tests.service.apps import status_of
from tests.world import ALONE, World


def _world(tmp_path: Path, **settings: Any) -> World:
    return margined(tmp_path, f"{GOLD},{NVDA}", (GOLD, NVDA), **settings)


def _sent(world: World) -> list[tuple[int, bool, int]]:
    found = [b["action"] for b in world.rest.signed if b["action"]["type"] == "updateLeverage"]
    return [(a["asset"], a["isCross"], a["leverage"]) for a in found]


@pytest.mark.parametrize("isolated_only", [False, True])
@pytest.mark.parametrize("isolate", [False, True])
@pytest.mark.parametrize("have", [False, True])
@pytest.mark.parametrize("leverage", [0, 20, 5])
def test_what_is_wished(isolated_only: bool, isolate: bool, have: bool, leverage: int) -> None:
    now = {GOLD: Margin(have, 20)}
    found = changes(now, {GOLD: spec(isolated_only=isolated_only)}, lambda _: leverage, lambda _: isolate)
    want = Margin(have or isolated_only or isolate, leverage or 20)
    assert found == ({} if want == now[GOLD] else {GOLD: want})
    lower = changes(now, {GOLD: spec(isolated_only=isolated_only, max_leverage=10)}, lambda _: 0, lambda _: isolate)
    assert lower == {GOLD: Margin(have or isolated_only or isolate, 10)}, "what it may not be any more is no wish"


def test_each_market_is_set_isolated_at_its_leverage_before_it_may_be_entered(tmp_path: Path) -> None:
    world = _world(tmp_path)
    assert world.trading.blocked == {GOLD: WAITING, NVDA: WAITING}
    assert world.run_until(lambda: not world.trading.blocked, 10_000)
    assert leverage_of(world, GOLD) == (20, True)
    assert sorted(_sent(world)) == [(110002, False, 20), (110003, False, 20)]
    world.restart()
    world.run(3000)
    assert len(_sent(world)) == 2  # it stays so
    assert not world.trading.blocked


def test_keep_leaves_the_account_as_it_is(tmp_path: Path) -> None:
    world = _world(tmp_path, margin="keep")
    world.run(5000)
    assert not _sent(world)
    assert leverage_of(world, GOLD) == (20, False)
    assert not world.trading.blocked


def test_the_type_of_an_open_position_waits_until_it_is_closed(tmp_path: Path) -> None:
    world = _world(tmp_path, margin="keep")
    hold(world)
    world.settings = _world(tmp_path / "other").settings
    world.restart()
    world.run(5000)
    assert [asset for asset, _, _ in _sent(world)] == [110002]
    assert world.trading.blocked == {GOLD: HELD}
    (position,) = status_of(world)["positions"]
    assert (position["margin"], position["leverage"]) == ("cross", 20)
    world.by_hand(GOLD, Side.SELL, D("0.01"))
    assert world.run_until(lambda: not world.trading.blocked, 10_000)
    assert leverage_of(world, GOLD) == (20, True)


def test_what_is_accepted_and_not_shown_keeps_the_market_closed(tmp_path: Path) -> None:
    world = _world(tmp_path)
    plain = world.rest.info

    def lying(request: dict[str, Any]) -> bytes:
        answer = plain(request)
        return answer.replace(b'"isolated"', b'"cross"') if request["type"] == "activeAssetData" else answer

    world.rest.info = lying  # type: ignore[method-assign]
    world.run(5000)
    assert leverage_of(world, GOLD) == (20, True)
    assert world.trading.blocked == {GOLD: WAITING, NVDA: WAITING}
    world.rest.info = plain  # type: ignore[method-assign]
    assert world.run_until(lambda: not world.trading.blocked, 10_000)


def _changed(world: World, **info: Any) -> None:
    """The deployer changes GOLD, and the service has read it and closed it."""
    market = world.venue.engine.markets[GOLD]
    market.info = market.info._replace(**info)
    assert world.run_until(lambda: "approve" in world.trading.blocked.get(GOLD, ""), 70_000)


def test_a_market_that_may_be_cross_since_is_set_isolated_before_a_person_s_word_opens_it(tmp_path: Path) -> None:
    silver = "xyz:SILVER"
    world = World(tmp_path, markets=silver, **(ALONE | {"margin": "isolated"}))
    assert world.run_until(lambda: world.ready, 5000)
    market = world.venue.engine.markets[silver]
    market.info = market.info._replace(margin_mode=None)
    assert world.run_until(lambda: silver in world.trading.blocked, 70_000)
    assert "approved" in world.trading.markets.approve(silver)
    assert world.trading.blocked == {silver: WAITING}
    assert world.run_until(lambda: not world.trading.blocked, 10_000)
    assert leverage_of(world, silver) == (20, True)


def test_a_leverage_that_the_market_takes_no_more_is_lowered_with_its_approval(tmp_path: Path) -> None:
    """Each entry was refused, and the refusals tripped the hard stop."""
    world = _world(tmp_path)
    assert world.run_until(lambda: not world.trading.blocked, 10_000)
    _changed(world, max_leverage=10)
    # Whether the exchange lowers it by itself is not known: here it does not.
    world.venue.engine.leverage_of = lambda a, m: a.leverage.get(m.info.coin, (20, False))  # type: ignore[method-assign]
    world.trading.markets.approve(GOLD)
    assert world.run_until(lambda: not world.trading.blocked, 10_000)
    assert _sent(world)[-1] == (110003, False, 10)
    world.journal.kept.pop("checked", None)
    world.restart()
    assert world.run_until(lambda: world.ready and not world.trading.blocked, 10_000)


def test_an_approval_that_reads_no_margin_keeps_the_market_closed_and_reads_again(tmp_path: Path) -> None:
    world = _world(tmp_path)
    assert world.run_until(lambda: not world.trading.blocked, 10_000)
    _changed(world, max_leverage=10)
    world.rest.failing.add("activeAssetData")
    world.trading.markets.approve(GOLD)
    asked = len(world.rest.asked)
    world.run(10_000)
    assert world.trading.blocked == {GOLD: WAITING}
    assert 2 <= sum(r["type"] == "activeAssetData" for r in world.rest.asked[asked:]) <= 6
    world.rest.failing.clear()
    assert world.run_until(lambda: not world.trading.blocked, 10_000)


def test_a_leverage_is_set_while_a_position_is_held(tmp_path: Path) -> None:
    """Only a type must wait: a quoted market stayed closed for as long as it had inventory."""
    world = _world(tmp_path, leverage=5)
    assert world.run_until(lambda: not world.trading.blocked, 10_000)
    hold(world)
    world.settings = _world(tmp_path / "other", leverage=10).settings
    world.restart()
    assert world.run_until(lambda: world.ready and not world.trading.blocked, 10_000)
    assert (110003, False, 10) in _sent(world)
    assert GOLD in world.exchange_positions()


def test_a_position_that_is_cross_though_isolated_is_wished_closes_its_market_until_it_is_left(tmp_path: Path) -> None:
    world = _world(tmp_path)
    assert world.run_until(lambda: world.ready and not world.trading.blocked, 10_000)
    set_by_hand(world, 20, is_cross=True)  # a person does
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    world.trading.view.doubt()
    assert world.run_until(lambda: dict(world.trading.blocked) == {GOLD: HELD}, 70_000)
    assert [f["coin"] for f in world.journal.of("margin_differs")] == [GOLD]
    world.by_hand(GOLD, Side.SELL, D("0.01"))
    assert world.run_until(lambda: not world.trading.blocked, 10_000)
    assert leverage_of(world, GOLD) == (20, True)


def test_a_leverage_that_a_person_sets_meanwhile_stays(tmp_path: Path) -> None:
    world = _world(tmp_path, leverage=5)
    assert world.run_until(lambda: world.ready and not world.trading.blocked, 10_000)
    sent = len(_sent(world))
    set_by_hand(world, 8, is_cross=False)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    world.trading.view.doubt()
    world.run(70_000, 50)
    assert not world.trading.blocked
    assert len(_sent(world)) == sent
    assert leverage_of(world, GOLD) == (8, True)


@pytest.mark.parametrize("hours", [-21, 25, 72])
def test_a_leverage_is_signed_by_the_exchange_s_time(tmp_path: Path, hours: int) -> None:
    """A nonce of a machine's clock that is a day off is refused, and one that is ahead is a floor for the exits."""
    world = _world(tmp_path)
    world.step_clock(hours * 3_600_000)
    assert world.run_until(lambda: not world.trading.blocked, 15_000)
    nonces = [b["nonce"] for b in world.rest.signed if b["action"]["type"] == "updateLeverage"]
    assert nonces
    assert all(abs(nonce - world.exchange_ms()) < 60_000 for nonce in nonces)
