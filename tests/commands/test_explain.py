"""`explain` by the digits that the log shows, which begin anew with each run."""

from pathlib import Path

import pytest

from hip3.commands.explain import explain
from hip3.ops.store import JournalStore


def test_of_orders_that_end_alike_the_newest_is_told_and_the_others_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "embedded-0x1"
    folder.mkdir()
    store = JournalStore(folder / "journal.db")
    older, newer = ("0x" + run * 20 + "000000000001" for run in "ab")
    store.write([(1000, "note", None, f'{{"cloid":"{newer}"}}'), (500, "note", None, f'{{"cloid":"{older}"}}')], {})
    store.close()
    assert explain(tmp_path, "000000000001") == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first == f"order {newer}"
    assert older in last
    assert explain(tmp_path, "0000000000ff") == 1
