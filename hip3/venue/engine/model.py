"""The embedded exchange's nouns: markets, requests, and what it has to tell. Pure.

Units are those of the package. Events carry finished JSON objects where the exchange's own shape is all that is
needed; whoever reads them must not change them, since histories hold the same objects.
"""

from collections import deque
from decimal import Decimal
from typing import Any, NamedTuple

from hip3.core.money import ZERO
from hip3.venue.engine.book import Book, BookOrder, Trigger
from hip3.venue.setup.parameters import FundingTerms

TAKER_RATE = Decimal("0.00045")
MAKER_RATE = Decimal("0.00015")
"""The rates of an account below the first volume tier, before discounts and the HIP-3 factor (`fees`)."""


class Annotation(NamedTuple):
    """What a deployer says of a market to people (docs/venue-facts.md F44)."""

    category: str = ""
    """Empty: nothing was said."""
    display_name: str | None = None
    """For frontends, instead of the coin."""
    keywords: tuple[str, ...] = ()
    description: str = ""


class MarketInfo(NamedTuple):
    """What is fixed about a market. A scripted `change` puts another one in its place."""

    coin: str
    """With the dex in front on a builder dex: "xyz:GOLD"."""
    dex: str
    """"" is the main dex."""
    asset_id: int
    """As actions name the market (docs/venue-facts.md F8)."""
    sz_decimals: int
    """Decimals of a size; they bound those of a price (docs/venue-facts.md F1, F2)."""
    max_leverage: int
    margin_mode: str | None
    """None: cross or isolated. "noCross": isolated only. "strictIsolated": nor is margin given back."""
    growth: bool
    """Fees and counted volume are a tenth (docs/venue-facts.md F7, F27)."""
    fee_scale: Decimal | None
    """deployerFeeScale; None on the main dex."""
    tiers: tuple[tuple[Decimal, int], ...] = ()
    """(lower bound of the notional, highest leverage); none: `max_leverage` throughout."""
    oi_cap: Decimal | None = None
    """Highest open interest in USD; None: no cap (docs/venue-facts.md F29)."""
    funding: FundingTerms = FundingTerms()
    annotation: Annotation = Annotation()

    @property
    def margin_tiers(self) -> tuple[tuple[Decimal, int], ...]:
        """`tiers`, never empty, from a notional of 0 on and rising."""
        return self.tiers or ((ZERO, self.max_leverage),)


class OrderEvent(NamedTuple):
    """Something for orderUpdates; `nonUserCancel` is read from it, too (docs/venue-facts.md F22)."""

    user: str
    order: BookOrder
    status: str
    """The exchange's word: "open", "triggered", "filled", "canceled", "…Canceled" or "…Rejected"."""
    time_ms: int
    sz: Decimal
    """What was left at that time: `order` itself goes on changing until the frame is made."""


class FillEvent(NamedTuple):
    """Something for userFills: one side of a trade."""

    user: str
    fill: dict[str, Any]


class TradeEvent(NamedTuple):
    """Something for trades and candles. Hand-overs past the book and settlements make none."""

    coin: str
    trade: dict[str, Any]
    px: Decimal
    sz: Decimal
    """`px` and `sz` are those of `trade`, before they were printed."""


class UserEvent(NamedTuple):
    """Something for userEvents that is no fill, or for notification."""

    user: str
    data: dict[str, Any]
    stream: str = "userEvents"


class FundingEvent(NamedTuple):
    """Something for userFundings and userEvents: one payment, negative `usdc` if it was paid."""

    user: str
    funding: dict[str, Any]


class LedgerEvent(NamedTuple):
    """Something for userNonFundingLedgerUpdates: {time, hash, delta}."""

    user: str
    entry: dict[str, Any]


Event = OrderEvent | FillEvent | TradeEvent | UserEvent | FundingEvent | LedgerEvent


class Market:
    """One market: its book, prices and volume.

    It starts with oracle, mark and last price at `oracle`. The crowd sets the oracle, only `Engine.set_mark` the
    mark: a mark that moved otherwise would fire no trigger and liquidate nobody.
    """

    def __init__(self, info: MarketInfo, oracle: Decimal) -> None:
        self.info = info
        self.book = Book()
        self.oracle = oracle
        self.mark = oracle
        self.prev_day_px = oracle
        """The price at the start of the exchange; no day ends here."""
        self.last_px = oracle
        self.open_interest = ZERO
        """In units: the sum of all longs, which is that of all shorts."""
        self.day_notional = ZERO
        self.day_base = ZERO
        """USD and units traded since the start."""
        self.halted = False
        self.premium = ZERO
        """Mean of the hour so far, a fraction of the oracle."""
        self.premiums = (ZERO, 0)
        """Sum and number of the hour's samples."""
        self.funding = ZERO
        """The hourly rate as it would be now."""
        self.funding_history: deque[dict[str, Any]] = deque(maxlen=5000)
        """Rows as fundingHistory shows them, one per hour, oldest first."""
        self.trades: list[dict[str, Any]] = []
        """The newest 30, oldest first."""
        self.triggers: dict[int, BookOrder] = {}
        """Trigger orders that have not fired, by oid, in the order of placement."""
        self.holders: dict[str, None] = {}
        """Users with a position, in the order of their first fill; the market's own agents are not among them."""

    @property
    def at_cap(self) -> bool:
        """Whether open interest, at mark, is at its cap; never without one."""
        cap = self.info.oi_cap
        return cap is not None and self.open_interest * self.mark >= cap


class Request(NamedTuple):
    """One order of an action, parsed and not yet checked by any rule."""

    market: Market
    is_buy: bool
    px: Decimal
    """The limit."""
    sz: Decimal
    """0 only with `position_tpsl`: the size of the position when it fires."""
    reduce_only: bool
    tif: str
    """"Ioc", "Alo", "Gtc", "FrontendMarket"; "LiquidationMarket" is the exchange's own. A trigger order has none of
    its own: Ioc or Gtc, as what it becomes when it fires."""
    cloid: str | None
    """In small letters, with 0x."""
    trigger: Trigger | None = None
    position_tpsl: bool = False
    """TP/SL on the position, not on an order (docs/venue-facts.md F17)."""
    builder: tuple[str, int] | None = None
    """(address, tenths of a basis point) of who sends the order."""
