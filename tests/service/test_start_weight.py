"""What starts ask of the exchange: as much request weight as is left when a service is started anew within a minute."""

from pathlib import Path

from hip3.exchange.rate_limit import IP_WEIGHT_PER_MINUTE
from hip3.exchange.rest import weight_of
from hip3.execution.truth.margin import AGAIN_MS, APART_MS, FRESH_MS, KEPT_WISHED_MS
from hip3.venue.setup.settings import load_setup
from tests.world import ALONE, World

PROOF = 2 * (2 + 20) + 20 + 20
"""Positions and orders of two dexs, fills, and the fills once more for the ends that no stream has told."""
TSLA = "xyz:TSLA"
"""A market that may be cross, and is to be isolated."""


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


def test_what_a_start_believed_is_asked_after_it_one_by_one_and_ever_more_slowly_where_nothing_answers(
    tmp_path: Path,
) -> None:
    world = _world(tmp_path)
    assert world.run_until(lambda: world.ready and not world.trading.blocked, 15_000)
    world.clock.advance(FRESH_MS)
    world.restart()
    world.rest.failing.add("activeAssetData")
    world.rest.asked.clear()
    world.run(AGAIN_MS - 1000, 50)
    assert not _asked_margins(world)
    coins = len(world.trading.markets.listed())
    world.run(coins * APART_MS, 50)
    assert len(_asked_margins(world)) == len(set(_asked_margins(world))) == coins, "none waits for another"
    world.run(coins * APART_MS, 50)
    assert len(_asked_margins(world)) <= coins + coins // 2 + 1, "a round that fails doubles what is between"
    world.rest.failing.clear()
    world.rest.asked.clear()
    assert world.run_until(lambda: len(_asked_margins(world)) == coins, (coins + 10) * APART_MS)
    world.run(3 * APART_MS, 50)
    assert len(_asked_margins(world)) == len(set(_asked_margins(world))) == coins
    assert not world.trading.blocked
