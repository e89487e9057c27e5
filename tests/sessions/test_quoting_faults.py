"""Quoting where something goes wrong: acceptance cases of the specification as sessions of service and exchange."""

import random
from pathlib import Path
from typing import Any

import pytest

from hip3.core.orders import Side
from hip3.execution.quotes.pacing import BURST
from hip3.execution.quotes.stance import Stance
from hip3.strategy.quote_diff import Why
from tests.builders import D
from tests.sessions.quoting import GOLD, QuoteStage

BUY, SELL = Side.BUY, Side.SELL
NEVER = {"error": "Order was never placed, already canceled, or filled. asset=110003"}


def _keys(stage: QuoteStage) -> list[tuple[Side, int | None]]:
    return [(t.order.side, t.order.level) for t in stage.orders]


def _cancels_named(stage: QuoteStage, oid: int) -> int:
    return sum(c["o"] == oid for a in stage.actions("cancel") for c in a["cancels"])


def test_a_cancel_that_is_refused_while_the_order_rests_is_sent_again_and_the_key_waits(tmp_path: Path) -> None:
    """Q8."""
    stage = QuoteStage(tmp_path)
    engine = stage.world.venue.engine
    honest = engine.cancel_oid
    engine.cancel_oid = lambda *a: NEVER  # type: ignore[method-assign]
    near = max(stage.live(BUY), key=lambda o: D(o["limitPx"]))
    stage.move(-3)
    stage.run(4500)
    assert near["oid"] in {o["oid"] for o in stage.live(BUY)}
    assert _cancels_named(stage, near["oid"]) >= 3
    assert len(_keys(stage)) == len(set(_keys(stage)))  # it is counted as long as it may live
    engine.cancel_oid = honest  # type: ignore[method-assign]
    assert stage.until(lambda: near["oid"] not in {o["oid"] for o in stage.live(BUY)}, 6000)
    assert stage.until(lambda: len(stage.live()) == 4, 60_000)


def test_a_cancel_without_a_proof_pulls_its_side_and_no_other(tmp_path: Path) -> None:
    """Q10."""
    stage = QuoteStage(tmp_path)
    engine = stage.world.venue.engine
    honest = engine.cancel_oid
    near = max(stage.live(BUY), key=lambda o: D(o["limitPx"]))["oid"]
    engine.cancel_oid = lambda a, m, oid, now: NEVER if oid == near else honest(a, m, oid, now)  # type: ignore[method-assign]
    stage.move(-3)
    assert stage.until(lambda: stage.market.stance is Stance.ONE_SIDED, 40_000)
    stage.run(3000)
    assert [o["oid"] for o in stage.live(BUY)] == [near]
    assert len(stage.live(SELL)) == 2
    assert not stage.world.latch.tripped
    assert stage.world.ready
    engine.cancel_oid = honest  # type: ignore[method-assign]
    assert stage.until(lambda: stage.market.stance is Stance.QUOTING and len(stage.live()) == 4, 60_000)


def test_a_start_whose_cancels_are_refused_is_not_ready_until_they_are_through(tmp_path: Path) -> None:
    """Q33."""
    stage = QuoteStage(tmp_path)
    world = stage.world
    engine = world.venue.engine
    honest = engine.cancel_oid
    engine.cancel_oid = lambda *a: NEVER  # type: ignore[method-assign]
    before = {o["oid"] for o in stage.live()}
    world.restart()
    for _ in range(24):
        stage.run(5000, step_ms=50)
        assert not world.ready
        assert {o["oid"] for o in stage.live()} == before
    engine.cancel_oid = honest  # type: ignore[method-assign]
    assert stage.until(lambda: world.ready, 60_000)
    assert not before & {o["oid"] for o in stage.live()}


def test_a_quote_whose_end_was_not_told_is_asked_for_as_its_cancel_is_refused(tmp_path: Path) -> None:
    """Seed 29037848: the account could not be read, and a stop asked for the cancel of one that was gone 200 times."""
    stage = QuoteStage(tmp_path)
    world = stage.world
    world.filter_frame = lambda text: [] if '"orderUpdates"' in text else [text]
    near = max(stage.live(BUY), key=lambda o: D(o["limitPx"]))["oid"]
    world.rest.failing |= {"clearinghouseState", "frontendOpenOrders", "openOrders"}
    account = world.venue.engine.account(world.user)
    assert account is not None
    world.venue.engine.cancel_oid(account, world.venue.engine.markets[GOLD], near, world.exchange_ms())
    stage.move(-3)
    assert stage.until(lambda: near not in {t.oid for t in stage.orders}, 5000)
    assert _cancels_named(stage, near) <= 3


def test_a_quote_that_rests_although_its_cancel_is_refused_costs_little_weight(tmp_path: Path) -> None:
    """Its status is asked for with each refusal; the account's fills, which are ten times as dear, are not."""
    stage = QuoteStage(tmp_path)
    world = stage.world
    world.venue.engine.cancel_oid = lambda *a: NEVER  # type: ignore[method-assign]
    stage.move(-3)
    world.rest.asked.clear()
    stage.run(4500)
    asked = [request["type"] for request in world.rest.asked]
    assert asked.count("orderStatus") >= 2
    assert asked.count("userFills") <= 1 + asked.count("clearinghouseState")


def test_an_order_that_neither_cancel_nor_status_knows_is_asked_for_ever_more_slowly(tmp_path: Path) -> None:
    stage = QuoteStage(tmp_path)
    world = stage.world
    (near, *_) = stage.orders
    assert near.oid is not None
    world.rest.failing |= {"clearinghouseState", "frontendOpenOrders", "openOrders"}
    world.trading.tracker.say_gone(near.oid)
    honest = world.rest.info_json

    def unknown(request: dict[str, Any]) -> Any:
        return {"status": "unknownOid"} if request["type"] == "orderStatus" else honest(request)

    world.rest.info_json = lambda r: world.rest.asked.append(r) or unknown(r)  # type: ignore[method-assign]
    world.rest.asked.clear()
    stage.run(20_000)
    times = [r for r in world.rest.asked if r["type"] == "orderStatus" and r["oid"] == near.order.cloid]
    assert 2 <= len(times) <= 8


@pytest.mark.parametrize("inventory", [1, -1])
def test_a_position_makes_no_room_for_quotes_of_its_other_side(tmp_path: Path, inventory: int) -> None:
    """Seeds 29027213 and 29034056: an exit took the position while the quotes that counted on it still rested."""
    stage = QuoteStage(tmp_path, quote_max_inventory_usd="40", quote_size_usd="25", quote_size_decay="1")
    reducing, increasing = (SELL, BUY) if inventory > 0 else (BUY, SELL)
    stage.take(increasing)
    assert stage.until(lambda: bool(stage.world.trading.tracker.booked()), 3000)
    stage.run(60_000, step_ms=50)
    worth = sum(D(o["limitPx"]) * D(o["sz"]) for o in stage.live(reducing))
    assert 0 < worth <= 40


def test_an_empty_list_is_an_answer(tmp_path: Path) -> None:
    """Q35: the exchange has ended all quotes, and nobody said so."""
    stage = QuoteStage(tmp_path)
    world = stage.world
    before = {o["oid"] for o in stage.live()}
    stage.drop('{"channel":"orderUpdates"')
    account = world.venue.engine.account(world.user)
    assert account is not None
    world.venue.engine.cancel_all(account, GOLD, world.exchange_ms())
    stage.run(200)
    assert stage.live() == []
    world.filter_frame = lambda text: [text]
    assert stage.until(lambda: len(stage.live()) == 4, 120_000)
    assert not before & {t.oid for t in stage.orders}


@pytest.mark.parametrize("tag", ["68697033", "11111111"])
def test_a_storm_of_unknown_orders_takes_the_quotes(tmp_path: Path, tag: str) -> None:
    """Q36: orders with our tag, as if another process of ours traded, and of anybody."""
    stage = QuoteStage(tmp_path)
    for n in range(60):
        stage.world.rest_by_hand(GOLD, cloid=f"0x{tag}77{n:022x}")
    assert stage.until(lambda: not [o for o in stage.orders if o.oid is not None and _rests(stage, o.oid)], 10_000)
    assert not stage.market.stance.quotes
    assert not stage.world.latch.tripped


def _rests(stage: QuoteStage, oid: int) -> bool:
    return oid in {o["oid"] for o in stage.live()}


@pytest.mark.long
def test_an_hour_of_a_market_that_moves_costs_what_the_budget_gives(tmp_path: Path) -> None:
    """Q31."""
    stage = QuoteStage(tmp_path)
    rng = random.Random(31)
    at, rate = 0.0, stage.world.trading.quotes._pacing._rate  # type: ignore[union-attr]
    half = stage.market.half_bps
    for _ in range(3600):
        at += rng.gauss(0, 1)
        stage.move(round(at, 1))
        stage.run(1000, step_ms=100)
    decisions = stage.journal("quote_decision")
    improved = sum(s.why in (Why.IMPROVE, Why.REPLENISH) for d in decisions for s in d["steps"])
    placed = sum(s.why is Why.PLACE for d in decisions for s in d["steps"])
    assert placed > 50
    assert improved + placed <= rate * 3_600_000 + BURST + 4
    assert stage.market.half_bps is not None
    assert half is not None
    assert stage.market.half_bps <= half * 3  # volatility widens it, never the budget
