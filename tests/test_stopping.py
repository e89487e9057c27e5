"""The stop as a script, beside the stories that stop real processes (`tests/stories/test_stop.py`)."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hip3 import stopping
from hip3.core.orders import ExitReason, Side
from hip3.execution.account import prove
from hip3.stopping import Outcome, StopMode, Stopper
from tests.builders import D
from tests.world import World, quiet_world

GOLD = "xyz:GOLD"


def _stop(world: World, mode: StopMode, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Stop, while the world goes on in the pauses."""
    pause = SimpleNamespace(wait=lambda seconds: world.run(int(seconds * 1000)))
    monkeypatch.setattr(stopping, "threading", SimpleNamespace(Event=lambda: pause))
    app: Any = SimpleNamespace(
        clock=world.clock, readiness=world.readiness,
        prove=lambda seconds: prove(world.rest, world.user, world.trading.housekeeping.dexs),
    )  # fmt: skip
    return Stopper(app, world.trading, mode, 20_000).run()


def test_a_cancelling_stop_waits_for_an_exit_whose_fate_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = quiet_world(tmp_path)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: bool(world.trading.tracker.positions()), 5000)
    world.sender.hold()
    world.trading.flow.exiting.request(ExitReason.MANUAL)
    assert world.run_until(lambda: bool(world.trading.tracker.live()), 1000)
    world.sender.drop_held()  # it is lost, and nobody knows yet
    outcome = _stop(world, StopMode.CANCEL, monkeypatch)
    assert (outcome.clean, outcome.unknown) == (True, 0)
    assert [(t.state, t.order.reduce_only, t.order.protective) for t in world.trading.tracker.live()] == []
