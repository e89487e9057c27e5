"""Markets are set isolated before their first entry, never while a position is open, and it is proved by reading."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hip3.core.orders import Side
from hip3.execution.truth.margin import WAITING, Margin, changes
from hip3.venue.setup.settings import VenueSetup, load_setup
from tests.builders import D, spec
from tests.service.apps import status_of
from tests.world import ALONE, World

GOLD, NVDA = "xyz:GOLD", "xyz:NVDA"


def _cross() -> VenueSetup:
    """GOLD and NVDA may be cross, as they have been since September 2026."""
    built_in = load_setup()
    markets = [
        msgspec.structs.replace(m, max_leverage=20, margin_mode=None if m.coin in (GOLD, NVDA) else m.margin_mode)
        for m in built_in.markets
    ]
    return msgspec.structs.replace(built_in, markets=markets)


def _world(tmp_path: Path, **settings: Any) -> World:
    return World(tmp_path, setup=_cross(), markets=f"{GOLD},{NVDA}", **(ALONE | {"margin": "isolated"} | settings))


def _sent(world: World) -> list[tuple[int, bool, int]]:
    found = [b["action"] for b in world.rest.signed if b["action"]["type"] == "updateLeverage"]
    return [(a["asset"], a["isCross"], a["leverage"]) for a in found]


def _leverage(world: World, coin: str) -> Any:
    account = world.venue.engine.account(world.user)
    assert account is not None
    return world.venue.engine.leverage_of(account, world.venue.engine.markets[coin])


@pytest.mark.parametrize("isolated_only", [False, True])
@pytest.mark.parametrize("isolate", [False, True])
@pytest.mark.parametrize("have", [False, True])
@pytest.mark.parametrize("leverage", [0, 20, 5])
def test_what_is_wished(isolated_only: bool, isolate: bool, have: bool, leverage: int) -> None:
    now = {GOLD: Margin(have, 20)}
    found = changes(now, {GOLD: spec(isolated_only=isolated_only)}, lambda _: leverage, lambda _: isolate)
    want = Margin(have or isolated_only or isolate, leverage or 20)
    assert found == ({} if want == now[GOLD] else {GOLD: want})


def test_each_market_is_set_isolated_at_its_leverage_before_it_may_be_entered(tmp_path: Path) -> None:
    world = _world(tmp_path)
    assert world.trading.blocked == {GOLD: WAITING, NVDA: WAITING}
    assert world.run_until(lambda: not world.trading.blocked, 10_000)
    assert _leverage(world, GOLD) == (20, True)
    assert sorted(_sent(world)) == [(110002, False, 20), (110003, False, 20)]
    world.restart()
    world.run(3000)
    assert len(_sent(world)) == 2  # it stays so
    assert not world.trading.blocked


def test_keep_leaves_the_account_as_it_is(tmp_path: Path) -> None:
    world = _world(tmp_path, margin="keep")
    world.run(5000)
    assert not _sent(world)
    assert _leverage(world, GOLD) == (20, False)
    assert not world.trading.blocked


def test_the_type_of_an_open_position_waits_until_it_is_closed(tmp_path: Path) -> None:
    world = _world(tmp_path, margin="keep")
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 3000)
    world.settings = _world(tmp_path / "other").settings
    world.restart()
    world.run(5000)
    assert [asset for asset, _, _ in _sent(world)] == [110002]
    assert world.trading.blocked == {GOLD: WAITING}
    (position,) = status_of(world)["positions"]
    assert (position["margin"], position["leverage"]) == ("cross", 20)
    world.by_hand(GOLD, Side.SELL, D("0.01"))
    assert world.run_until(lambda: not world.trading.blocked, 10_000)
    assert _leverage(world, GOLD) == (20, True)


def test_what_is_accepted_and_not_shown_keeps_the_market_closed(tmp_path: Path) -> None:
    world = _world(tmp_path)
    plain = world.rest.info

    def lying(request: dict[str, Any]) -> bytes:
        answer = plain(request)
        return answer.replace(b'"isolated"', b'"cross"') if request["type"] == "activeAssetData" else answer

    world.rest.info = lying  # type: ignore[method-assign]
    world.run(5000)
    assert _leverage(world, GOLD) == (20, True)
    assert world.trading.blocked == {GOLD: WAITING, NVDA: WAITING}
    world.rest.info = plain  # type: ignore[method-assign]
    assert world.run_until(lambda: not world.trading.blocked, 10_000)
