"""What `record verify` finds, and what `record stat` counts."""

from pathlib import Path

import pytest

from hip3.errors import ConfigError
from hip3.record.folder import segments
from hip3.record.lines import decode_line, encode_line
from hip3.record.recorder import Recorder
from hip3.record.segment import SegmentReader, SegmentWriter
from hip3.record.verify import quantile, stat, verify
from tests.fakes import FakeClock
from tests.record.test_recorder import BBO


def _recorded(folder: Path, *, pause_ms: int = 500, count: int = 200) -> Path:
    clock = FakeClock()
    recorder = Recorder(folder, clock)
    for _ in range(count):
        recorder.heard(1, BBO % (clock.wall_ms() - 150))
        clock.advance(pause_ms)
        recorder.step()
    recorder.close()
    return segments(folder)[0]


def _rewritten(path: Path, drop: int | None = None, swap: int | None = None) -> None:
    lines = list(SegmentReader(path).lines())
    if drop is not None:
        del lines[drop]
    if swap is not None:
        lines[swap], lines[swap + 5] = lines[swap + 5], lines[swap]
    path.unlink()
    writer = SegmentWriter(path)
    for line in lines:
        r = decode_line(line)
        writer.append(encode_line(r.n, r.t, r.m, r.c, r.d, r.data), r.n, r.t, r.m, "bbo")
    writer.close()


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    path = _recorded(tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert any("SHA-256" in fault for fault in verify(tmp_path).faults)


def test_a_line_that_is_missing_is_found(tmp_path: Path) -> None:
    _rewritten(_recorded(tmp_path), drop=70)
    assert any("line 72 follows 70" in fault for fault in verify(tmp_path).faults)


def test_lines_out_of_order_are_found(tmp_path: Path) -> None:
    _rewritten(_recorded(tmp_path), swap=50)
    assert any("before the last" in fault for fault in verify(tmp_path).faults)


def test_silence_is_not_covered(tmp_path: Path) -> None:
    _recorded(tmp_path, pause_ms=11_000, count=10)
    found = verify(tmp_path)
    assert found.covered < 0.1
    assert any("covered" in fault for fault in found.faults)


def test_an_empty_folder_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no recording"):
        verify(tmp_path)


def test_figures_by_market(tmp_path: Path) -> None:
    _recorded(tmp_path)
    markets, streams = stat(tmp_path)
    gold = markets["xyz:GOLD"]
    assert (gold.bbo, quantile(gold.gaps_ms, 0.5), quantile(gold.lags_ms, 0.99)) == (200, 500, 150)
    assert streams == {"bbo": 200}
