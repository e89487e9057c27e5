"""What a client hears of a market, and the statistics of it that hip3/venue/market/calibration.toml names."""

import bisect
import itertools
import statistics
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from hip3.venue.setup.settings import load_setup
from hip3.venue.venue import Venue, WsText

START = 1_790_000_000_000
REFRESH_MS = 5400
JUMP_BPS = 5
"""From here on a step of the oracle is a jump."""
LATER_MS = 5000


class Context(NamedTuple):
    at_ms: int
    oracle: float


class Touch(NamedTuple):
    at_ms: int
    bid: float
    ask: float
    bid_usd: float

    @property
    def mid(self) -> float:
        return (self.bid + self.ask) / 2


class Scan(NamedTuple):
    """What a bot knows after a message: the last touch beside the last oracle."""

    at_ms: int
    bid: float
    ask: float
    oracle: float


class Heard:
    """One market's messages in their order."""

    def __init__(self) -> None:
        self.contexts: list[Context] = []
        self.touches: list[Touch] = []
        self.scans: list[Scan] = []

    def take(self, frame: dict, now_ms: int) -> None:  # type: ignore[type-arg]
        data = frame["data"]
        if frame["channel"] == "activeAssetCtx":
            self.contexts.append(Context(now_ms, float(data["ctx"]["oraclePx"])))
        elif None not in data["bbo"]:
            (bid, size), ask = ((float(data["bbo"][0][k])) for k in ("px", "sz")), float(data["bbo"][1]["px"])
            self.touches.append(Touch(now_ms, bid, ask, bid * size))
        if self.contexts and self.touches:
            touch = self.touches[-1]
            self.scans.append(Scan(now_ms, touch.bid, touch.ask, self.contexts[-1].oracle))


def listen(coins: list[str], hours: float, seed: int) -> dict[str, Heard]:
    """Some simulated hours of the profile `calibrated`, as one socket hears them."""
    setup = load_setup()
    setup = msgspec.structs.replace(setup, markets=[m for m in setup.markets if m.coin in coins])
    venue = Venue(setup, seed=seed, profile="calibrated", now_ms=START)
    venue.connect(1)
    for coin in coins:
        for kind in ("bbo", "activeAssetCtx"):
            ask = {"method": "subscribe", "subscription": {"type": kind, "coin": coin}}
            venue.ws(1, msgspec.json.encode(ask).decode(), START)
    venue.take_output()
    heard, now = {coin: Heard() for coin in coins}, START
    while now < START + hours * 3_600_000:
        now = venue.next_due()
        venue.advance(now)
        for item in venue.take_output():
            assert isinstance(item, WsText)
            frame = msgspec.json.decode(item.text)
            if frame["channel"] in ("bbo", "activeAssetCtx"):
                heard[frame["data"]["coin"]].take(frame, now)
    return heard


def _bps(part: float, whole: float) -> float:
    return part / whole * 10_000


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]


def _intervals(times: list[int]) -> float:
    return statistics.median(b - a for a, b in itertools.pairwise(times))


def _changes(heard: Heard) -> list[Context]:
    """Contexts that show another oracle than the one before."""
    return [b for a, b in itertools.pairwise(heard.contexts) if b.oracle != a.oracle]


def _steps(heard: Heard) -> list[float]:
    return [abs(_bps(b.oracle - a.oracle, a.oracle)) for a, b in itertools.pairwise(_changes(heard))]


def _core(heard: Heard) -> float:
    return statistics.fmean(x * x for x in _steps(heard) if x < JUMP_BPS) ** 0.5


def _gaps(heard: Heard) -> list[float]:
    return [_bps((s.bid + s.ask) / 2 - s.oracle, s.oracle) for s in heard.scans]


def _refreshes(heard: Heard) -> list[float]:
    """Moves of the mid from one look every 5.4 s to the next."""
    times = [t.at_ms for t in heard.touches]
    looks = range(times[0], times[-1], REFRESH_MS)
    mids = [heard.touches[bisect.bisect_right(times, at) - 1].mid for at in looks]
    return [_bps(b - a, a) for a, b in itertools.pairwise(mids)]


def _kurtosis(values: list[float]) -> float:
    mean, deviation = statistics.fmean(values), statistics.pstdev(values)
    return statistics.fmean(((x - mean) / deviation) ** 4 for x in values) - 3


def _tau_s(heard: Heard) -> float:
    """Regression of the oracle's way in a minute on the mean distance of mid and oracle in it."""
    up = down = 0.0
    for _, scans in itertools.groupby(heard.scans, lambda s: s.at_ms // 60_000):
        minute = list(scans)
        first, last = minute[0], minute[-1]
        gap = statistics.fmean((s.bid + s.ask) / 2 - s.oracle for s in minute)
        seconds = (last.at_ms - first.at_ms) / 1000
        up += (gap * seconds) ** 2
        down += gap * seconds * (last.oracle - first.oracle)
    return up / down


class _Edges:
    """The signals among the scans: edges over the floor, beyond the market's own gap."""

    def __init__(self, heard: list[Heard], floor_bps: float) -> None:
        self.scans = 0
        self.edges: list[float] = []
        self.shrunk = 0
        self.floor = floor_bps
        for one in heard:
            self._scan(one)

    def _scan(self, heard: Heard) -> None:
        basis = statistics.median(_gaps(heard))
        buys = [_bps(s.oracle - s.ask, s.oracle) + basis for s in heard.scans]
        sells = [_bps(s.bid - s.oracle, s.oracle) - basis for s in heard.scans]
        times = [s.at_ms for s in heard.scans]
        self.scans += len(times)
        for n, (buy, sell) in enumerate(zip(buys, sells, strict=True)):
            edge, side = (buy, buys) if buy > sell else (sell, sells)
            if edge > self.floor:
                later = bisect.bisect_right(times, times[n] + LATER_MS) - 1
                self.edges.append(edge)
                self.shrunk += side[later] < edge

    @property
    def mean(self) -> float:
        return statistics.fmean(self.edges) - self.floor


ONE: dict[str, Callable[[Heard], float]] = {
    "oracle_interval_ms": lambda h: _intervals([c.at_ms for c in _changes(h)]),
    "context_interval_ms": lambda h: _intervals([c.at_ms for c in h.contexts]),
    "oracle_step_bps": _core,
    "oracle_step_median_bps": lambda h: statistics.median(_steps(h)),
    "oracle_step_max_bps": lambda h: max(_steps(h)),
    "oracle_tau_s": _tau_s,
    "spread_bps": lambda h: statistics.median(_bps(s.ask - s.bid, s.oracle) for s in h.scans),
    "basis_bps": lambda h: statistics.median(_gaps(h)),
    "distance_bps": lambda h: statistics.median(abs(x) for x in _gaps(h)),
    "refresh_deviation_bps": lambda h: statistics.pstdev(_refreshes(h)),
    "refresh_kurtosis": lambda h: _kurtosis(_refreshes(h)),
    "refresh_unchanged": lambda h: sum(x == 0 for x in _refreshes(h)) / len(_refreshes(h)),
    "touch_usd": lambda h: statistics.median(t.bid_usd for t in h.touches),
    "touch_p95_usd": lambda h: _quantile([t.bid_usd for t in h.touches], 0.95),
}
POOLED: dict[str, Callable[[_Edges], float]] = {
    "signal_share": lambda e: len(e.edges) / e.scans,
    "edge_mean_bps": lambda e: e.mean,
    "edge_variation": lambda e: statistics.pstdev(e.edges) / e.mean,
    "edge_shrunk_in_5s": lambda e: e.shrunk / len(e.edges),
    "share_over_30_bps": lambda e: sum(x > 30 for x in e.edges) / e.scans,
}


def pooled(statistic: str, heard: list[Heard], floor_bps: float) -> float:
    """A statistic of the signals of several markets together."""
    return POOLED[statistic](_Edges(heard, floor_bps))
