"""Times of day, as HIP3_BLACKOUT has them, and hours of a week in a place, as HIP3_SESSIONS has them. Pure.

A day of UTC has no leap seconds, so that a wall time in milliseconds tells the minute of its day. What the clocks of a
place show is the system's time-zone database, or the one of the package tzdata, where summer time begins and ends.
"""

from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY_MINUTES = 1440
"""Minutes of a day, numbered from 0."""
MINUTE_MS = 60_000

Window = tuple[int, int]
"""From and until, in minutes of a UTC day; `until` may be smaller: past midnight."""


def parse_windows(text: str | None) -> tuple[Window, ...]:
    """`14:25-14:40,23:50-00:10` as windows. ValueError with the part that cannot be read.

    None and "" are no window. A window must not begin where it ends, so none covers a whole day.
    """
    out = []
    for part in (p.strip() for p in (text or "").split(",")):
        if not part:
            continue
        ends = [_minute(end) for end in part.split("-")]
        if len(ends) != 2 or None in ends or ends[0] == ends[1]:
            raise ValueError(f"{part!r} is not of the form HH:MM-HH:MM")
        out.append((ends[0] or 0, ends[1] or 0))  # neither is None here; `or` says so to the type checker
    return tuple(out)


def _minute(text: str) -> int | None:
    """The minute of the day that `H:MM` or `HH:MM` names; None if it is none."""
    hours, _, minutes = text.strip().partition(":")
    if not (hours.isdecimal() and minutes.isdecimal() and len(minutes) == 2):
        return None
    minute = int(hours) * 60 + int(minutes)
    return minute if int(minutes) < 60 and minute < DAY_MINUTES else None


def in_window(windows: tuple[Window, ...], wall_ms: int) -> bool:
    """Whether a wall time lies in one of the windows: their first minute is in, their last is not."""
    if not windows:
        return False
    minute = wall_ms // MINUTE_MS % DAY_MINUTES
    return any(a <= minute < b if a < b else minute >= a or minute < b for a, b in windows)


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Session(NamedTuple):
    """Hours of some days of the week, by the clocks of a place."""

    days: frozenset[int]
    """On which it begins; 0 is Monday."""
    begins: int
    ends: int
    """Minutes of the day; not after `begins`: it ends on the next day."""
    zone: ZoneInfo


class Sessions:
    """The hours of one market; without any it is always open. Any thread: the minute that was asked last is kept."""

    def __init__(self, sessions: tuple[Session, ...] = (), text: str = "") -> None:
        self._sessions = sessions
        self.text = text
        """As the setting has it."""
        self._known = (-1, True)
        """The minute that was asked last, and its answer: a frame asks, and the clocks of a place are slow to read."""

    @property
    def always(self) -> bool:
        """Whether there is no hour outside of them."""
        return not self._sessions

    def open_at(self, wall_ms: int) -> bool:
        """Whether a wall time is within one of them: their first minute is, their last is not."""
        minute = wall_ms // MINUTE_MS
        known, answer = self._known
        if known != minute:
            answer = not self._sessions or any(_within(session, minute) for session in self._sessions)
            self._known = (minute, answer)
        return answer


def _within(session: Session, minute: int) -> bool:
    there = datetime.fromtimestamp(minute * 60, session.zone)
    now, day = there.hour * 60 + there.minute, there.weekday()
    if session.begins < session.ends:
        return day in session.days and session.begins <= now < session.ends
    return (day in session.days and now >= session.begins) or ((day - 1) % 7 in session.days and now < session.ends)


def parse_sessions(text: str | None) -> Sessions:
    """`Mon-Fri 09:30-16:00 America/New_York`, several by `;`. ValueError with the part that cannot be read.

    Days are names or ranges of names, several by commas; `24:00` is the end of a day; without a place it is UTC.
    """
    found = [_session(part) for part in (p.strip() for p in (text or "").split(";")) if part]
    return Sessions(tuple(found), text or "")


def _session(part: str) -> Session:
    words = part.split()
    if len(words) not in (2, 3):
        raise ValueError(f"{part!r} is not of the form Mon-Fri 09:30-16:00 America/New_York")
    first, dash, last = words[1].partition("-")
    begins, ends = _minute(first), DAY_MINUTES if last == "24:00" else _minute(last)
    if not dash or begins is None or ends is None or begins == ends:
        raise ValueError(f"{words[1]!r} is not of the form HH:MM-HH:MM")
    place = words[2] if len(words) == 3 else "UTC"
    try:
        zone = ZoneInfo(place)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{place!r} is no time zone; names are like America/New_York") from None
    return Session(_days(words[0]), begins, ends, zone)


def _days(text: str) -> frozenset[int]:
    out: set[int] = set()
    for part in text.split(","):
        first, dash, last = (name.lower() for name in part.partition("-"))
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError(f"{part!r} is no day or range of days, like Mon or Mon-Fri")
        a, b = DAYS.index(first), DAYS.index(last if dash else first)
        out.update((a + n) % 7 for n in range((b - a) % 7 + 1))
    return frozenset(out)
