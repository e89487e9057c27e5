"""Whether the socket still takes what is posted on it. One that lives, and swallows posts, must not hold the exits.

Two posts in a row without an answer, or with none that says what became of them: exits and cancels go by HTTP for a
minute, entries wait, and another connection is made. Then the socket is tried again, with one post; each further
failure keeps it away for twice as long, ten minutes at most. An answer takes all of that back.

A connection on which nothing at all is heard swallows no posts, it is dead: it is kept away in the same way, but no
longer than until a word is heard, of it or of the next one; that one is tried at once.

Told by the tick (posts that expired) and the ws-reader (answers); asked by the tick. One lock, never held over a call.
"""

from collections.abc import Callable

from hip3.execution.link import Link
from hip3.execution.readiness import Readiness
from hip3.locks import new_lock

SILENT_POSTS = 2
AWAY_MS, MOST_AWAY_MS = 60_000, 600_000
WHY = "the socket does not answer what is posted on it: exits and cancels go by HTTP, entries wait"


class SocketTrust:
    """See the module. `reconnect(why)`: make another connection. Times are monotonic."""

    def __init__(self, readiness: Readiness, link: Link, reconnect: Callable[[str], None]) -> None:
        self._lock = new_lock("SocketTrust")
        self._link = link
        self._readiness = readiness
        self._reconnect = reconnect
        self._lost = self._until_ms = 0
        self._dead_ms: int | None = None
        """Since when it is away where nothing at all was heard; None where it lived."""
        self._away_ms, self._reducing = AWAY_MS, False

    def lost(self, sent_ms: int, now_ms: int) -> None:
        """A post by the socket, of `sent_ms`, has no answer that says anything."""
        with self._lock:
            self._lost += 1
            most = 1 if self._away_ms > AWAY_MS else SILENT_POSTS
            if self._lost < most or self._kept_away(now_ms):
                return
            self._lost, self._until_ms = 0, now_ms + self._away_ms
            # What came in the first half of the wait may have been under way when the connection died.
            self._dead_ms = now_ms if self._link.last_event_ms < (sent_ms + now_ms) // 2 else None
            self._away_ms = min(2 * self._away_ms, MOST_AWAY_MS)
        self._reconnect(WHY)

    def answered(self) -> None:
        """A post by the socket was answered."""
        if not self._lost and not self._until_ms and self._away_ms == AWAY_MS:
            return  # nearly always: no lock for that
        with self._lock:
            self._lost, self._until_ms, self._away_ms = 0, 0, AWAY_MS

    def away(self, now_ms: int) -> bool:
        """Whether exits and cancels go by HTTP though there is a socket. The tick, each round: it alone tells READY, so
        that an answer and a loss at one time leave no reason behind."""
        away = self._kept_away(now_ms)
        if away is not self._reducing:
            self._reducing = away
            self._readiness.reduce("posts", WHY if away else "")
        return away

    def _kept_away(self, now_ms: int) -> bool:
        dead_ms, link = self._dead_ms, self._link
        speaks = dead_ms is not None and link.last_event_ms > max(dead_ms, link.connected_ms)
        return now_ms < self._until_ms and not speaks
