"""What an account is worth by its mode; a mode that changes waits for a person."""

from itertools import count
from typing import Any

import pytest

from hip3.core.money import ZERO
from hip3.errors import VenueReadError
from hip3.execution.account_view import AccountView
from hip3.execution.truth.account import AccountReport
from hip3.execution.truth.worth import MODE_MS, Worth, equity_of, pooled_total, read_mode, tokens_of
from tests.builders import D, spec
from tests.fakes import MemoryJournal

ROWS = [
    {"coin": "+92260", "total": "0.0"}, {"coin": "USDC", "token": 0, "total": "500.25", "hold": "3"},
    {"coin": "USDH", "token": 360, "total": "950"}, {"coin": "PURR", "token": 1, "total": "7", "entryNtl": "1"},
]  # fmt: skip
REPORT = AccountReport(at_ms=1, since_ms=1, positions={}, orders=(), fills=(), equity=D("1000.5"), marks={})


MINUTES = count(0, 60_000)


class _Rest:
    """An account by its mode and its rows of spot; None cannot be read."""

    def __init__(self, mode: str | None = "default", rows: Any = ROWS) -> None:
        self.mode, self.rows = mode, rows

    def info_json(self, request: dict[str, Any]) -> Any:
        answer = self.mode if request["type"] == "userAbstraction" else self.rows
        if answer is None:
            raise VenueReadError("no answer")
        return answer if request["type"] == "userAbstraction" else {"balances": answer}

    def info(self, request: dict[str, Any]) -> bytes:
        raise NotImplementedError


def _worth(rest: _Rest, agreed: str | None = None) -> tuple[Worth, AccountView, Any]:
    view, journal = AccountView(), MemoryJournal()
    return Worth(rest=rest, user="0x", agreed=agreed, tokens={0}, view=view, journal=journal), view, journal


@pytest.mark.parametrize(
    ("answer", "mode", "equity"),
    [
        ("default", "standard", D("1000.5")), ("disabled", "standard", D("1000.5")),
        ("unifiedAccount", "unified", D("500.25")), ("portfolioMargin", "portfolio", D("500.25")),
        ("dexAbstraction", "unknown", None), ("somethingNew", "unknown", None),
    ],
)  # fmt: skip
def test_each_mode_has_its_equity(answer: str, mode: str, equity: D | None) -> None:
    rest = _Rest(answer)
    assert read_mode(rest, "0x") == mode
    assert equity_of(rest, "0x", mode, REPORT) == equity
    worth, view, _ = _worth(rest)
    worth.read(REPORT, next(MINUTES))
    assert (view.mode, view.equity, not view.unknown_why) == (mode, equity, equity is not None)


def test_what_was_known_stands_while_it_is_read_again() -> None:
    """An equity of None stops entries for as long as the exchange takes to answer."""
    seen = []

    class Asked(_Rest):
        def info_json(self, request: dict[str, Any]) -> Any:
            seen.append((view.mode, view.equity))
            return super().info_json(request)

    worth, view, _ = _worth(Asked("unifiedAccount"))
    worth.read(REPORT, next(MINUTES))
    seen.clear()
    worth.read(REPORT, next(MINUTES))
    assert seen
    assert set(seen) == {("unified", D("500.25"))}


def test_collateral_of_several_tokens_adds_up_and_other_rows_are_none() -> None:
    assert equity_of(_Rest(), "0x", "unified", REPORT, {0, 360}) == D("1450.25")
    assert equity_of(_Rest(rows=[]), "0x", "unified", REPORT, {0, 360}) == ZERO


@pytest.mark.parametrize("rows", [None, 5, [5], [{"token": 0}], [{"token": 0, "total": "x"}]])
def test_collateral_that_cannot_be_read_is_unknown(rows: Any) -> None:
    with pytest.raises(VenueReadError):
        equity_of(_Rest(rows=rows), "0x", "unified", REPORT)
    worth, view, _ = _worth(_Rest("unifiedAccount", rows))
    view.equity = D(7)
    with pytest.raises(VenueReadError):
        worth.read(REPORT, next(MINUTES))
    assert view.equity is None
    assert view.unknown_why


def test_a_mode_that_changes_makes_the_equity_unknown_until_a_person_takes_it() -> None:
    rest = _Rest()
    worth, view, journal = _worth(rest)
    worth.read(REPORT, next(MINUTES))
    rest.mode = "unifiedAccount"
    for _ in range(3):
        worth.read(REPORT, next(MINUTES))
        assert (view.mode, view.equity, view.worth_epoch) == ("unified", None, 0)
        assert "resume" in view.unknown_why
    assert journal.of("mode_changed") == [{"was": "standard", "now": "unified"}]
    worth.agree()
    worth.read(REPORT, next(MINUTES))
    assert (view.equity, view.worth_epoch) == (D("500.25"), 1)
    rest.mode = "disabled"
    worth.read(REPORT, next(MINUTES))
    assert view.equity is None
    rest.mode = "unifiedAccount"  # somebody took it back
    worth.read(REPORT, next(MINUTES))
    assert view.equity == D("500.25")


def test_a_change_while_no_service_ran_is_one_too() -> None:
    worth, view, journal = _worth(_Rest("unifiedAccount"), agreed="standard")
    worth.read(REPORT, next(MINUTES))
    assert view.equity is None
    assert len(journal.of("mode_changed")) == 1
    worth.agree()
    worth.agree()
    assert (view.worth_epoch, journal.kept["mode"]) == (1, "unified")


def test_the_mode_is_asked_for_once_a_minute_whatever_is_doubted_meanwhile() -> None:
    rest = _Rest()
    worth, view, _ = _worth(rest)
    view.mode = "standard"  # the start has read it
    rest.mode = None
    for now_ms in range(0, MODE_MS, 2000):
        worth.read(REPORT, now_ms)
        assert view.equity == D("1000.5")
    with pytest.raises(VenueReadError):
        worth.read(REPORT, MODE_MS)
    rest.mode = "unifiedAccount"
    worth.read(REPORT, MODE_MS + 1)
    assert (view.mode, view.equity) == ("unified", None)


def test_one_standard_mode_is_as_good_as_the_other() -> None:
    rest = _Rest("default")
    worth, view, journal = _worth(rest)
    worth.read(REPORT, next(MINUTES))
    rest.mode = "disabled"
    worth.read(REPORT, next(MINUTES))
    assert view.equity == D("1000.5")
    assert journal.of("mode_changed") == []


def test_the_tokens_are_those_of_the_markets_dexs_and_none_where_one_is_not_known() -> None:
    usdh, usdc, unknown = (spec(collateral_token=token) for token in (360, 0, None))
    assert set(tokens_of([usdh]) or ()) == {360}
    assert set(tokens_of([usdh, usdc]) or ()) == {0, 360}
    assert tokens_of([usdc, unknown]) is None
    assert set(tokens_of([]) or ()) == {0}
    assert pooled_total(_Rest(), "0x", {360}) == D("950")
    assert pooled_total(_Rest(), "0x", {0, 360}) == D("1450.25")
