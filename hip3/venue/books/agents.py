"""Who may act for whom, and with which nonces. Pure. Texts of the refusals: docs/venue-facts.md F6."""

from bisect import bisect_left, insort
from typing import Any

from hip3.venue.engine.state import DAY_MS

NONCES_KEPT = 100


class NonceSet:
    """The 100 highest nonces of one signer."""

    def __init__(self) -> None:
        self._kept: list[int] = []

    def use(self, nonce: int, now_ms: int) -> str | None:
        """Take a nonce, or say why not."""
        low, high = now_ms - 2 * DAY_MS, now_ms + DAY_MS
        if nonce <= low:
            return f"Invalid nonce: nonce too low {nonce} < {low}"
        if nonce >= high:
            return f"Invalid nonce: nonce too high {nonce} > {high}"
        index = bisect_left(self._kept, nonce)
        if index < len(self._kept) and self._kept[index] == nonce:
            return f"Invalid nonce: duplicate nonce {nonce}"
        if len(self._kept) >= NONCES_KEPT:
            if nonce < self._kept[0]:
                return f"Invalid nonce: nonce too low {nonce} < {self._kept[0]}"
            del self._kept[0]
        insort(self._kept, nonce)
        return None


class Agents:
    """Which address may sign for which account, until when."""

    def __init__(self) -> None:
        self._agents: dict[str, tuple[str, str, int | None]] = {}
        """agent address -> (account, name, valid until in ms or None)."""

    def approve(self, account: str, agent: str, name: str, now_ms: int) -> str | None:
        """Approve `agent` for `account`; the refusal text if it cannot be."""
        if agent in self._agents:
            return "Extra agent already used."
        label, _, until = name.partition(" valid_until ")
        valid_until = int(until) if until.isdigit() else None
        for address, (owner, old, _) in list(self._agents.items()):
            if owner == account and old == label:
                del self._agents[address]
        named = [1 for owner, old, _ in self._agents.values() if owner == account and old]
        if label and len(named) >= 3:
            return "Too many extra agents for cumulative volume traded. Current limit is 3"
        self._agents[agent] = (account, label, valid_until)
        return None

    def account_of(self, signer: str, now_ms: int) -> str | None:
        """The account `signer` may sign for as an agent, or None."""
        found = self._agents.get(signer)
        if found is None or (found[2] is not None and found[2] <= now_ms):
            return None
        return found[0]

    def unnamed_of(self, account: str, now_ms: int) -> tuple[str | None, int | None]:
        """(address, valid until) of the account's unnamed agent."""
        for address, (owner, name, until) in self._agents.items():
            if owner == account and not name and (until is None or until > now_ms):
                return address, until
        return None, None

    def named_of(self, account: str, now_ms: int) -> list[dict[str, Any]]:
        """The account's named agents, as `extraAgents` lists them."""
        return [
            {"name": name, "address": address, "validUntil": until}
            for address, (owner, name, until) in self._agents.items()
            if owner == account and name and (until is None or until > now_ms)
        ]
