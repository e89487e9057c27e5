"""What is heard of quotes, and what follows from it: fills, refusals. The inbox of the quoter.

Whoever changes the books puts events in, which is one step; the tick takes them out and does what follows. A refusal
makes its key, a side, the market or all markets wait, longer each time.
"""

from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal

from hip3.core.ledger import FillBooked, OrderChanged, TrackerEvent
from hip3.core.money import div
from hip3.core.order_state import OrderState
from hip3.core.ports import Clock, Journal
from hip3.execution.quotes.keys import key_of
from hip3.execution.quotes.market import QuotedMarket
from hip3.execution.quotes.refusals import INVALID_MOVE, OTHER, SELF_TRADE, Reaction, Scope, counts, reaction
from hip3.position.tracker import PositionTracker
from hip3.strategy.ladder import Key

MARGIN_REFUSALS = 3
"""So many within ten minutes, though sizes were halved, turn a market off."""
ANEW_MS = 5000
"""After a move that could not leave the key's quote is cancelled, if it must go, for so long."""
TOLD_MS = 60_000
"""A text of a refusal counts once in so long."""


class Heard:
    """See the module. `wake()`: ends the tick's wait."""

    def __init__(
        self,
        markets: Mapping[str, QuotedMarket],
        tracker: PositionTracker,
        journal: Journal,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        self.markets = markets
        self._tracker = tracker
        self._journal = journal
        self._clock = clock
        self._wake = wake
        self._inbox: deque[TrackerEvent] = deque()
        self.changed: dict[str, None] = dict.fromkeys(markets)
        """Markets to look at in the next round. Any thread adds, the tick takes out: each is one step."""
        self._standing: dict[tuple[str, str], int] = {}
        """(side, market or all of them; why) -> until when it waits for that: a batch is refused as one."""
        self._told: dict[str, int] = {}
        """Texts of refusals that counted -> when."""

    def tell(self, event: TrackerEvent) -> None:
        """A quote changed, or a fill was booked. Any thread; the tick looks at it."""
        coin = event.fill.coin if isinstance(event, FillBooked) else ""
        if isinstance(event, OrderChanged) and event.order.level is not None:
            coin = event.order.coin
        market = self.markets.get(coin)
        if market is not None:
            self._inbox.append(event)
            self.changed[coin] = None
            self._wake()

    def counts(self, event: OrderChanged) -> bool:
        """Whether a change counts toward the HardStop: of refused quotes what is ours to fix, a text once a minute."""
        if event.order.level is None or event.after is not OrderState.REJECTED:
            return True
        now_ms, text = self._clock.mono_ms(), event.why[:40]
        if not counts(event.why) or now_ms - self._told.get(text, -TOLD_MS) < TOLD_MS:
            return False
        self._told[text] = now_ms
        return True

    def take(self, now_ms: int) -> None:
        """Do what follows from everything that was heard. The tick."""
        while self._inbox:
            self._one(self._inbox.popleft(), now_ms)

    def _one(self, event: TrackerEvent, now_ms: int) -> None:
        if isinstance(event, FillBooked):
            self._filled(event, now_ms)
        elif isinstance(event, OrderChanged):
            market, key = self.markets[event.order.coin], key_of(event.order)
            if event.after is OrderState.FILLED:
                market.keys.wait(key, now_ms + market.params.fill_delay_ms)
            elif event.after is OrderState.DROPPED and event.order.replaces is not None:
                market.keys.place_anew(key, now_ms + ANEW_MS)
            elif event.after is OrderState.CANCELED and event.why.startswith(SELF_TRADE) and market.completing:
                return  # our own completion met it
            elif event.after is OrderState.CANCELED and reaction(event.why) is not OTHER:
                market.figures.counts["taken away"] += 1  # by the exchange: what follows is as of a refusal
                self._refused(market, key, event.why, now_ms)
            elif event.after is OrderState.REJECTED:
                market.figures.counts["refused"] += 1
                if event.why.startswith(INVALID_MOVE) and not market.only_anew:
                    market.only_anew = True
                    self._journal.record("quotes_not_moved", coin=market.coin, why=event.why)
                self._refused(market, key, event.why, now_ms)

    def _filled(self, event: FillBooked, now_ms: int) -> None:
        fill, market = event.fill, self.markets[event.fill.coin]
        tracked = self._tracker.get(fill.cloid) if event.ours and fill.cloid is not None else None
        if tracked is None or tracked.order.level is None:
            return
        worth = None if market.fair is None else market.fair.mid
        market.figures.filled(fill.side, fill.px, fill.sz, worth, now_ms)
        self._journal.record(
            "quote_fill", coin=market.coin, cloid=fill.cloid, side=fill.side, px=fill.px, sz=fill.sz, fair=worth
        )
        if market.pulls.filled(fill.side, fill.cloid or "", now_ms):
            self._journal.record("quote_sweep", coin=market.coin, side=fill.side.value)

    def _refused(self, market: QuotedMarket, key: Key, text: str, now_ms: int) -> None:
        """What follows from a refusal: its key, a side, the market or all of them wait."""
        how = reaction(text)
        if how.scope is Scope.KEY:
            market.keys.wait(key, now_ms + market.keys.refused(key, how, now_ms))
            return
        place = {Scope.SIDE: f"{market.coin} {key[0].value}", Scope.MARKET: market.coin}.get(how.scope, "")
        if now_ms < self._standing.get((place, how.why), 0):
            return  # of the same batch, or under way as it was heard: what follows has followed
        ms = market.keys.refused(None, how, now_ms)
        self._standing[(place, how.why)] = now_ms + ms
        if how.scope is Scope.SIDE:
            market.pulls.pull_side(key[0], now_ms + ms)
        elif how.scope is Scope.MARKET:
            market.pulls.pull(how.why, now_ms + ms)
        else:
            for other in self.markets.values():
                self._dex_wide(other, how, ms, now_ms)
        self._journal.record("quotes_pulled", coin=market.coin, why=how.why, text=text[:120], ms=ms)

    def _dex_wide(self, market: QuotedMarket, how: Reaction, ms: int, now_ms: int) -> None:
        self.changed[market.coin] = None
        market.pulls.pull(how.why, now_ms + ms)
        if how.why.endswith("margin"):
            if now_ms >= market.scale_until_ms:
                market.scale = Decimal(1)  # what was long ago counts no more, also where nothing was quoted since
            market.scale, market.scale_until_ms = div(market.scale, Decimal(2)), now_ms + ms + 600_000
            if market.scale * 2**MARGIN_REFUSALS <= 1 and not market.off:
                market.off = f"{how.why}, though sizes were halved; deposit, or lower HIP3_QUOTE_SIZE_USD, and restart"
                self._journal.record("quotes_off", coin=market.coin, why=market.off)
