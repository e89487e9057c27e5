"""What the benchmarks print: rows of figures, what each is measured beside, and its goal."""

import msgspec

from hip3.bench.others import MOST_PERCENT
from hip3.bench.quiet import Moments
from hip3.bench.stats import Samples

NOT_INSTALLED = "not measured: pip install -r tests/requirements.txt"
WIDTH = 80


class Goal(msgspec.Struct, frozen=True):
    """A bound on one figure of a row: `ratio`, `median` or `p99`."""

    figure: str
    at_most: bool
    bound: float

    def met(self, value: float) -> bool:
        return value <= self.bound if self.at_most else value >= self.bound

    def __str__(self) -> str:
        name = "" if self.figure == "ratio" else f"{self.figure} "
        return f"{name}{'<=' if self.at_most else '>='} {self.bound:,g}"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure. `ratio` is ours divided by `measured`; with `faster`, the other way round."""

    path: str
    measured: str
    """"ours", or what ours is measured beside."""
    unit: str = "us"
    median: float | None = None
    p99: float | None = None
    ratio: float | None = None
    faster: bool = False
    goal: Goal | None = None
    note: str = ""
    beside_percent: float = 0.0
    """Of all cores, what others took of the machine when this part began."""
    quiet_percent: float | None = None
    """In how many of its moments a core was ours alone, where only those are judged; 0: in too few."""

    @property
    def met(self) -> bool | None:
        """Whether the goal is; None without a goal, where it could not be measured, and on a machine that was busy."""
        value = None if self.goal is None else getattr(self, self.goal.figure)
        return None if value is None or self.goal is None or self.loaded else self.goal.met(value)

    @property
    def loaded(self) -> bool:
        """Whether others had so much of the machine that no goal is judged."""
        return self.beside_percent > MOST_PERCENT or self.quiet_percent == 0

    @property
    def short(self) -> str:
        """In one line, while others are still measured."""
        found = "not measured" if self.median is None else f"{number(self.median)} {self.unit}"
        verdict = "" if self.met is None else ", ok" if self.met else f", MISSES {self.goal}"
        return f"{self.path}, {self.measured}: {found}{verdict}"

    def plain(self) -> dict[str, object]:
        """For --json."""
        return {
            "path": self.path, "measured": self.measured, "unit": self.unit, "median": _short(self.median),
            "p99": _short(self.p99), "ratio": _short(self.ratio), "faster": self.faster,
            "goal": None if self.goal is None else str(self.goal), "met": self.met, "note": self.note,
            "beside_percent": round(self.beside_percent, 1), "quiet_percent": _short(self.quiet_percent),
        }  # fmt: skip


def ours(path: str, samples: Samples, goal: Goal | None = None, note: str = "") -> Row:
    """The row of our own figure."""
    return Row(path=path, measured="ours", median=samples.median, p99=samples.p99, goal=goal, note=note)


def quietly(row: Row, moments: Moments, every: str) -> Row:
    """The same row, whose figure was measured while a core was ours alone; `every`: the figure of all moments."""
    if not moments.enough:
        return msgspec.structs.replace(row, quiet_percent=0.0, note="too few quiet moments: all of them are shown")
    note = f"in the {moments.percent:.0f} % of moments that were quiet; {every} in all"
    return msgspec.structs.replace(row, quiet_percent=moments.percent, note=note)


def beside(
    path: str, own: Samples, measured: str, other: Samples, goal: Goal | None = None, *, faster: bool = False
) -> Row:
    """The row of what ours is measured beside; the ratio is of the medians."""
    low, high = (own.median, other.median) if faster else (other.median, own.median)
    if low <= 0:  # too few samples on a busy machine: what was taken off was more than what was left
        return Row(path=path, measured=measured, median=other.median, p99=other.p99, goal=goal, note="too noisy")
    return Row(
        path=path, measured=measured, median=other.median, p99=other.p99, ratio=high / low, faster=faster, goal=goal
    )


def figure(path: str, value: float, unit: str, goal: Goal | None = None, note: str = "") -> Row:
    """The row of a single figure."""
    return Row(path=path, measured="ours", unit=unit, median=value, goal=goal, note=note)


def in_ms(row: Row) -> Row:
    """The same row, where the samples are milliseconds."""
    return msgspec.structs.replace(row, unit="ms")


def absent(path: str, measured: str, goal: Goal | None = None, note: str = NOT_INSTALLED) -> Row:
    """The row of what could not be measured here."""
    return Row(path=path, measured=measured, goal=goal, note=note)


def at_most(bound: float, figure: str = "ratio") -> Goal:
    return Goal(figure, True, bound)


def at_least(bound: float, figure: str = "ratio") -> Goal:
    return Goal(figure, False, bound)


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}" if value < 10 else f"{value:.1f}"


def table(rows: list[Row]) -> str:
    """All rows for people, at most 80 columns wide; a path is named once."""
    out = [f"{'':<26}{'median':>8} {'p99':>8} {'unit':<5} {'ratio':>7}  goal".rstrip()]
    last = ""
    for row in rows:
        if row.path != last:
            last = row.path
            out.append(row.path)
        ratio = "" if row.ratio is None else f"{number(row.ratio)}{'+' if row.faster else 'x'}"
        goal = "" if row.goal is None else str(row.goal)
        verdict = "" if row.met is None else "ok" if row.met else "MISS"
        verdict = "busy" if row.loaded and row.goal is not None else verdict
        line = (
            f"  {row.measured:<24}{number(row.median):>8} {number(row.p99):>8} {row.unit:<5} "
            f"{ratio:>7}  {goal:<16} {verdict}"
        )
        out.append(line.rstrip())
        if row.note:
            out.append(f"      {row.note}")
    out.append("ratio: x times what it is measured beside; + times faster than it")
    if any(row.loaded for row in rows):
        out.append(
            f"busy: others had more than {MOST_PERCENT} % of the machine, or of our core, so the goal is not judged"
        )
    return "\n".join(out)
