"""What pulls a market's quotes: its data, its prices, its fills. Each cause has its end. Confined to the tick.

A cause stands while it is there and for a time after; nobody quotes into a first look. Times are monotonic
milliseconds, distances basis points.
"""

from collections import deque
from decimal import Decimal

from hip3.core.market import MarketView
from hip3.core.money import ZERO, bps_of
from hip3.core.orders import SIDES, Side
from hip3.execution.quotes.params import QuoteParams
from hip3.strategy.fair import Fair

BBO_AGE_MS = 2000
"""A touch may stand for long in a quiet book: it is old only where its context is as well."""
CTX_AGE_MS = 5000
FRESH_MS, CALM_MS, NORMAL_MS = 3000, 5000, 10_000
"""So long a cause must be gone: old data; a jump or a gap; a spread."""
BAD_PRINT_BPS = Decimal(50)
"""A step within a second that is a relayer's, or a bad print: quotes stay away for a minute."""
BAD_PRINT_MS = 60_000
JUMP, STEP = "the price jumped", "the price made a step that may be none"
OLD_CONTEXT, OLD_QUOTES = "the market's context is old", "the market's quotes are old"
_UNSURE = frozenset({JUMP, STEP, OLD_CONTEXT, OLD_QUOTES})
JUMP_SIGMAS = 4
GAP_BACK = Decimal("0.75")
"""A gap is over below this share of what pulled the quotes."""
SWEEP_MS, SWEEP_FILLS = 1000, 2
SWEEP_MOST_MS, SWEEP_QUIET_MS = 300_000, 600_000
"""Each further sweep of a side within ten minutes keeps it away for twice as long, five minutes at most."""

RUN_FILLS, RUN_MS = 3, 120_000
"""So many quotes of one side executed and none of the other, within so long of each other: the market goes that way."""


class Pulls:
    """The causes of one market."""

    def __init__(self, params: QuoteParams) -> None:
        self._p = params
        self._until: dict[str, int] = {}
        self._prices: deque[tuple[int, Decimal, Decimal]] = deque()
        """(when, oracle, fair mid or book) of the last second, and what stood as it began."""
        self._fills: dict[Side, deque[tuple[int, str]]] = {side: deque(maxlen=8) for side in SIDES}
        self._run: tuple[Side | None, list[str], int] = (None, [], 0)
        """The side whose quotes execute, which these were, and until when that counts."""
        self._sides: dict[Side, int] = {}
        self._swept: dict[Side, tuple[int, int]] = {}
        """Side -> (how long it was kept away last, until when that is remembered)."""

    def pull(self, why: str, until_ms: int) -> bool:
        """Keep quotes away until then, or longer if that was so; whether it is new."""
        new = why not in self._until
        self._until[why] = max(until_ms, self._until.get(why, 0))
        return new

    def reasons(self, now_ms: int) -> tuple[str, ...]:
        """Why quotes are kept away now."""
        self._until = {why: until for why, until in self._until.items() if until > now_ms}
        return tuple(self._until)

    def unsure(self, now_ms: int) -> bool:
        """Whether prices may be none now: they jumped, or are old."""
        return any(until > now_ms for why, until in self._until.items() if why in _UNSURE)

    def data(self, view: MarketView, now_ms: int) -> None:
        """Look at the age of what was received, and at the book itself."""
        bbo = None if view.bbo_at_ms is None else now_ms - view.bbo_at_ms
        ctx = None if view.ctx_at_ms is None else now_ms - view.ctx_at_ms
        if ctx is None or ctx > CTX_AGE_MS:
            self.pull(OLD_CONTEXT, now_ms + FRESH_MS)
        if bbo is None or (bbo > BBO_AGE_MS and ctx is not None and ctx > BBO_AGE_MS):
            self.pull(OLD_QUOTES, now_ms + FRESH_MS)
        if not view.two_sided or view.bid is None or view.ask is None:
            self.pull("the book has one side", now_ms + NORMAL_MS)
        elif bps_of(view.ask.px - view.bid.px, view.bid.px) > self._p.max_spread_bps:
            self.pull("the book is too wide", now_ms + NORMAL_MS)

    def prices(
        self, oracle: Decimal, found: Fair, sigma_bps: Decimal, now_ms: int, book: Decimal | None = None
    ) -> None:
        """Look at how the anchors stand to each other, and at how they moved within a second. `book`: the middle of the
        touch, where fair is not made of it."""
        gap = "the anchors are apart"
        if found.gap_bps > self._p.max_gap_bps * (GAP_BACK if gap in self._until else 1):
            self.pull(gap, now_ms + CALM_MS)
        while len(self._prices) > 1 and now_ms - self._prices[1][0] > 1000:
            self._prices.popleft()  # the first of those left stood as the second began
        mid, bound = book or found.mid, max(self._p.jump_bps, JUMP_SIGMAS * sigma_bps)
        moved = max(_farthest(oracle, [o for _, o, _ in self._prices]), _farthest(mid, [f for _, _, f in self._prices]))
        if moved >= BAD_PRINT_BPS:
            self.pull(STEP, now_ms + BAD_PRINT_MS)
        elif moved >= bound:
            self.pull(JUMP, now_ms + CALM_MS)
        if self._prices and self._prices[-1][1:] == (oracle, mid):
            self._prices.pop()  # they still stand
        self._prices.append((now_ms, oracle, mid))

    def band(self, away_bps: Decimal, now_ms: int) -> None:
        """While the underlying is closed: how far the book has wandered from its oracle."""
        if away_bps > self._p.closed_band_bps:
            self.pull("the book is far from its oracle", now_ms + CALM_MS)

    # One side.

    def filled(self, side: Side, cloid: str, now_ms: int) -> bool:
        """A quote executed. Two of one side within a second are a sweep: that side rests; whether it was one."""
        self._note_run(side, cloid, now_ms)
        recent = self._fills[side]
        for known in [fill for fill in recent if fill[1] == cloid]:
            recent.remove(known)  # several trades of one quote are one, and as old as the last of them
        recent.append((now_ms, cloid))
        if sum(1 for at, _ in recent if now_ms - at <= SWEEP_MS) < SWEEP_FILLS:
            return False
        recent.clear()
        before, remembered = self._swept.get(side, (0, 0))
        ms = min(SWEEP_MOST_MS, before * 2) if before and now_ms < remembered else self._p.side_pull_ms
        self._swept[side] = (ms, now_ms + ms + SWEEP_QUIET_MS)
        self.pull_side(side, now_ms + ms)
        return True

    def _note_run(self, side: Side, cloid: str, now_ms: int) -> None:
        of, cloids, until_ms = self._run
        going_on = cloids if of is side and now_ms < until_ms else []
        self._run = side, list(dict.fromkeys([*going_on, cloid]))[-RUN_FILLS:], now_ms + RUN_MS

    def run(self, now_ms: int) -> Side | None:
        """The side that the market runs into: three quotes of it executed in a row, and none of the other."""
        side, cloids, until_ms = self._run
        return side if len(cloids) >= RUN_FILLS and now_ms < until_ms else None

    def pull_side(self, side: Side, until_ms: int) -> None:
        """Keep one side away until then."""
        self._sides[side] = max(until_ms, self._sides.get(side, 0))

    def side(self, side: Side, now_ms: int) -> bool:
        """Whether a side is kept away."""
        return self._sides.get(side, 0) > now_ms


def _farthest(px: Decimal, before: list[Decimal]) -> Decimal:
    """How far a price is from any of those before, in basis points of that one: the lowest or the highest."""
    if not before:
        return ZERO
    low, high = min(before), max(before)
    if low == px == high:
        return ZERO
    return max(abs(bps_of(px - low, low)), abs(bps_of(px - high, high)))
