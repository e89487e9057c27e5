"""EntryGuards: pauses that the account's own results impose on entries. All are off by default.

    MaxDrawdown          the last hour has lost too much
    CorrelationCooldown  too many positions closed within a short time
    BurstSignal          too many accepted signals of one market; a large edge passes
    TiltGuard            too many losing round trips in a row
    ReEntryDelay         the market was left a moment ago
    MarketHealth         the market's last round trips are poor

Guards: the recent round trips and accepted signals. Called from: ws-reader (`refusal`, `accepted`), whichever
thread books a fill (`closed`), risk (`equity`, `kept`), main before there are threads. Times are exchange time. Every
pause ends by itself: by its own time, except that a losing run is ended by a gain alone, so that one more loss after
the pause begins another. After a restart the kept round trips are folded in again.

Results are net, in USD: fees taken off, funding added. A guard that lacks its input says no. Nothing here raises, and
no guard keeps an exit from leaving. Limits here are "at least", those of the RiskMonitor "more than".
"""

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from hip3.core.decisions import Numbers, RejectReason
from hip3.core.ledger import RoundTrip
from hip3.core.money import ONE, ZERO, div
from hip3.locks import new_lock

GUARDS = tuple(
    reason.value
    for reason in (
        RejectReason.MAX_DRAWDOWN, RejectReason.CORRELATION_COOLDOWN, RejectReason.BURST_SIGNAL,
        RejectReason.TILT_GUARD, RejectReason.RE_ENTRY_DELAY, RejectReason.MARKET_HEALTH,
    )
)  # fmt: skip
"""In the order they are asked."""
HOUR_MS = 3_600_000
KEPT = 1000
"""More round trips are not remembered; an hour that held more has other limits to stop it."""


class GuardSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Of one market, or of the account. 0 or false is off."""

    max_hourly_drawdown_usd: Decimal = ZERO
    """Net loss of the round trips that ended within the last hour; what is open does not count."""
    max_hourly_drawdown_pct: Decimal = ZERO
    """The same, in percent of the equity now; while that is unknown, no entry passes."""
    correlation_closes: int = 0
    """So many round trips, over all markets, that ended within the window."""
    correlation_window_ms: int = 30_000
    correlation_cooldown_ms: int = 60_000
    """From the last of them; one more within the window makes it longer."""
    burst: bool = False
    burst_window_ms: int = 1_800_000
    burst_max_signals: int = 3
    """So many accepted signals within the window begin the pause; then they are counted anew."""
    burst_cooldown_ms: int = 300_000
    burst_bypass_edge_bps: Decimal = ZERO
    """An edge of at least this passes the pause; 0: none does."""
    tilt: bool = False
    tilt_losses: int = 3
    """So many losing round trips in a row, over all markets; one that came to exactly 0 changes nothing."""
    tilt_cooldown_ms: int = 300_000
    re_entry_delay_ms: int = 0
    """From the end of the market's last round trip."""
    health: bool = False
    health_window: int = 20
    """So many of the market's latest round trips are looked at."""
    health_disable: Decimal = Decimal("0.3")
    """Below this `score` the market rests."""
    health_enable: Decimal = Decimal("0.5")
    """From this score on it is back; positions that end while it rests still count."""
    health_min_samples: int = 10
    """It is not judged before so many."""
    health_retry_ms: int = HOUR_MS
    """After so long it is tried again, with nothing held against it."""


class TripNote(msgspec.Struct, frozen=True):
    """What the guards remember of a round trip."""

    coin: str
    closed_ms: int
    net_usd: Decimal
    net_bps: Decimal
    """The result against what was entered; 0 where that is not known."""


def note_of(trip: RoundTrip) -> TripNote:
    """What the guards remember of a round trip."""
    return TripNote(trip.coin, trip.closed_ms, trip.net, trip.net_bps)


def score(trips: Iterable[TripNote]) -> Decimal:
    """A market's health from 0 to 1: 0.6 of the share of gains, 0.4 of the mean result (-1 bps is 0, 0 and more 1).

    Pure. There must be a round trip at least.
    """
    of = list(trips)
    gains = div(Decimal(sum(t.net_usd > 0 for t in of)), Decimal(len(of)))
    mean = div(sum((t.net_bps for t in of), ZERO), Decimal(len(of)))
    return Decimal("0.6") * gains + Decimal("0.4") * min(ONE, max(ZERO, mean + ONE))


class _Market:
    """What is remembered of one market."""

    __slots__ = ("accepted", "burst_until_ms", "disabled_ms", "left_ms", "trips")

    def __init__(self, window: int) -> None:
        self.accepted: deque[int] = deque(maxlen=KEPT)
        """When signals became orders, oldest first."""
        self.burst_until_ms = 0
        self.left_ms: int | None = None
        """When the last round trip ended."""
        self.disabled_ms: int | None = None
        """Since when it rests for its health; None while it does not."""
        self.trips: deque[TripNote] = deque(maxlen=window)


Refused = tuple[RejectReason, Numbers]
"""The guard that says no, and its figures."""


class EntryGuards:
    """See the module."""

    def __init__(self, settings: dict[str, GuardSettings], account: GuardSettings) -> None:
        """`settings` of each market; `account` for the guards that look at all of them, and for other markets."""
        self._lock = new_lock("EntryGuards")
        self._settings, self._account = settings, account
        self._markets: dict[str, _Market] = {}
        self._trips: list[TripNote] = []
        """By the time of their end: what is newer than some time is found without a look at each."""
        self._cooldown_until_ms = 0
        self._losses = 0
        self._tilt_until_ms = 0
        self._equity: Decimal | None = None
        self.count = 0
        """Round trips that were told; written under the lock, read without: it only says whether to keep them again."""

    # What happened.

    def closed(self, trip: TripNote) -> None:
        """A round trip ended. Told once for each; nothing here would notice a second time."""
        s, account = self._of(trip.coin), self._account
        with self._lock:
            market = self._market_locked(trip.coin, s)
            insort(self._trips, trip, key=_closed_ms)
            del self._trips[:-KEPT]
            self.count += 1
            market.left_ms = trip.closed_ms
            # Counted from this one's own time, not from now: at a restart old ones are folded in late.
            since_ms = trip.closed_ms - account.correlation_window_ms
            if account.correlation_closes and len(self._since_locked(since_ms)) >= account.correlation_closes:
                self._cooldown_until_ms = max(self._cooldown_until_ms, trip.closed_ms + account.correlation_cooldown_ms)
            self._losses = 0 if trip.net_usd > 0 else self._losses + (trip.net_usd < 0)
            if account.tilt and self._losses >= account.tilt_losses:
                self._tilt_until_ms = max(self._tilt_until_ms, trip.closed_ms + account.tilt_cooldown_ms)
            self._judge_health_locked(market, s, trip)

    def _judge_health_locked(self, market: _Market, s: GuardSettings, trip: TripNote) -> None:
        """Two thresholds, so that a market at the edge does not go to and fro."""
        market.trips.append(trip)
        if not s.health or len(market.trips) < s.health_min_samples:
            return
        points = score(market.trips)
        if market.disabled_ms is None and points < s.health_disable:
            market.disabled_ms = trip.closed_ms
        elif market.disabled_ms is not None and points >= s.health_enable:
            market.disabled_ms = None

    def accepted(self, coin: str, now_ms: int) -> None:
        """A signal became an order that waits in the queue. Called from: ws-reader."""
        s = self._of(coin)
        if not s.burst:
            return
        with self._lock:
            market = self._market_locked(coin, s)
            market.accepted.append(now_ms)
            while market.accepted and market.accepted[0] <= now_ms - s.burst_window_ms:
                market.accepted.popleft()
            if len(market.accepted) >= s.burst_max_signals:
                market.burst_until_ms = now_ms + s.burst_cooldown_ms
                market.accepted.clear()

    def equity(self, usd: Decimal | None) -> None:
        """What the account is worth in USD by the latest reading; None: unknown. Called from: risk, each second."""
        with self._lock:
            self._equity = usd

    # What follows.

    def refusal(self, coin: str, edge_bps: Decimal, now_ms: int) -> Refused | None:
        """Why an entry must wait, or None: the first guard that says so, in the order of `GUARDS`.

        `edge_bps` is the signal's, before costs. Asking changes nothing but a rest for poor health that is over.
        """
        s = self._of(coin)
        with self._lock:
            market = self._market_locked(coin, s)
            return (
                self._drawdown_locked(now_ms)
                or _until(RejectReason.CORRELATION_COOLDOWN, self._cooldown_until_ms, now_ms)
                or self._burst_locked(market, s, edge_bps, now_ms)
                or _until(RejectReason.TILT_GUARD, self._tilt_until_ms, now_ms)
                or _re_entry(market, s, now_ms)
                or self._health_locked(market, s, now_ms)
            )

    def _drawdown_locked(self, now_ms: int) -> Refused | None:
        """By what round trips of the last hour came to: gains among them make up for losses."""
        usd, pct = self._account.max_hourly_drawdown_usd, self._account.max_hourly_drawdown_pct
        if not usd and not pct:
            return None
        lost = -sum((t.net_usd for t in self._since_locked(now_ms - HOUR_MS)), ZERO)
        if usd and lost >= usd:
            return RejectReason.MAX_DRAWDOWN, (("lost_usd", f"{lost:.2f}"), ("limit_usd", str(usd)))
        if not pct:
            return None
        if self._equity is None or self._equity <= 0:
            return RejectReason.MAX_DRAWDOWN, (("missing", "equity"),)
        if lost * 100 >= pct * self._equity:
            return RejectReason.MAX_DRAWDOWN, (("lost_usd", f"{lost:.2f}"), ("limit_pct", str(pct)))
        return None

    def _since_locked(self, at_ms: int) -> list[TripNote]:
        """Round trips that ended after a time."""
        return self._trips[bisect_right(self._trips, at_ms, key=_closed_ms) :]

    def _burst_locked(self, market: _Market, s: GuardSettings, edge_bps: Decimal, now_ms: int) -> Refused | None:
        if not s.burst or (s.burst_bypass_edge_bps and edge_bps >= s.burst_bypass_edge_bps):
            return None
        return _until(RejectReason.BURST_SIGNAL, market.burst_until_ms, now_ms)

    def _health_locked(self, market: _Market, s: GuardSettings, now_ms: int) -> Refused | None:
        """A poor market rests, and is then judged anew: without trades it could never recover."""
        if market.disabled_ms is None:
            return None
        if now_ms - market.disabled_ms >= s.health_retry_ms:
            market.disabled_ms = None
            market.trips.clear()
            return None
        return _until(RejectReason.MARKET_HEALTH, market.disabled_ms + s.health_retry_ms, now_ms)

    def kept(self) -> list[TripNote]:
        """The round trips for a restart, oldest first, at most `KEPT`. Called from: risk."""
        with self._lock:
            return list(self._trips)

    def _of(self, coin: str) -> GuardSettings:
        return self._settings.get(coin, self._account)

    def _market_locked(self, coin: str, s: GuardSettings) -> _Market:
        return self._markets.setdefault(coin, _Market(s.health_window))


def _closed_ms(trip: TripNote) -> int:
    return trip.closed_ms


def _re_entry(market: _Market, s: GuardSettings, now_ms: int) -> Refused | None:
    if not s.re_entry_delay_ms or market.left_ms is None:
        return None
    return _until(RejectReason.RE_ENTRY_DELAY, market.left_ms + s.re_entry_delay_ms, now_ms)


def _until(reason: RejectReason, end_ms: int, now_ms: int) -> Refused | None:
    """A pause until then, or None when it is over."""
    return (reason, (("wait_ms", str(end_ms - now_ms)),)) if now_ms < end_ms else None
