"""Alerting: the `alerts` thread hears of records and looks at the service, each channel's thread sends.

Nothing here can hold up trading: a record is put into a bounded queue by whoever writes it, facts are read through
the same leaf locks as the status, and channels never wait for one another. A process that ends gives its last
alerts a bounded time.
"""

import contextlib
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from loguru import logger

from hip3.config.settings import Settings
from hip3.core.order_state import OrderState
from hip3.core.ports import Clock
from hip3.core.urls import secret_words
from hip3.errors import ODD_ANSWERS, Hip3Error
from hip3.execution.truth.signer import AgentTerm, agent_until
from hip3.ops import logs
from hip3.ops.alert_records import RECORDS
from hip3.ops.alerts import Alert, AlertLimits, Desk, Facts, Judge, Unknown, message
from hip3.ops.channels import Channel, open_channels, secret_parts
from hip3.ops.figures import listed
from hip3.ops.state_dir import operator
from hip3.service.running import Running
from hip3.service.snapshot import snapshot
from hip3.service.workers import Worker
from hip3.version import __version__

CAPACITY = 1000
WAIT_S = 0.1
LOOK_MS = 1000
DISK_MS = 10_000
AGENT_MS = 3_600_000
AGENT_RETRY_MS = 60_000
HEARTBEAT_MS = 60_000
BEAT_MAX_MS = 10_000
"""Main that has not moved for so long gives no heartbeat."""
LAST_MS = 5000
LAST_BY_SIGNAL_MS = 1500
"""How long a process that ends waits for its last alerts, from the stop's on."""
LEAST_LAST_MS = 400
POLL_S = 0.02


def secrets_of(settings: Settings) -> list[str]:
    """Everything of the settings that no log and no alert may show, in each way it could be written."""
    keys = logs.secret_forms(settings.private_key, settings.keystore_password)
    words = [word for url in (settings.api_url, settings.ws_url) if url for word in secret_words(url)]
    return keys + words + secret_parts(settings.alert_urls, settings.deadman_url)


def where(settings: Settings, account: str | None) -> str:
    """Which service an alert is about."""
    return f"{settings.shown_network} {account[:10] if account else 'no account'} on {socket.gethostname()}"


def at(wall_ms: int) -> str:
    """A time as an alert says it."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(wall_ms // 1000))


class Alerting:
    """See the module. Made and ended by main."""

    def __init__(self, running: Running) -> None:
        base = running.settings.base
        self._running = running
        self.channels, self._deadman = running.channels, running.deadman
        self._heard: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue(CAPACITY)
        self._judge = Judge(AlertLimits(base.unknown_alert_ms, base.not_ready_alert_ms))
        self._desk = Desk()
        self._facts = FactFinder(running)
        self._redact = logs.redactor(secrets_of(base))
        self._next_look_ms = 0
        self._next_beat_ms = 0
        self._beat_ms = running.clock.mono_ms()
        self._stop_heard_ms: int | None = None
        self._failed_looks = 0
        running.journal.watched, running.journal.on_watched = frozenset(RECORDS), self.hear

    def beat(self) -> None:
        """Main says that it lives."""
        self._beat_ms = self._running.clock.mono_ms()

    def hear(self, kind: str, fields: dict[str, Any]) -> None:
        """A record that is worth an alert was written; any thread, never waits."""
        if kind == "stop":
            self._stop_heard_ms = self._running.clock.mono_ms()
        try:
            self._heard.put_nowait((kind, fields))
        except queue.Full:
            return  # a thousand alerts wait: one more tells nothing

    def step(self) -> None:
        """The alerts thread's body."""
        with contextlib.suppress(queue.Empty):
            self._take(self._heard.get(timeout=WAIT_S))
            while True:
                self._take(self._heard.get_nowait())
        now = self._running.clock.mono_ms()
        if now >= self._next_look_ms:
            self._next_look_ms = now + LOOK_MS
            self._look(now)
        if self._deadman is not None and now >= self._next_beat_ms and now - self._beat_ms < BEAT_MAX_MS:
            self._next_beat_ms = now + HEARTBEAT_MS
            if self._deadman.idle:
                self._deadman.offer(message(Alert(kind="test", text="heartbeat"), "", "", str))

    def _take(self, heard: tuple[str, dict[str, Any]]) -> None:
        kind, fields = heard
        try:
            alert = RECORDS[kind](fields)
        except ODD_ANSWERS as error:
            logger.error(f"a record of kind {kind} cannot be made an alert: {type(error).__name__}: {error}")
            return
        if alert is not None:
            self._judge.heard(alert)
            self.tell([alert])

    def _look(self, now_ms: int) -> None:
        try:
            alerts = self._judge.look(self._facts.now(), now_ms)
        except Exception as error:  # noqa: BLE001 an alert that cannot be judged must not silence the others
            self._failed_looks += 1
            if self._failed_looks == 1:
                logger.error(f"the service cannot be looked at: {type(error).__name__}: {error}")
            return
        self.tell(alerts)

    def tell(self, alerts: Iterable[Alert]) -> None:
        """Send what is due. The alerts thread; main after it ended."""
        running, base = self._running, self._running.settings.base
        for alert in alerts:
            due = self._desk.due(alert, running.clock.mono_ms())
            if due is None:
                continue
            running.journal.record("alert", what=due.kind, level=due.level, over=due.over, text=self._redact(due.text))
            account = None if running.who is None else running.who.account
            text = message(due, where(base, account), at(running.clock.wall_ms()), self._redact)
            for channel in self.channels:
                channel.offer(text)

    def finish(self) -> None:
        """The process ends: the last alerts get a bounded time. Main, after all other threads but the channels'."""
        running = self._running
        workers = [w for name, w in running.workers.items() if name == "alerts" or name.startswith("alert-")]
        if not workers:
            return
        running.workers["alerts"].stop()
        running.workers["alerts"].join(WAIT_S * 3)
        while not self._heard.empty():
            self._take(self._heard.get_nowait())
        self._look(running.clock.mono_ms())  # a latch that tripped as the process ended
        error = sys.exc_info()[1]
        if isinstance(error, Exception):
            what = "the start failed" if running.trading is None else "the service broke off"
            self.tell([Alert(kind="failed", text=f"{what}: {error or type(error).__name__}")])
        elif running.failed:
            self.tell([Alert(kind="failed", text=f"the service ended by itself: {running.failed}")])
        now = running.clock.mono_ms()
        patience = LAST_BY_SIGNAL_MS if running.stop.signals else LAST_MS
        wait_for(self.channels, max((self._stop_heard_ms or now) + patience, now + LEAST_LAST_MS), running.clock)
        for worker in workers:
            worker.stop()
        for channel in self.channels:
            if not channel.idle:
                logger.warning(f"alert channel {channel.name}: the last alerts were not delivered")


class FactFinder:
    """Reads what the Judge needs. Confined to the alerts thread; the agent's term is read by the rest thread."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._found: str | None = None
        self._disk: int | None = None
        self._next_disk_ms = 0
        self._agent: Future[int | None] | None = None
        self._agent_until: int | None = None
        self._next_agent_ms = 0

    def now(self) -> Facts:
        """The service as it is."""
        running, now = self._running, self._running.clock.mono_ms()
        status, trading = snapshot(running), running.trading
        unknown: tuple[Unknown, ...] = ()
        budget = None
        if trading is not None:
            live = trading.tracker.live(OrderState.UNKNOWN)
            unknown = tuple(Unknown(t.order.cloid, t.order.coin, now - t.sent_mono_ms) for t in live)
            if trading.executor is not None:
                spent = trading.address.state()
                budget = (spent.used, spent.cap)
        if self._found is None and status["state"] == "READY":
            self._found = found(status)
        base, latch = running.settings.base, status["hard_stop"]
        where = base.shown_network if base.paper else f"{base.doing} on {base.network}"
        return Facts(
            state=status["state"],
            reasons=tuple(status["reasons"]),
            paused=bool(running.readiness.reduced_by("operator")),
            latch=latch["reason"] if latch["tripped"] else None,
            latch_at_ms=latch["at_ms"],
            unknown=unknown,
            budget=budget,
            exiting=frozenset() if trading is None else frozenset(trading.exits.exiting()),
            disk_percent=self._disk_percent(now),
            agent_left_ms=self._agent_left(now),
            clock_offset_ms=status["clock_offset_ms"],
            slowed_ms=None if trading is None or not running.writer.connected else trading.gates.slowed(now),
            dead=tuple(name for name, worker in running.workers.items() if worker.failure is not None),
            found=self._found,
            uptime_ms=now - running.started_ms,
            what=f"{__version__} {where}, account {status['account'] or 'none'}",
        )

    def _disk_percent(self, now_ms: int) -> int | None:
        if now_ms >= self._next_disk_ms:
            self._next_disk_ms = now_ms + DISK_MS
            base = self._running.settings.base
            self._disk = free_percent(Path(base.state_dir), Path(base.log_dir))
        return self._disk

    def _agent_left(self, now_ms: int) -> int | None:
        """Asked for every hour."""
        running, who = self._running, self._running.who
        if who is None or who.key is None or running.rest is None or running.trading is None:
            return None
        if self._agent is not None and self._agent.done():
            try:
                self._agent_until, again = self._agent.result(), AGENT_MS
                if self._agent_until is not None:
                    running.journal.keep("agent", AgentTerm(who.key.address, self._agent_until))
            except (Hip3Error, *ODD_ANSWERS):
                again = AGENT_RETRY_MS  # what was known before still stands
            self._agent, self._next_agent_ms = None, now_ms + again
        signer, master = who.key.address, (running.settings.base.account_address or who.key.address).lower()
        if signer != master and self._agent is None and now_ms >= self._next_agent_ms:
            rest = running.rest
            self._agent = running.rest_jobs.submit(lambda: agent_until(rest, signer, master))
        if self._agent_until is None:
            return None
        return self._agent_until - running.trading.offset.exchange_ms()


def found(status: dict[str, Any]) -> str:
    """What a start found, once its books were compared with the exchange: its proof."""
    whose = " (opened by others: watched, never touched)"
    held = listed({p["market"]: p["size"] + whose * p["foreign"] for p in status["positions"]}, "flat")
    orders = status["orders"]
    return f"READY: {held}, {orders['open']} open orders, {orders['unknown']} unknown (compared with the exchange)"


def free_percent(*folders: Path) -> int | None:
    """Free space for this user, of the fullest of these folders' disks; None if none can be asked."""
    shares = []
    for folder in folders:
        try:
            disk = os.statvfs(folder)
        except OSError:
            continue
        if disk.f_blocks:
            shares.append(disk.f_bavail * 100 // disk.f_blocks)
    return min(shares, default=None)


def wait_for(channels: Iterable[Channel], end_ms: int, clock: Clock) -> None:
    """Until all are idle, or `end_ms` (monotonic); what failed before is tried once more."""
    channels = list(channels)
    for channel in channels:
        channel.hurry()
    pause = threading.Event()
    while clock.mono_ms() < end_ms and not all(channel.idle for channel in channels):
        pause.wait(POLL_S)


def send_once(settings: Settings, alert: Alert, account: str | None, clock: Clock) -> list[dict[str, Any]]:
    """Send one alert where no service runs; each channel's result, within `LAST_MS` and a little.

    ConfigError for an address that apprise does not know.
    """
    channels = open_channels(settings.alert_urls, clock)
    text = message(alert, where(settings, account), at(clock.wall_ms()), logs.redactor(secrets_of(settings)))
    workers = [Worker(f"alert-{number}", clock) for number in range(1, len(channels) + 1)]
    for channel, worker in zip(channels, workers, strict=True):
        channel.offer(text)
        worker.start(channel.step)
    wait_for(channels, clock.mono_ms() + LAST_MS, clock)
    out = []
    for channel, worker in zip(channels, workers, strict=True):
        worker.stop()
        state = channel.state(clock.mono_ms())
        slow = not channel.idle
        out.append(state | ({"ok": False, "detail": f"no answer within {LAST_MS // 1000} s"} if slow else {}))
        if not slow:
            worker.join(1.0)
    return out


def tell_reset(settings: Settings, accounts: dict[str, str], reason: str, clock: Clock) -> list[str]:
    """Alert of latches that were reset (folder -> what had tripped it); what to say of channels that failed."""
    if not accounts or not settings.alert_urls:
        return []
    was = "; ".join(f"{folder}: {why}" for folder, why in accounts.items())
    user = operator()
    text = f"the latch was reset by {user}: {reason} (was: {was})"
    results = send_once(settings, Alert(kind="latch_reset", text=text), None, clock)
    return [f"alert channel {r['channel']}: {r['detail']}" for r in results if not r["ok"]]
