"""Whenever the latch trips, no entry leaves any more: queued, taken from the queue, looked at again, or signed."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hip3.execution.sending import loop as loop_module
from tests.world import World

STEP_MS = 50


class Fuse:
    """Counts every step on the way of an order, and trips the latch at one of them."""

    def __init__(self, world: World, at: int) -> None:
        self._world, self._left = world, at
        self.entries_when_tripped: int | None = None

    def __call__(self, of: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **kw: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                self.entries_when_tripped = len(self._world.sender.sent_entries())
                self._world.trip("manual", "the fuse", None)
            return of(*args, **kw)

        return stepped


def _wired(world: World, fuse: Fuse, patch: pytest.MonkeyPatch) -> None:
    trading = world.trading
    for of, name in (
        (trading.executor, "_decide"), (trading.executor, "_admit"), (trading.tracker, "admit"),
        (trading.scheduler, "enqueue_new"), (trading.scheduler, "take"), (trading.loop, "_recheck"),
        (trading.tracker, "queued"), (trading.loop, "_action"),
    ):  # fmt: skip
        patch.setattr(of, name, fuse(getattr(of, name)))
    patch.setattr(loop_module, "sign_l1_action", fuse(loop_module.sign_l1_action))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(1, 6), at=st.integers(1, 400), cut=st.booleans())
def test_no_entry_leaves_once_the_latch_is_tripped(seed: int, at: int, cut: bool) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        world = World(Path(folder), seed=seed, hard_stop_flatten=True)
        assert world.run_until(lambda: world.ready, 5000)
        fuse = Fuse(world, at)
        _wired(world, fuse, patch)
        for number in range(200):
            world.run(STEP_MS, STEP_MS)
            if fuse.entries_when_tripped is not None:
                break
            if cut and number == 60:
                world.cut()
                world.connect()
        world.trip("manual", "the fuse", None)
        before = fuse.entries_when_tripped
        if before is None:
            before = len(world.sender.sent_entries())
        assert world.run_until(lambda: world.trading.risk.sequence.verified, 20_000, STEP_MS)  # type: ignore[union-attr]
        assert len(world.sender.sent_entries()) == before
        assert world.exchange_positions() == {}
