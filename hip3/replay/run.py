"""One replay from its first frame to its last: the service as it is, in one thread, under a clock of its own."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from loguru import logger

from hip3 import locks
from hip3.config.reading import MarketSettings
from hip3.exchange.connection import Connection
from hip3.exchange.embedded import key_number_one
from hip3.exchange.signing import SigningKey
from hip3.onethread.clock import SimClock
from hip3.onethread.http import Http
from hip3.onethread.process import MAIN_MS, OneThread, Stepped
from hip3.onethread.threads import NEVER, Actor, Threads
from hip3.ops.intents import Intent
from hip3.replay.head import Head
from hip3.replay.held import take_over
from hip3.replay.latency import Travels
from hip3.replay.measured import Legs
from hip3.replay.network import Network, ReplaySocket
from hip3.replay.setup import setup_of
from hip3.replay.source import Change, Source
from hip3.replay.warp import Warp
from hip3.service.app import App
from hip3.service.stop_wish import StopMode
from hip3.venue.market.own import Own
from hip3.venue.recorded import Model, RecordedVenue

WATCH_MS = 200
ORDER = ("exchange", "ws-reader", "tick", "risk", "rest", "journal", "recorder", "main")
"""Who goes first where several are due: in a replay nothing is left to chance."""


class Ask(msgspec.Struct, kw_only=True):
    """What is to be replayed, and how."""

    recording: Path
    settings: MarketSettings
    coins: list[str]
    model: Model = Model()
    own: bool = False
    """The recording is one of an account that traded, whose orders are repeated."""
    timed: bool = False
    """Each order takes as long as it took in the recording, which is one of paper."""
    latency: Legs
    seed: int = 0
    balance: Decimal = Decimal(1000)
    from_ns: int | None = None
    to_ns: int | None = None
    change: Change | None = None
    warp: bool = True
    """Rounds that find nothing to do are left out."""
    progress: Callable[[int, Callable[[], tuple[int, str]]], None] = lambda wall_ms, figures: None
    """Told of the recorded time, often."""
    until_ns: int | None = None
    """Stop there without reading on: what comes after is nobody's business."""


class Replay(msgspec.Struct, kw_only=True):
    """What became of it."""

    app: App
    venue: RecordedVenue
    user: str
    source: Source
    folder: Path
    wall_first_ms: int
    wall_last_ms: int
    incomplete: bool = False
    """It was interrupted."""
    problem: str = ""
    """Why the service did not start or did not end in order; empty when it did."""


class Calm(Threads):
    """Nobody cuts in, and of several that are due the first of `ORDER` runs."""

    def __init__(self, clock: SimClock) -> None:
        super().__init__(clock, 0, preempt=0)

    def turn(self, limit_ms: int) -> None:
        now, soonest, first = self.clock.mono_ms(), limit_ms, None
        for name in ORDER:
            actor = self.actors.get(name)
            if actor is None or actor.running:
                continue
            due = actor.due()
            if due <= now:
                first = actor
                break
            soonest = min(soonest, due)
        if first is not None:
            self._run(first)
        else:
            self.clock.advance(max(1, soonest - now))

    def soonest(self, but: str) -> int:
        """When somebody else is due."""
        others = (a.due() for name, a in self.actors.items() if name != but and not a.running)
        return min(others, default=NEVER)


class Around:
    """`hip3.onethread.process.Around`: what a replayed process has around it."""

    def __init__(self, network: Network, run: str, told: Callable[[str, dict[str, Any]], None]) -> None:
        self._network, self._run, self._told = network, run, told

    def connect(self, url: str) -> ReplaySocket:
        return self._network.connect(url)

    def session(self) -> Any:
        return Http(self._network.request)

    def jitter(self) -> float:
        return 0.5

    def run(self) -> str:
        return self._run

    def tick_began(self) -> None:
        """Nothing is counted."""

    def recorded(self, kind: str, fields: dict[str, Any]) -> None:
        self._told(kind, fields)

    def intent_written(self, record: Intent) -> None:
        """Nothing is checked here."""

    def intent_failed(self, record: Intent) -> None:
        """The journal says so."""


class Runtime(OneThread):
    """As `OneThread`; the reader goes on by itself while nobody else has anything to do."""

    def __init__(self, threads: Calm, around: Around) -> None:
        super().__init__(threads, around)
        self._calm = threads
        self.warp: Warp | None = None
        """Set where rounds that find nothing to do are left out."""

    def _due_tick(self, worker: Stepped) -> int:
        due = super()._due_tick(worker)
        app, now = self.app, self._calm.clock.mono_ms()
        if self.warp is None or not due or app._supervisor is None:
            return due
        found = self.warp.tick_due(due, app.running.settings.base.tick_ms, now)
        if found == NEVER:
            worker.beat()  # it would have had its rounds
        elif found != due:
            app._supervisor._next_tick_ms = found
        return found

    def _due_journal(self, worker: Stepped) -> int:
        due = super()._due_journal(worker)
        if self.warp is None:
            return due
        journal: Any = self.app.running.journal
        return self.warp.journal_due(due, worker.turned_ms, journal.records)

    def read(self, connection: Connection) -> None:
        connection.step()
        threads = self._calm
        if connection._ws is None or threads.depth > 1:
            return
        clock, soonest = threads.clock, threads.soonest("ws-reader")
        app = self.app
        trading = app.running.trading
        assert trading is not None
        jobs, risk, scheduler = app.running.rest_jobs._jobs, trading.risk_events, trading.scheduler
        inbound = connection._inbound
        while (ws := connection._ws) is not None:
            at, now = ws.next_ms(), clock.mono_ms()  # type: ignore[attr-defined]
            if at >= soonest or scheduler._woken or jobs.queue or risk.queue:
                return
            if at > now:
                clock.advance(at - now)
                now = at
            session, data = connection._session, ws.market_frame()  # type: ignore[attr-defined]
            if data is None or session is None:
                connection.step()
            else:  # what `step` does with a frame; pings and time-outs are looked at by the steps between
                inbound.on_event(session, session.receive(data, now), now)


def began_ns(head: Head) -> int:
    """When the process that recorded began: as long before its first question as ours asks its own, so that all that
    goes by a beat of its own, ticks and samples, has the same one."""
    return head.asked_ns - MAIN_MS * 1_000_000 if head.asked_ns else head.first_ns


class World:
    """Puts the parts of one replay together and lets it run."""

    def __init__(self, ask: Ask, head: Head, told: Callable[[str, dict[str, Any]], None] = lambda k, f: None) -> None:
        self._ask, self._head = ask, head
        start_ns = max(began_ns(head) if ask.own else head.first_ns, ask.from_ns or 0)
        clock = self.clock = SimClock(start_ns // 1_000_000)
        self.threads = Calm(clock)
        own = Own() if ask.own else None
        self.source = Source(
            ask.recording, head, coins=set(ask.coins), mono0_ms=clock.mono_ms(), start_ns=start_ns, own=own,
            to_ns=ask.to_ns, from_ns=ask.from_ns, change=ask.change, depth=ask.model.behind == "depth",
            timed=ask.timed,
        )  # fmt: skip
        travels = Travels(ask.latency, ask.seed, self.source.ways, own=ask.own, timed=ask.timed)
        self.network = Network(
            clock, self.threads, self.source, http_ms=head.rtt_ms // 2, reply_ms=travels.reply_ms,
            offset_ms=head.offset_ms,
        )  # fmt: skip
        setup, px = setup_of(head)
        self.user = SigningKey(key_number_one(ask.seed)).address
        self.source.ahead(clock.mono_ms())
        self.venue = self.network.venue = RecordedVenue(
            setup, tapes=self.source.tapes, travels=travels, model=ask.model._replace(trades=head.trades), own=own,
            px=px, seed=ask.seed, now_ms=self.network.exchange_ms(),
        )  # fmt: skip
        self.source.ways.cloid_of = self._cloid_of
        self.venue.books.fund_all(self.user, ask.balance - Decimal(1000))
        account = self.venue.engine.account(self.user)
        assert account is not None  # its results are the sums of these rows: none may be forgotten
        account.fills, account.funding_rows = deque(account.fills), deque(account.funding_rows)
        if ask.own and ask.from_ns is None:
            take_over(self.venue.engine, self.user, head.held)
        run = head.run if (ask.own or ask.timed) and head.run else f"{ask.seed % 2**48:012x}"
        self._runtime = Runtime(self.threads, Around(self.network, run, told))
        self._next_main = 0
        self._wall0_ms = clock.wall_ms()

    def _cloid_of(self, oid: int) -> str | None:
        account = self.venue.engine.account(self.user)
        order = None if account is None else account.open_orders.get(oid)
        if order is not None:
            return order.cloid
        ended = None if account is None else account.history.get(oid)
        return None if ended is None else ended["order"].get("cloid")

    def run(self, folder: Path) -> Replay:
        """Start, go through the recording, stop."""
        ask, threads, clock = self._ask, self.threads, self.clock
        app = self._runtime.app = App(ask.settings, clock, self._runtime)
        self._runtime.warp = Warp(app) if ask.warp else None
        actors = threads.actors
        actors["exchange"] = Actor("exchange", self.network.due, self.network.step)
        problem = ""
        end = None if ask.until_ns is None else clock.mono_ms() + (ask.until_ns - self._wall0_ms * 10**6) // 10**6
        try:
            app.start_helpers()
            if not app.start_trading():
                problem = "the service did not start"
            self._next_main = clock.mono_ms()
            actors["main"] = Actor("main", lambda: self._next_main, lambda: self._main(app))
            incomplete = self._through(end)
            last_ms = clock.wall_ms()
            del actors["main"]
            if end is None:
                app.running.stop.ask(StopMode.LEAVE, 5000)
                outcome = app.stop()
                problem = problem or ("" if outcome.clean else outcome.sentence)
        finally:
            app.close()
        return Replay(
            app=app, venue=self.venue, user=self.user, source=self.source, folder=folder,
            wall_first_ms=self._wall0_ms, wall_last_ms=last_ms, problem=problem, incomplete=incomplete,
        )  # fmt: skip

    def _through(self, end: int | None) -> bool:
        """The recording, to its end or `end`; whether it was interrupted before."""
        try:
            while not self._over(end):
                self.threads.turn(min(end or NEVER, self.source.read_to_ms))
        except KeyboardInterrupt:
            return True
        return False

    def _over(self, end: int | None) -> bool:
        now = self.clock.mono_ms()
        if end is not None:
            return now >= end
        return self.source.ended and not self.source.queue and now >= self.source.read_to_ms

    def _main(self, app: App) -> None:
        self._next_main = self.clock.mono_ms() + WATCH_MS
        app.watch()
        self._ask.progress(self.clock.wall_ms(), self._figures)

    def _figures(self) -> tuple[int, str]:
        account = self.venue.engine.account(self.user)
        fills = [] if account is None else account.fills
        net = sum((Decimal(str(f["closedPnl"])) - Decimal(str(f["fee"])) for f in fills), Decimal(0))
        return self._runtime.app.running.journal.figures.round_trips, f"{net:.2f}"


@contextmanager
def _one_thread(threads: Calm) -> Iterator[None]:
    before = locks.replace_factory(threads.lock)
    try:
        yield
    finally:
        locks.replace_factory(before)


def replay(
    ask: Ask, head: Head, folder: Path, told: Callable[[str, dict[str, Any]], None] = lambda k, f: None
) -> Replay:
    """Run one replay; its journal is below the state folder of `ask.settings`."""
    logger.disable("hip3")
    try:
        world = World(ask, head, told)
        with _one_thread(world.threads):
            return world.run(folder)
    finally:
        logger.enable("hip3")
