"""What recording costs, from processor times made by hand."""

from collections.abc import Callable

import pytest

from hip3.bench import recording
from hip3.bench.recording import Costs

RECORDER, READER = 1, 2


class Machine:
    """Two threads whose processor time goes by as the test says; seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        self.spent = {RECORDER: 5.0, READER: 7.0}
        monkeypatch.setattr(recording, "now_ns", lambda: int(self.now_s * 1e9))
        monkeypatch.setattr(recording, "threads_s", lambda pid: dict(self.spent))

    def passes(self, seconds: float, *, recorder: float, reader: float) -> Callable[[], str]:
        """Time in which the two take these shares of a core."""

        def go() -> str:
            self.now_s += seconds
            self.spent[RECORDER] += recorder * seconds
            self.spent[READER] += reader * seconds
            return "passed"

        return go


def test_what_others_take_more_and_all_of_the_recorders_thread_but_its_idling_is_the_cost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(monkeypatch)
    costs = Costs(RECORDER)
    for _ in range(3):
        assert costs.window("off", machine.passes(2, recorder=0.001, reader=0.10)) == "passed"
        machine.passes(1, recorder=0.001, reader=0.5)()  # shots: of others they are nobody's cost
        costs.window("on", machine.passes(2, recorder=0.007, reader=0.102))
        machine.passes(1, recorder=0.007, reader=0.5)()
        costs.was_on(3)
    assert costs.percent(0.001) == pytest.approx(0.7 + 0.2)
    assert costs.passed == {"on": pytest.approx(6), "off": pytest.approx(6)}


def test_work_that_is_done_after_the_frames_have_ended_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    costs = Costs(RECORDER)
    costs.window("on", machine.passes(4, recorder=0.0, reader=0.1))
    costs.was_on(4)
    costs.window("off", machine.passes(4, recorder=0.010, reader=0.1))
    assert costs.percent(0.0) == pytest.approx(1.0)
