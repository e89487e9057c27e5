"""A terminal of 80 columns, and what stands on its screen."""

import io
import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

COLOUR = re.compile(r"\x1b\[(?:[0-9]+;)*(?:[349][0-8])(?:;[0-9]+)*m")
"""One that is not only bold or dim."""


class Terminal(io.StringIO):
    """What is written to a terminal, and says that it is one."""

    def isatty(self) -> bool:
        return True


def terminal(
    monkeypatch: pytest.MonkeyPatch, name: str = "stderr", *, term: str = "xterm-256color", no_color: bool = False
) -> Terminal:
    """In place of stderr, or of stdout."""
    out = Terminal()
    monkeypatch.setattr(sys, name, out)
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    else:
        monkeypatch.delenv("NO_COLOR", raising=False)
    return out


def typed(words: Sequence[str], folder: Path, env: Mapping[str, str]) -> tuple[int, str]:
    """A command on a terminal of its own, to its end: its exit code, and all that it wrote there."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    env = dict(env) | {"TERM": "xterm-256color"}
    with subprocess.Popen(words, cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs) as child:
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # which is how a terminal ends
            while data := os.read(ours, 65_536):
                shown += data
        os.close(ours)
        return child.wait(60), shown.decode(errors="replace")


def lines(shown: str) -> list[str]:
    """What stands on a screen after that: of each line what was written to it last. Without colours."""
    out = [""]
    for part in re.split(r"(\r?\n|\r|\x1b\[2?K|\x1b\[1A)", re.sub(r"\x1b\[(\?25[hl]|[0-9;]*m)", "", shown)):
        if part in ("\r\n", "\n"):
            out.append("")
        elif part == "\x1b[1A":
            out.pop()
        elif part in ("\r", "\x1b[K", "\x1b[2K"):
            out[-1] = ""
        else:
            out[-1] += part
    return [line.rstrip() for line in out if line.strip()]
