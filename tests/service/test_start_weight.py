"""What starts ask of the exchange: as much request weight as is left when a service is started anew within a minute."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hip3.core.orders import Side
from hip3.errors import VenueReadError
from hip3.exchange.rate_limit import IP_WEIGHT_PER_MINUTE
from hip3.exchange.rest import weight_of
from hip3.execution.truth.margin import AGAIN_MS, KEPT_WISHED_MS
from hip3.service.assembly import StartReading, learner
from hip3.venue.setup.settings import load_setup
from tests.builders import D
from tests.world import ALONE, World

PROOF = 2 * (2 + 20) + 20 + 20
"""Positions and orders of two dexs, fills, and the fills once more for the ends that no stream has told."""
GOLD, TSLA = "xyz:GOLD", "xyz:TSLA"
"""Markets that may be cross, and are to be isolated."""


def _asked_margins(world: World) -> list[str]:
    return [r["coin"] for r in world.rest.asked if r["type"] == "activeAssetData"]


def _world(tmp_path: Path) -> World:
    coins = sorted(m.coin for m in load_setup().markets if ":" in m.coin)
    return World(tmp_path, markets=",".join(coins), **(ALONE | {"margin": "isolated"}))


def test_two_starts_within_a_minute_leave_what_proofs_and_exits_need(tmp_path: Path) -> None:
    world = _world(tmp_path)
    assert len(world.trading.markets.listed()) >= 15, "all markets of the exchange"
    assert world.run_until(lambda: world.ready and not world.trading.blocked, 15_000)
    world.run(11_000)  # the comparison after a start is part of it
    first = sum(map(weight_of, world.rest.asked))
    world.rest.asked.clear()
    world.restart()
    assert world.run_until(lambda: world.ready and not world.trading.blocked, 5000)
    world.run(11_000)
    again = sum(map(weight_of, world.rest.asked))
    assert first + again + 2 * PROOF <= IP_WEIGHT_PER_MINUTE, (first, again)


def test_what_rests_is_read_once_at_a_start(tmp_path: Path) -> None:
    world = _world(tmp_path)
    assert world.run_until(lambda: world.ready, 5000)
    assert [r["dex"] for r in world.rest.asked if r["type"] == "frontendOpenOrders"] == ["para", "xyz"]


def test_a_margin_that_was_set_is_not_asked_again_by_starts_in_a_row(tmp_path: Path) -> None:
    world = _world(tmp_path)
    assert world.run_until(lambda: world.ready and not world.trading.blocked, 15_000)
    assert TSLA in _asked_margins(world)
    for _ in range(2):
        world.rest.asked.clear()
        world.restart()
        assert not world.trading.blocked
        assert not _asked_margins(world)
    world.restart(lambda: world.clock.advance(KEPT_WISHED_MS))
    assert TSLA in _asked_margins(world), "a person may have set it since"


def _gold(tmp_path: Path, **settings: Any) -> World:
    built_in = load_setup()
    markets = [
        msgspec.structs.replace(m, max_leverage=20, margin_mode=None if m.coin == GOLD else m.margin_mode)
        for m in built_in.markets
    ]
    setup = msgspec.structs.replace(built_in, markets=markets)
    return World(tmp_path, setup=setup, markets=GOLD, **(ALONE | {"margin": "isolated"} | settings))


def _set_by_hand(world: World, leverage: int, *, is_cross: bool) -> None:
    world.sign({"type": "updateLeverage", "asset": 110003, "isCross": is_cross, "leverage": leverage})


def _leverage(world: World) -> Any:
    account = world.venue.engine.account(world.user)
    assert account is not None
    return world.venue.engine.leverage_of(account, world.venue.engine.markets[GOLD])


def test_what_a_person_set_between_two_starts_is_found_a_minute_after_the_start_at_the_latest(tmp_path: Path) -> None:
    world = _gold(tmp_path, leverage=5)
    assert world.run_until(lambda: world.ready and not world.trading.blocked, 15_000)
    assert _leverage(world) == (5, True)
    world.restart(lambda: _set_by_hand(world, 20, is_cross=True))
    assert world.run_until(lambda: _leverage(world) == (5, True), AGAIN_MS + 5000)
    assert world.run_until(lambda: not world.trading.blocked, 5000)


def test_a_change_leaves_what_the_account_has_and_not_what_was_kept_of_it(tmp_path: Path) -> None:
    """With HIP3_LEVERAGE=0 a market keeps its leverage when it is made isolated: the one that it has then."""
    world = _gold(tmp_path, margin="keep")
    assert world.run_until(lambda: world.ready, 5000)
    assert _leverage(world) == (20, False)
    world.settings = _gold(tmp_path / "other").settings
    world.restart(lambda: _set_by_hand(world, 3, is_cross=False))
    assert world.run_until(lambda: world.ready and not world.trading.blocked, 15_000)
    assert _leverage(world) == (3, True)


def test_a_position_that_was_cross_for_a_while_leaves_nothing_that_a_start_would_set(tmp_path: Path) -> None:
    world = _gold(tmp_path)
    assert world.run_until(lambda: world.ready and not world.trading.blocked, 15_000)
    _set_by_hand(world, 20, is_cross=True)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: GOLD in world.trading.blocked, 70_000)
    world.by_hand(GOLD, Side.SELL, D("0.01"), reduce_only=True)
    world.restart(lambda: _set_by_hand(world, 3, is_cross=False))
    assert world.run_until(lambda: world.ready and not world.trading.blocked, 15_000)
    assert _leverage(world) == (3, True)


def test_a_margin_is_as_old_as_its_own_reading_however_long_the_start_took(tmp_path: Path) -> None:
    world = _gold(tmp_path, leverage=5)
    assert world.run_until(lambda: world.ready and not world.trading.blocked, 15_000)
    running = world.running
    universe = learner(running, world.rest, world.user)()
    reading = StartReading(running, world.rest, running.who, universe, world.folder)  # type: ignore[arg-type]
    world.journal.kept.pop("checked", None)
    world.rest.failing.add("userAbstraction")
    with pytest.raises(VenueReadError):
        reading.read()
    read_ms = world.clock.wall_ms()
    world.clock.advance(KEPT_WISHED_MS)
    world.rest.failing.clear()
    assert reading.read()
    assert reading.kept_margins[GOLD].at_ms == read_ms
    world.restart()
    assert GOLD in _asked_margins(world)
