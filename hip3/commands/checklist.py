"""docs/acceptance.md as data: its items, what each has typed, and what must hold. Pure.

The document is the one list; `accept` walks through it. Of a block of commands, `export` lines are settings of all
items (above the first) or of their item, `# another terminal` lets the next command go on in the background, any
other comment is for the reader, and what begins with `sudo` is typed by a person, never by us.
"""

import re
import shlex
from typing import Literal

import msgspec

from hip3.errors import ConfigError

Kind = Literal["typed", "left running", "by hand", "read"]
BACKGROUND = "# another terminal"


class Step(msgspec.Struct, frozen=True):
    """One line of an item."""

    kind: Kind
    line: str


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One item of the list."""

    number: int
    title: str
    steps: tuple[Step, ...]
    holds: str
    """What must hold, in a sentence or two."""


class Checklist(msgspec.Struct, frozen=True):
    """The document. `settings`: on top of `.env`, for every item."""

    settings: dict[str, str]
    items: tuple[Item, ...]


def read_checklist(text: str) -> Checklist:
    """The list in the document's text. ConfigError if it is not in the form that the module says."""
    head, *sections = re.split(r"^### (?=\d+ )", text, flags=re.M)
    items = tuple(_item(section) for section in sections)
    if not items or [item.number for item in items] != list(range(1, len(items) + 1)):
        raise ConfigError(["docs/acceptance.md has no items 1, 2, 3 ...: take it from the checkout as it was"])
    return Checklist(exported(_lines(head)), items)


def _item(section: str) -> Item:
    section = re.split(r"^## ", section, flags=re.M)[0]
    number, _, title = section.partition("\n")[0].partition(" ")
    passed = re.search(r"^Pass: (.*?)(?= `test_item|\n\n|\Z)", section, re.M | re.S)
    steps: list[Step] = []
    left = False
    for line in _lines(section):
        if line == BACKGROUND:
            left = True
        elif line.startswith("#"):
            steps.append(Step("read", line.lstrip("# ")))
        else:
            steps.append(Step("left running" if left else "by hand" if line.startswith("sudo ") else "typed", line))
            left = False
    if passed is None or not steps:
        raise ConfigError([f"docs/acceptance.md: item {number} has no commands or no line that begins with Pass:"])
    return Item(number=int(number), title=title, steps=tuple(steps), holds=" ".join(passed[1].split()))


def _lines(text: str) -> list[str]:
    return [line for block in re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S) for line in block.splitlines()]


def exported(lines: list[str]) -> dict[str, str]:
    """The settings in `export` lines."""
    words = [word for line in lines if line.startswith("export ") for word in shlex.split(line)[1:]]
    return {name: value for name, _, value in (word.partition("=") for word in words)}
