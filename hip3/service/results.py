"""What the account earned, split by where it came from: today and since its state began. For status, page and curve.

What each figure means stands in `core/results.py`. The day is UTC by this machine's clock. The `live` thread alone
calls `look`; others read, each field one step.
"""

from decimal import Decimal
from typing import Any

from hip3.core.money import ZERO
from hip3.core.results import DAY_MS, NOTHING, Sums, plain, split
from hip3.ops.figures import Figures
from hip3.ops.history import History
from hip3.service.parts import Trading


def _quoted(trading: Trading) -> Decimal:
    return sum((m.figures.captured_usd for m in trading.quotes.markets.values()), ZERO)


def open_usd(trading: Trading) -> Decimal | None:
    """What our open positions have gained at their marks; None where a price is not known."""
    total, views = ZERO, trading.market_state.views()
    for p in trading.tracker.positions():
        if p.foreign:
            continue
        view = views.get(p.coin)
        if view is None or view.mark is None or not p.entry_px:
            return None
        total += p.szi * (view.mark - p.entry_px)
    return total


class Results:
    """What results are measured from. Replaced values, never changed ones."""

    def __init__(self) -> None:
        self.before = NOTHING
        """What earlier runs of this account's state kept: the sums that this run cannot know by itself."""
        self.day_began: Sums | None = None
        """The sums with which the UTC day began; None: not known yet."""
        self._day = -1

    def sums(self, trading: Trading, figures: Figures) -> Sums:
        """As of now; any thread. `figures`: of this run."""
        realized, fees, _, _ = trading.tracker.totals()
        before, gained, equity = self.before, open_usd(trading), trading.view.equity
        return Sums(
            realized_usd=plain(realized), fees_usd=plain(fees), funding_usd=plain(trading.tracker.funding()),
            captured_usd=plain(Decimal(before.captured_usd) + figures.captured + _quoted(trading)),
            open_usd=None if gained is None else plain(gained),
            equity_usd=None if equity is None else plain(equity),
            round_trips=before.round_trips + figures.round_trips, wins=before.wins + figures.wins,
        )  # fmt: skip

    def look(
        self, trading: Trading, figures: Figures, history: History | None, wall_ms: int, *, knew_account: bool
    ) -> Sums:
        """The sums now; begins a new day where one has begun. `knew_account`: an earlier run had this account's state.

        sqlite3.Error if the past cannot be read.
        """
        if self._day < 0 and history is not None:
            self.before = history.last_before(wall_ms) or NOTHING
        now = self.sums(trading, figures)
        day = wall_ms // DAY_MS
        if day > self._day:
            if self._day >= 0:
                self.day_began = now
            else:
                self.day_began = self._first(history, day, knew_account=knew_account) or now
            self._day = day
        return now

    def _first(self, history: History | None, day: int, *, knew_account: bool) -> Sums | None:
        """Where the day began, at the first look: with what was kept last before it, or with nothing earned."""
        kept = None if history is None else history.last_before(day * DAY_MS) or history.first_since(day * DAY_MS)
        return kept or (None if knew_account else NOTHING)

    def shown(self, now: Sums) -> dict[str, Any]:
        """`result` of the status."""
        began = self.day_began
        return {"today": None if began is None else split(now, began), "total": split(now, NOTHING)}
