"""Exits: the rules, one owner, attempts that go on and get worse, and a price for every case."""

from decimal import Decimal
from typing import Any

import pytest

from hip3.core.ledger import PositionView
from hip3.core.market import Level
from hip3.core.orders import ExitReason, Side
from hip3.position.exit_rules import ExitParams, decide
from hip3.position.exits import ExitDesk
from hip3.position.flatten import build
from tests.builders import COIN, D, spec, view

PARAMS = ExitParams(
    time_stop_ms=30_000, regression_bps=D(5), min_holding_ms=1000, slippage_bps=D(50), step_bps=D(50),
    max_slippage_bps=D(300),
)  # fmt: skip


def _position(szi: str = "0.012", entry_ms: int = 0) -> PositionView:
    return PositionView(coin=COIN, szi=D(szi), entry_px=D(3990), entry_ms=entry_ms, entry_edge_bps=D(20))


def _touch(bid: str, ask: str) -> dict[str, Any]:
    return {"bid": Level(D(bid), D(1)), "ask": Level(D(ask), D(1))}


@pytest.mark.parametrize(
    ("szi", "touch", "age", "reason"),
    [
        ("0.01", ("3998", "3999"), 1000, ExitReason.MARK_REGRESSION),  # exactly 5 bps below
        ("0.01", ("3997.9", "3999"), 1000, None),
        ("0.01", ("3999", "4000"), 999, None),  # too young
        ("-0.01", ("4001", "4002"), 1000, ExitReason.MARK_REGRESSION),
        ("-0.01", ("4001", "4002.1"), 1000, None),
        ("0.01", ("3900", "3901"), 30_000, None),
        ("0.01", ("3900", "3901"), 30_001, ExitReason.TIME_STOP),
        ("0.01", ("4001", "4000"), 2000, None),  # crossed: no price to trust
    ],
)
def test_the_rules(szi: str, touch: tuple[str, str], age: int, reason: ExitReason | None) -> None:
    assert decide(_position(szi), view(**_touch(*touch)), PARAMS, age) is reason


def test_the_time_stop_needs_no_market_data() -> None:
    assert decide(_position(), None, PARAMS, 30_001) is ExitReason.TIME_STOP
    assert decide(_position(), None, PARAMS, 20_000) is None


def test_one_attempt_at_a_time_then_worse_then_slow() -> None:
    desk = ExitDesk(6000)
    slippages, now = [], 0
    for attempt in range(1, 9):
        plan = desk.claim(COIN, ExitReason.TIME_STOP, PARAMS, now)
        assert plan is not None
        assert plan.attempt == attempt
        slippages.append(plan.slippage_bps)
        desk.started(COIN, f"c{attempt}")
        assert desk.claim(COIN, ExitReason.MARK_REGRESSION, PARAMS, now + 5999) is None
        assert desk.ended(COIN, f"c{attempt}", PARAMS, now)
        wait = 300 if attempt < 6 else 5000
        assert desk.claim(COIN, ExitReason.TIME_STOP, PARAMS, now + wait - 1) is None
        now += wait
    assert slippages == [50, 100, 150, 200, 250, 300, 300, 300]
    assert desk.requested(COIN) is ExitReason.TIME_STOP


def test_a_claim_whose_end_nobody_tells_expires() -> None:
    desk = ExitDesk(6000)
    assert desk.claim(COIN, ExitReason.TIME_STOP, PARAMS, 0) is not None
    desk.started(COIN, "lost")
    assert desk.claim(COIN, ExitReason.TIME_STOP, PARAMS, 5999) is None
    again = desk.claim(COIN, ExitReason.TIME_STOP, PARAMS, 6000)
    assert again is not None
    assert (again.attempt, again.predecessor) == (2, "lost")


def test_the_end_of_an_older_attempt_does_not_end_the_current_one() -> None:
    desk = ExitDesk(6000)
    desk.claim(COIN, ExitReason.TIME_STOP, PARAMS, 0)
    desk.started(COIN, "one")
    desk.ended(COIN, "one", PARAMS, 10)
    desk.claim(COIN, ExitReason.TIME_STOP, PARAMS, 400)
    desk.started(COIN, "two")
    assert not desk.ended(COIN, "one", PARAMS, 500)
    assert desk.claim(COIN, ExitReason.TIME_STOP, PARAMS, 800) is None


def test_flat_forgets_and_a_request_stays_until_then() -> None:
    desk = ExitDesk(6000)
    desk.request(COIN, ExitReason.HARD_STOP, 0)
    desk.request(COIN, ExitReason.STOP, 1)
    assert desk.exiting() == {COIN: (ExitReason.HARD_STOP, 0)}
    assert desk.failed(COIN) == 1
    desk.flat(COIN)
    assert desk.requested(COIN) is None
    assert desk.failed(COIN) == 0


@pytest.mark.parametrize(
    ("szi", "known", "side", "px"),
    [
        ("0.012", {}, Side.SELL, "3979"),  # bid 3999 - 50 bps = 3979.005, down to the next legal price
        ("-0.012", {}, Side.BUY, "4020"),
        ("0.012", {"bid": None}, Side.SELL, "3980"),  # no bid: the mark
        ("0.012", {"bid": None, "mark": None, "oracle": D(4100)}, Side.SELL, "4079.5"),
    ],
)
def test_the_order_sells_to_the_other_side_this_much_worse(
    szi: str, known: dict[str, Any], side: Side, px: str
) -> None:
    order = _built(szi, view(**known))
    assert order is not None
    assert (order.side, order.px, order.sz, order.reduce_only) == (side, D(px), D("0.012"), True)


def test_without_any_price_there_is_no_order() -> None:
    assert _built("0.012", view(bid=None, ask=None, mark=None, oracle=None)) is None
    assert _built("0.012", None) is None


def test_dust_is_closed_whole() -> None:
    order = _built("0.0001", view())
    assert order is not None
    assert order.sz == Decimal("0.0001")


def _built(szi: str, market: Any) -> Any:
    return build(
        _position(szi), market, spec(sz_decimals=4), cloid="0x1", reason=ExitReason.STOP, slippage_bps=D(50),
        attempt=1, predecessor=None, wall_ms=0, mono_us=0,
    )  # fmt: skip
