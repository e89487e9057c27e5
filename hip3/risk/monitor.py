"""RiskMonitor: counters over events that trip the HardStop. A pure fold.

Fed by the one pipeline of orders and fills, confined to the risk thread. Each trigger is "more than"
its threshold. Which refusals count is a column of the closed table in `core.refusals`: an IOC without
match, a reduce-only race or a notional that shrank are not failures of ours.
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


TRIGGERS = ("max_loss", "consecutive_losses", "flatten_failures", "rejects", "slippage")
"""Codes of the breaches, as they begin a latch's reason."""


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Thresholds, each "more than"."""

    max_loss_usd: Decimal
    max_consecutive_losses: int
    max_flatten_failures: int
    max_rejects_per_hour: int
    max_slippage_bps: Decimal
    slippage_streak: int


class FlattenFailed(msgspec.Struct, frozen=True):
    """An exit attempt ended without closing what it was sent for."""

    coin: str
    failures: int


RiskEvent = OrderChanged | OrderFinished | RoundTrip | FlattenFailed


class Breach(msgspec.Struct, frozen=True):
    """A trigger: its code, a sentence, and the numbers."""

    code: str
    detail: str
    evidence: dict[str, Any]


def slippage_bps(event: OrderFinished) -> Decimal:
    """How much worse than the touch at decision time an order was filled; never negative."""
    touch = event.order.touch_px
    worse = (event.avg_px - touch) * event.order.side.sign
    return max(ZERO, bps_of(worse, touch))


class RiskMonitor:
    """Folds events; `apply` returns the first breach or None."""

    def __init__(self, limits: RiskLimits) -> None:
        self.limits = limits
        self.net_usd = ZERO
        self.losing_run = 0
        self.rejects: deque[int] = deque()
        self.slipped = 0

    def apply(self, event: RiskEvent, now_ms: int) -> Breach | None:
        """Fold one event in; `now_ms` is monotonic."""
        if isinstance(event, RoundTrip):
            return self._round_trip(event)
        if isinstance(event, FlattenFailed):
            return self._flatten_failed(event)
        if isinstance(event, OrderFinished):
            return self._finished(event) if event.order.touch_px > 0 else None
        if event.after is OrderState.REJECTED and classify(event.why).counts:
            return self._reject(event, now_ms)
        return None

    def _round_trip(self, trip: RoundTrip) -> Breach | None:
        self.net_usd += trip.net
        self.losing_run = self.losing_run + 1 if trip.net < 0 else 0
        if -self.net_usd > self.limits.max_loss_usd:
            limit = self.limits.max_loss_usd
            detail = f"{-self.net_usd} USD lost, more than {limit}"
            return Breach("max_loss", detail, {"net_usd": str(self.net_usd), "limit_usd": str(limit)})
        if self.losing_run > self.limits.max_consecutive_losses:
            run, most = self.losing_run, self.limits.max_consecutive_losses
            return Breach("consecutive_losses", f"{run} losing round trips in a row, more than {most}", {"run": run})
        return None

    def _flatten_failed(self, event: FlattenFailed) -> Breach | None:
        most = self.limits.max_flatten_failures
        if event.failures <= most:
            return None
        detail = f"{event.failures} exits of {event.coin} did not close it, more than {most}"
        return Breach("flatten_failures", detail, {"coin": event.coin, "failures": event.failures})

    def _reject(self, event: OrderChanged, now_ms: int) -> Breach | None:
        self.rejects.append(now_ms)
        while self.rejects and now_ms - self.rejects[0] >= HOUR_MS:
            self.rejects.popleft()
        count, most = len(self.rejects), self.limits.max_rejects_per_hour
        if count <= most:
            return None
        return Breach("rejects", f"{count} refusals within an hour, more than {most}", {"last": event.why})

    def _finished(self, event: OrderFinished) -> Breach | None:
        slipped = slippage_bps(event)
        self.slipped = self.slipped + 1 if slipped > self.limits.max_slippage_bps else 0
        if self.slipped < self.limits.slippage_streak:
            return None
        detail = f"{self.slipped} orders in a row slipped more than {self.limits.max_slippage_bps} bps"
        return Breach("slippage", detail, {"last_bps": str(slipped), "cloid": event.order.cloid})
