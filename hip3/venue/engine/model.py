"""The embedded exchange's nouns: markets, requests, and what it has to tell. Pure."""

from collections import deque
from decimal import Decimal
from typing import Any, NamedTuple

from hip3.core.money import ZERO
from hip3.venue.engine.book import Book, BookOrder, Trigger

TAKER_RATE = Decimal("0.00045")
MAKER_RATE = Decimal("0.00015")


class MarketInfo(NamedTuple):
    """What is fixed about a market."""

    coin: str
    dex: str
    asset_id: int
    sz_decimals: int
    max_leverage: int
    margin_mode: str | None
    growth: bool
    fee_scale: Decimal | None
    """deployerFeeScale; None on the main dex."""
    tiers: tuple[tuple[Decimal, int], ...] = ()
    """(lower bound of the notional, highest leverage); none: `max_leverage` throughout."""
    oi_cap: Decimal | None = None
    """Highest open interest in dollars."""

    @property
    def margin_tiers(self) -> tuple[tuple[Decimal, int], ...]:
        return self.tiers or ((ZERO, self.max_leverage),)


class OrderEvent(NamedTuple):
    """Something for orderUpdates."""

    user: str
    order: BookOrder
    status: str
    time_ms: int
    sz: Decimal


class FillEvent(NamedTuple):
    """Something for userFills."""

    user: str
    fill: dict[str, Any]


class TradeEvent(NamedTuple):
    """Something for trades."""

    coin: str
    trade: dict[str, Any]
    px: Decimal
    sz: Decimal


class UserEvent(NamedTuple):
    """Something for userEvents that is no fill, or for notification."""

    user: str
    data: dict[str, Any]
    stream: str = "userEvents"


class FundingEvent(NamedTuple):
    """Something for userFundings and userEvents."""

    user: str
    funding: dict[str, Any]


class LedgerEvent(NamedTuple):
    """Something for userNonFundingLedgerUpdates."""

    user: str
    entry: dict[str, Any]


Event = OrderEvent | FillEvent | TradeEvent | UserEvent | FundingEvent | LedgerEvent


class Market:
    """One market: its book, prices and volume."""

    def __init__(self, info: MarketInfo, oracle: Decimal) -> None:
        self.info = info
        self.book = Book()
        self.oracle = oracle
        self.mark = oracle
        self.prev_day_px = oracle
        self.last_px = oracle
        self.open_interest = ZERO
        self.day_notional = ZERO
        self.day_base = ZERO
        self.halted = False
        self.premium = ZERO
        """Mean of the hour so far."""
        self.funding = ZERO
        """The hourly rate as it would be now."""
        self.funding_history: deque[dict[str, Any]] = deque(maxlen=5000)
        self.trades: list[dict[str, Any]] = []
        self.triggers: dict[int, BookOrder] = {}
        """Trigger orders that have not fired, by oid."""
        self.holders: dict[str, None] = {}
        """Users with a position, in the order of their first fill; the market's own agents are not among them."""

    @property
    def at_cap(self) -> bool:
        """Whether open interest is at its cap."""
        cap = self.info.oi_cap
        return cap is not None and self.open_interest * self.mark >= cap


class Request(NamedTuple):
    """One order of an action, parsed."""

    market: Market
    is_buy: bool
    px: Decimal
    sz: Decimal
    reduce_only: bool
    tif: str
    """A trigger order has none of its own: Ioc or Gtc, as what it becomes when it fires."""
    cloid: str | None
    trigger: Trigger | None = None
    position_tpsl: bool = False
    builder: tuple[str, int] | None = None
    """(address, tenths of a basis point) of who sends the order."""
