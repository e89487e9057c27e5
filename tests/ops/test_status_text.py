"""The status for people: state word first, then why, and no line that an 80-column terminal would break."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip3.core.orders import Side
from hip3.ops.status_text import WIDTH, age, bar, status_text
from tests.builders import D
from tests.service.apps import status_of
from tests.world import World, quiet_world

UGLY = [
    "", "x" * 500, "word " * 200, "a\nb\r\nc\tд", "дуже довге", "日本語" * 40, "\x1b[31mred\x1b[0m", "\u202e" * 90, "-" * 300,
    "0." + "0" * 90 + "1",
]  # fmt: skip


@pytest.fixture(scope="module")
def status(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A service in the middle of its work."""
    world = World(tmp_path_factory.mktemp("w"), seed=1, on_disk=True, all_move=True, max_notional_total=D(60))
    assert world.run_until(lambda: bool(status_of(world)["refusals"]) and bool(status_of(world)["positions"]), 120_000)
    found = status_of(world)
    world.journal.close()
    return found


def _lines(status: dict[str, Any]) -> list[str]:
    text = status_text(status)
    assert text.endswith("\n")
    lines = text[:-1].split("\n")
    for line in lines:
        assert len(line) <= WIDTH, line
        assert line.isascii(), line
        assert line.isprintable(), line
    return lines


def test_the_state_word_is_first_and_the_reasons_follow(status: dict[str, Any]) -> None:
    lines = _lines(status | {"state": "NOT_READY", "reasons": ["one thing", "another thing"]})
    assert lines[0].split()[0] == "NOT_READY"
    assert [line.strip() for line in lines[1:3]] == ["one thing", "another thing"]
    tripped = status | {"state": "HARD_STOP", "hard_stop": {"tripped": True, "reason": "max_loss: -21", "at_ms": 1}}
    assert "./run.sh latch reset --reason TEXT" in status_text(tripped)


def test_before_the_account_is_read_nothing_is_said_of_it(tmp_path: Path) -> None:
    """It said `positions none` and `0 unknown` of an account that nobody had asked."""
    world = quiet_world(tmp_path)
    world.by_hand("xyz:GOLD", Side.BUY, D("0.01"))
    world.running.trading = None
    shown = status_of(world)
    assert shown["account_read"] is False
    lines = _lines(shown)
    for label in ("exposure", "orders", "positions"):
        assert next(line for line in lines if line.startswith(label)).split(maxsplit=1)[1].startswith("not read yet")
    assert "none" not in " ".join(lines)


def test_a_weight_that_the_exchange_calls_spent_is_no_nought(status: dict[str, Any]) -> None:
    refused = status | {"budgets": status["budgets"] | {"ip_weight_used": 0, "ip_weight_refused": True}}
    (line,) = [line for line in _lines(refused) if " of 1200 a minute" in line]
    assert "spent" in " ".join(_lines(refused))
    assert "0 of 1200" in line


def test_signals_that_are_lost_to_sizing_are_told(status: dict[str, Any]) -> None:
    lost = status | {"counters": status["counters"] | {"skipped": {"no_size": 7}}}
    assert "no size that is large enough and within the limit 7" in " ".join(_lines(lost))


def test_what_each_limit_measures_is_told(status: dict[str, Any]) -> None:
    risk = status["risk"] | {"max_daily_loss_usd": "20", "lost_today_usd": "1.5000"}
    text = " ".join(" ".join(_lines(status | {"risk": risk})).split())
    assert "of -20 USD, open positions at their marks and fees in it" in text
    assert "lost today 1.5000 of 20 USD" in text


def test_everything_that_is_asked_of_it_is_on_the_page(status: dict[str, Any]) -> None:
    shown = status | {
        "positions": [
            {"market": "xyz:GOLD", "size": "-0.0123", "entry_px": "4000", "mark_px": None, "unrealized_pnl_usd": None,
             "age_ms": 61_000, "exit": "time_stop", "exit_attempts": 3, "notional_usd": None, "foreign": True},
        ],
        "inflight": [{"action": "orders", "items": 2, "age_ms": 1234}],
        "unknown": [{"cloid": "0xabc", "market": "xyz:TSLA", "age_ms": 40_000}],
        "closed_ms": {"xyz:NVDA": 59_000}, "blocked": {"xyz:CL": "its lot changed"},
        "market_gates": {"xyz:AMD": "spread_shock"}, "flags": ["xyz:META is not entered: halted"],
    }  # fmt: skip
    text = status_text(shown)
    for word in (
        "xyz:GOLD", "1m01s", "leaving by time_stop, try 3", "opened by others", "2 orders, sent 1.2s ago", "0xabc", "40s",
        "closed", "xyz:NVDA for 59s", "address", "weight", "userFills", "MaxPositionTotal", "of 60 USD", "xyz:CL is not traded: its lot changed", "xyz:AMD by spread_shock", "xyz:META is not entered: halted",
    ):  # fmt: skip
        assert word in text, word


def _spoil(value: Any, ugly: str, number: int) -> Any:
    """The same shape with ugly values; flags and missing values stay."""
    if isinstance(value, dict):
        return {k: _spoil(v, ugly, number) for k, v in value.items()}
    if isinstance(value, list):
        return [_spoil(v, ugly, number) for v in value] * 30
    if isinstance(value, str):
        return ugly
    return value if value is None or isinstance(value, bool) else number


@pytest.mark.parametrize("ugly", UGLY, ids=range(len(UGLY)))
@pytest.mark.parametrize("number", [-(10**15), 0, 10**15])
def test_no_value_is_too_ugly(status: dict[str, Any], ugly: str, number: int) -> None:
    spoilt = _spoil(status, ugly, number)
    for key in ("limit_usd", "worst_case_usd"):
        spoilt["exposure"][key] = str(number)
    names = {f"{n}{ugly}": n for n in range(40)}
    spoilt |= {"closed_ms": names, "refused_by_gate": names, "blocked": dict.fromkeys(names, ugly)}
    spoilt["market_gates"] = dict.fromkeys(names, ugly)
    spoilt["counters"] |= {"venue_rejected": names}
    _lines(spoilt)


@given(st.integers(0, 10**13))
def test_an_age_has_at_most_seven_characters_up_to_three_years(ms: int) -> None:
    assert len(age(min(ms, 86_400_000 * 999))) <= 7


@given(st.decimals(0, 10**9, places=4), st.decimals(0, 10**9, places=4))
def test_the_bar_has_ten_steps_and_any_use_shows(used: Decimal, limit: Decimal) -> None:
    assert len(bar(used, limit)) == 12
    assert ("#" in bar(used, limit)) == (used > 0 or limit == 0)


def test_before_anything_is_known_there_is_a_page_too(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    world.running.trading = None
    lines = _lines(status_of(world))
    assert any(line.startswith("positions") for line in lines)


def test_a_position_that_is_there_is_shown_at_its_age(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    world.by_hand("xyz:GOLD", Side.BUY, D("0.05"))
    world.run(90_000, step_ms=100)
    (line,) = (line for line in _lines(status_of(world)) if line.startswith("xyz:GOLD"))
    assert "1m2" in line or "1m3" in line
