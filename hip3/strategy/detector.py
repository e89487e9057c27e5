"""The dislocation detector: a quote that lags an oracle which moved first.

Confined to the ws-reader; no lock. One message concerns one market and one check, never a scan.

Buy when (oracle - ask) / oracle reaches the market's cost, sell when (bid - oracle) / oracle does,
and only if the oracle itself moved in the trade's direction: at least `min_moves` steps in a row,
the last one of at least `min_change_bps`. A book that moved away from a still oracle is a structural
gap, not a stale quote, and loses money. One signal per market, side and oracle price.
"""

from decimal import Decimal

import msgspec

from hip3.core.decisions import CLEAR, DislocationSignal, Standing
from hip3.core.market import Level, MarketSpec, MarketView
from hip3.core.money import ZERO, bps_of
from hip3.core.orders import Side
from hip3.strategy.echo import Echo
from hip3.strategy.oracle import OracleMoves
from hip3.strategy.sizing import SizingParams, impossible, suggest


class DetectorParams(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one market."""

    cost_bps: Decimal
    """Two taker legs + slippage + minimum edge."""
    min_change_bps: Decimal
    min_moves: int
    move_bps: Decimal
    sizing: SizingParams


class _Track:
    """What is remembered of one market."""

    __slots__ = ("echo", "generation", "moves", "signalled", "unsized")

    def __init__(self) -> None:
        self.moves = OracleMoves()
        self.echo = Echo()
        self.signalled: dict[Side, Decimal] = {}
        self.unsized: dict[Side, Decimal] = {}
        self.generation = -1


class Detector:
    """Folds views into signals."""

    def __init__(self, params: dict[str, DetectorParams]) -> None:
        self._params = params
        self._tracks = {coin: _Track() for coin in params}
        self.emitted = 0
        self.checks = 0
        self.unsized = 0
        """Signals for which no size was left: the touch too thin, or the limit below the smallest order."""

    def impossible(self, coin: str, px: Decimal) -> str | None:
        """Why no order of a market can be within its limit at this price; None: some can. Any thread."""
        return impossible(self._params[coin].sizing, px)

    def cost_bps(self, coin: str) -> Decimal:
        """The raw edge that a signal of a market needs. Any thread."""
        return self._params[coin].cost_bps

    def run(self, coin: str) -> tuple[Side | None, int, Decimal]:
        """The oracle's run of a market: the side it is enough for, steps in a row (signed), the last change in basis
        points. ws-reader."""
        track = self._tracks.get(coin)
        if track is None:
            return None, 0, ZERO
        moves = track.moves
        return _toward(moves, self._params[coin]), moves.up or -moves.down, moves.last_change_bps

    def echoes(self) -> list[str]:
        """The markets whose oracle follows their own book now. Any thread."""
        return [coin for coin, track in self._tracks.items() if track.echo.heard]

    def renew(self, params: dict[str, DetectorParams]) -> None:
        """Other settings of markets that there are; each market's are one step. Any thread."""
        self._params.update(params)

    @staticmethod
    def params_for(spec: MarketSpec, fee_bps: Decimal, **settings: Decimal | int) -> DetectorParams:
        """Parameters from a market's own fee and its settings."""
        get = {k: v if isinstance(v, Decimal) else Decimal(v) for k, v in settings.items()}
        return DetectorParams(
            cost_bps=2 * fee_bps + get["slippage_bps"] + get["min_edge_bps"],
            min_change_bps=get["min_oracle_change_bps"],
            min_moves=int(get["min_oracle_moves"]),
            move_bps=get["oracle_move_bps"],
            sizing=SizingParams(
                alpha=get["sizing_alpha"],
                min_book=get["min_book_notional"],
                normal_book=get["normal_book_notional"],
                max_notional=get["max_notional_per_market"],
                sz_decimals=spec.sz_decimals,
                order_notional=get["order_notional"],
            ),
        )

    def on_ctx(
        self, view: MarketView, now_ms: int, now_us: int = 0, standing: Standing = CLEAR
    ) -> DislocationSignal | None:
        """An asset context arrived: fold the oracle in, then check. `now_ms` is wall time.

        `standing` is what the market-health gates say; where they block, the oracle's steps still count.
        """
        track = self._tracks.get(view.coin)
        if track is None or view.oracle is None:
            return None
        if track.generation != view.generation:
            # What the oracle did while we were away is not a run of steps that we saw.
            track.moves, track.echo = OracleMoves(), Echo()
            track.generation = view.generation
        track.echo.observe(view.oracle, view.mid)
        track.moves.observe(view.oracle, self._params[view.coin].move_bps)
        return self._check(track, view, now_ms, now_us, standing)

    def on_bbo(
        self, view: MarketView, now_ms: int, now_us: int = 0, standing: Standing = CLEAR
    ) -> DislocationSignal | None:
        """The touch changed: check. `now_ms` is wall time."""
        track = self._tracks.get(view.coin)
        if track is None or view.ctx_at_ms is None or track.generation != view.generation:
            return None
        return self._check(track, view, now_ms, now_us, standing)

    def _check(
        self, track: _Track, view: MarketView, now_ms: int, now_us: int, standing: Standing
    ) -> DislocationSignal | None:
        self.checks += 1
        if standing.blocked is not None or view.bbo_at_ms is None:  # a touch of before this connection is none
            return None
        params = self._params[view.coin]
        side = _toward(track.moves, params)
        if side is None:
            return None
        touch, oracle = view.ask if side is Side.BUY else view.bid, view.oracle
        if touch is None or oracle is None or not view.two_sided:
            return None
        gap = oracle - touch.px if side is Side.BUY else touch.px - oracle
        if gap <= 0 or track.signalled.get(side) == oracle:
            return None
        edge = bps_of(gap, oracle)
        if edge < params.cost_bps:
            return None
        return self._emit(track, view, side, touch, oracle, edge, now_ms, now_us, standing)

    def _emit(
        self,
        track: _Track,
        view: MarketView,
        side: Side,
        touch: Level,
        oracle: Decimal,
        edge: Decimal,
        now_ms: int,
        now_us: int,
        standing: Standing,
    ) -> DislocationSignal | None:
        params = self._params[view.coin]
        size = suggest(params.sizing, touch.px, touch.sz, standing.factor)
        if size <= 0:
            if track.unsized.get(side) != oracle:
                track.unsized[side] = oracle
                self.unsized += 1
            return None
        track.signalled[side] = oracle
        self.emitted += 1
        return DislocationSignal(
            signal_id=self.emitted, coin=view.coin, side=side, touch_px=touch.px, touch_sz=touch.sz,
            oracle=oracle, raw_edge_bps=edge, cost_bps=params.cost_bps, size=size,
            at_ms=now_ms, at_us=now_us,
        )  # fmt: skip


def _toward(moves: OracleMoves, params: DetectorParams) -> Side | None:
    """The side that the oracle moved towards, far and often enough."""
    if moves.up >= params.min_moves and moves.last_change_bps >= params.min_change_bps:
        return Side.BUY
    if moves.down >= params.min_moves and -moves.last_change_bps >= params.min_change_bps:
        return Side.SELL
    return None
