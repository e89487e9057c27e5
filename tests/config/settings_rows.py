"""For each setting two values, and what differs on the wire or in the status of a service that runs with them.

A row: the two values, what is looked at, and what is seen with each. `also` is set in both cases. A value may be a
function of a folder, which makes a file there. `tests/config/test_settings.py` runs them, and fails where a setting of
`.env.example` has no row. To add a setting: one row here.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from eth_account import Account

from hip3.clock import SystemClock
from hip3.config.reading import MarketSettings, load
from hip3.core.money import bps_of
from hip3.core.orders import PendingOrder, Side
from hip3.errors import ConfigError
from hip3.exchange.embedded import SEED_REQUEST, key_number_one
from hip3.exchange.rest import RestClient
from hip3.exchange.signing import SigningKey
from hip3.ops.intents import IntentLog
from hip3.ops.journal import EventLog
from hip3.service.alerting import Alerting
from hip3.service.recording import begin_recording, end_recording
from hip3.service.running import Running
from hip3.service.runtime import Runtime
from hip3.service.start import OwnExchange, configured_key
from hip3.service.supervisor import Supervisor
from tests.builders import D
from tests.config.quote_rows import ROWS as QUOTE_ROWS
from tests.config.row import Row, See
from tests.fakes import FakeClock
from tests.stage import QUIET, Env, EnvWorld, Stage
from tests.stories.listener import listener

GOLD, TSLA = "xyz:GOLD", "xyz:TSLA"


def _on(look: Callable[[Stage], Any], *coins: str) -> See:
    """What is seen of a service on a stage."""
    return lambda tmp, env: look(Stage(tmp, env, coins=coins or (GOLD,)))


# Entries.

CHEAP: Env = {"HIP3_TAKER_FEE_BPS": "0"}
ROOMY: Env = {"HIP3_MAX_NOTIONAL_PER_MARKET": "5000", "HIP3_MAX_NOTIONAL_TOTAL": "5000"}
_entered = _on(lambda s: s.lag(step=10, steps=10))
"""After how many oracle steps of 10 bps, with the quote standing still, an entry leaves."""


def _first_usd(usd: float) -> See:
    """What the first entry is worth, with so much at the touch."""

    def look(s: Stage) -> int | None:
        s.lag(usd=usd)
        return round(s.entries()[0].px * s.entries()[0].sz) if s.entries() else None

    return _on(look)


def _beside_a_position(s: Stage) -> tuple[bool, list[str]]:
    """Whether an entry leaves while another market has a position, and which gates refused."""
    s.hold("0.1", coin=TSLA)
    s.lag(GOLD)
    return bool(s.entries()), sorted(s.status()["refused_by_gate"])


def _worse_bps(order: PendingOrder) -> int:
    """How much worse than the touch an order's limit is."""
    return round(abs(bps_of(order.px - order.touch_px, order.touch_px)))


def _followed(s: Stage) -> int | None:
    """How many signals are followed; None where nothing is."""
    s.lag()
    found = s.status()["followups"]
    return None if found is None else int(found["signals"])


def _entry_limit(s: Stage) -> int:
    s.lag()
    return _worse_bps(s.entries()[0])


def _at_once(s: Stage) -> int:
    """Entries that leave when two markets lag in the same instant."""
    for number in (1, 2):
        for coin in s.coins:
            s.quote(coin, oracle=30 * number)
    s.run(50)
    return len(s.entries())


def _piled_up(s: Stage) -> int:
    """Posts in flight when no reply comes and one market after the other lags."""
    s.world.sender.hold()
    for coin in s.coins:
        s.lag(coin)
    return int(s.status()["orders"]["inflight"])


def _unknown_after(s: Stage) -> int | None:
    """Seconds from the send of an order without reply until the nonce of it is burned."""
    s.world.sender.hold()
    s.lag()
    ms = s.within(lambda: any(body["action"]["type"] == "noop" for body in s.world.rest.signed))
    return None if ms is None else round(ms / 1000)


def _expiry(s: Stage) -> int | None:
    """Seconds that the exchange may take to accept the entry, on the wire."""
    s.lag()
    payload = s.world.sender.posts()[-1]["request"]["payload"]
    ms = payload["expiresAfter"] - payload["nonce"] if "expiresAfter" in payload else None
    return None if ms is None else round(ms / 1000)


# Exits.

HELD_ONLY: Env = {"HIP3_TIME_STOP_MS": "600000", "HIP3_MIN_HOLDING_MS": "10000000"}
SOON: Env = QUIET | {"HIP3_MIN_HOLDING_MS": "0", "HIP3_MARK_REGRESSION_BPS": "0"}


def _walked(*path: dict[str, float]) -> See:
    """After which of these quotes a long position is left, and why."""
    return _on(lambda s: s.hold().walk(*path))


def _bids(*bids: float, oracle: float) -> See:
    path = [{"bid": b, "ask": b + 2, "oracle": oracle} for b in bids]
    return _on(lambda s: s.hold(oracle=200).walk(*path))


def _left_after(**at: float) -> See:
    """Seconds from the position until its exit leaves, with this quote."""

    def look(s: Stage) -> int | None:
        s.hold()
        s.quote(**at)  # type: ignore[arg-type]
        ms = s.within(lambda: bool(s.exits()), 10_000) if not at else _repeated(s, at)
        return None if ms is None else round((ms + 200) / 1000)

    return _on(look)


def _repeated(s: Stage, at: dict[str, float]) -> int | None:
    began = s.world.clock.mono_ms()
    while s.world.clock.mono_ms() - began < 10_000:
        if s.exits():
            return s.world.clock.mono_ms() - began
        s.quote(**at)  # type: ignore[arg-type]
        s.run(100)
    return None


def _refused_exits(s: Stage) -> Stage:
    """A position in a market where nobody bids: exits are tried for four seconds."""
    s.hold()
    engine = s.world.venue.engine
    s.world.venue._models.clear()
    for account in [a for a in engine.accounts.values() if a.is_agent]:
        engine.cancel_all(account, GOLD, s.world.exchange_ms())
    s.within(lambda: len(s.exits()) >= 4, 4000)
    return s


def _exit_bps(number: int) -> See:
    """How far from the mark the limit of an exit is that nobody takes; the first is 0."""

    def look(s: Stage) -> int:
        order = _refused_exits(s).exits()[number]
        mark = order.touch_px / (1 - D("0.0001"))  # the bid is quoted one basis point below it
        return round(abs(bps_of(order.px - mark, mark)))

    return _on(look)


def _own_position(s: Stage) -> Stage:
    """An entry of ours that was filled, with an edge of about 59 bps."""
    s.lag(steps=2)
    s.run(300)
    assert s.world.exchange_positions()
    return s


def _scaled(s: Stage) -> Any:
    return _own_position(s).walk(*({"bid": b, "ask": b + 2, "oracle": 60} for b in (10, 20, 40, 58)))


OWN: Env = {"HIP3_ENTRY_SLIPPAGE_BPS": "100", "HIP3_MIN_HOLDING_MS": "0", "HIP3_TIME_STOP_MS": "600000"}
_AGED = _bids(*[-1] * 17, 5, oracle=20)
"""About nine seconds far from the oracle, then 15 bps from it."""
DECAY: Env = SOON | {"HIP3_MARK_REGRESSION_BPS": "20", "HIP3_TIME_STOP_MS": "20000", "HIP3_TIME_DECAY": "true",
                     "HIP3_TIME_DECAY_START_MS": "1000"}  # fmt: skip
ORACLE: Env = QUIET | {"HIP3_ORACLE_EXIT": "true", "HIP3_ORACLE_EXIT_MIN_HOLDING_MS": "0"}
_falls = _walked(*({"oracle": -5 * n} for n in range(8)))
_rises = _walked(*({"oracle": 5 * n} for n in range(8)))


def _protected(s: Stage) -> int:
    """Stops that stand on the exchange for a position."""
    s.hold()
    s.run(500)
    return len([o for o in s.world.listed("xyz") if o["isTrigger"]])


# HardStop.


def _latched(look: Callable[[Stage], object]) -> See:
    """Whether the latch is tripped after this, and by what."""

    def see(s: Stage) -> str | None:
        look(s)
        s.run(50)
        reason = s.status()["hard_stop"]["reason"]
        return None if reason is None else str(reason).partition(":")[0]

    return _on(see)


def _losing_trips(count: int, size: str) -> Callable[[Stage], None]:
    def look(s: Stage) -> None:
        for _ in range(count):
            for side in (Side.BUY, Side.SELL):
                s.world.by_hand(GOLD, side, D(size))
                s.run(200)

    return look


def _two_refusals(s: Stage) -> None:
    """Two entries that the exchange takes for wrong, though the market is as it was."""
    s.world.venue.engine.prevalidate = lambda requests: "Order has invalid size."  # type: ignore[method-assign]
    for _ in range(2):
        s.quote()
        s.lag()
        s.run(500)


def _slipped(s: Stage) -> None:
    """An entry at a touch that the exchange's book is a percent away from."""
    s.lag(bid=-101, ask=-99)
    s.run(500)


def _lost_a_dollar(s: Stage) -> None:
    s.run(1500)
    s.trip("-1")
    s.run(1500)


SLIP: Env = {"HIP3_ENTRY_SLIPPAGE_BPS": "300", "HIP3_TIME_STOP_MS": "600000", "HIP3_MIN_HOLDING_MS": "10000000"}


def _after_the_latch(s: Stage) -> bool:
    """Whether the position is left once the latch is tripped."""
    s.hold()
    s.world.latch.trip("manual", "by the test", s.world.clock.wall_ms())
    s.world.risk()
    s.run(500)
    return bool(s.exits())


# Market health: whether an entry leaves, as the step it leaves after.

_lagged = _on(lambda s: s.lag())


def _old_touch(s: Stage) -> bool:
    """The oracle runs away while neither touch nor context comes for three seconds at a time."""
    for number in (1, 2, 3):
        s.run(3000)
        s.context(oracle=30 * number)
    s.run(50)
    return bool(s.entries())


def _late_touch(s: Stage, *, repeated: bool) -> bool:
    """The oracle has risen with the quote; three seconds later the quote falls back."""
    for number in (1, 2):
        s.touch(bid=30 * number - 1, ask=30 * number + 1)
        s.context(oracle=30 * number, mark=30)
    for _ in range(6):
        s.run(500)
        if repeated:
            s.context(oracle=60, mark=30)
    s.touch()
    s.run(50)
    return bool(s.entries())


def _wide(s: Stage) -> int | None:
    for _ in range(25):
        s.quote()
    return s.lag(bid=-8, ask=8)


# Entry guards.


def _after(*trips: str, wait_ms: int = 0, between_ms: int = 0) -> See:
    """Whether an entry leaves after round trips with these results."""

    def look(s: Stage) -> bool:
        s.run(1500)
        for net in trips:
            s.quote()
            s.trip(net)
            s.run(between_ms)
        s.quote()
        s.run(wait_ms)
        s.run(1500)
        return s.lag() is not None

    return _on(look)


def _lags(count: int, wait_ms: int = 300) -> See:
    """Entries that leave when the quote lags so often, with nothing to fill them."""

    def look(s: Stage) -> int:
        for _ in range(count):
            s.quote(bid=-101, ask=-99)
            s.lag(bid=-101, ask=-99)
            s.run(wait_ms)
        return len(s.entries())

    return _on(look)


def _on_env(env: Env) -> Env:
    return {"HIP3_" + name: value for name, value in env.items()}


BURST = _on_env({"BURST_SIGNAL": "true", "BURST_MAX_SIGNALS": "1"})
TILT = _on_env({"TILT_GUARD": "true", "TILT_MAX_CONSECUTIVE_LOSSES": "1"})
HEALTH = _on_env({"MARKET_HEALTH": "true", "MARKET_HEALTH_MIN_SAMPLES": "1"})
WEIGHED = HELD_ONLY | _on_env({"CORRELATION_POSITION": "true"})


def _back_after_a_cut(s: Stage) -> str:
    """The state two seconds after a connection that was gone for three."""
    s.world.filter_frame = lambda text: [text]
    s.world.cut()
    s.run(3000)
    s.world.connect()
    s.run(2000)
    return str(s.status()["state"])


def _alerts(kind: str, prepare: Callable[[Stage], object]) -> See:
    """Alerts of a kind that a listener receives within six seconds."""

    def see(tmp: Path, env: Env) -> int:
        with listener() as hook:
            s = Stage(tmp, env | {"HIP3_ALERT_URLS": hook.json_url})
            running = s.world.running
            running.journal = EventLog(running.clock.wall_ms)
            alerting = Alerting(running)
            prepare(s)
            for _ in range(6):
                s.run(1000)
                alerting.step()
                for channel in alerting.channels:
                    while not channel.idle:
                        channel.step()
            return len(hook.of(kind))

    return see


def _lost(s: Stage) -> None:
    """An order without a reply that nobody can ask for."""
    s.world.rest.failing |= {"orderStatus", "/exchange"}
    s.world.sender.hold()
    s.lag()
    s.run(1500)


def _channels(s: Stage) -> list[str]:
    """The alert channels in the status."""
    return [channel["channel"] for channel in s.status()["alerts"]]


# Start, and who it is.


def _found_at_start(s: Stage) -> bool:
    """Whether a foreign order that rests survives a start."""
    oid = s.world.rest_by_hand(GOLD)
    s.world.filter_frame = lambda text: [text]
    s.world.restart()
    assert s.world.run_until(lambda: s.world.ready, 20_000)
    return oid in {o["oid"] for o in s.world.listed("xyz")}


def _margins(s: Stage) -> list[int]:
    """The leverages that are set on the exchange."""
    s.run(3000)
    return [b["action"]["leverage"] for b in s.world.rest.signed if b["action"]["type"] == "updateLeverage"]


def _margin_types(s: Stage) -> list[bool]:
    """Which margin type is set in a market that may be cross; True: cross."""
    market = s.world.venue.engine.markets[GOLD]
    market.info = market.info._replace(margin_mode=None)
    s.world.journal.kept.pop("checked", None)  # what a start found is not asked again within the hour
    s.world.restart()
    s.run(3000)
    return [b["action"]["isCross"] for b in s.world.rest.signed if b["action"]["type"] == "updateLeverage"]


def _fed(tmp: Path, env: Env) -> list[str]:
    """The markets that are fed."""
    world = EnvWorld(tmp, env)
    assert world.run_until(lambda: world.ready, 8000)
    return sorted(world.trading.market_state.views())


def _dexs(tmp: Path, env: Env) -> list[str]:
    return sorted({coin.partition(":")[0] for coin in _fed(tmp, env)})


KEYS = [SigningKey(key_number_one(seed)) for seed in (1, 2, 3)]
PASSWORD = "a password of many words"


def _who(name: str) -> See:
    """What the status says, or the fault that ends the start."""

    def see(tmp: Path, env: Env) -> Any:
        try:
            return Stage(tmp, env).status()[name]
        except ConfigError as error:
            return f"fault: {error.faults[0].split(':')[0]}"

    return see


def _key_text(seed: int) -> str:
    return "0x" + key_number_one(seed).hex()


def _key_file(seed: int) -> Callable[[Path], str]:
    return lambda tmp: _private(tmp / f"key{seed}", _key_text(seed))


def _keystore(seed: int) -> Callable[[Path], str]:
    kept = Account.encrypt(key_number_one(seed), PASSWORD, kdf="pbkdf2", iterations=2)
    return lambda tmp: _private(tmp / f"store{seed}", json.dumps(kept))


def _private(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def _faulty_key(tmp: Path, env: Env) -> str:
    """The address of the key, or the fault that ends the start."""
    try:
        key = configured_key(load(env, None))
    except ConfigError as error:
        return "fault: " + error.faults[0]
    assert key is not None
    return key.address


def _longest_wait(s: Stage) -> float:
    """How long the tick waits when nothing wakes it, in seconds."""
    waits: list[float] = []
    scheduler = SimpleNamespace(wait=lambda seconds: bool(waits.append(seconds)))
    trading = SimpleNamespace(loop=s.world.trading.loop, scheduler=scheduler)
    app = SimpleNamespace(
        clock=s.world.clock, settings=s.world.settings, workers={"tick": SimpleNamespace(beat=lambda: None)}
    )
    supervisor = Supervisor(app, trading)  # type: ignore[arg-type]
    supervisor.tick_step()
    supervisor.tick_step()
    return waits[-1]


def _own(look: Callable[[OwnExchange], Any]) -> See:
    """What the service's own exchange is like."""

    def see(tmp: Path, env: Env) -> Any:
        own = OwnExchange(load(env, None)).listening()
        try:
            return look(own)
        finally:
            own.stop()

    return see


def _seed(own: OwnExchange) -> int:
    rest = RestClient(own.url, SystemClock())
    try:
        return int(rest.info_json(SEED_REQUEST)["seed"])
    finally:
        rest.close()


def _profile(own: OwnExchange) -> str:
    return Path(f"/proc/{own._child.pid}/cmdline").read_text().split("--profile\0")[1].split("\0")[0]


def _file_of_gold(tmp: Path) -> str:
    tmp.mkdir(parents=True, exist_ok=True)
    (tmp / "markets.toml").write_text('["xyz:GOLD"]\nmin_edge_bps = 5000\n')
    return str(tmp / "markets.toml")


def _journal_left(days: int) -> See:
    """How many of 400 records of 10 kB are left after so many days."""

    def see(tmp: Path, env: Env) -> int:
        tmp.mkdir(parents=True, exist_ok=True)
        base = load({"HIP3_API_URL": "http://127.0.0.1:9"} | env, None)
        clock = FakeClock()
        journal = Running(MarketSettings(base), clock, Runtime()).journal
        journal.open(tmp / "journal.db", IntentLog(tmp / "intents.log"))
        for number in range(400):
            journal.record("note", number=number, text="x" * 10_000)
        journal.drain(0)
        clock.advance(days * 86_400_000)
        for _ in range(3):
            clock.advance(61_000)
            journal.drain(0)
        return int(journal._store._db.execute("SELECT count(*) FROM records").fetchone()[0])

    return see


def _days_recorded(*, always: bool) -> See:
    """How many days are in the folder of recordings after a line was written to it, beside one of three days ago."""

    def see(tmp: Path, env: Env) -> Any:
        env = {"HIP3_RECORD": _here(tmp)} | env if always else env
        running = Running(MarketSettings(load(env, None)), FakeClock(), Runtime())
        clock = running.clock
        old = tmp / "rec" / "embedded" / f"{datetime.fromtimestamp(clock.wall_ms() / 1000 - 3 * 86_400, UTC):%Y-%m-%d}"
        old.mkdir(parents=True)
        with (old / "old.ndjson.zst").open("wb") as file:
            file.truncate(2 << 30)  # a hole: no disk is filled
        begin_recording(running, RestClient("http://127.0.0.1:9", clock))
        if running.recorder is not None:
            running.recorder.heard(1, b"{}")
        end_recording(running)
        return sum(p.is_dir() for p in (tmp / "rec" / "embedded").iterdir())

    return see


def _here(tmp: Path) -> str:
    return str(tmp / "rec")


ROWS: dict[str, Row] = {
    "mode": Row("trade", "observe", "who signs", _who("signer"), (KEYS[0].address, None)),
    "private_key": Row(_key_text(1), _key_text(2), "who signs", _who("signer"), (KEYS[0].address, KEYS[1].address)),
    "private_key_file": Row(_key_file(1), _key_file(2), "who signs", _who("signer"), (KEYS[0].address, KEYS[1].address)),
    "keystore_file": Row(
        _keystore(1), _keystore(2), "who signs", _who("signer"), (KEYS[0].address, KEYS[1].address),
        {"HIP3_KEYSTORE_PASSWORD": PASSWORD},
    ),
    "keystore_password": Row(
        PASSWORD, "another", "the key's address, or the end of the start",
        lambda tmp, env: _faulty_key(tmp, env | {"HIP3_KEYSTORE_FILE": _keystore(1)(tmp)})[:5], (KEYS[0].address[:5], "fault"),
    ),
    "signer_address": Row(
        KEYS[0].address, KEYS[1].address, "a key of another address ends the start",
        lambda tmp, env: _faulty_key(tmp, env).startswith("fault"), (False, True), {"HIP3_PRIVATE_KEY": _key_text(1)},
    ),
    "account_address": Row(
        KEYS[0].address, KEYS[1].address, "the account in the status", _who("account"),
        (KEYS[0].address, KEYS[1].address), {"HIP3_PRIVATE_KEY": _key_text(1)},
    ),
    "vault_address": Row(
        KEYS[1].address, KEYS[2].address, "the account in the status", _who("account"),
        (KEYS[1].address, KEYS[2].address), {"HIP3_PRIVATE_KEY": _key_text(1)},
    ),
    "markets": Row("xyz:GOLD", "xyz:TSLA,para:AVGO", "the markets that are fed", _fed, (["xyz:GOLD"], ["para:AVGO", "xyz:TSLA"])),
    "dex": Row("xyz", "para", "the dexs that are fed", _dexs, (["xyz"], ["para"])),
    "markets_file": Row("", _file_of_gold, "the edge that this market's entry needs", _on(lambda s: s.lag()), (2, None)),
    "tick_ms": Row("100", "700", "the longest wait of the tick", _on(_longest_wait), (0.1, 0.7)),
    "taker_fee_bps": Row("0", "30", "after which oracle step an entry leaves", _entered, (2, 7)),
    "slippage_bps": Row("2", "40", "after which oracle step an entry leaves", _entered, (2, 5), CHEAP),
    "min_edge_bps": Row("5", "40", "after which oracle step an entry leaves", _entered, (2, 5), CHEAP),
    "min_oracle_change_bps": Row("3", "20", "whether steps of 10 bps make an entry", _entered, (2, None), CHEAP),
    "min_oracle_moves": Row("2", "4", "after which oracle step an entry leaves", _entered, (2, 4), CHEAP),
    "oracle_move_bps": Row("2", "20", "whether steps of 10 bps count", _entered, (2, None), CHEAP),
    "sizing_alpha": Row("0.10", "0.05", "USD of the entry, $5,000 at the touch", _first_usd(5000), (500, 250), ROOMY),
    "min_book_notional": Row(
        "500", "900", "USD of the entry, $1,000 at the touch", _first_usd(1000), (111, 24),
        ROOMY | {"HIP3_SIZING_ALPHA": "1"},
    ),
    "normal_book_notional": Row(
        "5000", "1000", "USD of the entry, $1,000 at the touch", _first_usd(1000), (111, 1000),
        ROOMY | {"HIP3_SIZING_ALPHA": "1"},
    ),
    "max_notional_per_market": Row("50", "20", "USD of the entry", _first_usd(1_000_000), (49, 20)),
    "max_notional_total": Row(
        "100", "40", "whether an entry of $20 leaves beside a position of $37", _on(_beside_a_position, GOLD, TSLA),
        ((True, []), (False, ["MaxPositionTotal"])), {"HIP3_MAX_NOTIONAL_PER_MARKET": "20"} | HELD_ONLY,
    ),
    "max_concurrent_positions": Row(
        "5", "1", "whether an entry leaves beside a position", _on(_beside_a_position, GOLD, TSLA),
        ((True, []), (False, ["MaxConcurrentPositions"])), HELD_ONLY,
    ),
    "entry_slippage_bps": Row("0", "20", "bps of the entry's limit beyond the touch", _on(_entry_limit), (0, 20)),
    "time_stop_ms": Row("2000", "5000", "seconds until the exit", _left_after(), (2, 5), QUIET),
    "mark_regression_bps": Row(
        "5", "12", "at which bid the position is left", _bids(-1, 5, 10, 16, oracle=20),
        ((3, "mark_regression"), (2, "mark_regression")), SOON,
    ),
    "min_holding_ms": Row("1000", "4000", "seconds until the exit", _left_after(bid=0, ask=2), (1, 4), QUIET),
    "exit_slippage_bps": Row(
        "50", "20", "bps of the exit's limit from the mark", _exit_bps(0),
        (50, 20), QUIET | {"HIP3_TIME_STOP_MS": "100"},
    ),
    "exit_step_bps": Row(
        "50", "10", "bps of the second exit's limit", _exit_bps(1),
        (100, 60), QUIET | {"HIP3_TIME_STOP_MS": "100"},
    ),
    "exit_max_slippage_bps": Row(
        "300", "70", "bps of the second exit's limit", _exit_bps(1),
        (100, 70), QUIET | {"HIP3_TIME_STOP_MS": "100"},
    ),
    "quick_profit_bps": Row(
        "0", "10", "whether a gain of 12 bps ends it", _bids(5, 12, oracle=50), (None, (1, "mark_regression")),
        SOON | {"HIP3_QUICK_PROFIT_MIN_HOLDING_MS": "0"},
    ),
    "quick_profit_min_holding_ms": Row(
        "1000", "3000", "seconds until the exit", _left_after(bid=12, ask=14, oracle=50), (1, 3),
        SOON | {"HIP3_QUICK_PROFIT_BPS": "10"},
    ),
    "edge_evaporation": Row(
        "false", "true", "whether a touch at the oracle ends it", _bids(8, 17, oracle=20), (None, (1, "mark_regression")),
        SOON,
    ),
    "edge_evaporation_bps": Row(
        "2", "9", "at which touch it ends", _bids(3, 10, 17, oracle=20), ((2, "mark_regression"), (1, "mark_regression")),
        SOON | {"HIP3_EDGE_EVAPORATION": "true"},
    ),
    "edge_evaporation_min_holding_ms": Row(
        "1000", "3000", "seconds until the exit", _left_after(bid=17, ask=19, oracle=20), (1, 3),
        SOON | {"HIP3_EDGE_EVAPORATION": "true"},
    ),
    "min_loss_exit_bps": Row(
        "0", "10", "whether a loss of 3 bps is taken", _bids(-3, oracle=-3), ((0, "mark_regression"), None), SOON,
    ),
    "entry_edge_scaling": Row(
        "false", "true", "at which bid it is left", _on(_scaled), ((3, "mark_regression"), (2, "mark_regression")), OWN,
    ),
    "entry_edge_scale_factor": Row(
        "0.5", "0.75", "at which bid it is left", _on(_scaled), ((2, "mark_regression"), (1, "mark_regression")),
        OWN | {"HIP3_ENTRY_EDGE_SCALING": "true"},
    ),
    "time_decay": Row(
        "false", "true", "whether 15 bps is near enough after nine seconds", _AGED, ((17, "mark_regression"), None), DECAY,
    ),
    "time_decay_start_ms": Row(
        "15000", "1000", "whether 15 bps is near enough after nine seconds", _AGED, ((17, "mark_regression"), None), DECAY,
    ),
    "time_decay_min_factor": Row(
        "1", "0.2", "whether 15 bps is near enough after nine seconds", _AGED, ((17, "mark_regression"), None), DECAY,
    ),
    "oracle_exit": Row("false", "true", "whether a falling oracle ends it", _falls, (None, (2, "oracle_exit")), ORACLE),
    "oracle_exit_against_moves": Row(
        "2", "4", "after which step down it is left", _falls, ((2, "oracle_exit"), (4, "oracle_exit")), ORACLE,
    ),
    "oracle_exit_with_moves": Row(
        "3", "5", "after which step up it is left", _rises, ((3, "oracle_exit"), (5, "oracle_exit")), ORACLE,
    ),
    "oracle_exit_min_holding_ms": Row(
        "0", "2000", "after which step down it is left", _falls, ((2, "oracle_exit"), (3, "oracle_exit")), ORACLE,
    ),
    "take_profit_bps": Row("0", "20", "whether a gain of 25 bps ends it", _bids(10, 25, oracle=0), (None, (1, "take_profit")), QUIET),
    "stop_loss_bps": Row("0", "20", "whether a loss of 25 bps ends it", _bids(-10, -25, oracle=0), (None, (1, "stop_loss")), QUIET),
    "trailing_activation_bps": Row(
        "30", "10", "whether falling back from 15 bps ends it", _bids(15, 8, oracle=0), (None, (1, "trailing_stop")),
        QUIET | {"HIP3_TRAILING_DISTANCE_BPS": "5"},
    ),
    "trailing_distance_bps": Row(
        "20", "5", "whether falling back by 7 bps ends it", _bids(15, 8, oracle=0), (None, (1, "trailing_stop")),
        QUIET | {"HIP3_TRAILING_ACTIVATION_BPS": "10"},
    ),
    "protective_stop_bps": Row("300", "0", "stops on the exchange", _on(_protected), (1, 0), QUIET),
    "orders_per_second": Row("100", "1", "entries when two markets lag at once", _on(_at_once, GOLD, TSLA), (2, 1)),
    "max_inflight": Row(
        "100", "5", "posts in flight without replies", _on(_piled_up, *(f"xyz:{c}" for c in ("GOLD", "TSLA", "NVDA", "AAPL", "MSFT", "AMD"))),
        (6, 4), {"HIP3_MARKETS": "", "HIP3_MAX_NOTIONAL_TOTAL": "1000", "HIP3_MAX_CONCURRENT_POSITIONS": "20"},
    ),
    "post_timeout_ms": Row("5000", "1000", "seconds until an order is unknown", _on(_unknown_after), (5, 1)),
    "expires_after_ms": Row("5000", "0", "expiresAfter on the wire, in seconds", _on(_expiry), (5, None)),
    "hard_stop_max_loss_usd": Row(
        "20", "0.3", "whether a loss of about half a dollar trips it", _latched(_losing_trips(1, "0.5")), (None, "max_loss"), QUIET,
    ),
    "hard_stop_max_consecutive_losses": Row(
        "5", "1", "whether two losses trip it", _latched(_losing_trips(2, "0.01")), (None, "consecutive_losses"), QUIET,
    ),
    "hard_stop_max_flatten_failures": Row(
        "100", "1", "whether a few refused exits trip it", _latched(_refused_exits), (None, "flatten_failures"),
        QUIET | {"HIP3_TIME_STOP_MS": "100"},
    ),
    "hard_stop_max_rejects_per_hour": Row("10", "1", "whether two refusals trip it", _latched(_two_refusals), (None, "rejects")),
    "hard_stop_max_slippage_bps": Row(
        "1000", "10", "whether a percent of slippage trips it", _latched(_slipped), (None, "slippage"),
        SLIP | {"HIP3_HARD_STOP_SLIPPAGE_STREAK": "1"},
    ),
    "hard_stop_slippage_streak": Row("3", "1", "whether one such order trips it", _latched(_slipped), (None, "slippage"), SLIP),
    "hard_stop_flatten": Row("true", "false", "whether the position is left", _on(_after_the_latch), (True, False), QUIET),
    "journal_keep_days": Row("30", "2", "records of three days ago that stay", _journal_left(3), (400, 0)),
    "journal_keep_mb": Row("500", "1", "records that stay of 4 MB", _journal_left(0), (400, 0)),
    "record": Row("none", _here, "days recorded, the one of before among them", _days_recorded(always=False), (1, 2)),
    "record_keep_days": Row("14", "2", "days of recordings that stay", _days_recorded(always=True), (2, 1)),
    "record_keep_gb": Row("50", "1", "days of recordings that stay of 2 GiB", _days_recorded(always=True), (2, 1)),
    "followups": Row("true", "false", "signals that are looked at again", _on(_followed), (1, None)),
    "start_policy": Row("reconcile", "cancel_all", "whether a foreign order survives a start", _on(_found_at_start), (True, False), QUIET),
    "foreign_positions": Row(
        "watch", "manage", "seconds until the exit", _left_after(), (None, 2), QUIET | {"HIP3_TIME_STOP_MS": "2000"},
    ),
    "leverage": Row(
        "0", "3", "leverages that are set", _on(_margins), ([], [3]),
        QUIET | {"HIP3_MARKETS": GOLD, "HIP3_MARGIN": "keep"},
    ),
    "margin": Row(
        "keep", "isolated", "margin types that are set in a market that may be cross", _on(_margin_types), ([], [False]),
        QUIET | {"HIP3_MARKETS": GOLD},
    ),
    "max_bbo_age_ms": Row("0", "2000", "whether an entry leaves at a touch of before", _on(_old_touch), (True, False)),
    "max_ctx_age_ms": Row(
        "8000", "1000", "whether an entry leaves on a context of before", _on(lambda s: _late_touch(s, repeated=False)),
        (True, False),
    ),
    "max_mark_mid_bps": Row("50", "5", "whether an entry leaves with the mark 20 bps away", _on(lambda s: s.lag(mark=20)), (2, None)),
    "spread_shock": Row("0", "3", "whether an entry leaves at eight times the spread", _on(_wide), (2, None)),
    "blackout": Row("01:00-02:00", "14:00-15:00", "whether an entry leaves at 14:13 UTC", _lagged, (2, None)),
    "sessions": Row(
        "Mon-Sun 10:00-10:30 America/New_York", "Mon-Sun 10:30-16:00 America/New_York",
        "whether an entry leaves at 14:13 UTC, which is 10:13 in New York", _lagged, (2, None),
    ),
    "max_oracle_still_ms": Row(
        "0", "1000", "whether an entry leaves on an oracle that stood for three seconds",
        _on(lambda s: _late_touch(s, repeated=True)), (True, False),
    ),
    "max_oracle_step_bps": Row("300", "5", "after how many oracle steps of 10 bps an entry leaves", _entered, (3, None)),
    "max_edge_bps": Row("200", "10", "after how many oracle steps of 10 bps an entry leaves", _entered, (3, None)),
    "re_entry_delay_ms": Row("0", "10000", "whether an entry leaves after a round trip", _after("0.1"), (True, False)),
    "max_hourly_drawdown_usd": Row("0", "0.5", "whether an entry leaves after a loss of $1", _after("-1"), (True, False)),
    "max_hourly_drawdown_pct": Row("0", "0.01", "whether an entry leaves after a loss of $1", _after("-1"), (True, False)),
    "correlation_close_threshold": Row("0", "1", "whether an entry leaves after a round trip", _after("0.1"), (True, False)),
    "correlation_window_ms": Row(
        "1000", "30000", "whether an entry leaves after two round trips in four seconds",
        _after("0.1", "0.1", between_ms=4000), (True, False), _on_env({"CORRELATION_CLOSE_THRESHOLD": "2"}),
    ),
    "correlation_cooldown_ms": Row(
        "1000", "60000", "whether an entry leaves three seconds after a round trip", _after("0.1", wait_ms=3000), (True, False),
        _on_env({"CORRELATION_CLOSE_THRESHOLD": "1"}),
    ),
    "correlation_position": Row(
        "false", "true", "whether an entry leaves beside a position", _on(_beside_a_position, GOLD, TSLA),
        ((True, []), (False, ["MaxConcurrentPositions"])), HELD_ONLY | _on_env({"MAX_WEIGHTED_POSITIONS": "1"}),
    ),
    "max_weighted_positions": Row(
        "5", "1", "whether an entry leaves beside a position", _on(_beside_a_position, GOLD, TSLA),
        ((True, []), (False, ["MaxConcurrentPositions"])), WEIGHED,
    ),
    "burst_signal": Row("false", "true", "entries of two lags", _lags(2), (2, 1), _on_env({"BURST_MAX_SIGNALS": "1"})),
    "burst_window_ms": Row(
        "1000", "1800000", "entries of three lags, three seconds apart", _lags(3, 3000), (3, 2), BURST | _on_env({"BURST_MAX_SIGNALS": "2"}),
    ),
    "burst_max_signals": Row("3", "1", "entries of two lags", _lags(2), (2, 1), BURST),
    "burst_cooldown_ms": Row("1000", "300000", "entries of two lags, three seconds apart", _lags(2, 3000), (2, 1), BURST),
    "burst_bypass_edge_bps": Row("100", "0", "entries of two lags of more than 100 bps", _lags(2), (2, 1), BURST),
    "tilt_guard": Row("false", "true", "whether an entry leaves after a loss", _after("-0.1"), (True, False),
                      _on_env({"TILT_MAX_CONSECUTIVE_LOSSES": "1"})),
    "tilt_max_consecutive_losses": Row("3", "1", "whether an entry leaves after a loss", _after("-0.1"), (True, False), TILT),
    "tilt_cooldown_ms": Row("1000", "300000", "whether an entry leaves three seconds after a loss", _after("-0.1", wait_ms=3000), (True, False), TILT),
    "market_health": Row("false", "true", "whether an entry leaves after a poor trade", _after("-1"), (True, False),
                         _on_env({"MARKET_HEALTH_MIN_SAMPLES": "1"})),
    "market_health_window": Row("20", "1", "whether an entry leaves after a gain and a loss", _after("2", "-1"), (True, False), HEALTH),
    "market_health_disable": Row(
        "0.3", "0.8", "whether an entry leaves after a gain and a loss", _after("2", "-1"), (True, False),
        HEALTH | _on_env({"MARKET_HEALTH_ENABLE": "0.9"}),
    ),
    "market_health_enable": Row("0.5", "0.9", "whether an entry leaves after a loss and a gain", _after("-1", "2"), (True, False), HEALTH),
    "market_health_min_samples": Row("10", "1", "whether an entry leaves after a poor trade", _after("-1"), (True, False), HEALTH),
    "market_health_retry_ms": Row(
        "1000", "3600000", "whether an entry leaves three seconds after a poor trade", _after("-1", wait_ms=3000), (True, False), HEALTH,
    ),
    "order_notional": Row("0", "20", "USD of the entry", _first_usd(1_000_000), (49, 20)),
    "max_daily_loss_usd": Row("20", "0.3", "whether a loss of a dollar trips it", _latched(_lost_a_dollar), (None, "drawdown"), QUIET),
    "max_drawdown_pct": Row("0", "0.01", "whether a loss of a dollar trips it", _latched(_lost_a_dollar), (None, "drawdown"), QUIET),
    "disconnect_limit_ms": Row("30000", "1000", "the state after an outage of three seconds", _on(_back_after_a_cut), ("READY", "REDUCING"), QUIET),
    "profile": Row("none", "micro", "USD of the entry", _first_usd(1_000_000), (49, 11), {"HIP3_MARKETS": GOLD}),
    "alert_urls": Row("", "json://127.0.0.1:9/x", "the channels in the status", _on(_channels), ([], ["1 json"]), QUIET),
    "deadman_url": Row("", "http://127.0.0.1:9/x", "the channels in the status", _on(_channels), ([], ["dead man"]), QUIET),
    "unknown_alert_ms": Row(
        "60000", "1000", "alerts of an order that is unknown for seconds", _alerts("unknown_order", _lost), (0, 1),
        {"HIP3_POST_TIMEOUT_MS": "1000"},
    ),
    "not_ready_alert_ms": Row(
        "60000", "2000", "alerts of seconds without a connection", _alerts("not_ready", lambda s: s.world.cut()), (0, 1), QUIET,
    ),
    "exchange_seed": Row("5", "6", "the seed of its exchange", _own(_seed), (5, 6), {"HIP3_API_URL": ""}),
    "exchange_profile": Row(
        "lively", "calibrated", "what its exchange is started with", _own(_profile), ("lively", "calibrated"), {"HIP3_API_URL": ""},
    ),
} | QUOTE_ROWS  # fmt: skip
"""Settings whose difference shows without a process. Those of `tests/stories/test_settings.py` need one."""
