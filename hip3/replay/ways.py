"""How long each action of a recorded service took, by what its own recording says. Pure.

An action is known again by the orders it is about: an order by its cloid, a cancel by the cloid of the order that it
ends. When it was executed its order's first word says, or the end of the order it cancelled; where neither came, the
reply, less the way that replies take.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from hip3.errors import WireError
from hip3.record.lines import Record

OVER = ("canceled", "filled")
SLACK_MS = 250
"""By so much the estimate of how far the exchange's clock is from ours may be off."""
KEPT = 5000
"""Replies' ways that are remembered, for the one in the middle."""


class _Said(NamedTuple):
    """One recorded action."""

    sent_ms: int
    orders: tuple[str, ...]
    """cloids that it places."""
    cancels: tuple[str, ...]
    """cloids that it cancels."""


def median(values: list[int]) -> int:
    """The middle one; 0 without values."""
    return sorted(values)[len(values) // 2] if values else 0


class Ways:
    """See the module. Times are the exchange's, but for the sending. Confined to one thread; fed ahead of `of`."""

    def __init__(self, offset_ms: int) -> None:
        self._offset_ms = offset_ms
        self._first: dict[str, int] = {}
        """cloid -> its first word."""
        self._over: dict[str, int] = {}
        """cloid -> when it was cancelled."""
        self._cloids: dict[int, str] = {}
        """oid -> cloid, of the recorded exchange."""
        self._open: dict[int, _Said] = {}
        """Post id -> what was asked, until its reply."""
        self._answered: deque[tuple[_Said, int]] = deque(maxlen=16)
        """Answered, while no word of its orders is known."""
        self._posts: dict[str, deque[int]] = {}
        """cloid, "-" before it for a cancel -> when each such action was answered, by the exchange's clock."""
        self._backs: deque[int] = deque(maxlen=KEPT)
        self._there: deque[int] = deque(maxlen=KEPT)
        self.backs_ms: dict[int, int] = {}
        """Exchange time of something about the account -> how long the word of it was under way."""
        self.cloid_of: Callable[[int], str | None] = lambda oid: None
        """Of the exchange that is replayed, whose oids are its own."""

    # What the recording says.

    def said(self, r: Record) -> None:
        """What the recorded service sent."""
        if b'"post"' not in r.data:
            return
        try:
            post = r.value.get("post") or {}
        except WireError:
            return
        orders = [str(o.get("c")) for o in post.get("orders") or []]
        cancels = [self._cancelled(c, self._cloids.get) for c in post.get("cancels") or []]
        self._open[post.get("id") or 0] = _Said(
            r.t // 1_000_000, tuple(orders), tuple(c for c in cancels if c is not None)
        )

    def _cancelled(self, cancel: dict[str, Any], cloid_of: Callable[[int], str | None]) -> str | None:
        cloid = cancel.get("cloid")
        return str(cloid) if cloid else cloid_of(cancel.get("o") or -1)

    def replied(self, r: Record) -> None:
        """A post's answer."""
        try:
            post_id = r.value["data"]["id"]
        except (WireError, KeyError, TypeError):
            return
        said = self._open.pop(post_id, None)
        if said is None:
            return
        at_ms = r.t // 1_000_000 + self._offset_ms
        for key in (*said.orders, *(f"-{c}" for c in said.cancels)):
            self._posts.setdefault(key, deque(maxlen=64)).append(at_ms)
        self._answered.append((said, at_ms))
        self._measure()

    def _measure(self) -> None:
        """Ways there and back of answered posts, once their orders' words are known, too: these may come after."""
        for _ in range(len(self._answered)):
            said, at_ms = self._answered.popleft()
            sent_ms = said.sent_ms + self._offset_ms
            words = [self._first.get(c) for c in said.orders] + [self._over.get(c) for c in said.cancels]
            known = [at for at in words if at is not None and sent_ms - SLACK_MS <= at <= at_ms + SLACK_MS]
            if known:
                self._backs.append(at_ms - known[0])
                self._there.append(known[0] - sent_ms)
            else:
                self._answered.append((said, at_ms))

    def updates(self, data: Any, heard_ms: int) -> None:
        """A frame of `orderUpdates`, received at `heard_ms` by the recorder's clock."""
        for item in data if isinstance(data, list) else [data]:
            order = item.get("order", {})
            cloid, word, at = str(order.get("cloid")), str(item.get("status")), int(item.get("statusTimestamp", 0))
            self._first.setdefault(cloid, at)
            self.backs_ms.setdefault(at, heard_ms + self._offset_ms - at)
            while len(self.backs_ms) > KEPT:
                del self.backs_ms[next(iter(self.backs_ms))]
            self._cloids[int(order.get("oid") or 0)] = cloid
            if word not in OVER and not word.endswith(("Canceled", "Rejected")):
                continue
            if word != "filled":
                self._over[cloid] = at
        self._measure()

    # What the replay asks.

    def of(self, request: Any, now_ms: int) -> int | None:
        """How long the same action took in the recording, from `now_ms` on; None: it is not in it."""
        action = request.get("action") if isinstance(request, dict) else None
        if not isinstance(action, dict):
            return None
        orders = [o.get("c") for o in action.get("orders") or []]
        orders += [(m.get("order") or {}).get("c") for m in action.get("modifies") or []]
        keys = [str(c) for c in orders if c]
        keys += [f"-{c}" for item in action.get("cancels") or [] if (c := self._cancelled(item, self.cloid_of))]
        for key in keys:
            at = self._at(key, now_ms)
            if at is not None:
                return at - now_ms
        return median(list(self._there)) if self._there else None

    def _at(self, key: str, now_ms: int) -> int | None:
        word = self._over.get(key[1:]) if key.startswith("-") else self._first.get(key)
        back, answers = median(list(self._backs)), self._posts.get(key)
        while answers:
            done = answers.popleft() - back
            if done >= now_ms:
                return word if word is not None and now_ms <= word <= done + back + SLACK_MS else done
        return word if word is not None and word >= now_ms else None


def decoded(r: Record) -> Any:
    """The data of a frame; None where there is none."""
    try:
        return r.value["data"]
    except (WireError, KeyError, TypeError, msgspec.DecodeError):
        return None
