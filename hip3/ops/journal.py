"""The event log: what happened, off the hot path.

Any thread records; one `journal` thread logs one line per signal, order, fill and exit, keeps the figures of
the closing table, writes everything to SQLite, and notes the end of orders in the intent log. The queue is
bounded; what does not fit is counted.
"""

import queue
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from loguru import logger

from hip3.core.decisions import Queued, QueuedDegraded
from hip3.core.ledger import OrderChanged
from hip3.core.order_state import OrderState
from hip3.core.orders import OrderBatch
from hip3.errors import JournalError
from hip3.ops.figures import Figures
from hip3.ops.intents import IntentLog
from hip3.ops.store import JournalStore, Row, encode, subject

CAPACITY = 50_000
_QUIET = frozenset({"sent_cancels", "reply", "finished"})


class EventLog:
    """The `Journal` port. `record` may be called from any thread and never blocks."""

    def __init__(self, wall_ms: Callable[[], int]) -> None:
        self._wall_ms = wall_ms
        self._queue: queue.Queue[tuple[int, str, dict[str, Any]]] = queue.Queue(maxsize=CAPACITY)
        self._store: JournalStore | None = None
        self._intents: IntentLog | None = None
        self.store_failed = ""
        self.lost = 0
        self.kinds: Counter[str] = Counter()
        self.figures = Figures()

    def record(self, kind: str, **fields: object) -> None:
        """Note one thing that happened."""
        try:
            self._queue.put_nowait((self._wall_ms(), kind, fields))
        except queue.Full:
            self.lost += 1

    def open(self, path: Path, intents: IntentLog) -> None:
        """Write to this journal from now on; called once, before anything trades."""
        try:
            self._store = JournalStore(path)
        except sqlite3.Error as error:
            self.store_failed = f"the journal {path} cannot be opened: {error}"
            logger.error(self.store_failed)
        self._intents = intents

    def drain(self, timeout_s: float) -> None:
        """Handle what is there; waits up to `timeout_s` for the first. The journal thread's step."""
        try:
            item = self._queue.get(timeout=timeout_s) if timeout_s else self._queue.get_nowait()
        except queue.Empty:
            return
        rows: list[Row] = []
        while True:
            rows.append(self._handle(*item))
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
        self._write(rows)

    def _write(self, rows: list[Row]) -> None:
        if self._store is None:
            return
        try:
            self._store.write(rows)
        except sqlite3.Error as error:
            if not self.store_failed:
                logger.error(f"the journal cannot be written: {error}")
            self.store_failed = f"the journal cannot be written: {error}"
        else:
            self.store_failed = ""

    def close(self) -> None:
        """After the journal thread ended."""
        if self._store is not None:
            self._store.close()
        if self._intents is not None:
            self._intents.close()

    @property
    def empty(self) -> bool:
        return self._queue.empty()

    def _handle(self, at_ms: int, kind: str, fields: dict[str, Any]) -> Row:
        self.kinds[kind] += 1
        try:
            self._tell(kind, fields)
        except Exception as error:  # noqa: BLE001 a line that cannot be written must not cost the record
            logger.error(f"a record of kind {kind} cannot be shown: {type(error).__name__}: {error}")
        if kind == "order" and fields["event"].after.terminal:
            self._note_end(fields["event"], at_ms)
        cloid, coin = subject(fields)
        return at_ms, kind, cloid, coin, encode(fields)

    def _tell(self, kind: str, fields: dict[str, Any]) -> None:
        """Count it, and one line for people."""
        self.figures.note(kind, fields)
        writer = _LINES.get(kind)
        if writer is not None:
            writer(fields)
        elif kind not in _QUIET:
            logger.warning(f"{kind}: {', '.join(f'{k}={v}' for k, v in fields.items())}")

    def _note_end(self, event: OrderChanged, at_ms: int) -> None:
        """An ended order need not be asked for at the next start; if this is lost, it is asked once more."""
        if self._intents is None:
            return
        try:
            self._intents.end(event.order.cloid, event.after.value, at_ms)
        except JournalError as error:
            logger.error(str(error))


def _signal(f: dict[str, Any]) -> None:
    s, verdict = f["signal"], f["verdict"]
    head = (
        f"signal     {s.coin} {'buy ' if s.side.is_buy else 'sell'} edge {s.raw_edge_bps:.1f} bps "
        f"(cost {s.cost_bps:.1f}) touch {s.touch_px} oracle {s.oracle}"
    )
    if verdict is None:
        logger.info(f"{head} -> observed")
    elif isinstance(verdict, Queued | QueuedDegraded):
        logger.info(f"{head} -> {type(verdict).__name__}")
    else:
        numbers = ", ".join(f"{k} {v}" for k, v in verdict.numbers)
        logger.info(f"{head} -> {verdict.reason.value}" + (f" ({numbers})" if numbers else ""))


def _exit(f: dict[str, Any]) -> None:
    order = f["order"]
    logger.info(
        f"exit       {order.coin} {order.exit_reason.value}, attempt {order.attempt}: "
        f"{'buy' if order.side.is_buy else 'sell'} {order.sz} at {order.px}"
    )


def _order(f: dict[str, Any]) -> None:
    e = f["event"]
    words = {
        OrderState.FILLED: f"filled {e.executed} at {e.avg_px:.8g}",
        OrderState.CANCELED: f"canceled, executed {e.executed}" if e.executed else "canceled",
        OrderState.OPEN: "open",
    }
    text = words.get(e.after, f"{e.after.value}: {e.why}")
    level = "WARNING" if e.after in (OrderState.UNKNOWN, OrderState.DEAD) else "INFO"
    logger.log(level, f"order      {e.order.coin} {text} [{e.order.cloid[-12:]}]")


def _sent(f: dict[str, Any]) -> None:
    o = f["order"]
    kind = "exit " if o.reduce_only else "entry"
    side = "buy" if o.side.is_buy else "sell"
    logger.info(f"sent       {o.coin} {kind} {side} {o.sz} at {o.px} {o.tif.value} [{o.cloid[-12:]}]")


def _fill(f: dict[str, Any]) -> None:
    e = f["event"]
    fill = e.fill
    logger.info(
        f"fill       {fill.coin} {'bought' if fill.side.is_buy else 'sold'} {fill.sz} at {fill.px} "
        f"({e.kind}, fee {fill.fee}, pnl {fill.closed_pnl})" + ("" if e.ours else " NOT OURS")
    )


def _round_trip(f: dict[str, Any]) -> None:
    t = f["trip"]
    seconds = (t.closed_ms - t.opened_ms) / 1000
    logger.info(
        f"round trip {t.coin} held {seconds:.1f} s, {t.entry_px:.8g} -> {t.exit_px:.8g}: "
        f"{t.realized} - fees {t.fees} = {t.net} USD"
    )


def _info(name: str) -> Any:
    def write(f: dict[str, Any]) -> None:
        logger.info(f"{name}: {', '.join(f'{k} {v}' for k, v in f.items())}" if f else name)

    return write


def _post_lost(f: dict[str, Any]) -> None:
    post = f["post"]
    count = len(post.batch.orders) if isinstance(post.batch, OrderBatch) else len(post.batch.cancels)
    logger.warning(f"post {post.post_id} without reply ({f['why']}): {count} orders or cancels")


_LINES = {
    "signal": _signal,
    "exit": _exit,
    "order": _order,
    "sent": _sent,
    "fill": _fill,
    "round_trip": _round_trip,
    "post_lost": _post_lost,
    "certificate": lambda f: logger.info(f"proof      {f['how']}: {f['detail']} [{f['cloid'][-12:]}]"),
    "connected": _info("connected"),
    "state": lambda f: logger.info(f"state      {f['word']}" + (f": {f['why']}" if f["why"] else "")),
}
