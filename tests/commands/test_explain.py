"""`explain` by the digits that the log shows, which begin anew with each run."""

from pathlib import Path

import pytest

from hip3.commands.explain import explain, render
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


def test_a_quote_tells_what_it_was_priced_by_and_why_it_went() -> None:
    cloid = "0x" + "a" * 32
    decision = {
        "fair": {"bid": "4000.1234567891", "ask": "4001", "gap_bps": "1"}, "half_bps": "5", "sigma_bps": "0.3", "stance": "QUOTING",
        "reasons": [],
    }  # fmt: skip
    step = {"cloid": cloid, "side": "B", "level": 0}
    other = {"cloid": "0x" + "b" * 32, "side": "A", "level": 0, "why": "place"}
    text = render(
        cloid,
        [
            (1000, "quote_decision", decision | {"steps": [other, step | {"why": "place"}]}),
            (2000, "quote_decision", decision | {"fair": None, "half_bps": None, "stance": "PULLED", "reasons": ["it jumped"],
                                                 "steps": [step | {"why": "risk"}]}),
        ],
    )  # fmt: skip
    placed, gone = text.splitlines()[1:3]
    assert placed.endswith("placed: fair 4000.1235 / 4001, half 5.0 bps, sigma 0.30 bps, QUOTING")
    assert gone.endswith("to be cancelled (risk): no price, PULLED (it jumped)")


def test_orders_that_left_by_the_same_post_are_counted_and_not_told() -> None:
    mine, other = "0x" + "a" * 32, "0x" + "b" * 32
    base = {"coin": "xyz:GOLD", "side": "B", "px": "4000", "sz": "0.01", "reduce_only": False, "tif": "Alo", "level": 1}
    orders = [base | {"cloid": mine}, base | {"cloid": other}]
    post = {"nonce": 7, "post_id": 1, "batch": {"orders": orders}}
    text = render(mine, [(1000, "sent", {"order": order, "post": post}) for order in orders])
    sent = [line for line in text.splitlines() if " sent " in line]
    assert len(sent) == 1
    assert "quote buy 0.01" in sent[0]
    assert "with 1 others" in sent[0]
