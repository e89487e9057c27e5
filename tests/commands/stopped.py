"""Market data made by hand: what a service in a world decides when exactly these frames arrive."""

from decimal import Decimal
from typing import Any

from hip3.bench import frames
from tests.world import World

GOLD = "xyz:GOLD"
SPREAD = Decimal("0.0002")


MARKET_DATA = ('{"channel":"bbo"', '{"channel":"activeAssetCtx"')


class Feed:
    """Frames of one market; nothing else is heard of any market. Prices rise with each signal."""

    def __init__(self, world: World, coin: str = GOLD) -> None:
        self.world, self.coin = world, coin
        view = world.trading.market_state.view(coin)
        assert view is not None
        assert view.oracle is not None
        world.filter_frame = lambda text: [] if text.startswith(MARKET_DATA) else [text]
        self.px = view.oracle
        self.time_ms = view.book_time_ms + 1000

    def hear(self) -> None:
        """The exchange's own market data are heard again, from now on."""
        self.world.venue.advance(self.world.exchange_ms())
        self.world.venue.take_output()
        self.world.filter_frame = lambda text: [text]

    def bbo(self, mid: Decimal | None = None, *, spread: Decimal = SPREAD, time_ms: int | None = None) -> None:
        """A two-sided touch of $20,000; `spread` is a share of the middle."""
        middle = mid or self.px
        self.time_ms += 1
        half = middle * spread / 2
        size = (20_000 / middle).quantize(Decimal("0.01"))
        when = self.time_ms if time_ms is None else time_ms
        self._send(frames.bbo(self.coin, when, middle - half, middle + half, size))

    def ctx(self, oracle: Decimal | None = None, *, mark: Decimal | None = None) -> None:
        """An asset context; the mark is at the touch unless said otherwise."""
        self._send(frames.ctx(self.coin, oracle or self.px, mark or self.px))

    def _send(self, text: bytes) -> None:
        self.world.inject(text.decode())

    def read(self) -> None:
        """The rest thread's round."""
        self.world.trading.housekeeping.step(self.world.clock.mono_ms())

    def usual(self, count: int = 25) -> None:
        """So many touches with the usual spread, one every 100 ms, and contexts with them; what is due is read."""
        self.read()
        for _ in range(count):
            self.world.clock.advance(100)
            self.bbo()
            self.ctx()

    def signal(self, edge_bps: int = 40) -> dict[str, Any] | None:
        """The oracle moves twice, the quote stays `edge_bps` behind: the record of the first signal, or None."""
        before = len(self.world.journal.of("signal"))
        self.px *= Decimal("1.01")
        self.lag(edge_bps)
        found = self.world.journal.of("signal")[before:]
        return found[0] if found else None

    def lag(self, edge_bps: int = 40) -> None:
        """The frames of a signal."""
        touch = self.px * (1 - Decimal(edge_bps) / 10_000)
        self.ctx(self.px * Decimal("0.9990"), mark=touch)
        self.bbo(touch, spread=SPREAD)
        self.ctx(self.px * Decimal("0.9995"), mark=touch)
        self.ctx(self.px, mark=touch)
        self.bbo(touch, spread=SPREAD)

    def refused_by(self, edge_bps: int = 40) -> str | None:
        """Which gate refuses a signal; None if none does. AssertionError if there is no signal."""
        found = self.signal(edge_bps)
        assert found is not None
        return getattr(found["verdict"], "gate", None)
