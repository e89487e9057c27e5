"""The keys of one quoted market: what may be alive for each, and what is remembered of it. Confined to the tick.

There is no second cache of orders: slots are a view of the tracker's own. Here is only what the books do not know: that
a cancel is wished and how often, and until when a key waits. Times are monotonic milliseconds.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from hip3.core.order_state import OrderState
from hip3.core.orders import PendingOrder
from hip3.execution.quotes.refusals import WITHIN_MS, Reaction
from hip3.position.tracked import TrackedOrder
from hip3.strategy.ladder import Key, Ladder
from hip3.strategy.quote_diff import Slot, SlotState

REPEAT_MS = (1000, 2000, 4000)
"""A cancel without a proof is wished again after so long, and then as after the last."""
ASK_MS, DOUBT_MS, LOST_MS = 2000, 5000, 30_000
"""Where the end of a quote that was replaced or cancelled is not told: its status is asked for, the account is read,
the side is kept away and it is said."""
CUT_MS = 60_000
"""So long is remembered what limits left of a rung."""


def key_of(order: PendingOrder) -> Key:
    """Side and level."""
    assert order.level is not None
    return order.side, order.level


def pairs(orders: Iterable[TrackedOrder]) -> list[tuple[TrackedOrder, TrackedOrder]]:
    """(the order that rests or rested, the one that takes its place) where both may be alive. A key has one such pair
    at most: what is being replaced, or has replaced another whose end nobody has told, is not replaced again."""
    alive = list(orders)
    new = [t for t in alive if t.order.replaces is not None]
    if not new:
        return []
    by_oid = {t.oid: t for t in alive if t.oid is not None}
    return [(by_oid[n.order.replaces], n) for n in new if n.order.replaces in by_oid]


class _Cancel:
    __slots__ = ("next_ms", "since_ms", "told", "tries")

    def __init__(self, now_ms: int) -> None:
        self.since_ms = self.next_ms = now_ms
        self.tries = 0
        self.told = False


class Keys:
    """See the module."""

    def __init__(self) -> None:
        self._cancels: dict[str, _Cancel] = {}
        self._changed: dict[Key, int] = {}
        self._not_before: dict[Key, int] = {}
        self._not_moved_before: dict[Key, int] = {}
        self._seen: dict[str, int] = {}
        """Orders that replaced others whose end nobody told -> since when they are known to be open."""
        self._cuts: dict[Key, tuple[Decimal, int]] = {}
        """Key -> (what the gates left of its size, until when that is remembered)."""
        self._refused: dict[tuple[Key | None, Reaction], tuple[int, int]] = {}
        """What was refused of a key or of the market -> (how long it waited, until when that is remembered)."""

    def slots(self, orders: Iterable[TrackedOrder]) -> dict[Key, Slot]:
        """By key, what may be alive; of two the older one has the key, and the younger is cancelled first."""
        out: dict[Key, Slot] = {}
        alive = list(orders)
        moving = {
            old.order.cloid for old, new in pairs(alive)
            if old.order.cloid not in self._cancels or new.order.cloid not in self._cancels
        }  # fmt: skip
        for tracked in alive:
            order = tracked.order
            if order.cloid in moving:
                state = SlotState.MOVING
            elif tracked.state is OrderState.OPEN:
                state = SlotState.CANCELLING if order.cloid in self._cancels else SlotState.LIVE
            else:
                state = SlotState.UNKNOWN if tracked.state is OrderState.UNKNOWN else SlotState.PLACING
            out.setdefault(
                key_of(order),
                Slot(
                    state=state, px=order.px, left=order.sz - tracked.executed, cloid=order.cloid, oid=tracked.oid,
                    whole=tracked.untouched,
                ),
            )  # fmt: skip
        if self._cancels or self._seen:
            known = {t.order.cloid for t in alive}
            self._cancels = {cloid: wish for cloid, wish in self._cancels.items() if cloid in known}
            self._seen = {cloid: ms for cloid, ms in self._seen.items() if cloid in known}
        return out

    @property
    def wishes(self) -> bool:
        """Whether the end of any order is wished."""
        return bool(self._cancels)

    def cancel(self, cloid: str, now_ms: int) -> None:
        """The end of an order is wished; `due` says when to ask the exchange."""
        self._cancels.setdefault(cloid, _Cancel(now_ms))

    def ending(self, cloid: str) -> bool:
        """Whether the end of an order is wished."""
        return cloid in self._cancels

    def due(self, orders: Iterable[TrackedOrder], now_ms: int) -> list[TrackedOrder]:
        """Those whose cancel is to be sent now, for the first time or again: no answer of a cancel proves an end."""
        out = []
        for tracked in orders:
            wish = self._cancels.get(tracked.order.cloid)
            if wish is None or tracked.oid is None or now_ms < wish.next_ms:
                continue
            wish.next_ms = now_ms + REPEAT_MS[min(wish.tries, len(REPEAT_MS) - 1)]
            wish.tries += 1
            out.append(tracked)
        return out

    def unproved(self, now_ms: int, longer_ms: int) -> list[str]:
        """Orders whose cancel was wished so long ago, and whose end nobody has told."""
        return [cloid for cloid, wish in self._cancels.items() if now_ms - wish.since_ms >= longer_ms]

    def tell_once(self, cloid: str) -> bool:
        """Whether this one is said for the first time."""
        wish = self._cancels[cloid]
        told, wish.told = wish.told, True
        return not told

    # What time allows.

    def note_cut(self, key: Key, sz: Decimal, now_ms: int) -> None:
        """The gates left an order of this key no more than this."""
        self._cuts[key] = (sz, now_ms + CUT_MS)

    def within_cuts(self, desired: Ladder, now_ms: int) -> Ladder:
        """The ladder with what limits beyond it left lately: one that wants more is placed anew for ever."""
        if not self._cuts:
            return desired
        self._cuts = {key: cut for key, cut in self._cuts.items() if now_ms < cut[1]}
        return {
            key: msgspec.structs.replace(rung, sz=min(rung.sz, self._cuts[key][0])) if key in self._cuts else rung
            for key, rung in desired.items()
        }

    def changed(self, key: Key, now_ms: int) -> None:
        """An order of this key was placed."""
        self._changed[key] = now_ms

    def waited(self, cloid: str, now_ms: int) -> int:
        """Milliseconds since an order that replaces another was first asked for here."""
        return now_ms - self._seen.setdefault(cloid, now_ms)

    def wait(self, key: Key, until_ms: int) -> None:
        """Nothing is placed for this key until then."""
        self._not_before[key] = max(until_ms, self._not_before.get(key, until_ms))

    def place_anew(self, key: Key, until_ms: int) -> None:
        """Until then the order of this key is cancelled rather than moved."""
        self._not_moved_before[key] = until_ms

    def may_move(self, key: Key, now_ms: int) -> bool:
        """Whether the order of this key may be moved in one step."""
        return now_ms >= self._not_moved_before.get(key, now_ms)

    def refused(self, key: Key | None, how: Reaction, now_ms: int) -> int:
        """How long to wait after a refusal of a key, or of its market (None): longer each time it comes again."""
        before, remembered = self._refused.get((key, how), (0, 0))
        ms = min(how.most_ms, before * 2) if before and now_ms < remembered else how.ms
        self._refused[(key, how)] = (ms, now_ms + ms + WITHIN_MS)
        return ms

    def may_place(self, key: Key, now_ms: int) -> bool:
        """Whether nothing makes this key wait."""
        return now_ms >= self._not_before.get(key, now_ms)

    def may_improve(self, key: Key, now_ms: int, interval_ms: int) -> bool:
        """Whether its last change is long enough ago."""
        return now_ms - self._changed.get(key, -interval_ms) >= interval_ms
