"""The request weight that is spent outlives the process that spent it: restarts in a row share one minute of it.

Called by whoever owns the `RestClient`. The file is a help, no truth: where it cannot be read or written, or is of
another exchange, the exchange's own refusals say what is left. Wall time in milliseconds.
"""

import contextlib
from pathlib import Path

import msgspec

from hip3.exchange.rate_limit import IP_WEIGHT_PER_MINUTE, MINUTE_MS


class _Spent(msgspec.Struct, frozen=True):
    url: str
    weight: int
    at_ms: int


class SpentFile:
    """`weight.json` of a state folder, for one exchange."""

    def __init__(self, path: Path, url: str) -> None:
        self._path, self._url = path, url

    def read(self, now_ms: int) -> int:
        """What of it has not come back yet, from 0 to a whole minute's."""
        try:
            found = msgspec.json.decode(self._path.read_bytes(), type=_Spent)
        except (OSError, msgspec.DecodeError):
            return 0
        if found.url != self._url:
            return 0
        # A clock that was set back since gives nothing back: it is a minute at most.
        back = max(0, now_ms - found.at_ms) * IP_WEIGHT_PER_MINUTE // MINUTE_MS
        return min(max(0, found.weight - back), IP_WEIGHT_PER_MINUTE)

    def note(self, weight: int, now_ms: int) -> None:
        """So much is spent now. The file is whole at every moment: a kill leaves what stood there before."""
        new = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):
            new.write_bytes(msgspec.json.encode(_Spent(self._url, weight, now_ms)))
            new.replace(self._path)
