"""How far it is: one line that is written over on a terminal, a line a minute elsewhere; what is for a file stays its own."""

import io
import sys

import pytest

from hip3.ops.progress import TERMINAL_MS, progress, steps
from tests.fakes import FakeClock
from tests.ops.screen import COLOUR, lines, terminal


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_on_a_terminal_one_line_is_written_over_and_leaves_nothing(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = terminal(monkeypatch)
    with progress("replay", 1000, clock) as line:
        for done in (100, 250, 500):
            clock.advance(TERMINAL_MS)
            line.at(done, lambda done=done: f"{done} trips of a name that is too long for a screen of 80 columns")
        (shown,) = lines(screen.getvalue())
        assert len(shown) <= 80
        assert shown.startswith("replay ")
        assert "50%, 0:00:01 left, 500 trips" in shown
        assert COLOUR.search(screen.getvalue())
    assert lines(screen.getvalue()) == []


def test_no_color_leaves_the_line_without_its_colours(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(monkeypatch, no_color=True)
    with progress("replay", 1000, clock) as line:
        clock.advance(TERMINAL_MS)
        line.at(500, lambda: "3 trips")
        assert "3 trips" in lines(screen.getvalue())[0]
    assert not COLOUR.search(screen.getvalue())


def test_figures_are_asked_for_only_where_they_are_said(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal(monkeypatch)
    asked = list[int]()

    def figures() -> str:
        asked.append(1)
        return "3 trips"

    with progress("replay", None, clock) as line:
        for _ in range(100):
            clock.advance(TERMINAL_MS // 50)
            line.at(0, figures)
    assert len(asked) == 2


def test_other_lines_go_above_it(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(monkeypatch)
    with steps("seeds", 3, clock) as told:
        told(1, "one failed")
        print("a warning", file=sys.stderr)
        first, second = lines(screen.getvalue())
    assert first == "a warning"
    assert second.startswith("seeds ")
    assert second.endswith("1 of 3, 0:00:00 left, one failed")
    assert lines(screen.getvalue()) == ["a warning"]


def test_what_is_written_to_a_file_is_in_the_file(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """`simulate > log` at a terminal: the bar is for the person, the log for the file."""
    screen, file = terminal(monkeypatch), io.StringIO()
    monkeypatch.setattr(sys, "stdout", file)
    with steps("seeds", 2, clock) as told:
        print("seed 0      ok")
        told(1, "")
    assert file.getvalue() == "seed 0      ok\n"
    assert "seed 0" not in screen.getvalue()


@pytest.mark.parametrize("dumb", [False, True])
def test_where_no_line_can_be_written_over_there_is_one_a_minute(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, *, dumb: bool
) -> None:
    out = terminal(monkeypatch, term="dumb") if dumb else io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    with progress("record", 600_000, clock) as line:
        for second in range(1, 151):
            clock.advance(1000)
            line.at(second * 1000, lambda: "12 lines")
    with steps("seeds", 3, clock) as told:
        told(1, "its line is on stdout")
    assert out.getvalue().splitlines() == [
        "record: 10%, 0:09:00 left, 12 lines",
        "record: 20%, 0:08:00 left, 12 lines",
    ]
