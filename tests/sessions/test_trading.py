"""Whole trading sessions, production core against the exchange's core, in simulated time."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from hip3.core.order_state import OrderState
from hip3.core.orders import ExitReason, PendingOrder
from hip3.execution.sending.loop import KEPT_MESSAGES
from tests.world import World


def _check_accounts(world: World) -> None:
    """What our books say is what the exchange's say, to the last digit."""
    realized, fees, _, _ = world.trading.tracker.totals()
    assert (realized, fees) == world.exchange_totals()
    assert world.trading.tracker.booked() == world.exchange_positions()
    sent, completed, inflight = world.trading.posts.accounts()
    assert sent - completed == inflight == 0


@pytest.mark.parametrize("seed", range(6))
def test_a_minute_of_trading_ends_flat_and_equal_to_the_exchange(tmp_path: Path, seed: int) -> None:
    world = World(tmp_path, seed=seed, all_move=True)
    assert world.run_until(lambda: world.ready, 3000)
    limit = world.settings.base.max_notional_total
    for _ in range(550):
        world.run(100)
        ledger = world.trading.tracker.ledger()
        assert sum(ledger.entries.values(), Decimal(0)) <= limit
        sent, completed, inflight = world.trading.posts.accounts()
        assert sent - completed == inflight
    assert world.flatten()
    _check_accounts(world)
    assert world.trading.tracker.totals()[3] >= 5
    assert not world.latch.tripped
    assert not world.trading.tracker.live()


def test_the_same_seed_gives_the_same_session(tmp_path: Path) -> None:
    def session(folder: Path) -> list[tuple[object, ...]]:
        folder.mkdir()
        world = World(folder, seed=3)
        world.run(30_000)
        return [(f["trip"].coin, f["trip"].net, f["trip"].opened_ms) for f in world.journal.of("round_trip")]

    first = session(tmp_path / "a")
    assert first
    assert first == session(tmp_path / "b")


def test_results_come_from_our_own_fills(tmp_path: Path) -> None:
    """With clearinghouseState failing after READY nothing about the session changes."""
    totals = []
    for name in ("works", "fails"):
        (tmp_path / name).mkdir()
        world = World(tmp_path / name, seed=4)
        assert world.run_until(lambda w=world: w.ready, 3000)
        if name == "fails":
            world.rest.failing.add("clearinghouseState")
        world.run(40_000)
        assert world.flatten()
        _check_accounts(world)
        totals.append(world.trading.tracker.totals())
    assert totals[0] == totals[1]
    assert totals[0][3] >= 3


def _drop(world: World, channel: str) -> None:
    world.filter_frame = lambda text: [] if text.startswith(f'{{"channel":"{channel}"') else [text]


@pytest.mark.parametrize("channel", ["userFills", "orderUpdates", "post"])
def test_a_stream_that_never_speaks_costs_no_truth(tmp_path: Path, channel: str) -> None:
    """Lost fills, updates or replies: the other sources and REST give the same books."""
    world = World(tmp_path, seed=2, post_timeout_ms=1000)
    assert world.run_until(lambda: world.ready, 3000)
    _drop(world, channel)
    # A socket that answers no post is given up for entries after two of them, and tried again ever more rarely.
    world.run(45_000 if channel != "post" else 400_000, 10 if channel != "post" else 50)
    assert world.flatten(30_000)
    assert world.run_until(lambda: not world.trading.tracker.unbooked(), 5000)
    world.run(1500)  # the last post, if its reply was lost, times out
    _check_accounts(world)
    assert world.trading.tracker.totals()[3] >= 2


def test_every_frame_twice_changes_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, seed=5)
    world.filter_frame = lambda text: [text, text]
    world.run(40_000)
    assert world.flatten()
    _check_accounts(world)
    assert world.trading.posts.late_replies > 0


def test_after_a_cut_it_reads_compares_and_trades_again(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    assert world.run_until(lambda: bool(world.trading.tracker.positions()), 60_000)
    world.cut()
    assert not world.ready
    world.clock.advance(3000)
    world.venue.advance(world.clock.wall_ms())
    before = len(world.rest.asked)
    world.connect()
    assert world.run_until(lambda: world.ready, 5000)
    asked = [r["type"] for r in world.rest.asked[before:]]
    assert {"clearinghouseState", "frontendOpenOrders", "userFills"} <= set(asked)
    trips = world.trading.tracker.totals()[3]
    assert world.run_until(lambda: world.trading.tracker.totals()[3] >= trips + 3, 90_000)
    assert world.flatten()
    _check_accounts(world)


def test_a_post_cut_before_its_reply_is_unknown_until_the_exchange_tells(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    tracker = world.trading.tracker
    assert world.run_until(lambda: bool(tracker.live(OrderState.SENT)), 60_000)
    cloid = tracker.live(OrderState.SENT)[0].order.cloid
    world.cut()
    unknown = tracker.get(cloid)
    assert unknown is not None
    assert unknown.state is OrderState.UNKNOWN
    assert tracker.ledger().entries[unknown.order.coin] == unknown.order.exposure
    world.connect()
    assert world.run_until(lambda: tracker.get(cloid).state.terminal, 10_000)  # type: ignore[union-attr]
    certificates = [f for f in world.journal.of("certificate") if f["cloid"] == cloid]
    filled = tracker.get(cloid)
    assert filled is not None
    assert certificates or filled.fills
    assert world.flatten()
    _check_accounts(world)


def test_a_lost_request_is_proven_dead_after_its_expiry_and_frees_the_market(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, post_timeout_ms=1000, expires_after_ms=2000)
    tracker = world.trading.tracker
    assert world.run_until(lambda: world.ready, 3000)
    world.sender.hold()
    assert world.run_until(lambda: bool(tracker.live(OrderState.SENT)), 60_000)
    order = tracker.live(OrderState.SENT)[0].order
    world.run(200)
    world.sender.drop_held()
    assert world.run_until(lambda: tracker.get(order.cloid).state is OrderState.DEAD, 15_000)  # type: ignore[union-attr]
    dead = tracker.get(order.cloid)
    assert dead is not None
    assert dead.certificate is not None
    assert order.coin not in tracker.ledger().entries
    assert [f for f in world.journal.of("certificate") if f["cloid"] == order.cloid]


def test_a_tripped_latch_lets_no_entry_leave_and_positions_are_still_closed(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    assert world.run_until(lambda: bool(world.trading.tracker.positions()), 60_000)
    world.latch.trip("manual", "by the test", world.clock.wall_ms())
    sent = len(world.sender.sent)
    assert world.run_until(lambda: not world.trading.tracker.positions(), 60_000)
    world.run(20_000)
    later = [a for a in world.sender.actions()[sent:] if a["type"] == "order"]
    assert later
    assert all(order["r"] for action in later for order in action["orders"])
    refusals = [f["verdict"].gate for f in world.journal.of("signal")[-3:]]
    assert set(refusals) == {"HardStop"}


def test_a_position_that_never_regresses_is_closed_by_the_time_stop(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, mark_regression_bps=Decimal(0), min_holding_ms=10_000_000, time_stop_ms=4000)
    assert world.run_until(lambda: len(world.journal.of("round_trip")) >= 2, 120_000)
    for fields in world.journal.of("round_trip"):
        held = fields["trip"].closed_ms - fields["trip"].opened_ms
        assert 4000 < held < 5500
    assert {f["order"].exit_reason for f in world.journal.of("exit")} == {ExitReason.TIME_STOP}


def test_a_malformed_frame_is_counted_and_survived(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    assert world.run_until(lambda: world.ready, 3000)
    for text in (
        '{"channel":"bbo","data":{}}',
        "not json",
        '{"channel":"newThing","data":1}',
        "[]",
        '{"channel":"post"}',
    ):
        world.inject(text)
    world.inject('{"channel":"bbo","data":{"coin":"xyz:GOLD","time":1,"bbo":[{"px":"NaN","sz":"1","n":1},null]}}')
    counts = world.trading.flow.counts
    assert counts["malformed:bbo"] == 2
    assert sum(n for kind, n in counts.items() if kind.startswith("malformed:")) == 5
    assert counts["ignored:unknown:newThing"] == 1
    assert world.ready
    assert world.run_until(lambda: world.trading.tracker.totals()[3] >= 1, 60_000)


def test_a_market_without_two_sided_book_holds_up_no_other(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    one_sided = {"channel": "bbo", "data": {"coin": "xyz:GOLD", "time": 1, "bbo": [None, None]}}
    text = msgspec.json.encode(one_sided).decode()
    world.filter_frame = lambda t: [text] if t.startswith('{"channel":"bbo","data":{"coin":"xyz:GOLD"') else [t]
    assert world.run_until(lambda: world.ready, 5000)
    world.run(40_000)
    assert world.trading.tracker.totals()[3] >= 2
    assert not [f for f in world.journal.of("signal") if f["signal"].coin == "xyz:GOLD"]


def test_a_first_book_that_does_not_come_is_read_once(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    world.filter_frame = lambda t: [] if t.startswith('{"channel":"bbo","data":{"coin":"xyz:GOLD"') else [t]
    assert world.run_until(lambda: world.ready, 6000)
    world.run(5000)
    assert [r for r in world.rest.asked if r["type"] == "l2Book"] == [{"type": "l2Book", "coin": "xyz:GOLD"}]


def test_a_first_book_that_could_not_be_read_is_asked_for_again(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    world.filter_frame = lambda t: [] if t.startswith('{"channel":"bbo","data":{"coin":"xyz:GOLD"') else [t]
    world.rest.failing.add("l2Book")
    world.run(6000)
    assert not world.ready
    world.rest.failing.clear()
    assert world.run_until(lambda: world.ready, 3000)


def _unknown_order(world: World) -> PendingOrder:
    """An entry whose request was lost and whose time-out has passed."""
    tracker = world.trading.tracker
    assert world.run_until(lambda: world.ready, 3000)
    world.sender.hold()
    assert world.run_until(lambda: bool(tracker.live(OrderState.SENT)), 60_000)
    order = tracker.live(OrderState.SENT)[0].order
    assert world.run_until(lambda: _state(world, order) is not OrderState.SENT, 10_000)
    world.sender.drop_held()
    return order


def _state(world: World, order: PendingOrder) -> OrderState:
    tracked = world.trading.tracker.get(order.cloid)
    assert tracked is not None
    return tracked.state


def _certificates(world: World, order: PendingOrder) -> list[str]:
    return [f["how"] for f in world.journal.of("certificate") if f["cloid"] == order.cloid]


def test_an_accepted_noop_of_the_same_nonce_proves_that_an_order_cannot_land(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, post_timeout_ms=1000, expires_after_ms=60_000)
    order = _unknown_order(world)
    assert world.run_until(lambda: _state(world, order) is OrderState.DEAD, 5000)
    assert _certificates(world, order) == ["noop"]
    noop = world.rest.signed[-1]
    tracked = world.trading.tracker.get(order.cloid)
    assert tracked is not None
    assert (noop["action"], noop["nonce"], "expiresAfter" in noop) == ({"type": "noop"}, tracked.nonce, False)
    assert ("noop", tracked.nonce) in world.intents.records
    late = next(text for text in world.sender.sent if order.cloid in text)
    world.venue.ws(1, late, world.clock.wall_ms())  # the request arrives after all
    world.run(2000)
    assert order.coin not in world.exchange_positions()
    assert world.run_until(lambda: len(world.journal.of("round_trip")) >= 1, 60_000)


def test_without_noop_and_status_the_order_waits_for_its_expiry_and_two_agreeing_reads(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, post_timeout_ms=1000, expires_after_ms=8000)
    world.rest.failing.add("/exchange")
    order = _unknown_order(world)
    tracked = world.trading.tracker.get(order.cloid)
    assert tracked is not None
    assert tracked.expires_ms is not None
    world.rest.failing.discard("/exchange")
    world.venue.books.nonces(world.user).use(
        tracked.nonce, world.clock.wall_ms()
    )  # as if an earlier noop was processed
    while world.clock.wall_ms() <= tracked.expires_ms + 2000:
        assert _state(world, order) is OrderState.UNKNOWN
        assert world.trading.tracker.ledger().entries[order.coin] == order.exposure
        world.run(200)
    assert world.run_until(lambda: _state(world, order) is OrderState.DEAD, 5000)
    assert _certificates(world, order) == ["processed"]


def test_without_expiry_nothing_but_status_or_noop_settles_it(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, post_timeout_ms=1000, expires_after_ms=0)
    world.rest.failing.add("/exchange")
    order = _unknown_order(world)
    world.run(60_000, step_ms=50)
    assert _state(world, order) is OrderState.UNKNOWN
    world.rest.failing.clear()
    assert world.run_until(lambda: _state(world, order) is OrderState.DEAD, 5000)
    assert _certificates(world, order) == ["noop"]


def test_a_lost_reply_of_an_order_that_filled_is_known_within_ten_seconds(tmp_path: Path) -> None:
    """Reply, update and fill are lost: orderStatus and userFills tell, and no new order goes out meanwhile."""
    world = World(tmp_path, seed=1)
    tracker = world.trading.tracker
    assert world.run_until(lambda: bool(tracker.live(OrderState.SENT)), 60_000)
    order = tracker.live(OrderState.SENT)[0].order
    world.filter_frame = lambda text: [] if order.cloid in text or '"post"' in text else [text]
    assert world.run_until(lambda: order.coin in world.exchange_positions(), 2000)
    sent = len(world.sender.sent)
    world.trading.housekeeping._next_compare_ms = world.clock.mono_ms() + 60_000  # it would know, too
    assert world.run_until(lambda: tracker.position(order.coin) is not None, 10_000)
    assert not [text for text in world.sender.sent[sent:] if f'"{order.coin}"' in text]
    assert _certificates(world, order) == ["status"]


def test_exits_and_cancels_go_by_http_once_the_socket_was_gone_for_two_seconds(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, time_stop_ms=3000, mark_regression_bps=Decimal(0), min_holding_ms=10_000_000)
    assert world.run_until(lambda: bool(world.trading.tracker.booked()), 60_000)
    world.cut()
    sent = len(world.sender.sent)
    world.run(1900)
    assert world.rest.signed == []
    assert world.run_until(lambda: not world.exchange_positions(), 10_000)
    assert len(world.sender.sent) == sent
    action = world.rest.signed[0]["action"]
    assert action["orders"][0]["r"] is True
    assert world.rest.signed[0]["expiresAfter"] > world.clock.wall_ms() - 10_000
    assert not world.latch.tripped
    world.connect()
    assert world.run_until(lambda: world.ready, 5000)
    world.run(1000)
    _check_accounts(world)


def test_when_intents_cannot_be_made_durable_no_risk_is_taken_and_exits_go_on(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    assert world.run_until(lambda: bool(world.trading.tracker.booked()), 60_000)
    world.intents.broken = True
    sent = len(world.sender.sent)
    world.run(40_000)
    actions = [a for a in world.sender.actions()[sent:] if a["type"] == "order"]
    assert actions
    assert all(o["r"] for a in actions for o in a["orders"])
    assert "told to fail" in "; ".join(world.readiness.reasons(world.clock.mono_ms()))


def test_the_intent_is_durable_before_the_bytes_leave(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    order_of_things: list[str] = []
    world.intents.orders = lambda *a, **k: order_of_things.append("intent")  # type: ignore[method-assign]
    deliver = world.sender.send
    world.sender.send = lambda text, generation=None, by_ms=None: (order_of_things.append("send"), deliver(text))[1]  # type: ignore[method-assign]
    assert world.run_until(lambda: len(order_of_things) >= 6, 60_000)
    assert order_of_things[:6] == ["intent", "send"] * 3


def test_an_order_of_an_earlier_run_is_resolved_before_ready(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    assert world.run_until(lambda: bool(world.trading.tracker.live(OrderState.SENT)), 60_000)
    order = world.trading.tracker.live(OrderState.SENT)[0].order
    world.restart()
    assert _state(world, order) is OrderState.UNKNOWN
    assert world.run_until(lambda: world.ready, 10_000)
    assert _state(world, order).terminal
    nonces = [nonce for kind, nonce in world.intents.records if kind in ("orders", "cancels")]
    assert world.flatten()
    later = [nonce for kind, nonce in world.intents.records if kind in ("orders", "cancels")]
    assert len(set(later)) == len(later)
    assert max(nonces, default=0) <= max(later)
    assert world.exchange_positions() == {}


def test_the_address_budget_keeps_a_share_for_exits(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    assert world.run_until(lambda: bool(world.trading.tracker.booked()), 60_000)
    account = world.venue.engine.account(world.user)
    assert account is not None
    account.actions_used = account.action_cap - 300
    world.trading.address.anchor(account.actions_used, account.action_cap)
    assert world.run_until(lambda: not world.trading.tracker.booked(), 60_000)
    world.run(20_000)
    refusals = [f["verdict"] for f in world.journal.of("signal")][-2:]
    assert {v.gate for v in refusals} == {"ActionBudget"}
    assert all(dict(v.numbers)["budget"] == "address" for v in refusals)


def test_the_address_budget_is_what_the_exchange_counts(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    world.run(55_000)
    account = world.venue.engine.account(world.user)
    assert account is not None
    state = world.trading.address.state()
    assert (state.used, state.cap) == (account.actions_used, account.action_cap)
    assert state.used > 5


def test_leverage_is_set_once_before_the_first_entry_and_a_refusal_closes_its_market_only(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, leverage=7, margin="isolated")
    blocked = world.trading.blocked
    assert set(blocked) == set(world.trading.specs)
    assert world.run_until(lambda: world.ready, 3000)
    refused = "margin could not be set: Invalid leverage value"
    assert world.run_until(lambda: dict(blocked) == {"para:UNITREE": refused}, 10_000)
    actions = [body["action"] for body in world.rest.signed]
    assert {a["leverage"] for a in actions} == {7}
    assert {a["isCross"] for a in actions} == {False}
    assert len(actions) == len(world.trading.specs)
    assert world.run_until(lambda: len(world.journal.of("round_trip")) >= 1, 60_000)
    assert len(world.rest.signed) == len(actions)


def test_a_market_that_changed_while_its_leverage_waits_stays_closed(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, leverage=5)
    world.trading.blocked.market["xyz:GOLD"] = "asset id changed"
    assert world.run_until(lambda: world.ready, 5000)
    world.run(5000)
    assert dict(world.trading.blocked) == {"xyz:GOLD": "asset id changed"}


def test_leverage_that_could_not_be_sent_is_tried_again_and_blocks_until_then(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, leverage=5)
    world.rest.failing.add("/exchange")
    world.run(20_000)
    assert world.intents.placed == []
    assert world.trading.gates.blocks["param_change"]
    world.rest.failing.clear()
    assert world.run_until(lambda: not world.trading.blocked, 60_000)
    assert world.run_until(lambda: len(world.journal.of("round_trip")) >= 1, 60_000)


def test_entries_leave_the_socket_s_messages_to_exits_and_cancels(tmp_path: Path) -> None:
    """At 34 orders a second the service sent more than the exchange takes in a minute, which closes the socket."""
    world = World(tmp_path, seed=1, time_stop_ms=3000)
    assert world.run_until(lambda: bool(world.trading.tracker.booked()), 60_000)
    world.sender.left = KEPT_MESSAGES
    sent = len(world.sender.actions())
    world.run(40_000)
    orders = [o for a in world.sender.actions()[sent:] if a["type"] == "order" for o in a["orders"]]
    assert orders
    assert all(o["r"] for o in orders)
    assert not world.exchange_positions()
    assert ["messages of this minute" in r for r in world.readiness.reasons(world.clock.mono_ms())] == [True]
    world.sender.left = KEPT_MESSAGES + 1
    assert world.run_until(lambda: bool(world.trading.tracker.booked()), 60_000)
    assert not world.rest.signed


def test_an_exit_goes_by_http_at_once_where_the_socket_s_messages_are_spent(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, time_stop_ms=3000, mark_regression_bps=Decimal(0), min_holding_ms=10_000_000)
    assert world.run_until(lambda: bool(world.trading.tracker.booked()), 60_000)
    world.sender.left, sent = 0, len(world.sender.sent)
    world.trading.exiting.request(ExitReason.STOP)
    assert world.run_until(lambda: not world.exchange_positions(), 1000)
    assert len(world.sender.sent) == sent
    assert world.rest.signed[0]["action"]["orders"][0]["r"] is True
    world.run(1000)
    _check_accounts(world)
