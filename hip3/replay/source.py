"""A recording as a replay reads it: once, ahead of the service by as much as frames were late, a few seconds in memory.

Each frame of the market goes two ways: to the service at the time at which it was received, and onto the tape of its
market at the exchange's time, where the exchange's book may know it before the service does. That is no lookahead but
the race that the service is in.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from hip3.record.folder import read
from hip3.record.lines import Record, channel_of
from hip3.record.segment import Damage
from hip3.replay.head import MARKET, Head
from hip3.replay.ways import Ways, decoded
from hip3.venue.market.own import Own, OwnFill, OwnFunding
from hip3.venue.market.tape import Tape, coin_of, time_of

AHEAD_MS = 5000
"""A frame that was later than that reaches the exchange's book when the service hears it."""
SHOWN = MARKET | {"trades"}
PRIVATE = frozenset({"post", "orderUpdates", "userFills", "userFundings"})
Change = Callable[[Record], Record | None]


class Heard(NamedTuple):
    """Something for the service, at a monotonic time of the recording in milliseconds."""

    at_ms: int
    kind: str
    """`frame`, `up` or `down`."""
    data: bytes


class Source:
    """Reads on as time goes. Confined to one thread.

    `change` may alter or drop each record as it is read: the checks for lookahead change the future with it.
    """

    def __init__(
        self, where: Path, head: Head, *, coins: set[str], mono0_ms: int, start_ns: int, own: Own | None,
        to_ns: int | None = None, from_ns: int | None = None, change: Change | None = None, depth: bool = False,
        timed: bool = False,
    ) -> None:  # fmt: skip
        """`timed`: what the recorded service did is followed for its times alone."""
        self._follows = own is not None or timed
        self.damage: list[Damage] = []
        self._head, self._coins, self._own = head, coins, own
        self._to_ns, self._from_ns, self._change = to_ns, from_ns, change
        self._wanted = SHOWN | {"l2Book"} if depth else SHOWN
        self._records: Iterator[Record] = read(where, self.damage)
        first_ms = mono0_ms + (head.first_ns - start_ns) // 1_000_000
        self._run = (head.mono_ns, first_ms)
        """Monotonic start of the recording process that is read, in both clocks."""
        self._last = (0, head.first_ns, first_ms)
        self.queue: deque[Heard] = deque()
        self.tapes: dict[str, Tape] = {coin: Tape() for coin in coins}
        self.read_to_ms = mono0_ms
        self.frames = 0
        self._sha = hashlib.blake2b(digest_size=32)
        self.gaps: list[tuple[int, str]] = []
        self.ended = self._linked = False
        self.ways = Ways(head.offset_ms)
        """Of the recorded service's own actions, where they are repeated."""

    @property
    def digest(self) -> str:
        """Over all frames read, with the times at which they are heard: nothing in them changes unnoticed."""
        return self._sha.hexdigest()

    def ahead(self, now_ms: int) -> None:
        """Have read all that was received up to `AHEAD_MS` after `now_ms` (monotonic of the replay)."""
        while not self.ended and self.read_to_ms <= now_ms + AHEAD_MS:
            record = next(self._records, None)
            if record is None or (self._to_ns is not None and record.t > self._to_ns):
                self.ended = True
                return
            if self._from_ns is not None and record.t < self._from_ns and record.d != "meta":
                self._at(record)  # the clock of what comes after it
                continue
            if self._change is not None:
                changed = self._change(record)
                if changed is None:
                    continue
                record = changed
            self._take(record)

    def _take(self, r: Record) -> None:
        if r.n == 1 and self._last[0] and self._linked:  # it ended without a word, as at a kill
            _, wall_ns, last_ms = self._last
            self._hole(wall_ns, last_ms, "down", "the recording ended here, and another goes on")
        at_ms = self._at(r)
        self.read_to_ms = max(self.read_to_ms, at_ms)
        if r.d == "in":
            self._frame(r, at_ms)
        elif r.d == "gap":
            body = r.value
            what = str(body.get("what"))
            if what == "up":
                self._linked = True
                self.queue.append(Heard(at_ms, what, str(body.get("why", "")).encode()))
            elif what in ("down", "lost"):
                self._hole(r.t, at_ms, what, str(body.get("why", "")))
        elif r.d == "out" and self._follows:
            self.ways.said(r)

    def _hole(self, wall_ns: int, at_ms: int, what: str, why: str) -> None:
        """From here on nobody knows what the market shows, until it shows it again."""
        if what == "down":
            self._linked = False
            self.queue.append(Heard(at_ms, what, why.encode()))
        if self._own is None:
            for tape in self.tapes.values():
                tape.gap(wall_ns // 1_000_000 + self._head.offset_ms)
        self.gaps.append((wall_ns // 1_000_000, f"{what}: {why}"))

    def _at(self, r: Record) -> int:
        """A record's time on the replay's monotonic clock; a new process of the recorder begins its clock anew."""
        last_n, last_t, last_at = self._last
        if r.n == 1 and last_n:
            self._run = (r.m, last_at + max(0, (r.t - last_t) // 1_000_000))
        at = self._run[1] + (r.m - self._run[0]) // 1_000_000
        self._last = (r.n, r.t, at)
        return at

    def _frame(self, r: Record, at_ms: int) -> None:
        data = r.data
        channel = channel_of(data)
        if channel in self._wanted:
            tape = self.tapes.get(coin_of(data))
            if tape is None:
                return
            self._on_tape(tape, channel, data, r.t // 1_000_000 + self._head.offset_ms)
            self.frames += 1
            self._sha.update(b"%d %b\n" % (at_ms, data))
            if channel in MARKET:  # what the service subscribes to
                self.queue.append(Heard(at_ms, "frame", data))
        elif self._follows and channel in PRIVATE:
            self._private(channel, r)

    def _on_tape(self, tape: Tape, channel: str, data: bytes, wall_ms: int) -> None:
        try:
            if channel == "bbo":
                heard_ms = wall_ms - self._head.lag_ms
                tape.bbo(time_of(data) or heard_ms, data, heard_ms)
            elif channel == "trades":
                tape.traded(data)
            elif channel == "l2Book":
                tape.book(time_of(data) or wall_ms - self._head.lag_ms, data)
            else:
                tape.ctx(wall_ms - self._head.lag_ms, data)
        except msgspec.DecodeError:
            return  # the service is shown it all the same, and says what it thinks of it

    def _private(self, channel: str, r: Record) -> None:
        """What the recorded account was told."""
        own, data = self._own, decoded(r)
        if channel == "post":
            self.ways.replied(r)
        elif channel == "orderUpdates":
            self.ways.updates(data, r.t // 1_000_000)
        elif own is not None and isinstance(data, dict) and not data.get("isSnapshot"):
            if channel == "userFills":
                own.fills += [_own_fill(f) for f in data.get("fills", [])]
                own.fills.sort(key=lambda f: f.at_ms)
            else:
                own.fundings += [_own_funding(f) for f in data.get("fundings", [])]


def _own_fill(f: dict[str, Any]) -> OwnFill:
    return OwnFill(
        int(f["time"]), str(f["coin"]), f["side"] == "B", Decimal(str(f["px"])), Decimal(str(f["sz"])),
        bool(f.get("crossed", True)), f.get("cloid"),
    )  # fmt: skip


def _own_funding(f: dict[str, Any]) -> OwnFunding:
    return OwnFunding(
        int(f["time"]), str(f["coin"]), Decimal(str(f["usdc"])), Decimal(str(f["szi"])), Decimal(str(f["fundingRate"]))
    )
