"""A signal may come between any two steps of the wait that it is to end."""

import re
import subprocess
import sys
import threading
from pathlib import Path

import hip3
from hip3.ops.ending import Ending

EACH_STEP = """
import signal, sys, threading
from hip3.ops.ending import Ending
ending = Ending()
ending.on_signals([signal.SIGUSR1])
inside = []
def step(frame, what, arg):
    inside.append(what)
    signal.raise_signal(signal.SIGUSR1)
    return step
sys.settrace(step)
ended = ending.wait(60)
sys.settrace(None)
assert ended and ending.asked and inside
"""


def test_a_signal_within_the_wait_ends_it() -> None:
    answer = subprocess.run([sys.executable, "-c", EACH_STEP], capture_output=True, check=False, timeout=60)
    assert answer.returncode == 0, answer.stderr.decode()


def test_nothing_else_has_handlers_of_its_own() -> None:
    """The service counts signals, and its main looks at the number."""
    root = Path(hip3.__file__).parent
    having = {str(p.relative_to(root)) for p in root.rglob("*.py") if re.search(r"signal\.signal\(", p.read_text())}
    assert having == {"ops/ending.py", "service/app.py"}


def test_another_thread_ends_it_and_it_stays_ended() -> None:
    ending = Ending()
    assert not ending.wait(0)
    thread = threading.Thread(target=ending.ask)
    thread.start()
    assert ending.wait(60)
    thread.join()
    ending.ask()
    assert ending.wait(0)
