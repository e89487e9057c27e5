"""What a market's quotes did: counts, the spread they captured, what became of the price after. Confined to the tick.

A markout is what a fill was worth some seconds later, in basis points and from our side; a price that is missing then
is no data, never zero. Readers ask for single values, each of which is one step.
"""

from collections import Counter, deque
from decimal import Decimal

from hip3.core.money import ZERO, bps_of, div
from hip3.core.orders import Side

HORIZONS_S = (1, 5, 30)
LATE_MS = 2000
"""A price that comes so much later than its horizon is not that horizon's."""


class _Mean:
    """Weighted by volume."""

    def __init__(self) -> None:
        self._usd = self._sum = ZERO

    def add(self, bps: Decimal, usd: Decimal) -> None:
        self._usd += usd
        self._sum += bps * usd

    @property
    def usd(self) -> Decimal:
        """What the basis points came to."""
        return self._sum / 10_000

    @property
    def value(self) -> Decimal | None:
        return div(self._sum, self._usd) if self._usd else None


class QuoteFigures:
    """One market's. Times are monotonic milliseconds."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """placed, cancelled, kept, fills, refused."""
        self._captured = _Mean()
        self._markouts = {s: _Mean() for s in HORIZONS_S}
        self._recent = ZERO
        self._judged = 0
        self._open: deque[tuple[int, int, Side, Decimal, Decimal]] = deque()
        """(due, horizon, side, price, USD) of fills that are still to be judged."""
        self._up_ms = self._allowed_ms = 0
        self._at_ms: int | None = None

    def filled(self, side: Side, px: Decimal, sz: Decimal, fair: Decimal | None, now_ms: int) -> None:
        """A quote executed; `fair` is what the market was worth then, None where nobody knows."""
        self.counts["fills"] += 1
        usd = px * sz
        if fair is not None:
            self._captured.add(bps_of(side.sign * (fair - px), px), usd)
        for seconds in HORIZONS_S:
            self._open.append((now_ms + seconds * 1000, seconds, side, px, usd))

    def look(self, fair: Decimal | None, *, both: bool, allowed: bool, now_ms: int) -> None:
        """A pass: judge the fills whose time has come, and count the time in which both sides rest."""
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
                bps = bps_of(side.sign * (fair - px), px)
                self._markouts[seconds].add(bps, usd)
                if seconds == 5:
                    self._judged += 1
                    self._recent += (bps - self._recent) * (Decimal("0.2") if self._judged > 1 else 1)
        self._open = left

    @property
    def recent_bps(self) -> Decimal | None:
        """The markout after five seconds of the latest fills; None before five of them."""
        return self._recent if self._judged >= 5 else None

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
