"""Until when a command goes on that ends at a signal: main waits, a handler or another thread says that it is enough.

A handler runs in the main thread between any two of its steps, also inside `threading.Event.wait`, where that holds
the event's own lock: `set` from a handler then waits for itself, for ever. A byte in a pipe takes no lock.
"""

import os
import select
import signal
from collections.abc import Iterable


class Ending:
    """Made by main, for the life of the process. No lock."""

    def __init__(self) -> None:
        self._ours, self._theirs = os.pipe()
        os.set_blocking(self._theirs, False)
        self.asked = False

    def on_signals(self, numbers: Iterable[int] = (signal.SIGTERM, signal.SIGINT)) -> None:
        """End at these from now on. Main."""
        for number in numbers:
            signal.signal(number, lambda *_: self.ask())

    def ask(self) -> None:
        """It is enough. A signal's handler, or any thread; as often as one likes."""
        if not self.asked:
            self.asked = True
            os.write(self._theirs, b".")

    def wait(self, seconds: float) -> bool:
        """Wait for the end, so long at most; whether it was asked for. Main."""
        return bool(select.select([self._ours], [], [], seconds)[0])
