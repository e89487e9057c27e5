"""Times of day, as HIP3_BLACKOUT has them. Pure."""

DAY_MINUTES = 1440
MINUTE_MS = 60_000

Window = tuple[int, int]
"""From and until, in minutes of a UTC day; `until` may be smaller: past midnight."""


def parse_windows(text: str | None) -> tuple[Window, ...]:
    """`14:25-14:40,23:50-00:10` as windows. ValueError with the part that cannot be read."""
    out = []
    for part in (p.strip() for p in (text or "").split(",")):
        if not part:
            continue
        ends = [_minute(end) for end in part.split("-")]
        if len(ends) != 2 or None in ends or ends[0] == ends[1]:
            raise ValueError(f"{part!r} is not of the form HH:MM-HH:MM")
        out.append((ends[0] or 0, ends[1] or 0))
    return tuple(out)


def _minute(text: str) -> int | None:
    hours, _, minutes = text.strip().partition(":")
    if not (hours.isdecimal() and minutes.isdecimal() and len(minutes) == 2):
        return None
    minute = int(hours) * 60 + int(minutes)
    return minute if int(minutes) < 60 and minute < DAY_MINUTES else None


def in_window(windows: tuple[Window, ...], wall_ms: int) -> bool:
    """Whether a wall time lies in one of the windows."""
    minute = wall_ms // MINUTE_MS % DAY_MINUTES
    return any(a <= minute < b if a < b else minute >= a or minute < b for a, b in windows)
