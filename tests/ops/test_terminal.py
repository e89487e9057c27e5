"""What a person at a terminal sees: the live view of `run`, `status --watch`, colours and their absence."""

import errno
import os
import pty
import re
import select
import subprocess
import time
from collections import deque
from pathlib import Path

import pytest

from hip3.ops.status_text import status_text
from hip3.ops.terminal import screen, styled
from hip3.service.runtime import Runtime
from hip3.service.terminal_view import TerminalView
from tests.ops.screen import lines
from tests.service.apps import status_of
from tests.stories.process import Service, command, local_exchange
from tests.world import World

COLOUR = re.compile(r"\x1b\[[0-9;]*[1-9][0-9;]*m")


def _typed(args: list[str], env: dict[str, str], until: str, limit_s: float = 90, times: int = 1) -> str:
    """What a command shows on a terminal of 100 columns until `until` is there, so often, then to its end after Ctrl-C."""
    ours, theirs = pty.openpty()
    env = env | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
    child = subprocess.Popen(
        command(*args), stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True
    )
    os.close(theirs)
    shown, told, end = "", False, time.monotonic() + limit_s
    while time.monotonic() < end:
        if select.select([ours], [], [], 0.5)[0]:
            try:
                shown += os.read(ours, 65_536).decode(errors="replace")
            except OSError:
                break
        if shown.count(until) >= times and not told:
            told = True
            child.send_signal(2)
    child.kill()
    child.wait(10)
    os.close(ours)
    assert told, shown[-2000:]
    return shown


def test_the_text_is_the_status_whatever_its_colours(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.connect()
    status = status_of(world)
    assert styled(status).plain == status_text(status)
    shown = screen(status, deque(f"line {n}" for n in range(100)), 40)
    assert shown.renderables[-1].plain == "line 99"  # type: ignore[union-attr]
    assert len(screen(status, deque(), 5).renderables) == 3, "a small terminal has no room for lines"


def test_a_run_shows_its_status_and_gives_the_screen_back(tmp_path: Path) -> None:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("HIP3_") and k != "NO_COLOR"}
    env = clean | {"HIP3_STATE_DIR": str(tmp_path / "s"), "HIP3_LOG_DIR": str(tmp_path / "l"), "HIP3_HTTP_PORT": "0"}
    shown = _typed(["run"], env | {"NO_COLOR": "1"}, "trips won")
    assert "\x1b[?1049h" in shown
    assert "\x1b[?1049l" in shown, "the screen is given back"
    assert "today" in shown
    assert "stopped:" in shown.rpartition("\x1b[?1049l")[2]
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", shown), "no colour by NO_COLOR"


def test_a_recording_says_how_far_it_is_in_one_line_that_is_written_over(tmp_path: Path) -> None:
    with local_exchange() as at:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("HIP3_")}
        env = clean | {"HIP3_API_URL": at.url, "HIP3_STATE_DIR": str(tmp_path / "s")}
        shown = _typed(["record", "--out", str(tmp_path / "rec"), "--markets", "xyz:GOLD"], env, " lost", times=3)
    left = lines(shown)
    assert not [line for line in left if line.startswith("record ")]
    assert left[-5].split() == ["lines", *re.findall(r"\d+$", left[-5])], "the table"


@pytest.mark.long
def test_watch_follows_a_service_in_colours_until_ctrl_c(tmp_path: Path) -> None:
    service = Service(tmp_path)
    try:
        service.wait_for(lambda s: s["state"] == "READY", 30, "READY")
        env = {k: v for k, v in service.env.items() if k != "NO_COLOR"}
        shown = _typed(["status", "--watch"], env, "embedded trade")
        assert COLOUR.search(shown)
        service.terminate()
    finally:
        service.close()


def test_a_terminal_that_was_closed_takes_no_ending_from_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service had stopped clean, and its code said that a file or folder cannot be written."""
    view = TerminalView(dict, Runtime())

    def gone() -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(view._live, "stop", gone)
    view.close()
