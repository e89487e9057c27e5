"""Hostile frames and answers: whatever the exchange says, no thread ends, memory stays flat, and the service recovers."""

import gc
import random
from pathlib import Path
from typing import Any

import pytest

from tests.hostile import hostile
from tests.world import World

COINS = "xyz:GOLD,xyz:NVDA,xyz:TSLA"
LIVELY: dict[str, Any] = {
    "markets": COINS, "min_edge_bps": 0, "taker_fee_bps": 0, "slippage_bps": 0, "min_oracle_moves": 1,
    "min_oracle_change_bps": 0, "time_stop_ms": 1500, "hard_stop_max_loss_usd": 10**6,
    "hard_stop_max_consecutive_losses": 10**5, "hard_stop_max_rejects_per_hour": 10**5,
    "hard_stop_max_slippage_bps": 10**6, "hard_stop_max_flatten_failures": 10**5, "protective_stop_bps": 300,
}  # fmt: skip
KEPT = 40
"""Examples of each kind of message."""


class _Corpus:
    """Real messages by kind, as they pass."""

    def __init__(self) -> None:
        self.frames: dict[str, list[str]] = {}

    def pass_on(self, text: str) -> list[str]:
        kept = self.frames.setdefault(text[:30], [])
        kept.append(text)
        del kept[:-KEPT]
        return [text]

    def pick(self, rng: random.Random) -> str:
        return rng.choice(self.frames[rng.choice(list(self.frames))])


def _world(tmp_path: Path) -> tuple[World, _Corpus]:
    world, corpus = World(tmp_path, seed=1, **LIVELY), _Corpus()
    world.filter_frame = corpus.pass_on
    assert world.run_until(lambda: world.ready, 5000)
    world.run(20_000)
    assert len(corpus.frames) >= 6  # bbo, contexts, replies, updates, fills
    return world, corpus


def _heals(world: World) -> None:
    """Honest again: everything is read, and every position can be left."""
    world.filter_frame = lambda text: [text]
    world.cut()
    world.run(500)
    world.connect()
    # A frame may have named an order of another instance: that holds entries for ten minutes.
    assert world.run_until(lambda: world.ready, 800_000, 100), world.readiness.reasons(world.clock.mono_ms())
    assert world.flatten(200_000)  # a position that an answer made up is given up after three readings over a minute
    assert not world.exchange_positions()


def _frames(tmp_path: Path, count: int, seed: int) -> None:
    world, corpus = _world(tmp_path)
    rng, objects = random.Random(seed), 0
    for number in range(count):
        world.inject(hostile(rng, corpus.pick(rng)))
        if number % 100 == 0:
            world.run(100, 50)
        if number == count // 5:
            gc.collect()
            objects = len(gc.get_objects())
    gc.collect()
    assert len(gc.get_objects()) < 1.5 * objects + 20_000
    assert not world.journal.of("event_failed")
    _heals(world)


def _answers(tmp_path: Path, count: int, seed: int) -> None:
    world, _ = _world(tmp_path)
    rng, info, exchange, said = random.Random(seed), world.rest.info, world.rest.exchange, 0

    def hostile_info(request: dict[str, Any]) -> bytes:
        nonlocal said
        said += 1
        text = info(request).decode()
        return hostile(rng, text).encode() if rng.random() < 0.7 else text.encode()

    world.rest.info = hostile_info  # type: ignore[method-assign]
    while said < count:
        if rng.random() < 0.02:
            world.cut()
            world.connect()
        world.trading.view.doubt()
        world.run(500, 100)
    assert not world.journal.of("duty_failed")
    world.rest.info, world.rest.exchange = info, exchange  # type: ignore[method-assign]
    _heals(world)


def test_some_hostile_frames(tmp_path: Path) -> None:
    _frames(tmp_path, 4500, 1)


def test_some_hostile_answers(tmp_path: Path) -> None:
    _answers(tmp_path, 500, 1)


@pytest.mark.long
@pytest.mark.parametrize("part", range(10))
def test_a_million_hostile_frames_and_answers(tmp_path: Path, part: int) -> None:
    _frames(tmp_path / "frames", 90_000, 100 + part)
    _answers(tmp_path / "answers", 10_000, 200 + part)
