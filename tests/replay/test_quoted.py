"""A recorded session that also quotes happens again to the last digit: evidence.md 8.1.2."""

from pathlib import Path

import pytest

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
    live = account_of(session.venue, session.user)
    account, _, sent = again(session, tmp_path / "again")
    assert sent == sent_of(session.records)
    assert account == live
    assert len(live["funding"]) > 0
    assert any(not fill["crossed"] for fill in live["fills"])


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(10))
def test_ten_quoted_sessions_happen_again_to_the_last_digit(tmp_path: Path, seed: int) -> None:
    """Ten seeds of ten minutes over the full hour, each with another latency; every other one moves its quotes."""
    start_ms = BEFORE_THE_HOUR_MS - 200_000
    more = QUOTING | {"quote_modify": "true" if seed % 2 else "false"}
    session = recorded(tmp_path, seed, 10, start_ms=start_ms, latency_ms=60 + 20 * seed, **more)
    account, _, sent = again(session, tmp_path / "again")
    assert account == account_of(session.venue, session.user)
    told = sent_of(session.records)
    assert sent[: len(told)] == told
    assert all(created_ms >= session.stopping_ms for _, (_, _, created_ms) in sent[len(told) :])
