"""What people read in the log of records that are business as usual, and that they are not warnings."""

from collections.abc import Iterator

import pytest
from loguru import logger

from hip3.ops.lines import tell
from tests.builders import D, exit_order

Told = list[tuple[str, str]]


@pytest.fixture
def told() -> Iterator[Told]:
    """Level and text of each line."""
    lines: Told = []
    sink = logger.add(
        lambda line: lines.append((line.record["level"].name, line.record["message"])), format="{message}"
    )
    yield lines
    logger.remove(sink)


USUAL = {
    "protect": {"order": exit_order(trigger_px=D(3880)), "position": None},
    "leverage": {"coin": "xyz:GOLD", "isolated": True, "leverage": 5},
    "latch_reset": {"user": "trader", "at_ms": 1, "reason": "fixed the feed", "was": "max_loss: 21 USD"},
    "market_approved": {"coin": "xyz:GOLD"},
    "quotes_adopted": {"oids": [1, 2]},
    "completion": {"coin": "xyz:GOLD", "why": "its inventory is full", "target_usd": D(20)},
    "market_gate": {"coin": "xyz:GOLD", "gate": None, "why": ""},
    "completion_held": {"coin": "xyz:GOLD", "tries": 10},
}


@pytest.mark.parametrize("kind", USUAL)
def test_what_is_business_as_usual_is_no_warning(told: Told, kind: str) -> None:
    tell(kind, USUAL[kind])
    assert [level for level, _ in told] == ["INFO"]


ALARMS = {
    "market_gate": ({"coin": "xyz:GOLD", "gate": "halt", "why": "it is halted"}, "no entries (halt): it is halted"),
    "read_failed": ({"what": "RateLimited: /info"}, "tried again: RateLimited: /info"),
    "stop_nearer": (
        {"coin": "xyz:CL", "wished_bps": 300, "bps": D("205.1282051282"), "liquidation_px": D("73.2471794717")},
        "205 bps away in place of 300: liquidation at 73.247179",
    ),
}


@pytest.mark.parametrize("kind", ALARMS)
def test_an_alarm_is_a_sentence(told: Told, kind: str) -> None:
    fields, words = ALARMS[kind]
    tell(kind, fields)
    ((level, text),) = told
    assert level == "WARNING"
    assert words in text


def test_what_has_no_line_of_its_own_is_a_warning_and_the_quiet_ones_are_not_told(told: Told) -> None:
    tell("something new", {"coin": "xyz:GOLD"})
    tell("snapshot", {"status": {}})
    assert [level for level, _ in told] == ["WARNING"]
