"""The connection as the ws-reader knows it: which one, since when, and when it last spoke.

Others read: tick (what may leave on it), rest (which epoch a reading is for), status. Times are monotonic milliseconds.
"""


class Link:
    """Written by the ws-reader alone; each value is one step, so readers take no lock. Nothing here says whether the
    connection stands now: `Sender.connected` does."""

    def __init__(self, now_ms: int) -> None:
        self.generation = 0
        """Number of the connection; 0 before the first. It stays after a cut.

        Counted up by each attempt to connect, so numbers are left out, and none comes twice in a run."""
        self.told_generation = 0
        """The newest connection on which the account's streams stand; a reading begun before may miss what no stream
        tells any more."""
        self.told_ms = now_ms
        """Since when they stand on it."""
        self.connected_ms = self.last_event_ms = now_ms
        """When it was opened, and when any frame last came; before the first connection, when the process began."""
        self.private_ms: dict[str, int] = {}
        """When each private stream last spoke: orderUpdates, userFills, userFundings; absent until it has. Kept over a
        cut."""

    def told(self, generation: int, sent_ms: int) -> bool:
        """Whether the account's streams stood on the connection of now before a post left by it: only then do they
        tell of it. An exit leaves on a new one ahead of the subscriptions."""
        return generation == self.generation == self.told_generation and sent_ms > self.told_ms
