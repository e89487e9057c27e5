"""The market-health gates: whether a market's data may be believed, before a signal exists.

In this order, and the first that blocks names the reason: bbo_update, ctx_update, time_regression,
mark_mid_divergence, spread_shock, oi_cap, param_change, halt, time_of_day, oracle_frozen, unbelievable. A wide spread
first makes orders smaller, then blocks. State is per market and confined to the ws-reader; `stale` may be asked by any
thread.
A change of state is told to the caller, a block is only counted. Every block ends by itself when the market's next
data are good; the two that compare with the past (time, spread) forget it after a while, so that a new normal is
one. Ages are since receipt: an unchanged price that was repeated is fresh.

No lock of its own; `MarketFlags` has one. Ages are monotonic milliseconds, blackouts go by wall time, the times of
two books are compared with each other alone. Nothing here raises. Exits are not asked: they leave on any data.
"""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from hip3.core.decisions import CLEAR, Standing
from hip3.core.market import DELISTED, MarketView
from hip3.core.money import BASIS_POINT, TEN_THOUSAND, ZERO
from hip3.core.windows import in_window
from hip3.risk.market_flags import Flag, MarketFlags
from hip3.risk.market_track import EWMA_SAMPLES, FORGET_MS, MarketGateParams, Track, learn, usual

REDUCED = Decimal("0.2")
"""Size of orders while the spread is wide."""
DOUBT_MS = 60_000
"""So long a market is not entered after a price that cannot be believed."""
_WIDE = Standing(None, REDUCED, "wide spread")


class MarketGates:
    """See the module. A market without parameters is not judged: it is always clear."""

    def __init__(
        self,
        params: dict[str, MarketGateParams],
        flags: MarketFlags,
        blocked: Callable[[str], str | None],
        on_change: Callable[[str, str | None, str], None],
    ) -> None:
        """`blocked(coin)`: why a market's parameters forbid it; `on_change(coin, gate or None, why)`.

        Both are called on the ws-reader, `blocked` by the tick too (`stale`); neither may block.
        """
        self._params, self._flags, self._blocked, self._on_change = params, flags, blocked, on_change
        self._tracks = {coin: Track() for coin in params}
        self.blocks: Counter[str] = Counter()
        """Looks that were blocked, by gate. Written by the ws-reader; status copies it."""

    def on_bbo(self, view: MarketView, now_ms: int, wall_ms: int) -> Standing:
        """A touch arrived: `now_ms` is monotonic, `wall_ms` decides about blackouts.

        What the gates say of the market with it; only touches enter the averages and move the book's time.
        """
        return self._look(view, now_ms, wall_ms, bbo=True)

    def on_ctx(self, view: MarketView, now_ms: int, wall_ms: int) -> Standing:
        """An asset context arrived: what the gates say of the market with it. Times as in `on_bbo`."""
        track = self._tracks.get(view.coin)
        if track is not None:
            self._renew(track, view)
            track.ctx_gap_ms = 0 if track.ctx_ms is None else now_ms - track.ctx_ms
            track.ctx_ms = now_ms
            if view.oracle != track.oracle:
                self._judge_step(track, self._params[view.coin].max_oracle_step_bps, view.oracle, now_ms)
                track.oracle, track.oracle_ms = view.oracle, now_ms
        return self._look(view, now_ms, wall_ms, bbo=False)

    @staticmethod
    def _judge_step(track: Track, most_bps: Decimal, oracle: Decimal | None, now_ms: int) -> None:
        """An oracle that leaps is doubted for a minute, and so is the leap back."""
        before = track.oracle
        if not most_bps or not before or oracle is None or abs(oracle - before) <= most_bps * BASIS_POINT * before:
            return
        track.doubt, track.doubt_until_ms = f"the oracle went from {before} to {oracle} at once", now_ms + DOUBT_MS

    def stale(self, view: MarketView | None, now_ms: int) -> str | None:
        """Why an order decided a while ago must not leave now, or None. Any thread; the tick asks before it signs.

        It looks at what time alone can spoil, and at flags: the rest was judged with the data it was decided on.
        A market that was never seen (None) has no market data. KeyError for a market without parameters.
        """
        if view is None:
            return "no market data"
        params = self._params[view.coin]
        if params.max_ctx_age_ms and (view.ctx_at_ms is None or now_ms - view.ctx_at_ms > params.max_ctx_age_ms):
            return "ctx_update"
        flags = self._flags.of(view.coin, now_ms)
        return next(iter(flags), None) or ("param_change" if self._blocked(view.coin) else None)

    def standing(self) -> dict[str, str]:
        """Markets that are blocked now, and by which gate; for the status. Any thread: the markets are fixed."""
        return {coin: track.blocked for coin, track in self._tracks.items() if track.blocked is not None}

    def blocks_now(self, coin: str) -> str | None:
        """The gate that blocked a market as it was looked at last; None: none did. Any thread."""
        track = self._tracks.get(coin)
        return None if track is None else track.blocked

    def slowed(self, now_ms: int) -> tuple[int, int] | None:
        """(smallest time between contexts, limit) where those of every market come later than its gate bears: then it
        is the feed and no market. Any thread."""
        judged = [(c, t, self._params[c].max_ctx_age_ms) for c, t in self._tracks.items() if t.ctx_ms is not None]
        gaps = [(max(t.ctx_gap_ms, now_ms - (t.ctx_ms or now_ms)), limit) for _, t, limit in judged if limit]
        return min(gaps) if gaps and all(gap > limit for gap, limit in gaps) else None

    # One look.

    def _renew(self, track: Track, view: MarketView) -> None:
        """A new connection: ages and times of the one before say nothing."""
        if track.generation != view.generation:
            track.generation = view.generation
            track.book_time_ms, track.ctx_ms, track.ctx_gap_ms = 0, None, 0

    def _look(self, view: MarketView, now_ms: int, wall_ms: int, *, bbo: bool) -> Standing:
        """Ask the gates in their order; those after the one that blocks are not asked, and remember nothing."""
        track = self._tracks.get(view.coin)
        if track is None:
            return CLEAR
        self._renew(track, view)
        flags, blocked, params = self._flags.of(view.coin, now_ms), self._blocked(view.coin), self._params[view.coin]
        if flags or blocked is not None or not usual(track, params, view, now_ms, wall_ms, bbo=bbo):
            look = _Look(track, params, view, view.mid, now_ms, wall_ms, bbo, flags, blocked)
            for name, check in MARKET_GATES:
                why = check(look)
                if why is not None:
                    self.blocks[name] += 1
                    self._note(track, view.coin, name, why)
                    return Standing(name, ZERO, why)
        if track.blocked is not None:
            self._note(track, view.coin, None, "")
        track.was_clear = True
        return _WIDE if track.wide else CLEAR

    def _note(self, track: Track, coin: str, gate: str | None, why: str) -> None:
        if track.blocked != gate:
            track.blocked = gate
            if track.was_clear:  # what blocks a market from its first look on has been told by its owner
                self._on_change(coin, gate, why)


class _Look(NamedTuple):
    """What one look sees."""

    track: Track
    params: MarketGateParams
    view: MarketView
    mid: Decimal | None
    now_ms: int
    wall_ms: int
    bbo: bool
    flags: dict[str, Flag]
    """Those that are up, by owner."""
    blocked: str | None
    """Why the market's parameters forbid it."""

    def flag(self, owner: str) -> str | None:
        """Why `owner` has raised a flag on the market, or None."""
        flag = self.flags.get(owner)
        return None if flag is None else flag.why


def _bbo_update(k: _Look) -> str | None:
    """A touch that has not changed is old only where the contexts are late, too, or where another way told a newer."""
    dead = k.flag("dead_touch")
    if dead is not None:
        return dead
    most, bbo_at, ctx_at = k.params.max_bbo_age_ms, k.view.bbo_at_ms, k.view.ctx_at_ms
    if not most or bbo_at is None or k.now_ms - bbo_at <= most:
        return None
    late = max(k.track.ctx_gap_ms, 0 if ctx_at is None else k.now_ms - ctx_at)
    return f"the touch is {k.now_ms - bbo_at} ms old" if late > most else None


def _ctx_update(k: _Look) -> str | None:
    """A context may be old when a touch arrives; what arrives itself is fresh."""
    most, ctx_at = k.params.max_ctx_age_ms, k.view.ctx_at_ms
    if not most or ctx_at is None or k.now_ms - ctx_at <= most:
        return None  # before the first one the market is not READY, and there is no oracle to compare with
    return f"the asset context is {k.now_ms - ctx_at} ms old"


def _time_regression(k: _Look) -> str | None:
    """A book from the past is no news; one that stays there for long is the new time."""
    track, time_ms = k.track, k.view.book_time_ms
    if time_ms < track.book_time_ms and k.now_ms - track.forward_ms < FORGET_MS:
        return f"the book went back {track.book_time_ms - time_ms} ms"
    track.forward_ms = k.now_ms
    if k.bbo:  # a context brings no book of its own
        track.book_time_ms = time_ms
    return None


def _mark_mid_divergence(k: _Look) -> str | None:
    most, mid, mark = k.params.max_mark_mid_bps, k.mid, k.view.mark
    if not most or mid is None or mark is None:
        return None  # without a two-sided book there is no signal either
    return f"mark {mark}, middle {mid}" if abs(mark - mid) > most * BASIS_POINT * mid else None


def _spread_shock(k: _Look) -> str | None:
    """Blocks at twice the multiple that makes orders smaller; what it refuses does not enter the average."""
    track, view, mid, most = k.track, k.view, k.mid, k.params.spread_shock
    track.wide = False
    if not most or mid is None or view.bid is None or view.ask is None:
        return None
    spread = (view.ask.px - view.bid.px) / mid
    known = track.samples >= EWMA_SAMPLES
    if known and spread > 2 * most * track.mean:
        if k.now_ms - track.normal_ms < FORGET_MS:
            return f"a spread of {spread * TEN_THOUSAND:.1f} bps, usually {track.mean * TEN_THOUSAND:.1f}"
        track.samples, known = 0, False  # for ten minutes all were so wide: the average begins anew with this one
    track.wide = known and spread > most * track.mean
    if k.bbo:
        learn(track, spread, k.now_ms, known=known)
    else:
        track.normal_ms = k.now_ms
    return None


def _oi_cap(k: _Look) -> str | None:
    """The rest thread read that the cap is reached, or has not read it for too long."""
    return k.flag("oi_cap")


def _param_change(k: _Look) -> str | None:
    """Parameters that a person must approve, an unknown precision, or a margin that is not set yet."""
    return None if k.blocked == DELISTED else k.blocked


def _halt(k: _Look) -> str | None:
    """The exchange refuses the market's orders for now, or does not list it any more."""
    return k.flag("halt") or k.flag("operator") or (DELISTED if k.blocked == DELISTED else None)


def _time_of_day(k: _Look) -> str | None:
    if in_window(k.params.blackout, k.wall_ms):
        return "a blackout window"
    return None if k.params.sessions.open_at(k.wall_ms) else f"outside its hours ({k.params.sessions.text})"


def _oracle_frozen(k: _Look) -> str | None:
    """An outside price that stands still says nothing of a quote that moves: its feed may be closed or broken."""
    most, since = k.params.max_oracle_still_ms, k.track.oracle_ms
    return f"the oracle has not moved for {k.now_ms - since} ms" if most and since and k.now_ms - since > most else None


def _unbelievable(k: _Look) -> str | None:
    """Prices that are too good: an oracle that leapt, or an edge that nobody would leave."""
    track, oracle, bid, ask = k.track, k.view.oracle, k.view.bid, k.view.ask
    if oracle is not None and bid is not None and ask is not None and k.params.max_edge_bps:
        edge = max(oracle - ask.px, bid.px - oracle)
        if edge > 0 and edge > k.params.max_edge_bps * BASIS_POINT * oracle:
            track.doubt_until_ms = k.now_ms + DOUBT_MS
            track.doubt = f"the oracle is {oracle}, the touch {bid.px} and {ask.px}"
    return f"not believed for a minute: {track.doubt}" if k.now_ms < track.doubt_until_ms else None


MARKET_GATES: tuple[tuple[str, Callable[[_Look], str | None]], ...] = (
    ("bbo_update", _bbo_update),
    ("ctx_update", _ctx_update),
    ("time_regression", _time_regression),
    ("mark_mid_divergence", _mark_mid_divergence),
    ("spread_shock", _spread_shock),
    ("oi_cap", _oi_cap),
    ("param_change", _param_change),
    ("halt", _halt),
    ("time_of_day", _time_of_day),
    ("oracle_frozen", _oracle_frozen),
    ("unbelievable", _unbelievable),
)
"""Each says why it blocks, or None; the first that does names the block."""
