"""A session on the embedded exchange that is recorded: the whole service in one thread, in fast time, every way fixed."""

import heapq
import itertools
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests
import websocket
from loguru import logger

from hip3 import locks
from hip3.config.reading import load, load_markets_file
from hip3.exchange.embedded import key_number_one
from hip3.exchange.signing import SigningKey
from hip3.onethread.clock import SimClock
from hip3.onethread.http import Plain
from hip3.onethread.threads import NEVER, Actor
from hip3.record.lines import Record
from hip3.replay.head import first_look
from hip3.replay.result import hash_of, journal_of, records, report_of
from hip3.replay.run import Around, Ask, Calm, Runtime, replay
from hip3.service.app import App
from hip3.service.stop_wish import StopMode
from hip3.venue.market.filling import parse_fills
from hip3.venue.market.latency import parse_latency
from hip3.venue.recorded import Model
from hip3.venue.serving.output import HttpReply, WsClose
from hip3.venue.setup.settings import VenueSetup, load_setup
from hip3.venue.venue import Venue

WAY_MS = 20
"""Of everything, either way."""
TRADING = {
    "HIP3_API_URL": "http://127.0.0.1:9", "HIP3_MIN_EDGE_BPS": "0", "HIP3_SLIPPAGE_BPS": "0", "HIP3_TIME_STOP_MS": "8000",
    "HIP3_HARD_STOP_MAX_CONSECUTIVE_LOSSES": "1000", "HIP3_HARD_STOP_MAX_LOSS_USD": "1000", "HIP3_MAX_DAILY_LOSS_USD": "0",
    "HIP3_MIN_ORACLE_CHANGE_BPS": "1", "HIP3_ORACLE_MOVE_BPS": "1", "HIP3_MIN_BOOK_NOTIONAL": "0",
}  # fmt: skip
"""Settings under which much happens."""


class Wire:
    """Socket and HTTP session of a process, and the exchange's turn, with a fixed way."""

    def __init__(self, venue: Venue, clock: SimClock, threads: Calm) -> None:
        self.venue, self.clock, self.threads = venue, clock, threads
        self.inbox: list[tuple[int, int, bytes]] = []
        self.up: list[tuple[int, int, Callable[[int], None]]] = []
        self.serial, self.conn = itertools.count(), 0
        self.answers: dict[int, Plain] = {}
        self.closed = True
        self.cut_at: list[int] = []

    # What the service holds.

    def connect(self, url: str) -> Any:
        self.conn += 1
        self.closed, self.inbox = False, []
        self.venue.connect(self.conn, self.clock.wall_ms(), "session")
        return self

    def session(self) -> Any:
        return self

    trust_env = False

    def close(self) -> None:
        """Nothing is held."""

    def next_ms(self) -> int:
        return 0 if self.closed else self.inbox[0][0] if self.inbox else NEVER

    def market_frame(self) -> None:
        """All goes by `recv_data`."""

    def recv_data(self) -> tuple[int, bytes]:
        if self.closed:
            raise websocket.WebSocketConnectionClosedException("cut")
        if not self.inbox or self.inbox[0][0] > self.clock.mono_ms():
            raise websocket.WebSocketTimeoutException("nothing")
        return websocket.ABNF.OPCODE_TEXT, heapq.heappop(self.inbox)[2]

    def send(self, text: str) -> None:
        conn = self.conn
        self._later(lambda now: self.venue.ws(conn, text, now))

    def shutdown(self) -> None:
        self.closed = True
        self.venue.disconnect(self.conn)

    def post(self, url: str, data: bytes, headers: Any, timeout: Any, *, allow_redirects: bool) -> Plain:
        token = next(self.serial)
        self._later(lambda now: self.venue.http(token, "/" + url.rpartition("/")[2], data, now, "session"))
        if not self.threads.wait_until(lambda: token in self.answers, self.clock.mono_ms() + 5000):
            raise requests.Timeout("no answer")
        return self.answers.pop(token)

    def _later(self, what: Callable[[int], None]) -> None:
        heapq.heappush(self.up, (self.clock.mono_ms() + WAY_MS, next(self.serial), what))

    # The exchange's turn.

    def due(self) -> int:
        block = self.venue.next_due() - self.clock.wall_ms() + self.clock.mono_ms()
        return min([block, *(item[0] for item in self.up[:1]), *self.cut_at[:1]])

    def step(self) -> None:
        now = self.clock.mono_ms()
        if self.cut_at and self.cut_at[0] <= now:
            self.cut_at.pop(0)
            self.shutdown()
        while self.up and self.up[0][0] <= now:
            heapq.heappop(self.up)[2](self.clock.wall_ms())
            self._route()
        self.venue.advance(self.clock.wall_ms())
        self._route()

    def _route(self) -> None:
        for item in self.venue.take_output():
            if isinstance(item, HttpReply):
                reply, token = Plain(item.status, item.body), item.token
                self._later(lambda _, t=token, r=reply: self.answers.__setitem__(t, r))
            elif isinstance(item, WsClose) and item.conn == self.conn:
                self.closed = True
            elif not isinstance(item, WsClose) and item.conn == self.conn and not self.closed:
                heapq.heappush(self.inbox, (self.clock.mono_ms() + WAY_MS, next(self.serial), item.text.encode()))


class Session:
    """What a recorded session was: its folder of recordings, its journal, the account by the exchange's own books."""

    def __init__(self, folder: Path, seed: int, minutes: float, *, start_ms: int, setup: VenueSetup | None, latency_ms: int,
                 cuts: tuple[int, ...], env: dict[str, str]) -> None:  # fmt: skip
        clock = SimClock(start_ms)
        threads = Calm(clock)
        self.seed, self.folder, self.recording = seed, folder, folder / "rec"
        self.env = TRADING | {
            "HIP3_STATE_DIR": str(folder / "state"), "HIP3_LOG_DIR": str(folder / "logs"), "HIP3_EXCHANGE_SEED": str(seed),
            "HIP3_RECORD": str(self.recording), "HIP3_HTTP_PORT": "0", "HIP3_MARKETS": "xyz:GOLD,xyz:TSLA,xyz:SILVER",
        } | env  # fmt: skip
        venue = self.venue = Venue(
            setup or load_setup(),
            seed=seed,
            profile="lively",
            now_ms=clock.wall_ms(),
            latency_ms=latency_ms,
            limited=False,
        )
        wire = Wire(venue, clock, threads)
        wire.cut_at = [clock.mono_ms() + ms for ms in cuts]
        self.user = SigningKey(key_number_one(seed)).address
        self.records: list[tuple[str, dict[str, Any]]] = []
        around: Any = Around(wire, f"{seed:012x}", lambda kind, fields: self.records.append((kind, fields)))  # type: ignore[arg-type]
        around.session = wire.session
        around.connect = wire.connect
        runtime = Runtime(threads, around)
        settings = load_markets_file(load(self.env, None))
        app = self.app = runtime.app = App(settings, clock, runtime)
        threads.actors["exchange"] = Actor("exchange", wire.due, wire.step)
        before = locks.replace_factory(threads.lock)
        logger.disable("hip3")
        next_main = [0]

        def main() -> None:
            next_main[0] = clock.mono_ms() + 200
            app.watch()

        try:
            app.start_helpers()
            assert app.start_trading()
            next_main[0] = clock.mono_ms()
            threads.actors["main"] = Actor("main", lambda: next_main[0], main)
            threads.sleep(int(minutes * 60_000))
            del threads.actors["main"]
            self.stopping_ms = clock.wall_ms()
            self.at_the_stop = (account_of(venue, self.user), sent_of(self.records))
            """The account, and the orders sent, as the stop was asked for: of that a replay is not told."""
            app.running.stop.ask(StopMode.LEAVE, 5000)
            app.stop()
        finally:
            app.close()
            locks.replace_factory(before)
            logger.enable("hip3")

    @property
    def journal(self) -> Path:
        return next((self.folder / "state").glob("*/journal.db"))


def account_of(venue: Venue, user: str) -> dict[str, Any]:
    """The account by the exchange's books: what cannot be told away."""
    account = venue.engine.account(user)
    assert account is not None
    keys = ("coin", "px", "sz", "side", "time", "startPosition", "dir", "closedPnl", "crossed", "fee", "cloid")
    fills = [{k: f.get(k) for k in keys} for f in account.fills]
    funding = [r["delta"] | {"time": r["time"]} for r in account.funding_rows]
    marks = venue.engine.marks()  # of a position that stays they are as old as the last context: no one's balance
    value = {
        name: str(dex.value(marks))
        for name, dex in account.dexs.items()
        if not any(p.szi for p in dex.positions.values())
    }
    cash = {name: str(dex.raw_usd + sum((p.iso_raw_usd for p in dex.positions.values()), Decimal(0)))
            for name, dex in account.dexs.items()}  # fmt: skip
    return {"fills": fills, "fees": str(account.fees), "funding": funding, "cash": cash, "value": value}


def recorded(folder: Path, seed: int, minutes: float = 3, *, start_ms: int = 1_790_000_000_000, setup: VenueSetup | None = None,
             latency_ms: int = 100, cuts: tuple[int, ...] = (), **env: str) -> Session:  # fmt: skip
    """One session."""
    return Session(
        folder, seed, minutes, start_ms=start_ms, setup=setup, latency_ms=latency_ms, cuts=cuts,
        env={f"HIP3_{k.upper()}": v for k, v in env.items()},
    )  # fmt: skip


def again(session: Session, folder: Path, *, own: bool = True, change: Callable[[Record], Record | None] | None = None,
           fills: str = "pessimistic", until_ms: int | None = None) -> tuple[dict[str, Any], str, list[tuple[str, Any]]]:  # fmt: skip
    """(account by the exchange's books, hash, orders sent) of a replay of a session, until then at most."""
    head = first_look(session.recording)
    env = {k: v for k, v in session.env.items() if k != "HIP3_RECORD"}
    env |= {"HIP3_STATE_DIR": str(folder / "state"), "HIP3_LOG_DIR": str(folder / "logs")}
    ask = Ask(
        recording=session.recording, settings=load_markets_file(load(env, None)), coins=head.coins, own=own, change=change,
        latency=parse_latency("fixed:20", 0), seed=session.seed, model=Model(fills=parse_fills(fills)),
        until_ns=None if until_ms is None else until_ms * 1_000_000,
    )  # fmt: skip
    told: list[tuple[str, Any]] = []
    done = replay(ask, head, folder, lambda kind, fields: told.append((kind, fields)))
    assert not done.problem
    digest = hash_of(records(journal_of(folder / "state")), report_of(ask, head, done))
    return account_of(done.venue, done.user), digest, sent_of(told)


def sent_of(told: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [
        (f["order"].cloid, (f["order"].px, f["order"].sz, f["order"].created_ms)) for kind, f in told if kind == "sent"
    ]
