"""No document says 24 where the result says 73."""

import re

import pytest

from tests.bench import figures

MICROSECONDS = re.compile(r"\d[\d.,]* (?:us|µs)\b")


@pytest.mark.parametrize("page", figures.documents(), ids=lambda page: page.name)
def test_every_figure_is_the_one_of_the_result_file(page: "figures.Path") -> None:
    """To put it right: `python -m tests.bench.figures`, after `bench --all --out docs/bench-results.json`."""
    text = page.read_text(encoding="utf-8")
    assert figures.filled(text, figures.result()) == text


def test_prose_has_no_microseconds_but_those_of_the_result() -> None:
    """What a change brought is history: it stands in tables, with before and after taken in one run."""
    loose = []
    for page in figures.documents():
        text = figures.LINK.sub("", page.read_text(encoding="utf-8"))
        for line in text.splitlines():
            if not line.startswith("|") and (found := MICROSECONDS.search(line)):
                loose.append(f"{page.name}: {found[0]} in {line[:60]}")
    assert loose == []


def test_a_wrong_figure_and_a_row_that_is_gone_are_found() -> None:
    row = {"path": "a path", "measured": "ours", "unit": "us", "median": 73.2, "p99": None, "ratio": 1.5}
    found = {"rows": [row]}
    wrong = '[24 us](performance.md#results "a path | ours | median")'
    assert figures.filled(wrong, found) == wrong.replace("24", "73.2")
    assert figures.shown(found, "a path", "ours", "ratio") == "1.5 times"
    for gone in ('[1 us](#results "other | ours | median")', '[1 us](#results "a path | ours | p99")'):
        with pytest.raises(KeyError, match="ours"):
            figures.filled(gone, found)
