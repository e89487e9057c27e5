"""MarketIn: market data, and what is decided on it at once.

A quote or a context goes to the market state, the exits of that market, the market gates and the detector; a signal
goes to the executor. Exits come first: what leaves a position never waits for what might open one. This is the hot
path: everything on it is the ws-reader's own or has a leaf lock. Called from: ws-reader; rest (`on_book_read`).

A quote is as old as its receipt, not as its price: bbo comes only when the touch changes, and a context has no time
of its own (docs/venue-facts.md F15).
"""

from collections.abc import Callable

from hip3.core.decisions import DislocationSignal, Standing, Verdict
from hip3.core.events import BboUpdate, CtxUpdate
from hip3.core.market import MarketSpec, MarketView
from hip3.core.ports import Clock, Journal
from hip3.exchange.clock_offset import ClockOffset
from hip3.exchange.protocol import Session
from hip3.execution.account_view import AccountView
from hip3.execution.entries.every_gate import EveryGate
from hip3.execution.entries.executor import Executor
from hip3.execution.entries.gate_trace import GateTrace
from hip3.execution.entries.gates import Entry
from hip3.execution.exits.exiting import Exiting
from hip3.execution.link import Link
from hip3.execution.ports import Quotes
from hip3.execution.readiness import Readiness
from hip3.execution.truth.streams import StreamWatch
from hip3.feed.market_state import MarketState
from hip3.observe.observer import Frame, Observer, Run
from hip3.risk.market_gates import MarketGates
from hip3.strategy.detector import Detector

AHEAD_MS = 2000
"""A book that is so far ahead of the exchange's time as we have it says that we have it wrong."""


class MarketIn:
    """See the module. `executor` is None where nothing is traded (observe): signals are then recorded without a
    verdict. `specs`: the configured markets; others are counted and left alone. `offset`: the exchange's time.
    `observer` is shown each frame after it was decided on; `facts(signal)`: what the gates would decide on, for it."""

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
        quotes: Quotes,
        market_gates: MarketGates,
        readiness: Readiness,
        streams: StreamWatch,
        journal: Journal,
        view: AccountView,
        offset: ClockOffset,
        observer: Observer | None = None,
        facts: Callable[[DislocationSignal], Entry] | None = None,
    ) -> None:
        self._observer, self._facts = observer, facts
        self._clock = clock
        self._view = view
        self._offset = offset
        self._specs = specs
        self._link = link
        self._market_state = market_state
        self._detector = detector
        self._executor = executor
        self._exiting = exiting
        self._quotes = quotes
        self._market_gates = market_gates
        self._readiness = readiness
        self._streams = streams
        self._journal = journal
        self._verdict: Verdict | None = None
        """Of the last signal; ws-reader only."""
        self._unseen: set[str] = set(specs)
        """The ws-reader's own memory of what it has told `Readiness`; spares it a lock per frame."""
        self.unknown_coins = 0
        """Frames of markets that are not configured; written by the ws-reader alone."""

    def on_connected(self) -> None:
        """A new epoch: every market is to be seen anew."""
        self._unseen = set(self._specs)
        if self._observer is not None:
            self._observer.connected(self._link.generation, self._link.connected_ms)

    def on_bbo(self, session: Session, update: BboUpdate, now_ms: int) -> None:
        """The touch changed, received at `now_ms`: judge the exit, the market's health, and whether it is a signal."""
        view = self._market_state.apply_bbo(update, now_ms, session.generation)
        if view is None:
            self.unknown_coins += 1
            return
        self._market_moved(session, view, now_ms)
        wall_ms = self._clock.wall_ms()
        standing = self._market_gates.on_bbo(view, now_ms, wall_ms)
        signal = self._detector.on_bbo(view, wall_ms, self._clock.mono_us(), standing)
        self._signal(signal)
        if self._observer is not None:
            self._show(self._observer, view, standing, signal, now_ms, wall_ms)
        if update.time_ms - now_ms - self._offset.mono_base > AHEAD_MS:
            self._view.clock_doubted = True  # a quote can be old, but not from the future: our clock stood still
            self._offset.heard(update.time_ms)  # or the node that told us the time is behind

    def on_ctx(self, session: Session, update: CtxUpdate, now_ms: int) -> None:
        """A context with oracle and mark, received at `now_ms`: the same is judged, by what a context can tell."""
        view = self._market_state.apply_ctx(update, now_ms, session.generation)
        if view is None:
            self.unknown_coins += 1
            return
        self._market_moved(session, view, now_ms)
        wall_ms = self._clock.wall_ms()
        standing = self._market_gates.on_ctx(view, now_ms, wall_ms)
        signal = self._detector.on_ctx(view, wall_ms, self._clock.mono_us(), standing)
        self._signal(signal)
        if self._observer is not None:
            self._show(self._observer, view, standing, signal, now_ms, wall_ms)

    def _market_moved(self, session: Session, view: MarketView, now_ms: int) -> None:
        """Note that the market spoke, and look at its position's exit."""
        self._streams.market_ms = now_ms
        # Once all are seen the set is empty, and a frame costs no lock here.
        if self._unseen and view.bbo_at_ms is not None and view.ctx_at_ms is not None:
            self._unseen.discard(view.coin)
            self._readiness.saw(view.coin)
        self._exiting.consider(view, self._link.generation, now_ms)
        self._quotes.moved(view)

    def on_book_read(self, update: BboUpdate, now_ms: int, generation: int) -> None:
        """The rest thread read a market's book that no frame had brought; `generation` is the one it was read for.

        Nothing is decided on it at once: it helps READY along, and the tick may price an exit by it. Where a frame of
        that generation came first it is not taken. `_unseen` stays as it is, being the ws-reader's own; saying twice
        what was seen changes nothing.
        """
        view = self._market_state.apply_first_bbo(update, now_ms, generation)
        if view is None:
            return
        self._quotes.moved(view)
        if view.ctx_at_ms is not None:
            self._readiness.saw(view.coin)

    def _show(
        self, observer: Observer, view: MarketView, standing: Standing, signal: DislocationSignal | None, now_ms: int,
        wall_ms: int,
    ) -> None:  # fmt: skip
        """Let the observer see what was decided; it changes nothing."""
        gates = None
        if signal is not None and self._facts is not None:
            # Of a moment after the decision: an order of this signal is in the books by now, unless it was refused.
            verdict = self._verdict if self._executor is not None else None
            entry = self._executor.seen if self._executor is not None else None
            if entry is None or entry.ledger is None:
                entry = self._facts(signal)
            gates = EveryGate(entry, verdict)
        exchange_ms = self._offset.exchange_ms() if self._offset.known else None
        run = Run(*self._detector.run(view.coin))
        observer.seen(Frame(view, standing, run, signal, now_ms, wall_ms, exchange_ms, gates))

    def _signal(self, signal: DislocationSignal | None) -> None:
        """Let the executor decide, and write down what each gate was given and said."""
        if signal is None:
            return
        if self._executor is None:
            self._journal.record("signal", signal=signal, verdict=None)
            return
        verdict = self._verdict = self._executor.on_signal(signal)
        # Set by `on_signal` just now, on this thread: the facts that this signal was decided on.
        assert self._executor.seen is not None
        trace = GateTrace(self._executor.seen, verdict)
        self._journal.record("signal", signal=signal, verdict=verdict, gates=trace)
