"""A recording as a replay reads it: once, ahead of the service by as much as frames were late, a few seconds in memory.

Each frame of the market goes two ways: to the service at the time at which it was received, and onto the tape of its
market at the exchange's time, where the exchange's book may know it before the service does. That is no lookahead but
the race that the service is in.
"""

import hashlib
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from hip3.errors import ConfigError, WireError
from hip3.record.folder import read
from hip3.record.lines import Record, channel_of
from hip3.record.segment import Damage
from hip3.venue.market.own import Own, OwnFill, OwnFunding
from hip3.venue.market.tape import Tape, coin_of, time_of

AHEAD_MS = 5000
"""A frame that was later than that reaches the exchange's book when the service hears it."""
LAGS = 2001
"""Frames whose way is looked at, for the way of contexts, which have no time of their own."""
SAMPLED = 20_000
MARKET = frozenset({"bbo", "activeAssetCtx"})
COARSE_ORACLE_MS, COARSE_TOUCH_MS = 10_000, 5000
Change = Callable[[Record], Record | None]


class Heard(NamedTuple):
    """Something for the service, at a monotonic time of the recording in milliseconds."""

    at_ms: int
    kind: str
    """`frame`, `up` or `down`."""
    data: bytes


class Head(msgspec.Struct, kw_only=True):
    """What a first look at a recording tells."""

    first_ns: int
    mono_ns: int
    """Of the first record."""
    offset_ms: int = 0
    """The exchange's clock ahead of the recorder's."""
    lag_ms: int = 0
    """Median way of a frame."""
    coins: list[str] = []
    metas: list[dict[str, Any]] = []
    """Public answers, the newest of each request: request and answer."""
    run: str | None = None
    """What the cloids of the recorded service begin with, where it traded."""
    paper: bool = False
    """It was recorded by a service in paper: its orders met this very market, and nobody else saw them."""
    rtt_ms: int = 0
    """Median time of an HTTP request."""
    oracle_ms: int = 0
    touch_ms: int = 0
    """Median time between two contexts, two touches of a market."""
    assumed: list[str] = []
    """What the recording does not say and is assumed."""


def median(values: list[int]) -> int:
    """The middle one; 0 without values."""
    return sorted(values)[len(values) // 2] if values else 0


def first_look(where: Path) -> Head:
    """Read the beginning. ConfigError where there is no recording."""
    head: Head | None = None
    lags, rtts, coins = list[int](), list[int](), dict[str, None]()
    metas: dict[bytes, dict[str, Any]] = {}
    last: dict[tuple[str, str], int] = {}
    gaps: dict[str, list[int]] = {"bbo": [], "activeAssetCtx": []}
    for r in itertools.islice(read(where), SAMPLED):
        if head is None:
            head = Head(first_ns=r.t, mono_ns=r.m)
        if r.d == "clock" and not head.offset_ms:
            head.offset_ms = int(r.value.get("offset_ms", 0))
        elif r.d == "meta":
            body = r.value
            metas[msgspec.json.encode(body["request"])] = body
            rtts.append(max(0, (r.t - int(body.get("asked_ns", r.t))) // 1_000_000))
        elif r.d == "out" and head.run is None and b'"c":"0x' in r.data:
            head.run = _run_of(r)
        elif r.d == "in" and (channel := channel_of(r.data)) in MARKET:
            coin = coin_of(r.data)
            coins[coin] = None
            if (coin, channel) in last:
                gaps[channel].append((r.m - last[coin, channel]) // 1_000_000)
            last[coin, channel] = r.m
            te = time_of(r.data) if channel == "bbo" else None
            if te is not None and len(lags) < LAGS:
                lags.append(r.t // 1_000_000 - te)
    if head is None:
        raise ConfigError([f"{where}: there is no line in the recording"])
    head.metas, head.coins, head.rtt_ms = list(metas.values()), list(coins), median(rtts)
    head.assumed += [a for m in head.metas if m["request"] == {"type": "import"} for a in m["answer"]["assumed"]]
    head.paper = any(m["answer"] == {"mode": "paper"} for m in head.metas if m["request"] == {"type": "service"})
    head.lag_ms = max(0, median(lags) + head.offset_ms)
    head.oracle_ms, head.touch_ms = median(gaps["activeAssetCtx"]), median(gaps["bbo"])
    return head


def _run_of(record: Record) -> str | None:
    try:
        post = record.value.get("post", {})
    except WireError:
        return None
    for order in post.get("orders", []):
        cloid = str(order.get("c") or "")
        if len(cloid) == 34:
            return cloid[10:22]
    return None


class Source:
    """Reads on as time goes. Confined to one thread.

    `change` may alter or drop each record as it is read: the checks for lookahead change the future with it.
    """

    def __init__(
        self, where: Path, head: Head, *, coins: set[str], mono0_ms: int, own: Own | None,
        to_ns: int | None = None, from_ns: int | None = None, change: Change | None = None,
    ) -> None:  # fmt: skip
        self.damage: list[Damage] = []
        self._head, self._coins, self._own = head, coins, own
        self._to_ns, self._from_ns, self._change = to_ns, from_ns, change
        self._records: Iterator[Record] = read(where, self.damage)
        self._mono0_ms = mono0_ms
        self._run = (head.mono_ns, mono0_ms)
        """Monotonic start of the recording process that is read, in both clocks."""
        self._last = (0, head.first_ns, mono0_ms)
        self.queue: deque[Heard] = deque()
        self.tapes: dict[str, Tape] = {coin: Tape() for coin in coins}
        self.read_to_ms = mono0_ms
        self.frames = 0
        self._sha = hashlib.blake2b(digest_size=32)
        self.gaps: list[tuple[int, str]] = []
        self.ended = False
        self.exec_ms: dict[str, int] = {}
        """cloid -> exchange time of its first word, as the recorded streams told it."""
        self.sent_ms: dict[str, int] = {}
        """cloid -> when the recorded service sent it, by its own clock."""
        self.ended_ms: dict[str, int] = {}
        """cloid -> exchange time at which it was over."""
        self.back_ms: dict[int, int] = {}
        """Exchange time of something about the account -> how long the word of it was under way."""

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
                continue
            if self._change is not None:
                changed = self._change(record)
                if changed is None:
                    continue
                record = changed
            self._take(record)

    def _take(self, r: Record) -> None:
        at_ms = self._at(r)
        self.read_to_ms = max(self.read_to_ms, at_ms)
        if r.d == "in":
            self._frame(r, at_ms)
        elif r.d == "gap":
            body = r.value
            what = str(body.get("what"))
            if what in ("up", "down"):
                self.queue.append(Heard(at_ms, what, str(body.get("why", "")).encode()))
            if what == "down" and self._own is None:
                for tape in self.tapes.values():
                    tape.gap(r.t // 1_000_000 + self._head.offset_ms)
            if what in ("down", "lost"):
                self.gaps.append((r.t // 1_000_000, f"{what}: {body.get('why', '')}"))
        elif r.d == "out":
            self.said(r)

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
        wall_ms = r.t // 1_000_000 + self._head.offset_ms
        if channel in MARKET or channel == "trades":
            coin = coin_of(data)
            tape = self.tapes.get(coin)
            if tape is None:
                return
            self._on_tape(tape, channel, data, wall_ms)
            self.frames += 1
            self._sha.update(b"%d %b\n" % (at_ms, data))
            self.queue.append(Heard(at_ms, "frame", data))
        elif channel in ("orderUpdates", "userFills", "userFundings"):
            self.private(channel, r)

    def _on_tape(self, tape: Tape, channel: str, data: bytes, wall_ms: int) -> None:
        try:
            if channel == "bbo":
                heard_ms = wall_ms - self._head.lag_ms
                tape.bbo(time_of(data) or heard_ms, data, heard_ms)
            elif channel == "trades":
                tape.traded(data)
            else:
                tape.ctx(wall_ms - self._head.lag_ms, data)
        except msgspec.DecodeError:
            return  # the service is shown it all the same, and says what it thinks of it

    # The account that recorded, where there was one.

    def said(self, r: Record) -> None:
        """What the recorded service sent."""
        if b'"post"' not in r.data:
            return
        try:
            post = r.value.get("post") or {}
        except WireError:
            return
        for order in post.get("orders") or []:
            self.sent_ms.setdefault(str(order.get("c")), r.t // 1_000_000)

    def private(self, channel: str, r: Record) -> None:
        """What the recorded account's streams told."""
        try:
            data = r.value["data"]
        except (WireError, KeyError, TypeError):
            return
        if channel == "orderUpdates":
            for item in data if isinstance(data, list) else [data]:
                cloid = str(item.get("order", {}).get("cloid"))
                word, at = str(item.get("status")), int(item.get("statusTimestamp", 0))
                self.exec_ms.setdefault(cloid, at)
                self.back_ms.setdefault(at, r.t // 1_000_000 + self._head.offset_ms - at)
                if word in ("canceled", "filled") or word.endswith(("Canceled", "Rejected")):
                    self.ended_ms[cloid] = at
        elif self._own is not None and not data.get("isSnapshot"):
            if channel == "userFills":
                self._own.fills += [_own_fill(f) for f in data.get("fills", [])]
                self._own.fills.sort(key=lambda f: f.at_ms)
            else:
                self._own.fundings += [_own_funding(f) for f in data.get("fundings", [])]


def _own_fill(f: dict[str, Any]) -> OwnFill:
    return OwnFill(
        int(f["time"]), str(f["coin"]), f["side"] == "B", Decimal(str(f["px"])), Decimal(str(f["sz"])),
        bool(f.get("crossed", True)), f.get("cloid"),
    )  # fmt: skip


def _own_funding(f: dict[str, Any]) -> OwnFunding:
    return OwnFunding(
        int(f["time"]), str(f["coin"]), Decimal(str(f["usdc"])), Decimal(str(f["szi"])), Decimal(str(f["fundingRate"]))
    )
