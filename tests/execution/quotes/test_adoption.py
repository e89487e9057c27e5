"""Q34: what keeps its place over a start, by what the intent log and the list of the exchange say."""

from decimal import Decimal
from typing import Any

import pytest

from hip3.core.events import OrderUpdate
from hip3.core.order_state import OrderState
from hip3.core.orders import PendingOrder, Side, Tif
from hip3.execution.quotes.adoption import adoptable, as_they_rest
from hip3.position.tracked import TrackedOrder
from hip3.strategy.fair import Fair
from tests.builders import COIN, D, order

FAIR = Fair(bid=D("4004"), ask=D("4004"), gap_bps=D(0))


def _quote(number: int, **kw: Any) -> PendingOrder:
    return order(number, **({"level": 0, "tif": Tif.ALO, "created_ms": number} | kw))


def _listed(placed: PendingOrder, **kw: Any) -> OrderUpdate:
    base: dict[str, Any] = {
        "coin": placed.coin, "side": placed.side, "oid": placed.created_ms, "cloid": placed.cloid,
        "limit_px": placed.px, "remaining": placed.sz, "orig_sz": placed.sz, "status": "open", "status_ms": 1,
    }  # fmt: skip
    return OrderUpdate(**(base | kw))


def _stay(orders: list[OrderUpdate], placed: list[PendingOrder]) -> frozenset[int]:
    books = {o.cloid: TrackedOrder(o) for o in placed}
    first = adoptable(orders, books.get, {COIN})
    assert adoptable(list(reversed(orders)), books.get, {COIN}) == first
    return first


def test_quotes_that_log_and_list_agree_on_stay_also_what_is_left_of_one() -> None:
    placed = [_quote(1), _quote(2, level=1), _quote(3, side=Side.SELL)]
    listed = [_listed(placed[0]), _listed(placed[1], remaining=D("0.005")), _listed(placed[2])]
    assert _stay(listed, placed) == {1, 2, 3}


@pytest.mark.parametrize(
    "differs",
    [{"limit_px": D("4001")}, {"side": Side.SELL}, {"remaining": D("0.02")}, {"cloid": None}, {"coin": "xyz:OTHER"}],
)
def test_one_that_they_do_not_agree_on_goes(differs: dict[str, Any]) -> None:
    placed = _quote(1)
    assert _stay([_listed(placed, **differs)], [placed]) == frozenset()


def test_one_without_an_intent_goes_and_so_does_what_is_no_quote() -> None:
    assert _stay([_listed(_quote(1)), _listed(_quote(2, level=None))], [_quote(2, level=None)]) == frozenset()


def test_of_two_with_one_key_the_older_stays() -> None:
    placed = [_quote(1), _quote(2, px=D("3999")), _quote(3, level=1)]
    assert _stay([_listed(o) for o in placed], placed) == {1, 3}


def test_a_market_that_is_quoted_no_more_keeps_nothing() -> None:
    placed = _quote(1)
    assert adoptable([_listed(placed)], {placed.cloid: TrackedOrder(placed)}.get, ()) == frozenset()


@pytest.mark.parametrize(
    ("fair", "sides", "keep_bps", "stays"),
    [
        (None, {Side.BUY, Side.SELL}, D(5), True),
        (FAIR, {Side.BUY, Side.SELL}, D(9), True),
        (FAIR, {Side.BUY, Side.SELL}, D(11), False),
        (FAIR, {Side.SELL}, D(5), False),
    ],
)
def test_an_adopted_bid_stays_while_it_is_worth_it_and_its_side_is_open(
    fair: Fair | None, sides: set[Side], keep_bps: Decimal, stays: bool
) -> None:
    tracked = TrackedOrder(_quote(1))
    tracked.state = OrderState.OPEN
    assert bool(as_they_rest([tracked], fair, sides, keep_bps)) is stays
