"""StreamWatch: whether what should come does, and what is not done while it does not (REDUCING).

    market data   no market has said a word for 8 s, though the connection lives
    private       a reply or a reading told what a private stream should have told, and it has not for 10 s;
                  after 30 s the connection is begun anew
    disconnect    the connection was gone for longer than HIP3_DISCONNECT_LIMIT_MS: entries wait 10 s after it is back
    clock         ours and the exchange's differ by more than 5 s; from 2 s on it is noted

Guards: what is awaited. Called from: ws-reader (what came, replies), rest (readings, answers by HTTP), risk (`look`).
Each reason is taken back by `look` as soon as it does not hold. Monotonic milliseconds. Nothing raises.

A quiet account's streams are rightly silent (docs/venue-facts.md F14). So silence alone says nothing: what counts is
that another way told of something which the stream did not.
"""

from collections import OrderedDict
from collections.abc import Callable

from hip3.core.ports import CLOCK_STOP_MS, CLOCK_WARN_MS, Clock, Journal
from hip3.execution.readiness import Readiness
from hip3.locks import new_lock

SILENT_MS = 8000
"""So long without a word of any market, connected, is silence: contexts come about once a second
(docs/venue-facts.md F15)."""
PRIVATE_SILENT_MS = 10_000
"""So long a private stream may take to tell what is known otherwise."""
RECONNECT_MS = 30_000
"""After so long the connection is begun anew: its snapshots tell what the stream left out."""
CALM_MS = 10_000
"""So long entries wait after a long cut."""
MOST_AWAITED = 1000
"""So many orders are remembered as awaited, and as told, at most."""
FILLS = "userFills"
OWNERS = ("market data", "private stream", "disconnect", "clock")
"""Reasons of REDUCING, by name."""


class StreamWatch:
    """See the module. One lock; `readiness`, `journal` and `reconnect` are called when it is free."""

    def __init__(
        self,
        *,
        clock: Clock,
        readiness: Readiness,
        journal: Journal,
        offset_ms: Callable[[], int],
        reconnect: Callable[[str], None],
        disconnect_limit_ms: int,
    ) -> None:
        """`offset_ms()`: exchange time minus our wall time; `reconnect(why)` drops the connection, from any thread.

        `disconnect_limit_ms`: a cut longer than this keeps entries away for a while.
        """
        self._lock = new_lock("StreamWatch")
        self._readiness = readiness
        self._journal = journal
        self._offset_ms = offset_ms
        self._reconnect = reconnect
        self._disconnect_limit_ms = disconnect_limit_ms
        self._awaited: dict[str, int] = {}
        """Orders whose orderUpdates have not come, and `FILLS`: since when."""
        self._told: OrderedDict[str, None] = OrderedDict()
        """Orders that orderUpdates told of lately: their reply may come after it."""
        self._connected = False
        self._cut_ms: int | None = None
        self._calm_from_ms: int | None = None
        self.market_ms = clock.mono_ms()
        """When any market last spoke. Written by the ws-reader alone, without the lock."""
        self._clock_said = False
        self.fills_frames = 0
        """How many userFills frames have come. Written by the ws-reader alone, without the lock."""

    def connected(self, now_ms: int) -> None:
        """A new connection: what the one before left out comes with its snapshots."""
        with self._lock:
            long = self._cut_ms is not None and now_ms - self._cut_ms > self._disconnect_limit_ms
            self._calm_from_ms = now_ms if long else self._calm_from_ms  # a cut within the calm does not end it
            self._connected, self._cut_ms = True, None
            self._awaited.clear()
        self.market_ms = now_ms

    def disconnected(self, now_ms: int) -> None:
        """The connection is gone; not so for an attempt that failed."""
        with self._lock:
            if self._connected or self._cut_ms is None:
                self._cut_ms = now_ms
            self._connected = False

    def answered(self, cloid: str, now_ms: int) -> None:
        """A reply says that an order stands or executed: orderUpdates must follow, unless it came before the reply."""
        with self._lock:
            if self._connected and cloid not in self._told and len(self._awaited) < MOST_AWAITED:
                self._awaited.setdefault(cloid, now_ms)

    def updated(self, cloid: str | None) -> None:
        """orderUpdates told of an order, or its status was asked for. None, an order without a cloid, is not ours."""
        if cloid is None:
            return
        with self._lock:
            self._awaited.pop(cloid, None)
            self._told[cloid] = None
            if len(self._told) > MOST_AWAITED:
                self._told.popitem(last=False)

    def fills_read(self, now_ms: int) -> None:
        """Fills came by a reading which userFills should have told. Awaited from the first such reading on."""
        with self._lock:
            if self._connected:
                self._awaited.setdefault(FILLS, now_ms)

    def fills_told(self) -> None:
        """A userFills frame came. The ws-reader."""
        self.fills_frames += 1
        # A look without the lock, for the hot path: at worst what is noted at this instant waits for the next frame.
        if FILLS in self._awaited:
            with self._lock:
                self._awaited.pop(FILLS, None)

    def look(self, now_ms: int) -> None:
        """Say what is silent, and take back what is not any more (risk thread, each second)."""
        with self._lock:
            awaited, connected, calm_from = dict(self._awaited), self._connected, self._calm_from_ms
        self._judge_markets(connected, now_ms)
        self._judge_private(awaited if connected else {}, now_ms)
        waits = calm_from is not None and connected and now_ms - calm_from < CALM_MS
        self._reduce("disconnect", "the connection was gone for long and is just back" if waits else "")
        self._judge_clock()

    def _judge_markets(self, connected: bool, now_ms: int) -> None:
        silent_ms = now_ms - self.market_ms if connected else 0
        why = f"no market data of any market for {silent_ms // 1000} s" if silent_ms > SILENT_MS else ""
        self._reduce("market data", why)

    def _judge_private(self, awaited: dict[str, int], now_ms: int) -> None:
        late = {what: now_ms - since for what, since in awaited.items() if now_ms - since > PRIVATE_SILENT_MS}
        stream = FILLS if FILLS in late else "orderUpdates"
        self._reduce("private stream", f"{stream} is silent: what it should have told was read" if late else "")
        if late and max(late.values()) > RECONNECT_MS:
            with self._lock:
                self._awaited.clear()
            self._reconnect(f"{stream} is silent")

    def _judge_clock(self) -> None:
        off = self._offset_ms()
        far = abs(off) > CLOCK_STOP_MS
        self._reduce("clock", f"clock: {abs(off) / 1000:.1f} s off the exchange's; set this machine's" if far else "")
        said = abs(off) > CLOCK_WARN_MS
        if said != self._clock_said:
            self._clock_said = said
            self._journal.record("clock", offset_ms=off, off=said)

    def _reduce(self, owner: str, why: str) -> None:
        """Hand the reason on; the journal hears only of its beginning and its end."""
        if self._readiness.reduce(owner, why):
            self._journal.record("reducing", owner=owner, why=why)
