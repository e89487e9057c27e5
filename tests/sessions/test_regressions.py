"""Defects that were found once; each test failed before its fix."""

import json
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hip3.config import reading
from hip3.core.events import OrderUpdate
from hip3.core.ledger import OrderFinished
from hip3.core.order_state import OrderState
from hip3.core.orders import Side
from hip3.core.ports import SendOutcome, SendResult
from hip3.errors import ConfigError, RateLimited
from hip3.execution.readiness import Readiness
from hip3.execution.truth.margin import Margin, read_margins
from hip3.ops.state_dir import account_dir
from hip3.position.tracker import PositionTracker
from hip3.risk.hard_stop import HardStopLatch
from tests.builders import COIN, D, exit_order, fill, order
from tests.venue.answers.test_streams import Client
from tests.world import World, quiet_world


def _holding(tmp_path: Path, **settings: Any) -> World:
    """A world with a booked position."""
    world = World(tmp_path, seed=1, **settings)
    assert world.run_until(lambda: bool(world.trading.tracker.booked()), 60_000)
    return world


def test_an_outage_trips_no_latch_and_costs_no_price_step(tmp_path: Path) -> None:
    world = _holding(tmp_path, time_stop_ms=3000)
    world.cut()
    world.rest.failing |= {"/exchange", "orderStatus", "userFills", "clearinghouseState", "exchangeStatus"}
    world.run(60_000, step_ms=50)
    assert not world.latch.tripped
    world.rest.failing.clear()
    world.connect()
    assert world.run_until(lambda: not world.exchange_positions(), 20_000)
    assert not world.latch.tripped
    assert max(f["order"].attempt for f in world.journal.of("exit")) <= 2


@pytest.mark.parametrize("first", ["activeAssetCtx", "bbo"])
def test_no_rule_compares_what_was_heard_before_a_cut_with_what_is_heard_after_it(tmp_path: Path, first: str) -> None:
    """Oracle and touch went down together while nobody listened: the touch has not come back to the oracle, whichever
    of the two is told first."""
    world = quiet_world(tmp_path, mark_regression_bps=D(5), min_holding_ms=0, time_stop_ms=600_000)
    market = world.venue.engine.markets[COIN]
    side = Side.BUY if first == "activeAssetCtx" else Side.SELL
    far = {"bid": D("0.998"), "ask": D("1.002")}  # of a book that is 20 basis points from its oracle on either side

    def frames(px: Decimal) -> dict[str, str]:
        bid, ask = (str((px * share).quantize(D("0.1"))) for share in far.values())
        book = [{"px": bid, "sz": "5", "n": 1}, {"px": ask, "sz": "5", "n": 1}]
        time_ms = world.exchange_ms()
        data = {
            "bbo": {"coin": COIN, "time": time_ms, "bbo": book},
            "activeAssetCtx": {"coin": COIN, "ctx": {
                "funding": "0", "openInterest": "100", "prevDayPx": str(px), "dayNtlVlm": "1", "premium": "0",
                "oraclePx": str(px), "markPx": str(px), "midPx": str(px), "impactPxs": [bid, ask], "dayBaseVlm": "1",
            }},
        }  # fmt: skip
        return {
            channel: json.dumps({"channel": channel, "data": body}, separators=(",", ":"))
            for channel, body in data.items()
        }

    world.filter_frame = lambda text: (
        [] if text.startswith(('{"channel":"bbo"', '{"channel":"activeAssetCtx"')) else [text]
    )
    start = market.oracle
    for text in frames(start).values():
        world.inject(text)
    world.by_hand(COIN, side, D("0.01"))
    world.run(500)
    assert COIN in world.trading.tracker.booked()
    world.cut()
    world.connect()
    world.run(50)
    world.inject(frames(start * D("0.99"))[first])
    world.run(1000)
    assert not world.journal.of("exit")
    for text in frames(start * D("0.99")).values():
        world.inject(text)
    world.run(300)
    assert not world.journal.of("exit")


@pytest.mark.parametrize("status", ["filled", "canceled"])
def test_what_an_update_says_was_executed_is_never_invisible(status: str) -> None:
    tracker = PositionTracker()
    tracker.admit(order(), lambda ledger, wished: wished)
    tracker.mark_sent(order().cloid, nonce=1, expires_ms=None, generation=1, mono_ms=0)
    left = D(0) if status == "filled" else D("0.004")
    update = OrderUpdate(COIN, order().side, 77, order().cloid, D(4000), left, D("0.012"), status, 5)
    tracker.on_order_update(update)
    assert tracker.ledger().positions == {COIN: D("0.012") - left}
    assert len(tracker.unbooked()) == 1
    tracker.on_fills([fill(1, sz=D("0.012") - left)])
    assert tracker.ledger().positions == {COIN: D("0.012") - left}
    assert tracker.unbooked() == []


def test_an_exit_s_update_that_comes_first_is_no_flatten_failure(tmp_path: Path) -> None:
    world = _holding(tmp_path)
    held: list[str] = []
    world.filter_frame = lambda t: held.append(t) or [] if '"post"' in t or '"userFills"' in t else [t]
    assert world.run_until(lambda: not world.exchange_positions(), 40_000)
    world.run(300)
    assert world.trading.tracker.positions() == []
    assert not world.trading.exits.exiting()


def test_a_claim_that_no_fill_ever_confirms_is_given_up(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    assert world.run_until(lambda: world.ready, 3000)
    ghost = order(5, coin="xyz:GOLD")
    world.trading.tracker.admit(ghost, lambda ledger, wished: wished)
    world.trading.tracker.mark_sent(ghost.cloid, nonce=1, expires_ms=None, generation=1, mono_ms=0)
    update = OrderUpdate("xyz:GOLD", ghost.side, 77, ghost.cloid, D(4000), D("0.004"), D("0.012"), "canceled", 5)
    world.trading.orders_in.on_order_updates([update], world.clock.mono_ms())
    assert world.trading.tracker.position("xyz:GOLD") is not None
    assert world.run_until(lambda: world.trading.tracker.position("xyz:GOLD") is None, 10_000)


def test_reduce_only_words_never_flip_a_position() -> None:
    tracker = PositionTracker()
    tracker.on_fills([fill(1, sz=D("0.005"))])
    leave = exit_order(2, sz=D("0.012"))
    tracker.register(leave)
    tracker.mark_sent(leave.cloid, nonce=1, expires_ms=None, generation=1, mono_ms=0)
    tracker.on_order_update(OrderUpdate(COIN, leave.side, 78, leave.cloid, D(4000), D(0), D("0.012"), "filled", 5))
    assert tracker.positions() == []


def test_a_batch_that_a_disconnect_took_is_not_put_back(tmp_path: Path) -> None:
    """The cut comes between registering a post and learning that it was not sent."""
    world = _holding(tmp_path)

    lost: list[str] = []

    def cut_while_sending(text: str, generation: int | None = None, by_ms: int | None = None) -> SendResult:
        lost.append(msgspec.json.decode(text)["request"]["payload"]["action"]["orders"][0]["c"])
        world.trading.flow.on_disconnected(world.generation, "in the middle of it")
        return SendResult(SendOutcome.NOT_SENT, world.generation, "gone")

    send, world.sender.send = world.sender.send, cut_while_sending  # type: ignore[method-assign]
    assert world.run_until(lambda: bool(lost), 40_000)
    world.sender.send = send  # type: ignore[method-assign]
    world.cut()
    world.connect()
    world.run(8000)
    assert not [text for text in world.sender.sent if lost[0] in text]
    assert world.trading.tracker.get(lost[0]).state is OrderState.DEAD  # type: ignore[union-attr]


def test_an_order_that_is_no_longer_queued_is_not_sent(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    assert world.run_until(lambda: world.ready, 3000)
    wished = order(9, coin="xyz:GOLD", epoch=world.generation)
    world.trading.tracker.admit(wished, lambda ledger, w: w)
    world.trading.scheduler.enqueue_new(wished, 0)
    world.trading.tracker.drop(wished.cloid, "purged by somebody else")
    world.tick()
    assert not [text for text in world.sender.sent if wished.cloid in text]


def test_an_empty_account_answer_erases_no_position(tmp_path: Path) -> None:
    world = _holding(tmp_path, time_stop_ms=600_000, mark_regression_bps=Decimal(0), min_holding_ms=600_000)
    booked = world.trading.tracker.booked()
    info = world.rest.info

    def empty(request: dict[str, Any]) -> bytes:
        body = info(request)
        if request["type"] != "clearinghouseState":
            return body
        return msgspec.json.encode(msgspec.json.decode(body) | {"assetPositions": []})

    world.rest.info = empty  # type: ignore[method-assign]
    for _ in range(10):
        world.trading.view.doubt()
        world.run(4000, step_ms=50)
        for coin, szi in booked.items():
            assert world.trading.tracker.booked()[coin] == szi
    world.rest.info = info  # type: ignore[method-assign]
    world.run(30_000, step_ms=50)
    assert not world.journal.of("adopted")


def test_a_position_closed_elsewhere_is_believed_after_three_readings_over_a_minute(tmp_path: Path) -> None:
    world = _holding(tmp_path, time_stop_ms=600_000, mark_regression_bps=Decimal(0), min_holding_ms=600_000)
    account = world.venue.engine.account(world.user)
    assert account is not None
    coin = next(iter(world.exchange_positions()))
    del account.dexs[coin.split(":", maxsplit=1)[0]].positions[coin]
    world.trading.view.doubt()
    world.run(50_000, step_ms=50)
    assert coin in world.trading.tracker.booked()
    assert world.run_until(lambda: coin not in world.trading.tracker.booked(), 60_000, step_ms=50)


def test_a_position_found_is_taken_over_in_the_second_reading_and_left_like_our_own(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, time_stop_ms=5000)
    assert world.run_until(lambda: world.ready, 3000)
    account = world.venue.engine.account(world.user)
    assert account is not None
    account.dex("xyz").apply_fill("xyz:GOLD", D("0.01"), D(4000), 20, isolated=True)
    world.trading.view.doubt()
    assert world.run_until(lambda: "xyz:GOLD" in world.trading.tracker.booked(), 6000)
    assert world.run_until(lambda: "xyz:GOLD" not in world.exchange_positions(), 15_000)


@pytest.mark.parametrize("kind", ["exchangeStatus", "clearinghouseState", "userRateLimit", "perpDexs", "meta"])
def test_an_answer_of_another_shape_is_a_failed_read(tmp_path: Path, kind: str) -> None:
    world = World(tmp_path, seed=1, markets="xyz:GOLD")
    assert world.run_until(lambda: world.ready, 3000)
    info = world.rest.info
    for odd in (b"null", b"[]", b"5", b'{"time":"x"}', b"{}"):
        world.rest.info = lambda r, odd=odd: odd if r["type"] == kind else info(r)  # type: ignore[method-assign]
        world.trading.view.doubt()
        world.run(61_000, step_ms=100)
    assert world.trading.housekeeping.failed_reads >= 3
    world.rest.info = info  # type: ignore[method-assign]
    assert world.run_until(lambda: world.ready, 5000)


@pytest.mark.parametrize("step_ms", [-3_600_000, -7_200_000, 3_600_000])
def test_setting_the_wall_clock_neither_keeps_nor_hurries_a_position(tmp_path: Path, step_ms: int) -> None:
    world = _holding(tmp_path, time_stop_ms=8000, mark_regression_bps=Decimal(0), min_holding_ms=600_000)
    opened = world.trading.tracker.positions()[0]
    venue_time = world.venue
    world.clock.step_wall(step_ms)
    offset = -step_ms
    advance, ws = venue_time.advance, venue_time.ws
    venue_time.advance = lambda now: advance(now + offset)  # type: ignore[method-assign]
    venue_time.ws = lambda conn, text, now: ws(conn, text, now + offset)  # type: ignore[method-assign]
    world.run(2000)
    assert opened.coin in world.exchange_positions()
    assert world.run_until(lambda: opened.coin not in world.exchange_positions(), 10_000)


def test_a_malformed_line_of_env_is_a_fault(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    for line in ("HIP3_MAX_NOTIONAL_TOTAL: 60", "HIP3_MAX_NOTIONAL_TOTAL 60", "HIP3_MAX_NOTIONAL_TOTAL"):
        file.write_text(f"HIP3_TICK_MS=50\n{line}\n")
        with pytest.raises(ConfigError) as error:
            reading.load({}, file)
        assert "line 2" in error.value.faults[0]
        assert "HIP3_MAX_NOTIONAL_TOTAL" in error.value.faults[0]


@pytest.mark.parametrize(
    ("name", "url"),
    [("HIP3_WS_URL", "127.0.0.1:3977/ws"), ("HIP3_API_URL", "localhost:3001"), ("HIP3_API_URL", "http://")],
)
def test_an_address_that_is_none_is_a_fault_of_the_settings(name: str, url: str) -> None:
    with pytest.raises(ConfigError) as error:
        reading.load({name: url}, None)
    assert name in error.value.faults[0]


def test_the_last_market_seen_by_two_threads_at_once_is_seen() -> None:
    readiness = Readiness(needs_account=False)
    readiness.universe_known()
    coins = [f"x:{n}" for n in range(400)]
    readiness.connected(1, coins, 0)
    readiness.acknowledged()
    threads = [threading.Thread(target=lambda part=n: [readiness.saw(c) for c in coins[part::4]]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert readiness.reasons(0) == []


def test_a_snapshot_that_is_newest_first_is_booked_oldest_first() -> None:
    tracker = PositionTracker()
    opening = fill(1, time_ms=1000)
    closing = fill(
        2, side=exit_order().side, time_ms=2000, start_position=D("0.012"), closed_pnl=D("-1"), direction="Close Long"
    )
    events = tracker.on_fills([closing, opening])
    trips = [e for e in events if type(e).__name__ == "RoundTrip"]
    assert [(t.opened_ms, t.closed_ms, t.realized) for t in trips] == [(1000, 2000, D("-1"))]


def test_a_thousand_fills_without_going_flat_stay_cheap_and_right() -> None:
    tracker = PositionTracker()
    size = D("0.001")
    for n in range(1000):
        tracker.on_fills([fill(n, sz=size, time_ms=1000 + n, px=D(4000 + n % 2), start_position=size * n)])
    position = tracker.position(COIN)
    assert position is not None
    assert (position.szi, position.entry_px, position.entry_ms) == (D(1), D("4000.5"), 1000)
    assert len(tracker._holdings[COIN].fills) <= 64
    assert tracker.unlinked() == []


def test_an_order_is_finished_once_when_its_fills_are_booked_whoever_speaks_first() -> None:
    for update_first in (True, False):
        tracker = PositionTracker()
        tracker.admit(order(), lambda ledger, wished: wished)
        tracker.mark_sent(order().cloid, nonce=1, expires_ms=None, generation=1, mono_ms=0)
        update = OrderUpdate(COIN, order().side, 77, order().cloid, D(4000), D(0), D("0.012"), "filled", 5)
        steps = [lambda t=tracker, u=update: t.on_order_update(u), lambda t=tracker: t.on_fills([fill(1, px=D(3990))])]
        out = [e for step in (steps if update_first else steps[::-1]) for e in step()]
        done = [e for e in out if isinstance(e, OrderFinished)]
        assert [(e.executed, e.avg_px) for e in done] == [(D("0.012"), D(3990))]


def test_a_changed_precision_stops_its_market_only(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    assert world.run_until(lambda: world.ready, 3000)
    market = world.venue.engine.markets["xyz:GOLD"]
    market.info = market.info._replace(sz_decimals=2)
    assert world.run_until(lambda: bool(world.trading.blocked), 70_000, step_ms=50)
    assert list(world.trading.blocked) == ["xyz:GOLD"]
    assert world.trading.blocked["xyz:GOLD"].startswith("tick_size_unknown")


def test_a_latch_that_cannot_be_written_stops_at_once_and_is_written_later(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    folder.mkdir()
    latch = HardStopLatch(folder / "latch.json")
    folder.rename(tmp_path / "away")
    assert latch.trip("max_loss", "21 USD", 5)
    assert latch.tripped
    assert "cannot be written" in latch.persist()
    folder.mkdir()
    assert latch.persist() == ""
    assert HardStopLatch(folder / "latch.json").tripped


def test_a_fresh_exchange_starts_with_fresh_state_and_keeps_the_last_aside(tmp_path: Path) -> None:
    first = account_dir(tmp_path, "embedded", "0x1234567890")
    HardStopLatch(first / "latch.json").trip("max_loss", "21 USD", 5)
    again = account_dir(tmp_path, "embedded", "0x1234567890", fresh=True)
    assert not HardStopLatch(again / "latch.json").tripped
    aside = tmp_path / "embedded-0x12345678.previous" / "latch.json"
    assert json.loads(aside.read_text())["tripped"]


@pytest.mark.parametrize(
    "message",
    [
        {"method": "subscribe", "subscription": {"type": []}},
        {"method": "subscribe", "subscription": {"type": "allMids", "dex": ["x"]}},
        {"method": [], "subscription": 5},
        {"method": "post", "id": 1, "request": {"type": "action", "payload": {"action": {"type": []}, "nonce": 1}}},
        {"method": "post", "id": 1, "request": {"type": "info", "payload": {"type": []}}},
    ],
)
def test_no_client_can_bring_the_embedded_exchange_down(message: Any) -> None:
    client = Client()
    frames = client.ask(message)
    assert len(frames) == 1
    assert client.ask({"method": "ping"}) == [{"channel": "pong"}]


def test_a_number_that_is_not_in_normal_form_recovers_another_signer(tmp_path: Path) -> None:
    from hip3.exchange.signing import sign_l1_action
    from hip3.exchange.wire_out import signed_body

    world = World(tmp_path, seed=1)
    for price, ok in (("3900", True), ("3900.00", False)):
        item = {"a": 110003, "b": True, "p": price, "s": "0.01", "r": False, "t": {"limit": {"tif": "Gtc"}}}
        action = {"type": "order", "orders": [item], "grouping": "na"}
        nonce = world.clock.wall_ms() + ok
        answer = world.rest.exchange(
            signed_body(action, nonce, sign_l1_action(world.key, action, nonce, mainnet=False))
        )
        assert (answer["status"] == "ok") is ok
        if not ok:
            assert "does not exist" in answer["response"]


def test_fills_of_other_dexs_are_not_ours_to_book(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, markets="para:AVGO,para:UNITREE")
    world.trading.orders_in.on_fills([fill(1, coin="BTC"), fill(2, coin="xyz:GOLD"), fill(3, coin="@107")], 0)
    assert world.trading.tracker.booked() == {}
    assert world.trading.tracker.totals()[2] == 0


def test_a_position_in_a_market_that_is_not_configured_counts_and_blocks_no_other(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, markets="xyz:TSLA,xyz:NVDA,xyz:AAPL,xyz:META,xyz:AMZN,xyz:GOOGL,xyz:XYZ100")
    account = world.venue.engine.account(world.user)
    assert account is not None
    account.dex("xyz").apply_fill("xyz:GOLD", D("0.005"), D(4000), 20, isolated=True)
    assert world.run_until(lambda: world.ready, 10_000)
    assert world.run_until(lambda: len(world.journal.of("round_trip")) >= 1, 60_000)
    assert world.exchange_positions()["xyz:GOLD"] == D("0.005")
    reasons = {f["verdict"].reason.value for f in world.journal.of("signal") if hasattr(f["verdict"], "reason")}
    assert "MarketDataUnavailable" not in reasons


def test_a_silent_connection_is_not_ready(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    assert world.run_until(lambda: world.ready, 3000)
    world.filter_frame = lambda text: []
    world.run(9000)
    assert "not a word" in world.readiness.reasons(world.clock.mono_ms())[0]
    world.filter_frame = lambda text: [text]
    assert world.run_until(lambda: world.ready, 3000)


def test_a_round_trip_that_began_before_a_restart_keeps_its_entry_and_its_fee(tmp_path: Path) -> None:
    world = _holding(tmp_path, time_stop_ms=600_000, mark_regression_bps=Decimal(0), min_holding_ms=600_000)
    opened = world.trading.tracker.positions()[0]
    fees = world.trading.tracker.totals()[1]
    world.restart()
    before = len(world.journal.of("round_trip"))
    assert world.flatten()
    world.run(500)
    trips = [f["trip"] for f in world.journal.of("round_trip")[before:] if f["trip"].coin == opened.coin]
    assert [(t.opened_ms, t.entry_px) for t in trips] == [(opened.entry_ms, opened.entry_px)]
    assert trips[0].fees >= fees > 0
    assert trips[0].closed_ms > trips[0].opened_ms


def test_reads_leave_the_weight_that_the_proof_needs_and_wait_as_long_as_told(tmp_path: Path) -> None:
    from hip3.errors import RateLimited
    from hip3.exchange.rest import KEPT_WEIGHT, RestClient
    from tests.fakes import FakeClock

    clock = FakeClock()
    rest = RestClient("http://127.0.0.1:9", clock)
    rest._post = lambda path, body, what: b"[]"  # type: ignore[method-assign]
    asked = 0
    with pytest.raises(RateLimited) as error:
        while True:
            rest.info({"type": "userFills", "user": "0x"})
            asked += 1
    assert asked == (1200 - KEPT_WEIGHT) // 20
    for _ in range(KEPT_WEIGHT // 20):
        assert rest.unheld.info_json({"type": "openOrders", "user": "0x"}) == []
    wait = error.value.fields["wait_ms"]
    assert isinstance(wait, int)
    clock.advance(wait + KEPT_WEIGHT * 50)
    assert rest.info({"type": "userFills", "user": "0x"}) == b"[]"
    rest.close()


def test_a_spent_weight_budget_keeps_every_duty_quiet_until_it_is_free(tmp_path: Path) -> None:
    from hip3.errors import RateLimited

    world = World(tmp_path, seed=1)
    info, asked = world.rest.info, [0]

    def spent(request: dict[str, Any]) -> bytes:
        asked[0] += 1
        raise RateLimited("spent", wait_ms=5000)

    world.rest.info = spent  # type: ignore[method-assign]
    world.run(10_000, step_ms=50)
    assert asked[0] <= 3
    world.rest.info = info  # type: ignore[method-assign]
    assert world.run_until(lambda: world.ready, 8000)


def test_an_account_is_read_though_its_weight_comes_back_bit_by_bit(tmp_path: Path) -> None:
    """Asking again as soon as one request is paid for would begin the same reading anew for ever."""
    from hip3.exchange.rate_limit import IP_WEIGHT_PER_MINUTE, TokenBucket
    from hip3.exchange.rest import weight_of

    world = World(tmp_path, seed=1)
    info, bucket = world.rest.info, TokenBucket(IP_WEIGHT_PER_MINUTE, world.clock.mono_ms())

    def weighed(request: dict[str, Any]) -> bytes:
        weight, now = weight_of(request), world.clock.mono_ms()
        if not bucket.try_take(weight, now):
            raise RateLimited("spent", wait_ms=bucket.wait_ms(weight, now))
        return info(request)

    world.rest.info = weighed  # type: ignore[method-assign]
    assert world.run_until(lambda: world.ready, 10_000, step_ms=50)
    while bucket.try_take(1, world.clock.mono_ms()):
        pass
    world.cut()
    world.connect()
    assert world.run_until(lambda: world.ready, 60_000, step_ms=50)


def test_a_refusal_nobody_knows_is_reported_once(tmp_path: Path) -> None:
    from hip3.core.events import Refused

    world = World(tmp_path, seed=1)
    for n in range(3):
        wished = order(n, coin=f"x:{n}")
        world.trading.tracker.admit(wished, lambda ledger, w: w)
        world.trading.tracker.mark_sent(wished.cloid, nonce=n + 1, expires_ms=None, generation=1, mono_ms=0)
        answer = Refused(f"A sentence nobody has seen. asset={n}")
        world.trading.consequences.dispatch(world.trading.tracker.on_status(wished.cloid, answer), 0)
    assert len(world.journal.of("unknown_refusal")) == 1


def test_a_start_with_many_markets_goes_on_where_its_request_weight_ended(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    known: dict[str, Margin] = {}
    honest, left = world.rest.info_json, [5]

    def limited(request: dict[str, Any]) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise RateLimited("the weight budget is spent")
        return honest(request)

    world.rest.info_json = limited  # type: ignore[method-assign]
    tries = 0
    while True:
        tries += 1
        left[0] = 5
        try:
            found = read_margins(world.rest, world.user, world.trading.specs, known)
            break
        except RateLimited:
            assert len(known) == 5 * tries
    assert set(found) == set(world.trading.specs)
    assert tries == -(-len(world.trading.specs) // 5)
