"""`import`: each format one good sample and five that are broken; numbers keep their text; nothing half-written stays."""

import argparse
import gzip
import json
import os
import re
import resource
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import lz4.frame
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from hip3.cli import main, parser
from hip3.errors import ConfigError
from hip3.imports import command, frames, writing
from hip3.ops import progress
from hip3.record.folder import read
from hip3.record.lines import channel_of
from hip3.record.verify import verify
from hip3.replay.command import coarse
from hip3.replay.head import first_look
from hip3.replay.setup import setup_of
from tests.imports import samples
from tests.ops.screen import lines, terminal

Files = dict[str, bytes]
CSV = samples.tardis_csv()
GOOD: dict[str, tuple[str, Files]] = {
    "hip3": ("hip3", {"old.ndjson": samples.old()}),
    "hftbacktest": ("hftbacktest", {"gold.gz": samples.hftbacktest()}),
    "tardis raw": ("tardis", {"raw.gz": samples.tardis_raw()}),
    "tardis csv": ("tardis", {f"{name}.csv.gz": gzip.compress(body) for name, body in CSV.items()}),
    "hl-archive": ("hl-archive", {"xyz_GOLD.lz4": lz4.frame.compress(samples.books())}),
    "hl-asset-ctxs": ("hl-asset-ctxs", {"20260921.csv.lz4": lz4.frame.compress(samples.contexts())}),
    "hl-fills": ("hl-fills", {"7.lz4": lz4.frame.compress(samples.fills())}),
    "coinapi": ("coinapi", {"oracle.csv.gz": gzip.compress(samples.coinapi())}),
}
HAS = {
    "hip3": {"bbo", "activeAssetCtx"}, "hftbacktest": {"bbo", "activeAssetCtx", "trades"},
    "tardis raw": {"bbo", "activeAssetCtx", "trades"}, "tardis csv": {"bbo", "activeAssetCtx", "trades", "l2Book"},
    "hl-archive": {"l2Book", "bbo"}, "hl-asset-ctxs": {"activeAssetCtx"}, "hl-fills": {"trades"}, "coinapi": {"activeAssetCtx"},
    "npz": {"bbo", "trades"},
}  # fmt: skip


def _import(tmp: Path, format_: str, files: Files, *more: str) -> argparse.Namespace:
    paths = []
    for name, body in files.items():
        path = tmp / name
        path.write_bytes(body)
        paths.append(str(path))
    args = parser().parse_args(["import", format_, *paths, "--out", str(tmp / "out"), *more])
    command.run(args)
    return args


def _faults(tmp: Path, format_: str, files: Files, *more: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        _import(tmp, format_, files, *more)
    assert not list((tmp / "out").rglob("*.zst")), "something half-written stays"
    return error.value.faults


@pytest.mark.parametrize("name", GOOD)
def test_a_good_file_becomes_a_recording_that_is_whole(tmp_path: Path, name: str) -> None:
    """evidence.md 8.2, case 7: and a second import to the same folder is refused."""
    format_, files = GOOD[name]
    _import(tmp_path, format_, files)
    records = list(read(tmp_path / "out"))
    assert {channel_of(r.data) for r in records if r.d == "in"} == HAS[name]
    assert [r.n for r in records] == list(range(1, len(records) + 1))
    assert all(a.m <= b.m for a, b in pairwise(records))
    found = verify(tmp_path / "out")
    assert [f for f in found.faults if "covered" not in f] == []
    if name not in ("hl-fills",):
        head = first_look(tmp_path / "out")
        setup, _ = setup_of(head)
        assert head.coins == [samples.GOLD]
        assert [m.coin for m in setup.markets] == [samples.GOLD]
    assert any("already" in fault for fault in _again(tmp_path, format_, files))


def _again(tmp: Path, format_: str, files: Files) -> list[str]:
    with pytest.raises(ConfigError) as error:
        _import(tmp, format_, files)
    return error.value.faults


def test_the_raw_formats_keep_every_byte_and_nanosecond(tmp_path: Path) -> None:
    for name in ("hftbacktest", "tardis raw"):
        folder = tmp_path / name.replace(" ", "-")
        folder.mkdir()
        _import(folder, *GOOD[name])
        got = [(r.t, r.data.decode()) for r in read(folder / "out") if r.d == "in"]
        assert got == samples.frames()


def test_a_recording_of_ours_comes_out_as_it_was(tmp_path: Path) -> None:
    _import(tmp_path, *GOOD["hftbacktest"])
    first = [(r.t, r.data) for r in read(tmp_path / "out") if r.d == "in"]
    args = parser().parse_args(["import", "hip3", str(tmp_path / "out"), "--out", str(tmp_path / "again")])
    command.run(args)
    assert [(r.t, r.data) for r in read(tmp_path / "again") if r.d == "in"] == first
    assert verify(tmp_path / "again").faults == []


def test_event_arrays_become_touches_and_trades(tmp_path: Path) -> None:
    samples.npz(tmp_path / "gold.npz")
    args = ["import", "hftbacktest", str(tmp_path / "gold.npz"), "--out", str(tmp_path / "out")]
    assert main(args) == 2  # nobody says which market it is of
    assert main([*args, "--coins", samples.GOLD]) == 0
    got = [r.value for r in read(tmp_path / "out") if r.d == "in"]
    assert {f["channel"] for f in got} == HAS["npz"]
    whole = [f["data"]["bbo"] for f in got if f["channel"] == "bbo" and None not in f["data"]["bbo"]]
    assert whole[0] == [{"px": "4000.1", "sz": "1.25", "n": 1}, {"px": "4000.4", "sz": "0.03", "n": 1}]


def _line(body: bytes, number: int, change: Callable[[bytes], bytes]) -> bytes:
    lines = body.splitlines(keepends=True)
    lines[number - 1] = change(lines[number - 1])
    return b"".join(lines)


def _packed(pack: Callable[[bytes], bytes], body: bytes, number: int, change: Callable[[bytes], bytes]) -> bytes:
    return pack(_line(body, number, change))


def _replace(old: str, new: str) -> Callable[[bytes], bytes]:
    return lambda line: line.replace(old.encode(), new.encode())


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"
PLAIN = {
    "hip3": samples.old(), "hftbacktest": gzip.decompress(samples.hftbacktest()), "tardis raw": gzip.decompress(samples.tardis_raw()),
    "quotes": CSV["quotes"], "trades": CSV["trades"], "ticker": CSV["derivative_ticker"], "hl-archive": samples.books(),
    "hl-asset-ctxs": samples.contexts(), "hl-fills": samples.fills(), "coinapi": samples.coinapi(),
}  # fmt: skip
PACKS: dict[str, Callable[[bytes], bytes]] = {
    "hl-archive": lz4.frame.compress,
    "hl-asset-ctxs": lz4.frame.compress,
    "hl-fills": lz4.frame.compress,
}
FORMAT = {"tardis raw": "tardis", "quotes": "tardis", "trades": "tardis", "ticker": "tardis"}
BROKEN: list[tuple[str, int, str, str, str]] = [
    # sample, line, text, what stands there instead, and what must be in the sentence
    ("hip3", 7, '"bid":"40', '"bid":"x40', "line 7, column bid: expected a price or size above 0"),
    ("hip3", 2, "{", "[", "line 2: expected one JSON object"),
    ("hip3", 5, '"oracle":', '"orakel":', "line 5: expected the columns"),
    ("hip3", 9, '"coin":"xyz:GOLD"', '"coin":5', "line 9, column coin"),
    ("hip3", 20, '"time_ms":1790', '"time_ms":1690', "time that goes on"),
    ("hftbacktest", 4, "1790", "179", "line 4: expected 19 digits"),
    ("hftbacktest", 3, "}]}", "}]", "line 3: expected a frame of channel trades"),
    ("hftbacktest", 1, '"px":"4000.1"', '"px":"-4000.1"', "line 1: expected a frame of channel bbo"),
    ("hftbacktest", 31, "1790", "1690", "line 31: expected time that goes on, found '99999999.0 s back'"),
    ("hftbacktest", 2, '"oraclePx"', '"oracle"', "line 2: expected a frame of channel activeAssetCtx"),
    ("tardis raw", 4, "2026-", "26-", "line 4: expected a time like"),
    ("tardis raw", 1, '"coin":"xyz:GOLD"', '"coin":1', "line 1: expected a frame of channel bbo"),
    ("tardis raw", 3, '"tid":1000', '"tid":"x"', "line 3: expected a frame of channel trades"),
    ("tardis raw", 61, "2026-09", "2026-08", "time that goes on"),
    ("tardis raw", 5, " {", " [", "line 5: expected a frame"),
    ("quotes", 1, "ask_price", "askprice", "column ask_price of quotes is missing"),
    ("quotes", 1, "bid_amount", "bid_amount,more", "column more is none of quotes"),
    ("quotes", 9, ".4,", "x,", "row 9, column ask_price: expected a number above 0"),
    ("quotes", 3, ",0.0300", "", "row 3: expected 8 columns"),
    ("quotes", 4, "1790000", "later", "row 4, column local_timestamp: expected a whole number"),
    ("trades", 4, "buy", "bought", "row 4, column side: expected buy or sell, found 'bought'"),
    ("trades", 4, "4000.4", "0", "row 4, column price: expected a number above 0"),
    ("ticker", 5, "4000.30", "4000.3O", "row 5, column mark_price: expected a number"),
    ("hl-archive", 6, '"ver_num"', '"ver', "line 6: expected an object with time and raw"),
    ("hl-archive", 6, '"time":"2026', '"time":"20x6', "line 6, column time: expected a time like"),
    ("hl-archive", 8, '"levels":[', '"levels":[[],', "line 8: expected a frame of channel l2Book"),
    ("hl-archive", 90, "2026-09", "2026-08", "time that goes on"),
    ("hl-archive", 2, '"coin":"xyz:GOLD"', '"coin":null', "line 2: expected a frame of channel l2Book"),
    ("hl-asset-ctxs", 1, "oracle_px", "oracle", "column oracle_px of asset_ctxs is missing"),
    ("hl-asset-ctxs", 3, "Z,", "Q,", "row 3, column time"),
    ("hl-asset-ctxs", 3, "4001.25", "4001,25", "row 3: expected 12 columns"),
    ("hl-asset-ctxs", 8, "2026-09", "2026-08", "time that goes on"),
    ("hl-asset-ctxs", 3, "4000.30", "NaN", "row 3, column mark_px: expected a number"),
    ("hl-fills", 5, '"crossed":true', '"crossed":1', "line 5, column crossed: expected true or false"),
    ("hl-fills", 5, '"side":"B"', '"side":"buy"', "line 5, column side: expected A or B"),
    ("hl-fills", 5, '"px":"4000.4"', '"px":"-1"', "line 5, column px: expected a number"),
    ("hl-fills", 5, '"events":', '"event":', "line 5: expected an object with local_time and events"),
    ("hl-fills", 5, '"local_time":"2026', '"local_time":"', "line 5, column local_time"),
    ("coinapi", 1, "update_class", "class", "column update_class of coinapi is missing"),
    ("coinapi", 3, "4001.25", "", "row 3, column oracle_px: expected a number above 0"),
    ("coinapi", 3, "T", "X", "row 3, column time_coinapi: expected a time like"),
    ("coinapi", 10, "2026-09", "2026-08", "time that goes on"),
    ("coinapi", 3, "Deployer", "Deployer,x", "row 3: expected 8 columns"),
]  # fmt: skip


@pytest.mark.parametrize(("sample", "number", "old", "new", "words"), BROKEN)
def test_a_broken_file_is_named_with_place_and_what_to_do(
    tmp_path: Path, sample: str, number: int, old: str, new: str, words: str
) -> None:
    """evidence.md 8.2, case 7: file, line or row, column, what was expected, what stands there."""
    broken = _packed(PACKS.get(sample, gzip.compress), PLAIN[sample], number, _replace(old, new))
    assert broken != PACKS.get(sample, gzip.compress)(PLAIN[sample])
    faults = _faults(tmp_path, FORMAT.get(sample, sample), {"file.gz": broken})
    assert str(tmp_path / "file.gz") in faults[0]
    assert words in faults[0], faults


@pytest.mark.parametrize("sample", PLAIN)
def test_what_is_no_data_is_told_apart_from_it(tmp_path: Path, sample: str) -> None:
    """Git-LFS pointer, nothing, a torn end that `--torn` takes, bytes of something else, a touch that is crossed."""
    format_, pack = FORMAT.get(sample, sample), PACKS.get(sample, gzip.compress)
    assert "Git-LFS pointer" in _faults(tmp_path, format_, {"f": LFS})[0]
    assert "is empty" in _faults(tmp_path, format_, {"f": b""})[0]
    whole = pack(PLAIN[sample])
    assert "--torn" in _faults(tmp_path, format_, {"f": whole[: len(whole) * 3 // 4]})[0]
    assert _faults(tmp_path, format_, {"f": b"\x00\x01\x02 nothing that we know\n" * 3})
    _import(tmp_path, format_, {"f": _torn(PLAIN[sample], pack)}, "--torn")
    assert list(read(tmp_path / "out"))


def _torn(body: bytes, pack: Callable[[bytes], bytes]) -> bytes:
    """Without its end; what is packed in blocks has several of them."""
    if pack is not lz4.frame.compress:
        return pack(body)[:-9]
    machine = lz4.frame.LZ4FrameCompressor(auto_flush=True)
    return b"".join([machine.begin(), *(machine.compress(line) for line in body.splitlines(keepends=True))])


def test_the_first_ten_faults_are_told_then_a_count(tmp_path: Path) -> None:
    body = samples.old().replace(b'"oracle":"', b'"oracle":"x')
    faults = _faults(tmp_path, "hip3", {"f": body})
    assert len(faults) == 11
    assert faults[-1] == f"and {samples.SECONDS - 10} more faults"


def test_a_value_is_cut_to_sixty_characters(tmp_path: Path) -> None:
    body = _line(samples.old(), 1, _replace('"bid":"', '"bid":"' + "z" * 500))
    assert "'" + "z" * 60 + "…'" in _faults(tmp_path, "hip3", {"f": body})[0]


def test_touches_that_are_crossed_too_often_are_no_market_s(tmp_path: Path) -> None:
    body = _line(CSV["quotes"], 5, _replace(".1,", ".9,"))
    (fault,) = _faults(tmp_path, "tardis", {"q.csv": body})
    assert "1 of 60 lines have a bid that is not below the ask, the first of them row 5" in fault


def test_a_recording_that_knows_the_markets_names_unknown_ones_and_the_grid(tmp_path: Path) -> None:
    metas = [
        {"request": {"type": "perpDexs"}, "answer": [None, {"name": "xyz", "fullName": "XYZ", "deployer": "0x" + "0" * 40}]},
        {"request": {"type": "meta", "dex": "xyz"}, "answer": {"universe": [{"name": "xyz:GOLD", "szDecimals": 4, "maxLeverage": 20}], "marginTables": []}},
    ]  # fmt: skip
    _meta_recording(tmp_path / "meta", metas)
    _import(tmp_path, *GOOD["tardis csv"], "--meta", str(tmp_path / "meta"))
    setup, _ = setup_of(first_look(tmp_path / "out"))
    assert setup.markets[0].sz_decimals == 4
    other = tmp_path / "other"
    other.mkdir()
    body = CSV["quotes"].replace(b"XYZ:GOLD", b"XYZ:NONE")
    faults = _faults(other, "tardis", {"q.csv": body}, "--meta", str(tmp_path / "meta"))
    assert "row 2, column symbol: expected a market of --meta, found 'xyz:NONE'" in faults[0]
    off = CSV["quotes"].replace(b".1,1.2500", b".12345,1.2500")
    assert "a price off the grid" in _faults(other, "tardis", {"q.csv": off}, "--meta", str(tmp_path / "meta"))[0]


def _meta_recording(folder: Path, metas: list[dict[str, Any]]) -> None:
    from hip3.imports.writing import Writer

    folder.mkdir()
    writer = Writer(folder)
    for meta in metas:
        writer.line("meta", samples.T0_NS, json.dumps(meta | {"asked_ns": 1}).encode())
    writer.close()


def test_event_arrays_of_another_shape_are_named(tmp_path: Path) -> None:
    """Five that are broken: column, type, side, price, and a file that is none."""
    import numpy as np

    path = tmp_path / "g.npz"
    args = parser().parse_args(
        ["import", "hftbacktest", str(path), "--out", str(tmp_path / "out"), "--coins", samples.GOLD]
    )

    def fault(change: Any) -> str:
        samples.npz(path, change)
        with pytest.raises(ConfigError) as error:
            command.run(args)
        return error.value.faults[0]

    def price(data: Any) -> Any:
        data["px"][4] = float("nan")
        return data

    def side(data: Any) -> Any:
        data["ev"][2] &= np.uint64(0xFFFFFFFF ^ (3 << 28))
        return data

    def back(data: Any) -> Any:
        data["local_ts"][200] -= 10**11
        return data

    without = ["ev", "exch_ts", "local_ts", "px", "qty", "order_id", "ival"]
    assert "column fval: expected float64, found 'no such column'" in fault(lambda d: d[without])
    assert "row 5, column px: expected a price above 0, found 'nan'" in fault(price)
    assert "row 3, column ev: expected a side in the flags" in fault(side)
    assert "time that goes on" in fault(back)
    path.write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(ConfigError, match=r"no whole \.npz"):
        command.run(args)
    np.savez(path, other=np.zeros(3))
    with pytest.raises(ConfigError, match="no array `data`"):
        command.run(args)


def test_on_a_terminal_it_says_how_far_it_is_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = terminal(monkeypatch)
    monkeypatch.setattr(progress, "TERMINAL_MS", 0)
    monkeypatch.setattr(writing, "LOOKED", 1)
    _import(tmp_path, *GOOD["tardis csv"])
    shown = screen.getvalue()
    read, written = (re.findall(rf"{title}.*?, ([\d,]+) lines", shown) for title in ("reading", "writing"))
    assert len(read) > 1
    assert read == sorted(read, key=int) == written
    assert lines(shown) == []


def test_a_minute_of_contexts_is_context_only(tmp_path: Path) -> None:
    """evidence.md 8.2, case 8: imported, and refused by replay with the interval named."""
    _import(tmp_path, *GOOD["hl-asset-ctxs"])
    head = first_look(tmp_path / "out")
    assert "its contexts come every 60000 ms, 10000 at most are wanted" in coarse(head)
    assert any("assumed" not in a and "at the minute" in a for a in head.assumed)


def test_without_the_lab_packages_the_command_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "lz4.frame", None)
    path = tmp_path / "f.lz4"
    path.write_bytes(lz4.frame.compress(samples.books()))
    assert main(["import", "hl-archive", str(path), "--out", str(tmp_path / "out")]) == 2
    assert "requirements-lab.txt" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nonsense", "f"], "nonsense is no format; known: hip3"), (["ancestor", "f"], "ancestor is no format"),
        (["hip3", "missing"], "does not exist"), (["hip3", "f", "--coins", "xyz:NONE"], "check FORMAT, file and --coins"),
    ],
)  # fmt: skip
def test_bad_usage_is_exit_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("f").write_bytes(samples.old())
    assert main(["import", *words, "--out", "out"]) == 2
    assert says in capsys.readouterr().err


def test_a_zstd_file_is_as_good(tmp_path: Path) -> None:
    _import(tmp_path, "hip3", {"old.json.zst": zstandard.compress(samples.old())})
    assert list(read(tmp_path / "out"))


@settings(max_examples=50)
@given(st.decimals(min_value="0.000001", max_value="99999999", places=6))
def test_numbers_come_out_with_the_text_that_they_had(value: Any) -> None:
    """evidence.md 8.1.10: text in, text out; one with an exponent is written out and stays the same number."""
    text = format(value, "f")
    assert frames.number(text) == frames.positive(text) == text
    frame = json.loads(frames.bbo(samples.GOLD, 1, (text, text), None))
    assert frame["data"]["bbo"][0]["px"] == text
    short = f"{value:.5e}"
    plain = frames.number(short)
    assert plain is not None
    assert float(plain) == float(short)
    assert "e" not in plain


def test_more_files_than_a_process_may_open_are_all_imported(tmp_path: Path) -> None:
    """Those beyond the limit were left out, with exit 0 and without a word."""
    files = {f"gold{n:02}.gz": samples.hftbacktest() for n in range(40)}
    few = tmp_path / "few"
    few.mkdir()
    _import(few, "hftbacktest", {"gold.gz": samples.hftbacktest()})
    each = sum(r.d == "in" for r in read(few / "out"))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 20, before[1]))
    try:
        with pytest.raises((ConfigError, OSError)):
            _import(tmp_path, "hftbacktest", files)  # all begin at once, so all are open at once: it is said
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert not (tmp_path / "out" / "imported").exists()
    _import(tmp_path, "hftbacktest", files)
    assert sum(r.d == "in" for r in read(tmp_path / "out")) == 40 * each


def test_files_are_opened_when_their_time_comes() -> None:
    opened: list[int] = []

    def stream(begin: int) -> Iterator[frames.Line]:
        opened.append(begin)
        return iter([frames.Line(begin, b"{}", "1"), frames.Line(begin + 15, b"{}", "2")])

    lines_ = writing.merged([(begin, partial(stream, begin)) for begin in (20, 0, 10)])
    assert next(lines_).t_ns == 0
    assert opened == [0]
    assert [line.t_ns for line in lines_] == [10, 15, 20, 25, 35]
