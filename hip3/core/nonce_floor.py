"""The nonce floor: what no nonce of this run may be at or below. Pure; milliseconds.

Nonces rise over restarts (docs/venue-facts.md F6): the intent log holds those that earlier runs signed, and `highest`
reads the floor from it.
"""

from collections.abc import Iterable

MAX_LEAD_MS = 20 * 60 * 60 * 1000
"""How far the last nonce may run ahead of the exchange's clock before we refuse; it allows a day."""


def highest(nonces: Iterable[int]) -> int:
    """The highest nonce among those of the log; 0 if there is none."""
    return max(nonces, default=0)


def floor_of(kept: int, exchange_ms: int | None) -> int:
    """What to go on from: `kept` on disk, unless it is too far ahead of the exchange's time to go on from at all.

    Such a one was signed by a clock that was wrong. The exchange refused it, or holds it among its hundred highest,
    and a new one need not be above those. What was signed while the disk was full is below the exchange's time, as
    nonces follow it. `exchange_ms` is None where nothing tells it: then `kept` holds.
    """
    return kept if exchange_ms is None or kept <= exchange_ms + MAX_LEAD_MS else 0
