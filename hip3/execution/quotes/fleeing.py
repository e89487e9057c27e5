"""Quotes that an oracle alone has run over: they go before anything else is thought about.

Whatever the book says, fair of a side is never better than the oracle with its basis, where the reference has it as an
anchor. A quote that would not earn its own fee by that is one to retreat in every case, since nothing is quoted there;
so its cancel need not wait for the ladder, which the next round makes.
"""

from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal

from hip3.core.market import MarketSpec
from hip3.core.money import ZERO, bps_of, shift_bps
from hip3.core.order_state import OrderState
from hip3.core.orders import Side
from hip3.execution.link import Link
from hip3.execution.quotes.cancelling import Cancelling
from hip3.execution.quotes.market import Oracles, QuotedMarket
from hip3.execution.quotes.params import QuoteParams
from hip3.feed.market_state import MarketState
from hip3.position.tracked import TrackedOrder
from hip3.position.tracker import PositionTracker


def is_run_over(side: Side, px: Decimal, worth: Decimal, fee_bps: Decimal) -> bool:
    """Whether an order at `px` would not earn its fee against what the oracle says it is worth. Pure."""
    return bps_of((worth - px) * side.sign, worth) < fee_bps


def oracles(live: Iterable[tuple[Side, Decimal]], p: QuoteParams, basis_bps: Decimal, fee_bps: Decimal) -> Oracles:
    """From which oracles on one of the resting quotes, side and price, may be run over. Pure; about right is enough,
    each is judged by itself."""
    prices = list(live)
    if p.closed or p.reference not in ("envelope", "oracle"):
        return None, None
    basis = basis_bps if p.reference == "envelope" else ZERO
    buys = [px for side, px in prices if side.is_buy]
    sells = [px for side, px in prices if not side.is_buy]
    return (
        shift_bps(max(buys), fee_bps - basis) if buys else None,
        shift_bps(min(sells), -fee_bps - basis) if sells else None,
    )


class Fleeing:
    """See the module. The ws-reader says which market to look at, the tick looks. `specs(coin)`: its facts."""

    def __init__(
        self,
        *,
        specs: Callable[[str], MarketSpec | None],
        market_state: MarketState,
        link: Link,
        tracker: PositionTracker,
        cancelling: Cancelling,
    ) -> None:
        self._specs = specs
        self._market_state = market_state
        self._link = link
        self._tracker = tracker
        self._cancelling = cancelling
        self._fled: list[tuple[QuotedMarket, list[TrackedOrder]]] = []
        """What was wished and not told of yet; the tick's own."""
        self._markets: deque[QuotedMarket] = deque()
        """Each change is one step."""

    def look_at(self, market: QuotedMarket, oracle: Decimal | None) -> None:
        """An oracle arrived; the next round looks at the market first if it may have run over a quote. The
        ws-reader."""
        buy, sell = market.run_over
        if oracle is not None and ((buy and oracle <= buy) or (sell and oracle >= sell)):
            self._markets.append(market)

    def step(self, now_ms: int) -> bool:
        """Cancel what is run over by the oracle as it is now; whether anything was."""
        fled = False
        while self._markets:
            market = self._markets.popleft()
            gone = self._gone(market)
            if gone:
                fled = True
                for tracked in gone:
                    market.keys.cancel(tracked.order.cloid, now_ms)
                self._cancelling.send(market, gone, now_ms)
                self._fled.append((market, gone))
        return fled

    def take(self) -> list[tuple[QuotedMarket, list[TrackedOrder]]]:
        """Markets with the orders that went since this was asked last."""
        fled, self._fled = self._fled, []
        return fled

    def _gone(self, market: QuotedMarket) -> list[TrackedOrder]:
        view, spec = self._market_state.view(market.coin), self._specs(market.coin)
        if view is None or view.ctx_at_ms is None or view.generation != self._link.generation or spec is None:
            return []
        assert view.oracle is not None
        worth, fee_bps = view.oracle, spec.maker_fee_bps or ZERO
        if market.params.reference == "envelope":
            worth = shift_bps(worth, market.reference.basis_bps)
        return [
            t for t in self._tracker.quotes(market.coin)
            if t.state is OrderState.OPEN and not market.keys.ending(t.order.cloid)
            and is_run_over(t.order.side, t.order.px, worth, fee_bps)
        ]  # fmt: skip
