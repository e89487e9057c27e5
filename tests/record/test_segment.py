"""Segments: what is written is read, and a file cut or changed anywhere gives whole frames and says what is missing."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hip3.record.lines import decode_line, encode_line
from hip3.record.segment import SegmentReader, SegmentWriter, read_side

FRAMES = st.lists(
    st.binary(max_size=60) | st.sampled_from([b'{"channel":"bbo"}', b"", b" {}", b'{"a":\n1}', b'"\xff"'])
)


def _write(path: Path, frames: list[list[bytes]]) -> list[bytes]:
    """A segment with one zstd frame for each list."""
    writer, n = SegmentWriter(path), 0
    for block in frames:
        for data in block:
            n += 1
            writer.append(encode_line(n, n, n, 1, "in", data), n, n, n, "in")
        writer.flush()
    writer.close()
    return [data for block in frames for data in block]


def _read(path: Path) -> tuple[list[bytes], SegmentReader]:
    reader = SegmentReader(path)
    return [decode_line(line).data for line in reader.lines()], reader


@given(st.lists(FRAMES, max_size=5))
def test_what_is_written_is_read_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, frames: list[list[bytes]]
) -> None:
    """evidence.md 8.1.1."""
    path = tmp_path_factory.mktemp("s") / "s.zst"
    written = _write(path, frames)
    read, reader = _read(path)
    assert read == written
    assert not reader.damage


def test_a_file_cut_at_every_byte_gives_a_prefix_of_whole_frames(tmp_path: Path) -> None:
    """evidence.md 8.1.1."""
    whole, blocks = (
        tmp_path / "whole.zst",
        [[b'{"channel":"bbo","data":%d}' % (i * 10 + k) for k in range(9)] for i in range(4)],
    )
    written = _write(whole, blocks)
    data, cut = whole.read_bytes(), tmp_path / "cut.zst"
    seen = set()
    for size in range(len(data) + 1):
        cut.write_bytes(data[:size])
        read, reader = _read(cut)
        assert read == written[: len(read)]
        assert len(read) % 9 == 0
        assert bool(reader.damage) == (size > 0 and not _whole(data, size))
        assert all(d.torn for d in reader.damage)
        seen.add(len(read))
    assert seen == {0, 9, 18, 27, 36}


def _whole(data: bytes, size: int) -> bool:
    """Whether the file ends between two frames there."""
    starts = [at for at in range(len(data)) if data.startswith(b"\x28\xb5\x2f\xfd", at)]
    return size in starts or size == len(data)


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_costs_its_frame_alone_and_is_told(
    tmp_path_factory: pytest.TempPathFactory, at: int, by: int
) -> None:
    path = tmp_path_factory.mktemp("s") / "s.zst"
    blocks = [[os.urandom(200) for _ in range(3)] for _ in range(5)]
    written = _write(path, blocks)
    data = bytearray(path.read_bytes())
    data[at % len(data)] = (data[at % len(data)] + by) % 256
    path.write_bytes(data)
    read, reader = _read(path)
    assert reader.damage or read == written  # a byte of the header may say the same
    assert len(read) >= 12
    assert [d for d in read if d not in written] == []


def test_the_side_file_says_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "s.zst"
    _write(path, [[b"a", b"b"], [b"c"]])
    side = read_side(path)
    assert side is not None
    assert (side.records, side.first_n, side.last_n, side.streams, side.bytes) == (
        3,
        1,
        3,
        {"in": 3},
        path.stat().st_size,
    )
