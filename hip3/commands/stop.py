"""`stop`: ask the running service to stop, wait for its proof, and leave the mark for `run --supervised`."""

import sys
import threading
from pathlib import Path

from hip3.clock import SystemClock
from hip3.commands.asking import ask_or_wait, meant
from hip3.config.settings import Settings
from hip3.errors import AlreadyRunning
from hip3.ops.state_dir import StateLock
from hip3.ops.supervised import Supervised
from hip3.service.stop_wish import StopMode

OK, OTHER_NETWORK, NOT_RUNNING, NOT_AS_ASKED = 0, 2, 3, 8
PATIENCE_S = 15.0
"""Beyond the service's own deadline: the proof, and the end of its threads."""
LONGEST_S = 30.0


def stop(settings: Settings, mode: str, timeout_ms: int | None) -> int:
    """The exit code: 0 stopped as asked, 8 something is open that was not meant to stay, 3 nothing runs, 2 the service
    that runs is another network's.

    TimeoutError if the service does not answer within its deadline and some patience.
    """
    root = Path(settings.state_dir)
    _mark(root)
    patience_s = PATIENCE_S + (LONGEST_S if timeout_ms is None else timeout_ms / 1000)
    request: dict[str, object] = {"command": "stop", "mode": mode, "timeout_ms": timeout_ms, "place": meant(settings)}
    answer = ask_or_wait(root, request, patience_s)
    if answer is None:
        print(  # noqa: T201
            "hip3: no service is running here; supervised starts stay off until ./run.sh run", file=sys.stderr
        )
        return NOT_RUNNING
    if "error" in answer:
        print(f"hip3: {answer['error']}", file=sys.stderr)  # noqa: T201
        if answer.get("code") == OTHER_NETWORK:
            Supervised(root).clear()  # nothing was done: it goes on, and is started again as before
        return int(answer.get("code", NOT_AS_ASKED))
    _mark(root)  # a start that took the lock just before has taken the first one away
    _wait_for_its_end(root)
    print(f"stopped ({answer['mode']}): {answer['proof']}")  # noqa: T201
    if answer["why"]:
        print(f"hip3: it had failed: {answer['why']}", file=sys.stderr)  # noqa: T201
    if not StopMode(answer["mode"]).covers(StopMode(mode)):
        print(f"hip3: it was stopping already (--{answer['mode']}) when --{mode} was asked for", file=sys.stderr)  # noqa: T201
        return NOT_AS_ASKED
    return OK if answer["clean"] else NOT_AS_ASKED


def _mark(root: Path) -> None:
    unmarked = Supervised(root).mark(SystemClock().wall_ms())
    if unmarked:
        print(f"hip3: supervised starts are not kept off: {unmarked}", file=sys.stderr)  # noqa: T201


def _wait_for_its_end(root: Path) -> None:
    """Until its lock is free, so that a start after this does not meet it."""
    pause = threading.Event()
    for _ in range(100):
        try:
            StateLock(root).release()
        except AlreadyRunning:
            pause.wait(0.05)
        else:
            return
