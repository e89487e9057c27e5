"""Times of day, as HIP3_BLACKOUT has them. Pure.

A day is UTC and has no leap seconds, so that a wall time in milliseconds tells the minute of its day.
"""

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
    minute = wall_ms // MINUTE_MS % DAY_MINUTES
    return any(a <= minute < b if a < b else minute >= a or minute < b for a, b in windows)
