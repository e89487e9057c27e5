"""Alerts from the record or the fact to a real listener: every event, every wire, and channels that fail or hang."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from hip3.clock import SystemClock
from hip3.config.reading import MarketSettings
from hip3.config.settings import Settings
from hip3.core.orders import ExitReason
from hip3.core.urls import split_urls
from hip3.errors import ConfigError
from hip3.exchange.signing import SigningKey
from hip3.execution.truth.signer import AgentTerm
from hip3.ops import logs
from hip3.ops.alert_records import RECORDS
from hip3.ops.alerts import KINDS, Alert
from hip3.ops.channels import CAPACITY, MOST_TRIES, Channel, open_channels, ping, secret_parts
from hip3.ops.journal import EventLog
from hip3.service import alerting as alerting_module
from hip3.service.alerting import Alerting, free_percent, secrets_of, send_once, tell_reset
from hip3.service.app import App
from hip3.service.results import Results
from hip3.service.snapshot import snapshot
from hip3.service.start import Who
from hip3.service.workers import Worker
from tests.fakes import FakeClock
from tests.ops.test_alerts import SAMPLES
from tests.stories.listener import Listener, listener
from tests.stories.process import eventually
from tests.world import ALONE, World

ON = {"unknown_alert_ms": 3000, "not_ready_alert_ms": 2000}


@pytest.fixture
def hook() -> Iterator[Listener]:
    with listener() as started:
        yield started


class Bench:
    """The alerting of a World's service: its steps are taken by the test, the listener is real."""

    def __init__(self, tmp_path: Path, *urls: str, deadman: str | None = None, **settings: Any) -> None:
        self.world = world = World(tmp_path, seed=1, **(ALONE | ON | settings))
        base = msgspec.structs.replace(
            world.settings.base,
            alert_urls=",".join(urls),
            deadman_url=deadman,
            state_dir=str(tmp_path),
            log_dir=str(tmp_path),
        )
        self.running: Any = SimpleNamespace(
            settings=MarketSettings(base), clock=world.clock, journal=EventLog(world.clock.wall_ms), workers={},
            who=Who(world.key, world.user, None),
            rest=SimpleNamespace(info_json=self._read, weight_used=lambda now_ms: 0),
            rest_jobs=SimpleNamespace(submit=_at_once),
            latch=world.latch, trading=world.trading, readiness=world.readiness, writer=world.sender,
            started_ms=world.clock.mono_ms(), config_hash="", failed="", recorder=None, stop=SimpleNamespace(signals=0), page="", end_ms=None,
            channels=open_channels(base.alert_urls, world.clock), results=Results(),
            deadman=None if deadman is None else Channel("dead man", ping(deadman), world.clock),
        )  # fmt: skip
        self.running.all_channels = lambda: [c for c in (*self.running.channels, self.running.deadman) if c is not None]
        self.alerting = Alerting(self.running)

    def _read(self, request: dict[str, Any]) -> Any:
        return self.world.rest.info_json(request)  # looked up late: tests replace it

    def step(self, ms: int = 1000) -> None:
        """The world goes on, then alerting takes its rounds."""
        self.world.run(ms, 50)
        self.alerting.beat()
        self.alerting.step()
        for channel in self.running.all_channels():
            while not channel.idle:
                channel.step()


def _at_once(job: Callable[[], Any]) -> "Future[Any]":
    future: Future[Any] = Future()
    future.set_result(job())
    return future


def _ready(tmp_path: Path, hook: Listener, **settings: Any) -> Bench:
    bench = Bench(tmp_path, hook.json_url, **settings)
    assert bench.world.run_until(lambda: bench.world.ready, 8000)
    bench.step()
    return bench


@pytest.mark.parametrize("record", RECORDS)
def test_every_record_of_the_table_reaches_the_listener(record: str, hook: Listener) -> None:
    app: Any = SimpleNamespace(
        settings=MarketSettings(Settings(alert_urls=hook.json_url)), clock=FakeClock(), who=None,
        journal=EventLog(lambda: 0), channels=open_channels(hook.json_url, FakeClock()), deadman=None,
    )  # fmt: skip
    alerting = Alerting(app)
    alerting._look = lambda now_ms: None  # type: ignore[method-assign]
    fields, kind = SAMPLES[record]
    app.journal.record(record, **fields)
    app.journal.record("snapshot", status={})  # nobody's alert
    alerting.step()
    for channel in alerting.channels:
        channel.step()
    assert len(hook.received) == len(hook.of(kind)) == 1
    app.journal.watched = frozenset()  # unplugged: nothing arrives
    app.journal.record(record, **fields)
    assert alerting._heard.empty()


def _unknown(bench: Bench) -> None:
    from tests.builders import order

    lost = order(900, coin="xyz:GOLD")
    bench.world.rest.failing |= {"orderStatus"}
    tracker = bench.world.trading.tracker
    tracker.admit(lost, lambda ledger, wished: wished)
    now = bench.world.clock.mono_ms()
    tracker.mark_sent(lost.cloid, nonce=1, expires_ms=None, generation=1, mono_ms=now)
    tracker.mark_unknown(lost.cloid, "no reply", now)
    bench.step(2900)
    assert not [m for m in bench.alerting.channels if m.lost]


def _agent(bench: Bench) -> None:
    """The key is an agent whose approval ends in three days."""
    key = SigningKey(b"\x01" * 32)
    until = bench.world.exchange_ms() + 3 * 86_400_000
    real = bench.world.rest.info_json
    agents = [{"address": key.address, "name": "box", "validUntil": until}]
    bench.world.rest.info_json = lambda r: agents if r["type"] == "extraAgents" else real(r)  # type: ignore[method-assign]
    bench.running.who = Who(key, bench.world.user, None)
    bench.running.settings = MarketSettings(
        msgspec.structs.replace(bench.running.settings.base, account_address=bench.world.user)
    )
    bench.step()
    bench.step()
    kept = [fields["value"] for _, kind, fields in bench.running.journal._records if kind == "fact:agent"]
    assert kept == [AgentTerm(key.address, until)]


def _died(bench: Bench) -> None:
    def die() -> None:
        raise RuntimeError("told to")

    worker = Worker("status-http", bench.world.clock)
    bench.running.workers["status-http"] = worker
    worker.start(die)
    worker.join(5)


def _budget(bench: Bench) -> None:
    bench.world.trading.address.anchor(9_000, 10_000)
    bench.world.trading.housekeeping._next_anchor_ms = 1 << 60


EVENTS: dict[str, Callable[[Bench], object]] = {
    "latch": lambda b: b.world.latch.trip("manual", "by the test", b.world.clock.wall_ms()),
    "unknown_order": _unknown,
    "not_ready": lambda b: (b.world.cut(), b.step(), b.step(), b.step(), b.step()),
    "paused": lambda b: (b.world.readiness.reduce("operator", "paused"), b.step(), b.step(), b.step(), b.step()),
    "address_budget": _budget,
    "agent": _agent,
    "thread": _died,
    "clock": lambda b: b.world.step_clock(-3000) or b.world.run(60_000, 100),
}


@pytest.mark.parametrize("kind", EVENTS)
def test_every_state_of_the_service_reaches_the_listener(kind: str, tmp_path: Path, hook: Listener) -> None:
    bench = _ready(tmp_path, hook)
    assert [m["title"] for m in hook.received] == ["hip3 info: start"]
    assert "READY: flat, 0 open orders, 0 unknown" in hook.received[0]["message"]
    EVENTS[kind](bench)
    bench.step()
    bench.step()
    assert len(hook.of(kind)) == 1, hook.received
    assert len(hook.received) == 2


def test_a_stuck_exit_is_told_again_while_it_lasts_and_once_it_is_over(tmp_path: Path, hook: Listener) -> None:
    bench = _ready(tmp_path, hook)
    exits = bench.world.trading.exits
    keep = exits.keep_only
    exits.keep_only = lambda coins, looks: keep(coins | {"xyz:GOLD"}, looks)  # type: ignore[method-assign]
    exits.request("xyz:GOLD", ExitReason.MANUAL, 0)
    bench.running.journal.record("exit_stuck", **SAMPLES["exit_stuck"][0])
    bench.step()
    assert len(hook.of("exit_stuck")) == 1
    bench.alerting._desk._sent["exit_stuck:xyz:GOLD"].at_ms -= KINDS["exit_stuck"].repeat_ms
    bench.step()
    assert [m["title"] for m in hook.of("exit_stuck")] == ["hip3 page: exit_stuck"] * 2
    exits.flat("xyz:GOLD", exits.looks())
    bench.step()
    bench.step()
    assert [m["title"] for m in hook.of("exit_stuck")][2:] == ["hip3 over: exit_stuck"]


def test_a_full_disk_is_told(tmp_path: Path, hook: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = _ready(tmp_path, hook)
    monkeypatch.setattr(alerting_module, "free_percent", lambda *folders: 4 if tmp_path in folders else 100)
    bench.step(10_000)
    assert "4 %" in hook.of("disk")[0]["message"]


def test_free_space_is_that_of_the_fullest_and_unknown_where_nothing_can_be_asked(tmp_path: Path) -> None:
    share = free_percent(tmp_path, tmp_path / "not there")
    assert share is not None
    assert 0 <= share <= 100
    assert free_percent(tmp_path / "not there") is None


@pytest.mark.parametrize(
    ("started", "what"), [(False, "the start failed: no room"), (True, "the service broke off: no room")]
)
def test_an_end_by_an_error_is_told_as_that_of_a_start_only_where_it_was_one(
    tmp_path: Path, hook: Listener, monkeypatch: pytest.MonkeyPatch, started: bool, what: str
) -> None:
    bench = _ready(tmp_path, hook)
    quiet = SimpleNamespace(stop=lambda: None, join=lambda seconds: True)
    bench.running.workers = {"alerts": quiet, "alert-0": quiet}
    if not started:
        monkeypatch.setattr(bench.running, "trading", None)

    def deliver(channels: list[Channel], *_: object) -> None:
        for channel in channels:
            channel.step()

    monkeypatch.setattr(alerting_module, "wait_for", deliver)
    try:
        raise OSError("no room")
    except OSError:
        bench.alerting.finish()
    (told,) = hook.of("failed")
    assert what in told["message"]


def test_what_is_over_is_told_once(tmp_path: Path, hook: Listener) -> None:
    bench = _ready(tmp_path, hook)
    EVENTS["not_ready"](bench)
    bench.world.connect()
    assert bench.world.run_until(lambda: bench.world.ready, 20_000)
    bench.step()
    bench.step()
    assert [m["title"] for m in hook.of("not_ready")] == ["hip3 page: not_ready", "hip3 over: not_ready"]
    assert [m["type"] for m in hook.of("not_ready")] == ["failure", "success"]


def test_the_dead_man_is_asked_for_each_minute_while_main_lives(tmp_path: Path, hook: Listener) -> None:
    bench = Bench(tmp_path, deadman=f"http://{hook.place}/ping/abc12345")
    bench.step()
    bench.step(30_000)
    assert hook.asked == ["/ping/abc12345"]
    bench.step(30_000)
    assert len(hook.asked) == 2
    bench.alerting.beat = lambda: None  # type: ignore[method-assign]
    bench.step(61_000)
    assert len(hook.asked) == 2  # main hangs: silence


def test_main_s_rounds_are_the_heartbeat(tmp_path: Path) -> None:
    clock = FakeClock()
    app = App(MarketSettings(Settings(state_dir=str(tmp_path))), clock)
    clock.advance(5000)
    app.stop_wanted()
    assert app.alerting._beat_ms == clock.mono_ms()


def test_a_channel_that_fails_tries_again_and_is_shown(tmp_path: Path, hook: Listener) -> None:
    clock = FakeClock()
    (channel,) = open_channels(hook.json_url, clock)
    hook.status = 500
    channel.offer(_message())
    channel.step()
    assert channel.state(0)["ok"] is False
    assert hook.place not in channel.state(0)["detail"]
    hook.status = 200
    channel._hurry.wait = lambda timeout: False  # type: ignore[method-assign,assignment]
    channel.step()
    assert not hook.received  # it waits
    clock.advance(1000)
    channel.step()
    assert len(hook.received) == 1
    counts = {"waiting": 0, "sent": 1, "failed": 1, "lost": 0}
    assert channel.state(0) == {"channel": "1 json", "ok": True, "detail": "", **counts}


def test_a_channel_gives_a_message_up_and_counts_what_does_not_fit() -> None:
    clock = FakeClock()
    channel = Channel("1 x", lambda message: "no", clock)
    for _ in range(CAPACITY + 5):
        channel.offer(_message())
    assert channel.lost == 5
    for _ in range(MOST_TRIES):
        clock.advance(60_000)
        channel.step()
    assert channel.lost == 6
    raising = Channel("1 x", _raise, clock)
    raising.offer(_message())
    raising.step()
    assert raising.detail == "it failed (RuntimeError)"


def _raise(message: Any) -> str:
    raise RuntimeError("https://token")


def _message() -> Any:
    from hip3.ops.alerts import message

    return message(Alert(kind="test", text="x"), "here", "now", str)


def test_a_channel_that_hangs_holds_up_neither_the_others_nor_the_end(hook: Listener) -> None:
    with listener() as stuck:
        stuck.go_on.clear()
        both = Settings(alert_urls=f"{stuck.json_url},{hook.json_url}")
        patience, alerting_module.LAST_MS = alerting_module.LAST_MS, 700
        try:
            first, second = send_once(both, Alert(kind="test", text="x"), None, SystemClock())
        finally:
            alerting_module.LAST_MS = patience
        assert (first["ok"], second["ok"]) == (False, True)
        assert "no answer" in first["detail"]
        assert len(hook.received) == 1
        stuck.go_on.set()
        eventually(lambda: not [t for t in threading.enumerate() if t.name.startswith("alert-")], 10, "threads ended")


def test_a_channel_that_hangs_is_shown_as_such() -> None:
    clock, go_on = FakeClock(), threading.Event()
    channel = Channel("1 x", lambda message: "" if go_on.wait(10) else "late", clock)
    worker = Worker("alert-1", clock)
    channel.offer(_message())
    worker.start(channel.step)
    eventually(lambda: channel._since_ms is not None, 5, "sending")
    clock.advance(11_000)
    assert channel.state(clock.mono_ms())["detail"] == "no answer for 11 s"
    go_on.set()
    eventually(lambda: channel.idle, 5, "sent")
    worker.stop()
    assert worker.join(5)


def test_the_status_shows_each_channel(tmp_path: Path, hook: Listener) -> None:
    bench = Bench(tmp_path, hook.json_url, deadman=f"http://{hook.place}/p")
    hook.status = 500
    assert bench.world.run_until(lambda: bench.world.ready, 8000)
    bench.alerting.step()
    bench.alerting.channels[0].step()
    status = snapshot(bench.running)
    assert [(c["channel"], c["ok"]) for c in status["alerts"]] == [("1 json", False), ("dead man", None)]
    assert hook.place not in str(status["alerts"])


def test_addresses_are_split_where_a_new_one_begins() -> None:
    both = "mailto://u:p@h.com?to=a@b.c,d@e.f, json://x/y"
    assert split_urls(both) == ["mailto://u:p@h.com?to=a@b.c,d@e.f", "json://x/y"]
    assert split_urls(None) == []


@pytest.mark.parametrize(
    ("url", "secrets", "kept"),
    [
        ("tgram://123456789:AAbbccdd_ee1/4242424242", ["123456789", "AAbbccdd_ee1", "4242424242"], []),
        ("mailto://user:pa55@mail.example.com", ["pa55"], ["mail.example.com"]),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV", ["JHMHI8qBe7bk2ZwO5U711o3dV"], []),
        ("https://hc-ping.com/0a1b2c3d-4e5f", ["0a1b2c3d-4e5f"], ["hc-ping.com"]),
        ("json://127.0.0.1:80/a1b2c3d4?key=zyx98765", ["a1b2c3d4", "zyx98765"], ["127.0.0.1:80", "127.0.0.1"]),
    ],
)
def test_tokens_of_an_address_are_secrets_and_names_of_machines_are_not(
    url: str, secrets: list[str], kept: list[str]
) -> None:
    redact = logs.redactor(secret_parts(url))
    assert redact(f"see {url} now") == "see *** now"
    for secret in secrets:
        assert secret not in redact(f"error at /{secret}/send")
    for word in kept:
        assert redact(word) == word


def test_an_alert_carries_no_key_and_no_address(tmp_path: Path, hook: Listener) -> None:
    bench = _ready(tmp_path, hook)
    key = "0x" + "5c" * 32
    base = msgspec.structs.replace(bench.running.settings.base, private_key=key)
    bench.alerting._redact = logs.redactor(secrets_of(base))
    bench.alerting.tell([Alert(kind="failed", text=f"{key} and {key[2:].upper()} and {hook.json_url}")])
    bench.step()
    assert "*** and *** and ***" in hook.of("failed")[0]["message"]


def test_an_address_that_apprise_does_not_know_is_named_by_its_place_alone() -> None:
    with pytest.raises(ConfigError) as error:
        open_channels("json://h/x,nonesuch://s3cr3t-token", FakeClock())
    assert "entry 2 nonesuch" in error.value.faults[0]
    assert "s3cr3t" not in str(error.value)


def test_a_reset_is_told_and_a_channel_that_failed_is_said(hook: Listener) -> None:
    settings = Settings(alert_urls=hook.json_url)
    assert tell_reset(settings, {"testnet-0xab": "max_loss: 21"}, "was a bug", SystemClock()) == []
    (told,) = hook.of("latch_reset")
    assert "was a bug" in told["message"]
    assert "max_loss: 21" in told["message"]
    hook.status = 500
    (said,) = tell_reset(settings, {"x": "y"}, "z", SystemClock())
    assert said.startswith("alert channel 1 json: not delivered")
    assert tell_reset(settings, {}, "z", SystemClock()) == []
