"""The first start of `run.sh`: who waits for it is told what it does, how far it is, and once it is over; then never again.

Python and pip are stand-ins that install nothing and say what pip says.
"""

import re
from pathlib import Path

import pytest

from tests.ops.screen import lines, typed
from tests.stories.process import ROOT

PYTHON = """#!/bin/bash
case "$*" in
  *version_info*) exit 0 ;;
  "-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python; cp "$0" .venv/bin/pip ;;
  "-m pip"*)
    for name in one two three; do echo "Collecting $name==1 (from -r requirements.lock)"; done
    echo "Installing collected packages: one, two, three"
    [ ! -e broken ] || { echo "ERROR: three does not fit this machine"; exit 1; } ;;
  "hip3.py "*) shift; echo "it runs: $*" ;;
esac
"""
LOCK = "one==1\ntwo==1\nthree==1\n"


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """A fresh checkout on a machine that has Python."""
    found = tmp_path / "box"
    (found / "bin").mkdir(parents=True)
    (found / "run.sh").write_bytes((ROOT / "run.sh").read_bytes())
    for name in ("requirements.txt", "requirements.lock"):
        (found / name).write_text(LOCK)
    for name in ("python3.13", "python3.12", "python3.11", "python3"):
        (found / "bin" / name).write_text(PYTHON)
        (found / "bin" / name).chmod(0o755)
    return found


def _start(box: Path) -> tuple[int, str]:
    return typed(["bash", "run.sh", "status"], box, {"PATH": f"{box / 'bin'}:/usr/bin:/bin"})


def test_it_tells_what_it_does_how_far_it_is_and_that_it_is_over(box: Path) -> None:
    code, shown = _start(box)
    assert code == 0, shown
    counted = re.findall(r"(\d) of 3 packages", shown)
    assert counted == ["1", "2", "3"]
    first, over, after = lines(shown)
    assert ".venv" in first
    assert re.search(r"about \d+ MB, a minute or two", first), "what it costs, before it begins"
    assert shown.index(first) < shown.index("1 of 3 packages")
    assert re.fullmatch(r"run.sh: done in \d+ s", over), "the line that was written over is gone"
    assert after == "it runs: status"


def test_a_second_start_has_nothing_to_tell(box: Path) -> None:
    _start(box)
    assert _start(box) == (0, "it runs: status\r\n")


def test_what_cannot_be_installed_is_told_in_pip_s_words(box: Path) -> None:
    (box / "broken").touch()
    code, shown = _start(box)
    assert code == 1
    assert "three does not fit this machine" in shown
    assert "requirements.lock" in lines(shown)[-1]
    (box / "broken").unlink()
    assert _start(box)[0] == 0, "it is not taken for installed"
