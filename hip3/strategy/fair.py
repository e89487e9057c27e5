"""What a quoted market is worth: two anchors, and each side of a ladder is priced off the one that is worse for us.

The oracle is what the deployer settles by, and comes every few seconds; the book is quick, and thin. Where one of them
leads, the envelope of both widens that side at once, without a forecast. Prices are Decimals; basis and volatility are
statistics, and floats.

`fair` is pure. A `Reference` is confined to the tick.
"""

import math
from decimal import Decimal
from typing import Literal

import msgspec

from hip3.core.market import Level, MarketView
from hip3.core.money import HALF, bps_of, div, shift_bps

SAMPLE_MS = 1000
"""One sample a second."""
BASIS_HALF_LIFE, BASIS_MOST_BPS = 60.0, 30.0
SIGMA_HALF_LIFE, SIGMA_FLOOR_BPS = 120.0, 0.3
CLIP = 8.0
"""A single return counts for at most so many sigma: a jump pulls quotes, and must not widen them for minutes."""
GAP_MS = 5000
"""Between samples that are further apart nothing is learnt of the volatility."""

Mode = Literal["envelope", "oracle", "mark", "mid", "micro"]


class Fair(msgspec.Struct, frozen=True, kw_only=True):
    """What a market is worth to a buyer and to a seller of ours. USD per unit."""

    bid: Decimal
    """Buys are priced below this."""
    ask: Decimal
    """Sells are priced above this; never below `bid`."""
    gap_bps: Decimal
    """How far the two anchors are apart, whichever of them the quotes go by."""

    @property
    def mid(self) -> Decimal:
        """The middle of both."""
        return (self.bid + self.ask) * HALF


class Outside(msgspec.Struct, frozen=True):
    """The touch without what rests there of our own; None: nobody else quotes at that price."""

    bid: Level | None
    ask: Level | None

    @property
    def mid(self) -> Decimal | None:
        """The middle, where others quote both sides."""
        return None if self.bid is None or self.ask is None else (self.bid.px + self.ask.px) * HALF


def outside(view: MarketView, bought: Decimal, sold: Decimal) -> Outside:
    """The touch of others. `bought` and `sold`: what is left of our own orders that rest at its two prices."""
    return Outside(_without(view.bid, bought), _without(view.ask, sold))


def _without(level: Level | None, own: Decimal) -> Level | None:
    if level is None:
        return None
    left = level.sz - own
    return Level(level.px, left) if left > 0 else None


class Reference:
    """Basis and volatility of one market, a sample each second. Confined to the tick; times are monotonic."""

    def __init__(self, samples: int = 60) -> None:
        """`samples` of the volatility, and half as many of the basis, before anything is known."""
        self._wanted = samples
        self._basis = 0.0
        self._variance = SIGMA_FLOOR_BPS**2
        self.basis_bps = _decimal(0.0)
        """How far the book of others lies above the oracle, lastingly."""
        self.sigma_bps = _decimal(SIGMA_FLOOR_BPS)
        """Volatility: basis points per square root of a second."""
        self._basis_samples = self._sigma_samples = 0
        self._last: tuple[int, float] | None = None
        self._next_ms = 0

    @property
    def _sigma(self) -> float:
        return max(SIGMA_FLOOR_BPS, math.sqrt(self._variance))

    @property
    def missing(self) -> str:
        """What is not known yet; empty when all is."""
        if self._basis_samples < self._wanted // 2:
            return f"{self._wanted // 2 - self._basis_samples} samples of the basis"
        left = self._wanted - self._sigma_samples
        return f"{left} samples of the volatility" if left > 0 else ""

    def restart(self) -> None:
        """The time between is not known: the next sample is no return from the last one. What was learnt stays."""
        self._last = None

    def sample(
        self, oracle: Decimal, others: Outside, now_ms: int, *, mode: Mode = "envelope", mark: Decimal | None = None,
        closed: bool = False,
    ) -> bool:  # fmt: skip
        """Take a sample if a second is over since the last one; whether it was. Only fresh data are to be given. The
        volatility is that of what is quoted by, in `mode`."""
        if now_ms < self._next_ms:
            return False
        self._next_ms = now_ms + SAMPLE_MS
        mid = others.mid
        if mid is not None:
            basis = float(bps_of(mid - oracle, oracle))
            self._basis += (basis - self._basis) * _weight(self._basis_samples, BASIS_HALF_LIFE)
            self._basis_samples += 1
            self.basis_bps = _decimal(max(-BASIS_MOST_BPS, min(BASIS_MOST_BPS, self._basis)))
        found = fair(mode, oracle, mark, others, self.basis_bps, closed=closed)
        if found is not None:
            self._return(float(found.mid), now_ms)
        return True

    def _return(self, x: float, now_ms: int) -> None:
        if self._last is not None and 0 < now_ms - self._last[0] <= GAP_MS:
            seconds = (now_ms - self._last[0]) / 1000
            moved = abs(math.log(x / self._last[1])) * 10_000 / math.sqrt(seconds)
            moved = min(moved, CLIP * self._sigma)
            self._variance += (moved**2 - self._variance) * _weight(self._sigma_samples, SIGMA_HALF_LIFE)
            self._sigma_samples += 1
            self.sigma_bps = _decimal(self._sigma)
        self._last = (now_ms, x)


def _decimal(bps: float) -> Decimal:
    return Decimal(repr(round(bps, 4)))


def _weight(samples: int, half_life: float) -> float:
    """Of one more sample: a plain mean at first, then with the half life."""
    return max(1 / (samples + 1), 1 - 2 ** (-1 / half_life))


def fair(
    mode: Mode,
    oracle: Decimal,
    mark: Decimal | None,
    others: Outside,
    basis_bps: Decimal,
    *,
    closed: bool = False,
) -> Fair | None:
    """What the market is worth by these data; None where the mode lacks what it needs.

    `closed`: the underlying does not trade. Then the oracle is an echo of the book, and the mark stands for it.
    """
    by_oracle = shift_bps(oracle, basis_bps)
    mid = others.mid or _micro(others, by_oracle)  # a touch that is all ours must not take the reference with it
    if closed:
        return None if mark is None else _between(mid, mark, oracle)
    micro = _micro(others, by_oracle)
    if mode == "envelope":
        return _between(micro, by_oracle, oracle)
    px = {"oracle": oracle, "mark": mark, "mid": mid, "micro": micro}[mode]
    apart = bps_of(abs(micro - by_oracle), oracle)
    return None if px is None else Fair(bid=px, ask=px, gap_bps=apart)


def _between(a: Decimal, b: Decimal, oracle: Decimal) -> Fair:
    return Fair(bid=min(a, b), ask=max(a, b), gap_bps=bps_of(abs(a - b), oracle))


def _micro(others: Outside, instead: Decimal) -> Decimal:
    """The touch weighted by the other side's size: it leans to the side about to trade.

    A side that is ours alone stands at `instead`, but not beyond the other side: a book that has gone past the oracle
    is not to be missed because our own quote is its touch.
    """
    bid, ask = others.bid, others.ask
    if bid is None and ask is None:
        return instead
    if bid is None or ask is None:
        known = bid or ask
        assert known is not None
        missing = max(instead, known.px) if ask is None else min(instead, known.px)
        return (known.px + missing) * HALF
    return div(bid.px * ask.sz + ask.px * bid.sz, bid.sz + ask.sz)
