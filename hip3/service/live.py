"""What the live page is fed by: one frame each second for all who listen, samples of results and prices for its past.

The `live` thread's step. A frame is one snapshot, the object of `status --json` as it is, and what the journal wrote
since the frame before; it is made only while somebody listens. Nothing here trades, and whatever fails is tried again.
"""

import json
import sqlite3
from pathlib import Path
from typing import Any

from loguru import logger

from hip3.core.results import DAY_MS, HOUR_MS
from hip3.ops.history import History, curve, first_ms, market_curve
from hip3.ops.listeners import Listeners
from hip3.ops.told import Told, latest, of_market, search, told_story
from hip3.service.market_view import quotations
from hip3.service.running import Running
from hip3.service.snapshot import snapshot

FRAME_MS, SAMPLE_MS, THIN_MS = 1000, 5000, 600_000
STEP_S = 0.25


class Live:
    """See the module."""

    def __init__(self, running: Running) -> None:
        self.listeners = Listeners()
        self._running = running
        self._history: History | None = None
        self._told: Told | None = None
        self._frame, self._framed_ms = b"", -FRAME_MS
        self._sampled_ms, self._thinned_ms = -SAMPLE_MS, 0
        self._failed = ""

    # The `live` thread.

    def step(self) -> None:
        """One round: sample when it is time, tell all when it is time, greet who came."""
        self.listeners.wait(STEP_S)
        now = self._running.clock.mono_ms()
        if now - self._sampled_ms >= SAMPLE_MS:
            self._sampled_ms = now
            self._sample(now)
        if self.listeners.count and now - self._framed_ms >= FRAME_MS:
            self._framed_ms = now
            self._frame = self._encode()
            self.listeners.tell(self._frame, now)
        if self.listeners.expecting:
            self.listeners.greet(self._frame, now)

    def _encode(self) -> bytes:
        running = self._running
        frame = {"at_ms": running.clock.wall_ms(), "status": snapshot(running), "records": self._new_records()}
        return b"data: " + json.dumps(frame, separators=(",", ":")).encode() + b"\n\n"

    def _new_records(self) -> list[dict[str, Any]]:
        folder = self._running.folder
        if folder is None:
            return []
        if self._told is None:
            self._told = Told(folder / "journal.db")
        try:
            return self._told.new()
        except sqlite3.Error:
            return []  # `journal.failed` of the status says why; they come later

    def _sample(self, now_ms: int) -> None:
        running, trading = self._running, self._running.trading
        if trading is None or running.folder is None or running.who is None or running.who.account is None:
            return
        wall_ms = running.clock.wall_ms()
        try:
            if self._history is None:
                self._history = History(running.folder / "history.db")
            now = running.results.look(
                trading, running.journal.figures, self._history, wall_ms, knew_account=running.knew_account
            )
            self._history.add(wall_ms, now, quotations(trading))
            if now_ms - self._thinned_ms >= THIN_MS:
                self._thinned_ms = now_ms
                self._history.thin(wall_ms)
            self._failed = ""
        except (sqlite3.Error, OSError) as error:
            if not self._failed:
                logger.warning(f"the page's past is not kept: {error}")
            self._failed = str(error)

    def close(self) -> None:
        """After the thread ended."""
        self.listeners.close()
        if self._history is not None:
            self._history.close()

    # Request threads: each question is answered from the files by a connection of its own.

    def ask(self, path: str, query: dict[str, str]) -> Any:
        """The answer to a question of the page; None if there is none. sqlite3.Error: it cannot be read now."""
        folder = self._running.folder
        if folder is None:
            return {"results": [], "records": []} if path == "/history" else None
        if path == "/history":
            coin = query.get("market")
            return self._past(folder, query.get("span", "")) if coin is None else self._market(folder, coin)
        if path == "/search":
            return search(folder / "journal.db", query.get("q", ""))
        return told_story(folder / "journal.db", query.get("cloid", ""))

    def _past(self, folder: Path, span: str) -> dict[str, Any]:
        now = self._running.clock.wall_ms()
        path = folder / "history.db"
        began = (first_ms(path) if path.exists() else None) or now
        # Of a young account the span is what there is: else a day's few points would be all of its first minutes.
        since = {"hour": max(began, now - HOUR_MS), "all": began}.get(span, max(began, now - DAY_MS))
        points = curve(path, since, now) if path.exists() else []
        results = [{"at_ms": at, "equity_usd": s.equity_usd, **{k: getattr(s, k) for k in _PARTS}} for at, s in points]
        return {"results": results, "records": latest(folder / "journal.db") if span != "all" else []}

    def _market(self, folder: Path, coin: str) -> dict[str, Any]:
        since = self._running.clock.wall_ms() - HOUR_MS
        path = folder / "history.db"
        return {
            "market": coin,
            "prices": market_curve(path, coin, since) if path.exists() else [],
            "records": of_market(folder / "journal.db", coin, since),
        }


_PARTS = ("realized_usd", "fees_usd", "funding_usd", "captured_usd", "open_usd")
