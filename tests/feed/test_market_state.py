"""The latest view of each market, and which marks may be trusted."""

from decimal import Decimal

from hip3.core.events import BboUpdate, CtxUpdate
from hip3.core.market import Level
from hip3.feed.market_state import MarketState

D = Decimal


def _ctx(coin: str, mark: str) -> CtxUpdate:
    return CtxUpdate(coin, D(100), D(mark), D(1))


def test_marks_are_of_one_generation_and_come_from_contexts_alone() -> None:
    state = MarketState(["a", "b"])
    state.apply_ctx(_ctx("a", "99"), 1, 1)
    state.apply_ctx(_ctx("b", "101"), 1, 1)
    state.apply_ctx(_ctx("a", "98"), 2, 1)
    assert state.marks(1) == {"a": D(98), "b": D(101)}
    state.apply_bbo(BboUpdate("a", 3, Level(D(97), D(1)), Level(D(99), D(1))), 3, 2)
    assert state.marks(2) == {}
    state.apply_ctx(_ctx("b", "102"), 4, 2)
    assert state.marks(2) == {"b": D(102)}
    assert state.marks(1) == {}


def test_what_was_taken_does_not_change_afterwards() -> None:
    state = MarketState(["a"])
    state.apply_ctx(_ctx("a", "99"), 1, 1)
    taken = state.marks(1)
    state.apply_ctx(_ctx("a", "98"), 2, 1)
    assert taken == {"a": D(99)}
