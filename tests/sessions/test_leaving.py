"""The way out: no single quote, no refusal that says nothing about the price, makes leaving dearer or impossible."""

import json
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip3.clock import SystemClock
from hip3.core.events import BboUpdate, Status
from hip3.core.ledger import PositionView, TrackerEvent
from hip3.core.market import Level
from hip3.core.money import round_price
from hip3.core.order_state import OrderState
from hip3.core.orders import ExitReason, PendingCancel, Side
from hip3.core.refusals import CONTRADICTIONS, FORM, TABLE, Kind
from hip3.errors import VenueReadError
from hip3.exchange.rest import RestClient
from hip3.position.flatten import anchor_px, exit_price, priced
from hip3.service.workers import RestJobs
from hip3.venue.engine.model import Request
from tests.builders import D, view
from tests.service.apps import status_of
from tests.stage import QUIET, Stage
from tests.world import World, quiet_world

GOLD = "xyz:GOLD"
FIRST_STEP = D("0.005")


def _held(world: World) -> None:
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 3000)


# One quote.


@pytest.mark.parametrize("reason", [ExitReason.STOP, ExitReason.HARD_STOP, ExitReason.MANUAL, ExitReason.TIME_STOP])
def test_a_bid_that_is_away_for_an_instant_sells_nothing_below_the_step(tmp_path: Path, reason: ExitReason) -> None:
    stage = Stage(tmp_path, QUIET).hold()
    stage.touch(bid=-2000)
    stage.world.trading.exiting.request(reason)
    stage.world.tick()
    mark = stage.world.trading.market_state.view(GOLD)
    assert mark is not None
    assert mark.mark is not None
    (left,) = stage.exits()
    assert left.px >= mark.mark * (1 - FIRST_STEP) - 1


def test_no_stop_loss_believes_one_thin_frame_and_it_believes_a_book_that_moved(tmp_path: Path) -> None:
    stage = Stage(tmp_path, QUIET | {"HIP3_STOP_LOSS_BPS": "150"}).hold()
    stage.touch(bid=-2000)
    stage.run(50)
    assert stage.exits() == []
    stage.touch(bid=-201, ask=-199)
    stage.run(50)
    assert [order.exit_reason for order in stage.exits()] == [ExitReason.STOP_LOSS]


PX = st.integers(1, 10_000_000).map(lambda n: Decimal(n) / 100)


@given(touch=PX, mark=PX, slippage=st.integers(1, 1000), side=st.sampled_from(Side))
def test_whatever_the_touch_says_the_limit_is_within_the_step_of_the_mark(
    touch: Decimal, mark: Decimal, slippage: int, side: Side
) -> None:
    level = Level(touch, D(1))
    priced = exit_price(view(bid=level, ask=level, mark=mark), side, D(slippage))
    assert priced is not None
    share = D(slippage) / 10_000
    limit = priced[1]
    if side.is_buy:
        assert limit <= mark * (1 + share)
    else:
        assert limit >= mark * (1 - share)


# Refusals.


def _post_only(world: World, on: bool) -> None:
    world.venue.engine.post_only = on


def _halted(world: World, on: bool) -> None:
    world.venue.engine.markets[GOLD].halted = on


def _deregistered(world: World, on: bool) -> None:
    """The agent's approval is taken back while a position is held, and given again."""
    owner_of = type(world.venue.books).owner_of
    world.venue.books.owner_of = lambda signer, ms: None if on else owner_of(world.venue.books, signer, ms)  # type: ignore[method-assign]


@pytest.mark.parametrize("outage", [_post_only, _halted, _deregistered])
def test_an_exit_waits_out_what_no_price_can_help(tmp_path: Path, outage: object) -> None:
    world = quiet_world(tmp_path)
    _held(world)
    assert callable(outage)
    outage(world, True)
    world.trading.exiting.request(ExitReason.STOP)
    world.run(25_000, 50)
    assert not world.latch.tripped
    assert world.trading.exits.exiting()[GOLD][1] <= 1  # no price step was taken
    assert len(world.journal.of("exit_stuck")) == 1  # said once
    assert 5 <= len(world.journal.of("exit")) <= 15
    outage(world, False)
    assert world.run_until(lambda: not world.trading.tracker.booked(), 7000)
    last = world.journal.of("exit")[-1]["order"]
    assert last.attempt == 1


def test_a_key_that_the_exchange_does_not_know_is_named_and_nothing_is_entered(tmp_path: Path) -> None:
    """The status said READY, and gave no reason, while every exit was refused for it."""
    world = quiet_world(tmp_path)
    _held(world)
    text = "User or API Wallet 0x1234 does not exist."
    world.venue.engine.prevalidate = lambda requests: text  # type: ignore[method-assign]
    world.trading.exiting.request(ExitReason.STOP)
    assert world.run_until(lambda: not world.ready, 5000)
    shown = status_of(world)
    assert shown["state"] == "REDUCING"
    assert [why for why in shown["reasons"] if text in why and "check names which" in why]
    assert shown["flags"][0] == f"{GOLD}: its exit waits, refused for no price: {text}"
    del world.venue.engine.prevalidate
    assert world.run_until(lambda: world.ready and not world.exchange_positions(), 15_000)
    assert status_of(world)["flags"] == []


def test_only_a_refusal_about_the_price_is_a_failed_attempt(tmp_path: Path) -> None:
    """Row by row of the table of refusals, on the service's own books."""
    world = quiet_world(tmp_path)
    _held(world)
    world.sender.hold()
    for row in TABLE:
        if not row.prefix:
            continue
        world.trading.exits.flat(GOLD, world.trading.exits.looks())
        world.trading.exiting.request(ExitReason.STOP)
        world.tick()
        cloid = world.trading.exits.current(GOLD)
        assert cloid is not None, row.prefix
        now = world.clock.mono_ms()
        world.trading.consequences.dispatch(world.trading.tracker.refuse(cloid, row.prefix), now)
        failures = world.trading.exits.failed(GOLD, world.trading.exiting._params[GOLD])[0] - 1
        helpless = row.kind in (Kind.TRANSIENT, Kind.ACCOUNT, Kind.FATAL) or row.prefix.startswith(
            (*CONTRADICTIONS, *FORM)
        )
        assert failures == (0 if helpless else 1), row.prefix


# In one action with others.


def test_one_exit_that_is_refused_before_validation_keeps_no_other_open(tmp_path: Path) -> None:
    """GOLD takes fewer decimals than the service knows: its exit has the whole action refused, TSLA's with it."""
    world = quiet_world(tmp_path, protective_stop_bps=D(0))
    tsla = "xyz:TSLA"
    world.by_hand(GOLD, Side.BUY, D("0.0122"))
    world.by_hand(tsla, Side.BUY, D("0.1"))
    assert world.run_until(lambda: len(world.trading.tracker.booked()) == 2, 3000)
    market = world.venue.engine.markets[GOLD]
    market.info = market.info._replace(sz_decimals=3)
    world.trading.exiting.request(ExitReason.STOP)
    assert world.run_until(lambda: tsla not in world.trading.tracker.booked(), 2000)


@pytest.mark.parametrize("text", ["Trading is halted.", "Order has zero size.", "Insufficient margin to place order."])
def test_whatever_an_action_is_refused_for_its_orders_go_alone_then(tmp_path: Path, text: str) -> None:
    """Only some texts did that: two exits that were refused as one were sent as one again, and the latch tripped."""
    world = quiet_world(tmp_path, protective_stop_bps=D(0))
    for coin, sz in ((GOLD, "0.0122"), ("xyz:TSLA", "0.1")):
        world.by_hand(coin, Side.BUY, D(sz))
    assert world.run_until(lambda: len(world.trading.tracker.booked()) == 2, 3000)
    world.venue.engine.prevalidate = lambda requests: text if len(requests) > 1 else None  # type: ignore[method-assign]
    world.trading.exiting.request(ExitReason.STOP)
    assert world.run_until(lambda: not world.exchange_positions(), 20_000)
    assert not world.latch.tripped


def test_a_list_of_positions_that_is_a_moment_old_sends_no_second_exit(tmp_path: Path) -> None:
    """Seed 920001920: a tick that was held up forgot the exits that a reader had just begun, and began them again."""
    world = quiet_world(tmp_path, protective_stop_bps=D(0), foreign_positions="manage")
    world.by_hand(GOLD, Side.BUY, D("0.0122"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 3000)
    exiting, tracker, positions = world.trading.exiting, world.trading.tracker, world.trading.tracker.positions
    held_up = []

    def before_it_was_opened() -> list[PositionView]:
        tracker.positions = positions  # type: ignore[method-assign]
        exiting.request(ExitReason.STOP)
        market = world.trading.market_state.view(GOLD)
        assert market is not None
        exiting.consider(market, world.generation, world.clock.mono_ms())
        held_up.append(GOLD)
        return []

    tracker.positions = before_it_was_opened  # type: ignore[method-assign]
    for _ in range(3):
        world.tick()
    assert held_up
    assert len(world.journal.of("exit")) == 1


def test_exits_go_by_the_precision_that_was_read_last(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, protective_stop_bps=D(0))
    world.by_hand(GOLD, Side.BUY, D("0.0122"))
    assert world.run_until(lambda: bool(world.trading.tracker.booked()), 3000)
    market = world.venue.engine.markets[GOLD]
    market.info = market.info._replace(sz_decimals=3)
    assert world.run_until(lambda: GOLD in world.trading.blocked, 70_000, step_ms=50)
    world.trading.exiting.request(ExitReason.STOP)
    assert world.run_until(lambda: world.trading.tracker.booked().get(GOLD, D(0)) < D("0.001"), 2000)


def test_a_stop_goes_by_the_lot_that_was_read_last(tmp_path: Path) -> None:
    """A position that grew by hand after its market's lot had changed kept the stop of before: each one of its whole
    size was refused."""
    world = quiet_world(tmp_path, protective_stop_bps=D(300), foreign_positions="manage", time_stop_ms=600_000)
    world.by_hand(GOLD, Side.BUY, D("0.0122"))

    def covered() -> Decimal:
        return sum((o["sz"] and D(o["sz"]) for o in world.listed("xyz")), D(0))

    assert world.run_until(lambda: covered() == D("0.0122"), 5000)
    market = world.venue.engine.markets[GOLD]
    market.info = market.info._replace(sz_decimals=3)
    assert world.run_until(lambda: GOLD in world.trading.blocked, 70_000, step_ms=50)
    assert covered() == D("0.0122"), "what stands covers all of it"
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: covered() == D("0.022"), 10_000, step_ms=50)
    world.run(5000, step_ms=50)
    assert len(world.listed("xyz")) == 1
    assert not [r for r in world.journal.of("order") if "invalid size" in str(r["event"].why)]


def test_a_refusal_of_an_orders_form_has_the_markets_read_at_once(tmp_path: Path) -> None:
    """Seed 757647747: a lot that was coarse for a moment left exits of less than the exchange takes, and the latch
    tripped while a minute went by."""
    world = quiet_world(tmp_path, protective_stop_bps=D(0))
    world.by_hand(GOLD, Side.BUY, D("0.0029"))
    assert world.run_until(lambda: bool(world.trading.tracker.booked()), 3000)
    market = world.venue.engine.markets[GOLD]
    market.info = market.info._replace(sz_decimals=3)
    assert world.run_until(lambda: GOLD in world.trading.blocked, 70_000, step_ms=50)
    market.info = market.info._replace(sz_decimals=4)
    world.trading.exiting.request(ExitReason.STOP)
    assert world.run_until(lambda: not world.exchange_positions(), 15_000)
    assert not world.latch.tripped
    asked = [r for r in world.rest.asked if r["type"] == "meta"]
    assert len(asked) <= 3 * 2  # of two dexs; not with every refusal


def test_cancels_that_are_refused_as_one_go_alone(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    oids = [world.rest_by_hand(GOLD) for _ in range(3)]
    world.sender.hold()
    for oid in oids:
        world.trading.scheduler.enqueue_cancel(PendingCancel(coin=GOLD, oid=oid, created_ms=1, limit=True))
    world.tick()
    (post,) = world.trading.posts.waiting()
    assert len(post.batch.cancels) == 3  # type: ignore[union-attr]
    payload = {"status": "err", "response": "Invalid cancel."}
    reply = {"id": post.post_id, "response": {"type": "action", "payload": payload}}
    world.inject(json.dumps({"channel": "post", "data": reply}))
    for _ in range(3):
        world.tick()
    again = [p.batch.cancels for p in world.trading.posts.waiting()]  # type: ignore[union-attr]
    assert sorted(len(cancels) for cancels in again) == [1, 1, 1]
    assert {cancels[0].oid for cancels in again} == set(oids)


# What must not end the thread that leaves.


def test_a_number_that_breaks_our_own_code_ends_no_thread(tmp_path: Path) -> None:
    """A touch of a millionth of nothing with an exit due, and a price that no context can hold."""
    stage = Stage(tmp_path, QUIET).hold()
    world = stage.world
    world.trading.exiting.request(ExitReason.STOP)
    for px in ("0.01", "1E+999990", "1E-999990", "9" * 400):
        for side in (0, 1):
            touch = [{"px": "4000", "sz": "1", "n": 1}, {"px": "4001", "sz": "1", "n": 1}]
            touch[side]["px"] = px
            data = {"coin": GOLD, "time": world.exchange_ms(), "bbo": touch}
            world.inject(json.dumps({"channel": "bbo", "data": data}))
        ctx = {"oraclePx": px, "markPx": px, "midPx": px, "openInterest": px}
        world.inject(json.dumps({"channel": "activeAssetCtx", "data": {"coin": GOLD, "ctx": ctx}}))
        world.tick()
    stage.quote()
    assert world.run_until(lambda: not world.trading.tracker.booked(), 20_000)


@pytest.mark.parametrize("px", ["0.001", "0.00001"])
def test_a_price_that_rounds_to_nothing_is_no_exit_now_and_no_end_of_the_tick(tmp_path: Path, px: str) -> None:
    """Mark, oracle and touch of a tick: the limit below them is no price."""
    world = quiet_world(tmp_path)
    _held(world)
    world.filter_frame = lambda text: (
        [] if text.startswith(('{"channel":"bbo"', '{"channel":"activeAssetCtx"')) else [text]
    )
    ctx = {"oraclePx": px, "markPx": px, "midPx": px, "openInterest": "1"}
    world.inject(json.dumps({"channel": "activeAssetCtx", "data": {"coin": GOLD, "ctx": ctx}}))
    world.trading.exiting.request(ExitReason.STOP)
    world.tick()
    assert world.journal.of("exit") == []
    assert GOLD in world.trading.exits.exiting(), "it is wished all the same"


def test_an_exit_that_came_too_late_is_repeated_soon_each_time(tmp_path: Path) -> None:
    """It says nothing about the price, and nothing about a state of the market that would last."""
    world = quiet_world(tmp_path)
    _held(world)
    world.venue.engine.prevalidate = lambda requests: "Action already expired"  # type: ignore[method-assign]
    world.trading.exiting.request(ExitReason.STOP)
    world.run(8000)
    exits = [f["order"] for f in world.journal.of("exit")]
    assert len(exits) >= 6
    assert {order.attempt for order in exits} == {1}


@pytest.mark.parametrize("by_http", [False, True])
def test_an_answer_that_breaks_our_own_code_leaves_its_order_unknown_and_it_is_proved(
    tmp_path: Path, by_http: bool
) -> None:
    world = quiet_world(tmp_path)
    _held(world)
    tracker, broken = world.trading.tracker, []
    honest = tracker.on_status

    def breaks(cloid: str, status: Status) -> list[TrackerEvent]:
        tracker.on_status = honest  # type: ignore[method-assign]
        broken.append(cloid)
        raise KeyError("a defect of ours")

    tracker.on_status = breaks  # type: ignore[method-assign]
    world.trading.exiting.request(ExitReason.STOP)
    world.filter_frame = lambda text: [] if text.startswith(('{"channel":"userF', '{"channel":"order')) else [text]
    if by_http:
        world.cut()
        for _ in range(300):  # two seconds without a socket, then the other lane; its answer raises to who posted it
            world.clock.advance(10)
            world.venue.advance(world.exchange_ms())
            with suppress(KeyError):
                world.tick()
        world.connect()
    assert world.run_until(lambda: bool(broken), 3000)
    world.tick()
    found = tracker.get(broken[0])
    assert found is not None
    assert found.state is not OrderState.SENT
    world.filter_frame = lambda text: [text]
    assert world.run_until(lambda: not tracker.live(OrderState.UNKNOWN) and not tracker.booked(), 30_000)


def test_a_position_in_a_dex_that_is_not_ours_is_not_booked_at_a_start(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, markets=GOLD, min_edge_bps=D(5000))
    avgo = world.venue.engine.markets["para:AVGO"]
    account = world.venue.engine.account(world.user)
    assert account is not None
    px = round_price(avgo.oracle * D("1.02"), avgo.info.sz_decimals, up=True)
    world.venue.engine.place(account, Request(avgo, True, px, D("0.1"), False, "Ioc", None), world.exchange_ms())
    assert account.dex("para").positions["para:AVGO"].szi > 0
    world.restart()
    assert world.trading.tracker.booked() == {}
    assert world.run_until(lambda: world.ready, 8000)


# One at a time.


def test_while_the_socket_takes_its_time_no_second_attempt_begins(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    _held(world)

    def slow(text: str) -> None:
        world.clock.advance(10_000)
        world.trading.exiting.check(world.generation, world.clock.mono_ms())  # as the ws-reader looks meanwhile
        world.sender._deliver = world._post
        world._post(text)

    world.sender._deliver = slow
    world.trading.exiting.request(ExitReason.STOP)
    world.tick()
    exits = [o for a in world.sender.actions() if a["type"] == "order" for o in a["orders"] if o["r"]]
    assert len(exits) == 1
    assert world.trading.scheduler.counts()[1] == 0
    assert world.trading.posts.inflight == 1  # and the wait for its reply begins when it has left


def test_no_exit_begins_beside_one_that_was_forgotten_and_not_answered(tmp_path: Path) -> None:
    """Seed 29003310: the word about an earlier exit said that all was gone, and then a trade by hand opened more."""
    world = quiet_world(tmp_path, foreign_positions="manage")
    _held(world)
    world.sender.hold()
    world.trading.exiting.request(ExitReason.STOP)
    world.tick()
    (first,) = (t for t in world.trading.tracker.live() if not t.order.protective)
    world.trading.exits.flat(GOLD, world.trading.exits.looks())
    world.trading.exiting.request(ExitReason.STOP)
    for _ in range(3):
        world.tick()
    assert [t for t in world.trading.tracker.live() if not t.order.protective] == [first]
    world.sender.drop_held()
    assert world.run_until(lambda: not world.exchange_positions(), 20_000), "once nobody knows, the next may try"


# Without a socket.


def test_a_restart_that_gets_no_socket_leaves_by_http_at_what_rest_tells(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, time_stop_ms=20_000)
    _held(world)
    world.run(15_000)
    world.connect = lambda: None  # type: ignore[method-assign]
    world.restart()
    assert world.run_until(lambda: not world.exchange_positions(), 15_000)


def test_in_a_cut_an_exit_follows_a_market_that_fell(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, exit_max_slippage_bps=D(100))
    _held(world)
    world.cut()
    market = world.venue.engine.markets[GOLD]
    world.venue.move(
        GOLD, round_price(market.oracle * D("0.98"), market.info.sz_decimals, up=True), world.exchange_ms()
    )
    world.trading.exiting.request(ExitReason.STOP)
    assert world.run_until(lambda: not world.exchange_positions(), 10_000)


def test_a_book_read_before_a_connection_does_not_replace_what_that_one_tells(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    state, before = world.trading.market_state, world.trading.market_state.view(GOLD)
    update = BboUpdate(GOLD, 1, Level(D(1), D(1)), Level(D(2), D(1)))
    state.apply_read(update, D(1), world.generation - 1)
    assert state.apply_first_bbo(update, 1, world.generation - 1) is None
    assert not state.apply_newer(update, 1, world.generation)  # its time is over
    assert state.view(GOLD) == before


# Without a mark.


LONE, OTHER = Level(D(4432), D(1)), Level(D(4430), D(1))


def test_a_lone_quote_is_no_price_and_a_book_of_two_sides_is_one() -> None:
    assert exit_price(view(bid=None, ask=LONE, mark=None, oracle=None), Side.BUY, D(50)) is None
    assert exit_price(view(bid=LONE, ask=None, mark=None, oracle=None), Side.SELL, D(50)) is None
    two = exit_price(view(bid=OTHER, ask=LONE, mark=None, oracle=None), Side.BUY, D(50))
    assert two is not None
    assert two[0] == LONE.px
    wide = exit_price(view(bid=Level(D(4000), D(1)), ask=LONE, mark=None, oracle=None), Side.BUY, D(50))
    assert wide is None, "one of the two is thin, and nobody knows which"


def test_before_the_first_context_the_start_s_reading_prices_an_exit(tmp_path: Path) -> None:
    """Seeds 103067008 and 103067053: the touch came first, thin on one side, and its middle was the price."""
    world = quiet_world(tmp_path, foreign_positions="manage")
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    world.run(1000)
    mark = world.venue.engine.markets[GOLD].mark
    world.filter_frame = lambda text: [] if text.startswith('{"channel":"activeAssetCtx"') else [text]
    world.restart()
    assert world.trading.view.marks[GOLD] > 0
    world.trading.market_state.apply_bbo(
        BboUpdate(GOLD, 1, Level(mark / 2, D(1)), Level(mark, D(1))), world.clock.mono_ms(), world.generation
    )
    world.trading.exiting.request(ExitReason.MANUAL)
    world.tick()
    (left,) = [e for e in world.journal.of("exit") if e["order"].coin == GOLD][-1:]
    assert left["order"].px >= mark * (1 - 2 * FIRST_STEP)


def test_where_no_context_comes_the_mark_of_the_account_s_reading_prices_an_exit(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, foreign_positions="manage")
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    mark = world.venue.engine.markets[GOLD].mark

    def alone(text: str) -> list[str]:
        """No context, and one quote far away."""
        if text.startswith(('{"channel":"activeAssetCtx"', '{"channel":"bbo","data":{"coin":"xyz:GOLD"')):
            return []
        return [text]

    world.filter_frame = alone
    world.restart()
    world.connect()
    world.trading.market_state.apply_bbo(
        BboUpdate(GOLD, 1, Level(mark / 2, D(1)), None), world.clock.mono_ms(), world.generation
    )
    assert world.run_until(lambda: GOLD in world.trading.view.marks, 10_000)
    world.trading.exiting.request(ExitReason.MANUAL)
    assert world.run_until(lambda: GOLD not in world.exchange_positions(), 5000)
    (left,) = [e for e in world.journal.of("exit") if e["order"].coin == GOLD][-1:]
    assert left["order"].px >= mark * (1 - 2 * FIRST_STEP)


# A context that died.


def _silent_contexts(world: World) -> None:
    head = '{"channel":"activeAssetCtx","data":{"coin":"xyz:GOLD"'
    world.filter_frame = lambda text: [] if text.startswith(head) else [text]


def _fall(world: World, share: str) -> None:
    market = world.venue.engine.markets[GOLD]
    px = round_price(market.oracle * D(share), market.info.sz_decimals, up=True)
    world.venue.move(GOLD, px, world.exchange_ms())


@pytest.mark.parametrize("reason", [ExitReason.MANUAL, ExitReason.STOP, ExitReason.HARD_STOP])
def test_a_mark_that_its_stream_left_behind_does_not_keep_the_position(tmp_path: Path, reason: ExitReason) -> None:
    """Exits were bound to it and sold to nobody, with a living book and the account's own reading beside them."""
    world = quiet_world(tmp_path, foreign_positions="manage", exit_max_slippage_bps=D(60))
    _held(world)
    _silent_contexts(world)
    _fall(world, "0.985")
    world.run(5000)
    assert world.exchange_positions()
    world.trading.exiting.request(reason)
    assert world.run_until(lambda: not world.exchange_positions(), 20_000)
    assert not world.latch.tripped


def test_a_context_that_stands_while_its_price_moves_has_its_connection_begun_anew(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, foreign_positions="manage")
    _held(world)
    _silent_contexts(world)
    _fall(world, "0.995")
    generation = world.generation
    assert world.run_until(lambda: world.generation > generation, 15_000)
    assert world.journal.of("stream_dead"), "and it is said"
    world.run(50_000)
    assert world.generation == generation + 1, "once a minute"


def test_a_context_that_says_nothing_new_is_no_dead_stream(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, foreign_positions="manage")
    _held(world)
    world.venue._crowd.advance = lambda now_ms: None  # type: ignore[method-assign]
    world.run(3000)
    _silent_contexts(world)
    generation = world.generation
    world.run(30_000)
    assert world.generation == generation
    assert not world.journal.of("stream_dead")


MARKED = view(bid=Level(D(3799), D(1)), ask=Level(D(3801), D(1)), mark=D(4000), oracle=D(4000))
HOUR = 3_600_000


@pytest.mark.parametrize(
    ("ctx_ms", "bbo_ms", "read", "anchor"),
    [
        (HOUR - 9000, HOUR, (D(3800), HOUR), D(4000)),  # the stream's word while it is new
        (HOUR - 11_000, HOUR, (D(3900), HOUR - 9000), D(3900)),
        (HOUR - 11_000, HOUR, (D(3900), HOUR - 20_000), D(4000)),  # neither is new: the newer
        (HOUR - 50_000, HOUR, (D(3900), HOUR - 20_000), D(3900)),
        (HOUR - 61_000, HOUR, (D(3900), HOUR - 20_000), D(3800)),  # a minute on: a living book of two sides
        (HOUR - 61_000, HOUR - 11_000, (D(3900), HOUR - 20_000), D(3900)),  # not one that is silent, too
        (None, HOUR, None, D(3800)),  # the mark is of an earlier connection
        (None, None, None, D(4000)),  # an old one is better than none
        (None, None, (D(3900), 1), D(3900)),
    ],
)
def test_what_an_exit_goes_by(
    ctx_ms: int | None, bbo_ms: int | None, read: tuple[Decimal, int] | None, anchor: Decimal
) -> None:
    seen = msgspec.structs.replace(MARKED, ctx_at_ms=ctx_ms, bbo_at_ms=bbo_ms, generation=1)
    by = priced(GOLD, seen, read, HOUR)
    assert by is not None
    assert anchor_px(by) == anchor
    if read is not None and ctx_ms is None:  # a view that was read during a cut: its time is the reading's
        unfed = priced(GOLD, msgspec.structs.replace(seen, generation=0), (D(3700), HOUR - 1), HOUR)
        assert unfed is not None
        assert anchor_px(unfed) == D(3700)
    assert priced(GOLD, None, None, HOUR) is None


# By HTTP, behind slow reads.


def test_an_exit_whose_turn_by_http_did_not_come_is_no_unknown_order(tmp_path: Path) -> None:
    """It has not left and never will: the next attempt follows, and nothing has to be proved."""
    world = quiet_world(tmp_path, foreign_positions="manage")
    _held(world)
    world.cut()
    world.connect = lambda: None  # type: ignore[method-assign]
    loop = world.trading.loop
    assert loop is not None
    real, loop._http = loop._http, lambda post, body: None
    world.trading.exiting.request(ExitReason.MANUAL)
    world.run(12_000)
    ends = {e["event"].after for e in world.journal.of("order") if e["event"].order.reduce_only}
    assert OrderState.DROPPED in ends
    assert OrderState.UNKNOWN not in ends
    loop._http = real
    assert world.run_until(lambda: not world.exchange_positions(), 15_000)


def test_what_must_not_wait_goes_between_two_reads() -> None:
    jobs, done = RestJobs(), []
    rest = RestClient("http://127.0.0.1:9", SystemClock())
    rest.before_read = jobs.run_urgent

    def round_of_reads() -> None:
        jobs.submit_urgent(lambda: done.append("exit"))
        with suppress(VenueReadError):
            rest.info_json({"type": "exchangeStatus"})
        done.append("read")

    jobs.submit(round_of_reads)
    jobs.submit_urgent(lambda: 1 / 0)  # what breaks holds nothing up
    jobs.run_one(0)
    assert done == ["exit", "read"]
    rest.close()
