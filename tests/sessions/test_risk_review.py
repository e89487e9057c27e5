"""What a review of the limits found: ways past them, and limits that stopped what was healthy."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from hip3.commands.latch import reset
from hip3.config.reading import MarketSettings
from hip3.core.events import Filled
from hip3.core.ledger import OrderChanged, RoundTrip
from hip3.core.order_state import OrderState
from hip3.core.orders import ExitReason, Side
from hip3.errors import ConfigError, VenueReadError
from hip3.execution.exits.risk_desk import UNVALUED_MS, KeptRisk
from hip3.execution.readiness import PAUSED, Readiness, State
from hip3.execution.truth.streams import StreamWatch
from hip3.ops.intents import IntentLog
from hip3.ops.journal import EventLog
from hip3.ops.state_dir import PAUSE_FILE, keep_pause, pause_of
from hip3.position.held import Held
from hip3.risk.drawdown import Drawdown, DrawdownLimits
from hip3.risk.guards import EntryGuards, GuardSettings, TripNote
from hip3.risk.hard_stop import HardStopLatch, LatchState, Reset, read_latch, write_latch
from hip3.risk.trial import KeptTrial, Trial
from hip3.service import assembly, supervisor
from hip3.service.assembly import _hold_what_is_unknown
from hip3.service.control_requests import pause
from hip3.service.kept import Before
from hip3.service.stop_wish import StopMode
from hip3.service.supervisor import Supervisor
from hip3.service.workers import RestJobs
from hip3.venue.venue import WsText
from tests.builders import exit_order, order
from tests.fakes import FakeClock, MemoryJournal
from tests.sessions.test_risk import _lose, _reset
from tests.world import CONN, World, quiet_world

D = Decimal
GOLD = "xyz:GOLD"
DAY_MS = 86_400_000
TRADING: dict[str, Any] = {"min_edge_bps": D(5), "min_holding_ms": 0, "time_stop_ms": 200}


def _elsewhere(world: World, coin: str, pnl: str) -> None:
    """A round trip of the account in a market that is none of the service's."""
    at = world.exchange_ms() - 1000

    def fill(tid: int, side: str, start: str, closed: str, direction: str) -> dict[str, Any]:
        return {
            "coin": coin, "px": "60000", "sz": "0.01", "side": side, "time": at + tid, "startPosition": start,
            "dir": direction, "closedPnl": closed, "hash": "0x0", "oid": 900 + tid, "crossed": True, "fee": "0.27",
            "tid": tid, "feeToken": "USDC",
        }  # fmt: skip

    extra = [fill(2, "A", "0.01", pnl, "Close Long"), fill(1, "B", "0", "0", "Open Long")]
    honest = world.rest.info

    def info(request: dict[str, Any]) -> bytes:
        body = honest(request)
        return msgspec.json.encode(extra + msgspec.json.decode(body)) if request["type"] == "userFills" else body

    world.rest.info = info  # type: ignore[method-assign]


@pytest.mark.parametrize("coin", ["BTC", "@107", "abc:XYZ"])
@pytest.mark.parametrize("pnl", ["-35", "100"])
def test_results_of_other_markets_count_neither_live_nor_at_a_start(tmp_path: Path, coin: str, pnl: str) -> None:
    world = quiet_world(tmp_path, on_disk=True)
    world.run(2000)
    _elsewhere(world, coin, pnl)
    world.restart()
    assert not world.latch.tripped
    assert world.trading.risk.monitor.net_usd == 0
    assert world.trading.tracker.totals()[0] == 0


def test_a_reply_that_comes_after_its_order_update_awaits_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, **TRADING)
    taken = world.venue.take_output

    def replies_last() -> list[Any]:
        out = list(taken())
        late = [o for o in out if isinstance(o, WsText) and '"channel":"post"' in o.text]
        return [o for o in out if o not in late] + late

    world.venue.take_output = replies_last  # type: ignore[method-assign,assignment]
    reducing = 0
    for _ in range(60):
        world.run(1000, 20)
        reducing += bool(world.readiness.reduced_by("private stream"))
    assert world.trading.loop is not None
    assert world.trading.loop.sent_orders > 3
    assert (reducing, world.generation) == (0, 1)


def test_an_exit_that_leaves_ahead_of_the_subscriptions_awaits_no_update_of_its_own(tmp_path: Path) -> None:
    """Seed 169760227: the streams of a connection tell of what comes after their subscriptions, and an exit waits for
    none. Thirty seconds later the connection was given up for a word that could not come."""
    world = quiet_world(tmp_path)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: bool(world.trading.tracker.positions()), 5000)
    world.cut()
    ask, later = world.venue.ws, list[str]()
    world.venue.ws = lambda conn, text, ms: later.append(text) if "subscribe" in text else ask(conn, text, ms)  # type: ignore[method-assign]
    world.connect()
    world.trading.exiting.request(ExitReason.MANUAL)
    assert world.run_until(lambda: not world.exchange_positions(), 5000)
    world.run(50)
    world.venue.ws = ask  # type: ignore[method-assign]
    for text in later:
        world.venue.ws(CONN, text, world.exchange_ms())
    reducing = 0
    for _ in range(40):
        world.run(1000)
        reducing += bool(world.readiness.reduced_by("private stream"))
    assert world.trading.tracker.positions() == []
    assert (reducing, world.generation) == (0, 2)


def test_a_clock_that_was_wrong_for_one_start_forgets_nothing(tmp_path: Path) -> None:
    limits = {"max_daily_loss_usd": D(15), "hard_stop_max_loss_usd": D(1000), "max_notional_per_market": D(1000)}
    world = quiet_world(tmp_path, on_disk=True, hard_stop_max_rejects_per_hour=30, **limits)
    world.trading.risk.monitor.rejects.extend([world.exchange_ms()] * 3)
    _lose(world, 12)
    world.run(2000)
    world.step_clock(DAY_MS)
    world.restart()
    world.run(3000)
    world.step_clock(-DAY_MS)
    assert len(world.trading.risk.monitor.rejects) == 3
    assert world.run_until(lambda: world.ready, 120_000, 50)
    _lose(world, 12)
    world.run(3000)
    assert (world.latch.state().reason or "").startswith("drawdown")


def test_a_reset_counts_whichever_way_the_clock_was_set(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, hard_stop_max_loss_usd=D(5), on_disk=True)
    world.step_clock(3_600_000)
    _lose(world, 12)
    _reset(world)
    world.restart()
    world.step_clock(-3_600_000)
    assert world.run_until(lambda: world.ready, 120_000, 50)
    _lose(world, 12)
    assert world.latch.tripped
    _reset(world)
    world.restart()
    assert not world.latch.tripped


@pytest.mark.parametrize("text", ["{}", '{"positions": []}', '{"tripped_": true}', '{"tripped": false, "more": 1}'])
def test_another_object_is_no_latch(tmp_path: Path, text: str) -> None:
    (tmp_path / "latch.json").write_text(text)
    (tmp_path / "journal.db").write_text("x")
    assert HardStopLatch(tmp_path / "latch.json", 5).tripped


def _trip_of(usd: int) -> RoundTrip:
    return RoundTrip(
        coin=GOLD, opened_ms=1, closed_ms=2, realized=D(usd), fees=D(0), entry_px=D(1), exit_px=D(1), entered_usd=D(11)
    )


def test_a_checkpoint_is_due_until_it_is_passed_or_reset(tmp_path: Path) -> None:
    trial = Trial(KeptTrial(trades=9, orders=9, filled=1))
    assert trial.apply(_trip_of(1)) is not None  # perhaps nobody heard: another limit had tripped before
    trial.begin_anew("slippage: x")
    assert trial.judge() is not None
    trial.begin_anew("manual: the micro trial stops: after 10 trades")
    assert trial.judge() is None
    assert trial.apply(_trip_of(1)) is None


def test_a_start_without_the_profile_keeps_the_trial(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, on_disk=True, profile="micro", hard_stop_max_loss_usd=D(1000), markets=GOLD)
    _lose(world, 1)
    _lose(world, 1)
    with_it = world.settings
    world.settings = MarketSettings(msgspec.structs.replace(with_it.base, profile=None))
    world.restart()
    _lose(world, 1)
    world.settings = with_it
    world.restart()
    assert world.trading.risk.figures()["trial_trades"] == 2  # what was traded without it is none of it


def test_only_the_latch_that_is_meant_is_reset(tmp_path: Path) -> None:
    for name in ("mainnet-0xaaaaaaaa", "testnet-0xbbbbbbbb"):
        (tmp_path / name).mkdir()
        write_latch(tmp_path / name / "latch.json", LatchState(True, "max_loss: x", 5))
    with pytest.raises(ConfigError) as which:
        reset(tmp_path, "fixed")
    assert "mainnet-0xaaaaaaaa, testnet-0xbbbbbbbb" in which.value.faults[0]
    with pytest.raises(ConfigError):
        reset(tmp_path, "fixed", "0xcc")
    assert reset(tmp_path, "fixed", "0xbbbb") == [("testnet-0xbbbbbbbb", "max_loss: x")]
    assert read_latch(tmp_path / "mainnet-0xaaaaaaaa" / "latch.json").tripped


def test_caps_that_nobody_reads_any_more_count_as_reached(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, all_move=True)
    world.trading.housekeeping.step = lambda now_ms: None  # type: ignore[method-assign]
    world.run(400_000, 100)
    assert set(world.trading.gates.standing().values()) == {"oi_cap"}


@pytest.mark.parametrize("name", ["rest", "journal"])
@pytest.mark.parametrize(("silent_ms", "held_back"), [(59_000, False), (61_000, True)])
def test_a_helper_thread_that_hangs_ends_ready(
    monkeypatch: pytest.MonkeyPatch, name: str, silent_ms: int, *, held_back: bool
) -> None:
    """Alive, and without a heartbeat for a minute."""
    held: dict[str, str] = {}
    clock = FakeClock()
    now = clock.mono_ms()

    def worker(which: str) -> Any:
        return SimpleNamespace(
            name=which, trades=False, alive=True, failure=None, last_beat_ms=now - (silent_ms if which == name else 0),
            stopping=SimpleNamespace(is_set=lambda: False), stop=lambda: None,
        )  # fmt: skip

    app: Any = SimpleNamespace(
        clock=clock, own=None, latch=None, failed="", started_ms=0, settings=None,
        workers={which: worker(which) for which in ("rest", "journal")},
        connection=SimpleNamespace(connecting=False, drop=lambda why: None),
        readiness=SimpleNamespace(hold=held.__setitem__), journal=SimpleNamespace(record=lambda *a, **k: None),
        stop=SimpleNamespace(ask=lambda mode, ms: None),
    )  # fmt: skip
    monkeypatch.setattr(supervisor, "word", lambda running, now_ms: (State.READY, []))
    Supervisor(app, SimpleNamespace()).watch(now)  # type: ignore[arg-type]
    assert bool(held[f"thread {name}"]) is held_back
    assert not held[f"thread {'journal' if name == 'rest' else 'rest'}"]


def test_a_rest_thread_that_is_gone_ends_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    held: dict[str, str] = {}
    asked: list[StopMode] = []

    def worker(name: str, *, trades: bool, alive: bool) -> Any:
        return SimpleNamespace(
            name=name, trades=trades, alive=alive, failure=None if alive else RuntimeError("x"), last_beat_ms=1000,
            stopping=SimpleNamespace(is_set=lambda: False), stop=lambda: None,
        )  # fmt: skip

    app: Any = SimpleNamespace(
        clock=FakeClock(), own=None, latch=None, failed="", started_ms=0, settings=None,
        workers={"rest": worker("rest", trades=False, alive=False), "risk": worker("risk", trades=True, alive=True)},
        connection=SimpleNamespace(connecting=False, drop=lambda why: None),
        readiness=SimpleNamespace(hold=held.__setitem__), journal=SimpleNamespace(record=lambda *a, **k: None),
        stop=SimpleNamespace(ask=lambda mode, ms: asked.append(mode)),
    )  # fmt: skip
    monkeypatch.setattr(supervisor, "word", lambda running, now_ms: (State.READY, []))
    Supervisor(app, SimpleNamespace()).watch(app.clock.mono_ms())  # type: ignore[arg-type]
    assert "rest thread" in held["thread rest"]
    assert "journal thread" in held["thread journal"]
    assert "thread rest died" in app.failed
    assert asked == [StopMode.LEAVE]


def _held_back(tmp_path: Path, *, known: bool, risk: Any = None, **settings: Any) -> list[str]:
    """Why a start with these facts holds entries back."""
    world = quiet_world(tmp_path / str(len(list(tmp_path.iterdir()))), **settings)
    app: Any = SimpleNamespace(
        settings=world.settings, folder=tmp_path, readiness=Readiness(needs_account=True), knew_account=True,
        journal=SimpleNamespace(facts_known=known),
    )  # fmt: skip
    assembly._hold_what_is_unknown(app, Before(risk=risk))
    return app.readiness.word(0, tripped=False)[1]


def test_limits_whose_measure_is_lost_hold_entries_back(tmp_path: Path) -> None:
    assert any("journal was lost" in why for why in _held_back(tmp_path, known=True, max_daily_loss_usd=D(5)))
    again = _held_back(tmp_path, known=True, risk=KeptRisk(), max_daily_loss_usd=D(5))
    assert any("journal was lost" in why for why in again)  # nobody has looked yet
    keep_pause(tmp_path, "")
    assert not any("journal" in why for why in _held_back(tmp_path, known=True, risk=KeptRisk()))
    assert not any("journal" in why for why in _held_back(tmp_path, known=True))
    assert any("could not be read" in why for why in _held_back(tmp_path, known=False))


def test_a_journal_that_cannot_be_read_at_the_start_is_not_written_over(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    journal = EventLog(FakeClock().wall_ms)
    journal.open(folder / "journal.db", IntentLog(tmp_path / "intents.log"))
    assert not journal.facts_known
    folder.mkdir()
    journal.keep("risk", {"net": 1})
    journal.keep("held", [1])
    journal._next_try_ms = 0
    journal.drain(0)
    journal.drain(0)
    assert journal.fact("risk", dict) is None
    assert journal.fact("held", list) == [1]
    journal.close()


def _with_a_gain(tmp_path: Path, until_fills: Callable[[World], None]) -> World:
    world = quiet_world(
        tmp_path, max_drawdown_pct=D("0.5"), max_notional_per_market=D(1000), max_notional_total=D(2000),
        mark_regression_bps=D(0),
    )  # fmt: skip
    world.by_hand(GOLD, Side.BUY, D("0.1"))
    world.run(1000)
    world.venue.move(GOLD, world.venue.engine.markets[GOLD].oracle + 300, world.exchange_ms())
    world.run(3000)
    held: list[str] = []

    def late(text: str) -> list[str]:
        fills = '"channel":"userFills"' in text
        if fills:
            held.append(text)
        return [] if fills else [text]

    world.filter_frame = late
    world.trading.exiting.request(ExitReason.MANUAL)
    until_fills(world)
    world.filter_frame = lambda text: [text]
    for text in held:
        world.inject(text)
    world.run(1500)
    return world


def test_a_gain_whose_fills_are_late_is_no_fall(tmp_path: Path) -> None:
    world = _with_a_gain(tmp_path, lambda w: w.run(1500))
    assert not world.latch.tripped
    assert world.trading.tracker.totals()[0] > 20


def test_what_was_withdrawn_is_not_there_to_lose() -> None:
    watch = Drawdown(DrawdownLimits(max_drawdown_pct=D(10)))
    assert watch.look(D(0), D(1000), 1) is None
    assert watch.look(D(0), D(100), 2) is None  # 900 are withdrawn
    assert watch.look(D(-40), D(60), 3) is not None


def test_a_second_cut_does_not_end_the_calm_after_a_long_one() -> None:
    readiness = Readiness(needs_account=False)
    streams = StreamWatch(
        clock=FakeClock(), readiness=readiness, journal=MemoryJournal(), offset_ms=lambda: 0,
        reconnect=lambda why: None, disconnect_limit_ms=30_000,
    )  # fmt: skip
    streams.connected(0)
    streams.disconnected(1000)
    streams.connected(61_000)
    streams.disconnected(61_500)
    streams.connected(62_000)
    streams.look(62_100)
    assert readiness.reduced_by("disconnect")
    streams.market_ms = 75_000
    streams.look(75_000)
    assert not readiness.reduced_by("disconnect")


def test_the_guards_count_a_round_trip_once_though_killed_in_between(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, tilt_guard=True, tilt_max_consecutive_losses=2, on_disk=True)
    counted, world.risk = world.risk, lambda: None  # type: ignore[method-assign]
    _lose(world, 1)
    world.trading.risk._keep()  # as after any earlier event
    losses = world.trading.guards._losses
    world.risk = counted  # type: ignore[method-assign]
    world.restart()
    assert world.trading.guards._losses == losses == 1
    assert world.trading.risk.monitor.losing_run == 1


def test_an_hour_of_many_small_losses_is_seen_whole() -> None:
    guards = EntryGuards({}, GuardSettings(max_hourly_drawdown_usd=D(5)))
    for number in range(400):
        guards.closed(TripNote(GOLD, 1000 + number * 6000, D("-0.02"), D(-10)))
    assert guards.refusal(GOLD, D(1), 1000 + 400 * 6000) is not None


def test_a_pause_that_cannot_be_read_is_one(tmp_path: Path) -> None:
    assert pause_of(tmp_path) == ""
    (tmp_path / PAUSE_FILE).write_bytes(b"\xff\xfe")
    assert "cannot be read" in pause_of(tmp_path)
    (tmp_path / PAUSE_FILE).write_bytes(b"")
    assert pause_of(tmp_path)


def test_a_rest_thread_that_takes_nothing_holds_up_nobody() -> None:
    jobs = RestJobs()
    for _ in range(1100):
        jobs.wake()
    done = jobs.submit(lambda: 1)
    with pytest.raises(VenueReadError):
        done.result(timeout=0)


def test_a_reset_after_failed_exits_counts_whichever_way_the_clock_was_set(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, on_disk=True)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    world.run(1500)
    (held,) = world.journal.fact("held", list[Held])
    failed = msgspec.structs.replace(held, reason=ExitReason.MANUAL, attempt=4, failures=4)
    world.trading.exiting._journal = MemoryJournal()
    later = Reset(at_ms=world.clock.wall_ms() + 3_600_000, user="me", reason="x", was="max_loss: y")
    world.journal.keep("held", [failed])
    world.journal.keep("risk", KeptRisk(reset_ms=later.at_ms))
    done = msgspec.structs.replace(later, at_ms=world.clock.wall_ms(), was="flatten_failures: 4")
    write_latch(tmp_path / "latch.json", LatchState(False, reset=done))
    world.risk = lambda: None  # type: ignore[method-assign]
    world.restart()
    assert not world.latch.tripped
    assert [h.failures for h in world.trading.exits.held(world.trading.tracker.positions(), 0)] == [0]


def test_a_pause_that_cannot_be_taken_from_the_disk_stands(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    (tmp_path / PAUSE_FILE).mkdir()  # it cannot be removed
    world.readiness.reduce("operator", "paused")
    app: Any = SimpleNamespace(readiness=world.readiness, folder=tmp_path, journal=world.journal)
    with pytest.raises(OSError):
        pause(app, "")
    assert not world.ready


def test_a_pause_during_a_start_outlasts_it_and_a_resume_waits_for_the_folder(tmp_path: Path) -> None:
    """Before the account was known there was no folder to write it to, and the start forgot it."""
    world = quiet_world(tmp_path)
    running, folder = world.running, world.running.folder
    assert folder is not None
    running.folder = None
    assert pause(running, PAUSED) == {"told": PAUSED}
    assert "the start is not finished" in pause(running, "")["error"]
    running.folder = folder
    _hold_what_is_unknown(running, Before(risk=KeptRisk()))
    assert running.readiness.reduced_by("operator") == PAUSED
    assert pause_of(folder) == PAUSED
    assert "resumed" in pause(running, "")["told"]
    assert pause_of(folder) == ""


def test_results_that_nobody_can_tell_stop_entries(tmp_path: Path) -> None:
    """A reply said that an order was filled, its fill never came, and no limit on losses was judged any more."""
    world = quiet_world(tmp_path, max_daily_loss_usd=D(5))
    wished = order(5, coin=GOLD, epoch=world.generation)
    world.trading.tracker.admit(wished, lambda ledger, w: w)
    world.trading.tracker.mark_sent(wished.cloid, nonce=5, expires_ms=None, generation=world.generation, mono_ms=0)
    events = world.trading.tracker.on_status(wished.cloid, Filled(oid=77, total_sz=wished.sz, avg_px=wished.px))
    world.trading.consequences.dispatch(events, world.clock.mono_ms())
    world.run(UNVALUED_MS - 2000, step_ms=50)
    assert not [r for r in world.readiness.reasons(world.clock.mono_ms()) if "loss limits cannot be judged" in r]
    assert world.run_until(
        lambda: any("loss limits cannot be judged" in r for r in world.readiness.reasons(world.clock.mono_ms())),
        5000, step_ms=50,
    )  # fmt: skip


def test_a_duty_that_breaks_is_told_once_and_the_next_has_its_turn(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    keeping = world.trading.housekeeping
    turns: list[str] = []

    def broken(now_ms: int) -> None:
        turns.append("broken")
        raise RuntimeError("our own slip")

    duties = [("broken", broken), ("next", lambda now_ms: turns.append("next"))]
    keeping.duties = lambda: duties  # type: ignore[method-assign,return-value]
    for _ in range(3):
        keeping.step(world.clock.mono_ms())
    assert turns == ["broken", "next"] * 3
    assert [f["what"] for f in world.journal.of("duty_failed")] == ["RuntimeError: our own slip"]


def test_quotes_that_are_moved_are_no_entries_of_the_trial() -> None:
    trial = Trial(KeptTrial())
    for level, filled in ((0, 0), (None, 1)):
        order = msgspec.structs.replace(exit_order(1), reduce_only=False, level=level)
        trial.apply(
            OrderChanged(
                order=order, before=OrderState.OPEN, after=OrderState.CANCELED, why="", executed=D(filled), avg_px=D(1)
            )
        )
    assert (trial.kept.orders, trial.kept.filled) == (1, 1)
