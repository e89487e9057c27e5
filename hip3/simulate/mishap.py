"""A mishap: one thing that goes wrong in a simulated world, or that somebody does to it."""

import msgspec

HAND_CANCEL = "hand cancel"
_BY_ON = frozenset({"lose", "delay", "double", "swap", "damage", "kill", "stop", "http", "full"})
_SAME_ROW = {"lost action": "lost request", "lost answer": "lost reply"}


class Mishap(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """See the module."""

    kind: str
    at_ms: int
    for_ms: int = 0
    """How long; 0: it happens once."""
    on: str = ""
    """Which messages, thread, market, dex or way."""
    ms: int = 0
    """How late, how far off."""
    share: int = 100
    """Percent of the messages that it hits."""
    when: str = ""
    """Not before an order is in this state."""

    @property
    def row(self) -> str:
        """Its name in the coverage table."""
        return f"{self.kind} {_SAME_ROW.get(self.on, self.on)}" if self.kind in _BY_ON else self.kind
