"""The connection as the ws-reader knows it: which one, since when, and when it last spoke. Others read."""


class Link:
    """Written by the ws-reader alone; each value is one step, so readers take no lock."""

    def __init__(self, now_ms: int) -> None:
        self.generation = 0
        """Number of the connection; 0 before the first. It stays after a cut."""
        self.connected_ms = self.last_event_ms = now_ms
        """Monotonic."""
        self.private_ms: dict[str, int] = {}
        """When each private stream last spoke (monotonic)."""
