"""Quoting, end to end: acceptance cases of the specification as sessions of the service and the exchange's core."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hip3.config.reading import MarketSettings
from hip3.config.settings import Settings
from hip3.core.ledger import OrderChanged
from hip3.core.order_state import OrderState
from hip3.core.orders import ExitReason, Side
from hip3.execution.quotes.market import QuotedMarket
from hip3.execution.quotes.pulls import STEP, Pulls
from hip3.execution.quotes.refusals import reaction
from hip3.execution.quotes.stance import Stance
from hip3.service.params import quote_params
from hip3.strategy.quote_diff import Why
from tests.builders import D
from tests.sessions.quoting import GOLD, QuoteStage

BUY, SELL = Side.BUY, Side.SELL


def test_a_still_market_gets_one_quote_for_each_key_and_nothing_more(tmp_path: Path) -> None:
    """Q1, Q2."""
    stage = QuoteStage(tmp_path)
    assert stage.sent() == 4
    stage.run(600_000, step_ms=200)
    assert stage.sent() == 4
    assert stage.market.stance is Stance.QUOTING
    for order in stage.live():
        assert order["tif"] == "Alo"
        assert D(order["limitPx"]) * D(order["sz"]) >= 11


def test_what_moves_within_the_tolerance_moves_no_quote_and_beyond_it_one_side(tmp_path: Path) -> None:
    """Q3."""
    stage = QuoteStage(tmp_path)
    for bps in (0.4, -0.4, 0.7, -0.6, 0.0):
        stage.move(bps)
        stage.run(3000)
    assert stage.sent() == 4
    before = stage.prices(SELL)
    stage.move(-2)  # bids are too aggressive by more than a quarter of the half spread; asks stay within tolerance
    stage.run(5000)
    assert stage.prices(SELL) == before
    assert stage.actions("cancel")
    assert len(stage.live()) == 4


def test_a_bid_that_the_price_falls_through_is_cancelled_at_once_and_replaced_after_the_proof(tmp_path: Path) -> None:
    """Q5, Q6."""
    stage = QuoteStage(tmp_path)
    placed, before = len(stage.actions("order")), stage.prices(BUY)
    stage.move(-3)
    assert stage.until(lambda: bool(stage.actions("cancel")), 300)
    (cancel,) = stage.actions("cancel")
    assert cancel["f"] is True
    assert len(stage.actions("order")) == placed  # never both in one round
    assert stage.until(lambda: len(stage.actions("order")) > placed)
    assert stage.until(lambda: len(stage.prices(BUY)) == 2)
    assert stage.prices(BUY)[0] < before[0]


def test_a_price_that_comes_back_within_the_interval_improves_nothing(tmp_path: Path) -> None:
    """Q4."""
    stage = QuoteStage(tmp_path, quote_min_interval_ms="60000")
    stage.run(61_000, step_ms=100)
    stage.move(9)  # asks retreat, and bids are placed anew nearer: their interval begins
    stage.run(4000)
    cancelled = len(stage.actions("cancel"))
    stage.move(18)
    stage.run(500)
    retreats = [c for a in stage.actions("cancel")[cancelled:] for c in a["cancels"]]
    bids = {o["oid"] for o in stage.live(BUY)}
    assert not bids & {c["o"] for c in retreats}  # they wait, though they are far away now


def test_an_answer_to_a_cancel_is_no_proof_and_a_fill_that_comes_meanwhile_is_booked(tmp_path: Path) -> None:
    """Q7."""
    stage = QuoteStage(tmp_path)
    engine = stage.world.venue.engine
    honest = engine.cancel_oid
    engine.cancel_oid = lambda *a: "success"  # type: ignore[method-assign]
    resting = {o["oid"] for o in stage.live()}
    stage.move(-3)
    assert stage.until(lambda: bool(stage.actions("cancel")))
    stage.run(3000)
    assert {o["oid"] for o in stage.live()} == resting  # and nothing beside them
    stage.take(BUY)
    assert stage.until(lambda: GOLD in stage.world.trading.tracker.booked())
    engine.cancel_oid = honest  # type: ignore[method-assign]
    assert stage.until(lambda: not resting & {o["oid"] for o in stage.live(BUY)})


def test_a_lost_post_blocks_its_keys_until_it_is_proved(tmp_path: Path) -> None:
    """Q9."""
    stage = QuoteStage(tmp_path, warm=False)
    stage.drop('{"channel":"post"', '{"channel":"orderUpdates"')
    assert stage.until(lambda: bool(stage.orders), 120_000)
    assert stage.until(lambda: bool(stage.journal("post_lost")), 10_000)
    placed = len(stage.actions("order"))
    assert stage.until(lambda: [t.state for t in stage.orders] == [OrderState.OPEN] * 4, 30_000)
    assert len(stage.actions("order")) == placed == 1
    assert {t.oid for t in stage.orders} == {o["oid"] for o in stage.live()}


def test_post_only_refusals_make_a_key_wait_and_trip_nothing(tmp_path: Path) -> None:
    """Q15."""
    stage = QuoteStage(tmp_path)
    engine = stage.world.venue.engine
    honest = engine.place_group

    def crossing(account: Any, requests: list[Any], grouping: str, now_ms: int) -> list[Any]:
        if all(r.tif == "Alo" for r in requests):
            text = "Post only order would have immediately matched, bbo was 1@2. asset=110003"
            return [{"error": text} for _ in requests]
        return honest(account, requests, grouping, now_ms)

    engine.place_group = crossing  # type: ignore[method-assign]
    stage.move(-4)
    stage.run(2000)
    assert sum(len(a["orders"]) for a in stage.actions("order")) - 4 <= 12  # 0.5, 1 and 2 s apart, each key
    for bps in range(-8, -60, -4):
        stage.move(bps)
        stage.run(2000)
    assert not stage.world.latch.tripped
    tried = sum(len(a["orders"]) for a in stage.actions("order")) - 4
    assert 4 <= tried <= 40  # of 112 wishes
    engine.place_group = honest  # type: ignore[method-assign]
    assert stage.until(lambda: len(stage.live()) == 4, 60_000)


def test_refusals_for_margin_halve_the_sizes_and_trip_nothing(tmp_path: Path) -> None:
    """Q17."""
    stage = QuoteStage(tmp_path, warm=False, quote_size_usd="60", quote_max_inventory_usd="200")
    stage.world.venue.engine.prevalidate = lambda r: "Insufficient margin to place order."  # type: ignore[method-assign]
    assert stage.until(lambda: stage.market.figures.counts["refused"] > 0, 120_000)
    assert not stage.world.latch.tripped
    assert (stage.market.scale, stage.market.stance) == (Decimal("0.5"), Stance.PULLED), "a batch counts once"
    assert stage.until(lambda: stage.market.stance is Stance.OFF, 600_000)
    assert stage.market.scale == Decimal("0.125"), "though sizes were halved twice"


def test_two_fills_of_a_side_within_a_second_make_it_rest_and_the_other_is_skewed(tmp_path: Path) -> None:
    """Q18, Q20."""
    stage = QuoteStage(tmp_path, quote_max_inventory_usd="100", quote_skew="2", quote_min_half_bps="15")
    asks = stage.prices(SELL)
    stage.take(BUY)
    stage.take(BUY)
    assert stage.until(lambda: stage.market.pulls.side(BUY, stage.world.clock.mono_ms()), 2000)
    stage.run(10_000)
    assert stage.live(BUY) == []
    assert stage.market.stance is Stance.ONE_SIDED
    assert stage.prices(SELL)[0] < asks[0]  # long: sells come nearer
    assert stage.until(lambda: len(stage.live(BUY)) > 0, 40_000)


def test_inventory_turns_its_side_off_and_comes_back_with_hysteresis(tmp_path: Path) -> None:
    """Q19."""
    stage = QuoteStage(tmp_path, quote_max_inventory_usd="30", quote_levels="1", rests=2)
    stage.take(BUY)
    assert stage.until(lambda: stage.market.stance is Stance.ONE_SIDED, 3000)
    stage.run(5000)
    assert stage.live(BUY) == []
    assert len(stage.live(SELL)) == 1
    stage.take(SELL)
    assert stage.until(lambda: stage.market.stance is Stance.QUOTING, 5000)


def test_a_quote_that_was_filled_comes_back_after_its_delay(tmp_path: Path) -> None:
    stage = QuoteStage(tmp_path, quote_fill_delay_ms="5000", quote_levels="1", rests=2, quote_max_inventory_usd="100")
    stage.take(BUY)
    assert stage.until(lambda: GOLD in stage.world.trading.tracker.booked(), 2000)
    stage.run(4000)
    assert stage.live(BUY) == []
    assert stage.until(lambda: len(stage.live(BUY)) == 1, 4000)


def test_nobody_quotes_into_a_dead_book(tmp_path: Path) -> None:
    """Q25."""
    stage = QuoteStage(tmp_path)
    bbo = {"coin": GOLD, "time": stage.world.exchange_ms(), "bbo": [{"px": "2000.0", "sz": "1", "n": 1}, None]}
    stage.frame("bbo", bbo)
    assert stage.until(lambda: stage.live() == [], 1500)
    assert stage.market.stance is Stance.PULLED
    assert any("one side" in why for why in stage.market.reasons)


def test_a_print_of_eighteen_percent_takes_all_quotes_for_a_minute(tmp_path: Path) -> None:
    """Q26."""
    stage = QuoteStage(tmp_path)
    stage.move(1800)
    assert stage.until(lambda: stage.live() == [], 1000)
    assert stage.until(lambda: stage.market.stance is Stance.PULLED, 3000), "what the print took is left first"
    stage.move(0)
    stage.run(30_000, step_ms=50)
    assert stage.live() == []
    assert STEP in stage.market.reasons, "and not by what else such a print does to a market"
    assert stage.until(lambda: len(stage.live()) > 0, 120_000)


def test_contexts_that_stop_take_the_quotes_within_five_seconds(tmp_path: Path) -> None:
    """Q27: while the book itself lives."""
    stage = QuoteStage(tmp_path)
    stage.drop('{"channel":"activeAssetCtx"', '{"channel":"allDexsAssetCtxs"')
    for n in range(12):
        stage.move(0.4 * (n % 2))
        stage.run(500)
    assert stage.live() == []
    assert "the market's context is old" in stage.market.reasons, stage.market.reasons


def test_a_budget_at_its_reserve_takes_the_quotes_and_no_exit(tmp_path: Path) -> None:
    """Q29."""
    stage = QuoteStage(tmp_path)
    world = stage.world
    account = world.venue.engine.account(world.user)
    assert account is not None
    account.actions_used = account.action_cap - 505
    world.trading.address.anchor(account.actions_used, account.action_cap)
    assert stage.until(lambda: stage.live() == [], 3000)
    assert any("budget" in why for why in stage.market.reasons)
    world.by_hand(GOLD, BUY, D("0.01"))
    assert stage.until(lambda: GOLD in world.trading.tracker.booked(), 3000)

    world.trading.exiting.request(ExitReason.STOP)
    assert stage.until(lambda: GOLD not in world.exchange_positions(), 5000)


def test_a_restart_cancels_what_rests_before_it_is_ready(tmp_path: Path) -> None:
    """Q32, Q33."""
    stage = QuoteStage(tmp_path)
    world = stage.world
    before = {o["oid"] for o in stage.live()}
    assert len(before) == 4
    sent = len(world.sender.actions())
    world.restart()
    assert stage.until(lambda: world.ready, 20_000)
    assert not before & {o["oid"] for o in stage.live()}
    first = world.sender.actions()[sent]
    assert first["type"] == "cancel"
    assert stage.world.running.trading is not None
    assert stage.until(lambda: len(stage.live()) == 4, 120_000)


def _of_before(stage: QuoteStage, **env: str) -> dict[int, dict[str, Any]]:
    """What rests, and a kill; the next run has other settings."""
    before = {o["oid"]: o for o in stage.live()}
    stage.world.env |= {f"HIP3_{name.upper()}": value for name, value in env.items()}
    stage.world.restart()
    return before


def test_adopted_quotes_keep_their_place_through_the_warm_up(tmp_path: Path) -> None:
    """Q34: one was filled in part while nobody ran."""
    stage = QuoteStage(tmp_path, quote_start="adopt", quote_max_inventory_usd="100")
    world = stage.world
    stage.world.cut()
    stage.take(BUY, "0.001")
    sent = len(world.sender.actions())
    before = _of_before(stage)
    assert stage.until(lambda: world.ready, 20_000)
    stage.run(2000)
    assert {o["oid"] for o in stage.live()} == before.keys()
    assert stage.market.stance is Stance.WAIT
    assert stage.until(lambda: stage.market.stance.quotes, 120_000)
    stage.run(2000)
    assert {o["oid"] for o in stage.live()} == before.keys()
    assert [a for a in world.sender.actions()[sent:] if a["type"] in ("order", "cancel")] == []
    assert {t.oid: t.order.sz - t.executed for t in stage.orders} == {o["oid"]: D(o["sz"]) for o in stage.live()}


def test_a_key_that_the_new_ladder_does_not_have_goes_and_the_others_stay(tmp_path: Path) -> None:
    """Q34: fewer levels than before."""
    stage = QuoteStage(tmp_path, quote_start="adopt")
    inner = {stage.prices(BUY)[0], stage.prices(SELL)[0]}
    before = _of_before(stage, quote_levels="1")
    assert stage.until(lambda: stage.market.stance.quotes, 120_000)
    stage.run(2000)
    assert {o["oid"] for o in stage.live()} < before.keys()
    assert {D(o["limitPx"]) for o in stage.live()} == inner


def test_adopted_quotes_go_where_the_market_has_left_them_or_something_pulls_them(tmp_path: Path) -> None:
    stage = QuoteStage(tmp_path, quote_start="adopt")
    near, far = stage.prices(BUY)
    _of_before(stage)
    assert stage.until(lambda: stage.world.ready, 20_000)
    stage.run(2000)
    stage.move(-6)
    assert stage.until(lambda: stage.prices(BUY) == [far], 2000), near
    assert len(stage.live(SELL)) == 2
    stage.move(40)
    assert stage.until(lambda: stage.live() == [], 2000)
    assert stage.market.stance is Stance.PULLED


def test_a_start_that_takes_too_long_leaves_nothing_resting(tmp_path: Path) -> None:
    stage = QuoteStage(tmp_path, quote_start="adopt")
    _of_before(stage)
    stage.drop('{"channel":"activeAssetCtx"', '{"channel":"allDexsAssetCtxs"')
    assert stage.until(lambda: stage.live() == [], 100_000)


@pytest.mark.parametrize("cause", ["latch", "reduce", "closed"])
def test_whatever_stops_entries_takes_the_quotes_and_says_why(tmp_path: Path, cause: str) -> None:
    """Q42."""
    stage = QuoteStage(tmp_path)
    world = stage.world
    if cause == "latch":
        world.latch.trip("manual", "a test", world.clock.wall_ms())
    elif cause == "reduce":
        world.readiness.reduce("operator", "paused by a person")
    else:
        world.trading.exits.close([GOLD], world.clock.mono_ms() + 60_000)
    assert stage.until(lambda: stage.live() == [], 2000)
    assert stage.market.stance is Stance.LEAVING
    assert stage.market.reasons != ()


def test_a_session_that_ends_takes_the_quotes_a_minute_before(tmp_path: Path) -> None:
    """Q37."""
    stage = QuoteStage(tmp_path, warm=False)
    minute = stage.world.exchange_ms() // 60_000 % 1440 + 4
    ends = f"{minute // 60 % 24:02}:{minute % 60:02}"
    begins = f"{(minute // 60 - 3) % 24:02}:{minute % 60:02}"
    stage = QuoteStage(tmp_path / "sessions", quote_sessions=f"Mon-Sun {begins}-{ends}")
    left = lambda: minute * 60_000 - stage.world.exchange_ms() % 86_400_000  # noqa: E731
    assert stage.until(lambda: stage.market.stance is Stance.CUTOFF, 240_000)
    assert 58_000 <= left() <= 60_000
    assert stage.until(lambda: stage.live() == [], 5000)
    assert left() >= 50_000


def test_losing_trips_of_a_maker_are_no_streak_and_their_loss_is_money(tmp_path: Path) -> None:
    """Q43."""
    stage = QuoteStage(tmp_path, warm=False, hard_stop_max_consecutive_losses="2", hard_stop_max_loss_usd="5")
    from tests.stage import Stage

    for number in range(4):
        Stage.trip(_Teller(stage, number), "-0.5")  # type: ignore[arg-type]
    assert not stage.world.latch.tripped
    for number in range(4, 14):
        Stage.trip(_Teller(stage, number), "-0.5")  # type: ignore[arg-type]
    assert stage.world.latch.tripped
    assert (stage.world.latch.state().reason or "").startswith("max_loss")


def test_a_maker_s_losing_trips_of_before_a_start_are_no_streak_either(tmp_path: Path) -> None:
    stage = QuoteStage(tmp_path, warm=False, hard_stop_max_consecutive_losses="1")
    world = stage.world
    told = ('{"channel":"userFills"', '{"channel":"orderUpdates"')
    world.filter_frame = lambda text: [] if text.startswith(told) else [text]
    for _ in range(3):
        world.by_hand(GOLD, BUY, D("0.01"))
        world.by_hand(GOLD, SELL, D("0.01"))
    world.filter_frame = lambda text: [text]
    world.restart()
    assert stage.until(lambda: world.ready, 10_000)
    stage.run(1000)
    assert world.trading.risk.monitor.net_usd < 0  # they were found
    assert not world.latch.tripped


class _Teller:
    """What `Stage.trip` needs."""

    def __init__(self, stage: QuoteStage, number: int) -> None:
        self.world, self._number, self._stage = stage.world, number * 2, stage

    def px(self, coin: str, bps: float) -> str:
        return str(self._stage.center)

    def run(self, ms: int) -> None:
        self._stage.run(ms)

    def _send(self, frame: dict[str, Any]) -> None:
        self._stage.frame(frame["channel"], frame["data"])


def test_signals_of_a_quoted_market_are_counted_and_dropped(tmp_path: Path) -> None:
    stage = QuoteStage(tmp_path, warm=False, min_edge_bps="0", taker_fee_bps="0")
    world = stage.world
    for bps in (10, 20, 30, 40, 60):
        stage.move(bps)
        stage.run(400)
    taken = [o for o in world.intents.placed if o.coin == GOLD and o.level is None and not o.reduce_only]
    assert taken == []


def test_never_two_orders_of_a_key_are_admitted(tmp_path: Path) -> None:
    stage = QuoteStage(tmp_path)
    (first, *_) = [t.order for t in stage.orders]
    again = stage.world.trading.tracker.admit_all([first], lambda ledger, wished: wished)
    assert again == []
    assert all(t.state is OrderState.OPEN for t in stage.orders)


def test_a_cut_socket_cancels_by_http_and_counts_the_fill_of_meanwhile_once(tmp_path: Path) -> None:
    """Q28."""
    stage = QuoteStage(tmp_path)
    world = stage.world
    world.rest.signed.clear()
    world.cut()
    stage.take(BUY)
    assert stage.until(lambda: stage.live() == [], 4000)
    assert {body["action"]["type"] for body in world.rest.signed} == {"cancel"}
    world.connect()
    assert stage.until(lambda: world.ready, 10_000)
    stage.run(3000)
    assert world.trading.tracker.booked() == world.exchange_positions()


def test_a_price_that_leaves_wakes_the_tick_and_one_that_stays_does_not(tmp_path: Path) -> None:
    stage = QuoteStage(tmp_path)
    woken: list[int] = []
    stage.world.trading.scheduler.wake = lambda: woken.append(1)  # type: ignore[method-assign]
    view = stage.world.trading.market_state.view(GOLD)
    assert view is not None
    assert view.oracle is not None
    quotes = stage.world.trading.quotes
    quotes.moved(view)
    assert woken == []
    quotes.moved(msgspec.structs.replace(view, oracle=view.oracle * D("0.9995")))
    quotes.moved(msgspec.structs.replace(view, oracle=view.oracle * D("0.9990")))
    assert woken == [1]  # once; the tick looks then


# Completion.


def _full(tmp_path: Path, **env: str) -> QuoteStage:
    """Inventory at its bound: one rung of 30 USD was bought."""
    settings = {"quote_levels": "1", "quote_size_usd": "30", "quote_max_inventory_usd": "30"} | env
    stage = QuoteStage(tmp_path, rests=2, **settings)
    stage.take(BUY)
    assert stage.until(lambda: GOLD in stage.world.trading.tracker.booked(), 3000)
    return stage


def _completions(stage: QuoteStage) -> list[Any]:
    return [e["order"] for e in stage.journal("exit") if e["order"].exit_reason is ExitReason.COMPLETION]


def test_full_inventory_is_completed_to_half_within_its_cap(tmp_path: Path) -> None:
    """Q19, Q41: the quotes go first, one reduce-only order within the cap, and quoting goes on after a pause."""
    stage = _full(tmp_path)
    held = stage.world.trading.tracker.booked()[GOLD]
    entry = stage.world.trading.tracker.positions()[0].entry_px
    assert stage.until(lambda: bool(_completions(stage)), 5000)
    (order,) = _completions(stage)
    assert order.reduce_only
    assert order.side is SELL
    assert order.px >= entry * (1 - D(40) / 10_000)
    assert stage.until(lambda: stage.world.trading.tracker.booked().get(GOLD, D(0)) < held, 3000)
    assert stage.until(lambda: len(stage.live()) > 0, 15_000)
    assert stage.market.figures.counts["completions"] == 1
    assert not stage.world.latch.tripped


def test_a_book_beyond_the_cap_gets_no_looser_cap_and_the_quotes_go_on(tmp_path: Path) -> None:
    """Q39."""
    stage = _full(tmp_path, completion_max_loss_usd="0.001", quote_stop_loss_bps="0", completion_max_loss_bps="1")
    stage.run(20_000)
    assert _completions(stage) == []
    assert stage.journal("completion_held")
    assert stage.market.stance is Stance.ONE_SIDED
    assert stage.until(lambda: len(stage.live(SELL)) == 1, 5000)


def test_a_completion_of_unknown_fate_is_followed_by_none(tmp_path: Path) -> None:
    """Q40."""
    stage = _full(tmp_path)
    assert stage.until(lambda: bool(_completions(stage)), 8000)
    stage.world.rest.failing |= {"orderStatus", "/exchange", "userFills", "frontendOpenOrders"}
    stage.world.filter_frame = lambda text: (
        [] if text.startswith(('{"channel":"post"', '{"channel":"user', '{"channel":"orderUpdates"')) else [text]
    )
    stage.run(20_000, step_ms=50)
    assert len(_completions(stage)) == 1


def test_a_reason_to_leave_takes_the_place_of_a_completion(tmp_path: Path) -> None:
    """Q40: one order at a time, whoever wants it."""
    stage = _full(tmp_path)
    assert stage.until(lambda: bool(_completions(stage)), 5000)
    stage.world.trading.exiting.request(ExitReason.MANUAL)
    assert stage.until(lambda: stage.world.exchange_positions() == {}, 5000)
    assert not stage.world.latch.tripped
    assert stage.market.stance is not Stance.COMPLETING


def test_old_inventory_is_completed_whole_where_that_costs_nothing(tmp_path: Path) -> None:
    stage = QuoteStage(
        tmp_path, rests=2, quote_levels="1", quote_max_inventory_usd="100", quote_max_age_s="5", quote_min_half_bps="30"
    )
    stage.take(BUY)
    assert stage.until(lambda: GOLD in stage.world.trading.tracker.booked(), 2000)
    entry = stage.world.trading.tracker.positions()[0].entry_px
    stage.run(4000)
    assert _completions(stage) == []
    assert stage.until(lambda: GOLD not in stage.world.exchange_positions(), 5000)
    (order,) = _completions(stage)
    assert order.px >= entry * (1 + D(9) / 10_000)  # the entry and a taker's fee
    assert stage.until(lambda: stage.market.figures.counts["completions"] == 1, 2000)


def test_inventory_is_gone_by_the_end_of_a_session(tmp_path: Path) -> None:
    """Q37."""
    minute = 1_790_000_000 // 60 % 1440 + 3
    session = f"Mon-Sun {(minute // 60 - 3) % 24:02}:{minute % 60:02}-{minute // 60 % 24:02}:{minute % 60:02}"
    stage = QuoteStage(tmp_path, rests=2, quote_levels="1", quote_max_inventory_usd="100", quote_sessions=session)
    stage.take(BUY)
    assert stage.until(lambda: GOLD in stage.world.exchange_positions(), 2000)
    ends = stage.world.exchange_ms() // 60_000 * 60_000
    while ends // 60_000 % 1440 != minute:
        ends += 60_000
    assert stage.until(lambda: stage.world.exchange_ms() >= ends, 200_000)
    assert stage.world.exchange_positions() == {}
    assert _completions(stage)


def test_a_quote_that_waited_in_the_queue_does_not_leave(tmp_path: Path) -> None:
    stage = QuoteStage(tmp_path)
    quotes, order = stage.world.trading.quotes, stage.orders[0].order
    now_us = stage.world.clock.mono_us()
    assert quotes.refuses(msgspec.structs.replace(order, decided_us=now_us - 500_000)) is None
    assert quotes.refuses(msgspec.structs.replace(order, decided_us=now_us - 1_500_000)) is not None


def test_quotes_that_an_oracle_has_run_over_go_before_anything_else_is_decided(tmp_path: Path) -> None:
    stage = QuoteStage(tmp_path, quote_jump_bps="1000", quote_max_gap_bps="1000")
    bids, before = {o["oid"] for o in stage.live(BUY)}, len(stage.journal("quote_decision"))
    _, outer = stage.prices(BUY)
    market = stage.world.venue.engine.markets[GOLD]
    market.oracle = outer
    assert stage.until(lambda: bool(stage.actions("cancel")))
    first = stage.journal("quote_decision")[before]
    assert {s.why for s in first["steps"]} == {Why.RETREAT}
    assert {s.side for s in first["steps"]} == {BUY}
    assert {c["o"] for c in stage.actions("cancel")[0]["cancels"]} == bids
    assert first["fair"].bid > outer, "the market was priced anew before"
    assert stage.until(lambda: len(stage.prices(BUY)) == 2)


def test_a_stranger_s_position_is_no_inventory_to_complete(tmp_path: Path) -> None:
    """HIP3_FOREIGN_POSITIONS=watch: shown, never touched. It was sold down to half of the largest inventory."""
    few = {"quote_levels": "1", "quote_size_usd": "30", "quote_max_inventory_usd": "30"}
    stage = QuoteStage(tmp_path, rests=2, foreign_positions="watch", **few)
    stage.world.by_hand(GOLD, BUY, D("0.05"))
    assert stage.until(lambda: stage.live() == [], 5000)
    stage.run(20_000)
    assert _completions(stage) == []
    assert stage.world.exchange_positions() == {GOLD: D("0.05")}


def test_a_patient_completion_stays_patient_until_something_presses(tmp_path: Path) -> None:
    """Its second look took what is left to do for full inventory, and sold at the price of an emergency."""
    stage = QuoteStage(
        tmp_path, rests=2, quote_levels="1", quote_size_usd="35", quote_max_inventory_usd="42", quote_min_half_bps="30"
    )
    stage.take(BUY)
    tracker = stage.world.trading.tracker
    assert stage.until(lambda: GOLD in tracker.booked(), 3000)
    (position,) = tracker.positions()
    assert stage.until(lambda: bool(stage.journal("completion")), 150_000), stage.market.reasons
    assert stage.journal("completion")[0]["why"] == "its inventory stays"
    stage.run(5000)
    least = position.entry_px * (1 + D(9) / 10_000)
    assert _completions(stage)
    assert [order.px for order in _completions(stage) if order.px < least] == []


def test_two_trades_of_one_quote_and_one_of_another_are_a_sweep_by_their_last_times() -> None:
    params = quote_params(MarketSettings(Settings()), GOLD)
    pulls = Pulls(params)
    assert not pulls.filled(BUY, "a", 0)
    assert not pulls.filled(BUY, "a", 500)
    assert not pulls.filled(BUY, "a", 5000)
    assert pulls.filled(BUY, "b", 5300)
    assert pulls.side(BUY, 5301)


def test_a_quote_that_rested_for_long_has_the_same_patience_for_its_fill(tmp_path: Path) -> None:
    """Its age by its sending asked for the fills at once, called userFills silent, and disclaimed what was bought."""
    stage = QuoteStage(tmp_path, rests=2, quote_levels="1")
    stage.run(5000)
    stage.world.rest.asked.clear()
    late: list[str] = []

    def hold_back(text: str) -> list[str]:
        if not text.startswith('{"channel":"userFills"'):
            return [text]
        late.append(text)
        return []

    stage.world.filter_frame = hold_back
    stage.take(BUY)
    stage.run(1500)
    assert late, "the fill is on its way"
    assert [r for r in stage.world.rest.asked if r["type"] == "userFills"] == []
    stage.world.filter_frame = lambda text: [text]
    for text in late:
        stage.world.inject(text)
    stage.run(35_000, step_ms=50)
    assert GOLD in stage.world.trading.tracker.booked()
    assert not [r for r in stage.world.journal.of("reducing") if r["owner"] == "private stream" and r["why"]]


def test_a_quote_that_a_limit_cuts_is_not_placed_anew_for_ever(tmp_path: Path) -> None:
    """The ladder knows nothing of the gates: it found what they had left too small, once a second, all day."""
    stage = QuoteStage(tmp_path, rests=2, quote_levels="1", max_notional_per_market="40", quote_fill_delay_ms="0")
    stage.world.rest_by_hand(GOLD)  # a person's buy leaves less room on its side
    stage.run(10_000)
    before = stage.sent()
    stage.run(50_000, step_ms=50)
    assert stage.sent() - before <= 4, "a placement now and then, to see whether there is room again"


def test_margin_that_was_short_hours_ago_in_another_market_turns_none_off(tmp_path: Path) -> None:
    stage = QuoteStage(tmp_path, rests=2, quote_levels="1")
    heard, how = stage.world.trading.quotes._heard, reaction("Insufficient margin to place order.")
    other = QuotedMarket("xyz:TSLA", stage.market.params)
    for hours in (0, 3, 6):
        heard._dex_wide(other, how, 60_000, hours * 3_600_000)
        assert (other.scale, other.off) == (Decimal("0.5"), "")


@pytest.mark.parametrize(
    ("status", "what"), [("marginCanceled", "margin"), ("liquidatedCanceled", "took"), ("openInterestCapCanceled", "")]
)
def test_what_the_exchange_takes_away_has_the_same_consequence_as_a_refusal(
    tmp_path: Path, status: str, what: str
) -> None:
    stage = QuoteStage(tmp_path, rests=2, quote_levels="1")
    now = stage.world.clock.mono_ms()
    order = next(t.order for t in stage.orders if t.order.side is BUY)
    heard = stage.world.trading.quotes._heard
    event = OrderChanged(
        order=order, before=OrderState.OPEN, after=OrderState.CANCELED, why=status, executed=D(0), avg_px=D(0)
    )
    heard._one(event, now)
    if what:
        assert [why for why in stage.market.pulls.reasons(now) if what in why]
    else:
        assert stage.market.pulls.side(BUY, now)


def test_full_inventory_that_is_old_is_completed_at_the_price_of_an_emergency(tmp_path: Path) -> None:
    """Its age came first, and asked for break-even: from a quarter of an hour on nobody took it."""
    stage = _full(tmp_path, quote_max_age_s="2", completion_max_loss_usd="0.001", quote_stop_loss_bps="0")
    stage.run(3000)
    assert stage.market.completing is None or stage.market.completing.emergency
    told = stage.journal("completion")
    assert {record["why"] for record in told} == {"its inventory is full"}


def test_tries_that_find_somebody_are_no_tries_that_found_nobody(tmp_path: Path) -> None:
    """After ten orders that all matched it was held for a minute, with half of what was to go left."""
    limits = {"max_notional_per_market": "400", "max_notional_total": "400", "completion_max_usd": "11"}
    stage = QuoteStage(
        tmp_path, rests=2, quote_levels="1", quote_size_usd="60", quote_max_inventory_usd="350",
        quote_stop_loss_bps="0", **limits,
    )  # fmt: skip
    stage.world.by_hand(GOLD, BUY, D("0.085"))
    assert stage.until(lambda: stage.market.figures.counts["completions"] == 1, 60_000), stage.journal(
        "completion_held"
    )
    assert len(_completions(stage)) > 10
    assert stage.journal("completion_held") == []
