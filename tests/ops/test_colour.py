"""Colours: a hard stop, losses and faults in red on a terminal; none by NO_COLOR, on a dumb terminal, or anywhere else."""

import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from loguru import logger

from hip3.commands.check import Finding, shown
from hip3.core.ledger import RoundTrip
from hip3.ops import lines, logs
from hip3.ops.colour import RED, painted, shown_table
from hip3.ops.terminal import result_line, show
from hip3.ops.terminal import screen as whole_screen
from tests.builders import D
from tests.ops.screen import COLOUR, terminal, typed
from tests.service.apps import status_of
from tests.stories.process import command
from tests.world import World

TABLE = (
    "round trips    2\nrealized pnl   {0}0.5 USD\nnet result     {0}0.52 USD\nhard stop      {1}\nproof          flat"
)
RED_CODE = re.compile(r"\x1b\[(?:[0-9;]*;)?31m(?:\x1b\[1m)?([^\x1b]*)")
Shown = Callable[[IO[str]], None]


@pytest.fixture
def status(tmp_path: Path) -> dict[str, Any]:
    """Stopped hard, with a position that loses."""
    world = World(tmp_path)
    world.connect()
    found = status_of(world)
    position = {
        "market": "xyz:GOLD", "size": "0.01", "entry_px": "4000", "mark_px": "3900", "unrealized_pnl_usd": "-1.00",
        "age_ms": 1000, "exit": None, "foreign": False,
    }  # fmt: skip
    lost = {"net_usd": "-21.5", "wins": 0, "round_trips": 6}
    tripped = {"tripped": True, "reason": "max_loss: -21 USD", "at_ms": 1}
    return found | {
        "state": "HARD_STOP", "reasons": ["max_loss: -21 USD"], "hard_stop": tripped, "positions": [position],
        "result": found["result"] | {"today": lost, "total": lost},
    }  # fmt: skip


@pytest.fixture
def log() -> Iterator[None]:
    yield
    logs.setup(None, [], lines=False)


def _red(text: str) -> str:
    """All that is red in it."""
    return "\n".join(RED_CODE.findall(text))


def test_a_hard_stop_and_a_position_that_loses_stand_out(
    status: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = terminal(monkeypatch, "stdout")
    show(status)
    said = out.getvalue()
    assert re.search(r"\x1b\[[0-9;]*41m *HARD_STOP", said), "white on red"
    assert "xyz:GOLD" in _red(said)
    assert "-1.00" in _red(said)


def test_what_was_lost_is_red_in_the_live_view_and_what_was_gained_is_not(status: dict[str, Any]) -> None:
    spans = [(str(span.style), result_line(status).plain[span.start : span.end]) for span in result_line(status).spans]
    assert spans == [("red", "-21.5 USD"), ("red", "-21.5 USD")]
    gained = status | {"result": {"today": {"net_usd": "2", "wins": 1, "round_trips": 1}, "total": None}}
    assert [str(span.style) for span in result_line(gained).spans] == ["green"]
    told = ["round trip xyz:GOLD held 2 s, 1 -> 2: -1 - fees 0.1 = -1.1 USD", "round trip xyz:GOLD: 1 - fees 0 = 1 USD"]
    styles = [str(line.style) for line in whole_screen(status, told, 60).renderables[-2:]]  # type: ignore
    assert ["red" in style for style in styles] == [True, False]


def _trip(net: str) -> RoundTrip:
    return RoundTrip(
        coin="xyz:GOLD", opened_ms=0, closed_ms=1000, realized=D(net), fees=D(0), entry_px=D(1), exit_px=D(1)
    )


@pytest.mark.usefixtures("log")
def test_log_lines_of_losses_and_errors_are_red_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    out = terminal(monkeypatch)
    logs.setup(None, [])
    lines.tell("round_trip", {"trip": _trip("-3.5")})
    assert "-3.5 USD" in _red(out.getvalue())
    lines.tell("round_trip", {"trip": _trip("7.5")})
    assert "7.5 USD" not in _red(out.getvalue())
    logger.error("the journal is full")
    assert "the journal is full" in _red(out.getvalue())


def test_the_closing_table_and_the_check_show_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    out = terminal(monkeypatch, "stdout")
    lost = shown_table(TABLE.format("-", "max_loss: -21 USD"), out)
    assert _red(lost).splitlines() == [
        "realized pnl   -0.5 USD", "net result     -0.52 USD", "hard stop      max_loss: -21 USD",
    ]  # fmt: skip
    assert _red(shown_table(TABLE.format("", "not tripped"), out)) == ""
    assert _red(shown_table(TABLE.format("", "not tripped").replace("0.52", "0"), out)) == ""
    long = shown_table(f"fills   1\nproof   {'word ' * 40}".strip(), out).splitlines()
    assert [line[:8] for line in long] == ["fills   ", "proof   ", *[" " * 8] * (len(long) - 2)]
    assert all(len(line) <= 80 for line in long)
    findings = [Finding("key", True, "signs"), Finding("agent", False, "word " * 40)]
    red = _red(shown(findings, out)).splitlines()
    assert red[0].startswith("FAIL  agent")
    assert len(red) > 2
    assert all(len(line) <= 80 for line in red)
    assert all(line.startswith(" " * 17 + "word") for line in red[1:])


EVERY: dict[str, Shown] = {
    "a fault": lambda out: print(painted("hip3: nobody is there", RED, out), file=out),
    "a table": lambda out: print(shown_table(TABLE.format("-", "max_loss"), out), file=out),
    "a check": lambda out: print(shown([Finding("key", False, "is none")], out), file=out),
    "an error's line": lambda out: (logs.setup(None, []), logger.error("the journal is full")),  # type: ignore
    "a loss's line": lambda out: (logs.setup(None, []), lines.tell("round_trip", {"trip": _trip("-3.5")})),  # type: ignore
}


@pytest.mark.parametrize("what", EVERY)
@pytest.mark.usefixtures("log")
def test_there_are_no_colours_where_nobody_wants_them(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_colours = terminal(monkeypatch)
    EVERY[what](with_colours)
    assert COLOUR.search(with_colours.getvalue())
    for no_color, term in ((True, "xterm"), (False, "dumb")):
        out = terminal(monkeypatch, no_color=no_color, term=term)
        EVERY[what](out)
        assert out.getvalue()
        assert "\x1b[3" not in out.getvalue()
    terminal(monkeypatch)
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    EVERY[what](file)
    assert file.getvalue()
    assert "\x1b" not in file.getvalue()


def test_a_status_in_no_color_has_none(status: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    out = terminal(monkeypatch, "stdout", no_color=True)
    show(status)
    assert out.getvalue().startswith("\x1b[1mHARD_STOP") or out.getvalue().startswith("HARD_STOP")
    assert not COLOUR.search(out.getvalue())


def test_a_fault_of_a_command_is_red_for_a_person_alone(tmp_path: Path) -> None:
    """As typed: on a real terminal, with NO_COLOR there, and with its words read by a program."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("HIP3_") and k != "NO_COLOR"}
    for words in (["status"], ["statuss"]):
        code, said = typed(command(*words), tmp_path, env)
        assert code in (2, 3)
        assert "hip3: " in _red(said)
        _, said = typed(command(*words), tmp_path, env | {"NO_COLOR": "1"})
        assert "hip3: " in said
        assert "\x1b" not in said
