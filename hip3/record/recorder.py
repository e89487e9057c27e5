"""The recorder: shows of frames in, segments out; beside trading and never in its way.

`heard`, `said`, `link` and `learnt` are the `Tap` port: the threads that read and send call them, they append to a
bounded queue and come back at once, whatever the disk does. One thread, `recorder`, takes the queue: it makes lines,
compresses and writes. What does not fit, or cannot be written, is counted, and a `gap` record says when and why.

No lock: a deque's ends are one step each, and every counter has one writer.
"""

import contextlib
import shutil
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec

from hip3.core.ports import Clock
from hip3.record.folder import GIB, HOUR_NS, FolderLock, hour_of, prune, segment_path
from hip3.record.lines import Frame, channel_of, encode_frames, encode_line, without_signature
from hip3.record.segment import FRAME_BYTES, SegmentWriter
from hip3.version import __version__

MOST_FRAMES, MOST_BYTES = 50_000, 64 << 20
LOOK_NS = 5_000_000_000
"""Between two looks at the disk, and two waits for it."""
GATHER, GATHER_NS = 500, 250_000_000
"""So many lines, or those of so long, are taken together: a few at a time each cost twice as much."""
CLOCK_NS = 60_000_000_000
STEP_NS = 500_000_000
"""By so much wall and monotonic time must part to be a clock that was set."""
PAUSE_BELOW, RESUME_AT = 2 * GIB, 4 * GIB
TURN = 1000
"""At most about so many lines are made before the disk is looked at again."""
LEARNT = frozenset(
    {
        "meta", "metaAndAssetCtxs", "perpDexs", "perpsAtOpenInterestCap", "userFees", "clearinghouseState",
        "spotClearinghouseState", "userAbstraction", "service",
    }
)  # fmt: skip
"""Of the answers over HTTP those that a replay needs: what markets there are, what the account began with, and in
which mode the service ran."""
Item = tuple[int, int, int, str, bytes | str | dict[str, Any]]


class Keep(msgspec.Struct, frozen=True):
    """How much stays."""

    days: int = 14
    gb: int = 50
    pause_below: int = PAUSE_BELOW
    resume_at: int = RESUME_AT


class _Lane:
    """What one thread offers. Written by that thread alone, but for `taken`."""

    def __init__(self) -> None:
        self.offered_bytes = 0
        self.taken_bytes = 0
        self.lost = 0
        self.jam = 0
        """Of the jam that lasts: how many, and its first and last time."""
        self.first_ns = self.last_ns = 0


class Recorder:
    """See the module. `free` tells the free bytes of a folder; `trouble` is told why nothing can be written, once for
    each trouble, and "" when it is over; from the recorder's thread. AlreadyRunning: another process writes there."""

    def __init__(
        self, folder: Path, clock: Clock, *, settings: str = "", keep: Keep | None = None,
        trouble: Callable[[str], None] = lambda why: None, free: Callable[[Path], int] | None = None,
    ) -> None:  # fmt: skip
        self._lock = FolderLock(folder)
        self.folder, self._clock, self._settings = folder, clock, settings
        self._keep = keep or Keep()
        self._trouble = trouble
        self._free = free or (lambda path: shutil.disk_usage(path).free)
        self._queue: deque[Item] = deque()
        self._lanes = {"in": _Lane(), "out": _Lane()}
        self._n = 0
        self._writer: SegmentWriter | None = None
        self._until_ns = 0
        """Where its hour ends; wall time."""
        self._stopped = ""
        """Why nothing is written now; "" while it is."""
        self._skipped = self._missing = self._skipped_first = self._skipped_last = 0
        """Of a stop of the disk: lines left out, numbers to be explained, and their times."""
        self._meta: dict[bytes, bytes] = {}
        """The last answer to each public request: a segment begins with them."""
        self._synced_ns = self._looked_ns = self._clock_ns = 0
        self._apart_ns = clock.wall_ns() - clock.mono_ns()
        self.offset: Callable[[], int | None] = lambda: None
        """How far the exchange's clock is ahead of ours, in milliseconds; None: not known."""
        self.frames = self.bytes = self._lost_to_disk = 0

    # The tap: any thread that reads or sends.

    def heard(self, generation: int, data: bytes) -> None:
        """A frame of the exchange. ws-reader; neither waits nor raises."""
        lane = self._lanes["in"]
        if len(self._queue) >= MOST_FRAMES or lane.offered_bytes - lane.taken_bytes >= MOST_BYTES:
            self._drop(lane)
            return
        if lane.jam:
            self._end_jam(lane, generation)
        lane.offered_bytes += len(data)
        self._queue.append((self._clock.wall_ns(), self._clock.mono_ns(), generation, "in", data))

    def said(self, generation: int, text: str) -> None:
        """A frame of ours, as it left. tick, ws-reader."""
        self._offer("out", generation, text)

    def link(self, generation: int, what: Literal["up", "down"], why: str = "") -> None:
        """A connection began or ended. ws-reader."""
        self._offer("gap", generation, {"what": what, "why": why})

    def learnt(self, request: dict[str, Any], answer: bytes, asked_ns: int) -> None:
        """An answer that a replay needs. rest."""
        if request.get("type") in LEARNT:
            self._offer("meta", 0, {"asked_ns": asked_ns, "request": request, "answer": answer})

    def _offer(self, kind: str, generation: int, data: str | dict[str, Any]) -> None:
        lane = self._lanes["out"]
        if len(self._queue) >= MOST_FRAMES:
            self._drop(lane)
            return
        if lane.jam:
            self._end_jam(lane, generation)
        self._queue.append((self._clock.wall_ns(), self._clock.mono_ns(), generation, kind, data))

    def _drop(self, lane: _Lane) -> None:
        now = self._clock.wall_ns()
        lane.first_ns = lane.first_ns if lane.jam else now
        lane.last_ns = now
        lane.jam += 1
        lane.lost += 1

    def _end_jam(self, lane: _Lane, generation: int) -> None:
        self._queue.append((self._clock.wall_ns(), self._clock.mono_ns(), generation, "lost", _jam_of(lane)))
        lane.jam = 0

    # The recorder's thread.

    def wake(self) -> None:
        """A step where one is due: enough lines wait to be taken together, or one has waited for long enough."""
        now, queue, writer = self._clock.mono_ns(), self._queue, self._writer
        waits = len(queue) >= GATHER or (len(queue) > 0 and now - queue[0][1] >= GATHER_NS)
        due = writer is not None and (writer.due(now) or now - self._synced_ns >= LOOK_NS)
        if waits or due or now - self._looked_ns >= LOOK_NS:
            self.step()

    def step(self) -> None:
        """Take what waits and write what is due. Raises nothing of the disk."""
        now, wall = self._clock.mono_ns(), self._clock.wall_ns()
        self._look(now, wall)
        try:
            made = 0
            while self._queue:
                frames = self._run()
                if frames:
                    self._append(frames)
                else:
                    self._take(self._queue.popleft())
                made += len(frames) or 1
                if made >= TURN:  # not after each: of a backlog every line is due, and would be a block of its own
                    made = 0
                    self._write_due()
            self._write_due()
        except OSError as error:
            self._stop(f"{error.strerror or error}", wall)

    def _run(self) -> list[Frame]:
        """Frames of the exchange that wait one behind the other and go into the segment at hand; none where what comes
        first is something else. They become lines together: one by one each would cost twice as much."""
        frames: list[Frame] = []
        if self._writer is None:
            return frames
        queue, until_ns, size = self._queue, self._until_ns, 0
        while queue and size < FRAME_BYTES and len(frames) < TURN:
            t, m, c, _, data = queue[0]
            if not isinstance(data, bytes) or not until_ns - HOUR_NS <= t < until_ns:
                break
            queue.popleft()
            frames.append((t, m, c, data))
            size += len(data)
        self._lanes["in"].taken_bytes += size
        return frames

    def _append(self, frames: list[Frame]) -> None:
        assert self._writer is not None
        first, lines = self._n + 1, encode_frames(self._n + 1, frames)
        self._n += len(lines)
        self.frames += len(lines)
        self.bytes += sum(map(len, lines))
        self._writer.extend(first, lines, frames)

    def _take(self, item: Item) -> None:
        t, m, c, kind, data = item
        about = b""
        if isinstance(data, bytes):
            self._lanes["in"].taken_bytes += len(data)
        if kind == "meta":
            assert isinstance(data, dict)
            about, data = msgspec.json.encode(data["request"]), _meta_frame(data)
        elif kind == "lost":
            assert isinstance(data, dict)
            self._n += data["count"]
            self._missing += data["count"] if self._stopped else 0
        if not self._stopped:
            try:
                self._roll(t, m)
            except OSError as error:
                self._stop(f"{error.strerror or error}", t)
        if about and isinstance(data, bytes):
            self._meta[about] = data
        if self._stopped:
            self._skip(t)
            return
        body = without_signature(data) if isinstance(data, str) else data
        self._line(
            t, m, c, "gap" if kind == "lost" else kind, body if isinstance(body, bytes) else msgspec.json.encode(body)
        )

    def _line(self, t: int, m: int, c: int, kind: str, data: bytes) -> None:
        assert self._writer is not None
        self._n += 1
        line = encode_line(self._n, t, m, c, kind, data)
        self.frames += 1
        self.bytes += len(line)
        self._writer.append(line, self._n, t, m, channel_of(data) if kind == "in" else kind)
        if kind == "gap":
            self._writer.side.gaps += 1

    def _roll(self, t: int, m: int, first: Iterable[bytes] | None = None) -> None:
        """A segment to write to; a new one where the hour has changed. It begins with `first`, or what was learnt."""
        writer = self._writer
        if writer is not None and hour_of(writer.side.first_ns or t) == hour_of(t):
            return
        if writer is not None:
            self._writer = None
            self._close(writer)
        path = segment_path(self.folder, t)
        while path.exists():
            t += 1
            path = segment_path(self.folder, t)
        self._writer, self._until_ns = SegmentWriter(path), (hour_of(t) + 1) * HOUR_NS
        prune(self.folder, self._keep.days, self._keep.gb * GIB, t, self._writer.path)
        for frame in self._meta.values() if first is None else first:
            self._line(t, m, 0, "meta", frame)

    def _close(self, writer: SegmentWriter) -> None:
        """End a segment. OSError: what could not be written any more is counted as lost."""
        writer.side.version, writer.side.settings = __version__, self._settings
        writer.side.lost = self.lost
        try:
            writer.close()
        except OSError:
            left = writer.abandon()
            self._lost_to_disk += left
            self._missing += left
            self.frames -= left
            raise

    def _write_due(self) -> None:
        writer, now = self._writer, self._clock.mono_ns()
        if writer is None:
            return
        if writer.due(now):
            writer.flush()
        if now - self._synced_ns >= LOOK_NS:
            self._synced_ns = now
            writer.sync()

    # What can be wrong.

    def _look(self, now: int, wall: int) -> None:
        """The disk, the clocks, and once a minute how far the exchange's is off."""
        if now - self._looked_ns < LOOK_NS:
            return
        self._looked_ns = now
        try:
            free = self._free(self.folder)
            if not self._stopped and free < self._keep.pause_below:
                self._stop(f"less than {self._keep.pause_below / GIB:.1f} GiB are free", wall)
            elif self._stopped and free >= self._keep.resume_at:
                self._go_on(wall, now)
        except OSError as error:
            self._stop(f"{error.strerror or error}", wall)
        apart = wall - now
        if abs(apart - self._apart_ns) >= STEP_NS:
            by_ms = (apart - self._apart_ns) // 1_000_000
            self._offer("gap", 0, {"what": "clock", "why": f"the machine's clock was set by {by_ms} ms"})
        self._apart_ns = apart
        if now - self._clock_ns >= CLOCK_NS:
            offset = self.offset()
            if offset is not None:  # else it is asked for again with the next look: a replay goes by the first
                self._clock_ns = now
                self._offer("clock", 0, {"offset_ms": offset})

    def _stop(self, why: str, wall: int) -> None:
        """Nothing can be written: what was whole stays, the rest is counted until it can."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(OSError):
                self._close(writer)
        if not self._stopped:
            self._skipped_first = wall
            self._trouble(f"{self.folder} is not written to: {why}")
        self._stopped = why

    def _skip(self, t: int) -> None:
        self._n += 1
        self._skipped += 1
        self._missing += 1
        self._skipped_last = t

    def _go_on(self, wall: int, mono: int) -> None:
        why, self._stopped = self._stopped, ""
        try:
            self._roll(wall, mono, [])
            body = {
                "what": "lost", "count": self._missing, "first_ns": self._skipped_first,
                "last_ns": self._skipped_last or wall, "why": why,
            }  # fmt: skip
            self._line(wall, mono, 0, "gap", msgspec.json.encode(body))
            for frame in self._meta.values():
                self._line(wall, mono, 0, "meta", frame)
        except OSError as error:
            self._stop(f"{error.strerror or error}", wall)
            return
        self._lost_to_disk += self._skipped
        self._skipped = self._missing = self._skipped_last = 0
        self._trouble("")

    def close(self) -> None:
        """Write what is left and end the segment. After the threads that offer have ended, or for good."""
        wall, mono = self._clock.wall_ns(), self._clock.mono_ns()
        self._looked_ns = mono  # what cannot be written now is not written any more
        for lane in self._lanes.values():
            if lane.jam:
                self._queue.append((wall, mono, 0, "lost", _jam_of(lane)))
                lane.jam = 0
        self.step()
        writer, self._writer = self._writer, None
        try:
            if writer is not None:
                self._close(writer)
        except OSError as error:
            self._trouble(f"{self.folder}: the last second could not be written: {error.strerror}")
        self._lock.release()

    # For the status; any thread.

    @property
    def offered(self) -> int:
        """How many lines were written or wait."""
        return self.frames + len(self._queue)

    @property
    def lost(self) -> int:
        """How many did not get to the disk."""
        return sum(lane.lost for lane in self._lanes.values()) + self._lost_to_disk + self._skipped

    @property
    def stopped(self) -> str:
        """Why nothing is written now; "" while it is."""
        return self._stopped

    def state(self) -> dict[str, Any]:
        """`recording` of the status: lines and bytes written, lines lost, how long the oldest waits."""
        try:
            lag_ns = self._clock.mono_ns() - self._queue[0][1]
        except IndexError:
            lag_ns = 0
        return {
            "frames": self.frames, "lost": self.lost, "bytes": self.bytes, "lag_ms": max(0, lag_ns) // 1_000_000,
            "folder": str(self.folder), "stopped": self._stopped,
        }  # fmt: skip


def _jam_of(lane: _Lane) -> dict[str, Any]:
    return {
        "what": "lost", "count": lane.jam, "first_ns": lane.first_ns, "last_ns": lane.last_ns,
        "why": "the disk was slower than the frames",
    }  # fmt: skip


def _meta_frame(data: dict[str, Any]) -> bytes:
    """The request and its answer as it came; an answer that is no JSON goes as text."""
    head = msgspec.json.encode({"asked_ns": data["asked_ns"], "request": data["request"]})
    try:
        msgspec.json.decode(data["answer"], type=msgspec.Raw)
        answer = data["answer"].strip()
    except msgspec.DecodeError:
        answer = msgspec.json.encode(data["answer"].decode(errors="replace"))
    return b'%b,"answer":%b}' % (head[:-1], answer)
