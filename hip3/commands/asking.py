"""Asking the running service, also one that has only just begun to start."""

import os
import threading
from pathlib import Path

from dotenv import dotenv_values

from hip3.config.settings import Settings
from hip3.errors import AlreadyRunning
from hip3.ops.control import TIMEOUT_S, Answer, ask
from hip3.ops.state_dir import StateLock, socket_path

ENV_FILE = Path(".env")
TRIES, PAUSE_S = 60, 0.25
"""A start may take seconds before it listens: a keystore alone takes three."""


def meant(settings: Settings) -> str | None:
    """The network whose service a command is for: where the settings name one. None: whatever runs in the folder."""
    named = "HIP3_NETWORK" in os.environ or "HIP3_NETWORK" in dotenv_values(ENV_FILE)
    return settings.place if named or settings.paper else None


def ask_or_wait(root: Path, request: dict[str, object], timeout_s: float = TIMEOUT_S) -> Answer | None:
    """The service's answer; None if none runs. One whose lock is held but which does not listen yet is waited for.

    TimeoutError if it does not come to listen, or is silent.
    """
    pause = threading.Event()
    for _ in range(TRIES):
        answer = ask(socket_path(root), request, timeout_s)
        if answer is not None:
            return answer
        try:
            StateLock(root).release()
        except AlreadyRunning:
            pause.wait(PAUSE_S)
        except OSError:
            return None  # no folder, no service
        else:
            return None
    raise TimeoutError("a service holds the lock and does not listen; it hangs, or starts very slowly")
