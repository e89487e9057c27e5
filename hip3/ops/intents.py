"""The intent log: every signed action, durable before its bytes may leave.

One line per record, written by one `write` to a file opened for append, so that a record survives
`kill -9` once `append` has returned, and power loss too with `sync`. Each line ends in its own CRC; a torn
last line is cut off at the next start and counted, and a damaged line in between is skipped and counted.

Guards: the file descriptor, the file's size, the torn end, open orders and the highest nonce. Its lock is held over
one `write` (and one `fsync` with `sync`), since a record must go whole into the file that stands. Called from: tick
(orders, cancels), rest (noops), journal (ends, `compact`). Times are wall milliseconds.
"""

import contextlib
import os
import zlib
from collections import deque
from collections.abc import Iterable
from pathlib import Path

import msgspec

from hip3.core.nonce_floor import highest
from hip3.core.orders import OrderBatch, PendingOrder, run_of
from hip3.errors import JournalError
from hip3.locks import new_lock

KEPT = 10_000
RUNS = 50
"""So many runs are remembered, the newest: an order cannot be delivered later than that."""
COMPACT_BYTES = 4_000_000
"""A longer log is written anew without what is over, while the service runs."""
_encode = msgspec.json.encode
_decode = msgspec.json.decode


class Intent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record. `k`: orders, cancels, noop, updateLeverage (signed actions); end (an order's outcome);
    run (a run that may place orders); floor (the highest nonce of earlier runs); probe (nothing but a test of the
    disk)."""

    k: str
    at_ms: int
    nonce: int = 0
    expires_ms: int | None = None
    orders: tuple[PendingOrder, ...] = ()
    cloid: str = ""
    """end: which order. noop: the first order of the batch it contends with. run: what its cloids begin with."""
    state: str = ""


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """What the log of earlier runs says."""

    open: list[tuple[PendingOrder, int, int | None]]
    """Orders without an outcome: (order, nonce, expiry)."""
    nonce_floor: int
    torn: int
    """Lines that could not be read."""


def _line(record: Intent) -> bytes:
    body = _encode(record)
    return b"%s %08x\n" % (body, zlib.crc32(body))


def _parse(line: bytes) -> Intent | None:
    body, _, crc = line.rpartition(b" ")
    try:
        if int(crc, 16) != zlib.crc32(body):
            return None
        return _decode(body, type=Intent)
    except (ValueError, msgspec.DecodeError):
        return None


def _heads(floor: int, runs: Iterable[str]) -> list[Intent]:
    """What a log that is written anew begins with."""
    return [*([Intent("floor", 0, floor)] if floor else []), *(Intent("run", 0, cloid=run) for run in runs)]


class IntentLog:
    """See the module."""

    def __init__(self, path: Path, *, sync: bool = False) -> None:
        self._path, self._sync = path, sync
        self._fd: int | None = None
        self._torn = False
        self._kept: deque[Intent] = deque(maxlen=KEPT)
        self.failed = ""
        """Why the last write failed; empty while writing works."""
        self.unread = ""
        """Why the log of earlier runs could not be read, for the whole of this run: what they left open is unknown."""
        self._lock = new_lock("IntentLog")
        self._runs: dict[str, None] = {}
        self._size = self._changes = 0
        self.recovered = self._recover()
        self._live: dict[str, Intent] = {
            o.cloid: Intent("orders", 0, nonce, expires, (o,)) for o, nonce, expires in self.recovered.open
        }
        """Orders without an end, each in a record of its own."""
        self._floor = self.recovered.nonce_floor
        with contextlib.suppress(OSError):  # the first append tries again, and says so
            self._open()

    def _open(self) -> int:
        if self._fd is None:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return self._fd

    def append(self, record: Intent, *, new_risk: bool) -> None:
        """Make a record durable. JournalError if it is not: then no new risk may be sent on its strength.

        Exits, cancels and ends go on without; their records are kept and written when that works again.
        """
        try:
            with self._lock:
                self._write_locked(record)
        except OSError as error:
            self.failed = f"the intent log cannot be written: {error}"
            if not new_risk:
                self._kept.append(record)
            raise JournalError(self.failed) from None
        self.failed = ""

    def _write_locked(self, record: Intent) -> None:
        line = _line(record) if not self._torn else b"\n" + _line(record)
        fd = self._open()
        written = os.write(fd, line)
        if written != len(line):
            self._torn = self._torn or written > 0  # what follows must not continue a torn line
            raise OSError(28, "only part of the record was written")
        self._torn = False
        if self._sync:
            os.fsync(fd)
        self._size, self._changes = self._size + written, self._changes + 1
        self._note_runs((record,))
        self._floor = max(self._floor, record.nonce)
        alone = len(record.orders) == 1
        for order in record.orders:
            self._live[order.cloid] = record if alone else msgspec.structs.replace(record, orders=(order,))
        if record.k == "end":
            self._live.pop(record.cloid, None)

    def _note_runs(self, records: Iterable[Intent]) -> None:
        """Which runs the records are of; while nobody else looks."""
        for record in records:
            named = [record.cloid] if record.k == "run" else [run_of(o.cloid) for o in record.orders]
            for run in named:
                if run != next(reversed(self._runs), None):
                    self._runs.pop(run, None)
                    self._runs[run] = None
        while len(self._runs) > RUNS:
            del self._runs[next(iter(self._runs))]

    def begin(self, run: str, at_ms: int) -> None:
        """A run begins whose cloids all start so. A later run knows by it whose order is that it never heard of.

        What the disk does not take now is kept and written later. Called from main, once, before anything is placed.
        """
        record = Intent("run", at_ms, cloid=run)
        with self._lock:
            self._note_runs((record,))
        with contextlib.suppress(JournalError):  # `failed` says so, and the first order is told
            self.append(record, new_risk=False)

    def knows(self, cloid: str) -> bool:
        """Whether a run of this log placed it, this one included, even if its own intent was never written. Any thread.

        It goes by the run and not by the order: a stop leaves without an intent where the disk is full.
        """
        with self._lock:
            return run_of(cloid) in self._runs

    def live(self) -> list[str]:
        """The orders without an end on disk."""
        with self._lock:
            return list(self._live)

    def compact(self) -> None:
        """Write a long log anew without what is over; the journal thread. What fails leaves the old file as it is.

        The new file is written and synced before the lock is taken; if a record came meanwhile it is left for later.
        """
        with self._lock:
            if self._size < COMPACT_BYTES:
                return
            changes, records, floor, runs = self._changes, list(self._live.values()), self._floor, list(self._runs)
        lines = [_line(record) for record in (*_heads(floor, runs), *records)]
        try:
            temporary = self._write_new(lines)
            with self._lock:
                if changes != self._changes:
                    return
                os.replace(temporary, self._path)
                old, self._fd = self._fd, None
                self._size, self._torn = sum(map(len, lines)), False
            if old is not None:
                os.close(old)  # the next append opens the new one
        except OSError:
            return

    @property
    def behind(self) -> str:
        """Which records still wait to be written, though writing works; empty if none."""
        return f"{len(self._kept)} records of the intent log wait to be written" if self._kept else ""

    def retry(self, at_ms: int) -> None:
        """Write what was kept, and see whether writing works again; `failed` says. Called by the journal thread."""
        for _ in range(len(self._kept)):  # the tick may add to it meanwhile
            try:
                self.append(self._kept.popleft(), new_risk=False)
            except JournalError:
                return  # it was kept again, behind the others: order does not matter among them
        try:
            self.append(Intent("probe", at_ms), new_risk=True)
        except JournalError:
            return

    def orders(self, batch: OrderBatch, nonce: int, expires_ms: int | None, at_ms: int) -> None:
        """The intent of a batch of orders."""
        self.append(Intent("orders", at_ms, nonce, expires_ms, batch.orders), new_risk=not batch.reduce_only)

    def cancels(self, nonce: int, at_ms: int) -> None:
        """The intent of a batch of cancels: its nonce is used."""
        self.append(Intent("cancels", at_ms, nonce), new_risk=False)

    def noop(self, nonce: int, cloid: str, at_ms: int) -> None:
        """The intent of a noop that contends with the order `cloid` for its nonce."""
        self.append(Intent("noop", at_ms, nonce, cloid=cloid), new_risk=True)

    def action(self, kind: str, nonce: int, at_ms: int) -> None:
        """The intent of any other signed action."""
        self.append(Intent(kind, at_ms, nonce), new_risk=True)

    def end(self, cloid: str, state: str, at_ms: int) -> None:
        """An order reached its end; it need not be asked for at the next start."""
        self.append(Intent("end", at_ms, cloid=cloid, state=state), new_risk=False)

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            os.close(self._fd)

    def _recover(self) -> Recovered:
        """Read what is there and rewrite it without what is over, if the disk takes that."""
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return Recovered(open=[], nonce_floor=0, torn=0)
        except OSError as error:
            self.unread = f"the intent log {self._path} cannot be read: {error.strerror}; put it right and restart"
            return Recovered(open=[], nonce_floor=0, torn=0)
        records, torn = [], 0
        for line in raw.split(b"\n"):
            record = _parse(line) if line else None
            if record is not None:
                records.append(record)
            elif line:
                torn += 1
        ended = {r.cloid for r in records if r.k == "end"}
        floor = highest(r.nonce for r in records)
        self._note_runs(records)
        still = [(o, r.nonce, r.expires_ms) for r in records for o in r.orders if o.cloid not in ended]
        self._torn = not raw.endswith(b"\n") and bool(raw)  # where the disk is as full as it was then, it stays so
        with contextlib.suppress(OSError):  # the old file says the same, at more length
            self._rewrite(records, ended, floor)
        return Recovered(open=still, nonce_floor=floor, torn=torn)

    def _rewrite(self, records: list[Intent], ended: set[str], floor: int) -> None:
        """Keep open orders and the nonce floor. Atomic: the old file stands until the new one does."""
        lines = [_line(head) for head in _heads(floor, self._runs)]
        for record in records:
            left = tuple(o for o in record.orders if o.cloid not in ended)
            if left:
                lines.append(_line(msgspec.structs.replace(record, orders=left)))
        os.replace(self._write_new(lines), self._path)
        self._size, self._torn = sum(map(len, lines)), False

    def _write_new(self, lines: list[bytes]) -> Path:
        temporary = self._path.with_suffix(".new")
        with open(temporary, "wb") as file:
            file.write(b"".join(lines))
            file.flush()
            os.fsync(file.fileno())
        return temporary
