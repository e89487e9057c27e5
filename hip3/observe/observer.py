"""Observer: what a market's frames say beside what was decided on them. Nothing is ever decided here.

Shown each frame of a market after it was judged: it follows signals, notes gaps that came near to one, and samples
where the book usually stands. Confined to the ws-reader, which each frame ticks; counters are read by others, each one
step. It writes to the journal's queue and nowhere else.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from hip3.core.decisions import DislocationSignal, Standing
from hip3.core.market import MarketView
from hip3.core.money import TEN_THOUSAND, ZERO
from hip3.core.orders import Side
from hip3.core.ports import Journal
from hip3.core.results import HOUR_MS, rounded
from hip3.observe.baseline import Baseline, Structure
from hip3.observe.episode import Episode, Why, usable
from hip3.observe.followups import BPS_DIGITS, FollowUps, Pending
from hip3.observe.markouts import edge_bps

NEAR_MS = 1000
"""At most one near miss of a market in so long."""
NEAR_AN_HOUR = 400
"""Over all markets: each takes two kilobytes of the journal, and a book that stands away makes one a second for ever;
these are 20 MB a day at most, of the 500 that a month of everything may take."""
EXEC_MS = 150
"""From an order's sending to its execution: what the project has measured in the middle (docs/performance.md)."""


class Run(msgspec.Struct, frozen=True):
    """The oracle's run of a market, as the detector has it."""

    toward: Side | None
    """The side that it is enough for."""
    steps: int
    """In a row, signed."""
    last_bps: Decimal


class Frame(msgspec.Struct, frozen=True):
    """One frame of a market, judged. Monotonic and wall time of its receipt; `exchange_ms` the exchange's time then."""

    view: MarketView
    standing: Standing
    run: Run
    signal: DislocationSignal | None
    now_ms: int
    wall_ms: int
    exchange_ms: int | None
    gates: object = None
    """What the entry gates say of the signal, all of them; made plain by the journal thread."""


class _Track:
    __slots__ = ("baseline", "near", "near_ms", "signalled")

    def __init__(self) -> None:
        self.baseline = Baseline()
        self.signalled: dict[Side, Decimal] = {}
        self.near: dict[Side, Decimal] = {}
        self.near_ms = -NEAR_MS


class Observer:
    """See the module. `cost_bps(coin)`: what a signal needs; `fee_bps(coin)`: one taker leg."""

    def __init__(
        self,
        *,
        coins: list[str],
        view: Callable[[str], MarketView | None],
        cost_bps: Callable[[str], Decimal],
        fee_bps: Callable[[str], Decimal],
        journal: Journal,
        late_ms: int | None = None,
    ) -> None:
        """`late_ms`: how long this account's own orders take; None: not known, and the project's figure stands in."""
        self._tracks = {coin: _Track() for coin in coins}
        self._cost_bps, self._fee_bps, self._journal = cost_bps, fee_bps, journal
        self._own = late_ms is not None
        self.follow_ups = FollowUps(view, self._done, EXEC_MS if late_ms is None else late_ms)
        self._generation = 0
        self.episodes = 0
        self.near = 0
        self.near_uncounted = 0
        """Near misses beyond what an hour may write."""
        self._hour = self._this_hour = 0

    def connected(self, generation: int, now_ms: int) -> None:
        """A connection begins, before its first frame."""
        self._generation = generation
        self.follow_ups.connected(generation, now_ms)

    def seen(self, f: Frame) -> None:
        """A frame was applied and judged."""
        view = f.view
        self.follow_ups.watch(view, f.now_ms)
        self.follow_ups.drain(f.now_ms)
        track = self._tracks.get(view.coin)
        if track is None or not usable(view, self._generation):
            return
        side, gap = _gap(view)
        over = near = False
        if side is not None:  # else nothing is cheaper than its oracle says, as nearly always
            worth = self._cost_bps(view.coin) * (view.oracle or ZERO)
            over, near = gap * TEN_THOUSAND >= worth, 2 * gap * TEN_THOUSAND >= worth
        track.baseline.sample(view, f.now_ms, over=over, still=over and f.run.toward is not side)
        structure = track.baseline.ended(f.now_ms)
        if structure is not None:
            self._structure(view.coin, structure)
        if f.signal is not None:
            track.signalled[f.signal.side] = f.signal.oracle
            self._follow(track, f, f.signal.side, None)
        elif near and side is not None:
            self._near(track, f, side, over=over)

    def _near(self, track: _Track, f: Frame, side: Side, *, over: bool) -> None:
        oracle = f.view.oracle
        if oracle in (track.near.get(side), track.signalled.get(side)) or f.now_ms - track.near_ms < NEAR_MS:
            return
        assert oracle is not None
        track.near[side], track.near_ms = oracle, f.now_ms
        hour = f.now_ms // HOUR_MS
        self._this_hour = self._this_hour + 1 if hour == self._hour else 1
        self._hour = hour
        if self._this_hour > NEAR_AN_HOUR:
            self.near_uncounted += 1
            return
        self._follow(track, f, side, _why(f, side, over=over))

    def _follow(self, track: _Track, f: Frame, side: Side, why: Why | None) -> None:
        self.episodes += why is None
        self.near += why is not None
        view, signal, coin = f.view, f.signal if why is None else None, f.view.coin
        assert view.bid is not None
        assert view.ask is not None
        assert view.oracle is not None
        edge, usual = edge_bps(view, side), track.baseline.median_bps
        episode = Episode(
            id=self.episodes + self.near, signal_id=None if signal is None else signal.signal_id, why=why, coin=coin,
            side=side, at_ms=f.wall_ms, exchange_ms=view.book_time_ms,
            bbo_lag_ms=None if f.exchange_ms is None else f.exchange_ms - view.book_time_ms - _age(f, view.bbo_at_ms),
            bbo_age_ms=_age(f, view.bbo_at_ms), ctx_age_ms=_age(f, view.ctx_at_ms), bid=view.bid, ask=view.ask,
            oracle=view.oracle, oracle_step_bps=rounded(f.run.last_bps, BPS_DIGITS), oracle_run=f.run.steps,
            moved=f.run.toward is side, mark=view.mark, edge_bps=rounded(edge or Decimal(0), BPS_DIGITS),
            cost_bps=rounded(self._cost_bps(coin), BPS_DIGITS), fee_bps=rounded(self._fee_bps(coin), BPS_DIGITS),
            size=None if signal is None else signal.size, gate=f.standing.blocked,
            baseline_bps=None if usual is None else rounded(usual, BPS_DIGITS),
        )  # fmt: skip
        self.follow_ups.follow(episode, f.gates if why is None else None, f.now_ms)

    def _done(self, pending: Pending) -> None:
        self._journal.record("episode", late_own=self._own, **pending.fields(self.follow_ups.late_ms))

    def _structure(self, coin: str, s: Structure) -> None:
        median = None if s.median_bps is None else rounded(s.median_bps, BPS_DIGITS)
        self._journal.record(
            "structure", coin=coin, median_bps=median, samples=s.samples, over=s.over, still=s.still
        )  # fmt: skip

    def end(self, now_ms: int) -> None:
        """The run is over, and its threads have ended: tell what is left."""
        self.follow_ups.end(now_ms)
        for coin, track in self._tracks.items():
            structure = track.baseline.ended(now_ms, last=True)
            if structure is not None:
                self._structure(coin, structure)

    def state(self) -> dict[str, int]:
        """`followups` of the status. Any thread."""
        return {
            "signals": self.episodes, "near": self.near, "due": self.follow_ups.due, "lost": self.follow_ups.lost,
            "missing": self.follow_ups.missing, "near_uncounted": self.near_uncounted,
        }  # fmt: skip


def _gap(view: MarketView) -> tuple[Side | None, Decimal]:
    """The side whose touch is better than the oracle, and by how much; of a two-sided book only one can be."""
    bid, ask, oracle = view.bid, view.ask, view.oracle
    assert bid is not None
    assert ask is not None
    assert oracle is not None
    if ask.px < oracle:
        return Side.BUY, oracle - ask.px
    return (Side.SELL, bid.px - oracle) if bid.px > oracle else (None, ZERO)


def _why(f: Frame, side: Side, *, over: bool) -> Why:
    """Why a gap was no signal. What stands still or is too small is that, whatever else a gate says."""
    if not over:
        return Why.EDGE
    if f.run.toward is not side:
        return Why.ORACLE
    return Why.GATE if f.standing.blocked is not None else Why.SIZE


def _age(f: Frame, at_ms: int | None) -> int:
    return 0 if at_ms is None else f.now_ms - at_ms
