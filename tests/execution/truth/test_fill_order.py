"""Fills of one millisecond, listed in any order, are put into the one in which they happened."""

import random
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from hip3.core.orders import Side
from hip3.execution.truth.account import positions_of
from hip3.execution.truth.fill_order import newest_first
from tests.builders import fill

D = Decimal
STEPS = st.lists(
    st.tuples(st.sampled_from(["x:A", "x:B"]), st.integers(-5, 5).filter(bool), st.booleans()), max_size=14
)


@given(STEPS, st.randoms(use_true_random=False))
def test_any_listing_within_an_instant_ends_where_the_exchange_does(
    steps: list[tuple[str, int, bool]], chance: random.Random
) -> None:
    held: dict[str, Decimal] = {}
    made, now = [], 1000
    for tid, (coin, signed, later) in enumerate(steps):
        now += later
        start = held.get(coin, D(0))
        held[coin] = start + signed
        side = Side.BUY if signed > 0 else Side.SELL
        made.append(fill(tid, coin=coin, time_ms=now, side=side, sz=D(abs(signed)), start_position=start))
    listed = sorted(made, key=lambda f: (-f.time_ms, chance.random()))
    ordered = newest_first(listed)
    assert sorted(ordered, key=lambda f: f.tid) == sorted(made, key=lambda f: f.tid)
    assert positions_of(ordered) == {coin: szi for coin, szi in held.items() if szi}


def test_four_parts_of_one_order_listed_the_other_way_round() -> None:
    parts, start = [], D(0)
    for tid, sz in enumerate(("5.929", "6.5", "10", "1.571")):
        parts.append(fill(tid, time_ms=7, side=Side.BUY, sz=D(sz), start_position=start))
        start += D(sz)
    assert positions_of(newest_first(parts)) == {parts[0].coin: D("24.000")}
    assert positions_of(newest_first(parts[::-1])) == {parts[0].coin: D("24.000")}


def test_what_is_no_path_stays_as_it_was_listed() -> None:
    torn = [fill(1, time_ms=7, sz=D(1), start_position=D(5)), fill(2, time_ms=7, sz=D(1), start_position=D(9))]
    assert newest_first(torn) == tuple(torn)
