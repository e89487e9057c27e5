"""A row of the table of settings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.stage import Env

Value = str | Callable[[Path], str]
See = Callable[[Path, Env], Any]


class Row(NamedTuple):
    """One line of the table."""

    a: Value
    b: Value
    what: str
    see: See
    seen: tuple[Any, Any]
    also: Env = {}  # noqa: RUF012 a tuple's default is never written to
