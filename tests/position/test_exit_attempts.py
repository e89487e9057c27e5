"""Exits: the rules, one owner, attempts that go on and get worse, and a price for every case."""

import itertools
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from hip3.core.ledger import PositionView
from hip3.core.market import Level, MarketView
from hip3.core.money import bps_of
from hip3.core.orders import ExitReason, Side
from hip3.position.exit_attempts import ExitDesk
from hip3.position.exit_rules import ExitMemory, ExitParams, Look, decide, remember
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


def _decide(position: PositionView, market: MarketView | None, age: int, **settings: Any) -> ExitReason | None:
    params = msgspec.structs.replace(PARAMS, **settings)
    memory = remember(None, position, market, params.oracle_move_bps)
    return decide(Look(position, market, memory, params, age))


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
    assert _decide(_position(szi), view(**_touch(*touch)), age) is reason


def test_the_time_stop_needs_no_market_data() -> None:
    assert _decide(_position(), None, 30_001) is ExitReason.TIME_STOP
    assert _decide(_position(), None, 20_000) is None


LOW = ("3950", "3951")
"""About 100 bps below the entry at 3990, and far from the oracle at 4000."""


@pytest.mark.parametrize(
    ("szi", "touch", "age", "settings", "reason"),
    [
        ("0.01", LOW, 1, {"stop_loss_bps": D(100)}, ExitReason.STOP_LOSS),
        ("0.01", LOW, 1, {"stop_loss_bps": D(101)}, None),
        ("-0.01", ("4029", "4031"), 1, {"stop_loss_bps": D(100)}, ExitReason.STOP_LOSS),
        ("-0.01", LOW, 1, {"take_profit_bps": D(97)}, ExitReason.TAKE_PROFIT),
        ("-0.01", LOW, 1, {"take_profit_bps": D(98)}, None),
        ("0.01", ("3992", "3996"), 500, {"quick_profit_bps": D(5)}, ExitReason.MARK_REGRESSION),
        ("0.01", ("3992", "3996"), 499, {"quick_profit_bps": D(5)}, None),
        ("0.01", ("3991", "3999.5"), 500, {"evaporation": True}, ExitReason.MARK_REGRESSION),
        ("0.01", ("3991", "3999"), 500, {"evaporation": True}, None),
        ("0.01", ("3997", "3999"), 1000, {"edge_scale": D("0.5")}, ExitReason.MARK_REGRESSION),  # 10 of 20 bps
        ("0.01", ("3995", "3999"), 1000, {"edge_scale": D("0.5")}, None),
        ("0.01", ("3998", "3999"), 17_500, {"decay_start_ms": 5000, "decay_min": D("0.2")}, None),  # 3 bps left
        ("0.01", ("3999", "4000"), 17_500, {"decay_start_ms": 5000, "decay_min": D("0.2")}, ExitReason.MARK_REGRESSION),
    ],
)
def test_the_further_rules(
    szi: str, touch: tuple[str, str], age: int, settings: dict[str, Any], reason: ExitReason | None
) -> None:
    assert _decide(_position(szi), view(**_touch(*touch)), age, **settings) is reason


def test_a_small_loss_is_not_taken_by_mark_regression() -> None:
    position = PositionView(coin=COIN, szi=D("0.01"), entry_px=D(4000), entry_ms=0, entry_edge_bps=D(20))
    market = view(**_touch("3998", "3999"))
    assert _decide(position, market, 2000) is ExitReason.MARK_REGRESSION
    assert _decide(position, market, 2000, min_loss_bps=D(15)) is None
    assert _decide(position, market, 2000, min_loss_bps=D(5)) is ExitReason.MARK_REGRESSION


def test_the_stop_loss_falls_back_to_the_mark_and_needs_some_price() -> None:
    without = view(bid=None, mark=D(3900))
    assert _decide(_position(), without, 1, stop_loss_bps=D(100)) is ExitReason.STOP_LOSS
    assert _decide(_position(), view(bid=None, mark=None), 1, stop_loss_bps=D(100)) is None


@pytest.mark.parametrize("side", ["0.01", "-0.01"])
@pytest.mark.parametrize("anchors", [{"mark": None}, {"mark": None, "oracle": None}])
def test_one_thin_side_is_no_result_before_the_first_mark(side: str, anchors: dict[str, Any]) -> None:
    """Seed 147: a start had a touch and no mark yet, and a bid a fifth away was a loss of 2,000 bps."""
    rules = {"stop_loss_bps": D(300), "take_profit_bps": D(300), "trailing_activation_bps": D(20)}
    for touch in (("3200", "4001"), ("3999", "5000")):
        assert _decide(_position(side), view(**_touch(*touch), **anchors), 1, **rules) is None


@pytest.mark.parametrize(
    ("szi", "touch", "mark"), [("0.01", ("3990", "5000"), "3997"), ("-0.01", ("3200", "4012"), "4003")]
)
def test_one_thin_side_does_not_evaporate_an_edge(szi: str, touch: tuple[str, str], mark: str) -> None:
    market = view(**_touch(*touch), mark=D(mark))
    assert _decide(_position(szi), market, 500, evaporation=True) is None


@pytest.mark.parametrize(
    ("szi", "touch", "mark"), [("0.01", ("2497", "3991"), "4120"), ("-0.01", ("3989", "5000"), "3860")]
)
def test_a_gain_by_the_mark_is_no_more_than_the_other_side_leaves_of_it(
    szi: str, touch: tuple[str, str], mark: str
) -> None:
    """Seed 810377223: the market fell while an entry was under way, and the bid was thin as its fill came."""
    rules = {"take_profit_bps": D(300), "trailing_activation_bps": D(20), "trailing_distance_bps": D(5)}
    market = view(**_touch(*touch), mark=D(mark))
    memory = remember(None, _position(szi), market, D(2))
    assert memory.best_bps == bps_of(D(1), D(3990))
    assert _decide(_position(szi), market, 1, **rules) is None


@pytest.mark.parametrize(("szi", "touch"), [("0.01", ("2497", "2600")), ("-0.01", ("5400", "5500"))])
def test_no_loss_is_made_of_the_other_side(szi: str, touch: tuple[str, str]) -> None:
    """Both sides are thin: the mark says what the position is worth."""
    market = view(**_touch(*touch), mark=D(3995) if szi == "0.01" else D(3985))
    assert _decide(_position(szi), market, 1, stop_loss_bps=D(100)) is None


@pytest.mark.parametrize(("limit", "away"), [(50, 60), (60, 95), (99, 99), (20, 21)])
@pytest.mark.parametrize("szi", ["0.01", "-0.01"])
def test_a_thin_frame_beyond_a_near_stop_is_not_the_loss(szi: str, limit: int, away: int) -> None:
    """What counts as far was a hundred basis points, whatever the stop's own distance."""
    sign, rules = 1 if D(szi) > 0 else -1, {"stop_loss_bps": D(limit)}
    gone, by = D(3990) * (1 - sign * D(away) / 10_000), ("bid", "ask")[sign < 0]

    def at(mark: Decimal, near: Decimal, far: Decimal) -> MarketView:
        sides = {by: Level(far, D(1)), ("ask", "bid")[sign < 0]: Level(near, D(1))}
        return view(**sides, mark=mark, oracle=mark)

    thin = at(D(3990), D(3990) + sign * D("0.1"), gone)
    moved = at(D(3990), gone + sign * D("0.1"), gone)  # the book's sides stay together, ahead of the mark
    told = at(gone, gone + sign * D("0.1"), gone)
    found = [_decide(_position(szi), market, 1, **rules) for market in (thin, moved, told)]
    assert found == [None, ExitReason.STOP_LOSS, ExitReason.STOP_LOSS]


def test_a_thin_frame_is_no_trailing_stop_and_a_mark_that_lags_is_none_either() -> None:
    rules = {"trailing_activation_bps": D(20), "trailing_distance_bps": D(10)}
    memory = ExitMemory(long=True, best_bps=D(30), oracle=D(4000))
    params = msgspec.structs.replace(PARAMS, regression_bps=D(-1000), **rules)

    def decided(mark: str, bid: str, ask: str) -> ExitReason | None:
        market = view(**_touch(bid, ask), mark=D(mark), oracle=D(4000))
        return decide(Look(_position(), market, memory, params, 100))

    assert decided("4002", "3980", "4002.5") is None, "one side is away for an instant"
    assert decided("3990", "4002", "4012") is None, "the mark lags behind a touch that stands at the best"
    assert decided("3995", "3995", "3996") is ExitReason.TRAILING_STOP


def test_no_regression_is_made_of_one_thin_frame() -> None:
    """A bid far above everything was within the distance of the oracle, and beyond it."""
    market = view(**_touch("4360", "4800"), mark=D(3960), oracle=D(4000))
    assert _decide(_position(), market, 2000, min_holding_ms=0) is None
    assert _decide(_position(), view(**_touch("3999", "3999.5"), mark=D(3960), oracle=D(4000)), 2000) is not None


def _follow(position: PositionView, bids: list[str], **settings: Any) -> list[ExitReason | None]:
    """What is decided at each bid of a path, remembering as the desk does."""
    params = msgspec.structs.replace(PARAMS, regression_bps=D(-1000), **settings)
    memory, out = None, []
    for bid in bids:
        market = view(**_touch(bid, str(D(bid) + 1)))
        memory = remember(memory, position, market, params.oracle_move_bps)
        out.append(decide(Look(position, market, memory, params, 100)))
    return out


def test_the_trailing_stop_is_armed_by_a_gain_and_follows_the_best() -> None:
    armed = {"trailing_activation_bps": D(20), "trailing_distance_bps": D(10)}
    gave_back = ["3990", "3997", "3990", "3998", "4002", "3999", "3998"]
    assert _follow(_position(), gave_back, **armed) == [None] * 6 + [ExitReason.TRAILING_STOP]
    assert _follow(_position(), ["3990", "3997", "3980"], **armed) == [None] * 3


def _oracles(szi: str, prices: list[int], **settings: Any) -> list[ExitReason | None]:
    params = msgspec.structs.replace(PARAMS, oracle_exit=True, **settings)
    memory, out = None, []
    for px in prices:
        market = view(oracle=D(px), **_touch("3900", "4100"))
        memory = remember(memory, _position(szi), market, params.oracle_move_bps)
        out.append(decide(Look(_position(szi), market, memory, params, 1000)))
    return out


@pytest.mark.parametrize(
    ("szi", "prices", "count"),
    [
        ("0.01", [4000, 3999, 3998], 3),  # two steps against
        ("-0.01", [4000, 4001, 4002], 3),
        ("0.01", [4000, 3999, 4000, 3999, 3998], 5),  # a turn ends the run; a fresh one counts from its first step
        ("0.01", [4000, 4001, 4002, 4003], 4),  # three steps with it
        ("0.01", [4000, 3999, 3999, 3998], 4),  # the same price again is no step
    ],
)
def test_the_oracle_exit_counts_steps_since_the_opening(szi: str, prices: list[int], count: int) -> None:
    found = _oracles(szi, prices)
    assert found == [None] * (count - 1) + [ExitReason.ORACLE_EXIT]


def test_the_oracle_exit_waits_for_its_minimum_and_can_be_off() -> None:
    assert _oracles("0.01", [4000, 3999, 3998], oracle_min_holding_ms=1001) == [None] * 3
    assert _oracles("0.01", [4000, 3999, 3998], oracle_against=3) == [None] * 3


def test_a_position_of_the_other_side_begins_a_new_memory() -> None:
    memory = ExitMemory(long=True, best_bps=D(50), against=2, oracle=D(4000))
    again = remember(memory, _position("-0.01"), view(), D(2))
    assert (again.long, again.best_bps, again.against) == (False, D(0), 0)


@pytest.mark.parametrize(
    ("asked", "goes_on"), [((), False), ((ExitReason.MANUAL,), True), ((ExitReason.HARD_STOP,), True)]
)
def test_what_a_rule_said_of_a_position_is_no_reason_to_leave_the_one_of_the_other_side(
    asked: tuple[ExitReason, ...], goes_on: bool
) -> None:
    """Seed 810377223: a buy turned a short round whose exit was queued, and the long was left for the short's gain."""
    desk, market = ExitDesk(6000), view(**_touch("3990", "3991"))
    desk.observe(_position("-0.01"), market, D(2))
    assert desk.claim(COIN, ExitReason.TAKE_PROFIT, PARAMS, 0) is not None
    for reason in asked:
        desk.request(COIN, reason, 0)
    assert desk.observe(_position("-0.01"), market, D(2))[1] is ExitReason.TAKE_PROFIT
    assert desk.observe(_position("0.01"), market, D(2))[1] is (ExitReason.TAKE_PROFIT if goes_on else None)
    assert desk.no_entries(COIN, 1) is goes_on


def test_what_a_reply_says_is_as_of_when_it_was_heard_and_not_of_every_look() -> None:
    """Later looks would make it newer than the fills that closed it meanwhile."""
    desk, word = ExitDesk(6000), msgspec.structs.replace(_position(), as_of_ms=0)
    assert [desk.held([word], now)[0].as_of_ms for now in (100, 1200, 2300)] == [100, 100, 100]
    more = msgspec.structs.replace(word, szi=word.szi * 2)
    assert [desk.held([p], now)[0].as_of_ms for p, now in ((more, 3000), (more, 4000), (word, 5000))] == [
        3000,
        3000,
        5000,
    ]
    assert desk.held([msgspec.structs.replace(word, as_of_ms=77)], 6000)[0].as_of_ms == 77


def test_what_the_desk_holds_survives_by_value() -> None:
    desk, position = ExitDesk(6000), _position()
    desk.observe(position, view(**_touch("4000", "4001")), D(2))
    desk.request(COIN, ExitReason.MANUAL, 0)
    desk.claim(COIN, ExitReason.MANUAL, PARAMS, 0)
    desk.failed(COIN, PARAMS)
    held = desk.held([position], 0)
    again = ExitDesk(6000)
    again.restore(held, 0)
    assert again.held([position], 0) == held
    assert (held[0].reason, held[0].attempt, held[0].failures) == (ExitReason.MANUAL, 1, 1)
    plan = again.claim(COIN, ExitReason.TIME_STOP, PARAMS, 0)
    assert plan is not None
    assert (plan.reason, plan.attempt) == (ExitReason.MANUAL, 2)


def test_an_exit_at_its_bound_is_said_to_be_stuck_once() -> None:
    desk, said = ExitDesk(6000), []
    for attempt in range(1, 9):
        now = attempt * 10_000
        assert desk.claim(COIN, ExitReason.TIME_STOP, PARAMS, now) is not None
        desk.started(COIN, f"c{attempt}")
        desk.ended(COIN, f"c{attempt}", PARAMS, now)
        said.append(desk.failed(COIN, PARAMS))
    assert said == [(n, n == 6) for n in range(1, 9)]


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
    assert desk.failed(COIN, PARAMS) == (1, False)
    assert desk.flat(COIN, desk.looks())
    assert desk.requested(COIN) is None
    assert desk.failed(COIN, PARAMS) == (0, False)


@pytest.mark.parametrize("look", ["observe", "request", "claim"])
@pytest.mark.parametrize("how", ["flat", "keep_only"])
def test_who_found_no_position_a_moment_ago_ends_no_exit_of_a_newer_one(look: str, how: str) -> None:
    """It was claimed again while its first order was under way."""
    desk, looks = ExitDesk(6000), ExitDesk(6000).looks()
    if look == "observe":
        desk.observe(_position(), view(**_touch("4000", "4001")), D(2))
    elif look == "request":
        desk.request(COIN, ExitReason.TIME_STOP, 0)
    else:
        assert desk.claim(COIN, ExitReason.TIME_STOP, PARAMS, 0) is not None
    before = desk.held([_position()], 0)
    for known, forgotten in ((looks, False), (desk.looks(), True)):
        desk.flat(COIN, known) if how == "flat" else desk.keep_only(set(), known)
        assert (desk.held([_position()], 0) != before) is forgotten


@pytest.mark.parametrize(
    ("szi", "known", "side", "px"),
    [
        ("0.012", {}, Side.SELL, "3980"),  # bid 3999 - 50 bps = 3979.005: no further from the mark than the step
        ("0.012", {"mark": D(3998)}, Side.SELL, "3979"),  # within it: 3979.005, down to the next legal price
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


def test_whoever_was_held_up_after_a_claim_neither_ends_nor_replaces_the_next_one() -> None:
    desk = ExitDesk(1000)
    late = desk.claim(COIN, ExitReason.TIME_STOP, PARAMS, 0)
    later = desk.claim(COIN, ExitReason.TIME_STOP, PARAMS, 5000)  # the first one's time is over
    assert late is not None
    assert later is not None
    assert desk.started(COIN, "two", later.claim)
    desk.unbuilt(COIN, late.claim, 5000)
    assert not desk.started(COIN, "one", late.claim)
    assert desk.current(COIN) == "two"
    assert desk.claim(COIN, ExitReason.TIME_STOP, PARAMS, 5001) is None  # it is under way


def _attempts(desk: ExitDesk, hours: int, refused: bool, start_ms: int = 0) -> list[int]:
    """When each attempt was made, where every one ends at once without effect."""
    times, now = [], start_ms
    while now < start_ms + hours * 3_600_000:
        plan = desk.claim(COIN, ExitReason.TIME_STOP, PARAMS, now)
        if plan is not None:
            times.append(now)
            desk.started(COIN, f"0x{len(times)}", plan.claim)
            desk.refused(COIN, f"0x{len(times)}", now) if refused else desk.ended(COIN, f"0x{len(times)}", PARAMS, now)
        now += 100
    return times


@pytest.mark.parametrize("refused", [True, False])
def test_an_exit_that_nobody_takes_slows_down_and_spends_little_of_the_address_s_actions(refused: bool) -> None:
    times = _attempts(ExitDesk(1000), 6, refused)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    slowest = 60_000 if refused else 300_000  # no quote says when a halt ends
    assert gaps == sorted(gaps)
    assert {5000, 30_000, slowest} <= set(gaps)
    assert max(gaps) == slowest
    assert len([t for t in times if t < 180_000]) > 30
    assert len(times) < (450 if refused else 150)  # some 350 a day


@pytest.mark.parametrize("how", ["another reason", "a person", "a person, this market", "a person, another market"])
def test_somebody_who_wants_it_left_need_not_wait(how: str) -> None:
    desk = ExitDesk(1000)
    now = _attempts(desk, 1, refused=False)[-1] + 1000
    assert desk.claim(COIN, ExitReason.TIME_STOP, PARAMS, now) is None
    if how == "another reason":
        desk.request(COIN, ExitReason.HARD_STOP, now)
    else:
        desk.press(now, {"a person": None, "a person, this market": COIN}.get(how, "xyz:OTHER"))
    assert (desk.claim(COIN, ExitReason.TIME_STOP, PARAMS, now) is None) is (how == "a person, another market")


def test_a_rule_that_finds_another_reason_with_each_look_does_not_hurry_it() -> None:
    desk = ExitDesk(1000)
    now = _attempts(desk, 1, refused=False)[-1] + 1000
    assert desk.claim(COIN, ExitReason.STOP, PARAMS, now) is None


def test_a_quote_that_it_could_take_brings_the_first_pace_back() -> None:
    desk = ExitDesk(1000)
    last = _attempts(desk, 1, refused=False)[-1]
    assert desk.claim(COIN, ExitReason.TIME_STOP, PARAMS, last + 6000, last) is None, "it was there at that attempt"
    assert desk.claim(COIN, ExitReason.TIME_STOP, PARAMS, last + 4000, last + 1000) is None
    assert desk.claim(COIN, ExitReason.TIME_STOP, PARAMS, last + 5000, last + 1000) is not None


def test_no_quote_hurries_an_exit_that_is_refused() -> None:
    desk = ExitDesk(1000)
    last = _attempts(desk, 1, refused=True)[-1]
    assert desk.claim(COIN, ExitReason.TIME_STOP, PARAMS, last + 6000, last + 1000) is None
