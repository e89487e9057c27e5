"""Hours of a week by the clocks of a place: summer time, midnight, and texts that are none."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip3.core.windows import parse_sessions

NEW_YORK = "Mon-Fri 09:30-16:00 America/New_York"


def _at(text: str) -> int:
    """Milliseconds of a time in UTC."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


@pytest.mark.parametrize(
    ("text", "when", "is_open"),
    [
        (NEW_YORK, "2026-07-01 13:30", True),  # a Wednesday in summer: four hours behind
        (NEW_YORK, "2026-07-01 13:29:59", False),
        (NEW_YORK, "2026-07-01 19:59:59", True),
        (NEW_YORK, "2026-07-01 20:00", False),
        (NEW_YORK, "2026-12-02 13:30", False),  # in winter five
        (NEW_YORK, "2026-12-02 14:30", True),
        (NEW_YORK, "2026-11-02 14:29", False),  # the Monday after the clocks went back
        (NEW_YORK, "2026-11-02 14:30", True),
        (NEW_YORK, "2026-07-04 15:00", False),  # a Saturday
        ("Sun-Thu 18:00-17:00 America/New_York", "2026-07-05 21:59", False),  # Sunday, before it begins
        ("Sun-Thu 18:00-17:00 America/New_York", "2026-07-05 22:00", True),
        ("Sun-Thu 18:00-17:00 America/New_York", "2026-07-10 20:59", True),  # Friday: Thursday's still runs
        ("Sun-Thu 18:00-17:00 America/New_York", "2026-07-10 21:00", False),
        ("Sun-Thu 18:00-17:00 America/New_York", "2026-07-10 22:30", False),  # none begins on a Friday
        ("Sat,Sun 00:00-24:00", "2026-07-04 00:00", True),
        ("Sat,Sun 00:00-24:00", "2026-07-05 23:59", True),
        ("Sat,Sun 00:00-24:00", "2026-07-06 00:00", False),
        ("Fri-Mon 00:00-24:00", "2026-07-05 12:00", True),  # over the week's end
        ("Fri-Mon 00:00-24:00", "2026-07-07 12:00", False),
        (f"{NEW_YORK}; Sat 10:00-11:00", "2026-07-04 10:30", True),
        (f"{NEW_YORK}; Sat 10:00-11:00", "2026-07-01 15:00", True),
        ("mon 1:05-2:00 UTC", "2026-07-06 01:05", True),
        ("", "2026-07-06 01:05", True),
        (" ; ", "2026-07-06 01:05", True),
    ],
)
def test_hours(text: str, when: str, is_open: bool) -> None:
    sessions = parse_sessions(text)
    for _ in range(2):
        assert sessions.open_at(_at(when)) is is_open


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("09:30-16:00", "not of the form"), ("Mon 09:30", "HH:MM-HH:MM"), ("Mon 09:30-09:30", "HH:MM-HH:MM"),
        ("Mon 24:00-09:30", "HH:MM-HH:MM"), ("Mon 09:30-25:00", "HH:MM-HH:MM"), ("Mon 09:30-16:00 New York", "form"),
        ("Mon 09:30-16:00 Mars/Olympus", "no time zone"), ("Mon 09:30-16:00 ../etc/passwd", "no time zone"),
        ("Mon-Funday 09:30-16:00", "no day"), ("Every 09:30-16:00", "no day"), ("Mon- 09:30-16:00", "no day"),
        ("Mon 09:30-16:00; Tue", "not of the form"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(text: str, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        parse_sessions(text)


@given(st.text(max_size=40))
def test_no_text_breaks_it(text: str) -> None:
    try:
        assert parse_sessions(text).open_at(0) in (True, False)
    except ValueError:
        return


@given(st.integers(0, 4_000_000_000_000))
def test_a_whole_week_in_parts_is_open_once_at_every_minute(wall_ms: int) -> None:
    parts = [parse_sessions(text) for text in ("Mon-Fri 00:00-24:00 Asia/Tokyo", "Sat-Sun 00:00-24:00 Asia/Tokyo")]
    assert sum(part.open_at(wall_ms) for part in parts) == 1
