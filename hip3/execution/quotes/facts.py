"""The facts that a quoted market's stance is made of. Asked by the quoter, in the tick."""

from collections.abc import Callable
from decimal import Decimal

from hip3.core.ledger import PositionView
from hip3.core.market import MarketSpec, MarketView
from hip3.core.money import ZERO, bps_of
from hip3.core.orders import SIDES, Side
from hip3.core.windows import in_window
from hip3.execution.quotes.adoption import LONGEST_MS
from hip3.execution.quotes.market import QuotedMarket
from hip3.execution.quotes.pacing import Pacing
from hip3.execution.quotes.pulls import CALM_MS
from hip3.execution.quotes.stance import Facts
from hip3.execution.readiness import Readiness, State
from hip3.position.exit_attempts import ExitDesk
from hip3.position.tracked import TrackedOrder
from hip3.risk.hard_stop import HardStopLatch
from hip3.risk.market_flags import MarketFlags
from hip3.strategy.fair import Outside, fair, outside
from hip3.strategy.ladder import coarse_tick_bps, filled_share, least_half_bps

HYSTERESIS = Decimal("0.05")
"""A side that inventory has turned off comes back so far below the share at which that was."""
UNSOUND = frozenset({"time_regression", "mark_mid_divergence", "spread_shock", "oracle_frozen", "unbelievable"})
"""What a market's gates say of its data: no entry passes then, and no quote rests."""
OPENING_MS = 60_000
"""So long after a session's beginning nothing is quoted yet."""
MINUTE_MS = 60_000


class FactFinder:
    """`blocked(coin)`: why a market must not be entered; `gate(coin)`: which gate of entries blocks it now;
    `exchange_ms()`: by which sessions go."""

    def __init__(
        self,
        *,
        blocked: Callable[[str], str | None],
        gate: Callable[[str], str | None],
        latch: HardStopLatch,
        readiness: Readiness,
        exits: ExitDesk,
        flags: MarketFlags,
        exchange_ms: Callable[[], int],
        watch_foreign: bool,
    ) -> None:
        self._blocked, self._gate = blocked, gate
        self._latch = latch
        self._readiness = readiness
        self._exits = exits
        self._flags = flags
        self._exchange_ms = exchange_ms
        self._watch_foreign = watch_foreign

    def learn(self, market: QuotedMarket, view: MarketView | None, orders: list[TrackedOrder], now_ms: int) -> bool:
        """Take a sample of fresh data, and price the market by them; whether there is a price now."""
        unseen = not market.seen and (view is None or None in (view.bbo_at_ms, view.ctx_at_ms))
        if view is None or view.oracle is None or view.mark is None or unseen:
            market.reference.restart()
            if market.seen:
                market.pulls.pull("no market data of this connection yet", now_ms + 1)
            return False
        market.seen = True
        market.pulls.data(view, now_ms)
        others = _others(view, orders)
        p, gate = market.params, self._gate(market.coin)
        if gate in UNSOUND:
            market.pulls.pull(f"its market is blocked: {gate}", now_ms + CALM_MS)
        if view.two_sided and gate != "oracle_frozen":  # how a book leaves a dead oracle is no basis
            market.reference.sample(view.oracle, others, now_ms, mode=p.reference, mark=view.mark, closed=p.closed)
        market.fair = fair(p.reference, view.oracle, view.mark, others, market.reference.basis_bps, closed=p.closed)
        if market.fair is None:
            return False
        if p.closed and others.mid is not None:
            market.pulls.band(abs(bps_of(others.mid - view.oracle, view.oracle)), now_ms)
        book = others.mid if p.reference in ("oracle", "mark") else None
        market.pulls.prices(view.oracle, market.fair, market.reference.sigma_bps, now_ms, book)
        return True

    def of(
        self,
        market: QuotedMarket,
        spec: MarketSpec | None,
        position: PositionView | None,
        usd: Decimal,
        pacing: Pacing,
        completing: str,
        now_ms: int,
    ) -> Facts:
        """All that stands against quoting it now. `usd`: the position at its mark, signed. `completing`: why it is."""
        state, reasons = self._readiness.word(now_ms, tripped=self._latch.tripped)
        leaving = "; ".join(reasons) or state.value if state in (State.HARD_STOP, State.REDUCING) else ""
        if not completing and self._exits.no_entries(market.coin, now_ms):
            leaving = "its position is being left, or it was closed by hand"
        missing = [*reasons] if state is State.NOT_READY else []
        starting = self._starting(market, state, now_ms) and not pacing.spent
        if not market.seen:
            missing.append("no market data yet")
        if market.reference.missing:
            missing.append(f"{market.reference.missing} are missing")
        if pacing.spent:
            missing.append("the budget of actions is at its reserve")
        return Facts(
            blocked=self._off(market, spec, position), leaving=leaving, completing=completing,
            cutoff=self._cutoff(market, now_ms),
            pulled=(*market.pulls.reasons(now_ms), *(f.why for f in self._flags.of(market.coin, now_ms).values())),
            missing=tuple(missing), starting=starting, off_sides=self._off_sides(market, usd, now_ms),
        )  # fmt: skip

    def _starting(self, market: QuotedMarket, state: State, now_ms: int) -> bool:
        """Whether the market is still in its start: until it was READY and warm once, and for a bounded time."""
        if market.begun_ms is None:
            market.begun_ms = now_ms
        was_ready, market.was_ready = market.was_ready, market.was_ready or state is not State.NOT_READY
        lost = was_ready and state is State.NOT_READY
        late = now_ms - market.begun_ms > market.params.warmup_s * 1000 + LONGEST_MS
        warm = state is not State.NOT_READY and not market.reference.missing
        market.begun = market.begun or lost or late or warm
        return not market.begun

    def _off(self, market: QuotedMarket, spec: MarketSpec | None, position: PositionView | None) -> str:
        blocked = self._blocked(market.coin)
        if market.off or blocked:
            return market.off or blocked or ""
        if spec is None:
            return "it is gone from the exchange"
        if spec.maker_fee_bps is None:
            return "its maker fee is not known"
        if position is not None and position.foreign and self._watch_foreign:
            return "it has a position that is not ours, and those are left alone"
        p = market.params.ladder
        least = least_half_bps(p, spec.maker_fee_bps)
        if p.max_half_bps < least:
            return f"its widest spread loses after the maker fee; raise HIP3_QUOTE_MAX_HALF_BPS to {least:f} at least"
        if market.fair is not None:
            tick = coarse_tick_bps(p, spec, spec.maker_fee_bps, market.fair.bid)
            if tick is not None:
                return f"its tick of {tick:.2f} bps is too coarse for this spread; raise HIP3_QUOTE_MIN_HALF_BPS"
        return ""

    def _cutoff(self, market: QuotedMarket, now_ms: int) -> str:
        """Why a session keeps quotes away; asked once a second."""
        second = now_ms // 1000
        if market.cutoff[0] != second:
            market.cutoff = (second, self._session(market, self._exchange_ms()))
        return market.cutoff[1]

    def ends_within(self, market: QuotedMarket, ms: int) -> bool:
        """Whether its session is over by then, or a blackout has begun."""
        at_ms = self._exchange_ms() + ms
        return in_window(market.params.blackout, at_ms) or not market.params.sessions.open_at(at_ms)

    def _session(self, market: QuotedMarket, at_ms: int) -> str:
        p = market.params
        ahead = [*range(at_ms, at_ms + p.cutoff_ms, MINUTE_MS), at_ms + p.cutoff_ms]
        if any(in_window(p.blackout, t) for t in ahead):
            return "a blackout is near"
        if not p.sessions.open_at(at_ms):
            return "its session is over"
        if not all(p.sessions.open_at(t) for t in ahead):
            return "its session is about to end"
        return "" if p.sessions.open_at(at_ms - OPENING_MS) else "its session has just begun"

    def _off_sides(self, market: QuotedMarket, usd: Decimal, now_ms: int) -> dict[Side, tuple[str, ...]]:
        share, at = filled_share(usd, market.params.ladder), market.params.one_side_at
        out: dict[Side, tuple[str, ...]] = {}
        held = now_ms < market.completion_held_until_ms
        for side in SIDES:
            full = share * side.sign
            if full >= at:
                market.reduced.add(side)
            elif full < at - HYSTERESIS:
                market.reduced.discard(side)
            why = []
            if market.patient and full > 0:
                why.append("its inventory waits for somebody who pays for it")
            if held and full > 0:
                why.append("its inventory found nobody across the spread")
            if side in market.reduced:
                why.append(f"the inventory is at {full:.0%} of its bound")
            if market.pulls.side(side, now_ms):
                why.append("it rests after fills, a refusal or a cancel without a proof")
            if why:
                out[side] = tuple(why)
        if not market.reduced:
            market.one_sided_ms = None
        elif market.one_sided_ms is None:
            market.one_sided_ms = now_ms
        return out


def _others(view: MarketView, orders: list[TrackedOrder]) -> Outside:
    """The touch without our own live orders."""
    own = dict.fromkeys(SIDES, ZERO)
    for tracked in orders:
        order = tracked.order
        touch = view.bid if order.side.is_buy else view.ask
        if tracked.oid is not None and touch is not None and order.px == touch.px:
            own[order.side] += max(ZERO, order.sz - tracked.executed)
    return outside(view, own[Side.BUY], own[Side.SELL])
