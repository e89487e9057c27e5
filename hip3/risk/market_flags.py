"""Flags on markets: reasons not to enter that do not come with the market's own frames.

Guards: coin -> owner -> flag. Each flag has an owner, who alone sets and takes it back, and an end of its own.
Called from: rest (open-interest caps), whoever hears of a refusal that says the market is halted, ws-reader and tick
(asking), status. Times are monotonic milliseconds. Exits and cancels ask nothing here.
"""

import msgspec

from hip3.locks import new_lock

FOREVER = 1 << 62
"""Later than any monotonic time: until it is taken back."""
CAP = "oi_cap"
"""Owner of the flag for an open interest at its cap, where positions only shrink (docs/venue-facts.md F29)."""
NOT_READ = "its open-interest cap has not been read"


class Flag(msgspec.Struct, frozen=True):
    """Why a market is not entered, and until when."""

    owner: str
    """Who raised it: "oi_cap", "halt" or "dead_touch"; the name that `of` lists it by."""
    why: str
    """A sentence for people."""
    until_ms: int = FOREVER
    """At this time it is down already."""


class MarketFlags:
    """See the module. Nothing here raises; a market without flags need not be known."""

    def __init__(self) -> None:
        self._lock = new_lock("MarketFlags")
        self._flags: dict[str, dict[str, Flag]] = {}
        self.caps_until_ms = -FOREVER
        """Until when the last reading of the open-interest caps holds. Written by rest alone, without the lock.

        Before the first reading it is long past, so that no market is entered: an unread cap counts as reached.
        """

    def set(self, coin: str, owner: str, why: str, until_ms: int = FOREVER) -> bool:
        """Raise a flag, or renew it; whether it was not up before, or for another reason: then it is worth telling."""
        with self._lock:
            of = self._flags.setdefault(coin, {})
            new = owner not in of or of[owner].why != why
            of[owner] = Flag(owner, why, until_ms)
            return new

    def clear(self, coin: str, owner: str) -> bool:
        """Take a flag back; whether it was up."""
        with self._lock:
            of = self._flags.get(coin, {})
            gone = of.pop(owner, None) is not None
            if not of:
                self._flags.pop(coin, None)
            return gone

    def of(self, coin: str, now_ms: int) -> dict[str, Flag]:
        """The flags of one market that are up, by owner, unread caps among them; those whose time is over go."""
        unread = now_ms > self.caps_until_ms
        # The hot path: one look, without the lock. A flag that is raised at this moment is seen by the next frame, and
        # by the tick, which asks again before an entry leaves.
        if coin not in self._flags and not unread:
            return {}
        with self._lock:
            of = self._flags.get(coin, {})
            for owner in [o for o, flag in of.items() if flag.until_ms <= now_ms]:
                del of[owner]
            if not of:
                self._flags.pop(coin, None)
            return of | ({CAP: Flag(CAP, NOT_READ)} if unread else {})

    def sentences(self, now_ms: int) -> list[str]:
        """Every flag that is up, for people, by market; caps that are not read are one sentence for all."""
        unread = [f"no market is entered: {NOT_READ}"] if now_ms > self.caps_until_ms else []
        with self._lock:
            return unread + [
                f"{coin} is not entered: {flag.why}"
                for coin, of in sorted(self._flags.items())
                for flag in of.values()
                if flag.until_ms > now_ms
            ]
