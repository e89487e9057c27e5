"""One quoted market between two passes: what was learnt of it, and what it is doing. Confined to the tick.

Readers of the status take single fields, each of which is one step.
"""

from collections import deque
from decimal import Decimal

import msgspec

from hip3.core.market import MarketView
from hip3.core.money import ONE, ZERO, shift_bps
from hip3.core.orders import Side
from hip3.execution.quotes.figures import QuoteFigures
from hip3.execution.quotes.keys import Keys
from hip3.execution.quotes.params import QuoteParams
from hip3.execution.quotes.pulls import Pulls
from hip3.execution.quotes.stance import Stance
from hip3.strategy.fair import Fair, Reference

Oracles = tuple[Decimal | None, Decimal | None]
"""(at or below it buys, at or above it sells); None: none rests, or the reference does not go by the oracle."""


class Completing(msgspec.Struct, frozen=True):
    """A completion under way: since when (monotonic), why, down to how many USD, and at which of the two caps."""

    since_ms: int
    why: str
    target_usd: Decimal
    emergency: bool


class QuotedMarket:
    """See the module."""

    def __init__(self, coin: str, params: QuoteParams) -> None:
        self.coin, self.params = coin, params
        self.reference, self.pulls, self.keys = Reference(params.warmup_s), Pulls(params), Keys()
        self.figures = QuoteFigures()
        self.stance = Stance.WAIT
        self.reasons: tuple[str, ...] = ("it has not been looked at yet",)
        self.fair: Fair | None = None
        self.half_bps: Decimal | None = None
        self.view: MarketView | None = None
        """What the last pass saw."""
        self.seen = False
        """Whether fresh data of it were there in this run."""
        self.begun_ms: int | None = None
        """When it was looked at first."""
        self.was_ready = False
        self.begun = not params.adopt
        """Whether the start is over: from then on nothing is left where it rests because it was adopted."""
        self.due_ms = 0
        """Looked at by then, whatever happens."""
        self.wake: tuple[Decimal, Decimal] | None = None
        """Outside of these the oracle, or the middle of the touch, takes a resting quote with it: then the tick is not
        waited for. One value, replaced by the tick and read by the ws-reader; None: nothing rests."""
        self.run_over: Oracles = (None, None)
        """From where on one of the resting quotes may be run over, buys and sells; replaced and read as `wake`."""
        self.reduced: set[Side] = set()
        """Sides that inventory has turned off, until it is well below the share at which that was."""
        self.scale = Decimal(1)
        """Of every size, after refusals for margin."""
        self.scale_until_ms = 0
        self.cutoff: tuple[int, str] = (-1, "")
        """The second it was asked for, and the answer: the clocks of a place are slow to read."""
        self.completing: Completing | None = None
        self.completion_tries = self.completion_next_ms = self.completion_held_until_ms = 0
        self.patient = False
        """Its inventory is to go, and nobody pays the price at which that costs nothing: no more is bought."""
        self.completion_held_patient = False
        """It waits since nobody paid the patient price: one that presses goes on."""
        self.completion_left = ZERO
        """What was held at the last try."""
        self.completed: deque[int] = deque()
        """When completions ended."""
        self.one_sided_ms: int | None = None
        """Since when inventory has kept one side away."""
        self.only_anew = False
        """The exchange called a move of ours invalid: quotes are cancelled and placed anew for the rest of this run."""
        self.off = ""
        """Why it is not quoted any more in this run."""

    def fair_beside_run(self, fair: Fair, now_ms: int) -> Fair:
        """What it is worth, and less so on the side that the market runs into."""
        run = self.pulls.run(now_ms)
        if run is None:
            return fair
        bps, buys = min(self.params.toxic_addon_bps, self.params.ladder.addon_max_bps), run.is_buy
        bid = shift_bps(fair.bid, -bps) if buys else fair.bid
        return msgspec.structs.replace(fair, bid=bid, ask=fair.ask if buys else shift_bps(fair.ask, bps))

    def bounds(self, rests: bool) -> tuple[Decimal, Decimal] | None:
        """How far prices may go before the next round is too late: a quarter of the half spread from what was seen."""
        view, half = self.view, self.half_bps
        if not rests or half is None or view is None or view.oracle is None or view.mid is None:
            return None
        step = max(ONE, half / 4)
        return shift_bps(min(view.oracle, view.mid), -step), shift_bps(max(view.oracle, view.mid), step)
