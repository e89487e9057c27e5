"""The running parts of one process: what status, commands, alerts and the stop are handed instead of the `App`.

Made once by `App`, whose main thread alone fills in what a start finds; everybody else reads. A part that is not
known yet is None, and who uses it says what that means.
"""

import hashlib
from pathlib import Path
from typing import Any

import msgspec
from loguru import logger

from hip3.config.reading import MarketSettings, redacted
from hip3.core.order_state import OrderState
from hip3.core.ports import Clock
from hip3.errors import ODD_ANSWERS, VenueReadError
from hip3.exchange.bounded import BoundedSession
from hip3.exchange.connection import Connection
from hip3.exchange.rest import CALL_S, RestClient
from hip3.exchange.wire import parse_order_record
from hip3.exchange.wire_fills import parse_fill_list
from hip3.exchange.writer import WriteHandle
from hip3.execution.readiness import Readiness
from hip3.execution.truth.account import Proof, prove
from hip3.execution.truth.bootstrap import dexs_with, left_by_us
from hip3.ops.channels import Channel, open_channels, ping
from hip3.ops.intents import IntentLog
from hip3.ops.supervised import Supervised
from hip3.record.recorder import Recorder
from hip3.risk.hard_stop import HardStopLatch
from hip3.service.kept import left_by
from hip3.service.parts import Trading
from hip3.service.results import Results
from hip3.service.runtime import Runtime
from hip3.service.start import OwnExchange, Who
from hip3.service.stop_wish import StopWish
from hip3.service.workers import Worker


class Running:
    """See the module. ConfigError for an alert address that is none."""

    def __init__(self, settings: MarketSettings, clock: Clock, runtime: Runtime) -> None:
        base = settings.base
        self.settings, self.clock, self.runtime = settings, clock, runtime
        self.config_hash = hashlib.sha256(repr(redacted(base)).encode()).hexdigest()[:12]
        """Which settings these are, without their secrets."""
        self.started_ms = clock.mono_ms()
        self.journal = runtime.journal(clock)
        self.journal.keep_days, self.journal.keep_mb = base.journal_keep_days, base.journal_keep_mb
        self.readiness = Readiness(needs_account=base.trading)
        self.rest_jobs = runtime.jobs()
        self.writer = WriteHandle(clock)
        self.stop = StopWish(runtime.event())
        self.supervised = Supervised(Path(base.state_dir))
        self.channels = open_channels(base.alert_urls, clock)
        url = base.deadman_url
        self.deadman = None if url is None else Channel("dead man", ping(url, lambda: BoundedSession(CALL_S)), clock)
        self.workers: dict[str, Worker] = {}
        self.results = Results()
        self.page = ""
        """Where the live page is; empty where there is none."""
        self.end_ms: int | None = None
        """When a run of a given duration ends by itself, monotonic."""
        self.failed = ""
        """Why the service ends by itself; empty when it does not."""
        # What a start finds.
        self.own: OwnExchange | None = None
        self.rest: RestClient | None = None
        self.who: Who | None = None
        self.folder: Path | None = None
        """The account's state."""
        self.knew_account = False
        """An earlier run has had this account's state."""
        self.latch: HardStopLatch | None = None
        self.intents: IntentLog | None = None
        self.trading: Trading | None = None
        self.connection: Connection | None = None
        self.recorder: Recorder | None = None
        """Where frames are shown as they pass; None where nothing is recorded."""

    def all_channels(self) -> list[Channel]:
        """Every place that alerts go to, the dead man's switch last."""
        return self.channels if self.deadman is None else [*self.channels, self.deadman]

    def trip(self, code: str, detail: str, evidence: dict[str, Any] | None = None) -> None:
        """Trip the latch and write it down. Any thread."""
        if self.latch is not None and self.latch.trip(code, detail, self.clock.wall_ms(), evidence):
            logger.error(f"HARD STOP {code}: {detail} (reset: ./run.sh latch reset --reason TEXT)")
            self.journal.record("latch_set", code=code, detail=detail, evidence=evidence or {})

    def read_proof(self) -> Proof:
        """What the exchange says is open. The rest thread."""
        who, rest, trading = self.who, self.rest, self.trading
        assert who is not None
        assert rest is not None
        account = who.account or ""
        if trading is not None:
            return prove(rest.unheld, account, trading.housekeeping.dexs)  # who asks waits: the exchange may refuse
        dexs, unread = list(self.settings.base.dexs), "" if self.settings.base.dexs else "the start was not finished"
        try:
            ours = left_by_us(rest.unheld, account)
        except (VenueReadError, *ODD_ANSWERS) as error:
            ours = set()
            unread = unread or f"where else ours are: {error}"
        dexs += sorted(dexs_with({*ours, *self.left_in}))
        proof = prove(rest.unheld, account, dict.fromkeys(dexs))
        return msgspec.structs.replace(proof, positions=None, doubt=unread) if unread and not proof.unproved else proof

    @property
    def left_in(self) -> list[str]:
        """The markets in which an earlier run left a position, or an order without an end."""
        return left_by(self.journal, self.intents, others=True)

    def read_ends(self) -> None:
        """Book the account's newest fills, and how orders ended that still count as resting, told or not.
        The rest thread; VenueReadError: something cannot be read."""
        who, rest, trading = self.who, self.rest, self.trading
        assert who is not None
        assert rest is not None
        assert trading is not None
        found = parse_fill_list(rest.unheld.info({"type": "userFills", "user": who.account}), trading.housekeeping.dexs)
        trading.orders_in.on_fills(found.fills, self.clock.mono_ms())
        for tracked in trading.tracker.live(OrderState.OPEN):
            request = {"type": "orderStatus", "user": who.account, "oid": tracked.order.cloid}
            answer = rest.unheld.info_json(request)
            if answer.get("status") == "order":
                update = parse_order_record(msgspec.json.encode(answer["order"]))
                trading.orders_in.on_order_updates((update,), self.clock.mono_ms())

    def read_missing(self) -> None:
        """Ask for fills that books await, whatever of the weight is spent. The rest thread; VenueReadError: they cannot
        be read."""
        assert self.rest is not None
        assert self.trading is not None
        self.trading.housekeeping.fetch_fills(self.clock.mono_ms(), self.rest.unheld)

    def prove(self, timeout_s: float) -> Proof:
        """What the exchange says is open, read on the rest thread; unknown if that takes too long. Main."""
        future = self.rest_jobs.submit(self.read_proof)
        try:
            return future.result(timeout=timeout_s)
        except TimeoutError:
            return Proof(positions=None, orders=None, source="no answer in time")
