"""The synthetic market: an outside price, an oracle that is published late, makers that follow it.

One `MarketModel` per market, seeded. It decides what the agents want; the venue lets them do it on
the real engine. Prices of the model are integers (units of 1e-8), its randomness acts on moves in
thousandths of a basis point, so no float ever is a price (docs/exchange.md, "Calibration").

Open markets: an outside price walks; every ~3 s the deployer publishes it as the oracle; makers
quote around the outside price with a reaction delay, which leads the oracle. Now and then a move
finds the makers asleep: the oracle walks through their quotes, and for a few seconds they are stale.
Closed markets: the book walks by itself and the oracle is a slow average of it.
"""

import random
from decimal import Decimal
from typing import NamedTuple

from hip3.venue.setup.settings import Common, MarketSetup, Profile

UNIT = 100_000_000
MILLI_BPS = 10_000_000
"""One is this many thousandths of a basis point."""
STEP_MS = 500
PUBLISH_MS = 3000
PUBLISH_JITTER_MS = 200
CAP = MILLI_BPS // 100
"""The deployer's own limit: 1 % per publication."""
CLOSED_TAU_MS = 2_500_000
MOST_ASLEEP_MS = 12_000
"""One move after another keeps a maker asleep for no longer than this; one alone may."""
LADDER = ((1, 10), (22, 15), (45, 20), (90, 30))
"""Levels of a maker: distance from fair in tenths of the half spread (the first is 1 whole), and
size in tenths of the touch."""
MAKERS = 2
TOUCH_MIN = 0.3
CLOSED_MOVES = ((0.005, 3.2), (0.075, 0.769))
"""Of a closed market's half seconds: up to which chance it moves, and how far, in standard deviations of 5.4 s. Else
it stands still. Together one standard deviation, excess kurtosis 18."""


class Quote(NamedTuple):
    """A ladder around `fair` (units): the venue turns it into orders of maker `maker`."""

    maker: int
    fair: int
    half_spread: int
    """In thousandths of a basis point."""
    touch_usd: int


class Take(NamedTuple):
    """A noise trader's market order."""

    is_buy: bool
    usd: int


class Publish(NamedTuple):
    """The deployer's setOracle: the oracle price in units."""

    oracle: int


class Touch(NamedTuple):
    """The best bid and ask as recorded, and nothing behind them."""

    bid: Decimal
    bid_sz: Decimal
    ask: Decimal
    ask_sz: Decimal


Wish = Quote | Take | Publish | Touch


def to_price(units: int) -> Decimal:
    """Model units as a price."""
    return Decimal(units).scaleb(-8)


def moved(units: int, milli_bps: int) -> int:
    """A price moved by thousandths of a basis point."""
    return units + units * milli_bps // MILLI_BPS


class MarketModel:
    """Drives one market. Call `advance(now)` at any pace; it does what is due, in order."""

    def __init__(self, setup: MarketSetup, common: Common, profile: Profile, seed: int, now_ms: int) -> None:
        self._setup, self._common, self._profile = setup, common, profile
        self._rng = random.Random(f"{seed}:{setup.coin}:price")
        self._agents = random.Random(f"{seed}:{setup.coin}:agents")
        self._outside = int(setup.px * UNIT)
        self._oracle = self._outside
        self._history: list[tuple[int, int]] = [(now_ms, self._outside)]
        self._drift: list[int] = []
        """Moves still to come of a trend, one per step."""
        self._noise = 0
        self._asleep_until = [0] * MAKERS
        self._fell_asleep: list[int | None] = [None] * MAKERS
        """When; None for who has looked at the market since."""
        self._quoted: list[int | None] = [None] * MAKERS
        self._touch_left = [0] * MAKERS
        self._next_step = now_ms
        self._next_publish = now_ms + self._rng.randrange(PUBLISH_MS)
        self._publishes: list[int] = []
        self._next_noise = now_ms + self._noise_gap()
        self._next_look = [now_ms] * MAKERS
        self._next_episode = now_ms + self._episode_gap()

    @property
    def oracle(self) -> int:
        return self._oracle

    def next_due(self) -> int:
        """When something is due next."""
        return min(self._next_step, self._next_publish, self._next_noise, *self._next_look)

    def advance(self, now_ms: int) -> list[tuple[int, Wish]]:
        """All wishes that became due up to `now_ms`, in order of time."""
        out: list[tuple[int, Wish]] = []
        while (due := self.next_due()) <= now_ms:
            if due == self._next_step:
                self._step(due)
            elif due == self._next_publish:
                out.append((due, self._publish(due)))
            elif due == self._next_noise:
                self._next_noise = due + self._noise_gap()
                usd = self._common.noise_usd * self._profile.noise_factor
                out.append((due, Take(self._agents.random() < 0.5, self._agents.randint(usd // 3, usd * 2))))
            else:
                out.extend(self._look(due))
        return out

    # The outside price.

    def _step(self, now: int) -> None:
        self._next_step = now + STEP_MS
        if self._setup.closed:
            self._closed_step()
        else:
            if now >= self._next_episode and not self._drift:
                self._start_episode(now)
            steps = PUBLISH_MS // STEP_MS
            scale = self._setup.oracle_step_bps * 1000 / steps**0.5
            move = int(self._rng.gauss(0, scale))
            if self._drift:
                move += self._drift.pop(0)
            self._outside = moved(self._outside, move)
        self._history.append((now, self._outside))
        del self._history[:-8]

    def _closed_step(self) -> None:
        """The book stands still mostly and moves seldom, now and then far. The oracle follows slowly."""
        chance, step = self._rng.random(), self._rng.gauss(0, self._setup.oracle_step_bps * 1000)
        for limit, size in CLOSED_MOVES:
            if chance < limit:
                self._outside = moved(self._outside, int(step * size))
                return

    def _episode_gap(self) -> int:
        rate = (
            self._setup.stale_per_hour * self._profile.stale_factor
            + self._setup.jumps_per_hour * self._profile.jump_factor
        )
        return int(self._rng.expovariate(rate) * 3_600_000) if rate else 1 << 60

    def _start_episode(self, now: int) -> None:
        """A trend over two or three publications; the makers may be asleep for it."""
        stale = self._setup.stale_per_hour * self._profile.stale_factor
        jump = self._setup.jumps_per_hour * self._profile.jump_factor
        c = self._common
        is_jump = self._rng.random() * (stale + jump) < jump
        edge_bps, thaw_s = c.edge_bps * self._profile.edge_factor, c.thaw_s * self._profile.thaw_factor
        size = self._rng.uniform(c.jump_min_bps, c.jump_max_bps) if is_jump else self._rng.expovariate(1 / edge_bps)
        sign = self._rng.choice((-1, 1))
        steps = self._rng.randint(2, 3) * PUBLISH_MS // STEP_MS
        self._drift = [int(sign * size * 1000 / steps)] * steps
        asleep = not is_jump or self._rng.random() < c.stale_share
        if asleep:
            second = self._next_publish + PUBLISH_MS
            for maker in range(MAKERS):
                self._fall_asleep(maker, now, second + int(self._rng.expovariate(1 / thaw_s) * 1000))
        self._next_episode = now + steps * STEP_MS + self._episode_gap()

    def _fall_asleep(self, maker: int, now: int, until: int) -> None:
        """One that sleeps already sleeps on, for `MOST_ASLEEP_MS` in all: nobody is away while a price runs for a
        minute."""
        fell = self._fell_asleep[maker]
        if fell is None:
            self._fell_asleep[maker], self._asleep_until[maker] = now, until
        else:
            self._asleep_until[maker] = max(self._asleep_until[maker], min(until, fell + MOST_ASLEEP_MS))

    def _publish(self, now: int) -> Publish:
        self._next_publish = now + PUBLISH_MS + self._rng.randint(-PUBLISH_JITTER_MS, PUBLISH_JITTER_MS)
        target = self._outside
        if self._setup.closed:
            # The book's basis to the oracle is where the outside price started below or above it.
            book = moved(self._outside, int(self._setup.basis_bps * 1000))
            target = self._oracle + (book - self._oracle) * PUBLISH_MS // CLOSED_TAU_MS
        limit = self._oracle * CAP // MILLI_BPS
        self._oracle = min(max(target, self._oracle - limit), self._oracle + limit)
        return Publish(self._oracle)

    # The agents.

    def _noise_gap(self) -> int:
        return 1 + int(self._agents.expovariate(self._common.noise_trades_per_minute) * 60_000)

    def _look(self, now: int) -> list[tuple[int, Wish]]:
        """Makers whose time has come look at the price they know and quote if it moved."""
        out: list[tuple[int, Wish]] = []
        for maker in range(MAKERS):
            if self._next_look[maker] > now:
                continue
            self._next_look[maker] = now + self._agents.randint(250, 700)
            if now < self._asleep_until[maker]:
                continue
            self._fell_asleep[maker] = None
            wish = self._quote(maker)
            if wish is not None:
                out.append((now, wish))
        return out

    def _quote(self, maker: int) -> Quote | None:
        """A new ladder if fair moved by a quarter of the half spread, or the touch is worn."""
        self._noise = self._noise * 9 // 10 + int(self._agents.gauss(0, 150))
        delayed = self._history[max(0, len(self._history) - 1 - maker)][1]
        fair = moved(delayed, int(self._setup.basis_bps * 1000) + self._noise)
        half = max(60, int(self._setup.spread_bps * 500))
        quoted = self._quoted[maker]
        if quoted is not None and abs(fair - quoted) * MILLI_BPS < quoted * max(half // 2, 100):
            return None
        self._quoted[maker] = fair
        profile = self._profile
        scatter = min(max(self._agents.lognormvariate(0, profile.touch_sigma), TOUCH_MIN), profile.touch_max)
        size = int(self._setup.touch_usd * profile.depth_factor * scatter)
        return Quote(maker, fair, half, size)

    def shift(self, ms: int) -> None:
        """So much time is leapt over in which nobody here does anything."""
        self._next_step += ms
        self._next_publish += ms
        self._next_noise += ms
        self._next_episode += ms
        self._next_look = [due + ms for due in self._next_look]
        self._asleep_until = [due + ms for due in self._asleep_until]
        self._fell_asleep = [fell if fell is None else fell + ms for fell in self._fell_asleep]
        self._history = [(when + ms, units) for when, units in self._history]

    def requote(self, maker: int) -> None:
        """The venue says that this maker's touch was taken: quote again at the next look."""
        self._quoted[maker] = None

    def jump(self, units: int) -> list[Wish]:
        """The outside price and the oracle are at `units` now, and every maker knows: their new ladders."""
        self._outside = self._oracle = units
        self._history = [(when, units) for when, _ in self._history]
        self._drift = []
        self._asleep_until = [0] * MAKERS
        self._fell_asleep = [None] * MAKERS
        self._quoted = [None] * MAKERS
        return [quote for quote in map(self._quote, range(MAKERS)) if quote is not None]
