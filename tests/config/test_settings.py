"""Every setting changes what the service does: `tests/config/settings_rows.py`, row by row, from environment text to the wire.

`docs/settings.md` is the same table for people, printed by `document`.
"""

from pathlib import Path
from typing import Any

import pytest

from hip3.config.reading import FIELDS, PREFIX, is_address, meta_of
from tests.config.row import Value
from tests.config.settings_rows import ROWS
from tests.stage import Env
from tests.stories.test_settings import SHOWN

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"


def test_every_setting_of_the_example_has_a_row_and_no_row_is_of_anything_else() -> None:
    assert {*ROWS, *SHOWN} == set(FIELDS)
    assert not {*ROWS} & {*SHOWN}
    for name, row in ROWS.items():
        assert row.seen[0] != row.seen[1], name
        assert row.what, name


def _env(tmp: Path, name: str, value: Value, also: Env) -> Env:
    text = value if isinstance(value, str) else value(tmp)
    return also | {PREFIX + name.upper(): text}


@pytest.mark.parametrize("name", ROWS)
def test_two_values_of_a_setting_differ_in_what_is_seen(tmp_path: Path, name: str) -> None:
    row = ROWS[name]
    seen = tuple(row.see(tmp_path / side, _env(tmp_path / side, name, value, row.also))
                 for side, value in (("a", row.a), ("b", row.b)))  # fmt: skip
    assert seen == row.seen, row.what


def _cell(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, tuple | list | set):
        return ", ".join(_cell(v) for v in value) or "none"
    text = str(value)
    return f"{text[:6]}…" if is_address(text) else text


def _given(name: str, value: Value) -> str:
    if not isinstance(value, str):
        return "a file"
    secret = (meta_of(name).extra or {}).get("secret")
    return "a secret" if secret and value else f"`{_cell(value)}`" if value else "none"


def document() -> str:
    """The text of docs/settings.md."""
    lines = [
        "# What each setting changes",
        "",
        "Printed from `tests/config/settings_rows.py` and `tests/stories/test_settings.py`, whose tests see each of these on the",
        "wire, in the status or in a file of a service that runs with the value. What a setting means stands in",
        "[.env.example](../.env.example).",
        "",
        "| setting | with | with | what is looked at | seen |",
        "|---|---|---|---|---|",
    ]
    for name in FIELDS:
        if name in ROWS:
            row = ROWS[name]
            given, what, seen = [_given(name, v) for v in (row.a, row.b)], row.what, row.seen
        else:
            given, what, seen = ["one", "another"], SHOWN[name].what, SHOWN[name].seen
        shown = " / ".join(_cell(s) for s in seen)
        lines.append(f"| `{PREFIX}{name.upper()}` | {given[0]} | {given[1]} | {what} | {shown} |")
    return "\n".join(lines) + "\n"


def test_the_page_is_the_table() -> None:
    # If not: PYTHONPATH=. .venv/bin/python -c "from tests.config import test_settings as t; t.PAGE.write_text(t.document())"
    assert PAGE.read_text() == document()
