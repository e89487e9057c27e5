"""The recorder: never in the way, and everything that is not on disk is accounted for."""

import json
from pathlib import Path
from typing import Any

import pytest

from hip3.errors import AlreadyRunning
from hip3.record import recorder as module
from hip3.record.folder import GIB, open_segments, prune, read, segments
from hip3.record.lines import Record, without_signature
from hip3.record.recorder import Keep, Recorder
from hip3.record.segment import FRAME_BYTES, SegmentReader, read_side
from hip3.record.verify import verify
from hip3.replay.head import first_look
from hip3.replay.source import Source
from hip3.service.runtime import Runtime
from tests.fakes import FakeClock

HOUR = 3_600_000
BBO = b'{"channel":"bbo","data":{"coin":"xyz:GOLD","time":%d,"bbo":[{"px":"1","sz":"1","n":1},{"px":"2","sz":"1","n":1}]}}'


class Disk:
    """Free bytes as the test says, and what was told of trouble."""

    def __init__(self) -> None:
        self.free, self.told = 100 * GIB, list[str]()


def _recorder(folder: Path, clock: FakeClock, disk: Disk | None = None, **keep: int) -> Recorder:
    disk = disk or Disk()
    return Recorder(folder, clock, keep=Keep(**keep), trouble=disk.told.append, free=lambda path: disk.free)


def _kinds(folder: Path) -> list[str]:
    return [r.d for r in read(folder)]


def _gaps(folder: Path) -> list[dict[str, Any]]:
    return [r.value for r in read(folder) if r.d == "gap"]


def _frames(records: list[Record]) -> list[bytes]:
    return [r.data for r in records if r.d == "in"]


def _no_space(*_: Any) -> None:
    raise OSError(28, "No space left on device")


def test_what_is_heard_is_on_disk_in_order_with_its_times(tmp_path: Path) -> None:
    clock = FakeClock()
    recorder = _recorder(tmp_path, clock)
    recorder.link(1, "up")
    recorder.said(1, '{"method":"ping"}')
    for number in range(100):
        recorder.heard(1, BBO % number)
        clock.advance(10)
        recorder.step()
    recorder.close()
    records = list(read(tmp_path))
    assert _frames(records) == [BBO % n for n in range(100)]
    assert [r.n for r in records] == list(range(1, 103))
    assert records[-1].t - records[2].t == 990_000_000
    found = verify(tmp_path)
    assert (found.faults, found.frames, found.lost) == ([], 100, 0)


def test_a_stalled_writer_costs_the_new_frames_and_each_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """evidence.md 8.2, case 3: the bound holds, and lost = offered - read back."""
    monkeypatch.setattr(module, "MOST_FRAMES", 500)
    recorder = _recorder(tmp_path, FakeClock())
    offered = 0
    for stall in (300, 900, 2000):
        for number in range(stall):
            recorder.heard(1, BBO % number)
            offered += 1
        assert len(recorder._queue) <= 501
        recorder.step()
    recorder.heard(1, BBO % 7)
    offered += 1
    recorder.close()
    found = verify(tmp_path)
    assert found.lost == offered - found.frames == recorder.lost
    assert found.faults == []
    assert [g["count"] for g in _gaps(tmp_path)] == [400, 1501]  # the word of the first jam takes a place, too


def test_bytes_are_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 10_000)
    recorder = _recorder(tmp_path, FakeClock())
    for _ in range(100):
        recorder.heard(1, b"x" * 1000)
    recorder.close()
    assert verify(tmp_path).frames == 10
    assert recorder.lost == 90


def test_a_full_disk_pauses_with_a_gap_and_it_goes_on_by_itself(tmp_path: Path) -> None:
    """evidence.md 8.2, case 2."""
    clock, disk = FakeClock(), Disk()
    recorder = _recorder(tmp_path, clock, disk)
    for free in (100 * GIB, 1 * GIB, 3 * GIB, 5 * GIB):
        disk.free = free
        clock.advance(6000)
        recorder.step()
        recorder.heard(1, BBO % free)
        recorder.step()
    recorder.close()
    records = list(read(tmp_path))
    assert _frames(records) == [BBO % (100 * GIB), BBO % (5 * GIB)]
    (gap,) = _gaps(tmp_path)
    assert (gap["what"], gap["count"]) == ("lost", 2)
    assert [bool(why) for why in disk.told] == [True, False]
    assert verify(tmp_path).lost == recorder.lost == 2
    assert [fault[:16] for fault in verify(tmp_path).faults] == ["only 0.0% of the"]


def test_a_disk_that_fails_under_a_write_is_told_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, disk = FakeClock(), Disk()
    recorder = _recorder(tmp_path, clock, disk)
    recorder.heard(1, BBO % 1)
    recorder.step()

    with monkeypatch.context() as patch:
        patch.setattr(module.SegmentWriter, "flush", _no_space)
        clock.advance(2000)
        recorder.step()
        recorder.heard(1, BBO % 2)
        recorder.step()
    assert "No space left" in recorder.stopped
    clock.advance(6000)
    recorder.step()
    recorder.heard(1, BBO % 3)
    recorder.close()
    assert _frames(list(read(tmp_path))) == [BBO % 3]
    assert (verify(tmp_path).lost, verify(tmp_path).faults) == (2, [])


def test_a_disk_that_fails_at_the_end_of_an_hour_is_told_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, disk = FakeClock(), Disk()
    recorder = _recorder(tmp_path, clock, disk)
    for number in range(3):
        recorder.heard(1, BBO % number)
    recorder.step()
    with monkeypatch.context() as patch:
        patch.setattr(module.SegmentWriter, "flush", _no_space)
        clock.advance(HOUR)
        recorder.heard(1, BBO % 3)
        recorder.step()
    assert "No space left" in recorder.stopped
    assert (recorder.frames, recorder.lost) == (0, 4)
    clock.advance(6000)
    recorder.step()
    recorder.heard(1, BBO % 4)
    recorder.close()
    assert _frames(list(read(tmp_path))) == [BBO % 4]
    assert (verify(tmp_path).lost, recorder.lost) == (4, 4)


def test_a_disk_that_fails_under_a_full_block_counts_each_line_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, disk = FakeClock(), Disk()
    recorder = _recorder(tmp_path, clock, disk)
    recorder.step()
    monkeypatch.setattr(module.SegmentWriter, "flush", _no_space)
    recorder.said(1, json.dumps({"method": "ping", "of": "x" * FRAME_BYTES}))
    recorder.step()
    assert (recorder.frames, recorder.lost) == (0, 1)
    recorder.close()


def test_a_backlog_is_not_cut_into_a_block_for_each_line(tmp_path: Path) -> None:
    clock = FakeClock()
    recorder = _recorder(tmp_path, clock)
    for number in range(400):
        recorder.heard(1, BBO % number)
        recorder.said(1, '{"method":"ping"}')
    clock.advance(3000)  # the disk stood still
    recorder.step()
    recorder.close()
    (segment,) = segments(tmp_path)
    assert sum(1 for _ in SegmentReader(segment)._frames()) <= 2
    assert len(_frames(list(read(tmp_path)))) == 400


def test_a_clock_that_is_set_is_noted_and_the_order_stays(tmp_path: Path) -> None:
    """evidence.md 8.2, case 5."""
    clock = FakeClock()
    recorder = _recorder(tmp_path, clock)
    for number in range(40):
        if number == 20:
            clock.step_wall(-30_000)
        recorder.heard(1, BBO % number)
        clock.advance(1000)
        recorder.step()
    recorder.close()
    found = verify(tmp_path)
    assert found.faults == []
    assert any("set by -30000 ms" in note for note in found.notes)
    assert [r.m for r in read(tmp_path)] == sorted(r.m for r in read(tmp_path))


@pytest.mark.parametrize("waits", [False, True], ids=["each by itself", "taken together"])
def test_a_new_hour_is_a_new_segment_that_begins_with_what_the_markets_are(tmp_path: Path, waits: bool) -> None:
    clock = FakeClock()
    recorder = _recorder(tmp_path, clock)
    recorder.learnt({"type": "meta", "dex": "xyz"}, b'{"universe":[]}', 5)
    recorder.learnt({"type": "exchangeStatus"}, b"{}", 5)
    for _ in range(3):
        for number in range(3):
            recorder.heard(1, BBO % number)
            if not waits:
                recorder.step()
        clock.advance(HOUR)
    recorder.close()
    assert len(segments(tmp_path)) == 3
    assert _kinds(tmp_path) == ["meta", "in", "in", "in"] * 3
    first = next(read(tmp_path)).value
    assert first == {"asked_ns": 5, "request": {"type": "meta", "dex": "xyz"}, "answer": {"universe": []}}
    assert verify(tmp_path).segments == 3


def test_frames_taken_together_keep_their_place_among_what_was_said(tmp_path: Path) -> None:
    clock = FakeClock()
    recorder = _recorder(tmp_path, clock)
    for number in range(6):
        recorder.heard(1, BBO % number)
        recorder.heard(1, b"no JSON")
        if number % 2:
            recorder.said(1, '{"method":"ping"}')
        clock.advance(10)
    recorder.close()
    records = list(read(tmp_path))
    assert [r.d for r in records] == ["in", "in", "in", "in", "out"] * 3
    assert [r.n for r in records] == list(range(1, 16))
    assert [r.m for r in records] == sorted(r.m for r in records)
    assert (found := verify(tmp_path)).faults == []
    assert found.lost == recorder.lost == 0
    (segment,) = segments(tmp_path)
    side = read_side(segment)
    assert side is not None
    assert side.streams == {"bbo": 6, "other": 6, "out": 3}
    assert (side.records, side.first_n, side.last_n) == (15, 1, 15)


def test_a_thread_that_wakes_takes_lines_together_and_none_waits_for_long(tmp_path: Path) -> None:
    clock = FakeClock()
    recorder = _recorder(tmp_path, clock)
    recorder.wake()  # the first look at the disk
    for number in range(module.GATHER - 1):
        recorder.heard(1, BBO % number)
    clock.advance(200)
    recorder.wake()
    assert recorder.frames == 0
    recorder.said(1, '{"method":"ping"}')
    recorder.wake()
    assert recorder.frames == module.GATHER
    recorder.heard(1, BBO % 1)
    clock.advance(200)
    recorder.wake()
    assert recorder.frames == module.GATHER
    clock.advance(50)
    recorder.wake()
    assert recorder.frames == module.GATHER + 1
    (segment,) = segments(tmp_path)
    assert segment.stat().st_size == 0
    clock.advance(750)  # of the first line's second
    recorder.wake()
    assert segment.stat().st_size > 0
    recorder.close()


def test_what_a_death_costs_is_less_than_a_second(tmp_path: Path) -> None:
    """By the wait of the service's own thread, at each instant before it wakes, over more than one wait for the disk."""
    clock = FakeClock()
    recorder = _recorder(tmp_path, clock)
    wait_ms = round(Runtime.record_wait_s * 1000)
    came: list[int] = []
    worst_ms = 0
    for _ in range(13_000 // wait_ms):
        for _ in range(wait_ms // 10):
            clock.advance(10)
            recorder.heard(1, BBO % len(came))
            came.append(clock.mono_ms())
        on_disk = [line for path in tmp_path.glob("*/*.zst") for line in SegmentReader(path).lines()]
        written = sum(b'"d":"in"' in line for line in on_disk)
        worst_ms = max(worst_ms, clock.mono_ms() - came[written])
        recorder.wake()
    recorder.close()
    assert 750 <= worst_ms < 1000


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    recorder = _recorder(tmp_path, FakeClock())
    with pytest.raises(AlreadyRunning):
        _recorder(tmp_path, FakeClock())
    recorder.close()
    _recorder(tmp_path, FakeClock()).close()


def test_whole_days_go_the_oldest_first_and_never_the_open_one(tmp_path: Path) -> None:
    for day in ("2026-09-01", "2026-09-20", "2026-09-21"):
        (tmp_path / day).mkdir()
        (tmp_path / day / "a.ndjson.zst").write_bytes(b"x" * 1000)
    open_one = tmp_path / "2026-09-21" / "a.ndjson.zst"
    now_ns = FakeClock().wall_ns()  # 2026-09-21
    assert [p.name for p in prune(tmp_path, 14, 10_000, now_ns, open_one)] == ["2026-09-01"]
    assert [p.name for p in prune(tmp_path, 14, 1500, now_ns, open_one)] == ["2026-09-20"]
    assert prune(tmp_path, 14, 1, now_ns, open_one) == []


def test_a_process_that_died_leaves_no_side_file_and_its_lines_are_read(tmp_path: Path) -> None:
    """evidence.md 8.2, case 4, without the process."""
    clock = FakeClock()
    recorder = _recorder(tmp_path, clock)
    for number in range(50):
        recorder.heard(1, BBO % number)
        clock.advance(100)
        recorder.step()
    assert recorder._writer is not None
    recorder._writer.abandon()  # as the end of a process does
    recorder._lock.release()
    clock.advance(1000)
    after = _recorder(tmp_path, clock)
    after.heard(1, BBO % 99)
    after.close()
    assert len(open_segments(tmp_path)) == 1
    found = verify(tmp_path)
    assert found.faults == []
    assert found.frames >= 40
    assert any("was not closed" in note for note in found.notes)


def test_of_a_signed_post_what_it_asks_stays_and_nothing_else() -> None:
    """evidence.md 8.2, case 6."""
    order = {"a": 1, "b": True, "p": "2", "s": "3", "r": False, "t": {"limit": {"tif": "Ioc"}}, "c": "0xab"}
    payload = {
        "action": {"type": "order", "orders": [order], "grouping": "na"}, "nonce": 7, "vaultAddress": None,
        "signature": {"r": "0xsecret", "s": "0xsecret", "v": 27},
    }  # fmt: skip
    text = json.dumps({"method": "post", "id": 3, "request": {"type": "action", "payload": payload}})
    kept = without_signature(text)
    assert json.loads(kept) == {"method": "post", "post": {"id": 3, "kind": "order", "nonce": 7, "orders": [order]}}
    payload["action"] = {"type": "batchModify", "modifies": [{"oid": 9, "order": order, "more": "0xsecret"}]}
    moved = json.loads(without_signature(json.dumps({"method": "post", "id": 4, "request": {"payload": payload}})))
    assert moved["post"] == {"id": 4, "kind": "batchModify", "nonce": 7, "orders": [order | {"replaces": 9}]}
    for odd in ("{", "[]", '{"method":"post"}', '{"method":"post","request":{"payload":"0xsecret"}}'):
        assert b"secret" not in without_signature(odd)


def test_a_clock_that_is_not_known_yet_is_asked_for_until_it_is(tmp_path: Path) -> None:
    """It was asked for once a minute, and a replay that reads the beginning alone took the recorder's for it."""
    clock, known = FakeClock(), list[int]()
    recorder = _recorder(tmp_path, clock)
    recorder.offset = lambda: known[0] if known else None
    recorder.link(1, "up")
    for number in range(600):
        if number == 200:
            known.append(480)
        recorder.heard(1, BBO % number)
        clock.advance(10)
        recorder.step()
    recorder.close()
    at = [r.n for r in read(tmp_path) if r.d == "clock"]
    assert len(at) == 1
    assert at[0] < 600
    assert first_look(tmp_path).offset_ms == 480


def test_without_a_clock_frames_that_came_before_they_were_made_tell_what_it_was(tmp_path: Path) -> None:
    clock = FakeClock()
    recorder = _recorder(tmp_path, clock)
    recorder.link(1, "up")
    for way_ms in (130, 150, 140):
        recorder.heard(1, BBO % (clock.wall_ms() + 480 - way_ms))
        clock.advance(10)
        recorder.step()
    recorder.close()
    head = first_look(tmp_path)
    assert head.offset_ms == 480 - 130
    assert "no clock is recorded" in head.assumed[0]


def test_a_recording_that_ends_without_a_word_leaves_no_touch_that_stands(tmp_path: Path) -> None:
    """A kill, and five hours later another run in the same folder: in between nobody knows what stood there."""
    clock = FakeClock()
    for _ in range(2):
        recorder = _recorder(tmp_path, clock)
        recorder.link(1, "up")
        for _ in range(20):
            recorder.heard(1, BBO % clock.wall_ms())
            clock.advance(500)
            recorder.step()
        recorder.close()
        clock.advance(5 * HOUR)
    head = first_look(tmp_path)
    source = Source(tmp_path, head, coins={"xyz:GOLD"}, mono0_ms=0, start_ns=head.first_ns, own=None)
    begin = head.first_ns // 1_000_000
    source.ahead(0)
    tape = source.tapes["xyz:GOLD"]
    look = tape.look(begin + 5000)
    assert look is not None
    assert look.bid is not None
    source.ahead(6 * HOUR)
    hole = tape.look(begin + 2 * HOUR)
    assert hole is None or hole.bid is None
    ((at_ms, why),) = source.gaps
    assert begin <= at_ms <= begin + 10_000
    assert why.startswith("down: the recording ended here")
