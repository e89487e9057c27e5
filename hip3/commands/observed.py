"""The closing lines of a run that observed: what its signals were worth, and which gap is no lag. After the end."""

from collections.abc import Callable

from hip3.errors import ConfigError
from hip3.observe.summary import closing, observed
from hip3.report.journal import read
from hip3.service.running import Running


def say_observed(running: Running, say: Callable[[str], None]) -> None:
    """Say what a run saw that followed signals without trading."""
    if running.settings.base.follows and not running.settings.base.trading:
        for line in observed_lines(running):
            say(line)


def observed_lines(running: Running) -> list[str]:
    """One line for each figure, name first, of this run alone; none where it could not begin."""
    if running.folder is None:
        return []
    now_ms = running.clock.wall_ms()
    began_ms = now_ms - (running.clock.mono_ms() - running.started_ms)
    try:
        facts = read(running.folder / "journal.db", began_ms)
    except ConfigError as error:
        return [f"observed   not known: {error.faults[0]}"]
    return closing(observed(facts.episodes, facts.structures, now_ms - began_ms))
