"""What is wrong with foreign files, a sentence each: where, what was expected, what stands there, what to do. Pure."""

from pathlib import Path

from hip3.errors import ConfigError

MOST_TOLD = 10
MOST_VALUE = 60
SHARE = 1000
"""One in so many lines may have a touch that is crossed, or a price off the grid: exchanges have such moments."""


def shown(value: object) -> str:
    """A value, cut to what a line of text bears."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return repr(text if len(text) <= MOST_VALUE else text[:MOST_VALUE] + "…")


class Faults:
    """Collects them: the first ten in full, then a count."""

    def __init__(self) -> None:
        self.count = 0
        self._told: list[str] = []
        self._rare: dict[tuple[Path, str], tuple[int, str]] = {}
        self.assumed: list[str] = []
        """What the files make us assume."""

    def add(self, path: Path, where: str, expected: str, value: object, do: str, *, column: str = "") -> None:
        """One fault. `where` is a line or a row, `do` what helps."""
        place = f"{path}, {where}" + (f", column {column}" if column else "")
        self._tell(f"{place}: expected {expected}, found {shown(value)}; {do}")

    def file(self, path: Path, text: str) -> None:
        """One fault of a whole file."""
        self._tell(f"{path}: {text}")

    def _tell(self, text: str) -> None:
        self.count += 1
        if len(self._told) < MOST_TOLD:
            self._told.append(text)

    def rare(self, path: Path, where: str, what: str) -> None:
        """Something that may happen now and then, and makes a fault of the file when it does too often."""
        count, first = self._rare.get((path, what), (0, where))
        self._rare[path, what] = (count + 1, first)

    def assume(self, text: str) -> None:
        """One thing that a file does not say."""
        if text not in self.assumed:
            self.assumed.append(text)

    def close(self, path: Path, lines: int) -> None:
        """A file was read to its end."""
        for (of, what), (count, first) in self._rare.items():
            if of == path and count * SHARE > lines:
                self.file(
                    path, f"{count} of {lines} lines have {what}, the first of them {first}; it is no market's data"
                )
        if not lines and not self.count:
            self.file(path, "there is nothing in it that could be imported; check FORMAT, file and --coins")

    def end(self) -> None:
        """ConfigError with all of them, where there are any."""
        if self.count:
            more = self.count - len(self._told)
            raise ConfigError([*self._told, *([f"and {more} more faults"] if more else [])])
