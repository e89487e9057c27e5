"""The books: every order of arrival gives the same state, and nothing counts twice."""

import copy
import enum
import itertools
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from hip3.core.events import Filled, OrderUpdate, Refused, Resting
from hip3.core.ledger import FillBooked, LedgerView, OrderChanged, OrderFinished, RoundTrip
from hip3.core.order_state import OrderState
from hip3.core.orders import PendingOrder, Side
from hip3.position.order_index import KEPT_ORDERS
from hip3.position.tracked import KeptTotals, Opening
from hip3.position.tracker import PositionTracker
from tests.builders import COIN, D, exit_order, fill, order


def _sent(tracked: PendingOrder) -> PositionTracker:
    tracker = PositionTracker()
    if tracked.reduce_only:
        tracker.register(tracked)
    else:
        tracker.admit(tracked, lambda ledger, wished: wished)
    tracker.mark_sent(tracked.cloid, nonce=1, expires_ms=10_000, generation=1, mono_ms=0)
    return tracker


def _update(status: str, remaining: str = "0", o: PendingOrder | None = None) -> OrderUpdate:
    o = o or order()
    return OrderUpdate(
        coin=o.coin, side=o.side, oid=77, cloid=o.cloid, limit_px=o.px, remaining=D(remaining), orig_sz=o.sz,
        status=status, status_ms=5,
    )  # fmt: skip


PARTS = [
    fill(1, sz=D("0.004"), px=D("3999"), start_position=D(0)),
    fill(2, sz=D("0.004"), px=D("4000"), start_position=D("0.004")),
    fill(3, sz=D("0.004"), px=D("4001"), start_position=D("0.008")),
]
AVERAGE = D(4000)


def _deliver(tracker: PositionTracker, number: int) -> list[Any]:
    if number == 0:
        return tracker.on_status(order().cloid, Filled(77, D("0.012"), AVERAGE))
    if number == 1:
        return tracker.on_order_update(_update("open", "0.012"))
    if number == 2:
        return tracker.on_order_update(_update("filled"))
    return tracker.on_fills([PARTS[number - 3]])


def _dump(thing: Any) -> Any:
    """All that an object holds, comparable: the order in which a dict was filled is no state."""
    if isinstance(thing, dict):
        return sorted((repr(_dump(k)), _dump(v)) for k, v in thing.items())
    if isinstance(thing, list | tuple):
        return [_dump(item) for item in thing]
    slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    names = [n for n in (slots or getattr(thing, "__dict__", {})) if n != "_lock"]
    if isinstance(thing, enum.Enum | Decimal) or not names:
        return repr(thing)
    return [type(thing).__name__, *((name, _dump(getattr(thing, name))) for name in names)]


def _open_entry() -> PositionTracker:
    return _sent(order())


def _exit_of_a_position() -> PositionTracker:
    """A sell of what an entry in three parts bought; the same six messages end it."""
    tracker = _sent(exit_order())
    tracker.adopt(COIN, D("0.012"), Opening(px=D(4000), ms=500))
    return tracker


EXITS = [
    fill(n, side=Side.SELL, cloid=exit_order().cloid, sz=D("0.004"), px=D(4000 + n), start_position=start)
    for n, start in ((4, D("0.012")), (5, D("0.008")), (6, D("0.004")))
]


def _deliver_exit(tracker: PositionTracker, number: int) -> list[Any]:
    sold = exit_order()
    if number == 0:
        return tracker.on_status(sold.cloid, Filled(77, D("0.012"), D(4005)))
    if number == 1:
        return tracker.on_order_update(_update("open", "0.012", sold))
    if number == 2:
        return tracker.on_order_update(_update("filled", o=sold))
    return tracker.on_fills([EXITS[number - 3]])


@pytest.mark.parametrize(
    ("begin", "deliver"), [(_open_entry, _deliver), (_exit_of_a_position, _deliver_exit)], ids=["entry", "exit"]
)
def test_all_729_states_of_an_order_filled_in_three_parts(
    begin: Callable[[], PositionTracker], deliver: Callable[[PositionTracker, int], list[Any]]
) -> None:
    """Six messages, each delivered 0, 1 or 2 times: each state is one, however it is reached.

    Walk the lattice: every way into a state is its last message on top of the state before it, so if all of
    them leave the same full state (every field of the books), then by induction every order of arrival does.
    Events that are told once (a round trip, the order's end) are part of the state.
    """
    found: dict[tuple[int, ...], tuple[PositionTracker, list[Any], Any]] = {}
    for counts in itertools.product(range(3), repeat=6):
        for last in range(6):
            if counts[last] == 0:
                continue
            before = found[(*counts[:last], counts[last] - 1, *counts[last + 1 :])]
            tracker = copy.deepcopy(before[0], {id(before[0]._lock): before[0]._lock})
            told = before[1] + [e for e in deliver(tracker, last) if isinstance(e, RoundTrip | OrderFinished)]
            state = _dump(tracker), told
            if counts in found:
                assert found[counts][2] == state, (counts, last)
            else:
                found[counts] = (tracker, told, state)
        if not any(counts):
            found[counts] = (begin(), [], None)
    assert len(found) == 729
    for counts, (_, told, state) in found.items():
        once = tuple(min(c, 1) for c in counts)
        if any(counts):
            assert found[once][2] == state, counts  # a second time changes nothing
        if all(counts[3:]):
            assert sum(isinstance(e, OrderFinished) for e in told) == (1 if any(counts) else 0)


def test_the_position_result_and_fees_after_all_messages() -> None:
    tracker = _open_entry()
    for number in (5, 3, 0, 4, 2, 1, 1, 3):
        _deliver(tracker, number)
    assert tracker.booked() == {COIN: D("0.012")}
    assert tracker.totals()[:3] == (D(0), 3 * D("0.0043"), 3)
    tracker = _exit_of_a_position()
    trips = [e for n in (4, 2, 5, 0, 3) for e in _deliver_exit(tracker, n) if isinstance(e, RoundTrip)]
    assert [(t.entry_px, t.exit_px, t.opened_ms) for t in trips] == [(D(4000), D(4005), 500)]
    assert tracker.booked() == {}


@pytest.mark.parametrize("arrival", list(itertools.permutations(range(6)))[::7])
def test_any_order_of_arrival_ends_alike(arrival: tuple[int, ...]) -> None:
    tracker = _sent(order())
    for number in arrival:
        _deliver(tracker, number)
    tracked = tracker.get(order().cloid)
    assert tracked is not None
    assert tracked.state is OrderState.FILLED
    assert (tracked.executed, tracked.avg_px) == (D("0.012"), AVERAGE)
    assert tracker.booked() == {COIN: D("0.012")}
    assert tracker.totals()[1] == 3 * D("0.0043")


def test_a_reply_is_replaced_by_its_fills_and_not_joined_with_them() -> None:
    tracker = _sent(order())
    tracker.on_status(order().cloid, Filled(77, D("0.012"), D(4000)))
    assert tracker.booked() == {}
    assert tracker.position(COIN).szi == D("0.012")  # type: ignore[union-attr]
    tracker.on_fills(PARTS[:1])
    assert tracker.position(COIN).szi == D("0.012")  # type: ignore[union-attr]
    tracker.on_fills(PARTS)
    assert tracker.position(COIN).szi == D("0.012")  # type: ignore[union-attr]
    assert tracker.unbooked() == []


def test_two_fills_of_one_cloid_both_count() -> None:
    tracker = _sent(order())
    tracker.on_fills(PARTS[:2])
    assert tracker.booked() == {COIN: D("0.008")}


def test_the_same_tid_at_another_time_or_coin_is_another_fill() -> None:
    tracker = PositionTracker()
    tracker.on_fills([fill(1), fill(1, time_ms=2001), fill(1, coin="xyz:TSLA")])
    assert tracker.booked() == {COIN: D("0.024"), "xyz:TSLA": D("0.012")}


def test_an_ioc_that_filled_partly_is_over_by_its_reply() -> None:
    tracker = _sent(order())
    events = tracker.on_status(order().cloid, Filled(77, D("0.005"), D(3999)))
    assert [e.after for e in events if isinstance(e, OrderChanged)] == [OrderState.CANCELED]
    assert tracker.ledger().entries == {}
    assert tracker.ledger().positions == {COIN: D("0.005")}


def test_an_order_never_moves_backwards() -> None:
    tracker = _sent(order())
    tracker.on_status(order().cloid, Refused("no"))
    for late in (_update("open"), _update("filled"), _update("canceled")):
        assert tracker.on_order_update(late) == []
    assert tracker.get(order().cloid).state is OrderState.REJECTED  # type: ignore[union-attr]


def test_an_entry_occupies_its_market_until_it_is_proven_dead() -> None:
    tracker = _sent(order())
    tracker.mark_unknown(order().cloid, "no reply", 100)
    ledger = tracker.ledger()
    assert ledger.entries == {COIN: D("48.000")}
    assert ledger.occupied == {COIN}
    assert tracker.drop(order().cloid, "impatience") == []
    assert tracker.ledger().entries == {COIN: D("48.000")}
    tracker.prove_dead(order().cloid, "expired")
    assert tracker.ledger().entries == {}
    assert tracker.get(order().cloid).certificate == "expired"  # type: ignore[union-attr]


def test_evidence_of_life_ends_unknown_and_no_proof_of_death_is_taken_after_a_fill() -> None:
    tracker = _sent(order())
    tracker.mark_unknown(order().cloid, "no reply", 100)
    tracker.on_fills(PARTS[:1])
    assert tracker.get(order().cloid).state is OrderState.OPEN  # type: ignore[union-attr]
    assert tracker.prove_dead(order().cloid, "expired") == []


def test_an_unknown_status_word_frees_nothing_that_still_rests() -> None:
    tracker = _sent(order())
    tracker.on_order_update(_update("somethingNew", "0.012"))
    assert tracker.get(order().cloid).state is OrderState.OPEN  # type: ignore[union-attr]
    tracker.on_order_update(_update("somethingElse", "0"))
    assert tracker.get(order().cloid).state is OrderState.CANCELED  # type: ignore[union-attr]
    assert tracker.unknown_updates == 2


def test_a_round_trip_is_told_once_when_flat() -> None:
    tracker = _sent(order())
    tracker.on_fills(PARTS)
    leave = exit_order(9, sz=D("0.012"))
    tracker.register(leave)
    out = tracker.on_fills(
        [
            fill(
                4, side=Side.SELL, px=D(4010), cloid=leave.cloid, oid=78, time_ms=5000, start_position=D("0.012"),
                closed_pnl=D("0.122"), direction="Close Long",
            )
        ]
    )  # fmt: skip
    trips = [e for e in out if isinstance(e, RoundTrip)]
    assert len(trips) == 1
    assert (trips[0].realized, trips[0].fees) == (D("0.122"), 4 * D("0.0043"))
    assert (trips[0].opened_ms, trips[0].closed_ms) == (2000, 5000)
    assert [e.kind for e in out if isinstance(e, FillBooked)] == ["closed"]
    assert tracker.positions() == []


def test_a_flip_starts_a_new_position_at_the_fill() -> None:
    tracker = PositionTracker()
    tracker.on_fills(
        [fill(1), fill(2, side=Side.SELL, sz=D("0.02"), px=D(4100), time_ms=3000, start_position=D("0.012"))]
    )
    position = tracker.position(COIN)
    assert position is not None
    assert (position.szi, position.entry_px, position.entry_ms) == (D("-0.008"), D(4100), 3000)


def test_fills_known_at_the_start_are_in_the_position_already() -> None:
    tracker = PositionTracker()
    old = fill(1, time_ms=100, closed_pnl=D(5))
    tracker.seed_fills([old], 100, KeptTotals(since_ms=50))
    tracker.adopt(COIN, D("0.012"), Opening(px=D(4000), ms=100))
    tracker.on_fills([old, fill(2, time_ms=99), fill(3, time_ms=100, start_position=D("0.012"))])
    assert tracker.booked() == {COIN: D("0.024")}
    assert tracker.totals()[0] == D(5)


def test_results_go_on_after_a_restart_whatever_was_kept() -> None:
    """Kept once a second; fills after that, or late ones of the last minute, are counted from the exchange's list."""
    fills = [fill(n, time_ms=1000 * n, start_position=D(0), fee=D(n)) for n in range(1, 6)]
    first = PositionTracker()
    first.on_fills(fills[:2])
    kept = first.changed_totals()
    assert kept is not None
    assert first.changed_totals() is None
    again = PositionTracker()
    again.seed_fills(fills, 5000, msgspec.json.decode(msgspec.json.encode(kept), type=KeptTotals))
    assert again.totals()[1:3] == (D(15), 5)


def test_adoption_keeps_the_entry_time_of_a_known_position() -> None:
    tracker = PositionTracker()
    tracker.on_fills([fill(1, time_ms=500)])
    tracker.adopt(COIN, D("0.01"), Opening(px=D(4000), ms=9000))
    assert tracker.position(COIN).entry_ms == 500  # type: ignore[union-attr]
    tracker.adopt(COIN, D("-0.01"), Opening(px=D(4000), ms=9000))
    assert tracker.position(COIN).entry_ms == 9000  # type: ignore[union-attr]


def test_a_missing_fill_shows_as_a_gap_in_the_chain() -> None:
    tracker = PositionTracker()
    tracker.on_fills([PARTS[0], PARTS[2]])
    assert tracker.unlinked() == [COIN]
    tracker.on_fills([PARTS[1]])
    assert tracker.unlinked() == []


def test_orders_of_others_are_shown_and_counted_and_leave_when_they_end() -> None:
    tracker = PositionTracker()
    foreign = _update("open", "0.012", order(5))
    tracker.on_order_update(foreign)
    assert tracker.ledger().foreign == {COIN: D("48.000")}
    assert tracker.ledger().entries == {}
    tracker.on_order_update(_update("canceled", "0.012", order(5)))
    assert tracker.ledger().foreign == {}


def test_eight_threads_admit_exactly_one_entry_per_market() -> None:
    tracker, admitted, barrier = PositionTracker(), [], threading.Barrier(8)

    def decide(ledger: LedgerView, wished: PendingOrder) -> PendingOrder | None:
        return None if wished.coin in ledger.entries else wished

    def work(index: int) -> None:
        barrier.wait()
        for number in range(200):
            wished = order(1000 * index + number, coin=f"x:{number}")
            if tracker.admit(wished, decide):
                admitted.append(wished.coin)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(admitted) == sorted(f"x:{n}" for n in range(200))


def test_the_oldest_ended_orders_are_forgotten_and_the_rest_is_not() -> None:
    tracker = PositionTracker()
    for number in range(KEPT_ORDERS + 100):
        tracker.admit(order(number), lambda ledger, wished: wished)
        tracker.drop(order(number).cloid, "test")
    assert tracker.get(order(99).cloid) is None
    assert tracker.get(order(100).cloid) is not None
    assert tracker.live() == []


def test_resting_is_open_and_counts() -> None:
    tracker = _sent(order())
    tracker.on_status(order().cloid, Resting(77))
    assert tracker.live(OrderState.OPEN)[0].oid == 77
    assert tracker.ledger().entries == {COIN: D("48.000")}


def test_flat_with_a_gap_is_not_flat_yet() -> None:
    """Two entries and two exits; the second entry's fill comes last: one round trip, told once."""
    tracker = PositionTracker()
    sold = {"side": Side.SELL, "direction": "Close Long", "cloid": None, "oid": 9}
    first = fill(1, sz=D("0.01"), start_position=D(0), time_ms=1000)
    second = fill(2, sz=D("0.01"), start_position=D("0.01"), time_ms=2000)
    third = fill(3, sz=D("0.01"), start_position=D("0.02"), time_ms=3000, **sold)
    fourth = fill(4, sz=D("0.01"), start_position=D("0.01"), time_ms=4000, **sold)
    events = tracker.on_fills([first]) + tracker.on_fills([third])
    assert not [e for e in events if isinstance(e, RoundTrip)]
    assert tracker.unlinked() == [COIN]
    events = tracker.on_fills([fourth]) + tracker.on_fills([second])
    trips = [e for e in events if isinstance(e, RoundTrip)]
    assert [(t.opened_ms, t.closed_ms, t.fees) for t in trips] == [(1000, 4000, 4 * D("0.0043"))]
    assert tracker.booked() == {}


def test_a_gap_that_nobody_can_fill_is_accepted() -> None:
    tracker = PositionTracker()
    tracker.on_fills([fill(1, sz=D("0.01"), start_position=D(0), time_ms=1000)])
    odd = fill(2, sz=D("0.01"), start_position=D("0.02"), time_ms=2000, side=Side.SELL, cloid=None, oid=9)
    tracker.on_fills([odd])
    assert [type(e) for e in tracker.accept_gap(COIN)] == [RoundTrip]
    assert tracker.unlinked() == []
    assert tracker.accept_gap(COIN) == []


# A position and the fills in it, read at different times.

LIVES: dict[str, tuple[str, tuple[tuple[Side, str], ...]]] = {
    "opened": ("0", ((Side.BUY, "2"),)),
    "opened in two": ("0", ((Side.BUY, "2"), (Side.BUY, "3"))),
    "grown": ("2", ((Side.BUY, "3"),)),
    "reduced": ("5", ((Side.SELL, "2"),)),
    "closed": ("5", ((Side.SELL, "5"),)),
    "closed in two": ("5", ((Side.SELL, "2"), (Side.SELL, "3"))),
    "turned": ("2", ((Side.SELL, "5"),)),
    "closed and opened again": ("2", ((Side.SELL, "2"), (Side.BUY, "4"))),
    "round": ("0", ((Side.BUY, "2"), (Side.SELL, "2"))),
}


@pytest.mark.parametrize("name", LIVES)
def test_a_position_and_its_fills_end_the_same_whichever_is_read_first(name: str) -> None:
    """Adopted as of before, between or after the fills, and told of each fill before or after that, once or twice."""
    before, steps = LIVES[name]
    szi, fills, sizes = D(before), [], [D(before)]
    for number, (side, sz) in enumerate(steps, 1):
        fills.append(fill(number, side=side, sz=D(sz), time_ms=1000 * number, start_position=szi))
        szi += fills[-1].signed_sz
        sizes.append(szi)
    for seen, size in enumerate(sizes):  # the position was read after so many fills
        reading = Opening(px=D(4000), ms=1, read_ms=1000 * seen + 500)
        for order_ in itertools.permutations([None, *fills]):
            tracker = PositionTracker()
            if sizes[0]:
                tracker.adopt(COIN, sizes[0], Opening(px=D(4000), ms=1, read_ms=500))
            for item in order_:
                if item is None:
                    tracker.adopt(COIN, size, reading)
                else:
                    tracker.on_fills([item])
            tracker.on_fills(fills)  # the list of the next reading
            assert tracker.booked() == ({COIN: szi} if szi else {}), (seen, order_)
            assert tracker.unlinked() == []


def test_a_fill_that_an_earlier_run_counted_is_not_counted_when_it_is_listed_late() -> None:
    late = fill(1, time_ms=2000, fee=D(3))
    tracker = PositionTracker()
    kept = KeptTotals(since_ms=1000, fees=D(3), fills=1, recent=[late.key])
    tracker.seed_fills([], 0, kept)  # the list of another node, a moment behind
    told = tracker.changed_totals()
    assert told is not None
    assert told.recent == [late.key]  # or the next run would count it
    tracker.adopt(COIN, late.signed_sz, Opening(px=D(4000), ms=2000, read_ms=2500))
    tracker.on_fills([late])
    assert tracker.totals()[1:3] == (D(3), 1)
    assert tracker.booked() == {COIN: late.signed_sz}


def test_no_exit_is_entered_for_a_position_that_is_gone() -> None:
    tracker = PositionTracker()
    assert not tracker.register(exit_order(1), held=True)
    assert not tracker.live()
    tracker.on_fills([fill(1)])
    assert tracker.register(exit_order(1), held=True)


def test_a_fill_that_is_dated_in_the_far_future_does_not_come_on_top_of_every_reading() -> None:
    tracker = PositionTracker()
    tracker.on_fills([fill(1, time_ms=10**14)])
    assert tracker.booked()
    tracker.adopt(COIN, D(0), Opening(px=D(0), ms=2000, read_ms=2000))
    assert not tracker.booked()
    tracker.on_fills([fill(2, time_ms=3000)])
    assert tracker.booked() == {COIN: fill().sz}, "and what really comes later is booked"


def test_what_rests_counts_by_its_side_and_with_what_is_left_of_it() -> None:
    """P = +20 USD, buys and sells of 100 each: at worst 120, not 220; half of a buy that executed is in the position."""
    tracker = PositionTracker()
    for number, side in ((1, Side.BUY), (2, Side.SELL)):
        wished = msgspec.structs.replace(order(number), side=side, sz=D("0.025"), px=D(4000), admission_px=D(4000))
        tracker.admit(wished, lambda ledger, w: w)
    tracker.adopt(COIN, D("0.005"), Opening(px=D(4000), ms=1))
    ledger = tracker.ledger()
    assert ledger.worst_usd(COIN, D(4000)) == D(120)
    assert ledger.side_usd(COIN, D(4000), buy=False) == D(100), "an exit may take the position, and all sells execute"
    tracker.on_fills([fill(1, sz=D("0.01"), start_position=D("0.005"))])
    ledger = tracker.ledger()
    assert ledger.buys == {COIN: D(60)}
    assert ledger.worst_usd(COIN, D(4000)) == D(120)


def test_a_sell_that_makes_a_position_smaller_is_not_what_entered_it() -> None:
    tracker = PositionTracker()
    buy = msgspec.structs.replace(order(1), admission_px=D(4100))
    sell = msgspec.structs.replace(order(2), side=Side.SELL, sz=D("0.005"), admission_px=D(4500))
    for wished in (buy, sell):
        tracker.admit(wished, lambda ledger, w: w)
    tracker.on_fills([fill(1)])
    sold = fill(
        2, sz=D("0.005"), side=Side.SELL, cloid=sell.cloid, oid=78, start_position=D("0.012"), direction="Close Long"
    )
    tracker.on_fills([sold])
    assert tracker.ledger().held[COIN] == D("0.007") * 4000


@pytest.mark.parametrize("reading_first", [True, False])
def test_an_update_does_not_add_to_a_position_that_was_read_after_it(reading_first: bool) -> None:
    """The list of fills lags behind both."""
    tracker = PositionTracker()
    tracker.restore(order(), nonce=1, expires_ms=None, mono_ms=0)
    read = Opening(px=D("100"), ms=900, read_ms=2000)
    told = msgspec.structs.replace(_update("filled"), status_ms=1000)
    if reading_first:
        tracker.adopt(COIN, order().sz, read)
    tracker.on_order_update(told)
    if not reading_first:
        assert tracker.ledger().positions == {COIN: order().sz}
        tracker.adopt(COIN, order().sz, read)
    assert tracker.ledger().positions == {COIN: order().sz}
    assert tracker.unbooked(), "its fill is still wanted"
    tracker.on_fills([fill(cloid=order().cloid, sz=order().sz, time_ms=1000, start_position=D(0))])
    assert tracker.ledger().positions == {COIN: order().sz}
    assert not tracker.unbooked()


def test_an_update_counts_where_the_reading_does_not_show_it() -> None:
    """A reading can be older than its time says: what it does not show must not be invisible."""
    tracker = PositionTracker()
    tracker.restore(order(), nonce=1, expires_ms=None, mono_ms=0)
    tracker.adopt(COIN, D(0), Opening(px=D(0), ms=0, read_ms=2000))
    tracker.on_order_update(msgspec.structs.replace(_update("filled"), status_ms=1000))
    assert tracker.ledger().positions == {COIN: order().sz}


def test_what_came_after_the_reading_adds_to_it() -> None:
    tracker = PositionTracker()
    tracker.restore(order(), nonce=1, expires_ms=None, mono_ms=0)
    tracker.adopt(COIN, order().sz, Opening(px=D("100"), ms=900, read_ms=2000))
    tracker.on_order_update(msgspec.structs.replace(_update("filled"), status_ms=2001))
    assert tracker.ledger().positions == {COIN: 2 * order().sz}


def test_the_fill_that_closed_a_position_believed_gone_is_its_own_round_trip() -> None:
    """It was charged to the next one in the market, and until then no limit saw the loss."""
    tracker = PositionTracker()

    def sold(tid: int, time_ms: int, pnl: str) -> list[RoundTrip]:
        """What is told of the fill that closes it."""
        close = fill(
            tid,
            side=Side.SELL,
            time_ms=time_ms,
            start_position=D("0.012"),
            closed_pnl=D(pnl),
            cloid=None,
            oid=tid + 100,
        )
        return [event for event in tracker.on_fills([close]) if isinstance(event, RoundTrip)]

    tracker.on_fills([fill(1, time_ms=2000)])
    tracker.adopt(COIN, D(0), Opening(px=D(0), ms=90_000, read_ms=90_000))
    assert [(trip.realized, trip.closed_ms) for trip in sold(2, 50_000, "-1.2")] == [(D("-1.2"), 50_000)]
    tracker.on_fills([fill(3, time_ms=100_000, cloid=None, oid=10)])
    assert [trip.realized for trip in sold(4, 101_000, "1.2")] == [D("1.2")]
