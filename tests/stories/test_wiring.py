"""The start-up self-report, row by row: with its wire cut, the session that needs it fails.

`PROBES` has one short session per row, on production code against the exchange's core. Each passes as it
is; each must fail with its row cut.
"""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hip3.core.events import Refused
from hip3.core.ledger import RoundTrip
from hip3.core.money import round_price, taker_price
from hip3.core.order_state import OrderState
from hip3.core.orders import ExitReason, Side, Tif
from hip3.execution.entries import executor as executor_module
from hip3.execution.entries.gates import GATES
from hip3.execution.exits import hard_stop_sequence
from hip3.execution.exits.hard_stop_sequence import STEPS
from hip3.execution.readiness import State
from hip3.execution.truth.streams import OWNERS
from hip3.position import exit_rules
from hip3.position.tracked import Opening
from hip3.risk import market_gates
from hip3.risk.guards import GUARDS
from hip3.risk.market_gates import MARKET_GATES
from hip3.risk.monitor import FlattenFailed
from hip3.service.wiring import report
from tests.builders import D, order
from tests.commands.stopped import Feed
from tests.risk import test_guards, test_market_gates
from tests.risk.test_guards import trip
from tests.world import ALONE, World

Probe = Callable[[World], None]
THREADS = ("rest", "ws-reader", "risk", "tick")


def _ready(world: World) -> None:
    assert world.run_until(lambda: world.ready, 8000)


def _gate(world: World, prepare: Callable[[World], None], gate: str, entry_leaves: bool = False) -> None:
    """With something prepared, signals are refused by this gate and no entry leaves."""
    _ready(world)
    prepare(world)
    sent = len(world.sender.sent)
    world.run_until(lambda: any(_by(world, f) == gate for f in world.journal.of("signal")), 40_000)
    assert gate in {_by(world, f) for f in world.journal.of("signal")}
    later = [a for a in world.sender.actions()[sent:] if a["type"] == "order"]
    assert entry_leaves or not [o for a in later for o in a["orders"] if not o["r"]]


def _by(world: World, fields: dict[str, Any]) -> str | None:
    return getattr(fields["verdict"], "gate", None)


def _admit_everywhere(world: World, **kw: Any) -> None:
    """An entry that is not proven dead in every market."""
    for n, coin in enumerate(world.trading.specs):
        base = {"coin": coin, "sz": D("0.0001"), "admission_px": D(1)}
        world.trading.tracker.admit(order(n + 500, **(base | kw)), lambda ledger, wished: wished)


def _not_ready(world: World) -> None:
    world.readiness.stop_entries()


def _trip(world: World) -> None:
    world.latch.trip("manual", "probe", world.clock.wall_ms())


def _fill_market(world: World) -> None:
    _admit_everywhere(world, sz=D(1), admission_px=D(50))


def _fill_total(world: World) -> None:
    world.trading.tracker.admit(order(900, coin="xyz:GOLD", sz=D(2), admission_px=D(50)), lambda ledger, wished: wished)


def _exit_everywhere(world: World) -> None:
    from hip3.core.orders import ExitReason

    keep = world.trading.exits.keep_only
    world.trading.exits.keep_only = lambda coins, looks: keep(coins | set(world.trading.specs), looks)  # type: ignore[method-assign]
    for coin in world.trading.specs:
        world.trading.exits.request(coin, ExitReason.MANUAL, 0)


def _hold_everywhere(world: World) -> None:
    for coin in world.trading.specs:
        world.trading.tracker.adopt(coin, D("0.0001"), Opening(px=D(1), ms=world.clock.wall_ms()))


def _spend(world: World) -> None:
    world.trading.address.anchor(10_000, 10_000)
    world.trading.housekeeping._next_anchor_ms = 1 << 60


def _trigger(world: World, events: list[Any], code: str) -> None:
    _ready(world)
    for event in events:
        world.trading.consequences._risk(event)
    world.run(100)
    assert (world.latch.state().reason or "").startswith(code)


def _trip_of(net: str) -> RoundTrip:
    return RoundTrip(coin="x", opened_ms=0, closed_ms=1, realized=D(net), fees=D(0), entry_px=D(1), exit_px=D(1))


def _refusals(world: World) -> None:
    _ready(world)
    for n in range(11):
        wished = order(700 + n, coin=f"x:{n}")
        world.trading.tracker.admit(wished, lambda ledger, w: w)
        world.trading.tracker.mark_sent(wished.cloid, nonce=n + 1, expires_ms=None, generation=1, mono_ms=0)
        events = world.trading.tracker.on_status(wished.cloid, Refused("Insufficient margin to place order."))
        world.trading.consequences.dispatch(events, 0)
    world.run(100)
    assert (world.latch.state().reason or "").startswith("rejects")


def _slippage(world: World) -> None:
    """Three orders in a row filled far from the touch that decided them."""
    executor = world.trading.executor
    assert executor is not None
    make = executor._order
    executor._order = lambda *a: msgspec.structs.replace(
        o := make(*a), touch_px=o.touch_px * (D("0.9") if o.side.is_buy else D("1.1"))
    )  # type: ignore[method-assign]
    exits = world.settings.base.exit_slippage_bps
    assert exits
    consequences = world.trading.consequences
    risk = consequences._risk
    consequences._risk = lambda e: None if getattr(getattr(e, "order", None), "reduce_only", False) else risk(e)  # type: ignore[method-assign]
    assert world.run_until(lambda: world.latch.tripped, 90_000)
    assert (world.latch.state().reason or "").startswith("slippage")


def _left_by(reason: str) -> Probe:
    def probe(world: World) -> None:
        assert world.run_until(lambda: bool(world.journal.of("round_trip")), 90_000)
        assert reason in {f["order"].exit_reason.value for f in world.journal.of("exit")}

    return probe


def _stream(name: str) -> Probe:
    """Only this private stream speaks of an order, and its end is known without asking."""

    def probe(world: World) -> None:
        _ready(world)
        others = {"orderUpdates", "userFills", "post"} - {name}
        world.filter_frame = lambda t: [] if any(t.startswith(f'{{"channel":"{o}"') for o in others) else [t]
        world.rest.failing |= {"orderStatus", "userFills", "/exchange"}
        world.run_until(lambda: bool(world.trading.tracker.ledger().positions), 60_000)
        assert world.trading.tracker.ledger().positions

    return probe


def _trades(world: World) -> None:
    assert world.run_until(lambda: bool(world.journal.of("round_trip")), 60_000)


def _touches(world: World) -> None:
    _ready(world)
    first = {coin: view.book_time_ms for coin, view in world.trading.market_state.views().items()}
    world.run(10_000)
    assert all(v.book_time_ms > first[c] for c, v in world.trading.market_state.views().items())


def _unknown(world: World) -> None:
    _ready(world)
    world.sender.hold()
    assert world.run_until(lambda: bool(world.trading.tracker.live(OrderState.SENT)), 60_000)
    cloid = world.trading.tracker.live(OrderState.SENT)[0].order.cloid
    world.sender.drop_held()
    assert world.run_until(lambda: world.trading.tracker.get(cloid).state is OrderState.DEAD, 20_000)  # type: ignore[union-attr]


def _missing_fills(world: World) -> None:
    _ready(world)
    world.filter_frame = lambda t: [] if t.startswith('{"channel":"userFills"') else [t]
    assert world.run_until(lambda: bool(world.trading.tracker.booked()), 40_000)


def _comparison(world: World) -> None:
    _ready(world)
    account = world.venue.engine.account(world.user)
    assert account is not None
    account.dex("para").apply_fill("para:UNITREE", D(1), D(89), 5, isolated=True)  # a market that never signals
    assert world.run_until(lambda: "para:UNITREE" in world.trading.tracker.booked(), 70_000, step_ms=50)


def _anchor(world: World) -> None:
    _ready(world)
    account = world.venue.engine.account(world.user)
    assert account is not None
    account.actions_used = 7777
    assert world.run_until(lambda: world.trading.address.state().used >= 7777, 70_000, step_ms=50)


def _markets(world: World) -> None:
    _ready(world)
    market = world.venue.engine.markets["xyz:GOLD"]
    market.info = market.info._replace(sz_decimals=2)
    assert world.run_until(lambda: "xyz:GOLD" in world.trading.blocked, 70_000, step_ms=50)


def _first_books(world: World) -> None:
    world.filter_frame = lambda t: [] if t.startswith('{"channel":"bbo","data":{"coin":"xyz:GOLD"') else [t]
    _ready(world)


def _books_of_exits(world: World) -> None:
    """The socket is gone and the market falls: an exit by HTTP needs a price that is there."""
    _ready(world)
    world.by_hand("xyz:GOLD", Side.BUY, Decimal("0.01"))
    assert world.run_until(lambda: "xyz:GOLD" in world.trading.tracker.booked(), 3000)
    world.cut()
    market = world.venue.engine.markets["xyz:GOLD"]
    px = round_price(market.oracle * Decimal("0.98"), market.info.sz_decimals, up=True)
    world.venue.move("xyz:GOLD", px, world.exchange_ms())
    world.trading.exiting.request(ExitReason.STOP)
    assert world.run_until(lambda: not world.exchange_positions(), 10_000)


def _standing_quotes(world: World) -> None:
    """One market's quotes come no more, and its price moves."""
    _ready(world)
    world.filter_frame = lambda t: [] if t.startswith('{"channel":"bbo","data":{"coin":"xyz:GOLD"') else [t]
    market = world.venue.engine.markets["xyz:GOLD"]
    px = round_price(market.oracle * Decimal("0.985"), market.info.sz_decimals, up=True)
    world.venue.move("xyz:GOLD", px, world.exchange_ms())
    assert world.run_until(lambda: bool(world.journal.of("stream_dead")), 15_000)


def _clock(world: World) -> None:
    """The account's answers tell the time, too; the clock's own question comes between them."""
    _ready(world)
    world.rest.asked.clear()
    world.run(20_000, 50)
    assert {"type": "exchangeStatus"} in world.rest.asked


def _protected(world: World) -> None:
    def stands() -> bool:
        dexs = [
            world.rest.info_json({"type": "frontendOpenOrders", "user": world.user, "dex": d}) for d in ("xyz", "para")
        ]
        return any(o["isTrigger"] for orders in dexs for o in orders)

    assert world.run_until(stands, 60_000)


def _funding(world: World) -> None:
    _ready(world)
    world.by_hand("xyz:GOLD", Side.BUY, D("0.01"))
    market = world.venue.engine.markets["xyz:GOLD"]
    market.funding = D("0.001")
    world.venue._funding.pay(market, world.exchange_ms())
    world.run(1000)
    assert world.trading.tracker.funding() != 0


def _strangers(world: World) -> None:
    _ready(world)
    world.by_hand("xyz:GOLD", Side.BUY, D("0.01"))
    assert world.run_until(lambda: bool(world.journal.of("stranger")), 3000)


def _margin(world: World) -> None:
    assert world.run_until(lambda: not world.trading.blocked, 10_000)


def _drawdown(world: World) -> None:
    """An open loss of more than the day's limit."""
    _ready(world)
    world.run(1500)
    world.by_hand("xyz:GOLD", Side.BUY, D("0.1"))
    world.run(1500)
    world.venue.move("xyz:GOLD", world.venue.engine.markets["xyz:GOLD"].oracle - 100, world.exchange_ms())
    assert world.run_until(lambda: world.latch.tripped, 30_000)
    assert (world.latch.state().reason or "").startswith("drawdown")


def _trial_ends(world: World) -> None:
    _ready(world)
    feed = Feed(world)
    for _ in range(100):
        trip(feed, "0.01")
    world.risk()
    assert "micro trial" in (world.latch.state().reason or "")


def _still(world: World) -> Feed:
    """A market whose frames the probe makes."""
    _ready(world)
    world.run(1500)
    feed = Feed(world)
    feed.usual()
    return feed


def _guard(name: str) -> Probe:
    def probe(world: World) -> None:
        feed = _still(world)
        test_guards.WAYS[name][1](feed)
        assert feed.refused_by() == name

    return probe


def _market_gate(name: str) -> Probe:
    def probe(world: World) -> None:
        feed = _still(world)
        if name == "time_of_day":
            feed.usual(2)
        else:
            test_market_gates.WAYS[name][1](feed)
        assert world.trading.gates.standing() == {"xyz:GOLD": name}

    return probe


def _sequence(step: str) -> Probe:
    """A queued entry, a resting one and a position: each is dealt with, and the exchange is asked."""

    def probe(world: World) -> None:
        _ready(world)
        world.by_hand("xyz:GOLD", Side.BUY, D("0.01"))
        rests = order(900, coin="xyz:NVDA")
        world.trading.tracker.admit(rests, lambda ledger, wished: wished)
        world.trading.tracker.mark_sent(rests.cloid, nonce=1, expires_ms=None, generation=1, mono_ms=0)
        spec = world.trading.specs["xyz:NVDA"]
        px = taker_price(world.venue.engine.markets["xyz:NVDA"].oracle * D("0.9"), spec.sz_decimals, is_buy=True)
        world.by_hand("xyz:NVDA", Side.BUY, D(1), px=px, tif=Tif.GTC, cloid=rests.cloid)
        world.run(300)
        world.trading.scheduler.enqueue_new(order(901, coin="xyz:TSLA", epoch=world.generation), 0)
        world.trip("manual", "probe", None)
        world.risk()
        said = {f["step"]: f["outcome"] for f in world.journal.of("hard_stop")}
        assert said["purge"].startswith("1 queued")
        sequence = world.trading.risk.sequence
        assert sequence is not None
        assert world.run_until(lambda: sequence.verified, 15_000)
        assert world.exchange_positions() == {}
        assert world.listed("xyz") == []

    return probe


def _reducing(owner: str) -> Probe:
    def probe(world: World) -> None:
        feed = _still(world)
        silent = {"market data": 10_000, "private stream": 12_000, "disconnect": 0, "clock": 0}[owner]
        if owner == "private stream":
            feed.hear()
            mute = '{"channel":"orderUpdates"'
            world.filter_frame = lambda text: [] if text.startswith(mute) else [text]
            world.rest_by_hand("xyz:GOLD")
            world.trading.flow._streams.answered("0x1", world.clock.mono_ms())
        elif owner == "clock":
            feed.hear()
            world.step_clock(7000)
            silent = 60_000
        elif owner == "disconnect":
            feed.hear()
            world.cut()
            world.run(35_000, 50)
            world.connect()
            assert world.run_until(lambda: world.readiness.word(world.clock.mono_ms(), tripped=False)[1] != [], 100)
            silent = 5000
        for _ in range((silent + 3000) // 500):
            world.run(500, 50)
            world.inject('{"channel":"pong"}')  # the connection lives
            if _only_reducing(world):
                break
        assert _only_reducing(world)
        reasons = world.readiness.reasons(world.clock.mono_ms())
        words = {"market data": "no market data", "private stream": "orderUpdates is silent",
                 "disconnect": "was gone for long", "clock": "clock: 7.0 s off"}  # fmt: skip
        assert any(words[owner] in reason for reason in reasons)

    return probe


def _only_reducing(world: World) -> bool:
    return world.readiness.word(world.clock.mono_ms(), tripped=False)[0] is State.REDUCING


_ONLY: dict[str, Any] = {"min_holding_ms": 10_000_000, "time_stop_ms": 600_000}
"""Mark regression and time stop never come."""

ALONE_GOLD: dict[str, Any] = {"markets": "xyz:GOLD", "market_profile": "calibrated"}
SETTINGS: dict[str, dict[str, Any]] = {
    "duty standing quotes": ALONE,
    "duty books of exits": ALONE | {"exit_max_slippage_bps": D(100)},
    "exit time_stop": {"time_stop_ms": 2000, "min_holding_ms": 10_000_000},
    "exit stop_loss": _ONLY | {"stop_loss_bps": D(1)},
    "exit take_profit": _ONLY | {"take_profit_bps": D(1)},
    "exit trailing_stop": _ONLY | {"trailing_activation_bps": D(3), "trailing_distance_bps": D(1)},
    "exit oracle_exit": _ONLY | {"oracle_exit": True},
    "stream userFundings": {"min_edge_bps": D(5000), "min_holding_ms": 10_000_000, "time_stop_ms": 7_200_000},
    "protection stop on the exchange": _ONLY | {"protective_stop_bps": D(300)},
    "gate MaxPositionTotal": {"max_notional_per_market": Decimal(100)},
    "duty margin": {"leverage": 3},
    "trigger drawdown": ALONE | {"max_daily_loss_usd": D(5)},
    "trigger manual": ALONE_GOLD | {"profile": "micro"},
    **{f"guard {name}": ALONE_GOLD | ways[0] for name, ways in test_guards.WAYS.items()},
    **{f"market gate {name}": ALONE_GOLD | ways[0] for name, ways in test_market_gates.WAYS.items()},
    "market gate time_of_day": ALONE_GOLD | {"blackout": "00:00-23:59,23:59-00:00"},
    **{f"hard stop {step}": ALONE for step in STEPS},
    **{f"reducing {owner}": ALONE | {"markets": "xyz:GOLD"} for owner in OWNERS},
    "duty unknown orders": {"post_timeout_ms": 1000},
}
PROBES: dict[str, Probe] = {
    "gate HardStop": lambda w: _gate(w, _trip, "HardStop"),
    "gate READY-TRADING": lambda w: _gate(w, _not_ready, "READY-TRADING"),
    "gate MaxPositionPerMarket": lambda w: _gate(w, _fill_market, "MaxPositionPerMarket"),
    "gate MaxPositionTotal": lambda w: _gate(w, _fill_total, "MaxPositionTotal"),
    "gate MaxConcurrentPositions": lambda w: _gate(w, _admit_everywhere, "MaxConcurrentPositions"),
    "gate FlattenInProgress": lambda w: _gate(w, _exit_everywhere, "FlattenInProgress"),
    "gate has_position": lambda w: _held(w),  # noqa: PLW0108 defined below
    "gate PendingOrder": lambda w: _pending(w),  # noqa: PLW0108 defined below
    "gate ActionBudget": lambda w: _gate(w, _spend, "ActionBudget"),
    "exit time_stop": _left_by("time_stop"),
    "exit stop_loss": _left_by("stop_loss"),
    "exit take_profit": _left_by("take_profit"),
    "exit trailing_stop": _left_by("trailing_stop"),
    "exit oracle_exit": _left_by("oracle_exit"),
    "exit mark_regression": _left_by("mark_regression"),
    "protection stop on the exchange": _protected,
    "duty strange orders": _strangers,
    "stream userFundings": _funding,
    "trigger max_loss": lambda w: _trigger(w, [_trip_of("-21")], "max_loss"),
    "trigger consecutive_losses": lambda w: _trigger(w, [_trip_of("-0.1")] * 6, "consecutive_losses"),
    "trigger flatten_failures": lambda w: _trigger(w, [FlattenFailed("x", n) for n in range(1, 5)], "flatten_failures"),
    "trigger rejects": _refusals,
    "trigger slippage": _slippage,
    "stream orderUpdates": _stream("orderUpdates"),
    "stream userFills": _stream("userFills"),
    "stream bbo": _touches,
    "stream activeAssetCtx": _trades,
    "duty unknown orders": _unknown,
    "duty account of the epoch": _ready,
    "duty missing fills": _missing_fills,
    "duty margin": _margin,
    "duty comparison": _comparison,
    "duty address budget": _anchor,
    "duty markets": _markets,
    "duty first books": _first_books,
    "duty books of exits": _books_of_exits,
    "duty standing quotes": _standing_quotes,
    "duty clock": _clock,
    "trigger drawdown": _drawdown,
    "trigger manual": _trial_ends,
    **{f"guard {name}": _guard(name) for name in GUARDS},
    **{f"hard stop {step}": _sequence(step) for step in STEPS},
    **{f"market gate {name}": _market_gate(name) for name, _ in MARKET_GATES},
    **{f"reducing {owner}": _reducing(owner) for owner in OWNERS},
    "thread rest": _ready,
    "thread ws-reader": _trades,
    "thread risk": lambda w: _trigger(w, [_trip_of("-21")], "max_loss"),
    "thread tick": _trades,
}


def _held(world: World) -> None:
    """A tiny position whose exit cannot be made leaves room in gates 3 to 5; gate 7 says no."""
    world.trading.exiting._params.clear()
    world.trading.executor._limits = _roomy(world)  # type: ignore[union-attr]
    _gate(world, _hold_everywhere, "has_position")


def _pending(world: World) -> None:
    world.trading.executor._limits = _roomy(world)  # type: ignore[union-attr]
    _gate(world, _admit_everywhere, "PendingOrder")


def _roomy(world: World) -> Any:
    from hip3.execution.entries.executor import EntryLimits

    wide = EntryLimits(max_per_market=D(10_000), max_total=D(100_000), max_positions=100, slippage_bps=D(0))
    return lambda coin: wide


def cut(world: World, row: str, patch: pytest.MonkeyPatch) -> None:
    """Break the wire of one row."""
    kind, _, name = row.partition(" ")
    if kind == "gate":
        if name == "ActionBudget":
            patch.setattr(world.trading.executor, "_take_budget", lambda now_ms: None)
            return
        for group in ("LATCH_GATES", "READY_GATES", "LEDGER_GATES"):
            kept = tuple(g for g in getattr(executor_module, group) if g.name != name)
            patch.setattr(executor_module, group, kept)
    elif kind == "exit":
        patch.setattr(exit_rules, "RULES", tuple(r for r in exit_rules.RULES if r[0].value != name))
    elif kind == "protection":
        assert world.trading.loop is not None
        patch.setattr(world.trading.loop._stops, "step", lambda now_ms: None)
    elif kind == "trigger":
        if name == "drawdown":
            patch.setattr(world.trading.risk._drawdown, "look", lambda *a: None)
            return
        if name == "manual":
            patch.setattr(world.trading.risk._trial, "apply", lambda e: None)
            return
        apply = world.trading.risk.monitor.apply
        patch.setattr(
            world.trading.risk.monitor, "apply", lambda e, now: None if (b := apply(e, now)) and b.code == name else b
        )
    elif kind == "guard":
        refusal = world.trading.guards.refusal
        patch.setattr(
            world.trading.guards, "refusal", lambda *a: None if (r := refusal(*a)) and r[0].value == name else r
        )
    elif kind == "market":
        gate = name.removeprefix("gate ")
        patch.setattr(market_gates, "MARKET_GATES", tuple(g for g in market_gates.MARKET_GATES if g[0] != gate))
    elif kind == "hard":
        _cut_step(world, name.removeprefix("stop "), patch)
    elif kind == "reducing":
        reduce = world.readiness.reduce
        patch.setattr(world.readiness, "reduce", lambda owner, why: owner != name and reduce(owner, why))
    elif kind == "stream":
        before = world.filter_frame

        def without(text: str) -> list[str]:
            return [] if text.startswith(f'{{"channel":"{name}"') else before(text)

        patch.setattr(world, "deliver", _dropping(world, without))
    elif kind == "duty":
        duties = world.trading.housekeeping.duties
        patch.setattr(world.trading.housekeeping, "duties", lambda: [d for d in duties() if d[0] != name])
    else:
        stopped = {"rest": world.trading.housekeeping, "ws-reader": world, "risk": world, "tick": world}[name]
        method = {"rest": "step", "ws-reader": "deliver", "risk": "risk", "tick": "tick"}[name]
        patch.setattr(stopped, method, lambda *a: None)


def _cut_step(world: World, step: str, patch: pytest.MonkeyPatch) -> None:
    sequence = world.trading.risk.sequence
    assert sequence is not None
    if step == "purge":
        patch.setattr(hard_stop_sequence, "purge_entries", lambda *a: 0)
    elif step == "cancel":
        patch.setattr(hard_stop_sequence, "cancel_entries", lambda *a: 0)
    elif step == "flatten":
        patch.setattr(sequence, "_close", lambda: 0)
    else:
        patch.setattr(sequence, "proved", lambda proof: None)


def _dropping(world: World, without: Callable[[str], list[str]]) -> Callable[[], None]:
    from hip3.venue.venue import WsText

    def deliver() -> None:
        for item in world.venue.take_output():
            if isinstance(item, WsText) and world.session is not None and without(item.text):
                for text in world.filter_frame(item.text):
                    world.inject(text)

    return deliver


def _world(tmp_path: Path, row: str) -> World:
    return World(tmp_path, seed=1, all_move=row == "stream bbo", **SETTINGS.get(row, {}))


def test_the_report_lists_what_is_probed(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    _ready(world)
    assert set(report(world.trading, THREADS)) == set(PROBES)
    assert [g.name for g in GATES] == [row.removeprefix("gate ") for row in PROBES if row.startswith("gate ")]


@pytest.mark.parametrize("row", PROBES)
def test_each_row_works_and_its_cut_is_noticed(tmp_path: Path, row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    PROBES[row](_world(tmp_path / "whole", row))
    broken = _world(tmp_path / "cut", row)
    with monkeypatch.context() as patch:
        cut(broken, row, patch)
        with pytest.raises(AssertionError):
            PROBES[row](broken)
