"""`record convert` and `import columns`: a recording as tables of our own, and back; text to int to the same text."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hip3.cli import main
from hip3.imports import convert, frames
from hip3.imports.layout import KEY, NUMBERS, About
from hip3.imports.scales import MOST_DIGITS, Scale, Seen
from hip3.imports.writing import Writer
from hip3.record.folder import read
from tests.imports import sheet_samples as samples
from tests.imports.samples import GOLD, SECONDS, T0_NS
from tests.imports.test_sheets import _changed, _faults, _frames, _import

# A number as the exchange writes it, and as no int64 of one exponent says it again.
PLAIN = st.decimals("0.000001", 99_999, places=6).map(lambda d: format(d.normalize(), "f"))
POINT = PLAIN.map(lambda t: t if "." in t else f"{t}.0")
FIXED = st.integers(1, 10**9).map(lambda n: f"{n // 100}.{n % 100:02d}").filter(lambda t: t != "0.00")
ODD = st.sampled_from(["007.5", "1.250", "12345678901234567890", "3", "0.10", "9" * 18, "0." + "0" * 17 + "1"])
SIGNED = st.one_of(PLAIN, PLAIN.map("-{}".format), st.sampled_from(["0.0", "0", "-0.0000125"]))


@given(
    st.one_of(
        *(st.lists(kind, min_size=1, max_size=8) for kind in (PLAIN, POINT, FIXED, ODD, SIGNED, st.one_of(PLAIN, ODD)))
    )
)
def test_text_to_int_is_the_same_text_again(texts: list[str]) -> None:
    """evidence.md 8.1, property 10."""
    seen = Seen()
    for text in texts:
        seen.add(text)
    scale = seen.scale()
    if scale is None:
        return
    for text in texts:
        head, _, tail = text.partition(".")
        whole = int(head + tail.ljust(scale.exponent, "0"))
        assert scale.text(whole) == text
        assert abs(whole) < 2**63


@pytest.mark.parametrize(
    ("texts", "scale"),
    [
        (["4000.1", "4000", "0.25"], Scale(2, "plain")), (["4000.0", "0.25"], Scale(2, "point")),
        (["4000.10", "0.25", "-1.00"], Scale(2, "fixed")), (["5", "12"], Scale(0, "fixed")), ([], Scale(0, "fixed")),
        (["4000.10", "1.5"], None), (["4000.0", "4000"], None), (["1e-5"], None), (["-0.0"], None), (["00.5"], None),
        (["9" * (MOST_DIGITS + 1)], None), (["9" * MOST_DIGITS, "0.1"], None),
    ],
)  # fmt: skip
def test_a_column_has_the_form_that_all_its_numbers_have(texts: list[str], scale: Scale | None) -> None:
    seen = Seen()
    for text in texts:
        seen.add(text)
    assert seen.scale() == scale


def _recording(folder: Path, lines: list[tuple[int, bytes]]) -> Path:
    folder.mkdir()
    writer = Writer(folder)
    writer.line("gap", T0_NS, b'{"what":"up","why":""}')
    for t_ns, data in lines:
        writer.line("in", t_ns, data)
    writer.close()
    return folder


LEVELS = st.one_of(st.none(), st.tuples(POINT, PLAIN))
FRAME = st.one_of(
    st.tuples(st.just("bbo"), st.tuples(LEVELS, LEVELS)),
    st.tuples(st.just("ctx"), st.tuples(POINT, POINT, st.one_of(st.none(), POINT), st.one_of(st.none(), SIGNED), PLAIN)),
    st.tuples(st.just("trades"), st.lists(st.tuples(POINT, PLAIN), min_size=1, max_size=3)),
    st.tuples(st.just("book"), st.lists(st.tuples(POINT, PLAIN), min_size=1, max_size=3)),
)  # fmt: skip


def _frame(n: int, coin: str, kind: str, body: Any) -> bytes:
    time_ms = T0_NS // 10**6 + n * 700 - 40
    if kind == "bbo":
        bid, ask = body
        return frames.bbo(
            coin,
            time_ms,
            None if bid is None else (f"1{bid[0]}", bid[1]),
            None if ask is None else (f"9{'9' * 9}{ask[0]}", ask[1]),
        )
    if kind == "ctx":
        oracle, mark, mid, funding, oi = body
        return frames.context(coin, oracle, mark, midPx=mid, funding=funding, openInterest=oi)
    if kind == "trades":
        return frames.trades(
            [
                {"coin": coin, "side": "BA"[n % 2], "px": px, "sz": sz, "time": time_ms, "tid": 10**15 + n * 10 + at}
                for at, (px, sz) in enumerate(body)
            ]
        )
    return frames.book(coin, time_ms, [(px, sz, n + 1) for px, sz in body], [(f"9{px}", sz, 2) for px, sz in body[1:]])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([GOLD, "xyz:TSLA"]), FRAME), min_size=1, max_size=20), st.integers(1, 40))
def test_a_recording_that_is_converted_and_imported_is_the_same_again(
    tmp_path_factory: pytest.TempPathFactory, stream: list[tuple[str, Any]], most: int
) -> None:
    """evidence.md 8.1, property 10: every touch, context, trade and order book with its time and its texts, over
    midnight, whatever the size of the parts."""
    tmp = tmp_path_factory.mktemp("columns")
    midnight = T0_NS // convert.DAY_NS * convert.DAY_NS + convert.DAY_NS - 5 * 700_000_000
    lines = [(midnight + n * 700_000_000, _frame(n, coin, *frame)) for n, (coin, frame) in enumerate(stream)]
    recording = _recording(tmp / "recording", lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convert, "MOST_ROWS", most)
        assert main(["record", "convert", str(recording), "--out", str(tmp / "tables")]) == 0
    assert main(["import", "columns", str(tmp / "tables"), "--out", str(tmp / "again")]) == 0
    got = [(r.t, r.data) for r in read(tmp / "again") if r.d == "in"]
    assert sorted(got) == sorted(lines)


def test_the_files_are_by_market_and_day_and_say_their_exponents(tmp_path: Path) -> None:
    lines = [
        (T0_NS, frames.bbo(GOLD, 5, ("4000.0", "1.25"), ("4000.5", "2"))),
        (T0_NS + 1, frames.context(GOLD, "4000.25", "4000.3", funding="-0.0000125")),
        (T0_NS + 2, frames.bbo(GOLD, 6, None, ("4000.5", "2"))),
    ]
    recording = _recording(tmp_path / "recording", lines)
    assert main(["record", "convert", str(recording), "--out", str(tmp_path / "tables")]) == 0
    (path,) = (tmp_path / "tables").rglob("*.parquet")
    assert path.relative_to(tmp_path / "tables") == Path(
        "looks", GOLD, f"{datetime.fromtimestamp(T0_NS // 10**9, UTC):%Y-%m-%d}.parquet"
    )
    about = msgspec.json.decode(pl.read_parquet_metadata(path)[KEY], type=About)
    assert about.coin == GOLD
    assert about.scales["bid_px"] == Scale(1, "fixed")
    assert about.scales["funding"] == Scale(7, "fixed")
    table = pl.read_parquet(path, hive_partitioning=False)
    assert all(table.schema[name] == pl.Int64 for name in NUMBERS["looks"])
    assert table["bid_px"].to_list() == [40000, 40000, None]
    assert table["oracle"].to_list() == [None, 400025, 400025]  # a touch has the context before it
    assert table["funding"].to_list() == [None, -125, -125]
    assert table["exch_ms"].to_list() == [5, None, 6]
    assert table["flags"].to_list() == [0, 2, 0]
    assert not list((tmp_path / "tables").glob(".*")), "parts stay"


def test_what_was_known_before_a_connection_is_not_known_in_it(tmp_path: Path) -> None:
    rows = convert.Rows()
    recording = _recording(
        tmp_path / "r", [(T0_NS, frames.context(GOLD, "1.5", "1.5")), (T0_NS, frames.bbo(GOLD, 5, ("1", "2"), None))]
    )
    records = list(read(recording))
    (_, _, known), *_ = [row for record in records for row in rows.of(record)][1:]
    assert known[7] == "1.5"
    (up, *_, touch) = records
    rows.of(up)
    assert rows.of(touch)[0][2][7] is None


def test_a_frame_that_cannot_be_read_is_counted_and_a_second_time_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [(T0_NS, b'{"channel":"bbo","data":5}'), (T0_NS, frames.context("../x", "1.5", "1.5"))]
    recording, out = _recording(tmp_path / "recording", lines), tmp_path / "tables"
    assert main(["record", "convert", str(recording), "--out", str(out)]) == 0
    assert "unreadable 1" in capsys.readouterr().out
    assert [path.relative_to(out).parts[:2] for path in out.rglob("*.parquet")] == [("looks", "%2E%2E%2Fx")]
    assert main(["record", "convert", str(recording), "--out", str(out)]) == 2
    assert "has tables already" in capsys.readouterr().err
    empty = _recording(tmp_path / "empty", [])
    assert main(["record", "convert", str(empty), "--out", str(tmp_path / "none")]) == 2
    assert main(["record", "convert", str(tmp_path / "missing"), "--out", str(tmp_path / "none")]) == 2


def test_without_the_lab_packages_convert_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    assert main(["record", "convert", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "requirements-lab.txt" in capsys.readouterr().err


# Tables of others.


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_anybody_s_looks_with_a_column_of_the_market_are_read(tmp_path: Path, kind: str) -> None:
    body = (samples.as_parquet if kind == "parquet" else samples.as_csv)(samples.looks())
    got = _frames(_import(tmp_path, "columns", f"looks.{kind}", body))
    assert len(got) == 2 * SECONDS
    sides = [{"px": "4000.1", "sz": "1.2500", "n": 1}, {"px": "4000.4", "sz": "0.0300", "n": 1}]
    assert got[0] == (T0_NS, {"channel": "bbo", "data": {"coin": GOLD, "time": T0_NS // 10**6 - 40, "bbo": sides}})
    ctx = {"oraclePx": "4000.25", "markPx": "4000.30", "funding": "-0.0000125", "openInterest": "12.5"}
    assert got[1] == (T0_NS + 1000, {"channel": "activeAssetCtx", "data": {"coin": GOLD, "ctx": ctx}})


BROKEN: list[tuple[int, str, Any, str]] = [
    (0, "oracle", None, "column oracle of looks is missing"),
    (0, "more", "x", "column more is none of looks"),
    (7, "bid_px", "-1", "row 7, column bid_px: expected a number above 0, found '-1'"),
    (8, "oracle", None, "row 8, column oracle: expected a number above 0, found ''"),
    (9, "kind", 7, "row 9, column kind: expected 0 or 1, found '7'"),
    (9, "bid_px", "4444", "a bid that is not below the ask, the first of them row 9"),
    (99, "recv_ns", T0_NS - 10**12, "row 99: expected time that goes on"),
    (9, "recv_ns", 5, "row 9, column recv_ns: expected a time like"),
    (9, "exch_ms", -5, "row 9, column exch_ms: expected a whole number, found '-5'"),
]


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize(("number", "column", "value", "words"), BROKEN)
def test_a_broken_table_of_ours_is_named_with_place_and_what_to_do(
    tmp_path: Path, kind: str, number: int, column: str, value: Any, words: str
) -> None:
    """evidence.md 8.2, case 7."""
    body = (samples.as_parquet if kind == "parquet" else samples.as_csv)(
        _changed(samples.looks(), number, column, value)
    )
    if kind == "csv" and number:
        words = words.replace(f"row {number}", f"row {number + 1}")  # its head is the first
    faults = _faults(tmp_path, "columns", f"looks.{kind}", body)
    assert any(words in fault for fault in faults), faults


def test_tables_that_do_not_say_their_market_or_exponents_are_refused(tmp_path: Path) -> None:
    bare = _changed(samples.looks(), 0, "coin", None)
    assert "give it a column coin" in _faults(tmp_path, "columns", "looks.csv", samples.as_csv(bare))[0]
    assert _frames(_import(tmp_path / "a", "columns", "looks.csv", samples.as_csv(bare), "--coins", GOLD))
    types, rows = {"recv_ns": pl.Int64, "tid": pl.Int64, "side": pl.String, "px": pl.Int64, "sz": pl.String}, [
        {"recv_ns": T0_NS + n, "tid": n, "side": "B", "px": 40004, "sz": "1"} for n in range(3)
    ]  # fmt: skip
    (fault,) = _faults(tmp_path / "b", "columns", "t.parquet", samples.as_parquet((types, rows)), "--coins", GOLD)
    assert "column px has whole numbers and nothing says with which exponent" in fault
    about = {KEY: json.dumps({"coin": GOLD, "scales": {"px": {"exponent": 1, "form": "plain"}}})}
    got = _frames(_import(tmp_path / "c", "columns", "t.parquet", samples.as_parquet((types, rows), about)))
    assert [(t, frame["data"][0]["px"]) for t, frame in got] == [(T0_NS + n, "4000.4") for n in range(3)]
    (fault,) = _faults(tmp_path / "d", "columns", "t.parquet", samples.as_parquet((types, rows), {KEY: '{"scales":5}'}))
    assert "its metadata hip3 is none of `record convert`" in fault
