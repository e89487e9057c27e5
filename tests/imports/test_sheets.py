"""`import` of tables in Parquet, or in CSV as well: each format a good sample and five that are broken."""

import gzip
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip3.cli import main, parser
from hip3.errors import ConfigError
from hip3.imports import command, frames, parquet
from hip3.imports.faults import Faults
from hip3.imports.parquet import head_of, rows_of
from hip3.record.folder import read
from hip3.record.lines import channel_of
from hip3.record.verify import verify
from tests.imports import sheet_samples as samples
from tests.imports.samples import GOLD, SECONDS, T0_NS
from tests.imports.test_command import LFS

BOOK_PATH = "by_dex/xyz/orderbook/1m/perps/date=2026-09-21/GOLD.parquet"
FILL_PATH = "by_dex/xyz/fills/perp/all/date=2026-09-21/fills.parquet"
SHEETS: dict[str, tuple[str, str, samples.Sheet]] = {
    "hydromancer books": ("hydromancer", BOOK_PATH, samples.hydromancer_books()),
    "hydromancer fills": ("hydromancer", FILL_PATH, samples.hydromancer_fills()),
    "hyena": ("hyena", "date=2026-09-21/hour=13/13_oracle.parquet", samples.hyena()),
    "0xarchive books": ("0xarchive", "books.parquet", samples.oxarchive_books()),
    "0xarchive interest": ("0xarchive", "oi.parquet", samples.oxarchive_interest()),
    "0xarchive trades": ("0xarchive", "trades.parquet", samples.oxarchive_trades()),
}
CSV = [name for name in SHEETS if SHEETS[name][0] == "0xarchive"]
HAS = {
    "hydromancer books": {"l2Book", "bbo"}, "hydromancer fills": {"trades"}, "hyena": {"activeAssetCtx"},
    "0xarchive books": {"l2Book", "bbo"}, "0xarchive interest": {"activeAssetCtx"}, "0xarchive trades": {"trades"},
}  # fmt: skip


def _import(tmp: Path, format_: str, name: str, body: bytes, *more: str) -> Path:
    path = tmp / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    command.run(parser().parse_args(["import", format_, str(path), "--out", str(tmp / "out"), *more]))
    return tmp / "out"


def _faults(tmp: Path, format_: str, name: str, body: bytes, *more: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        _import(tmp, format_, name, body, *more)
    assert not list((tmp / "out").rglob("*.zst")), "something half-written stays"
    return error.value.faults


def _frames(folder: Path) -> list[tuple[int, Any]]:
    return [(r.t, r.value) for r in read(folder) if r.d == "in"]


def _assumed(folder: Path) -> list[str]:
    metas = [r.value for r in read(folder) if r.d == "meta"]
    return [text for meta in metas if meta["request"]["type"] == "import" for text in meta["answer"]["assumed"]]


@pytest.mark.parametrize("name", SHEETS)
def test_a_good_table_becomes_a_recording_that_is_whole(tmp_path: Path, name: str) -> None:
    """evidence.md 8.2, case 7."""
    format_, file, sheet = SHEETS[name]
    out = _import(tmp_path, format_, file, samples.as_parquet(sheet))
    assert {channel_of(r.data) for r in read(out) if r.d == "in"} == HAS[name]
    assert verify(out).faults == []


@pytest.mark.parametrize("name", CSV)
def test_the_same_in_csv_gives_the_same_frames(tmp_path: Path, name: str) -> None:
    format_, file, sheet = SHEETS[name]
    first = _import(tmp_path, format_, file, samples.as_parquet(sheet))
    second = _import(tmp_path / "csv", format_, "file.csv.gz", gzip.compress(samples.as_csv(sheet)))
    assert _frames(first) == _frames(second)


def test_books_of_the_reservoir_keep_their_text_and_are_of_the_market_their_folders_name(tmp_path: Path) -> None:
    got = _frames(_import(tmp_path, *SHEETS["hydromancer books"][:2], samples.as_parquet(samples.hydromancer_books())))
    bids = [{"px": "4000.1", "sz": "1.2500", "n": 2}, {"px": "3999.0", "sz": "3", "n": 1}]
    asks = [{"px": "4000.4", "sz": "0.0300", "n": 1}]
    time_ms = T0_NS // 10**6
    assert got[0] == (
        time_ms * 10**6,
        {"channel": "l2Book", "data": {"coin": GOLD, "time": time_ms, "levels": [bids, asks]}},
    )
    native = tmp_path / "native"
    _import(
        native, "hydromancer", BOOK_PATH.replace("xyz", "hyperliquid"), samples.as_parquet(samples.hydromancer_books())
    )
    assert _frames(native / "out")[0][1]["data"]["coin"] == "GOLD"
    body = samples.as_parquet(samples.hydromancer_books())
    assert "keep its folders from by_dex on" in _faults(tmp_path / "bare", "hydromancer", "GOLD.parquet", body)[0]
    named = _import(tmp_path / "named", "hydromancer", "GOLD.parquet", body, "--coins", GOLD)
    assert _frames(named) == got


def test_of_the_fills_of_the_reservoir_the_takers_become_trades(tmp_path: Path) -> None:
    format_, file, sheet = SHEETS["hydromancer fills"]
    got = _frames(_import(tmp_path, format_, file, samples.as_parquet(sheet)))
    assert len(got) == SECONDS
    trade = {"coin": GOLD, "side": "B", "px": "4000.4", "sz": "0.01", "time": T0_NS // 10**6, "tid": 1000}
    assert got[0][1] == {"channel": "trades", "data": [trade]}
    part = file.replace("/all/", "/twap_fills/")
    assert "would count trades twice" in _faults(tmp_path / "part", format_, part, samples.as_parquet(sheet))[0]


def test_older_fills_have_fewer_columns(tmp_path: Path) -> None:
    """`deployer_fee` came on 2026-03-21, `priority_gas` on 2026-04-13."""
    types, rows = samples.hydromancer_fills()
    old = {name: kind for name, kind in types.items() if name not in ("deployer_fee", "priority_gas")}
    _import(tmp_path, "hydromancer", FILL_PATH, samples.as_parquet((old, [{n: r[n] for n in old} for r in rows])))


@pytest.mark.parametrize("time", ["time_ms", "timestamp", "block_time"])
@pytest.mark.parametrize("oracle", ["oracle_px", "oracle_price"])
def test_an_oracle_file_is_read_by_the_names_its_head_has(tmp_path: Path, time: str, oracle: str) -> None:
    types, rows = samples.hyena()
    new = {"time": time, "oracle": oracle, "coin": "symbol"}
    renamed = {new.get(name, name): kind for name, kind in types.items()}
    body = samples.as_parquet((renamed, [{new.get(n, n): v for n, v in row.items()} for row in rows]))
    got = _frames(_import(tmp_path, "hyena", "13_oracle.parquet", body))
    assert got[1][1] == {
        "channel": "activeAssetCtx",
        "data": {"coin": "hyna:GOLD", "ctx": {"oraclePx": "4001.25", "markPx": "4000.30"}},
    }


def test_an_oracle_file_without_the_columns_says_which_it_has(tmp_path: Path) -> None:
    types, rows = {"time": pl.Int64, "user": pl.String, "px": pl.String}, [{"time": 1, "user": "0x0", "px": "1"}]
    faults = _faults(tmp_path, "hyena", "13_fills.parquet", samples.as_parquet((types, rows)))
    assert len(faults) == 3
    assert "its columns: column coin or market or symbol or asset of oracle updates is missing" in faults[0]
    assert "the file has time, user, px; name the files of the oracle alone" in faults[0]


def test_floats_are_the_shortest_decimals_that_are_those_and_it_is_said_so(tmp_path: Path) -> None:
    format_, file, sheet = SHEETS["0xarchive trades"]
    out = _import(tmp_path, format_, file, samples.as_parquet(sheet))
    trade = _frames(out)[0][1]["data"][0]
    assert (trade["px"], trade["sz"]) == ("4000.4", "0.00001")
    assert any("float columns price, size are the shortest decimals" in text for text in _assumed(out))


def _changed(sheet: samples.Sheet, number: int, column: str, value: Any) -> samples.Sheet:
    """A row's cell is another one; without a row the column is away (None), or has another name, or there is one more."""
    types, rows = sheet
    if number:
        return types, [row | {column: value} if at == number else row for at, row in enumerate(rows, 1)]
    if column not in types:
        return types | {column: pl.String}, [row | {column: value} for row in rows]
    kept = {name: kind for name, kind in types.items() if name != column}
    return kept, [{name: row[name] for name in kept} for row in rows]


EARLY = T0_NS // 10**6 - 10**8
LEVEL = {"px": "4000.1", "sz": "1", "n": 1}
BROKEN: list[tuple[str, int, str, Any, str]] = [
    # sample, row (0: all), column, what stands there (no row and None: the column is away), what must be in the sentence
    ("hydromancer books", 0, "bids", None, "its columns: column bids of orderbook is missing"),
    ("hydromancer books", 0, "more", "x", "column more is none of orderbook"),
    ("hydromancer books", 9, "bids", [LEVEL | {"px": "-1"}], "row 9, column bids: expected levels like"),
    ("hydromancer books", 9, "asks", [LEVEL | {"sz": "2,5"}], "row 9, column asks: expected levels like"),
    ("hydromancer books", 40, "block_time_ms", EARLY, "row 40: expected time that goes on"),
    ("hydromancer books", 5, "bids", [LEVEL | {"px": "5000"}], "1 of 120 lines have a bid that is not below the ask, the first of them row 5"),
    ("hydromancer fills", 0, "crossed", None, "its columns: column crossed of fills is missing"),
    ("hydromancer fills", 0, "more", "x", "column more is none of fills"),
    ("hydromancer fills", 3, "side", "bought", "row 3, column side: expected buy or sell, found 'bought'"),
    ("hydromancer fills", 3, "price", Decimal(0), "row 3, column price: expected a number above 0, found '0'"),
    ("hydromancer fills", 61, "timestamp", datetime(2026, 8, 1, tzinfo=UTC), "row 61: expected time that goes on"),
    ("hydromancer fills", 3, "trade_id", None, "row 3, column trade_id: expected a whole number, found ''"),
    ("hyena", 0, "oracle", None, "column oracle or oracle_px or oracle_price of oracle updates is missing"),
    ("hyena", 0, "time", None, "the file has coin, oracle, mark_px, mark_px_2, deployer"),
    ("hyena", 8, "oracle", "0.0", "row 8, column oracle: expected a number above 0, found '0.0'"),
    ("hyena", 8, "time", 17, "row 8, column time: expected a time like 2026-09-01T00:00:00Z"),
    ("hyena", 31, "time", EARLY, "row 31: expected time that goes on, found '100011.6 s back'"),
    ("0xarchive books", 0, "asks", None, "column asks of OrderBook is missing"),
    ("0xarchive books", 0, "orders", "1", "column orders is none of OrderBook"),
    ("0xarchive books", 2, "timestamp", "yesterday", "row 2, column timestamp: expected a time like"),
    ("0xarchive books", 2, "bids", [LEVEL | {"sz": "0"}], "row 2, column bids: expected levels like"),
    ("0xarchive books", 7, "bids", [LEVEL | {"px": "4444"}], "a bid that is not below the ask, the first of them row 7"),
    ("0xarchive interest", 0, "oracle_price", None, "column oracle_price of OpenInterest is missing"),
    ("0xarchive interest", 4, "oracle_price", "abc", "expected a number, found 'abc'"),
    ("0xarchive interest", 5, "mark_price", "1.2.3", "row 5, column mark_price: expected a number"),
    ("0xarchive interest", 5, "open_interest", "n/a", "row 5, column open_interest: expected a number"),
    ("0xarchive interest", 50, "timestamp", str(EARLY), "row 50: expected time that goes on"),
    ("0xarchive trades", 0, "trade_id", None, "column trade_id of Trade is missing"),
    ("0xarchive trades", 0, "fees", "1", "column fees is none of Trade"),
    ("0xarchive trades", 6, "side", "S", "row 6, column side: expected A or B, found 'S'"),
    ("0xarchive trades", 6, "price", float("nan"), "row 6, column price: expected a number above 0, found 'NaN'"),
    ("0xarchive trades", 6, "size", -1.5, "row 6, column size: expected a number above 0, found '-1.5'"),
]  # fmt: skip


@pytest.mark.parametrize(("sample", "number", "column", "value", "words"), BROKEN)
def test_a_broken_table_is_named_with_place_and_what_to_do(
    tmp_path: Path, sample: str, number: int, column: str, value: Any, words: str
) -> None:
    """evidence.md 8.2, case 7: file, row, column, what was expected, what stands there."""
    format_, file, sheet = SHEETS[sample]
    faults = _faults(tmp_path, format_, file, samples.as_parquet(_changed(sheet, number, column, value)))
    assert str(tmp_path / file) in faults[0]
    assert any(words in fault for fault in faults), faults


@pytest.mark.parametrize("name", SHEETS)
def test_what_is_no_table_is_told_apart_from_it(tmp_path: Path, name: str) -> None:
    """Git-LFS pointer, nothing, a file without its end, of which nothing can be read, one that is damaged."""
    format_, file, sheet = SHEETS[name]
    assert "Git-LFS pointer" in _faults(tmp_path, format_, file, LFS)[0]
    assert "is empty" in _faults(tmp_path, format_, file, b"")[0]
    assert "is it another format?" in _faults(tmp_path, format_, file, b"\x00\x01 nothing that we know\n" * 3)[0]
    whole = samples.as_parquet(sheet)
    for more in ((), ("--torn",)):
        (fault,) = _faults(tmp_path, format_, file, whole[: len(whole) * 3 // 4], *more)
        assert "is no whole Parquet file" in fault
        assert "get it again" in fault
    damaged = b"PAR1" + b"\xff" * 400 + whole[404:]
    assert _faults(tmp_path, format_, file, damaged)
    torn = gzip.compress(samples.as_csv(sheet))[:-9]
    if format_ == "0xarchive":
        assert "--torn" in _faults(tmp_path, format_, file, torn)[0]


def test_a_file_that_is_damaged_within_is_read_up_to_there_with_torn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "CHUNK", 4096)
    texts = [str(n * 7919 % 1_000_003) for n in range(50_000)]
    path = tmp_path / "a.parquet"
    pl.DataFrame({"a": texts}).write_parquet(path, row_group_size=10_000, compression="zstd")
    body = path.read_bytes()
    path.write_bytes(body[: len(body) // 2] + b"\xff" * 200 + body[len(body) // 2 + 200 :])
    told, quiet = Faults(), Faults()
    head = head_of(path, told, "test")
    assert head is not None
    first = list(rows_of(path, head, ["a"], told, torn=False))
    assert told.count == 1
    assert list(rows_of(path, head, ["a"], quiet, torn=True)) == first
    assert not quiet.count
    assert first == [(n, [text]) for n, text in enumerate(texts[: len(first)], 1)]
    assert 0 < len(first) < len(texts)


def test_without_the_lab_packages_a_table_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "13_oracle.parquet"
    path.write_bytes(samples.as_parquet(samples.hyena()))
    monkeypatch.setitem(sys.modules, "polars", None)
    assert main(["import", "hyena", str(path), "--out", str(tmp_path / "out")]) == 2
    assert "requirements-lab.txt" in capsys.readouterr().err


@given(st.integers(10**9, 10**10 - 1), st.sampled_from([0, 3, 6, 9]), st.integers(0, 10**9 - 1))
def test_a_time_is_known_by_its_digits(seconds: int, digits: int, rest: int) -> None:
    rest //= 10 ** (9 - digits)
    assert frames.moment_ns(str(seconds * 10**digits + rest)) == seconds * 10**9 + rest * 10 ** (9 - digits)
    assert frames.moment_ns(str(seconds)[1:]) is None
