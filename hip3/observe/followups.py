"""What happened after an episode: looks that are due, in a heap, and what is watched between them. Pure, no lock.

Confined to the thread that hears the market: each frame, of any market, drains what is due, so that a look is at the
first frame after its time. What fell due while the connection was gone, or comes too late, is missing: an old touch is
no answer.
"""

import heapq
import itertools
from collections.abc import Callable
from decimal import Decimal

from hip3.core.market import MarketView
from hip3.core.money import ZERO
from hip3.core.results import LATE_MS, markout_bps, rounded
from hip3.observe.episode import After, Episode, usable
from hip3.observe.markouts import HORIZONS_S, LATE, edge_bps, entry_level, markouts, takable

MOST_DUE = 20_000
STALE_MS = 5000
"""Contexts come each second: a market that said nothing for so long is not known."""
BPS_DIGITS = 4
ORACLE, QUOTE = "oracle", "quote"


class Pending:
    """One episode that is followed."""

    __slots__ = ("_buys", "_entry", "_gap", "after", "closed_by", "closed_ms", "cut", "episode", "gates", "gone_ms",
                 "highest", "late_px", "left", "lowest", "start_ms")  # fmt: skip

    def __init__(self, episode: Episode, gates: object, start_ms: int) -> None:
        self.episode, self.gates, self.start_ms = episode, gates, start_ms
        self.after: list[After] = []
        self.left = 1 + len(HORIZONS_S)
        self.late_px: Decimal | None = None
        """What a late order paid; None: nothing, or not known yet."""
        self._buys, self._entry = episode.side.is_buy, episode.touch.px
        self._gap = episode.side.sign * (episode.oracle - self._entry)
        self.highest = self.lowest = exit_level_px(episode)
        """Of the touch at which it could be left."""
        self.closed_ms: int | None = None
        self.closed_by: str | None = None
        self.gone_ms: int | None = None
        self.cut = False
        """The connection was gone meanwhile: what was watched between the looks is not whole."""

    def watch(self, view: MarketView, now_ms: int) -> None:
        """The market moved: how well it could be left, when the quote went, when half of the edge was gone."""
        bid, ask, oracle = view.bid, view.ask, view.oracle
        if bid is None or ask is None or oracle is None:
            return
        touch, leave = (ask.px, bid.px) if self._buys else (bid.px, ask.px)
        if leave > self.highest:
            self.highest = leave
        elif leave < self.lowest:
            self.lowest = leave
        if self.gone_ms is None and (touch > self._entry if self._buys else touch < self._entry):
            self.gone_ms = now_ms - self.start_ms
        if self.closed_ms is None:
            left = oracle - touch if self._buys else touch - oracle
            if left + left <= self._gap:
                self.closed_ms = now_ms - self.start_ms
                sign = 1 if self._buys else -1
                by_oracle, by_quote = sign * (self.episode.oracle - oracle), sign * (touch - self._entry)
                self.closed_by = ORACLE if by_oracle > by_quote else QUOTE

    def fields(self, late_ms: int) -> dict[str, object]:
        """The record `episode` of the journal."""
        e, entry = self.episode, self._entry
        best, worst = (self.highest, self.lowest) if self._buys else (self.lowest, self.highest)

        def moved(px: Decimal) -> str | None:
            return None if self.cut else rounded(markout_bps(e.side.sign, entry, px), BPS_DIGITS)

        return {
            "episode": e, "gates": self.gates, "after": tuple(self.after), "late_ms": late_ms,
            "favourable_bps": moved(best), "adverse_bps": moved(worst), "cut": self.cut,
            "closed_ms": self.closed_ms, "closed_by": self.closed_by, "gone_ms": self.gone_ms,
        }  # fmt: skip


def exit_level_px(episode: Episode) -> Decimal:
    """At which the episode's position could have been left at once."""
    return episode.bid.px if episode.side.is_buy else episode.ask.px


class FollowUps:
    """The heap. `view(coin)`: the market as it is now; `done`: an episode and all that is known of it."""

    def __init__(
        self, view: Callable[[str], MarketView | None], done: Callable[[Pending], None], late_ms: int
    ) -> None:  # fmt: skip
        self._view, self._done, self.late_ms = view, done, late_ms
        self._heap: list[tuple[int, int, str, Pending]] = []
        self._serial = itertools.count()
        self._of: dict[str, list[Pending]] = {}
        self._connected_ms = 0
        self._generation = 0
        self.lost = 0
        """Episodes that were not followed: too many looks were due."""
        self.missing = 0
        """Looks that found nothing to look at."""

    @property
    def due(self) -> int:
        """Looks that are still to come."""
        return len(self._heap)

    def connected(self, generation: int, now_ms: int) -> None:
        """A connection began: what was watched so far has a hole."""
        self._connected_ms, self._generation = now_ms, generation
        for pending in itertools.chain.from_iterable(self._of.values()):
            pending.cut = True

    def follow(self, episode: Episode, gates: object, now_ms: int) -> None:
        """Look at it again at each horizon. Where too many are due it is told at once, as lost."""
        pending = Pending(episode, gates, now_ms)
        if len(self._heap) + pending.left > MOST_DUE:
            self.lost += 1
            pending.cut = True
            pending.after = [After(s=s, missing="too many to follow") for s, _ in self._horizons()]
            self._done(pending)
            return
        self._of.setdefault(episode.coin, []).append(pending)
        for s, ms in self._horizons():
            heapq.heappush(self._heap, (now_ms + ms, next(self._serial), s, pending))

    def _horizons(self) -> list[tuple[str, int]]:
        return [(LATE, self.late_ms), *((str(s), s * 1000) for s in HORIZONS_S)]

    def watch(self, view: MarketView, now_ms: int) -> None:
        """A frame of this market was applied."""
        followed = self._of.get(view.coin)
        if followed and usable(view, self._generation):
            for pending in followed:
                pending.watch(view, now_ms)

    def drain(self, now_ms: int) -> None:
        """Look at all whose time has come."""
        while self._heap and self._heap[0][0] <= now_ms:
            due_ms, _, s, pending = heapq.heappop(self._heap)
            self._look(pending, s, self._missing(pending, due_ms, now_ms), now_ms)

    def end(self, now_ms: int) -> None:
        """The run is over: what is not due yet is missing."""
        self.drain(now_ms)
        while self._heap:
            _, _, s, pending = heapq.heappop(self._heap)
            self._look(pending, s, "the run ended", now_ms)

    def _missing(self, pending: Pending, due_ms: int, now_ms: int) -> str | None:
        """Why a look that was due then cannot be made now."""
        view = self._view(pending.episode.coin)
        if due_ms < self._connected_ms:
            return "not connected"
        if now_ms - due_ms > LATE_MS:
            return "nothing was heard"
        if view is None or not usable(view, self._generation):
            return "no two-sided market of this connection"
        heard_ms = max(view.bbo_at_ms or 0, view.ctx_at_ms or 0)
        return "nothing was heard of the market" if now_ms - heard_ms > STALE_MS else None

    def _look(self, pending: Pending, s: str, missing: str | None, now_ms: int) -> None:
        view = self._view(pending.episode.coin)
        if missing is not None or view is None:
            self.missing += 1
            pending.after.append(After(s=s, missing=missing))
        else:
            pending.after.append(_after(pending, s, view, now_ms))
        pending.left -= 1
        if not pending.left:
            self._of[pending.episode.coin].remove(pending)
            self._done(pending)


def _after(pending: Pending, s: str, view: MarketView, now_ms: int) -> After:
    e = pending.episode
    left = takable(view, e.side, e.touch.px)
    if s == LATE and left > ZERO:
        touch = entry_level(view, e.side)
        pending.late_px = None if touch is None else touch.px
    worth = markouts(e.side, e.touch.px, pending.late_px, Decimal(e.fee_bps), view)
    edge = edge_bps(view, e.side)

    def text(value: Decimal | None) -> str | None:
        return None if value is None else rounded(value, BPS_DIGITS)

    return After(
        s=s, after_ms=now_ms - pending.start_ms, bid=view.bid, ask=view.ask, oracle=view.oracle, edge_bps=text(edge),
        takable=left, mid_bps=text(worth.mid), touch_bps=text(worth.touch), net_bps=text(worth.net),
        late_bps=text(worth.late),
    )  # fmt: skip
