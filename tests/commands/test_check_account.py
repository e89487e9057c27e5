"""What `check` says of an account's worth, against the exchange's own answers in each mode."""

from typing import Any

import pytest

from hip3.commands.check_account import TRIES, funds
from hip3.errors import PreflightError
from hip3.venue.setup.parameters import Parameters
from tests.venue.desk import GOLD, D, Desk


class _Rest:
    """The desk's answers as a `Rest`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def info_json(self, request: dict[str, Any]) -> Any:
        return self._desk.info(request["type"], **{k: v for k, v in request.items() if k != "type"})

    def info(self, request: dict[str, Any]) -> bytes:
        import msgspec

        return msgspec.json.encode(self.info_json(request))


def _asked(mode: Any, *, trade: bool = False, gains: bool = True, moves: bool = True, cash: str = "1000") -> str:
    desk = Desk(parameters=Parameters(account_mode=mode, pooled_gains=gains))
    one, two = desk.key(1, cash), desk.key(2, "100000")
    if trade:
        desk.trade(one, two, "0.5")
        market = desk.venue.engine.markets[GOLD]
        desk.venue.engine.set_mark(market, D(4001), desk.now)
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if moves and len(pauses) == 3:
            desk.venue.engine.set_mark(desk.venue.engine.markets[GOLD], D(4030), desk.now)

    text = funds(_Rest(desk), one.address, ["xyz"], {0}, pause, {"xyz": D(2)})
    assert len(pauses) <= TRIES
    return text


def test_a_standard_account_is_told_by_dex() -> None:
    assert _asked("default") == "1000.0 USD on xyz"
    with pytest.raises(PreflightError, match="no funds on dex xyz"):
        _asked("disabled", cash="0")
    with pytest.raises(PreflightError, match=r"has 1.9\d* USD on dex xyz, and the smallest order there needs 2.00"):
        _asked("disabled", cash="1.9")


def test_a_pooled_account_is_told_as_a_whole_and_what_backs_it() -> None:
    assert _asked("unifiedAccount").startswith("2000.0 USD for all dexs (unified: all of it backs every cross position")
    assert "borrowed" in _asked("portfolioMargin")
    with pytest.raises(PreflightError, match="deposit first"):
        _asked("unifiedAccount", cash="0")


def test_a_mode_that_nobody_knows_is_refused_with_what_to_do() -> None:
    with pytest.raises(PreflightError, match="set it to unified or to standard"):
        _asked("dexAbstraction")


def test_whether_gains_are_in_the_total_is_seen_over_a_move_of_the_mark() -> None:
    text = _asked("unifiedAccount", trade=True)
    assert "the total has them in it" in text
    assert "gains of open positions 0.5 -> 15" in text
    assert "could not be seen" in _asked("unifiedAccount", trade=True, moves=False)
    with pytest.raises(PreflightError, match="wrong by all open gains"):
        _asked("unifiedAccount", trade=True, gains=False)
