"""The closed table of refusals: every text and status of the protocol has one row."""

from pathlib import Path

import pytest

from hip3.core import refusals
from hip3.core.refusals import TABLE, UNKNOWN_TEXT, Kind, classify

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("text", "kind", "counts"),
    [
        ("Order could not immediately match against any resting orders. asset=5", Kind.EXPECTED, False),
        ("iocCancelRejected", Kind.EXPECTED, False),
        ("Post only order would have immediately matched, bbo was 1789.7@1790.4. asset=5", Kind.EXPECTED, False),
        ("Order must have minimum value of $10. asset=173", Kind.EXPECTED, False),
        ("Order must have minimum value of 10 USDC.", Kind.EXPECTED, False),
        ("Price must be divisible by tick size. asset=3", Kind.OURS, True),
        ("Insufficient margin to place order. asset=5", Kind.ACCOUNT, True),
        ("perpMarginRejected", Kind.ACCOUNT, True),
        (
            "Too many cumulative requests sent (97460 > 97456) for cumulative volume traded $87457.46.",
            Kind.ACCOUNT,
            False,
        ),
        ("User or API Wallet 0xc06d does not exist.", Kind.FATAL, True),
        ("Invalid nonce: duplicate nonce 1700000000000", Kind.OURS, True),
        ("Trading is halted.", Kind.TRANSIENT, False),
        ("429 Too Many Requests", Kind.TRANSIENT, False),
        ("rejected", Kind.TRANSIENT, True),
        ("A sentence nobody has seen yet", Kind.OURS, True),
    ],
)
def test_known_texts(text: str, kind: Kind, counts: bool) -> None:
    row = classify(text)
    assert (row.kind, row.counts) == (kind, counts)


def test_every_documented_rejection_status_has_a_row() -> None:
    statuses = (
        "tickRejected minTradeNtlRejected perpMarginRejected reduceOnlyRejected badAloPxRejected iocCancelRejected "
        "badTriggerPxRejected marketOrderNoLiquidityRejected positionIncreaseAtOpenInterestCapRejected "
        "positionFlipAtOpenInterestCapRejected tooAggressiveAtOpenInterestCapRejected openInterestIncreaseRejected "
        "insufficientSpotBalanceRejected oracleRejected perpMaxPositionRejected tooManyOpenOrdersRejected"
    )
    for status in statuses.split():
        assert classify(status) is not UNKNOWN_TEXT, status


def test_expected_refusals_never_count_and_every_row_says_what_to_do() -> None:
    for row in TABLE:
        assert not (row.kind is Kind.EXPECTED and row.counts), row.prefix
        assert row.cause
        assert row.advice


def test_no_row_hides_behind_another() -> None:
    for row in TABLE:
        assert classify(row.prefix) is row, row.prefix


def test_the_page_is_the_table() -> None:
    assert (ROOT / "docs" / "refusals.md").read_text() == refusals.document()
