"""A restart that believes how markets were margined changes nothing that a person has set meanwhile, and finds it."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hip3.core.orders import Side
from hip3.errors import VenueReadError
from hip3.execution.truth.margin import AGAIN_MS, HELD, KEPT_WISHED_MS, WAITING
from hip3.service.assembly import StartReading, assemble, learner
from tests.builders import D
from tests.margined import GOLD, hold, leverage_of, margined, set_by_hand
from tests.world import World

SILVER = "xyz:SILVER"


def _gold(tmp_path: Path, markets: str = GOLD, **settings: Any) -> World:
    return margined(tmp_path, markets, (GOLD,), **settings)


def test_what_a_person_set_between_two_starts_is_found_a_minute_after_the_start_at_the_latest(tmp_path: Path) -> None:
    world = _gold(tmp_path, leverage=5)
    assert world.run_until(lambda: world.ready and not world.trading.blocked, 15_000)
    assert leverage_of(world) == (5, True)
    world.clock.advance(30_000)
    world.restart(lambda: set_by_hand(world, 20, is_cross=True))
    assert world.run_until(lambda: leverage_of(world) == (5, True), AGAIN_MS + 5000)
    assert world.run_until(lambda: not world.trading.blocked, 5000)


def test_a_change_leaves_what_the_account_has_and_not_what_was_kept_of_it(tmp_path: Path) -> None:
    """With HIP3_LEVERAGE=0 a market keeps its leverage when it is made isolated: the one that it has then."""
    world = _gold(tmp_path, margin="keep")
    assert world.run_until(lambda: world.ready, 5000)
    assert leverage_of(world) == (20, False)
    world.settings = _gold(tmp_path / "other").settings
    world.restart(lambda: set_by_hand(world, 3, is_cross=False))
    assert world.run_until(lambda: world.ready and not world.trading.blocked, 15_000)
    assert leverage_of(world) == (3, True)


def test_a_position_that_was_cross_for_a_while_leaves_nothing_that_a_start_would_set(tmp_path: Path) -> None:
    world = _gold(tmp_path)
    assert world.run_until(lambda: world.ready and not world.trading.blocked, 15_000)
    set_by_hand(world, 20, is_cross=True)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: GOLD in world.trading.blocked, 70_000)
    world.by_hand(GOLD, Side.SELL, D("0.01"), reduce_only=True)
    world.restart(lambda: set_by_hand(world, 3, is_cross=False))
    assert world.run_until(lambda: world.ready and not world.trading.blocked, 15_000)
    assert leverage_of(world) == (3, True)


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
    assert reading.margins[GOLD].at_ms == read_ms


def _begun(world: World) -> StartReading:
    """A process that begins while the last part of what it reads does not answer."""
    world.cut()
    running = world.running
    running.trading = None
    world.journal.kept.pop("checked")
    universe = learner(running, world.rest, world.user)()
    world.rest.failing.add("userAbstraction")
    return StartReading(running, world.rest, running.who, universe, world.folder)  # type: ignore[arg-type]


def _outage(world: World, reading: StartReading, ms: int) -> None:
    """The start tries for so long, and then everything answers."""
    for _ in range(ms // 30_000):
        with pytest.raises(VenueReadError):
            reading.read()
        world.clock.advance(30_000)
        world.venue.advance(world.exchange_ms())
    world.rest.failing.clear()
    assert reading.read()
    world.running.trading = assemble(world.running, reading)
    world.connect()


def test_after_a_long_start_a_change_is_made_of_what_holds_then(tmp_path: Path) -> None:
    world = _gold(tmp_path, margin="keep")
    assert world.run_until(lambda: world.ready, 5000)
    world.settings = _gold(tmp_path / "other").settings
    world.running.settings = world.settings
    reading = _begun(world)
    with pytest.raises(VenueReadError):
        reading.read()
    set_by_hand(world, 3, is_cross=True)
    _outage(world, reading, 600_000)
    assert world.run_until(lambda: world.ready and not world.trading.blocked, 15_000)
    assert leverage_of(world) == (3, True)


def test_after_a_long_start_what_was_as_wished_is_asked_after(tmp_path: Path) -> None:
    world = _gold(tmp_path, leverage=5)
    assert world.run_until(lambda: world.ready and not world.trading.blocked, 15_000)
    reading = _begun(world)
    with pytest.raises(VenueReadError):
        reading.read()
    set_by_hand(world, 20, is_cross=True)
    _outage(world, reading, 600_000)
    assert world.run_until(lambda: leverage_of(world) == (5, True), AGAIN_MS + 15_000)


def test_a_wish_that_waited_for_a_position_is_made_of_what_holds_at_its_end(tmp_path: Path) -> None:
    world = _gold(tmp_path, margin="keep")
    hold(world)
    world.settings = _gold(tmp_path / "other").settings
    world.restart()
    assert world.run_until(lambda: world.trading.blocked.get(GOLD) == HELD, 5000)
    set_by_hand(world, 3, is_cross=True)
    world.run(65_000, 50)
    world.run(20_000, 50)  # what the comparison has shown is old, too
    set_by_hand(world, 4, is_cross=True)
    world.by_hand(GOLD, Side.SELL, D("0.01"), reduce_only=True)
    assert world.run_until(lambda: not world.trading.blocked, 10_000)
    assert leverage_of(world) == (4, True)


def test_the_rest_of_a_start_takes_back_nothing_that_was_learnt_since(tmp_path: Path) -> None:
    world = _gold(tmp_path, f"{GOLD},{SILVER}", margin="keep")
    assert world.run_until(lambda: world.ready, 15_000)
    hold(world, SILVER, "1")
    world.settings = _gold(tmp_path / "other", f"{GOLD},{SILVER}").settings
    world.rest.failing.add("userAbstraction")
    world.restart()
    assert world.run_until(lambda: GOLD not in world.trading.blocked, 30_000)
    set_by_hand(world, 3, is_cross=False)
    hold(world)
    world.run(65_000, 50)
    signed = len(world.rest.signed)
    world.rest.failing.clear()
    assert world.run_until(lambda: world.ready, 15_000)
    world.run(70_000, 50)
    assert not [b for b in world.rest.signed[signed:] if b["action"]["type"] == "updateLeverage"]
    assert leverage_of(world) == (3, True)


def test_asking_after_it_leaves_the_leverage_of_an_open_position_to_who_set_it(tmp_path: Path) -> None:
    world = _gold(tmp_path, leverage=5)
    assert world.run_until(lambda: world.ready and not world.trading.blocked, 15_000)
    hold(world)
    world.clock.advance(30_000)
    world.restart()
    world.run(20_000, 50)
    set_by_hand(world, 8, is_cross=False)
    world.run(2 * AGAIN_MS, 50)
    assert leverage_of(world) == (8, True)
    assert not world.trading.blocked


def test_a_market_that_the_second_try_does_not_know_ends_no_start(tmp_path: Path) -> None:
    """Its margin was read by the first one; then `meta` failed, and the markets were those that an earlier run knew."""
    world = _gold(tmp_path, SILVER)
    assert world.run_until(lambda: world.ready, 15_000)
    hold(world, SILVER, "1")
    world.run(3000)
    world.settings = _gold(tmp_path / "other", f"{SILVER},{GOLD}").settings
    held = world.journal.kept["held"]
    world.journal.kept["held"] = [*held, msgspec.structs.replace(held[0], coin="gone:ABC")]  # learns the markets anew
    answers = world.rest.info

    def info(request: dict[str, Any]) -> bytes:
        if request["type"] == "userAbstraction":
            world.rest.failing |= {"userAbstraction", "meta"}
        return answers(request)

    world.rest.info = info  # type: ignore[method-assign]
    world.restart()
    assert SILVER in world.trading.tracker.booked()


def test_a_leverage_that_was_set_on_an_open_position_before_a_start_is_set_back_once_that_is_closed(
    tmp_path: Path,
) -> None:
    world = _gold(tmp_path, leverage=5)
    assert world.run_until(lambda: world.ready and not world.trading.blocked, 15_000)
    hold(world)
    world.clock.advance(30_000)
    world.restart(lambda: set_by_hand(world, 8, is_cross=False))
    world.run(2 * AGAIN_MS, 50)
    assert leverage_of(world) == (8, True), "whose position it is, is not ours to say"
    world.by_hand(GOLD, Side.SELL, D("0.01"), reduce_only=True)
    assert world.run_until(lambda: leverage_of(world) == (5, True), 15_000)


def test_a_clock_that_is_set_back_makes_no_start_ask_twice(tmp_path: Path) -> None:
    world = _gold(tmp_path, leverage=5)
    assert world.run_until(lambda: world.ready and not world.trading.blocked, 15_000)
    reading = _begun(world)
    world.rest.asked.clear()
    for _ in range(3):
        with pytest.raises(VenueReadError):
            reading.read()
        world.clock.step_wall(-3_600_000)
    assert [r["coin"] for r in world.rest.asked if r["type"] == "activeAssetData"] == [GOLD]


def test_a_look_that_a_person_asks_for_while_a_margin_is_set_keeps_the_market_closed_until_it_was(
    tmp_path: Path,
) -> None:
    world = _gold(tmp_path)
    setter = world.trading.housekeeping.margin
    assert setter is not None
    send = setter._send
    seen: list[str | None] = []

    def meanwhile(coin: str, wish: Any) -> Any:
        setter.look_again(coin)
        setter._send = send  # type: ignore[method-assign]
        answer = send(coin, wish)
        world.clock.advance(1)
        return answer

    setter._send = meanwhile  # type: ignore[method-assign]
    done = setter._done
    setter._done = lambda coin: (done(coin), seen.append(world.trading.blocked.get(coin)))[0]  # type: ignore[method-assign,func-returns-value]
    assert world.run_until(lambda: world.ready and not world.trading.blocked, 15_000)
    assert seen == [WAITING]


def test_a_start_in_part_does_not_forget_what_was_kept(tmp_path: Path) -> None:
    world = _gold(tmp_path, f"{GOLD},{SILVER}", leverage=5)
    assert world.run_until(lambda: world.ready and not world.trading.blocked, 15_000)
    hold(world, SILVER, "1")
    kept = world.journal.kept["margins"]
    assert {GOLD, SILVER} <= kept.keys()
    world.clock.advance(KEPT_WISHED_MS)
    world.rest.failing.add("activeAssetData")
    world.restart()
    assert SILVER in world.trading.tracker.booked()
    assert world.journal.kept["margins"] == kept
