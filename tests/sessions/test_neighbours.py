"""What concerns one market, another dex or another kind of account costs the others nothing."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hip3.core.events import OrderUpdate
from hip3.core.money import round_price
from hip3.core.orders import ExitReason, Side
from hip3.errors import PreflightError
from hip3.execution.truth.strangers import STORM
from hip3.execution.truth.universe import learn_universe
from hip3.position.tracked import Opening
from hip3.venue.engine import halts
from tests.builders import exit_order
from tests.service.apps import status_of
from tests.world import quiet_world

D = Decimal
GOLD, TSLA = "xyz:GOLD", "xyz:TSLA"


@pytest.mark.parametrize("coin", ["BTC", "@107", "flx:OIL"])
def test_orders_of_other_dexs_are_no_exposure_and_no_storm(tmp_path: Path, coin: str) -> None:
    world = quiet_world(tmp_path)
    for oid in range(STORM + 10):
        update = OrderUpdate(
            coin=coin, side=Side.BUY, oid=oid, cloid=None, limit_px=D(60_000), remaining=D("0.01"), orig_sz=D("0.01"),
            status="open", status_ms=1,
        )  # fmt: skip
        world.trading.orders_in.on_order_updates((update,), world.clock.mono_ms())
    world.run(300)
    assert world.trading.tracker.ledger().foreign == {}
    assert world.ready


def test_the_fate_of_our_own_order_is_heard_wherever_it_was(tmp_path: Path) -> None:
    """A dex that is configured no more: an earlier run's order there must not stay unknown for ever."""
    world = quiet_world(tmp_path)
    wished = exit_order(1, coin="flx:OIL")
    world.trading.tracker.register(wished)
    world.trading.tracker.mark_sent(wished.cloid, nonce=1, expires_ms=None, generation=1, mono_ms=0)
    update = OrderUpdate(
        coin="flx:OIL", side=wished.side, oid=5, cloid=wished.cloid, limit_px=wished.px, remaining=wished.sz,
        orig_sz=wished.sz, status="canceled", status_ms=1,
    )  # fmt: skip
    world.trading.orders_in.on_order_updates((update,), world.clock.mono_ms())
    assert world.trading.tracker.live() == []


def test_a_market_without_context_after_a_reconnect_holds_up_no_other(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, markets=f"{GOLD},{TSLA}")
    world.cut()
    world.filter_frame = lambda text: [] if '"activeAssetCtx"' in text[:40] and TSLA in text else [text]
    world.connect()
    world.run(5000)
    assert not world.ready
    assert world.run_until(lambda: world.ready, 15_000)
    assert "no market data" in status_of(world)["blocked"][TSLA]
    world.filter_frame = lambda text: [text]
    assert world.run_until(lambda: TSLA not in status_of(world)["blocked"], 10_000)


def test_a_connection_that_tells_of_no_market_at_all_is_not_ready(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    world.cut()
    world.filter_frame = lambda text: [] if '"activeAssetCtx"' in text[:40] else [text]
    world.connect()
    world.run(20_000, 50)
    assert not world.ready


@pytest.mark.parametrize("equity", [D(0), D(-1)])
def test_an_equity_of_nothing_is_not_known_rather_than_no_limit(tmp_path: Path, equity: Decimal) -> None:
    world = quiet_world(tmp_path, max_drawdown_pct=D(5))
    world.trading.view.equity = equity
    world.trading.risk._look()
    assert any("equity" in why for why in world.readiness.word(world.clock.mono_ms(), tripped=False)[1])


def test_a_market_that_is_halted_at_a_restart_keeps_no_other_position_open(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, markets=f"{GOLD},{TSLA}")
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 3000)
    halts.halt(world.venue.engine, world.venue.engine.markets[TSLA], world.exchange_ms())
    world.restart()
    assert world.run_until(lambda: world.ready, 20_000)
    assert "delisted" in status_of(world)["blocked"][TSLA]
    assert world.flatten()


def test_a_position_in_a_market_that_is_listed_again_is_left(tmp_path: Path) -> None:
    """A market halted as the service starts has no position; once it is back, one may be opened in it."""
    world = quiet_world(tmp_path, markets=f"{GOLD},{TSLA}", foreign_positions="manage", time_stop_ms=2000)
    market = world.venue.engine.markets[TSLA]
    halts.halt(world.venue.engine, market, world.exchange_ms())
    world.restart()
    assert world.run_until(lambda: world.ready, 20_000)
    halts.resume(market)
    world.venue.move(TSLA, market.oracle, world.exchange_ms())  # somebody quotes in it
    world.by_hand(TSLA, Side.BUY, D("0.1"))
    assert world.run_until(lambda: TSLA in world.trading.tracker.booked(), 3000)
    assert world.run_until(lambda: not world.exchange_positions(), 20_000)
    world.run(61_000, 500)
    assert "next start" in world.trading.markets.approve(TSLA)  # its margin was not looked at


def test_an_approval_opens_no_market_that_another_duty_closed_since(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    markets, blocked = world.trading.housekeeping._markets, world.trading.blocked
    markets._stop(GOLD, "its lot has changed")
    blocked.margin[GOLD] = "margin could not be set"
    assert blocked[GOLD] == "its lot has changed"
    markets.approve(GOLD)
    assert blocked[GOLD] == "margin could not be set"
    del blocked.margin[GOLD]
    assert GOLD not in blocked


def test_an_approval_opens_no_market_that_was_closed_for_another_reason_since(tmp_path: Path) -> None:
    """In the same place: the duty that reads the markets has found more meanwhile."""
    world = quiet_world(tmp_path)
    markets = world.trading.housekeeping._markets
    blocked = markets._blocked
    markets._stop(GOLD, "its lot has changed")
    blocked[GOLD] = "it is delisted"
    markets.approve(GOLD)
    assert blocked[GOLD] == "it is delisted"
    markets._stop(TSLA, "its lot has changed")
    markets.approve(TSLA)
    assert TSLA not in blocked
    markets.approve(TSLA)  # nothing stopped it
    blocked[TSLA] = "it is delisted"
    markets.approve(TSLA)
    assert blocked[TSLA] == "it is delisted"


def test_a_stream_of_quotes_that_died_alone_is_found_by_its_mark_and_traded_on_no_more(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, markets=f"{GOLD},{TSLA}")
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 3000)
    dead = f'{{"channel":"bbo","data":{{"coin":"{GOLD}"'
    world.filter_frame = lambda text: [] if text.startswith(dead) else [text]
    market = world.venue.engine.markets[GOLD]
    px = round_price(market.oracle * D("0.985"), market.info.sz_decimals, up=True)
    world.venue.move(GOLD, px, world.exchange_ms())
    assert world.run_until(lambda: bool(world.journal.of("stream_dead")), 15_000)
    world.run(100)
    assert world.generation == 2  # the connection was begun anew
    assert GOLD in world.trading.gates.standing()
    assert TSLA not in world.trading.gates.standing()
    view = world.trading.market_state.view(GOLD)
    assert view is not None
    assert view.bid is not None
    assert abs(view.bid.px - px) < px * D("0.005")
    world.run(30_000, 50)
    assert world.generation == 2  # and not again and again
    assert world.flatten()


def test_a_quiet_book_that_is_the_one_we_have_is_no_dead_stream(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    world.rest.asked.clear()
    world.run(40_000, 50)
    assert [r for r in world.rest.asked if r["type"] == "l2Book"]  # it was asked for, and was no other
    assert world.journal.of("stream_dead") == []
    assert world.generation == 1


def test_an_answer_without_a_book_makes_no_live_stream_a_dead_one(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    honest, asked = world.rest.info_json, []

    def empty(request: dict[str, Any]) -> Any:
        if request["type"] != "l2Book":
            return honest(request)
        asked.append(request["coin"])
        return {"coin": request["coin"], "time": world.exchange_ms() + 1000, "levels": [[], []]}

    world.rest.info_json = empty  # type: ignore[method-assign]
    world.run(40_000, 50)
    assert asked
    assert world.journal.of("stream_dead") == []
    assert world.generation == 1


def test_a_worth_that_cannot_be_read_costs_nothing_but_the_limits_on_it(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    world.trading.view.mode = "unknown"
    world.rest.failing.add("userAbstraction")
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    world.filter_frame = lambda text: []
    world.trading.tracker.adopt(GOLD, D(0), Opening(px=D(0), ms=0))
    world.trading.view.doubt()
    world.run(3000)
    assert world.trading.view.equity is None
    assert GOLD in world.trading.view.marks  # the rest of the reading stands


def test_a_dex_that_is_gone_keeps_no_position_elsewhere_from_being_left(tmp_path: Path) -> None:
    """A start ended with exit code 4, and what was held in another dex stayed."""
    world = quiet_world(tmp_path, markets=f"{GOLD},para:AVGO", foreign_positions="manage")
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 3000)
    world.run(1500)
    honest = type(world.rest).info_json.__get__(world.rest)

    def without(request: dict[str, Any]) -> Any:
        answer = honest(request)
        return [d for d in answer if d is None or d["name"] != "para"] if request["type"] == "perpDexs" else answer

    world.rest.info_json = without  # type: ignore[method-assign]
    world.restart()
    assert world.trading.blocked["para:AVGO"] == "its dex para is gone"
    world.trading.exiting.request(ExitReason.STOP)
    assert world.run_until(lambda: not world.exchange_positions(), 5000)
    with pytest.raises(PreflightError, match="dex para does not exist"):
        learn_universe(world.rest, world.settings.base, world.user)


def test_funding_of_other_dexs_is_no_result_of_ours(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    rows = [
        {"time": world.exchange_ms(), "coin": coin, "usdc": "-7.5", "szi": "1", "fundingRate": "0.0001"}
        for coin in ("BTC", "flx:OIL")
    ]
    world.inject(json.dumps({"channel": "userFundings", "data": {"user": world.user, "fundings": rows}}))
    assert world.trading.tracker.funding() == 0
    ours = rows[0] | {"coin": GOLD, "usdc": "-0.25"}
    world.inject(json.dumps({"channel": "userFundings", "data": {"user": world.user, "fundings": [ours]}}))
    assert world.trading.tracker.funding() == D("-0.25")
