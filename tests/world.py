"""The production core and the embedded exchange's core in one thread, under a fake clock.

No socket, no thread, no waiting: minutes of trading take a fraction of a second, and the same seed
gives the same run. What a story over loopback proves about wiring, this proves about behaviour.

As the simulation, it is the service's own `Running` and its own assembly on a `Runtime` that blocks nowhere; what it
has for itself is a hand on every edge: a sender that fails and holds, frames that are dropped, steps of one thread.
"""

import gc
from collections.abc import Callable
from concurrent.futures import Future
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from hip3.config.reading import MarketSettings
from hip3.config.settings import Settings
from hip3.core.money import taker_price
from hip3.core.orders import ExitReason, PendingOrder, Side, Tif
from hip3.core.ports import Clock
from hip3.errors import VenueReadError
from hip3.exchange.embedded import key_number_one
from hip3.exchange.protocol import Session
from hip3.exchange.rest import _decoded
from hip3.exchange.signing import SigningKey, sign_l1_action
from hip3.exchange.subscriptions import wanted
from hip3.exchange.wire_out import order_action, signed_body
from hip3.execution.readiness import Readiness
from hip3.ops.intents import IntentLog
from hip3.position.tracked import TrackedOrder
from hip3.risk.hard_stop import HardStopLatch
from hip3.service.assembly import StartReading, assemble, learner
from hip3.service.parts import Trading
from hip3.service.running import Running
from hip3.service.runtime import Runtime
from hip3.service.start import Who
from hip3.service.workers import RestJobs
from hip3.venue.actions.actions import exchange
from hip3.venue.answers.info import Text, answer
from hip3.venue.setup.settings import VenueSetup, load_setup
from hip3.venue.venue import Venue, WsText
from tests.fakes import FakeClock, MemoryIntents, MemoryJournal, MockSender

CONN = 1
TICK_MS = 100
"""How often tick and risk have a turn when nothing wakes them."""
REST_MS = 200
MOVING = ("xyz:GOLD", "xyz:NVDA", "xyz:TSLA", "xyz:SILVER", "para:AVGO")
"""Where no markets are configured, and so all are traded."""
USUAL = (*MOVING, "xyz:XYZ100", "xyz:META", "para:UNITREE")
"""The markets of a world that is told none: of each kind, and no more, since each is told of once a second."""
ALONE: dict[str, Any] = {
    "min_edge_bps": Decimal(5000), "min_holding_ms": 10_000_000, "time_stop_ms": 600_000,
}  # fmt: skip
"""No signal passes and no exit comes by itself: what happens is what the test does."""


class VenueRest:
    """The `Rest` port on the venue's core; `failing` names request types that answer HTTP 500."""

    def __init__(self, venue: Venue, now_ms: Callable[[], int]) -> None:
        self._venue, self._now_ms = venue, now_ms
        self.failing: set[str] = set()
        self.signed: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []

    @property
    def unheld(self) -> "VenueRest":
        """No request waits for another here."""
        return self

    def weight_used(self, now_ms: int) -> int:
        return 0

    def info(self, request: dict[str, Any]) -> bytes:
        self.asked.append(request)
        if request["type"] in self.failing:
            raise VenueReadError("HTTP 500", status=500)
        status, body = answer(self._venue.books, request, self._now_ms())
        if status != 200 or isinstance(body, Text):
            raise VenueReadError(f"HTTP {status}: {body}", status=status)
        return msgspec.json.encode(body)

    def info_json(self, request: dict[str, Any]) -> Any:
        return _decoded(request, self.info(request))

    def exchange(self, body: dict[str, Any]) -> Any:
        """A signed action over HTTP, executed at once; `failing` may hold "/exchange"."""
        if "/exchange" in self.failing:
            raise VenueReadError("/exchange: no answer")
        self.signed.append(body)
        sent = msgspec.json.decode(msgspec.json.encode(body))
        status, answer_body = exchange(self._venue.books, sent, self._now_ms())
        if status != 200:
            raise VenueReadError(f"HTTP {status}")
        return msgspec.json.decode(msgspec.json.encode(answer_body))


class AtOnce(RestJobs):
    """The rest thread's inbox: a job is done when it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.woken = False

    def submit(self, job: Callable[[], Any]) -> "Future[Any]":
        future: Future[Any] = Future()
        try:
            future.set_result(job())
        except Exception as error:
            future.set_exception(error)
        return future

    def submit_urgent(self, job: Callable[[], Any]) -> None:
        self.submit(job)

    def wake(self) -> None:
        self.woken = True


class Edges(Runtime):
    """Nothing blocks, and what outlasts a process is in lists that a test can look into, or `on_disk`."""

    def __init__(self, *, on_disk: bool) -> None:
        self.on_disk = on_disk
        self._journal, self._intents = MemoryJournal(), MemoryIntents()

    def jobs(self) -> RestJobs:
        return AtOnce()

    def journal(self, clock: Clock) -> Any:
        return super().journal(clock) if self.on_disk else self._journal

    def intents(self, path: Path, *, sync: bool) -> Any:
        return IntentLog(path) if self.on_disk else self._intents


OLD: dict[str, Any] = {
    "foreign_positions": "manage",
    "protective_stop_bps": Decimal(0),
    "max_daily_loss_usd": Decimal(0),
    "margin": "keep",
}
"""What tests of one part do not want beside it: most positions in them are opened by hand."""


class World:
    """One service on one exchange. `filter_frame(text)` may drop, repeat or reorder inbound frames.

    `on_disk`: the production journal and intent log, instead of lists that tests can look into. `all_move`: also the
    markets that nobody trades here.
    """

    def __init__(
        self,
        tmp_path: Path,
        *,
        seed: int = 1,
        market_profile: str = "lively",
        latency_ms: int = 100,
        on_disk: bool = False,
        setup: VenueSetup | None = None,
        all_move: bool = False,
        **settings: Any,
    ) -> None:
        tmp_path.mkdir(parents=True, exist_ok=True)
        self.clock = FakeClock()
        self.skew_ms = 0
        """How far the machine's wall clock is ahead of the exchange's."""
        usual = OLD if all_move else OLD | {"markets": ",".join(USUAL)}
        self.settings = MarketSettings(Settings(state_dir=str(tmp_path), **(usual | settings)))
        self.venue = Venue(
            setup or load_setup(), seed=seed, profile=market_profile, now_ms=self.clock.wall_ms(), latency_ms=latency_ms,
        )  # fmt: skip
        if not all_move:
            self._stand_still()
        self.rest = VenueRest(self.venue, self.exchange_ms)
        self.folder = tmp_path
        self.sender = MockSender(self._post, self.clock)
        self.filter_frame: Callable[[str], list[str]] = lambda text: [text]
        self.key = SigningKey(key_number_one(seed))
        self.drops: list[str] = []
        """Why the connection was to be dropped; `run` does it."""
        self.connecting = False
        self._hand_nonces = 0
        self._next_tick_ms = 0
        self.generation = 0
        self.session: Session | None = None
        self._edges = Edges(on_disk=on_disk)
        self.running = self.start()
        self.connect()

    def _stand_still(self) -> None:
        """Markets that nobody trades here keep their first quotes: to move all of them is most of what a world costs."""
        models, base = self.venue._crowd.models, self.settings.base
        alone = base.min_edge_bps == ALONE["min_edge_bps"]
        for coin in models.keys() - {*(base.coins or (MOVING[:1] if alone else MOVING)), *base.quoted_coins}:
            del models[coin]

    def exchange_ms(self) -> int:
        """The exchange's time."""
        return self.clock.wall_ms() - self.skew_ms

    def step_clock(self, ms: int) -> None:
        """Somebody sets the machine's clock; the exchange's goes on."""
        self.clock.step_wall(ms)
        self.skew_ms += ms

    @property
    def user(self) -> str:
        return self.key.address

    def start(self) -> Running:
        """A process that begins: its parts, from files, account and settings."""
        self.gather()
        running = self.running = Running(self.settings, self.clock, self._edges)
        running.writer, running.connection, running.rest = self.sender, self, self.rest  # type: ignore[assignment]
        running.who, running.folder = Who(self.key, self.user, None), self.folder
        running.knew_account = (self.folder / "account.json").exists()
        running.latch = HardStopLatch(self.folder / "latch.json", self.clock.wall_ms())  # before any journal is there
        running.intents = self._edges.intents(self.folder / "intents.log", sync=False)
        running.journal.open(self.folder / "journal.db", running.intents)
        universe = self._retried(learner(running, self.rest, self.user))
        reading = StartReading(running, self.rest, running.who, universe, self.folder)  # type: ignore[arg-type]
        self._retried(reading.read)
        running.readiness.universe_known()
        running.trading = assemble(running, reading)
        return running

    def _retried(self, read: Callable[[], Any]) -> Any:
        """As main does it: until it raises nothing, here for ten seconds."""
        for _ in range(19):
            try:
                return read()
            except VenueReadError:
                self.clock.advance(500)
                self.venue.advance(self.exchange_ms())
        return read()

    def gather(self) -> None:
        """What is to be in place before a process begins; for worlds with more of their own."""

    # The parts of the process that runs.

    @property
    def trading(self) -> Trading:
        assert self.running.trading is not None
        return self.running.trading

    @property
    def latch(self) -> HardStopLatch:
        assert self.running.latch is not None
        return self.running.latch

    @property
    def journal(self) -> Any:
        return self.running.journal

    @property
    def intents(self) -> Any:
        return self.running.intents

    @property
    def readiness(self) -> Readiness:
        return self.running.readiness

    def trip(self, code: str, detail: str, evidence: dict[str, Any] | None) -> None:
        """What the service does about a breach."""
        self.running.trip(code, detail, evidence)

    def drop(self, reason: str) -> None:
        """The service wants another connection."""
        self.drops.append(reason)

    def _post(self, text: str) -> None:
        self.venue.ws(CONN, text, self.exchange_ms())

    # The connection.

    def connect(self) -> None:
        """A new connection, subscribed."""
        self.generation += 1
        self.sender.generation, self.sender.connected = self.generation, True
        self.venue.connect(CONN)
        coins = self.trading.markets.listed()
        self.session = Session(self.generation, wanted(coins, self.user), self.clock.mono_ms())
        self.trading.flow.on_connected(self.session)
        for text in self.session.due(self.clock.mono_ms()):
            self.venue.ws(CONN, text, self.exchange_ms())

    def cut(self) -> None:
        """The connection breaks; frames under way are lost."""
        self.session, self.sender.connected = None, False
        self.venue.disconnect(CONN)
        self.venue.take_output()
        self.trading.flow.on_disconnected(self.generation, "cut by the test")

    def deliver(self) -> None:
        """Hand over what the exchange has sent."""
        for item in self.venue.take_output():
            if isinstance(item, WsText) and self.session is not None:
                for text in self.filter_frame(item.text):
                    self.inject(text)

    def inject(self, text: str) -> None:
        """One frame arrives."""
        assert self.session is not None
        now = self.clock.mono_ms()
        self.trading.flow.on_event(self.session, self.session.receive(text, now), now)

    def restart(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        """The process is killed and started again on its files: intents and latch."""
        self.cut()
        if self._edges.on_disk:
            self.journal.drain(0)
            self.journal.close()
        else:
            for tracked in self._ended():
                self.intents.open.pop(tracked.order.cloid, None)  # the journal thread noted its end
        self.running.trading = None  # a process that is gone holds no memory
        gc.collect()
        self.clock.advance(1)
        meanwhile()
        self.start()
        self.connect()

    def _ended(self) -> list[TrackedOrder]:
        found = (self.trading.tracker.get(cloid) for cloid in self.intents.open)
        return [t for t in found if t is not None and t.state.terminal]

    # Time.

    def run(self, ms: int, step_ms: int = 10) -> None:
        """Let time pass: exchange, reader, tick, risk, rest."""
        for _ in range(ms // step_ms):
            self.clock.advance(step_ms)
            self.venue.advance(self.exchange_ms())
            self.deliver()
            due = self.clock.mono_ms() >= self._next_tick_ms
            if due:
                self._next_tick_ms = self.clock.mono_ms() + TICK_MS
            if due or self.trading.scheduler._woken:
                self.tick()
                self.deliver()
            if due or not self.trading.risk_events.empty():
                self.risk()
            if self.drops and self.session is not None:
                self.drops.clear()
                self.cut()
                self.connect()
            self._rest(step_ms)

    def _rest(self, step_ms: int) -> None:
        jobs: Any = self.running.rest_jobs
        if jobs.woken or self.clock.mono_ms() % REST_MS < step_ms:
            jobs.woken = False
            self.trading.housekeeping.step(self.clock.mono_ms())
            if self._edges.on_disk:
                self.journal.drain(0)

    def run_until(self, condition: Callable[[], bool], limit_ms: int = 120_000, step_ms: int = 10) -> bool:
        """Run until `condition` holds; False if it did not within the limit."""
        for _ in range(limit_ms // step_ms):
            if condition():
                return True
            self.run(step_ms, step_ms)
        return condition()

    def tick(self) -> None:
        assert self.trading.loop is not None
        if self.trading.scheduler._woken:
            self.trading.scheduler.wait(0)
        while self.trading.loop.step(self.clock.mono_ms()):
            pass

    def risk(self) -> None:
        self.trading.risk.step(0)
        while not self.trading.risk_events.empty():
            self.trading.risk.step(0)

    def isolate(self, *coins: str) -> None:
        """Somebody sets these isolated, at the leverage that they have."""
        for coin in coins:
            leverage = min(20, self.trading.specs[coin].max_leverage)
            action = {"type": "updateLeverage", "asset": self.trading.specs[coin].asset_id, "isCross": False}
            assert self.sign(action | {"leverage": leverage})["status"] == "ok"

    def by_hand(self, coin: str, side: Side, sz: Decimal, *, px: Decimal | None = None, **changes: Any) -> Any:
        """Somebody else trades on the account: an order that is none of ours (IOC through the touch, by default)."""
        spec = self.trading.specs[coin]
        away = Decimal("1.02") if side.is_buy else Decimal("0.98")
        wished = {
            "cloid": f"0x{self.clock.mono_us():032x}", "coin": coin, "side": side, "sz": sz, "reduce_only": False,
            "px": px or taker_price(self.venue.engine.markets[coin].oracle * away, spec.sz_decimals, is_buy=side.is_buy),
            "created_ms": self.clock.wall_ms(),
        } | changes  # fmt: skip
        action = order_action([PendingOrder(**wished)], {coin: spec.asset_id})
        return self.sign(action)["response"]["data"]["statuses"][0]

    def rest_by_hand(self, coin: str, **changes: Any) -> int:
        """Somebody's buy far below the market, which rests; its order id."""
        spec = self.trading.specs[coin]
        px = taker_price(self.venue.engine.markets[coin].oracle * Decimal("0.9"), spec.sz_decimals, is_buy=True)
        answer = self.by_hand(coin, Side.BUY, Decimal("0.01"), px=px, tif=Tif.GTC, **changes)
        return int(answer["resting"]["oid"])

    def listed(self, *dexs: str) -> list[dict[str, Any]]:
        """The account's open orders as the exchange lists them."""
        asked = ({"type": "frontendOpenOrders", "user": self.user, "dex": dex} for dex in dexs)
        return [order for request in asked for order in self.rest.info_json(request)]

    def sign(self, action: dict[str, Any], nonce: int = 0) -> Any:
        """A signed action past the service, executed at once; by default with a nonce of its own."""
        nonce = nonce or self.exchange_ms() + 500_000 + self._hand_nonces
        self._hand_nonces += 1
        signature = sign_l1_action(self.key, action, nonce, mainnet=False)
        status, body = exchange(
            self.venue.books, msgspec.json.decode(msgspec.json.encode(signed_body(action, nonce, signature))),
            self.exchange_ms(),
        )  # fmt: skip
        assert (status, body["status"]) == (200, "ok"), body
        return body

    # What is.

    @property
    def ready(self) -> bool:
        return self.readiness.epoch(self.clock.mono_ms()) is not None

    def flatten(self, limit_ms: int = 20_000) -> bool:
        """Stop entries and close everything."""
        self.readiness.stop_entries()
        self.trading.exiting.request(ExitReason.STOP)
        return self.run_until(lambda: not self.trading.tracker.ledger().occupied, limit_ms)

    def admission_px(self, coin: str) -> Decimal:
        """The price at which the entry behind a position of `coin` was admitted."""
        found = [order for order in self.intents.placed if order.coin == coin and not order.reduce_only]
        return found[-1].admission_px

    def exchange_positions(self) -> dict[str, Decimal]:
        account = self.venue.engine.account(self.user)
        assert account is not None
        return {coin: p.szi for dex in account.dexs.values() for coin, p in dex.positions.items()}

    def exchange_totals(self) -> tuple[Decimal, Decimal]:
        """(sum of closedPnl, sum of fees) of the exchange's own fills."""
        account = self.venue.engine.account(self.user)
        assert account is not None
        pnl = sum((Decimal(str(f["closedPnl"])) for f in account.fills), Decimal(0))
        return pnl, sum((Decimal(str(f["fee"])) for f in account.fills), Decimal(0))


def quiet_world(tmp_path: Path, **settings: Any) -> World:
    """A world that is READY and left `ALONE`, with these settings beside."""
    world = World(tmp_path, seed=1, **(ALONE | settings))
    assert world.run_until(lambda: world.ready, 5000)
    return world
