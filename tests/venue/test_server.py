"""The server's own time."""

import queue
from typing import Any

import pytest

from hip3.venue.server import _STEP_MS, ExchangeServer
from hip3.venue.setup.settings import load_setup
from hip3.venue.venue import Venue


class _Clock:
    """A machine's clock that stands until it is moved. Safe: one assignment."""

    ms = 1_790_000_000_000

    def wall_ms(self) -> int:
        return self.ms

    def mono_ms(self) -> int:
        return self.ms

    def mono_us(self) -> int:
        return self.ms * 1000


def _at(server: ExchangeServer) -> int:
    """The exchange's time by its own thread."""
    answer: queue.SimpleQueue[int] = queue.SimpleQueue()
    server.call(answer.put)
    return answer.get(timeout=60)


@pytest.mark.parametrize("speed", [1.0, 300.0])
def test_a_fast_exchange_that_falls_behind_answers_and_catches_nothing_up(speed: float) -> None:
    """A day's time of a machine that was away: at speed 1 the exchange lives through it, faster it goes on from where it was."""

    def make(now_ms: int, kept: Any = None) -> Venue:
        return Venue(load_setup(), seed=1, profile="lively", now_ms=now_ms, latency_ms=100, limited=False)

    clock = _Clock()
    server = ExchangeServer(make, clock, host="127.0.0.1", port=0, speed=speed)
    server.start()
    try:
        began = _at(server)
        clock.ms += 3000
        after = _at(server)
        if speed == 1:
            assert after == began + 3000
        else:
            assert began < after <= began + 2 * _STEP_MS * speed
            assert _at(server) == after, "nothing is caught up"
            clock.ms += 10
            assert _at(server) == after + 10 * speed
    finally:
        server.stop()
