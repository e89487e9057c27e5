"""Client order ids: the names that our orders have before the exchange knows them.

A name of our own is what lets a lost reply be asked about: the order can be found without an oid.
"""

import itertools
import secrets

from hip3.core.orders import RUN_TAG, run_of


class CloidSource:
    """Cloids: tag, a random number of this run, a counter. Unique, and recognisable as ours.

    Called from: ws-reader (entries, exits), tick (exits, stops). No lock: a counter's `next` is one step.
    """

    def __init__(self, run: str | None = None) -> None:
        """`run`: 12 hex digits, drawn at random without."""
        self._run = run or secrets.token_hex(6)
        self._count = itertools.count(1)

    @property
    def run(self) -> str:
        """What all of them begin with, as `run_of` cuts it."""
        return run_of(f"0x{RUN_TAG}{self._run}")

    def next(self) -> str:
        """The next one: 0x and 32 hex digits, lower case. One that was not used is left out."""
        return f"0x{RUN_TAG}{self._run}{next(self._count):012x}"
