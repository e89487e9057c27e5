"""The service: starts, supervises and stops. The main thread's home; it never trades.

start     state folder and latch, own exchange, identity -> universe and account -> threads
supervise each 200 ms: threads, own exchange, state changes, duration, signals
stop      no new entries -> purge -> cancel -> (flatten) -> proof -> threads, journal last
"""

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any, TypeVar

from loguru import logger

from hip3 import __version__
from hip3.config.reading import MarketSettings, redacted
from hip3.core.ports import Clock
from hip3.errors import ODD_ANSWERS, PreflightError, VenueReadError, WireError
from hip3.exchange.backoff import Backoff
from hip3.exchange.connection import Connection
from hip3.exchange.rest import RestClient
from hip3.exchange.subscriptions import wanted
from hip3.exchange.writer import WriteHandle
from hip3.execution.sending.posts import Post
from hip3.execution.truth.account import Proof, prove
from hip3.execution.truth.bootstrap import Beginning, Universe, learn_universe
from hip3.execution.truth.margin import Margin
from hip3.execution.truth.readiness import Readiness
from hip3.ops import logs
from hip3.ops.control import ControlServer
from hip3.ops.http import StatusServer
from hip3.ops.intents import IntentLog
from hip3.ops.journal import EventLog
from hip3.ops.state_dir import account_dir, socket_path
from hip3.ops.supervised import Supervised
from hip3.risk.hard_stop import HardStopLatch
from hip3.service.alerting import Alerting, secrets_of
from hip3.service.assembly import assemble, read_beginning
from hip3.service.control_requests import handle, told
from hip3.service.pages import status_server
from hip3.service.snapshot import snapshot
from hip3.service.start import OwnExchange, Who, configured_key, identity
from hip3.service.stopping import Outcome, StopMode, Stopper, stop_before_trading
from hip3.service.supervisor import Supervisor
from hip3.service.trading import Trading, latch_path
from hip3.service.tuning import tune
from hip3.service.wiring import report
from hip3.service.workers import RestJobs, Worker

T = TypeVar("T")
POLL_S = 0.2
SIGTERM_TIMEOUT_MS = 2500
FLATTEN_TIMEOUT_MS = 30_000
JOIN_S = 1.0
JOURNAL_S = 0.02
"""How long records gather before they are written together."""


class App:
    """One run of the service."""

    def __init__(self, settings: MarketSettings, clock: Clock) -> None:
        self.settings, self.clock = settings, clock
        base = settings.base
        self.started_ms = clock.mono_ms()
        self.journal = EventLog(clock.wall_ms)
        self.readiness = Readiness(needs_account=base.trading)
        self.rest_jobs = RestJobs()
        self.writer = WriteHandle(clock)
        self.stop_wish = threading.Event()
        self._signals = 0
        self._end_ms: int | None = None
        self._stop_mode: StopMode | None = None
        self._stop_timeout_ms = FLATTEN_TIMEOUT_MS
        self.own: OwnExchange | None = None
        self.rest: RestClient | None = None
        self.who: Who | None = None
        self.latch: HardStopLatch | None = None
        self.intents: IntentLog | None = None
        self.trading: Trading | None = None
        self.workers: dict[str, Worker] = {}
        self._status_server: StatusServer | None = None
        self.supervised = Supervised(Path(base.state_dir))
        self.margins: dict[str, Margin] = {}
        """What a start has read so far; on the rest thread."""
        self.folder: Path | None = None
        """The account's state."""
        self.knew_account = False
        """An earlier run has had this account's state."""
        self.exchange_clock: tuple[int, int] | None = None
        """The exchange's time, and ours (monotonic) when it was read."""
        self.began_ms = 0
        """When this account's state began (exchange time)."""
        self.failed = ""
        """Why the service ended by itself; empty when it did not."""
        self._key = configured_key(base)
        self.alerting = Alerting(self)

    # Life.

    def run(self, duration_ms: int | None = None) -> Outcome:
        """Start, supervise, stop. PreflightError, ConfigError before anything trades."""
        base = self.settings.base
        logs.setup(Path(base.log_dir), secrets_of(base))
        self._install_signals()
        self._end_ms = None if duration_ms is None else self.started_ms + duration_ms
        try:
            self._start_helpers()
            if self._start_trading():
                self._supervise()
            outcome = self._stop()
            self.journal.record("stop", mode=outcome.mode.value, clean=outcome.clean, proof=outcome.sentence)
            self._control.finish(told(outcome, self.failed))
            return outcome
        finally:
            self._close()

    def _start_helpers(self) -> None:
        base = self.settings.base
        self._worker("journal", lambda: self.journal.drain(JOURNAL_S))
        self.alerting.start()
        control = ControlServer(socket_path(Path(base.state_dir)), lambda request: handle(self, request))
        self._worker("control", control.step)
        self._control = control
        self._status_server = status_server(self)
        if self._status_server is not None:
            self._worker("status-http", self._status_server.serve)
        self._worker("rest", self._rest_step)

    def _start_trading(self) -> bool:
        """Learn what must be known and start the trading threads; False if stopped meanwhile."""
        base = self.settings.base
        if base.own_exchange:
            self.own = OwnExchange(base)
        url = self.own.url if self.own is not None else base.http_url
        self.rest = RestClient(url, self.clock)
        rest = self.rest
        who = self._retry(lambda: identity(base, self._key, rest))
        if who is None:
            return False
        self.who = who
        folder = account_dir(Path(base.state_dir), base.network, who.account or "observe", fresh=base.own_exchange)
        self.folder, self.knew_account = folder, (folder / "account.json").exists()
        self.latch = HardStopLatch(latch_path(folder), self.clock.wall_ms())
        self._announce(who, folder)
        self.intents = IntentLog(folder / "intents.log", sync=base.journal_sync)
        if self.intents.recovered.torn:
            logger.warning(f"{self.intents.recovered.torn} damaged lines of the intent log were skipped")
        self.journal.on_state = self._journal_state
        self.journal.on_fill_lost = lambda: self.trip("thread_dead", "the journal queue is full: a fill is lost")
        self.journal.open(folder / "journal.db", self.intents)
        universe = self._retry(lambda: learn_universe(rest, base, who.account))
        if universe is None:
            return False
        self._check_overrides(universe)
        beginning = self._retry(lambda: read_beginning(self, rest, who, universe, folder))
        if beginning is None:
            return False
        self.readiness.universe_known()
        self.trading = assemble(self, universe, beginning if isinstance(beginning, Beginning) else None)
        self._start_threads(url)
        return True

    def _journal_state(self, why: str) -> None:
        """The journal thread says whether everything can be written; both owners' holds end with it."""
        self.readiness.hold("journal", why)
        if not why:
            self.readiness.hold("intents", "")

    def _check_overrides(self, universe: Universe) -> None:
        """A table of the markets file that is about no market of ours is a slip, not a wish."""
        unknown = [c for c in self.settings.overrides if c not in universe.specs and c not in universe.blocked]
        unknown += [c for c in self.settings.weights() if c not in universe.specs and c not in universe.blocked]
        if unknown:
            raise PreflightError([f"HIP3_MARKETS_FILE: {coin} is none of the traded markets" for coin in unknown])

    def _announce(self, who: Who, folder: Path) -> None:
        """The first line: what runs where, or what keeps it from trading."""
        base, latch = self.settings.base, self.latch
        assert latch is not None
        where = base.http_url
        if self.own is not None:
            where = f"embedded exchange, profile {self.own.profile}, seed {self.own.seed}"
        mode = "trade" if base.trading else "observe"
        state = latch.state()
        stopped = f"HARD STOP {state.reason} (reset: ./run.sh latch reset --reason TEXT); " if state.tripped else ""
        logger.info(f"{stopped}hip3 {__version__} {mode} on {where}, account {who.account or 'none'}, state {folder}")
        settings = redacted(base)
        self.journal.record("start", version=__version__, settings=settings, overrides=len(self.settings.overrides))
        logger.debug(f"settings {settings}")

    def by_http(self, post: Post, body: dict[str, Any]) -> None:
        """Cancels and exits while there is no socket: the rest thread posts them."""
        rest, trading = self.rest, self.trading
        assert rest is not None
        assert trading is not None
        # The inbox is never full: no more than one post per batch is in flight.
        self.rest_jobs.submit(lambda: trading.flow.send_by_http(post, lambda: rest.exchange(body)))

    def _start_threads(self, url: str) -> None:
        trading, base = self.trading, self.settings.base
        assert trading is not None
        who = self.who
        user = who.account if who is not None and who.key is not None else None
        ws_url = base.ws_url or "ws" + url.removeprefix("http") + "/ws"
        tune()
        supervisor = Supervisor(self, trading)
        self._supervisor = supervisor
        reader = self._make("ws-reader", lambda: None, trades=True)
        connection = Connection(
            url=ws_url, subscriptions=lambda: wanted(list(trading.specs), user), inbound=trading.flow,
            writer=self.writer, clock=self.clock, stop=reader.stopping, beat=reader.beat,
        )  # fmt: skip
        reader.replace_step(connection.run)
        self.connection = connection
        reader.start()
        self._worker("risk", supervisor.risk_step, trades=True)
        if trading.loop is not None:
            self._worker("tick", supervisor.tick_step, trades=True)
        logger.info("wired      " + ", ".join(report(trading, self.workers)))

    def _make(self, name: str, step: Callable[[], None], *, trades: bool = False) -> Worker:
        worker = Worker(name, step, self.clock, trades=trades)
        self.workers[name] = worker
        return worker

    def _worker(self, name: str, step: Callable[[], None], *, trades: bool = False) -> Worker:
        worker = self._make(name, step, trades=trades)
        worker.start()
        return worker

    def _rest_step(self) -> None:
        self.rest_jobs.run_one(0.2)
        if self.trading is not None:
            self.trading.housekeeping.step(self.clock.mono_ms())

    def _retry(self, job: Callable[[], T]) -> T | None:
        """Run `job` on the rest thread until it succeeds; None if stopped meanwhile."""
        backoff = Backoff()
        while not self._stop_wanted():
            future = self.rest_jobs.submit(job)
            try:
                return self._await(future)
            except (VenueReadError, WireError, *ODD_ANSWERS) as error:
                delay_ms = backoff.next_delay_ms(0.5)
                self.readiness.universe_unknown(f"the exchange does not answer: {error}")
                logger.warning(f"{error}; next try in {delay_ms} ms")
                end = self.clock.mono_ms() + delay_ms
                while self.clock.mono_ms() < end and not self._stop_wanted():
                    self.stop_wish.wait(POLL_S)
        return None

    def _stop_wanted(self) -> bool:
        """Whether to stop: a signal, the end of the duration, or a wish from elsewhere. Main only."""
        self.alerting.beat()
        if self._signals:
            self.ask_stop(StopMode.CANCEL, SIGTERM_TIMEOUT_MS)
        elif self._end_ms is not None and self.clock.mono_ms() >= self._end_ms:
            self.ask_stop(StopMode.FLATTEN, FLATTEN_TIMEOUT_MS)
        return self.stop_wish.is_set()

    def _await(self, future: "Future[T]") -> T:
        while True:
            wait([future], timeout=POLL_S)
            if future.done():
                return future.result()
            if self._stop_wanted():
                raise VenueReadError("stopped while waiting for the exchange")

    # Supervision.

    def _supervise(self) -> None:
        while not self._stop_wanted():
            self._supervisor.watch(self.clock.mono_ms())
            self.stop_wish.wait(POLL_S)

    def trip(self, code: str, detail: str, evidence: dict[str, Any] | None = None) -> None:
        """Trip the latch and do what follows from it."""
        if self.latch is not None and self.latch.trip(code, detail, self.clock.wall_ms(), evidence):
            logger.error(f"HARD STOP {code}: {detail} (reset: ./run.sh latch reset --reason TEXT)")
            self.journal.record("latch_set", code=code, detail=detail, evidence=evidence or {})

    def ask_stop(self, mode: StopMode, timeout_ms: int) -> None:
        """End the service; the first wish counts."""
        if not self.stop_wish.is_set():
            self._stop_mode, self._stop_timeout_ms = mode, timeout_ms
            self.stop_wish.set()

    def _install_signals(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: object) -> None:
        # Nothing but a number: the main thread may hold any lock while it is interrupted.
        self._signals += 1
        if self._signals > 1:
            os._exit(8)  # a second signal ends at once

    def _stop(self) -> Outcome:
        mode = self._stop_mode or StopMode.CANCEL
        if self.trading is None:
            return stop_before_trading(self, mode)
        if self.trading.loop is None:
            return Outcome(clean=True, proof=None, unknown=0, mode=mode)
        outcome = Stopper(self, self.trading, mode, self._stop_timeout_ms).run()
        self.trading.flow.exiting.keep_now()
        return outcome

    def read_proof(self) -> Proof:
        """What the exchange says is open (rest thread)."""
        who, rest, trading = self.who, self.rest, self.trading
        assert who is not None
        assert rest is not None
        dexs = self.settings.base.dexs if trading is None else trading.housekeeping.dexs
        if not dexs:
            return Proof(positions=None, orders=None, source="the start was not finished")
        return prove(rest.urgent, who.account or "", dexs)

    def prove(self, timeout_s: float) -> Proof:
        """What the exchange says is open, read on the rest thread; unknown if that takes too long."""
        future = self.rest_jobs.submit(self.read_proof)
        try:
            return future.result(timeout=timeout_s)
        except TimeoutError:
            return Proof(positions=None, orders=None, source="no answer in time")

    def _close(self) -> None:
        """Threads in order, journal last, one deadline for all; then the exchange of our own."""
        order = ["tick", "ws-reader", "risk", "rest", "control", "status-http"]
        for name in order:
            if name in self.workers:
                self.workers[name].stop()
        if self._status_server is not None:
            self._status_server.close()
        if self.trading is not None:
            self.trading.scheduler.wake()
        end = self.clock.mono_ms() + int(JOIN_S * 1000)
        for name in order:
            if name in self.workers and not self.workers[name].join((end - self.clock.mono_ms()) / 1000):
                logger.warning(f"thread {name} did not end in time")
        if hasattr(self, "_control"):
            self._control.close()
        if self.own is not None:
            self.own.stop(0.3 if self._signals else 3)
        self.alerting.finish()
        if "journal" in self.workers:
            self.workers["journal"].stop()
            if self.workers["journal"].join(0.7):  # else it hangs on a disk, and so would we
                self.journal.drain(0)
                self.journal.close()
        logger.complete()

    # What others ask.

    def status(self) -> dict[str, Any]:
        """The object of `status --json`."""
        return snapshot(self)
