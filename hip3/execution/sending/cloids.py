"""Client order ids: the names that our orders have before the exchange knows them."""

import itertools
import secrets

from hip3.core.orders import RUN_TAG


class CloidSource:
    """Cloids: tag, a random number of this run, a counter. Unique, and recognisable as ours."""

    def __init__(self) -> None:
        self._run = secrets.token_hex(6)
        self._count = itertools.count(1)

    def next(self) -> str:
        """0x and 32 hex digits."""
        return f"0x{RUN_TAG}{self._run}{next(self._count):012x}"
