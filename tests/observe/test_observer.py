"""What is followed, what is near, what is missing: the observer on markets that the test says, without anything around it."""

from decimal import Decimal
from typing import Any

import pytest

from hip3.core.decisions import CLEAR, DislocationSignal, Standing
from hip3.core.events import BboUpdate, CtxUpdate
from hip3.core.market import Level
from hip3.core.money import ZERO
from hip3.core.orders import Side
from hip3.core.results import HOUR_MS
from hip3.feed.market_state import MarketState
from hip3.observe import followups
from hip3.observe.baseline import LEAST
from hip3.observe.observer import NEAR_AN_HOUR, Frame, Observer, Run
from tests.fakes import MemoryJournal

D = Decimal
COIN = "xyz:GOLD"
WALL = 1_790_000_000_000
UP, STILL = Run(Side.BUY, 2, D(5)), Run(None, 0, ZERO)


class Market:
    """One market whose frames the test says, in prices about 1000; the cost is 20 bps, a taker leg 2."""

    def __init__(self, *coins: str) -> None:
        self.journal = MemoryJournal()
        coins = coins or (COIN,)
        self.state = MarketState(coins)
        self.observer = Observer(
            coins=list(coins), view=self.state.view, cost_bps=lambda coin: D(20), fee_bps=lambda coin: D(2),
            journal=self.journal,
        )  # fmt: skip
        self.now, self.generation, self._signals = 0, 1, 0
        self.observer.connected(1, 0)

    def see(self, bid: str, ask: str, oracle: str = "1000", *, sz: str = "5", signal: bool = False, run: Run = STILL,
            standing: Standing = CLEAR, after_ms: int = 0, coin: str = COIN, side: Side = Side.BUY) -> None:  # fmt: skip
        self.now += after_ms
        self.state.apply_ctx(CtxUpdate(coin, D(oracle), D(oracle), ZERO), self.now, self.generation)
        update = BboUpdate(coin, WALL + self.now - 40, Level(D(bid), D(sz)), Level(D(ask), D(sz)))
        view = self.state.apply_bbo(update, self.now, self.generation)
        assert view is not None
        assert view.ask is not None
        assert view.bid is not None
        touch = view.ask if side.is_buy else view.bid
        emitted = None
        if signal:
            self._signals += 1
            emitted = DislocationSignal(
                signal_id=self._signals, coin=coin, side=side, touch_px=touch.px, touch_sz=touch.sz,
                oracle=D(oracle), raw_edge_bps=D(30), cost_bps=D(20), size=D("0.1"), at_ms=WALL + self.now,
            )  # fmt: skip
        frame = Frame(view, standing, run, emitted, self.now, WALL + self.now, WALL + self.now)
        self.observer.seen(frame)

    def calm(self, ms: int, step_ms: int = 500, **more: Any) -> None:
        for _ in range(ms // step_ms):
            self.see("999", "1001", after_ms=step_ms, **more)

    def told(self) -> list[dict[str, Any]]:
        return self.journal.of("episode")


def _marks(record: dict[str, Any]) -> dict[str, tuple[str | None, ...]]:
    return {a.s: (a.missing, a.mid_bps, a.touch_bps, a.net_bps, a.late_bps) for a in record["after"]}


def test_a_signal_is_followed_and_its_four_markouts_are_not_mixed() -> None:
    m = Market()
    m.see("996", "997", signal=True, run=UP)
    m.see("997", "997", after_ms=10)  # crossed for a moment: nothing to watch
    m.see("996.5", "997", after_ms=190)  # the late look: still there
    m.see("999", "1001", after_ms=900)
    m.calm(30_000)
    (told,) = m.told()
    assert (told["episode"].why, told["episode"].edge_bps, told["episode"].bbo_lag_ms) == (None, "30.0000", 40)
    marks = _marks(told)
    assert list(marks) == ["late", "1", "3", "5", "10", "30"]
    # bought at 997: the middle is 1000, the bid 999; two legs of 2 bps
    assert marks["1"] == (None, "30.0903", "20.0602", "16.0602", "16.0602")
    assert (told["gone_ms"], told["closed_ms"], told["closed_by"], told["cut"]) == (1100, 1100, "quote", False)
    assert (told["favourable_bps"], told["adverse_bps"]) == ("20.0602", "-10.0301")


def test_a_sale_is_followed_from_its_own_side() -> None:
    m = Market()
    m.see("1003", "1004", signal=True, run=Run(Side.SELL, -2, D(-5)), side=Side.SELL)
    m.see("1003", "1004.5", after_ms=200)
    m.see("1003", "1004", oracle="1002", after_ms=300)  # the oracle comes back: that closes it
    m.see("1002", "1002.4", oracle="1002", after_ms=400)  # only then the quote goes
    m.calm(31_000, oracle="1002")
    (told,) = m.told()
    assert (told["episode"].side, told["episode"].edge_bps) == (Side.SELL, "30.0000")
    assert (told["closed_ms"], told["closed_by"], told["gone_ms"]) == (500, "oracle", 900)
    assert (told["favourable_bps"], told["adverse_bps"]) == ("19.9402", "-14.9551")  # bought back at 1001, at 1004.5
    assert _marks(told)["1"][2:] == ("19.9402", "15.9402", "15.9402")


def test_a_late_order_pays_what_is_asked_then_or_gets_nothing() -> None:
    gone, cheaper = Market(), Market()
    for m, ask in ((gone, "998"), (cheaper, "996.5")):
        m.see("996", "997", signal=True, run=UP)
        m.see("996", ask, after_ms=140)
        m.see("996", ask, after_ms=20)
        m.calm(31_000)
    assert gone.told()[0]["after"][0].takable == 0
    assert {a.late_bps for a in gone.told()[0]["after"]} == {None}
    assert _marks(cheaper.told()[0])["5"][4] == "21.0878"  # 999 / 996.5 less 4 bps


def test_looks_over_a_reconnect_are_missing_and_not_the_old_touch() -> None:
    """evidence.md 8.2, case 11."""
    m = Market()
    m.see("996", "997", signal=True, run=UP)
    m.see("996", "997", after_ms=160)
    m.now += 7000  # cut: T+1, 3 and 5 fall into it
    m.generation = 2
    m.observer.connected(2, m.now)
    m.calm(30_000)
    (told,) = m.told()
    missing = {a.s: a.missing for a in told["after"]}
    assert missing == {
        "late": None,
        "1": "not connected",
        "3": "not connected",
        "5": "not connected",
        "10": None,
        "30": None,
    }
    assert [a.bid for a in told["after"] if a.missing] == [None] * 3
    assert (told["cut"], told["favourable_bps"]) == (True, None)
    assert m.observer.state()["missing"] == 3


def test_a_market_that_falls_silent_is_missing_though_others_speak() -> None:
    m = Market(COIN, "xyz:TSLA")
    m.see("996", "997", signal=True, run=UP)
    for _ in range(70):
        m.see("99", "101", "100", after_ms=500, coin="xyz:TSLA")
    missing = {a.s: a.missing for a in m.told()[0]["after"]}
    assert missing["5"] is None  # five seconds are what an unchanged touch and a late context may take
    assert missing["10"] == missing["30"] == "nothing was heard of the market"


def test_all_silence_is_missing_and_the_end_of_the_run_ends_it() -> None:
    m = Market()
    m.see("996", "997", signal=True, run=UP)
    m.see("996", "997", after_ms=200)
    m.see("996", "997", after_ms=4000)  # three seconds late for T+1, one for T+3
    m.observer.end(m.now)
    missing = {a.s: a.missing for a in m.told()[0]["after"]}
    assert missing == {"late": None, "1": "nothing was heard", "3": None, "5": "the run ended", "10": "the run ended",
                       "30": "the run ended"}  # fmt: skip
    assert m.observer.state()["due"] == 0


def test_near_misses_are_one_for_each_oracle_price_and_say_why() -> None:
    m = Market()
    m.see("998", "998.9", after_ms=1000)  # 11 bps: half of the cost, and more
    m.see("998", "998.9", "1000.1", after_ms=100)  # within the second
    m.see("998", "998.8", after_ms=2000)  # the same oracle price: the same episode
    m.see("996", "997", "1000.2", after_ms=1000, run=STILL)
    m.see("996", "997", "1000.3", after_ms=1000, run=UP, standing=Standing("oi_cap", ZERO, "full"))
    m.see("996", "997", "1000.4", after_ms=1000, run=UP)  # and yet no signal: no size was left
    m.see("999.5", "999.6", "1000", after_ms=1000)  # 4 bps: nothing
    m.calm(31_000)
    told = m.told()
    assert [t["episode"].why.value for t in told] == ["edge", "oracle", "gate", "size"]
    assert [t["episode"].gate for t in told] == [None, None, "oi_cap", None]
    assert [t["episode"].moved for t in told] == [False, False, True, True]


def test_a_signal_s_oracle_price_gives_no_near_miss_beside_it() -> None:
    m = Market()
    m.see("996", "997", signal=True, run=UP, after_ms=5000)
    m.see("996", "997", run=UP, after_ms=2000)
    m.calm(31_000)
    assert [t["episode"].why for t in m.told()] == [None]


def test_what_an_hour_may_write_is_bounded_and_the_rest_is_counted() -> None:
    m = Market()
    for n in range(NEAR_AN_HOUR + 20):
        m.see("996", "997", str(1000 + D(n) / 1000), after_ms=1000)
    assert m.observer.near == NEAR_AN_HOUR
    assert m.observer.state()["near_uncounted"] == 20
    m.see("996", "997", "1010", after_ms=HOUR_MS)
    assert m.observer.near == NEAR_AN_HOUR + 1


def test_too_many_to_follow_are_told_at_once_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    assert followups.MOST_DUE == 20_000
    monkeypatch.setattr(followups, "MOST_DUE", 60)
    m, most = Market(), 10
    for _ in range(most + 2):
        m.see("996", "997", signal=True, run=UP)
    assert m.observer.state()["due"] == most * 6
    assert m.observer.state()["lost"] == 2
    assert {a.missing for t in m.told() for a in t["after"]} == {"too many to follow"}


def test_where_the_book_usually_stands_is_known_before_an_edge_is_believed() -> None:
    m = Market()
    for n in range(LEAST + 5):
        m.see("994.9", "995.1", str(1000 + D(n) / 10_000), after_ms=1000)
    m.observer.end(m.now)
    last = m.told()[-1]["episode"]
    assert last.baseline_bps is not None
    assert -51 < D(last.baseline_bps) < -49
    (structure,) = m.journal.of("structure")
    assert structure["over"] == structure["still"] == structure["samples"]
    assert -51 < D(structure["median_bps"]) < -49
