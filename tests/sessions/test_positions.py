"""Positions over resyncs and restarts, and those that others opened."""

import json
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from hip3.core.ledger import PositionView
from hip3.core.market import Level
from hip3.core.order_state import OrderState
from hip3.core.orders import ExitReason, Side
from hip3.execution.truth.account import read_account
from hip3.execution.truth.difference import differences
from hip3.position.order_index import OrderIndex
from hip3.position.tracked import TrackedOrder
from hip3.service import snapshot
from tests.builders import D, order
from tests.world import World, quiet_world

GOLD = "xyz:GOLD"
QUIET = {"min_edge_bps": Decimal(5000), "min_holding_ms": 10_000_000}
"""No signal passes, and only the time stop ends a position."""


def _held(world: World) -> PositionView:
    assert world.run_until(lambda: bool(world.trading.tracker.booked()), 90_000)
    return world.trading.tracker.positions()[0]


def test_a_restart_keeps_age_edge_and_what_the_exits_remember(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, time_stop_ms=60_000, min_holding_ms=10_000_000)
    held = _held(world)
    world.run(3000)
    before = world.trading.exits.held([held], 0)[0]
    assert held.entry_edge_bps > 0
    assert before.memory is not None
    world.restart()
    position = world.trading.tracker.position(held.coin)
    assert position is not None
    assert (position.entry_ms, position.entry_edge_bps, position.foreign) == (held.entry_ms, held.entry_edge_bps, False)
    kept = world.trading.exits.held([position], 0)[0].memory
    assert kept is not None
    assert kept.best_bps == before.memory.best_bps
    assert world.run_until(lambda: held.coin not in world.exchange_positions(), 65_000)
    world.run(500)
    trips = [f["trip"] for f in world.journal.of("round_trip") if f["trip"].coin == held.coin]
    assert trips[-1].closed_ms - trips[-1].opened_ms < 62_000  # the clock of the time stop was not set back


def test_an_exit_under_way_goes_on_after_a_restart_where_it_was(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, min_holding_ms=10_000_000, time_stop_ms=600_000)
    held = _held(world)
    world.trading.exits.request(held.coin, ExitReason.MANUAL, world.clock.mono_ms())
    book = world.venue.engine.markets[held.coin].book
    meets, book.would_cross = book.would_cross, lambda **_: False  # type: ignore[method-assign]  # nobody is there
    world.run(1200)
    reason, attempt = world.trading.exits.exiting()[held.coin]
    assert attempt >= 2
    world.restart()
    assert world.trading.exits.exiting()[held.coin] == (reason, attempt)
    book.would_cross = meets  # type: ignore[method-assign]
    assert world.run_until(lambda: held.coin not in world.exchange_positions(), 20_000)
    exits = [f["order"] for f in world.journal.of("exit")]
    assert exits[-1].exit_reason is ExitReason.MANUAL


@pytest.mark.parametrize("when", ["before the start", "while running"])
@pytest.mark.parametrize("policy", ["manage", "watch"])
def test_a_position_opened_by_hand(tmp_path: Path, policy: str, when: str) -> None:
    world = World(tmp_path, seed=1, foreign_positions=policy, time_stop_ms=5000, **QUIET)
    assert world.run_until(lambda: world.ready, 5000)
    opened = world.clock.wall_ms()
    world.by_hand(GOLD, Side.BUY, Decimal("0.01"))
    if when == "before the start":
        world.restart()
    world.run(1000)
    position = world.trading.tracker.position(GOLD)
    assert position is not None
    assert position.foreign
    assert opened <= position.entry_ms <= opened + 1000  # by its opening fill
    assert GOLD in world.trading.tracker.ledger().occupied
    world.run(8000)
    assert (GOLD in world.exchange_positions()) is (policy == "watch")
    assert bool(world.journal.of("exit")) is (policy == "manage")
    assert not world.latch.tripped
    if policy == "watch":
        assert not world.trading.exiting.ours_to_close(position)


def test_a_watched_position_does_not_keep_a_stop_from_being_clean(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, foreign_positions="watch", **QUIET)
    assert world.run_until(lambda: world.ready, 5000)
    world.by_hand(GOLD, Side.BUY, Decimal("0.01"))
    world.run(1000)
    world.trading.exiting.request(ExitReason.HARD_STOP)
    world.run(2000)
    assert world.exchange_positions() == {GOLD: Decimal("0.01")}
    assert not world.trading.exits.exiting()


def test_results_survive_a_restart_in_the_middle_of_trading(tmp_path: Path) -> None:
    world = World(tmp_path, seed=2)
    for _ in range(4):
        world.run(20_000)
        world.restart()
        assert world.run_until(lambda: world.ready, 10_000)
    assert world.flatten()
    realized, fees, fills, _ = world.trading.tracker.totals()
    assert (realized, fees) == world.exchange_totals()
    assert fills >= 4


def _hour_is_full(world: World) -> None:
    """The exchange pays the hour's funding now."""
    market = world.venue.engine.markets[GOLD]
    market.funding = Decimal("0.001")
    world.venue._funding.pay(market, world.exchange_ms())
    world.clock.advance(1000)


def test_funding_is_counted_once_over_cuts_and_restarts(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, **(QUIET | {"time_stop_ms": 36_000_000}))
    assert world.run_until(lambda: world.ready, 5000)
    world.by_hand(GOLD, Side.BUY, Decimal("0.01"))

    def paid() -> Decimal:
        listed = world.rest.info_json({"type": "userFunding", "user": world.user, "startTime": 0})
        return sum((Decimal(p["delta"]["usdc"]) for p in listed), Decimal(0))

    for _ in range(2):
        _hour_is_full(world)
        world.run(1000)
        world.cut()
        world.connect()
        world.run(3000)
    assert world.trading.tracker.funding() == paid() != 0
    world.restart()
    world.run(3000)
    total = paid()
    assert world.trading.tracker.funding() == total
    world.cut()
    _hour_is_full(world)  # while nobody listens
    world.restart()
    world.run(3000)
    assert world.trading.tracker.funding() == paid() != total
    assert world.flatten()
    trip = world.journal.of("round_trip")[-1]["trip"]
    assert trip.net == trip.realized - trip.fees + trip.funding


def test_unrealized_results_need_no_lock_of_the_books(tmp_path: Path) -> None:
    """Somebody holds the books' lock: a position's result is still computed, from values."""
    world = World(tmp_path, seed=1, **QUIET)
    assert world.run_until(lambda: world.ready, 5000)
    world.by_hand(GOLD, Side.BUY, Decimal("0.01"))
    position = _held(world)
    view = world.trading.market_state.view(GOLD)
    assert view is not None
    assert view.mark is not None
    app: Any = SimpleNamespace(clock=world.clock, trading=world.trading)
    with world.trading.tracker._lock:
        shown = snapshot._position(position, view, {}, app)
    assert Decimal(shown["unrealized_pnl_usd"]) == round(position.szi * (view.mark - position.entry_px), 4)


def test_an_order_that_ends_is_found_at_every_instant() -> None:
    """Whoever looks while it moves from one collection to the other finds it."""
    index, tracked = OrderIndex(), TrackedOrder(order())

    class Watched(dict[str, TrackedOrder]):
        def pop(self, key: str, *default: Any) -> Any:
            assert index.done.get(key) is not None, "in neither collection"
            return super().pop(key, *default)

    index.live = Watched({order().cloid: tracked})
    index.move(tracked, OrderState.DROPPED, "test")
    assert index.find(order().cloid, None) is tracked


def test_a_restart_counts_a_position_at_the_price_of_its_admission(tmp_path: Path) -> None:
    """Else an entry that was filled better than its limit would make room for another one (simulate, seed 722)."""
    world = quiet_world(tmp_path)
    world.by_hand("xyz:GOLD", Side.BUY, Decimal("0.01"))
    world.run(500)
    (held,) = world.trading.exits.held(world.trading.tracker.positions(), 0)
    dear = msgspec.structs.replace(held, admission_px=held.admission_px * 2)
    world.journal.kept["held"] = [dear]
    world.restart()
    assert world.trading.tracker.ledger().held["xyz:GOLD"] == Decimal("0.01") * dear.admission_px


# What a stream leaves out.


def test_what_was_lost_in_a_silence_is_read_as_soon_as_it_is_over(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    world.filter_frame = lambda text: []
    world.by_hand(GOLD, Side.BUY, Decimal("0.01"))
    world.run(6000)
    world.filter_frame = lambda text: [text]
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 5000)


def test_a_fill_of_somebody_else_that_is_lost_is_read_when_its_order_is_explained(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    world.filter_frame = lambda text: [] if '"userFills"' in text[:30] else [text]
    world.by_hand(GOLD, Side.BUY, Decimal("0.01"))
    world.run(1000)
    world.filter_frame = lambda text: [text]
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 5000)


def test_a_list_of_orders_that_is_a_moment_old_takes_back_nothing_that_the_stream_told(tmp_path: Path) -> None:
    """A cancelled order of somebody else was back, and his new one gone, for a minute: limits went by that."""
    world = quiet_world(tmp_path)
    one = world.rest_by_hand(GOLD)
    world.run(3000)
    assert [o.oid for o in world.trading.tracker.foreign_orders()] == [one]
    real = world.rest.info
    two: list[int] = []

    def slow(request: dict[str, Any]) -> bytes:
        body = real(request)
        if request["type"] == "userFills" and not two:  # the last of a reading: the lists of orders were read before
            account = world.venue.engine.account(world.user)
            world.venue.engine.cancel_all(account, GOLD, world.exchange_ms())
            two.append(world.rest_by_hand(GOLD))
            world.venue.publish(world.exchange_ms())
            world.deliver()
        return body

    world.rest.info = slow  # type: ignore[method-assign]
    world.trading.view.doubt()
    assert world.run_until(lambda: bool(two), 5000)
    assert [o.oid for o in world.trading.tracker.foreign_orders()] == two


@pytest.mark.parametrize("later_ms", [1, 1000, 50_000])
def test_a_fill_that_no_reading_knows_is_given_up_however_soon_it_came_after_the_last_one(
    tmp_path: Path, later_ms: int
) -> None:
    world = World(tmp_path, seed=1, foreign_positions="watch", **QUIET)
    assert world.run_until(lambda: world.ready, 5000)
    for side in (Side.BUY, Side.SELL):
        world.by_hand(GOLD, side, Decimal("0.01"))
        world.run(500)
    account = world.venue.engine.account(world.user)
    assert account is not None
    last = account.fills[-1]
    fill = last | {"time": last["time"] + later_ms, "side": "B", "startPosition": "0.0", "tid": 7, "closedPnl": "0.0"}
    world.run(later_ms)
    world.inject(json.dumps({"channel": "userFills", "data": {"user": world.user, "fills": [fill]}}))
    assert world.trading.tracker.booked() == {GOLD: Decimal("0.01")}
    assert world.run_until(lambda: not world.trading.tracker.booked(), 300_000, 100)


@pytest.mark.parametrize(
    ("book_ms", "came_ms", "leaves"),
    [(-1, 0, False), (-1, 999, False), (0, 0, True), (-1, 1000, True), (-100_000, 0, False)],
)
def test_a_result_is_known_by_data_that_are_newer_than_the_fill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, book_ms: int, came_ms: int, leaves: bool
) -> None:
    """The market jumped while an entry was under way, and the connection was cut: what was heard before it was a gain
    that nobody had. `book_ms`: the book's time from the fill on; `came_ms`: when the last of the market came."""
    world = World(tmp_path, seed=1, time_stop_ms=600_000, min_holding_ms=10_000_000, take_profit_bps=Decimal(300))
    held = _held(world)
    _shows_a_gain(world, monkeypatch, held, book_ms, came_ms)
    world.trading.exiting.check(world.trading.link.generation, world.clock.mono_ms())
    assert (held.coin in world.trading.exits.exiting()) is leaves


def test_a_fill_whose_time_is_far_ahead_keeps_no_exit_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path, seed=1, time_stop_ms=600_000, min_holding_ms=10_000_000, take_profit_bps=Decimal(300))
    held = _held(world)
    _shows_a_gain(world, monkeypatch, held, -1, 0)
    exiting = world.trading.exiting
    now = exiting._exchange_ms
    monkeypatch.setattr(exiting, "_exchange_ms", lambda: now() - 3 * 86_400_000)
    exiting.check(world.trading.link.generation, world.clock.mono_ms())
    assert held.coin in world.trading.exits.exiting()


def _shows_a_gain(
    world: World, monkeypatch: pytest.MonkeyPatch, held: PositionView, book_ms: int, came_ms: int
) -> None:
    """The market of a position as data of then have it: five per cent in its favour."""
    state, view = world.trading.market_state, world.trading.market_state.view(held.coin)
    assert view is not None
    assert view.bid is not None
    assert view.ask is not None
    assert held.as_of_ms > 0
    filled = world.clock.mono_ms() - (world.trading.exiting._exchange_ms() - held.as_of_ms)
    up = Decimal("1.05") if held.szi > 0 else Decimal("0.95")
    shown = msgspec.structs.replace(
        view, bid=Level(view.bid.px * up, view.bid.sz), ask=Level(view.ask.px * up, view.ask.sz),
        mark=held.entry_px * up, oracle=held.entry_px * up, book_time_ms=held.as_of_ms + book_ms,
        bbo_at_ms=filled + came_ms, ctx_at_ms=filled + came_ms,
    )  # fmt: skip
    monkeypatch.setattr(state, "view", lambda coin: shown)


def test_a_fill_after_a_reading_was_made_is_no_difference_to_it(tmp_path: Path) -> None:
    """Two readings of different age: what was booked since the older one is not missing in it."""
    world = quiet_world(tmp_path)
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 3000)
    world.run(2000)
    tracker = world.trading.tracker
    report = read_account(world.rest, world.user, world.trading.housekeeping.dexs)
    assert differences({}, tracker, report, ["xyz", "para"], world.clock.mono_ms()) == {}
    world.run(2000)
    world.by_hand(GOLD, Side.BUY, D("0.02"))
    assert world.run_until(lambda: tracker.booked()[GOLD] == D("0.03"), 3000)
    assert differences({}, tracker, report, ["xyz", "para"], world.clock.mono_ms()) == {}
    older = msgspec.structs.replace(report, positions={})
    assert set(differences({}, tracker, older, ["xyz", "para"], world.clock.mono_ms())) == {GOLD}
