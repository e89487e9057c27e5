"""Every setting changes what the service does: `tests/settings_rows.py`, row by row, from environment text to the wire."""

from pathlib import Path

import pytest

from hip3.config import FIELDS, PREFIX
from tests.settings_rows import ROWS, Value
from tests.stage import Env
from tests.stories.test_settings import SHOWN


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
