"""Who may act for whom, and with which nonces. Pure. Texts of the refusals: docs/venue-facts.md F6.

An agent here is a key that signs for an account, also called API wallet; the engine's agent accounts, which make the
market, are something else. A refusal is a text, None means done.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import Any

from hip3.venue.engine.state import DAY_MS

NONCES_KEPT = 100
"""Per signer, not per account: an agent counts apart from its master."""


class NonceSet:
    """The 100 highest nonces of one signer, in milliseconds by custom (docs/venue-facts.md F6)."""

    def __init__(self, kept: Iterable[int] = ()) -> None:
        self.kept: list[int] = sorted(kept)
        """Rising."""

    def use(self, nonce: int, now_ms: int) -> str | None:
        """Take a nonce, or say why not; a refused one is not taken.

        A full set drops its smallest, so nothing below what it still knows is ever taken again.
        """
        low, high = now_ms - 2 * DAY_MS, now_ms + DAY_MS
        if nonce <= low:
            return f"Invalid nonce: nonce too low {nonce} < {low}"
        if nonce >= high:
            return f"Invalid nonce: nonce too high {nonce} > {high}"
        index = bisect_left(self.kept, nonce)
        if index < len(self.kept) and self.kept[index] == nonce:
            return f"Invalid nonce: duplicate nonce {nonce}"
        if len(self.kept) >= NONCES_KEPT:
            if nonce < self.kept[0]:
                return f"Invalid nonce: nonce too low {nonce} < {self.kept[0]}"
            del self.kept[0]
        insort(self.kept, nonce)
        return None


class Agents:
    """Which address may sign for which account, until when.

    An account has one unnamed agent and at most three named ones. One that has run out no longer signs, but keeps its
    place and its address until its name is approved anew.
    """

    def __init__(self) -> None:
        self.approved: dict[str, tuple[str, str, int | None]] = {}
        """agent address -> (account, name, valid until in ms or None)."""

    def approve(self, account: str, agent: str, name: str, now_ms: int) -> str | None:
        """Approve `agent` for `account`; the refusal text if it cannot be.

        `name` is "" for the unnamed agent, and may end in " valid_until " and exchange milliseconds. The agent that
        had the name before is dropped. An address that is an agent already, of anybody, is refused.
        """
        if agent in self.approved:
            return "Extra agent already used."
        label, _, until = name.partition(" valid_until ")
        valid_until = int(until) if until.isdigit() else None
        # First, so that the agent that is replaced does not count against the limit.
        for address, (owner, old, _) in list(self.approved.items()):
            if owner == account and old == label:
                del self.approved[address]
        named = [1 for owner, old, _ in self.approved.values() if owner == account and old]
        if label and len(named) >= 3:
            return "Too many extra agents for cumulative volume traded. Current limit is 3"
        self.approved[agent] = (account, label, valid_until)
        return None

    def account_of(self, signer: str, now_ms: int) -> str | None:
        """The account `signer` may sign for as an agent, or None; at its last millisecond it is over."""
        found = self.approved.get(signer)
        if found is None or (found[2] is not None and found[2] <= now_ms):
            return None
        return found[0]

    def unnamed_of(self, account: str, now_ms: int) -> tuple[str | None, int | None]:
        """(address, valid until in ms or None for good) of the account's unnamed agent; (None, None) without one."""
        for address, (owner, name, until) in self.approved.items():
            if owner == account and not name and (until is None or until > now_ms):
                return address, until
        return None, None

    def named_of(self, account: str, now_ms: int) -> list[dict[str, Any]]:
        """The account's named agents that are still valid, as `extraAgents` lists them, oldest first."""
        return [
            {"name": name, "address": address, "validUntil": until}
            for address, (owner, name, until) in self.approved.items()
            if owner == account and name and (until is None or until > now_ms)
        ]
