"""What is lost within a UTC day, in dollars and as a share of equity. A pure fold; risk thread only.

The value is the account's result since its state began: realised - fees + funding + what open positions have
gained. Deposits and withdrawals are not in it, so that they are neither gains nor losses. Money is USD; a day begins
at midnight UTC by the exchange's time. No lock: at a start main uses it before there are threads.
"""

from decimal import Decimal

import msgspec

from hip3.core.money import ZERO, div
from hip3.risk.monitor import Breach

DAY_MS = 86_400_000
HUNDRED = Decimal(100)
"""Percent of the whole."""


class DrawdownLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Both per UTC day, "more than"; 0 is off."""

    max_daily_loss_usd: Decimal = ZERO
    """Below the value at the day's start."""
    max_drawdown_pct: Decimal = ZERO
    """Below the day's highest value, in percent of the equity then."""

    @property
    def on(self) -> bool:
        """Whether either limit is set."""
        return self.max_daily_loss_usd > 0 or self.max_drawdown_pct > 0


class KeptDay(msgspec.Struct, frozen=True, kw_only=True):
    """The day so far, as a restart goes on from it."""

    day: int = -1
    """Days since 1970; -1: nothing was seen yet."""
    start: Decimal = ZERO
    """The value at the day's first look: an account that was not looked at overnight begins there."""
    peak: Decimal = ZERO
    """The day's highest value; at least `start`."""
    equity: Decimal | None = None
    """What the account was worth at the peak; None: not known yet, then the share is not judged."""


class Drawdown:
    """See the module. `kept` is public to be written down; it is replaced, never changed."""

    def __init__(self, limits: DrawdownLimits, kept: KeptDay | None = None) -> None:
        self.limits = limits
        self.kept = kept or KeptDay()
        self.lost_usd = ZERO
        """Below the day's start at the last look; negative: gained."""

    def begin_anew(self, code: str) -> None:
        """A person reset the latch: what was lost before does not count again. Other codes than ours change nothing."""
        if code == "drawdown":
            self.kept = KeptDay()

    def rebase(self) -> None:
        """The account's worth is read in another way from now on: the share is of what the next look knows."""
        self.kept = msgspec.structs.replace(self.kept, equity=None)

    def look(self, value: Decimal, equity: Decimal | None, now_ms: int) -> Breach | None:
        """Judge the value at `now_ms` (exchange time); the breach, or None.

        `equity` is by the latest reading, None: unknown; then only what the day knows of it is used. A limit that is
        passed is told at each look, which does no harm: the latch keeps its first reason.
        """
        day, known = now_ms // DAY_MS, self.kept
        if known.day < day:  # a clock that was set back begins no day anew
            known = KeptDay(day=day, start=value, peak=value, equity=equity)
        elif value > known.peak or known.equity is None:
            peak = max(value, known.peak)
            known = KeptDay(
                day=known.day, start=known.start, peak=peak, equity=equity if equity is not None else known.equity
            )
        self.kept, self.lost_usd = known, known.start - value
        return self._daily(known.start - value) or self._share(known, known.peak - value, equity)

    def _daily(self, lost: Decimal) -> Breach | None:
        """In dollars since the day began."""
        limit = self.limits.max_daily_loss_usd
        if limit <= 0 or lost <= limit:
            return None
        return Breach("drawdown", f"{lost:.2f} USD lost today, more than {limit}", {"lost_usd": str(lost)})

    def _share(self, known: KeptDay, fallen: Decimal, equity: Decimal | None) -> Breach | None:
        """In percent of the equity at the peak."""
        limit = self.limits.max_drawdown_pct
        if limit <= 0 or known.equity is None or known.equity <= 0:
            return None
        # What was withdrawn since the peak is not there to lose.
        whole = known.equity if equity is None else min(known.equity, equity + fallen)
        if whole <= 0:
            return Breach("drawdown", "nothing is left of the account", {"fallen_usd": str(fallen)})
        share = div(fallen * HUNDRED, whole)
        if share <= limit:
            return None
        evidence = {"fallen_usd": str(fallen), "equity_usd": str(whole)}
        return Breach("drawdown", f"{share:.2f} % below today's highest value, more than {limit} %", evidence)
