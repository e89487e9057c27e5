"""`docs/reliability.md` promises nothing without a test."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "reliability.md").read_text()
ROW = re.compile(r"^\| (?!what fails|---)(.+?) \| (.+?) \| (.+) \|$", re.M)
TEST = re.compile(r"`(tests/\S+\.py)::(test_\w+)`")


def test_each_row_names_tests_that_exist() -> None:
    rows = ROW.findall(PAGE)
    assert len(rows) >= 35
    for what, does, shown in rows:
        named = TEST.findall(shown)
        assert named, what
        assert does, what
        for path, name in named:
            assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.M), f"{what}: {path}::{name}"
