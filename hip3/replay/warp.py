"""Time that is passed over: while no order, no position and no due duty exists, nothing wakes but frames and duties.

What is left out are rounds that would find nothing to do: the tick's while there is nothing to send, to leave and to
quote, the journal's without a record. When there is something again the tick goes on at the times it would have had,
so a replay comes to the same with it and without.
"""

from hip3.onethread.threads import NEVER
from hip3.service.app import App

JOURNAL_MS = 10_000
"""The journal's round without a record: it keeps its file small."""
SETTLED_MS = 1000
"""So long the tick goes on after the last thing of its own: what it keeps of a position that is gone, it lets go."""


class Warp:
    """Asked before each pass of time; confined to the replay's thread."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._since: int | None = None
        """Since when there is nothing to do; None: there is."""
        self.left_out = 0
        """Rounds of the tick."""

    def _idle(self) -> bool:
        """Nothing is wished for, under way, open or held, and nothing quotes."""
        running = self._app.running
        trading, connection, base = running.trading, running.connection, running.settings.base
        if trading is None or connection is None or connection._ws is None or base.quoted_coins:
            return False
        if running.stop.asked or (running.latch is not None and running.latch.tripped):
            return False
        tracker, scheduler = trading.tracker, trading.scheduler
        queued = scheduler._cancels or scheduler._reduce or scheduler._quotes or scheduler._new
        open_ones = tracker._orders.live or tracker._orders.provisional or tracker._holdings or tracker._foreign
        return not (queued or open_ones or trading.posts._pending)

    def tick_due(self, due_ms: int, tick_ms: int, now_ms: int) -> int:
        """When the tick is due that would be at `due_ms`: never while there has been nothing to do for long enough;
        where such a time ends, at the next of its own times."""
        if not self._idle():
            self._since = None
            if due_ms < now_ms:
                missed = (now_ms - due_ms + tick_ms - 1) // tick_ms
                self.left_out += missed
                return due_ms + missed * tick_ms
            return due_ms
        if self._since is None:
            self._since = now_ms
        return NEVER if due_ms > self._since + SETTLED_MS else due_ms

    def journal_due(self, due_ms: int, turned_ms: int, records: int) -> int:
        """When the journal is due that would be at `due_ms`."""
        return due_ms if records else turned_ms + JOURNAL_MS
