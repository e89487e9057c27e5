"""The interpreter, set up for a service whose threads must not wait for one another.

Called once, by main, when everything is built and before the trading threads start.
"""

import gc
import sys

SWITCH_INTERVAL_S = 0.0005
"""How long a thread may keep the interpreter when another wants it. Python's default of 5 ms is as long as all of a
signal's way to the socket may take at worst."""


def tune() -> None:
    """Shorten the switch interval, and take what the start made out of every later garbage collection.

    What is imported and built by now lives until the end. A full collection walks over all of it, while every thread
    stands still: about 40 ms (docs/performance.md). Frozen, it is not looked at again.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()
