"""When a session keeps quotes away: over the week's end, and over the nights in which clocks are changed."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from hip3.config.quote_settings import WEEKEND
from hip3.config.reading import MarketSettings
from hip3.config.settings import Settings
from hip3.core.windows import parse_sessions
from hip3.execution.quotes.facts import FactFinder
from hip3.execution.quotes.market import QuotedMarket
from hip3.service.params import quote_params

GOLD = "xyz:GOLD"
OPEN, ENDS, OVER, YOUNG = "", "its session is about to end", "its session is over", "its session has just begun"


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


@pytest.mark.parametrize(
    ("when", "said"),
    [
        # The weekend of New York, Friday 17:00 to Sunday 18:00; in the first night of November its clocks go back.
        ("2026-10-30 20:59:59", OVER),
        ("2026-10-30 21:00:30", YOUNG),
        ("2026-10-30 21:01:00", OPEN),
        ("2026-11-01 05:30:00", OPEN),  # half past one for the first time
        ("2026-11-01 06:30:00", OPEN),  # and for the second
        ("2026-11-01 21:59:00", OPEN),  # it would be over by the clocks of the day before
        ("2026-11-01 22:30:00", OPEN),
        ("2026-11-01 22:59:00", ENDS),
        ("2026-11-01 23:00:00", OVER),
        # In the second Sunday's night of March they go forward.
        ("2026-03-06 21:59:00", OVER),
        ("2026-03-06 22:01:00", OPEN),
        ("2026-03-08 06:59:30", OPEN),
        ("2026-03-08 07:00:30", OPEN),  # an hour is missing there, and nothing else
        ("2026-03-08 21:58:59", OPEN),
        ("2026-03-08 21:59:00", ENDS),
        ("2026-03-08 22:00:00", OVER),
        # From one day into the next nothing ends and nothing begins.
        ("2026-07-11 03:59:30", OPEN),
        ("2026-07-11 04:00:30", OPEN),
    ],
)
def test_a_weekend_by_the_clocks_of_a_place(when: str, said: str) -> None:
    """Q38."""
    settings = MarketSettings(Settings(network="embedded", markets=GOLD, quote_markets=GOLD))
    params = msgspec.structs.replace(quote_params(settings, GOLD), sessions=parse_sessions(WEEKEND["quote_sessions"]))
    nothing: Any = None
    finder = FactFinder(
        blocked=lambda coin: None, gate=lambda coin: None, latch=nothing, readiness=nothing, exits=nothing, flags=nothing,
        exchange_ms=lambda: _ms(when), watch_foreign=False,
    )  # fmt: skip
    assert finder._cutoff(QuotedMarket(GOLD, params), 0) == said
