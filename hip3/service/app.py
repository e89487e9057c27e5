"""The service: starts, supervises and stops. The main thread's home; it never trades.

start     state folder and latch, own exchange, identity -> universe and account -> threads
supervise each 200 ms: threads, own exchange, state changes, duration, signals
stop      no new entries -> purge -> cancel -> (flatten) -> proof -> threads, journal last
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from loguru import logger

from hip3.config.reading import MarketSettings, redacted
from hip3.core.ports import Clock
from hip3.core.urls import shown_url
from hip3.errors import ODD_ANSWERS, PreflightError, VenueReadError
from hip3.exchange.backoff import Backoff
from hip3.exchange.subscriptions import wanted
from hip3.execution.truth.universe import Universe
from hip3.ops import logs
from hip3.ops.control import ControlServer
from hip3.ops.metrics import MetricsPage
from hip3.ops.state_dir import account_dir, socket_path
from hip3.ops.status_http import StatusServer
from hip3.ops.status_text import status_text
from hip3.risk.hard_stop import HardStopLatch
from hip3.service.alerting import Alerting, secrets_of
from hip3.service.assembly import StartReading, assemble, learner
from hip3.service.control_requests import handle, told
from hip3.service.details import histograms
from hip3.service.kept import latch_path
from hip3.service.live import Live
from hip3.service.recording import begin_recording, end_recording
from hip3.service.running import Running
from hip3.service.runtime import Runtime
from hip3.service.snapshot import snapshot
from hip3.service.start import OwnExchange, Who, configured_key, identity
from hip3.service.stop_wish import FLATTEN_TIMEOUT_MS, StopMode
from hip3.service.stopping import Outcome, Stopper, stop_before_trading
from hip3.service.supervisor import Supervisor
from hip3.service.wiring import report
from hip3.service.workers import Worker
from hip3.version import __version__

if TYPE_CHECKING:
    from hip3.service.terminal_view import TerminalView

T = TypeVar("T")
POLL_S = 0.2
SIGTERM_TIMEOUT_MS = 3200
JOIN_S = 1.0
PORTS = 10
"""How many are tried for the page, from HIP3_HTTP_PORT on."""
GIVE_BACK = b"\x1b[?1049l\x1b[?25h"
"""The screen that was there before the live view, and its cursor."""
AT_ONCE = b"hip3: ended at once by a second signal, nothing is proved; ./run.sh flatten closes what is open\n"


class App:
    """One run of the service. Everything here runs on main."""

    def __init__(
        self, settings: MarketSettings, clock: Clock, runtime: Runtime | None = None, *, view: bool = False,
        quiet: bool = False, own: OwnExchange | None = None,
    ) -> None:  # fmt: skip
        self.running = Running(settings, clock, runtime or Runtime())
        self.running.own = own
        self.alerting = Alerting(self.running)
        self._key = configured_key(settings.base)
        self._watch_failed = ""
        self._supervisor: Supervisor | None = None
        self._control: ControlServer | None = None
        self._status_server: StatusServer | None = None
        self.live = Live(self.running)
        self._view, self._quiet = view, quiet
        self._terminal: TerminalView | None = None

    # The whole of a run, from top to bottom.

    def run(self, duration_ms: int | None = None) -> Outcome:
        """Start, supervise, stop. PreflightError, ConfigError before anything trades."""
        running = self.running
        base = running.settings.base
        logs.setup(Path(base.log_dir), secrets_of(base), lines=not self._view, quiet=self._quiet)
        self._install_signals()
        running.end_ms = None if duration_ms is None else running.started_ms + duration_ms
        try:
            self.start_helpers()
            self.start_answering()
            if self.start_trading():
                while not self.stop_wanted():
                    self._watch_guarded()
                    running.stop.wait(POLL_S)
            outcome = self.stop()
            if self._control is not None:
                self._control.finish(told(outcome, running.failed))
            return outcome
        finally:
            self.close()

    def start_helpers(self) -> None:
        """The threads that a start needs."""
        running = self.running
        self._worker("journal", lambda: running.journal.drain(running.runtime.journal_gather_s))
        self._worker("rest", self._rest_step)

    def start_answering(self) -> None:
        """The threads that tell people and answer them."""
        running = self.running
        self._worker("alerts", self.alerting.step)
        for number, channel in enumerate(running.all_channels(), 1):
            self._worker(f"alert-{number}", channel.step)
        path = socket_path(Path(running.settings.base.state_dir))
        try:
            self._control = ControlServer(path, lambda request: handle(running, request))
            self._worker("control", self._control.step)
        except OSError as error:  # positions are looked after all the same, and a signal still stops it
            logger.error(f"commands do not reach this service: {path}: {error.strerror}")
        self._status_server = self._open_status_server()
        self._worker("live", self.live.step)
        if self._view:
            from hip3.service.terminal_view import TerminalView  # noqa: PLC0415 a tenth of a start is rich's import

            self._terminal = TerminalView(lambda: snapshot(running), running.runtime)
            self._worker("terminal", self._terminal.step)
        if self._status_server is not None:
            self._worker("status-http", self._status_server.serve)

    def start_trading(self) -> bool:
        """Learn what must be known and start the trading threads; False if stopped meanwhile."""
        running = self.running
        base, runtime = running.settings.base, running.runtime
        if base.paper:  # its upstream may be away: that is waited for, as a real network is
            running.own = self._retry(lambda: OwnExchange(base).listening())
            if running.own is None:
                return False
        elif base.own_exchange:
            running.own = (running.own or OwnExchange(base)).listening()
        url = running.own.url if running.own is not None else base.http_url
        rest = running.rest = runtime.rest(url, running.clock, Path(base.state_dir))
        rest.before_read = running.rest_jobs.run_urgent
        recording = begin_recording(running, rest)
        if recording is not None:
            self._worker("recorder", recording)
        who = self._retry(lambda: identity(base, self._key, rest.unheld))
        if who is None:
            return False
        folder = self._open_state(who)
        leaving = bool(running.left_in)  # then no slip of settings keeps the rest from being looked after
        universe = self._retry(learner(running, rest.unheld, who.account))
        if universe is None:
            return False
        self._check_overrides(universe, leaving=leaving)
        reading = StartReading(running, rest.unheld, who, universe, folder)
        if self._retry(reading.read) is None:
            return False
        running.readiness.universe_known()
        running.trading = assemble(running, reading)
        self._start_threads(url, who)
        return True

    def watch(self) -> None:
        """One round of supervision."""
        assert self._supervisor is not None
        self._supervisor.watch(self.running.clock.mono_ms())

    def _watch_guarded(self) -> None:
        """What breaks in one round is said, once for each kind, and the next comes: main must live to stop in order."""
        try:
            self.watch()
        except Exception as error:  # noqa: BLE001 see above
            what = f"{type(error).__name__}: {error}"
            if what != self._watch_failed:
                self._watch_failed = what
                logger.opt(exception=error).error(f"a round of supervision broke: {what}")
                self.running.journal.record("fault", what=f"supervision: {what}")

    def stop(self) -> Outcome:
        """Stop trading in the mode that was asked for, and prove the outcome. The threads go on."""
        running = self.running
        mode, trading = running.stop.mode, running.trading
        if trading is None:
            outcome = stop_before_trading(running)
        elif trading.loop is None:
            outcome = Outcome(clean=True, proof=None, unknown=0, mode=mode)
        else:
            outcome = Stopper(running, trading, mode, running.stop.timeout_ms).run()
            trading.exiting.keep_now()
        running.journal.record(
            "stop", mode=outcome.mode.value, clean=outcome.clean, proof=outcome.sentence, bare=outcome.bare
        )
        return outcome

    def close(self) -> None:
        """Threads in order, journal last, one deadline for all; then the exchange of our own."""
        running, workers = self.running, self.running.workers
        order = [
            n
            for n in ("tick", "ws-reader", "risk", "rest", "control", "status-http", "live", "terminal")
            if n in workers
        ]
        for name in order:
            workers[name].stop()
        if self._status_server is not None:
            self._status_server.close()
        if running.trading is not None:
            running.trading.scheduler.wake()
        end = running.clock.mono_ms() + int(JOIN_S * 1000)
        for name in order:
            if not workers[name].join((end - running.clock.mono_ms()) / 1000):
                logger.warning(f"thread {name} did not end in time")
        if running.trading is not None and running.trading.observer is not None:
            running.trading.observer.end(running.clock.mono_ms())
        end_recording(running)
        if self._control is not None:
            self._control.close()
        self.live.close()
        if self._terminal is not None:
            self._terminal.close()
        if running.own is not None:
            running.own.stop(0.3 if running.stop.signals and not running.settings.base.paper else 3)
        self.alerting.finish()
        if "journal" in workers:
            workers["journal"].stop()
            if workers["journal"].join(0.7):  # else it hangs on a disk, and so would we
                running.journal.drain(0)
                running.journal.close()
        logger.complete()

    # The start, step by step.

    def _open_status_server(self) -> StatusServer | None:
        """The server on HIP3_HTTP_PORT; None where it is turned off or the port is not free."""
        running = self.running
        port = running.settings.base.http_port
        if not port:
            return None

        def status() -> dict[str, Any]:
            return snapshot(running)

        metrics = MetricsPage(status, lambda: histograms(running))
        for number in range(port, min(port + PORTS, 65_536)):
            try:
                server = StatusServer(number, status, status_text, metrics.text, running.clock.mono_ms, self.live)
            except OSError as error:
                why = error.strerror
                continue
            running.page = f"http://127.0.0.1:{number}/"
            if number == port:
                logger.info(f"page       {running.page}")
            else:  # whoever looks at the usual place sees somebody else's figures
                logger.warning(f"page       {running.page}, since port {port} is taken; set HIP3_HTTP_PORT to choose")
            return server
        logger.warning(f"no status over HTTP: port {port} and those after it are not free ({why}); set HIP3_HTTP_PORT")
        return None

    def _open_state(self, who: Who) -> Path:
        """The account's folder with latch, intent log and journal."""
        running = self.running
        running.who = who
        base = running.settings.base
        folder = account_dir(Path(base.state_dir), base.place, who.account or "observe", fresh=base.fresh_exchange)
        running.folder, running.knew_account = folder, (folder / "account.json").exists()
        latch = running.latch = HardStopLatch(latch_path(folder), running.clock.wall_ms())
        self._announce(who, folder, latch)
        intents = running.intents = running.runtime.intents(folder / "intents.log", sync=base.journal_sync)
        if intents.recovered.torn:
            logger.warning(f"{intents.recovered.torn} damaged lines of the intent log were skipped")
        running.readiness.hold("latch", latch.persist())
        if intents.unread:
            logger.error(intents.unread)
            running.readiness.hold("intents of before", intents.unread)
        running.journal.on_state = self._journal_state
        running.journal.on_fill_lost = lambda: running.trip("thread_dead", "the journal queue is full: a fill is lost")
        running.journal.open(folder / "journal.db", intents)
        return folder

    def _journal_state(self, why: str) -> None:
        """The journal thread says whether everything can be written; both owners' holds end with it."""
        readiness = self.running.readiness
        readiness.hold("journal", why)
        if not why:
            readiness.hold("intents", "")

    def _check_overrides(self, universe: Universe, *, leaving: bool) -> None:
        """A table of the markets file that is about no market of ours is a slip, not a wish; told alone where something
        is to be left."""
        settings = self.running.settings
        named = [*settings.overrides, *settings.weights()]
        unknown = [coin for coin in named if coin not in universe.specs and coin not in universe.blocked]
        faults = [f"HIP3_MARKETS_FILE: {coin} is none of the traded markets" for coin in unknown]
        if faults and not leaving:
            raise PreflightError(faults)
        for fault in faults:
            logger.warning(fault)

    def _announce(self, who: Who, folder: Path, latch: HardStopLatch) -> None:
        """The first line: what runs where, or what keeps it from trading."""
        running = self.running
        base, own = running.settings.base, running.own
        where = own.what if own is not None else shown_url(base.http_url)
        mode = base.shown_network if base.paper else base.doing
        state = latch.state()
        stopped = f"HARD STOP {state.reason} (reset: ./run.sh latch reset --reason TEXT); " if state.tripped else ""
        logger.info(f"{stopped}hip3 {__version__} {mode} on {where}, account {who.account or 'none'}, state {folder}")
        overrides, shown = len(running.settings.overrides), redacted(base)
        running.journal.record("start", version=__version__, mode=base.doing, settings=shown, overrides=overrides)
        logger.debug(f"settings {shown}")

    def _start_threads(self, url: str, who: Who) -> None:
        running, runtime = self.running, self.running.runtime
        trading, base = running.trading, running.settings.base
        assert trading is not None
        user = who.account if who.key is not None else None
        ws_url = base.ws_url or "ws" + url.removeprefix("http") + "/ws"
        runtime.tune()
        supervisor = self._supervisor = Supervisor(running, trading)
        reader = self._make("ws-reader", trades=True)
        connection = running.connection = runtime.connection(
            url=ws_url, subscriptions=lambda: wanted(trading.markets.listed(), user, trades=base.paper),
            inbound=trading.flow, writer=running.writer, clock=running.clock, stop=reader.stopping, beat=reader.beat,
            tap=running.recorder,
        )  # fmt: skip
        reader.start(lambda: runtime.read(connection))
        self._worker("risk", supervisor.risk_step, trades=True)
        if trading.loop is not None:
            self._worker("tick", supervisor.tick_step, trades=True)
        logger.debug("wired      " + ", ".join(report(trading, running.workers)))

    def _make(self, name: str, *, trades: bool = False) -> Worker:
        worker = self.running.workers[name] = self.running.runtime.worker(name, self.running.clock, trades=trades)
        return worker

    def _worker(self, name: str, step: Callable[[], None], *, trades: bool = False) -> None:
        self._make(name, trades=trades).start(step)

    def _rest_step(self) -> None:
        running = self.running
        running.rest_jobs.run_one(running.runtime.rest_wait_s)
        if running.trading is not None:
            running.trading.housekeeping.step(running.clock.mono_ms())

    # Waiting.

    def _retry(self, job: Callable[[], T]) -> T | None:
        """Run `job` on the rest thread until it succeeds; None if stopped meanwhile."""
        running, backoff = self.running, Backoff()
        while not self.stop_wanted():
            future = running.rest_jobs.submit(job)
            try:
                return self._await(future)
            except (VenueReadError, *ODD_ANSWERS) as error:
                delay_ms = backoff.next_delay_ms(0.5)
                running.readiness.universe_unknown(f"the exchange does not answer: {error}")
                logger.warning(f"{error}; next try in {delay_ms} ms")
                end = running.clock.mono_ms() + delay_ms
                while running.clock.mono_ms() < end and not self.stop_wanted():
                    running.stop.wait(POLL_S)
        return None

    def _await(self, future: "Future[T]") -> T:
        while True:
            self.running.runtime.wait_for(future, POLL_S)
            if future.done():
                return future.result()
            if self.stop_wanted():
                raise VenueReadError("stopped while waiting for the exchange")

    def stop_wanted(self) -> bool:
        """Whether to stop: a signal, the end of the duration, or a wish from elsewhere."""
        running = self.running
        self.alerting.beat()
        if running.stop.signals:
            running.stop.ask(StopMode.CANCEL, SIGTERM_TIMEOUT_MS)
        elif running.end_ms is not None and running.clock.mono_ms() >= running.end_ms:
            running.stop.ask(StopMode.FLATTEN, FLATTEN_TIMEOUT_MS)
        return running.stop.asked

    def _install_signals(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # of nohup
                    signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: object) -> None:
        # Nothing but a number: the main thread may hold any lock while it is interrupted.
        self.running.stop.signals += 1
        if self.running.stop.signals > 1:
            with contextlib.suppress(OSError):
                os.write(2, (GIVE_BACK if os.isatty(2) else b"") + AT_ONCE)
            os._exit(8)  # a second signal ends at once
