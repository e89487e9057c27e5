"""The event log: what happened, off the hot path.

Any thread records; one `journal` thread logs one line per signal, order, fill and exit, keeps the figures of
the closing table, writes everything to SQLite, and notes the end of orders in the intent log. Records gather
unannounced and are written together; their number is bounded: what does not fit is counted, and a fill that does
not fit trips the stop. While SQLite cannot be written, no new risk is taken (`on_state`), and
what was recorded is kept and written later.
"""

import sqlite3
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from loguru import logger

from hip3.core.ledger import OrderChanged
from hip3.errors import JournalError
from hip3.ops.figures import Figures, percentile
from hip3.ops.intents import IntentLog
from hip3.ops.lines import tell
from hip3.ops.store import JournalStore, Row, coin_of, damages, encode, open_store
from hip3.ops.travelled import FEWEST, travelled

CAPACITY = 50_000
DAY_MS = 86_400_000
PRUNE_MS = 60_000
"""How often old records are looked for; while there are some, with every drain."""
PRUNE_ROWS = 1000
"""So many go at a time: some 20 ms of the journal thread."""
RETRY_MS = 1000
T = TypeVar("T")
_FACT = "fact:"
TRAVELLED = 1000
"""So many of the newest replies and fills say how long an order travels."""
PRECIOUS = frozenset({"risk", "trips", "approved", "markets"})


class EventLog:
    """The `Journal` port. `record` may be called from any thread and never blocks."""

    def __init__(self, wall_ms: Callable[[], int]) -> None:
        self._wall_ms = wall_ms
        self.on_state: Callable[[str], None] = lambda why: None
        """Told why the journal cannot be written, or "" when it can again; from the journal thread."""
        self.on_fill_lost: Callable[[], None] = lambda: None
        self.watched: frozenset[str] = frozenset()
        self.on_watched: Callable[[str, dict[str, Any]], None] = lambda kind, fields: None
        """Told of each record of a watched kind by whoever wrote it, so it must not wait: an alert must not be held
        up by a disk that hangs."""
        self._records: deque[tuple[int, str, dict[str, Any]]] = deque()
        """What waits for the journal thread. It looks by itself: waking it would put it in the way of the order
        that a record is about, since both need the interpreter."""
        self._path: Path | None = None
        self._store: JournalStore | None = None
        self._intents: IntentLog | None = None
        self._unwritten: deque[Row] = deque(maxlen=CAPACITY)
        self._facts: dict[str, object] = {}
        """Values that wait to be written; only the last of each is encoded."""
        self._facts_unread = self._damaged = False
        self._next_try_ms = 0
        self.keep_days, self.keep_mb = 30, 500
        """Records older than this, or beyond this size, go (HIP3_JOURNAL_KEEP_DAYS, HIP3_JOURNAL_KEEP_MB)."""
        self._next_prune_ms = 0
        self.store_failed = ""
        self.lost = 0
        self.kinds: Counter[str] = Counter()
        self.figures = Figures()

    def late_ms(self) -> int | None:
        """In the middle, from an order's signing to its execution, by the newest orders of this account; None: too few
        are known. At a start, before anything trades."""
        try:
            found = [] if self._path is None else [t.executed_ms for t in travelled(self._path, TRAVELLED)]
        except Exception as error:  # noqa: BLE001 a figure is no reason not to start
            logger.warning(f"how long orders travelled cannot be read of the journal: {error}")
            return None
        return percentile(found, 50) if len(found) >= FEWEST else None

    def record(self, kind: str, **fields: object) -> None:
        """Note one thing that happened."""
        if kind in self.watched:
            self.on_watched(kind, fields)
        if len(self._records) < CAPACITY:
            self._records.append((self._wall_ms(), kind, fields))
            return
        self.lost += 1
        if kind == "fill":
            self.on_fill_lost()

    @property
    def facts_known(self) -> bool:
        """Whether what earlier runs kept could be read at the start."""
        return not self._facts_unread

    def keep(self, name: str, value: object) -> None:
        """Note the latest value of a fact that a restart needs; it replaces the one before.

        Where that could not be read, what limits are measured by must not be written over by what is not the whole.
        """
        if self._facts_unread and name in PRECIOUS:
            return
        self.record(_FACT + name, value=value)

    def fact(self, name: str, kind: type[T]) -> T | None:
        """What an earlier run kept, or None if nothing can be read. Before the journal thread writes."""
        try:
            body = None if self._store is None else self._store.fact(name)
            return None if body is None else msgspec.json.decode(body, type=kind)
        except (sqlite3.Error, msgspec.DecodeError) as error:
            logger.warning(f"what was kept as {name} cannot be read: {error}")
            return None

    def open(self, path: Path, intents: IntentLog) -> None:
        """Write to this journal from now on; called once, before anything trades."""
        self._path, self._intents = path, intents
        self._open_store()
        self._facts_unread = self._store is None
        for order, nonce, expires in intents.recovered.open:
            if self._store is None or not self._store.knows(order.cloid):
                self.record("intent", order=order, nonce=nonce, expires_ms=expires, recovered=True)

    def _open_store(self) -> None:
        assert self._path is not None
        self._next_try_ms = self._wall_ms() + RETRY_MS
        try:
            self._store, aside = open_store(self._path, self._wall_ms(), damaged=self._damaged)
            self._damaged = False
        except (sqlite3.Error, OSError) as error:
            self._fail(f"the journal {self._path} cannot be opened: {error}")
            return
        if aside is not None:
            logger.error(f"the journal was damaged and is set aside as {aside}; a new one is begun")
            self.record("journal_set_aside", path=str(aside))

    def _fail(self, why: str) -> None:
        if not self.store_failed:
            logger.error(why)
        self.store_failed = why
        self._next_try_ms = self._wall_ms() + RETRY_MS
        self.on_state(why)

    def drain(self, pause_s: float) -> None:
        """Let records gather for `pause_s`, then handle what is there. The journal thread's step."""
        if pause_s:
            time.sleep(pause_s)
        self._tidy()
        if not self._records:
            self._look_again()
            return
        while self._records:
            self._handle(*self._records.popleft())
            time.sleep(0)  # whoever waits for the interpreter has it before the next record, and need not take it away
        if self.store_failed:
            self._look_again()  # not with every drain: each try writes all that waits
        else:
            self._write()

    def _tidy(self) -> None:
        """Let the journal and the intent log grow no further than they may. Whatever fails is tried again later."""
        now = self._wall_ms()
        if self._store is None or self._intents is None or 0 < self._next_prune_ms - now <= PRUNE_MS:
            return
        self._next_prune_ms = now + PRUNE_MS
        self._intents.compact()
        try:
            before = now - self.keep_days * DAY_MS
            if self._store.prune(before, self.keep_mb * 1_000_000, self._intents.live(), PRUNE_ROWS) == PRUNE_ROWS:
                self._next_prune_ms = 0
        except sqlite3.Error as error:
            logger.warning(f"old records of the journal cannot be deleted now: {error}")

    def _look_again(self) -> None:
        """See, once a second, whether what could not be written can be now."""
        wait_ms = self._next_try_ms - self._wall_ms()
        # A clock that was set back must not put the next try off by as much.
        if 0 < wait_ms <= RETRY_MS or not (self.store_failed or self._intents_failed):
            return
        self._next_try_ms = self._wall_ms() + RETRY_MS
        if self._store is None and self._path is not None:
            self._open_store()
        self._write()
        if self._intents is not None and self._intents_failed:
            self._intents.retry(self._wall_ms())
        if not self.store_failed and not self._intents_failed:
            self.on_state("")

    @property
    def _intents_failed(self) -> str:
        return "" if self._intents is None else self._intents.failed or self._intents.behind

    def _write(self) -> None:
        if self._store is None:
            return
        rows, facts = list(self._unwritten), {name: encode(value) for name, value in self._facts.items()}
        try:
            self._store.write(rows, facts)
        except sqlite3.Error as error:
            self._fail(f"the journal cannot be written: {error}")
            if damages(error):
                self._damaged = True  # the next look sets it aside, whatever of it can be read
                self._store.close()
                self._store = None
            return
        for _ in rows:
            self._unwritten.popleft()
        self._facts.clear()
        if self.store_failed:
            logger.warning("the journal can be written again")
            self.store_failed = ""
        if not self._intents_failed:
            self.on_state("")

    def close(self) -> None:
        """After the journal thread ended: what could not be written is tried once more."""
        self._next_try_ms = 0
        self._look_again()
        if self._store is not None:
            self._store.close()
        if self._intents is not None:
            self._intents.close()

    @property
    def empty(self) -> bool:
        return not self._records

    def _handle(self, at_ms: int, kind: str, fields: dict[str, Any]) -> None:
        if kind.startswith(_FACT):
            self._facts[kind.removeprefix(_FACT)] = fields["value"]
            return
        self.kinds[kind] += 1
        try:
            self.figures.note(kind, fields)
            tell(kind, fields | {"so_far": self.figures.so_far} if kind == "round_trip" else fields)
        except Exception as error:  # noqa: BLE001 a line that cannot be written must not cost the record
            logger.error(f"a record of kind {kind} cannot be shown: {type(error).__name__}: {error}")
        if kind == "order" and fields["event"].after.terminal:
            self._note_end(fields["event"], at_ms)
        if self._path is None:
            return
        if len(self._unwritten) >= CAPACITY:
            self.lost += 1
            if self._unwritten[0][1] == "fill":
                self.on_fill_lost()
        self._unwritten.append((at_ms, kind, coin_of(fields), encode(fields)))

    def _note_end(self, event: OrderChanged, at_ms: int) -> None:
        """An ended order need not be asked for at the next start; if this is lost, it is asked once more."""
        if self._intents is None:
            return
        try:
            self._intents.end(event.order.cloid, event.after.value, at_ms)
        except JournalError as error:
            logger.error(str(error))
