"""`status --watch`: the status of the running service, again each second, until Ctrl-C."""

import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from hip3.ops.control import ask
from hip3.ops.state_dir import socket_path
from hip3.ops.status_text import status_text
from hip3.ops.terminal import result_line, styled

EVERY_S = 1.0


def watch(root: Path) -> bool:
    """Show it until the service has gone; False if there was none. Without a terminal: the text, again and again."""
    screen = Console(highlight=False)
    path = socket_path(root)
    status = ask(path, {"command": "status"})
    if status is None:
        return False
    if not screen.is_terminal:
        _lines(path, status)
        return True
    with Live(console=screen, screen=True, auto_refresh=False) as live:
        while status is not None:
            live.update(styled(status).append_text(result_line(status)), refresh=True)
            time.sleep(EVERY_S)
            status = ask(path, {"command": "status"})
    screen.print("the service has ended")
    return True


def _lines(path: Path, status: dict[str, Any] | None) -> None:
    while status is not None:
        print(status_text(status), flush=True)  # noqa: T201
        time.sleep(EVERY_S)
        status = ask(path, {"command": "status"})
