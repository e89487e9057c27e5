"""MarketIn: market data, and what is decided on it at once.

A quote or a context goes to the market state, the exits of that market, the market gates and the detector; a signal
goes to the executor. This is the hot path: everything on it is the ws-reader's own or has a leaf lock. Called from:
ws-reader; rest (`on_book_read`).
"""

from hip3.core.decisions import DislocationSignal
from hip3.core.events import BboUpdate, CtxUpdate
from hip3.core.market import MarketSpec, MarketView
from hip3.core.ports import Clock, Journal
from hip3.exchange.protocol import Session
from hip3.execution.entries.executor import Executor
from hip3.execution.entries.gate_trace import GateTrace
from hip3.execution.exits.exiting import Exiting
from hip3.execution.link import Link
from hip3.execution.readiness import Readiness
from hip3.execution.truth.streams import StreamWatch
from hip3.feed.market_state import MarketState
from hip3.risk.market_gates import MarketGates
from hip3.strategy.detector import Detector


class MarketIn:
    """See the module."""

    def __init__(
        self,
        *,
        clock: Clock,
        specs: dict[str, MarketSpec],
        link: Link,
        market_state: MarketState,
        detector: Detector,
        executor: Executor | None,
        exiting: Exiting,
        market_gates: MarketGates,
        readiness: Readiness,
        streams: StreamWatch,
        journal: Journal,
    ) -> None:
        self._clock = clock
        self._specs = specs
        self._link = link
        self._market_state = market_state
        self._detector = detector
        self._executor = executor
        self._exiting = exiting
        self._market_gates = market_gates
        self._readiness = readiness
        self._streams = streams
        self._journal = journal
        self._unseen: set[str] = set(specs)
        """The ws-reader's own memory of what it has told `Readiness`; spares it a lock per frame."""
        self.unknown_coins = 0

    def on_connected(self) -> None:
        """A new epoch: every market is to be seen anew."""
        self._unseen = set(self._specs)

    def on_bbo(self, session: Session, update: BboUpdate, now_ms: int) -> None:
        view = self._market_state.apply_bbo(update, now_ms, session.generation)
        if view is None:
            self.unknown_coins += 1
            return
        self._market_moved(session, view, now_ms)
        wall_ms = self._clock.wall_ms()
        standing = self._market_gates.on_bbo(view, now_ms, wall_ms)
        self._signal(self._detector.on_bbo(view, wall_ms, self._clock.mono_us(), standing))

    def on_ctx(self, session: Session, update: CtxUpdate, now_ms: int) -> None:
        view = self._market_state.apply_ctx(update, now_ms, session.generation)
        if view is None:
            self.unknown_coins += 1
            return
        self._market_moved(session, view, now_ms)
        wall_ms = self._clock.wall_ms()
        standing = self._market_gates.on_ctx(view, now_ms, wall_ms)
        self._signal(self._detector.on_ctx(view, wall_ms, self._clock.mono_us(), standing))

    def _market_moved(self, session: Session, view: MarketView, now_ms: int) -> None:
        self._streams.market_ms = now_ms
        if self._unseen and view.bbo_at_ms is not None and view.ctx_at_ms is not None:
            self._unseen.discard(view.coin)
            self._readiness.saw(view.coin)
        self._exiting.consider(view, self._link.generation, now_ms)

    def on_book_read(self, update: BboUpdate, now_ms: int, generation: int) -> None:
        """The rest thread read a market's book that no frame had brought."""
        view = self._market_state.apply_first_bbo(update, now_ms, generation)
        if view is not None and view.ctx_at_ms is not None:
            self._readiness.saw(view.coin)

    def _signal(self, signal: DislocationSignal | None) -> None:
        if signal is None:
            return
        if self._executor is None:
            self._journal.record("signal", signal=signal, verdict=None)
            return
        verdict = self._executor.on_signal(signal)
        assert self._executor.seen is not None
        trace = GateTrace(self._executor.seen, verdict)
        self._journal.record("signal", signal=signal, verdict=verdict, gates=trace)
