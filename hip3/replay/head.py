"""What a first look at a recording tells: its beginning, its clocks, its markets, and how often they speak."""

import itertools
from pathlib import Path
from typing import Any

import msgspec

from hip3.errors import ConfigError, WireError
from hip3.record.folder import read
from hip3.record.lines import Record, channel_of
from hip3.replay.held import Held, held_in
from hip3.replay.ways import median
from hip3.venue.market.tape import coin_of, time_of

LAGS = 2001
"""Frames whose way is looked at, for the way of contexts, which have no time of their own."""
SAMPLED = 20_000
MARKET = frozenset({"bbo", "activeAssetCtx"})
"""What the service subscribes to."""
COARSE_ORACLE_MS, COARSE_TOUCH_MS = 10_000, 5000
OF_ITSELF = {"type": "service"}
"""What the service tells of itself at the head of its recording, in the form of a question and its answer."""


class Head(msgspec.Struct, kw_only=True):
    """What a first look at a recording tells."""

    first_ns: int
    mono_ns: int
    """Of the first record."""
    asked_ns: int = 0
    """When the recorded process asked its first question; 0: it is not known."""
    offset_ms: int = 0
    """The exchange's clock ahead of the recorder's."""
    lag_ms: int = 0
    """Median way of a frame."""
    coins: list[str] = []
    metas: list[dict[str, Any]] = []
    """Public answers, the newest of each request: request and answer."""
    trades: bool = False
    """Trades are recorded."""
    depth: bool = False
    """Order books are."""
    run: str | None = None
    """What the cloids of the recorded service begin with, where it traded."""
    paper: bool = False
    """It was recorded by a service in paper: its orders met this very market, and nobody else saw them."""
    held: list[Held] = []
    """What the account held that recorded, by the first answers about it."""
    rtt_ms: int = 0
    """Median time of an HTTP request."""
    oracle_ms: int = 0
    touch_ms: int = 0
    """Median time between two contexts, two touches of a market."""
    assumed: list[str] = []
    """What the recording does not say and is assumed."""


class _Look:
    """Collects what the first records say."""

    def __init__(self, first: Record) -> None:
        self.head = Head(first_ns=first.t, mono_ns=first.m)
        self._lags, self._rtts = list[int](), list[int]()
        self._clocked = False
        self._coins = dict[str, None]()
        self._metas: dict[bytes, dict[str, Any]] = {}
        self._last: dict[tuple[str, str], int] = {}
        self._gaps: dict[str, list[int]] = {channel: [] for channel in MARKET}

    def take(self, r: Record) -> None:
        """One record."""
        head = self.head
        if r.d == "clock" and not self._clocked:
            self._clocked, head.offset_ms = True, int(r.value.get("offset_ms", 0))
        elif r.d == "meta":
            self._meta(r)
        elif r.d == "out" and head.run is None and b'"c":"0x' in r.data:
            head.run = _run_of(r)
        elif r.d == "in" and (channel := channel_of(r.data)) in MARKET:
            self._frame(r, channel)
        head.trades = head.trades or _about(r, b"trades")
        head.depth = head.depth or _about(r, b"l2Book")

    def _meta(self, r: Record) -> None:
        body, head = r.value, self.head
        key, asked = msgspec.json.encode(body["request"]), int(body.get("asked_ns", r.t))
        if body["request"].get("type") == "clearinghouseState" and key not in self._metas:
            head.held += held_in(body["answer"])
        self._metas[key] = body
        if body["request"] == OF_ITSELF:
            return  # nobody was asked
        head.asked_ns = min(head.asked_ns or asked, asked)
        self._rtts.append(max(0, (r.t - asked) // 1_000_000))

    def _frame(self, r: Record, channel: str) -> None:
        coin = coin_of(r.data)
        self._coins[coin] = None
        if (coin, channel) in self._last:
            self._gaps[channel].append((r.m - self._last[coin, channel]) // 1_000_000)
        self._last[coin, channel] = r.m
        te = time_of(r.data) if channel == "bbo" else None
        if te is not None and len(self._lags) < LAGS:
            self._lags.append(r.t // 1_000_000 - te)

    def done(self) -> Head:
        """What it came to."""
        head = self.head
        head.metas, head.coins, head.rtt_ms = list(self._metas.values()), list(self._coins), median(self._rtts)
        head.assumed += [a for m in head.metas if m["request"] == {"type": "import"} for a in m["answer"]["assumed"]]
        head.paper = any(m["answer"] == {"mode": "paper"} for m in head.metas if m["request"] == OF_ITSELF)
        if not self._clocked and self._lags:  # what was received before it was made tells at least so much
            head.offset_ms = max(0, -min(self._lags))
            if head.offset_ms:
                head.assumed.append(f"no clock is recorded; by its frames the exchange's is {head.offset_ms} ms ahead")
        head.lag_ms = max(0, median(self._lags) + head.offset_ms)
        head.oracle_ms, head.touch_ms = median(self._gaps["activeAssetCtx"]), median(self._gaps["bbo"])
        return head


def first_look(where: Path) -> Head:
    """Read the beginning. ConfigError where there is no recording."""
    look: _Look | None = None
    for r in itertools.islice(read(where), SAMPLED):
        look = look or _Look(r)
        look.take(r)
    if look is None:
        raise ConfigError([f"{where}: there is no line in the recording"])
    return look.done()


def _about(record: Record, channel: bytes) -> bool:
    """Whether a record is a frame of that channel, or subscribes to it."""
    if record.d == "in":
        return record.data.startswith(b'{"channel":"%b"' % channel)
    return record.d == "out" and b'"type":"%b"' % channel in record.data


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
