"""The service itself, in this process, on an embedded exchange that is a process of its own.

`Rig` starts `hip3.service.app.App` as `hip3.py run` does, its threads included. What is measured runs as a *job* on the
thread that it belongs to: `on_reader` after the next frame (a ping brings one), `on_tick` before the next round.
So the confinement of the parts holds, and their locks, queues and neighbours are the real ones.
"""

import contextlib
import gc
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import requests
from loguru import logger

from hip3.bench.shots import back, shot
from hip3.clock import SystemClock
from hip3.config.reading import MarketSettings
from hip3.config.settings import Settings
from hip3.core.events import Event, PostReply
from hip3.core.market import MarketView
from hip3.core.money import BASIS_POINT, half_even
from hip3.core.ports import SendOutcome, SendResult
from hip3.errors import Hip3Error
from hip3.exchange import rate_limit, rest
from hip3.exchange.embedded import drip_request
from hip3.exchange.protocol import Session
from hip3.exchange.signing import SigningKey
from hip3.exchange.writer import WriteHandle
from hip3.execution.readiness import State
from hip3.execution.sending.loop import KEPT_MESSAGES
from hip3.service.app import App
from hip3.service.parts import Trading
from hip3.service.start import hip3_command, hip3_environment
from hip3.service.stop_wish import StopMode
from hip3.service.workers import Worker

T = TypeVar("T")
PATIENCE_S = 10.0
DEX = "xyz"
PING = '{"method":"ping"}'
_never = threading.Event()

MINUTE_S = 70.0
"""In so long the messages of a minute have come back."""
PER_SHOT = 3
"""Messages: the order's, and the pings that have its two jobs run."""
AHEAD_MS = 4000
"""Books made by hand are newer than any of the exchange's."""
UNBLOCKED: dict[str, Any] = {
    "max_mark_mid_bps": Decimal(10_000), "spread_shock": Decimal(1000), "max_oracle_step_bps": Decimal(10_000),
    "max_edge_bps": Decimal(10_000),
}  # fmt: skip
"""The market-health gates look, but find nothing wrong with books made by hand."""


def every_gate() -> dict[str, Any]:
    """Settings under which every market gate has something to judge by, and finds nothing wrong."""
    half_a_day_from_now = (SystemClock().wall_ms() // 3_600_000 + 12) % 24
    return {
        "max_bbo_age_ms": 600_000, "max_ctx_age_ms": 600_000, "max_oracle_still_ms": 3_600_000,
        "sessions": "Mon-Sun 00:00-24:00", "blackout": f"{half_a_day_from_now:02d}:00-{half_a_day_from_now:02d}:30",
    }  # fmt: skip


class Broken(Hip3Error):
    """The service under measurement did not do what it should; there is nothing to measure."""


def coins(count: int) -> list[str]:
    """The names of the benchmark's markets."""
    return [f"{DEX}:M{n:03d}" for n in range(count)]


def quiet_exchange(markets: int) -> str:
    """Configuration of an exchange whose markets walk in small steps and never go stale.

    It executes at once and counts no weight: a block's turn and a minute's budget are not what is measured.
    """
    parameters = "[parameters]\nip_weight_per_minute = 100000000\nblocks = false\n"
    market = (
        'px = "100"\nsz_decimals = 2\nmax_leverage = 10\nspread_bps = 6\nbasis_bps = 0\noracle_step_bps = 0.2\n'
        "touch_usd = 20000\n"
    )
    return parameters + "".join(f'[[markets]]\ncoin = "{coin}"\n{market}' for coin in coins(markets))


@contextlib.contextmanager
def exchange(folder: Path, markets: int, *, speed: float = 1, limits: bool = True) -> Iterator[str]:
    """`hip3.py exchange --latency 0` with quiet markets, as a process; its URL."""
    config = folder / f"exchange-{markets}.toml"
    config.write_text(quiet_exchange(markets), encoding="ascii")
    command = hip3_command(
        "exchange", "--port", "0", "--seed", "1", "--latency", "0", "--speed", str(speed), "--config", str(config),
        "--until-eof", *(() if limits else ("--no-limits",)),
    )  # fmt: skip
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=hip3_environment(),
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        line = child.stdout.readline()
        if not line.startswith("listening on "):
            raise Broken("the embedded exchange did not start")
        yield line.split()[-1]
    finally:
        child.stdin.close()
        child.wait(10)
        child.stdout.close()


_WEIGHT = "IP_WEIGHT_PER_MINUTE"


@contextlib.contextmanager
def _roomy_weight() -> Iterator[None]:
    """Reading a hundred markets' margins would spend the weight of minutes."""
    setattr(rest, _WEIGHT, 1_000_000)
    try:
        yield
    finally:
        setattr(rest, _WEIGHT, rate_limit.IP_WEIGHT_PER_MINUTE)


def funded_key(url: str) -> bytes:
    """A new key whose address has 1,000 USDC on every dex."""
    secret = secrets.token_bytes(32)
    requests.post(url + "/info", json=drip_request(SigningKey(secret).address), timeout=10).raise_for_status()
    return secret


class TimedWriter(WriteHandle):
    """The production write handle, and when each of its sends had returned."""

    def __init__(self, clock: SystemClock) -> None:
        super().__init__(clock)
        self.clock = clock
        self.sent_ns: list[int] = []

    def send(self, text: str, generation: int | None = None, by_ms: int | None = None) -> SendResult:
        result = super().send(text, generation, by_ms)
        if result.outcome is SendOutcome.SENT and text is not PING:
            self.sent_ns.append(SystemClock.mono_ns())
        return result


class Hit(NamedTuple):
    """One signal's instants in nanoseconds: its frame came, its order's bytes were written, the reply was processed."""

    signalled: int
    sent: int
    replied: int


class Rig:
    """See the module. `settings` are those of the service."""

    def __init__(
        self, folder: Path, url: str, markets: int, *, writer: type[TimedWriter] = TimedWriter, **settings: Any
    ) -> None:
        folder.mkdir()
        self.coins = coins(markets)
        self.secret = funded_key(url)
        base = Settings(
            network="embedded", api_url=url, private_key="0x" + self.secret.hex(), markets=",".join(self.coins),
            state_dir=str(folder / "state"), log_dir=str(folder / "logs"),
            **({"orders_per_second": 10_000, "http_port": 0} | UNBLOCKED | settings),
        )  # fmt: skip
        self.clock = SystemClock()
        Path(base.state_dir).mkdir()
        self.app = App(MarketSettings(base), self.clock)
        self.running = self.app.running
        self.writer = self.running.writer = writer(self.clock)
        self._replied: Future[int] | None = None
        """When the awaited reply had been processed to its end."""
        self._newest: dict[str, int] = {}
        """Time of the last book made by hand, by market."""
        self._reader_jobs: list[Callable[[Session], None]] = []
        self._tick_jobs: list[Callable[[], None]] = []
        self._worker = Worker("bench-main", self.clock)

    def __enter__(self) -> "Rig":
        self._switch_interval = sys.getswitchinterval()
        self._sink = open(os.devnull, "w", encoding="utf-8")
        with contextlib.redirect_stderr(self._sink), _roomy_weight():
            # The service logs to what stderr is at its start: its lines are none of the table's.
            self._worker.start(self._run)
            self.wait(lambda: self.running.trading is not None, "a start")
        self.trading: Trading = self._wired()
        self.wait(lambda: self._word() is not State.NOT_READY, "READY")
        return self

    def __exit__(self, *exc: object) -> None:
        self.running.stop.ask(StopMode.LEAVE, 0)
        self._worker.join(PATIENCE_S)
        logger.remove()
        gc.unfreeze()
        sys.setswitchinterval(self._switch_interval)
        self._sink.close()

    def _word(self) -> State:
        return self.running.readiness.word(self.clock.mono_ms(), tripped=False)[0]

    def _run(self) -> None:
        self._worker.stop()
        self.app.run()

    def _wired(self) -> Trading:
        """Put the jobs' doors into the running parts."""
        trading = self.running.trading
        assert trading is not None
        assert trading.loop is not None
        self.deliver = on_event = trading.flow.on_event
        self.step = step = trading.loop.step

        def on_event_and_jobs(session: Session, event: Event, now_ms: int) -> None:
            on_event(session, event, now_ms)
            if self._replied is not None and isinstance(event, PostReply):
                waiting, self._replied = self._replied, None
                waiting.set_result(SystemClock.mono_ns())
            while self._reader_jobs:
                self._reader_jobs.pop()(session)

        def jobs_and_step(now_ms: int) -> bool:
            while self._tick_jobs:
                self._tick_jobs.pop()()
            return step(now_ms)

        trading.flow.on_event = on_event_and_jobs  # type: ignore[method-assign]
        trading.loop.step = jobs_and_step  # type: ignore[method-assign]
        return trading

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = PATIENCE_S) -> None:
        """Until `condition` holds; Broken if it does not for so long."""
        end = self.clock.mono_ms() + int(seconds * 1000)
        while not condition():
            if self.clock.mono_ms() > end or not self._worker.alive:
                raise Broken(f"the service did not reach {what}: {self._worker.failure or self.reasons}")
            pause(0.001)

    @property
    def reasons(self) -> list[str]:
        return self.running.readiness.reasons(self.clock.mono_ms())

    def on_reader(self, job: Callable[[Session], T]) -> T:
        """Run `job` on the ws-reader thread after the next frame, and give its result."""
        future: Future[T] = Future()

        def run(session: Session) -> None:
            try:
                future.set_result(job(session))
            except Exception as error:  # noqa: BLE001 it belongs to who asked
                future.set_exception(error)

        self.fire(run)
        return future.result(PATIENCE_S * 4)

    def fire(self, job: Callable[[Session], None]) -> None:
        """Run `job` on the ws-reader thread after the next frame, and wait for nothing."""
        self._reader_jobs.append(job)
        self.running.writer.send(PING)

    def ping(self) -> int:
        """Nanoseconds from a ping to its answer, processed."""
        began = SystemClock.mono_ns()
        return self.on_reader(lambda session: SystemClock.mono_ns()) - began

    def on_tick(self, job: Callable[[], T]) -> T:
        """Run `job` on the tick thread before its next round, and give its result."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(job())
            except Exception as error:  # noqa: BLE001 it belongs to who asked
                future.set_exception(error)

        self._tick_jobs.append(run)
        self.trading.scheduler.wake()
        return future.result(PATIENCE_S * 4)

    def receive(self, session: Session, frame: bytes) -> None:
        """One frame, as the ws-reader does it: parsed, applied, decided. On its thread."""
        now = self.clock.mono_ms()
        self.deliver(session, session.receive(frame, now), now)

    def shoot(self, coin: str, number: int) -> Hit:
        """A dislocation in one market, its order and the reply. Nothing of ours runs between signal and reply."""
        self.wait(lambda: coin not in self.trading.blocked, f"the margin of {coin}: they are set one by one")
        self.wait(self._has_messages, "messages for an entry within a minute", MINUTE_S)
        signalled, self._replied = [], Future()
        restored = list[bytes]()

        def signal(session: Session) -> None:
            # On the thread that reads books: between two looks none of the exchange's can overtake ours.
            book_ms = max(self._view(coin).book_time_ms, self._newest.get(coin, 0)) + AHEAD_MS
            self._newest[coin] = book_ms
            *before, last = shot(coin, self.price(coin), number, book_ms)
            restored.extend(back(coin, self.price(coin), book_ms))
            self._receive_all(session, before)
            signalled.append(SystemClock.mono_ns())
            self.receive(session, last)

        waiting, sent = self._replied, len(self.writer.sent_ns)
        self.fire(signal)
        try:
            replied = waiting.result(PATIENCE_S)
        except TimeoutError:
            gate, executor = self.trading.gates.standing().get(coin), self.trading.executor
            skipped = {} if executor is None else dict(executor.skipped)
            raise Broken(f"no reply to a shot in {coin}: {self.reasons}, gate {gate}, skipped {skipped}") from None
        self.wait(lambda: len(self.writer.sent_ns) > sent, "a send that returned")
        self.on_reader(lambda session: self._receive_all(session, restored))
        return Hit(signalled[0], self.writer.sent_ns[sent], replied)

    def _has_messages(self) -> bool:
        """Whether an entry may leave: where five hundred shots follow each other within a minute, only the messages for
        exits are left."""
        left = self.writer.messages_left(self.clock.mono_ms())
        return left > KEPT_MESSAGES + PER_SHOT and self._word() is State.READY

    def _receive_all(self, session: Session, texts: list[bytes]) -> None:
        for text in texts:
            self.receive(session, text)

    def price(self, coin: str) -> Decimal:
        """The oracle price the service knows."""
        oracle = self._view(coin).oracle
        assert oracle is not None
        return oracle

    def fee(self, coin: str, notional: Decimal) -> Decimal:
        """What taking costs there: a fill that cost something else ends the trade in its market."""
        return half_even(notional * self.trading.specs[coin].taker_fee_bps * BASIS_POINT, 6)

    def _view(self, coin: str) -> MarketView:
        view = self.trading.market_state.view(coin)
        assert view is not None
        return view

    def ignore_the_clock(self) -> None:
        """The exchange's time runs faster than ours: that is no clock to judge ours by."""
        self.trading.offset.add = lambda *_: None  # type: ignore[method-assign]
        self.trading.flow._streams._offset_ms = lambda: 0
        self.wait(lambda: self._word() is State.READY, "READY")


def pause(seconds: float) -> None:
    """Let other threads run."""
    _never.wait(seconds)
