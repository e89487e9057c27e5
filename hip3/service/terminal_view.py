"""The compact live view of `run` on a terminal: the status and the last log lines, in place of lines that run by.

The `terminal` thread's step. It ends before anything is printed at the end, and gives the screen back as it was.
"""

import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any

from loguru import logger
from rich.live import Live

from hip3.ops.logs import TERMINAL_FORMAT
from hip3.ops.terminal import console, screen
from hip3.service.runtime import Runtime

STEP_S = 0.5
LINES = 100


class TerminalView:
    """See the module. `status`: makes a snapshot."""

    def __init__(self, status: Callable[[], dict[str, Any]], runtime: Runtime) -> None:
        self._status, self._pause = status, runtime.event()
        self._lines: deque[str] = deque(maxlen=LINES)
        self._live = Live(console=console(), screen=True, auto_refresh=False)
        logger.add(
            lambda m: self._lines.append(str(m).rstrip("\n")), format=TERMINAL_FORMAT, level="INFO", diagnose=False
        )

    def step(self) -> None:
        """Draw once, and wait."""
        if not self._live.is_started:
            self._live.start()
        self._live.update(screen(self._status(), self._lines, self._live.console.size.height), refresh=True)
        self._pause.wait(STEP_S)

    def close(self) -> None:
        """Give the screen back, and leave the last lines on it. After the thread ended."""
        self._pause.set()
        with contextlib.suppress(OSError):  # the terminal may have been closed: how the run ended counts
            self._live.stop()
            for line in list(self._lines)[-5:]:
                self._live.console.print(line, markup=False)
