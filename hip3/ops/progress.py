"""How far it is, what takes long: one line on stderr, written over on a terminal, else a line a minute at most.

The caller draws, no thread: what is measured, replayed or recorded meanwhile has the processor to itself. NO_COLOR
takes the colours away and leaves the line.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from hip3.core.ports import Clock
from hip3.ops.terminal import console

TERMINAL_MS, OTHERWISE_MS = 500, 60_000
BAR_WIDTH = 20
Say = Callable[[float, str], None]


class Progress:
    """Told how far it is as often as anybody likes; says it when it is time to. One thread.

    `total` is what it comes to in the end, None where nobody knows. `say` takes how far it is and the words.
    """

    def __init__(self, total: float | None, clock: Clock, say: Say, every_ms: int) -> None:
        self._total, self._clock, self._say, self._every_ms = total, clock, say, every_ms
        self._began_ms = self._said_ms = clock.mono_ms()

    def at(self, done: float, words: Callable[[], str]) -> None:
        """`words`, asked for only where they are said: the figures so far."""
        now = self._clock.mono_ms()
        if now - self._said_ms >= self._every_ms:
            self._said_ms = now
            self._say(done, f"{self._far(done)}, {words()}")

    def step(self, done: int, what: str) -> None:
        """Say at once that so many of `total` are done; `what`: the figures so far, or what is under way."""
        self._say(done, f"{done} of {self._total}{self._left(done)}{', ' * bool(what)}{what}")

    def _far(self, done: float) -> str:
        if self._total is None:
            return _time(self._clock.mono_ms() - self._began_ms)
        share = min(1.0, done / self._total) if self._total > 0 else 1.0
        return f"{share:.0%}{self._left(done)}"

    def _left(self, done: float) -> str:
        if self._total is None or done <= 0:
            return ""
        took = self._clock.mono_ms() - self._began_ms
        return f", {_time(int(max(0.0, self._total - done) * took / done))} left"


@contextmanager
def progress(title: str, total: float | None, clock: Clock) -> Iterator[Progress]:
    """Of something that goes on by itself; by `at`."""
    if not _terminal():
        yield Progress(total, clock, lambda done, text: _line(f"{title}: {text}"), OTHERWISE_MS)
        return
    with _drawn(title, total) as say:
        yield Progress(total, clock, say, TERMINAL_MS)


@contextmanager
def steps(title: str, total: int, clock: Clock) -> Iterator[Callable[[int, str], None]]:
    """Of so many things whose ends are told elsewhere, one by one, where there is no terminal: nothing is said there.

    What is yielded takes how many are done, and the figures so far or what is under way.
    """
    if not _terminal():
        yield lambda done, what: None
        return
    with _drawn(title, total) as say:
        yield Progress(total, clock, say, TERMINAL_MS).step


@contextmanager
def _drawn(title: str, total: float | None) -> Iterator[Say]:
    bar = [] if total is None else [BarColumn(BAR_WIDTH)]
    columns = (TextColumn(title, markup=False), *bar, TextColumn("{task.fields[text]}", markup=False))
    # Lines of this program for the same terminal go above the bar; what is written to a file goes to the file.
    to_terminal = sys.stdout.isatty()
    drawing = Bar(*columns, console=console(), transient=True, auto_refresh=False, redirect_stdout=to_terminal)
    with drawing:
        task = drawing.add_task(title, total=total, text="")

        def say(done: float, words: str) -> None:
            # Too many words would be taken out of all columns alike.
            room = drawing.console.width - len(title) - 1 - (BAR_WIDTH + 1) * len(bar)
            text = words if len(words) <= room else words[: max(0, room - 1)] + "…"
            drawing.update(task, completed=done, text=text, refresh=True)

        yield say


def _terminal() -> bool:
    """Whether a line can be written over."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _line(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def _time(ms: int) -> str:
    seconds = ms // 1000
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
