"""PostRequestManager: which posts are in flight, and how each ended, exactly once.

Guards: post id -> post. Called from: tick (register, left, withdraw, expire), ws-reader (complete,
disconnected), rest (begin, complete: posts by HTTP), status. In flight is the length of the table, never a counter
beside it: `sent - completed == in flight` at every instant, since both change with the table.
A post is registered before its bytes leave, because the reply may be read before `send` returns.

Reply, time-out, disconnect and withdrawal may race for one post: whoever takes it out of the table has it, the others
get None or False and leave its orders alone. The exchange takes 100 posts in flight (docs/venue-facts.md F10).
"""

from collections.abc import Callable

import msgspec

from hip3.core.orders import Post
from hip3.locks import new_lock


class PostRequestManager:
    """See the module."""

    def __init__(self) -> None:
        self._lock = new_lock("PostRequestManager")
        self._pending: dict[int, Post] = {}
        self._begun: set[int] = set()
        """Those of HTTP whose request is under way."""
        self._next_id = 0
        self._sent = 0
        self._completed = 0
        self.late_replies = 0
        """Replies to posts that had ended before, or never were."""

    def next_id(self) -> int:
        """A fresh post id, counted from 1; the only key that pairs replies with posts."""
        with self._lock:
            self._next_id += 1
            return self._next_id

    def register(self, post: Post) -> None:
        """The post is about to be sent. Its orders must be marked as sent before: a disconnect may take it at once."""
        with self._lock:
            self._pending[post.post_id] = post
            self._sent += 1

    def left(self, post_id: int, now_ms: int) -> None:
        """Its last byte has left: the wait for the reply begins here, however long the socket took to take it."""
        with self._lock:
            post = self._pending.get(post_id)
            if post is not None:
                self._pending[post_id] = msgspec.structs.replace(post, sent_ms=now_ms)

    def withdraw(self, post_id: int) -> bool:
        """Not one byte of it left: as if it had never been. False if something else ended it first."""
        with self._lock:
            if self._pending.pop(post_id, None) is None:
                return False
            self._sent -= 1
            return True

    def begin(self, post_id: int) -> bool:
        """The rest thread sends it by HTTP now; False if it was given up before, and then it must not leave.

        From here on the request ends it, by its answer or its own time-out, and `expire` leaves it alone: one that is
        given up must not leave after that.
        """
        with self._lock:
            if post_id not in self._pending:
                return False
            self._begun.add(post_id)
            return True

    def complete(self, post_id: int) -> Post | None:
        """A reply came; None for an unknown or already ended post, which is counted."""
        with self._lock:
            post = self._pending.pop(post_id, None)
            self._begun.discard(post_id)
            if post is None:
                self.late_replies += 1
            else:
                self._completed += 1
            return post

    def expire(self, now_ms: int, timeout_ms: int) -> list[Post]:
        """End the posts that waited longer than the time-out, and return them: their owner must be told."""
        return self._end(lambda p: now_ms - p.sent_ms > timeout_ms and p.post_id not in self._begun)

    def disconnected(self, generation: int) -> list[Post]:
        """End the posts of a connection that is gone, and return them: their replies will not come.

        Those of earlier connections, too. Posts by HTTP have a generation above all, and stay.
        """
        return self._end(lambda p: p.generation <= generation)

    def _end(self, over: Callable[[Post], bool]) -> list[Post]:
        with self._lock:
            ended = [p for p in self._pending.values() if over(p)]
            for post in ended:
                del self._pending[post.post_id]
            self._completed += len(ended)
            return ended

    def waiting(self) -> list[Post]:
        """The posts in flight, oldest first."""
        with self._lock:
            return list(self._pending.values())

    @property
    def inflight(self) -> int:
        """How many posts are in flight, by the socket and by HTTP."""
        with self._lock:
            return len(self._pending)

    def accounts(self) -> tuple[int, int, int]:
        """(sent, completed, in flight) of one instant."""
        with self._lock:
            return self._sent, self._completed, len(self._pending)
