"""RiskMonitor: counters over events that trip the HardStop. A pure fold.

Fed by the one pipeline of orders and fills, confined to the risk thread. Each trigger is "more than"
its threshold. Which refusals count is a column of the closed table in `core.refusals`: an IOC without
match, a reduce-only race or a notional that shrank are not failures of ours. `kept` is what a restart goes on from.

Money is USD and net of fees and funding; slippage is basis points of the touch. No lock: main uses it before there
are threads, then the risk thread alone; status reads single figures. A breach is told again with each further event:
the latch keeps the first.
"""

from collections import deque
from decimal import Decimal
from typing import Any

import msgspec

from hip3.core.ledger import OrderChanged, OrderFinished, RoundTrip
from hip3.core.money import ZERO, bps_of
from hip3.core.order_state import OrderState
from hip3.core.refusals import classify

HOUR_MS = 3_600_000
"""Refusals are counted over so long, by the time they were folded in."""


TRIGGERS = ("max_loss", "consecutive_losses", "flatten_failures", "rejects", "slippage")
"""Codes of the breaches, as they begin a latch's reason."""


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Thresholds, each "more than"; only `slippage_streak` is "so many". None can be off."""

    max_loss_usd: Decimal
    """Over all round trips since the last reset for this trigger, with what open ones have lost; gains make up for
    losses."""
    max_consecutive_losses: int
    max_flatten_failures: int
    """Of one position."""
    max_rejects_per_hour: int
    """Of those that count by the table of refusals."""
    max_slippage_bps: Decimal
    """What an order may slip without being one of the streak."""
    slippage_streak: int
    """So many finished orders in a row that slipped more trip it, entries and exits alike."""


class FlattenFailed(msgspec.Struct, frozen=True):
    """An exit attempt ended without closing what it was sent for."""

    coin: str
    failures: int
    """How many there were of this position; the exit desk counts them."""


RiskEvent = OrderChanged | OrderFinished | RoundTrip | FlattenFailed
"""What is put into the risk queue, by whichever thread changed the books."""


class Breach(msgspec.Struct, frozen=True):
    """A trigger: its code, a sentence, and the numbers. Whoever gets one trips the latch with it."""

    code: str
    """One of `TRIGGERS`, or "drawdown" or "manual" of the other folds."""
    detail: str
    evidence: dict[str, Any]
    """As JSON can hold it: numbers with decimals are strings."""


class KeptCounters(msgspec.Struct, frozen=True, kw_only=True):
    """The counters for a restart."""

    net_usd: Decimal = ZERO
    """Realised - fees + funding of round trips since the last reset."""
    losing_run: int = 0
    """Losing round trips in a row; one that lost nothing ends it."""
    rejects: list[int] = []
    """Exchange times of the last hour's refusals that count."""
    slipped: int = 0
    """Finished orders in a row that slipped too much."""
    closed: dict[str, int] = {}
    """When the newest round trip of each market that was counted ended (exchange time)."""


def slippage_bps(event: OrderFinished) -> Decimal:
    """How much worse than the touch at decision time an order was filled, in basis points of it; never negative.

    The order must have a touch (`touch_px` above 0). A better price is 0, so that luck does not hide bad fills.
    """
    touch = event.order.touch_px
    worse = (event.avg_px - touch) * event.order.side.sign
    return max(ZERO, bps_of(worse, touch))


class RiskMonitor:
    """Folds events; `apply` returns the first breach or None. All times are exchange time."""

    def __init__(self, limits: RiskLimits, kept: KeptCounters | None = None) -> None:
        """`kept`: the counters of an earlier run; None begins at nothing."""
        self.limits = limits
        kept = kept or KeptCounters()
        self.net_usd = kept.net_usd
        self.losing_run = kept.losing_run
        # One more than the limit is all it takes to tell; older ones need not be remembered.
        self.rejects: deque[int] = deque(kept.rejects, maxlen=limits.max_rejects_per_hour + 1)
        self.slipped = kept.slipped
        self._closed = dict(kept.closed)

    def kept(self) -> KeptCounters:
        """What a restart goes on from; a copy."""
        return KeptCounters(
            net_usd=self.net_usd, losing_run=self.losing_run, rejects=list(self.rejects), slipped=self.slipped,
            closed=dict(self._closed),
        )  # fmt: skip

    def counted(self, trip: RoundTrip) -> bool:
        """Whether a round trip, found again at a start, is in the counters already: by its market and its end."""
        return trip.closed_ms <= self._closed.get(trip.coin, -1)

    def begin_anew(self, code: str, open_usd: Decimal = ZERO) -> None:
        """A person reset the latch: the counter that had tripped it starts at nothing, and what open positions have
        come to by then (`open_usd`) counts no more.

        `code` is `Reset.code`. Failed exits are counted elsewhere (`position.exits`); other codes change nothing.
        """
        if code == "max_loss":
            self.net_usd = -open_usd
        elif code == "consecutive_losses":
            self.losing_run = 0
        elif code == "rejects":
            self.rejects.clear()
        elif code == "slippage":
            self.slipped = 0

    def apply(self, event: RiskEvent, now_ms: int) -> Breach | None:
        """Fold one event in; the breach that it makes, or None. Each event once: nothing here notices a repetition.

        `now_ms` dates refusals. An order without a touch (a protective stop) has no slippage to count.
        """
        if isinstance(event, RoundTrip):
            return self._round_trip(event)
        if isinstance(event, FlattenFailed):
            return self._flatten_failed(event)
        if isinstance(event, OrderFinished):
            return self._finished(event) if event.order.touch_px > 0 else None
        if event.after is OrderState.REJECTED and classify(event.why).counts:
            self.rejects.append(now_ms)
            return self._rejects(now_ms, event.why)
        return None

    def judge(self, now_ms: int) -> Breach | None:
        """The counters as they stand: at a start, before anything may be traded. The first breach, or None."""
        return self._loss() or self._run() or self._rejects(now_ms, "before this start") or self._slippage("", ZERO)

    def _round_trip(self, trip: RoundTrip) -> Breach | None:
        self._closed[trip.coin] = max(trip.closed_ms, self._closed.get(trip.coin, 0))
        self.net_usd += trip.net
        if not trip.quoted:
            self.losing_run = self.losing_run + 1 if trip.net < 0 else 0
        return self._loss() or self._run()

    def losing(self, open_usd: Decimal) -> Breach | None:
        """Judge with what open positions have come to: one that turns through zero for days ends no round trip."""
        return self._loss(open_usd)

    def _loss(self, open_usd: Decimal = ZERO) -> Breach | None:
        limit, net = self.limits.max_loss_usd, self.net_usd + open_usd
        if -net <= limit:
            return None
        detail = f"{-net} USD lost, more than {limit}"
        return Breach("max_loss", detail, {"net_usd": str(net), "limit_usd": str(limit)})

    def _run(self) -> Breach | None:
        run, most = self.losing_run, self.limits.max_consecutive_losses
        if run <= most:
            return None
        return Breach("consecutive_losses", f"{run} losing round trips in a row, more than {most}", {"run": run})

    def _flatten_failed(self, event: FlattenFailed) -> Breach | None:
        most = self.limits.max_flatten_failures
        if event.failures <= most:
            return None
        detail = f"{event.failures} exits of {event.coin} did not close it, more than {most}"
        return Breach("flatten_failures", detail, {"coin": event.coin, "failures": event.failures})

    def _rejects(self, now_ms: int, last: str) -> Breach | None:
        """Forget those of more than an hour ago, then judge; `last` is the text that made the breach."""
        while self.rejects and now_ms - self.rejects[0] >= HOUR_MS:
            self.rejects.popleft()
        count, most = len(self.rejects), self.limits.max_rejects_per_hour
        if count <= most:
            return None
        return Breach("rejects", f"{count} refusals within an hour, more than {most}", {"last": last})

    def _finished(self, event: OrderFinished) -> Breach | None:
        slipped = slippage_bps(event)
        self.slipped = self.slipped + 1 if slipped > self.limits.max_slippage_bps else 0
        return self._slippage(event.order.cloid, slipped)

    def _slippage(self, cloid: str, last_bps: Decimal) -> Breach | None:
        if self.slipped < self.limits.slippage_streak:
            return None
        detail = f"{self.slipped} orders in a row slipped more than {self.limits.max_slippage_bps} bps"
        return Breach("slippage", detail, {"last_bps": str(last_bps), "cloid": cloid})
