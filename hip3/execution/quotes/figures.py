"""What a market's quotes did: counts, the spread they captured, what became of the price after. Confined to the tick.

A markout is what a fill was worth some seconds later, in basis points and from our side; a price that is missing then
is no data, never zero. Readers ask for single values, each of which is one step.
"""

from collections import Counter, deque
from decimal import Decimal

from hip3.core.money import ZERO, div
from hip3.core.orders import Side
from hip3.core.results import LATE_MS, Mean, markout_bps
from hip3.core.results import QUOTE_HORIZONS_S as HORIZONS_S

Judged = tuple[int, Decimal, Decimal]
"""A markout: seconds after the fill, basis points, USD of the fill."""

RECENT_MS = 3_600_000
"""Fills of longer ago are not the latest ones any more."""


class QuoteFigures:
    """One market's. Times are monotonic milliseconds."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """placed, cancelled, kept, fills, refused."""
        self._captured = Mean()
        self._markouts = {s: Mean() for s in HORIZONS_S}
        self._recent = ZERO
        self._judged = self._judged_ms = 0
        """How many fills of late, and when the last of them was."""
        self._open: deque[tuple[int, int, Side, Decimal, Decimal]] = deque()
        """(due, horizon, side, price, USD) of fills that are still to be judged."""
        self._up_ms = self._allowed_ms = 0
        self._at_ms: int | None = None

    def filled(self, side: Side, px: Decimal, sz: Decimal, fair: Decimal | None, now_ms: int) -> None:
        """A quote executed; `fair` is what the market was worth then, None where nobody knows."""
        self.counts["fills"] += 1
        usd = px * sz
        if fair is not None:
            self._captured.add(markout_bps(side.sign, px, fair), usd)
        for seconds in HORIZONS_S:
            self._open.append((now_ms + seconds * 1000, seconds, side, px, usd))

    def look(self, fair: Decimal | None, *, both: bool, allowed: bool, now_ms: int) -> list[Judged]:
        """A pass: judge the fills whose time has come, and count the time in which both sides rest. What was judged."""
        judged: list[Judged] = []
        if self._at_ms is not None and allowed:
            self._allowed_ms += now_ms - self._at_ms
            self._up_ms += now_ms - self._at_ms if both else 0
        self._at_ms = now_ms
        left: deque[tuple[int, int, Side, Decimal, Decimal]] = deque()
        for item in self._open:
            due, seconds, side, px, usd = item
            if now_ms < due:
                left.append(item)
            elif fair is not None and now_ms - due <= LATE_MS:
                bps = markout_bps(side.sign, px, fair)
                self._markouts[seconds].add(bps, usd)
                judged.append((seconds, bps, usd))
                if seconds == 5:
                    if now_ms - self._judged_ms > RECENT_MS:
                        self._judged = 0  # what was long ago says nothing of this market
                    self._judged, self._judged_ms = self._judged + 1, now_ms
                    self._recent += (bps - self._recent) * (Decimal("0.2") if self._judged > 1 else 1)
        self._open = left
        return judged

    def recent_bps(self, now_ms: int) -> Decimal | None:
        """The markout after five seconds of the latest fills; None before five of them, and an hour after the last."""
        return self._recent if self._judged >= 5 and now_ms - self._judged_ms <= RECENT_MS else None

    def forget_recent(self) -> None:
        """What the latest fills made was answered by a pause: it is judged anew."""
        self._judged = 0

    @property
    def captured_bps(self) -> Decimal | None:
        """What fills were better than fair, on the mean."""
        return self._captured.value

    @property
    def captured_usd(self) -> Decimal:
        """The same in USD, summed."""
        return self._captured.usd

    @property
    def markout_bps(self) -> dict[int, Decimal | None]:
        """By seconds."""
        return {seconds: mean.value for seconds, mean in self._markouts.items()}

    @property
    def uptime(self) -> Decimal | None:
        """The share of the time allowed in which both sides rested; None before there was any."""
        return div(Decimal(self._up_ms), Decimal(self._allowed_ms)) if self._allowed_ms else None
