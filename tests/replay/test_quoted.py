"""A recorded session that also quotes happens again to the last digit: evidence.md 8.1.2."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hip3.record.lines import Record
from hip3.replay.head import first_look
from hip3.replay.run import began_ns
from hip3.replay.ways import Ways
from tests.replay.session import account_of, again, recorded, sent_of

QUOTING = {
    "quote_markets": "xyz:GOLD,xyz:SILVER", "quote_min_half_bps": "1", "quote_min_edge_bps": "0",
    "quote_vol_factor": "0.3", "quote_spacing_bps": "2", "quote_min_interval_ms": "300",
}  # fmt: skip
"""Quotes close enough to the market to be met, and moved often."""
BEFORE_THE_HOUR_MS = 1_790_002_800_000 - 85_000


def test_a_quoted_session_happens_again_with_its_funding(tmp_path: Path) -> None:
    """Quotes and cancels go when they went, are executed when they were, and funding is paid at its moment."""
    session = recorded(tmp_path, 1, 1.5, start_ms=BEFORE_THE_HOUR_MS, **QUOTING)
    assert began_ns(first_look(session.recording)) == BEFORE_THE_HOUR_MS * 1_000_000, "not as the process did"
    live = account_of(session.venue, session.user)
    account, _, sent = again(session, tmp_path / "again")
    assert sent == sent_of(session.records)
    assert account == live
    assert len(live["funding"]) > 0
    assert any(not fill["crossed"] for fill in live["fills"])


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_ten_quoted_sessions_happen_again_to_the_last_digit(tmp_path: Path, seed: int) -> None:
    """Ten seeds of ten minutes over the full hour, each with another latency; every other one moves its quotes."""
    start_ms = BEFORE_THE_HOUR_MS - 200_000
    more = QUOTING | {"quote_modify": "true" if seed % 2 else "false"}
    session = recorded(tmp_path, seed, 10, start_ms=start_ms, latency_ms=60 + 20 * seed, **more)
    account, _, sent = again(session, tmp_path / "again", until_ms=session.stopping_ms)
    assert (account, sent) == session.at_the_stop
    assert any(not fill["crossed"] for fill in account["fills"])


def _record(at_ms: int, kind: str, body: Any) -> Record:
    return Record(1, at_ms * 1_000_000, 0, 1, kind, msgspec.Raw(msgspec.json.encode(body)))


def _posted(ways: Ways, number: int, sent_ms: int, answered_ms: int, **what: Any) -> None:
    ways.said(_record(sent_ms, "out", {"method": "post", "post": {"id": number, **what}}))
    ways.replied(_record(answered_ms, "in", {"channel": "post", "data": {"id": number}}))


def _word(cloid: str, oid: int, status: str, at_ms: int) -> list[dict[str, Any]]:
    return [{"order": {"cloid": cloid, "oid": oid}, "status": status, "statusTimestamp": at_ms}]


def test_an_action_takes_as_long_as_its_own_recording_says() -> None:
    """By the orders it is about, whatever its number; a cancel's oid is the replayed exchange's own."""
    ways = Ways(0)
    ways.cloid_of = {1: "0xa", 2: "0xb"}.get
    for number, (cloid, oid) in enumerate((("0xa", 71), ("0xb", 72))):
        _posted(ways, number, 1000 + number * 100, 1150 + number * 100, orders=[{"c": cloid}])
        ways.updates(_word(cloid, oid, "open", 1130 + number * 100), 1140 + number * 100)
    _posted(ways, 5, 2000, 2160, cancels=[{"a": 3, "o": 71}])  # it was filled before
    _posted(ways, 6, 2100, 2270, cancels=[{"a": 3, "o": 72}])
    ways.updates(_word("0xb", 72, "canceled", 2240), 2260)

    def took(now_ms: int, **action: Any) -> int | None:
        return ways.of({"action": action}, now_ms)

    assert took(1000, orders=[{"c": "0xa"}]) == 130
    assert took(2000, cancels=[{"a": 3, "o": 1}]) == 140, "its answer, less the way back"
    assert took(2105, cancels=[{"a": 3, "o": 2}]) == 135
    assert took(3000, orders=[{"c": "0xdd"}]) == 130, "one that is not recorded goes as others in the middle"
    assert Ways(0).of({"action": {"orders": [{"c": "0xa"}]}}, 0) is None
