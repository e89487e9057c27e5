"""What the market-health gates know of one market: its settings, what they remember, and whether a look is a usual one.

Pure but for the memory, which is confined to the ws-reader. Times are monotonic milliseconds.
"""

from decimal import Decimal

import msgspec
from msgspec.structs import force_setattr

from hip3.core.market import MarketView
from hip3.core.money import BASIS_POINT, HALF, ONE, ZERO
from hip3.core.windows import MINUTE_MS, Sessions, Window, in_window

EWMA_SHARE = Decimal("0.05")
"""What a new spread weighs in the average."""
EWMA_SAMPLES = 20
"""Of so many spreads an average is made before any is called a shock."""
FORGET_MS = 600_000
"""So long without good data of a market, and the past is no measure any more."""


ALWAYS = Sessions()


class MarketGateParams(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one market; 0 or empty is off."""

    max_bbo_age_ms: int = 0
    """Judged only while contexts are late, too: an unchanged touch sends nothing (docs/venue-facts.md F15)."""
    max_ctx_age_ms: int = 0
    """Contexts come about once a second whatever happens, so their age is the market's (docs/venue-facts.md F15)."""
    max_mark_mid_bps: Decimal = ZERO
    """Between mark and the middle of the book, in basis points of the middle."""
    spread_shock: Decimal = ZERO
    """Multiple of the usual spread from which orders are smaller; twice that blocks."""
    blackout: tuple[Window, ...] = ()
    """Times of a UTC day without entries."""
    sessions: Sessions = ALWAYS
    """Hours of a week with entries."""
    max_oracle_still_ms: int = 0
    """Since the oracle's price last changed, not since it was last told."""
    max_oracle_step_bps: Decimal = ZERO
    """Of one publication of the oracle after another: a print of the wrong price is no news to trade on."""
    max_edge_bps: Decimal = ZERO
    """Between the oracle and a touch that lags it: who sees more than others would take sees something wrong."""
    timed: bool = False
    mark_mid_share: Decimal = ZERO
    edge_share: Decimal = ZERO
    """Set by themselves: whether hours matter, and the limits as a share."""

    def __post_init__(self) -> None:
        force_setattr(self, "timed", bool(self.blackout) or not self.sessions.always)
        force_setattr(self, "mark_mid_share", self.max_mark_mid_bps * BASIS_POINT)
        force_setattr(self, "edge_share", self.max_edge_bps * BASIS_POINT)


class Track:
    """What is remembered of one market."""

    __slots__ = (
        "blocked",
        "book_time_ms",
        "ctx_gap_ms",
        "ctx_ms",
        "doubt",
        "doubt_until_ms",
        "forward_ms",
        "generation",
        "mean",
        "minute",
        "normal_ms",
        "open",
        "oracle",
        "oracle_ms",
        "samples",
        "was_clear",
        "wide",
    )  # fmt: skip

    def __init__(self) -> None:
        self.blocked: str | None = None
        """The gate that blocks it now."""
        self.generation = -1
        self.book_time_ms = 0
        """The exchange's time of the newest book that was believed."""
        self.ctx_ms: int | None = None
        self.ctx_gap_ms = 0
        """Between the last two contexts."""
        self.oracle: Decimal | None = None
        self.oracle_ms = 0
        """When the oracle last moved; it outlives a cut, since an oracle that stood still may still do so."""
        self.mean = ZERO
        """EWMA of the spread as a share of the middle; a plain mean until there are enough samples."""
        self.samples = 0
        self.was_clear = False
        """Whether a look has ever found it good."""
        self.wide = False
        """The spread is wide enough to make orders smaller."""
        self.doubt, self.doubt_until_ms = "", 0
        """Why its prices are not believed, and until when."""
        self.forward_ms = self.normal_ms = 0
        """When the book was last of its time, and the spread last a usual one: no bbo tells of a touch that stands, and
        each context finds it so."""
        self.minute, self.open = -1, False
        """The minute of wall time that was looked at last, and whether it may be traded in."""

    def open_at(self, params: MarketGateParams, wall_ms: int) -> bool:
        """Whether hours and blackouts leave a wall time open."""
        minute = wall_ms // MINUTE_MS
        if minute != self.minute:
            self.minute = minute
            self.open = params.sessions.open_at(wall_ms) and not in_window(params.blackout, wall_ms)
        return self.open


def learn(track: Track, spread: Decimal, now_ms: int, *, known: bool) -> None:
    """A spread enters the average; `known`: there are enough of them for one that forgets."""
    share = EWMA_SHARE if known else ONE / (track.samples + 1)
    track.mean += share * (spread - track.mean)
    track.samples = min(track.samples + 1, EWMA_SAMPLES)
    track.normal_ms = now_ms


def usual(track: Track, params: MarketGateParams, view: MarketView, now_ms: int, wall_ms: int, *, bbo: bool) -> bool:
    """Whether every gate would clear a market that has no flag, asked of all of them at once: most looks are such,
    and eleven calls for each were most of what a frame cost. It may only say yes, and then remembers what the
    gates would have; what it doubts they judge themselves."""
    bid, ask, mark, oracle, ctx_at = view.bid, view.ask, view.mark, view.oracle, view.ctx_at_ms
    if bid is None or ask is None or mark is None or oracle is None or ctx_at is None or view.bbo_at_ms is None:
        return False
    if now_ms < track.doubt_until_ms or view.book_time_ms < track.book_time_ms:
        return False
    if params.timed and not track.open_at(params, wall_ms):
        return False
    if (
        (params.max_ctx_age_ms and now_ms - ctx_at > params.max_ctx_age_ms)
        or (params.max_bbo_age_ms and now_ms - view.bbo_at_ms > params.max_bbo_age_ms)
        or (params.max_oracle_still_ms and now_ms - track.oracle_ms > params.max_oracle_still_ms)
    ):
        return False
    low, high = bid.px, ask.px
    mid = (low + high) * HALF
    if low >= high or (params.max_mark_mid_bps and abs(mark - mid) > params.mark_mid_share * mid):
        return False
    leads = params.max_edge_bps and (oracle > high or oracle < low)
    if leads and max(oracle - high, low - oracle) > params.edge_share * oracle:
        return False
    if params.spread_shock:
        spread, known = (high - low) / mid, track.samples >= EWMA_SAMPLES
        if known and spread > params.spread_shock * track.mean:
            return False
        if bbo:
            learn(track, spread, now_ms, known=known)
        else:
            track.normal_ms = now_ms
    track.wide = False
    track.forward_ms = now_ms
    if bbo:
        track.book_time_ms = view.book_time_ms
    return True
