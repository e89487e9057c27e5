"""The engine of the embedded exchange: books, accounts, order ids. Pure: time is an argument, events are returned.

It owns the state and its elementary moves; the rules are functions on it: `rules` (validity and margin),
`matching` (trades and fills), `triggers` (TP/SL), `liquidation`. `place` and `cancel` return the status entry
of the answer; what the streams must tell is appended to `events` and taken by the venue. Rules and texts:
docs/venue-facts.md F11 (validity), F12 (matching). What it does not do yet stands in docs/exchange.md.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from hip3.core.money import ZERO, round_price
from hip3.venue.engine import fees, liquidation, matching, rules, triggers
from hip3.venue.engine.account import Account
from hip3.venue.engine.book import BookOrder
from hip3.venue.engine.model import MAKER_RATE, TAKER_RATE, Event, LedgerEvent, Market, MarketInfo, OrderEvent, Request
from hip3.venue.engine.orders import frontend_order, mix
from hip3.venue.engine.parameters import DEFAULT, Parameters

FIRST_OID = 500_000_000_000
MAX_HISTORY = 2000
DAY_MS = 86_400_000
_SUCCESS = "success"


class _Marks(Mapping[str, Decimal]):
    """The mark price of every market, as it is when asked."""

    def __init__(self, markets: dict[str, Market]) -> None:
        self._markets = markets

    def __getitem__(self, coin: str) -> Decimal:
        return self._markets[coin].mark

    def __iter__(self) -> Iterator[str]:
        return iter(self._markets)

    def __len__(self) -> int:
        return len(self._markets)


class Engine:
    """All markets and accounts. Confined to the venue's one thread."""

    def __init__(self, markets: list[tuple[MarketInfo, Decimal]], parameters: Parameters = DEFAULT) -> None:
        self.parameters = parameters
        self.markets = {info.coin: Market(info, px) for info, px in markets}
        self.by_asset = {m.info.asset_id: m for m in self.markets.values()}
        self.accounts: dict[str, Account] = {}
        self.events: list[Event] = []
        self.touched: set[str] = set()
        self.left = ZERO
        """Cash that was withdrawn."""
        self.residue = ZERO
        """What cutting funding payments to 6 decimals has left over."""
        self.post_only = False
        """The minutes after a network upgrade: only post-only orders."""
        self._volume: dict[int, Decimal] = {}
        """UTC day -> maker volume of everybody."""
        self.recheck: dict[str, None] = {}
        """Coins whose triggers must be looked at again once the present order is done."""
        self._marks = _Marks(self.markets)
        self._switches: dict[str, int] = {}
        self._next_oid = FIRST_OID
        self._next_hash = 1

    # Accounts.

    def account(self, address: str) -> Account | None:
        """The account of an address, if it exists."""
        return self.accounts.get(address)

    def fund(self, address: str, dex: str, amount: Decimal, *, agent: bool = False) -> Account:
        """Put cash into a dex account; the account exists from now on."""
        account = self.accounts.get(address)
        if account is None:
            account = self.accounts[address] = Account(address, agent=agent)
        account.dex(dex).raw_usd += amount
        return account

    def marks(self) -> Mapping[str, Decimal]:
        """Mark price of every market."""
        return self._marks

    def leverage_of(self, account: Account, market: Market) -> tuple[int, bool]:
        """(leverage, isolated) that holds for a new position: the user's, else the default."""
        info = market.info
        isolated_only = info.margin_mode is not None
        return account.leverage.get(info.coin, (min(20, info.max_leverage), isolated_only))

    def position(self, account: Account, market: Market) -> Decimal:
        """Signed size held."""
        position = account.dex(market.info.dex).positions.get(market.info.coin)
        return position.szi if position is not None else ZERO

    def open_orders(self, account: Account, dex: str | None = None) -> list[BookOrder]:
        """Resting and dormant orders of an account, oldest first; of one dex if given."""
        orders = account.open_orders.values()
        return [o for o in orders if dex is None or self.markets[o.coin].info.dex == dex]

    # Fees.

    def base_rates(self, account: Account, now_ms: int) -> tuple[Decimal, Decimal]:
        """(taker, maker) of the account's volume tier."""
        if not account.daily:
            return TAKER_RATE, MAKER_RATE
        return fees.base_rates(account, self._volume, now_ms)

    def fee_rate(self, account: Account, market: Market, now_ms: int, *, crossed: bool) -> Decimal:
        """What the account pays on this market."""
        rates = self.base_rates(account, now_ms)
        return fees.rate_of(market.info, rates[0] if crossed else rates[1], account.referral)

    def count_volume(self, account: Account, notional: Decimal, now_ms: int, *, crossed: bool) -> None:
        """Credit volume to the day, of the account and (maker) of the exchange."""
        day = now_ms // DAY_MS
        if not crossed:
            self._volume[day] = self._volume.get(day, ZERO) + notional
        if not account.is_agent:
            taken, made = account.daily.get(day, (ZERO, ZERO))
            account.daily[day] = (taken + notional, made) if crossed else (taken, made + notional)

    def volume_of(self, day: int) -> Decimal:
        """Maker volume of everybody on a UTC day, which is all volume, seen from one side."""
        return self._volume.get(day, ZERO)

    # Orders.

    def prevalidate(self, requests: list[Request]) -> str | None:
        """The first fault that refuses a whole action, without suffix; None if there is none."""
        return rules.prevalidate(requests, self.parameters)

    def place(self, account: Account, r: Request, now_ms: int) -> dict[str, Any]:
        """Place one order: its status entry."""
        entry = self.admit(account, r, now_ms)[1]
        self.settle(now_ms)
        return entry

    def place_group(self, account: Account, requests: list[Request], grouping: str, now_ms: int) -> list[Any]:
        """Place the orders of one action: their status entries."""
        entries = triggers.place_group(self, account, requests, grouping, now_ms)
        self.settle(now_ms)
        return entries

    def admit(self, account: Account, r: Request, now_ms: int) -> tuple[BookOrder | None, dict[str, Any]]:
        """One order into the engine: (the order unless it was refused, its status entry)."""
        refusal = rules.refusal(self, account, r)
        if refusal is not None:
            return None, self.refuse(account, r, refusal, now_ms)
        market, order = r.market, self.new_order(account, r, now_ms)
        if r.reduce_only and order.sz:
            order.sz = min(order.sz, abs(self.position(account, market)))
        if order.trigger is not None:
            return order, triggers.rest(self, account, market, order, now_ms)
        self.tell(account, order, "open", now_ms)
        entry = matching.execute(self, account, market, order, now_ms)
        return (None if "error" in entry else order), entry

    def refuse(self, account: Account, r: Request, refusal: rules.Refusal, now_ms: int) -> dict[str, Any]:
        """The status entry of a refused order; it has an id and a status nevertheless."""
        text, status = refusal
        order = self.new_order(account, r, now_ms)
        if status is not None:
            self.tell(account, order, status, now_ms)
        return {"error": text + self.suffix(r.market)}

    def suffix(self, market: Market) -> str:
        """What the exchange appends to the refusal of one order."""
        return f" asset={market.info.asset_id}" if self.parameters.asset_suffix else ""

    def new_order(self, account: Account, r: Request, now_ms: int) -> BookOrder:
        """An order with an id, nowhere yet."""
        self._next_oid += 1
        return BookOrder(
            oid=self._next_oid, owner=account.address, coin=r.market.info.coin, is_buy=r.is_buy, limit_px=r.px,
            sz=r.sz, tif=r.tif, reduce_only=r.reduce_only, cloid=r.cloid, placed_ms=now_ms, trigger=r.trigger,
            position_tpsl=r.position_tpsl, builder=r.builder,
        )  # fmt: skip

    def settle(self, now_ms: int) -> None:
        """What an order set off: TP/SL children that are armed now may be due at once."""
        while self.recheck:
            coin = next(iter(self.recheck))
            del self.recheck[coin]
            triggers.check(self, self.markets[coin], now_ms)

    def enlist(self, account: Account, order: BookOrder) -> None:
        """Count an order among the open ones of its account."""
        account.open_orders[order.oid] = order
        if order.cloid is not None:
            account.by_cloid[order.cloid] = order.oid

    def delist(self, account: Account, order: BookOrder) -> None:
        """Take an open order out of where it waits; it has not ended yet."""
        market = self.markets[order.coin]
        if order.dormant:
            del market.triggers[order.oid]
        else:
            market.book.remove(order)
            self.touched.add(order.coin)
        del account.open_orders[order.oid]

    # Cancels.

    def cancel_oid(self, account: Account, market: Market | None, oid: int, now_ms: int) -> Any:
        """Cancel by order id: "success" or an error entry."""
        order = account.open_orders.get(oid)
        if market is None or order is None or order.coin != market.info.coin:
            suffix = self.suffix(market) if market is not None else " asset=-1"
            return {"error": f"Order was never placed, already canceled, or filled.{suffix}"}
        self.remove(account, market, order, "canceled", now_ms)
        return _SUCCESS

    def cancel_cloid(self, account: Account, market: Market | None, cloid: str, now_ms: int) -> Any:
        """Cancel by client order id."""
        return self.cancel_oid(account, market, account.by_cloid.get(cloid, -1), now_ms)

    def cancel_all(self, account: Account, coin: str, now_ms: int) -> None:
        """Take all orders of an account off one book (the market makers' requote)."""
        market = self.markets[coin]
        for order in [o for o in account.open_orders.values() if o.coin == coin]:
            if account.is_agent:  # nobody is told, and it has no family
                self.delist(account, order)
            elif order.oid in account.open_orders:
                self.remove(account, market, order, "canceled", now_ms)

    def rest_quote(self, account: Account, r: Request, now_ms: int) -> None:
        """A quote of the exchange's own maker: most rest at once, and what would trade goes the way of all orders."""
        if r.market.halted or r.market.book.would_cross(is_buy=r.is_buy, limit_px=r.px):
            self.place(account, r, now_ms)
            return
        order = self.new_order(account, r, now_ms)
        r.market.book.add(order)
        self.enlist(account, order)
        self.touched.add(order.coin)

    def schedule_cancel(self, account: Account, when_ms: int | None) -> None:
        """Set the dead man's switch of an account, or take it back."""
        account.cancel_at_ms = when_ms
        self._switches.pop(account.address, None)
        if when_ms is not None:
            self._switches[account.address] = when_ms

    def run_switches(self, now_ms: int) -> None:
        """Cancel everything of the accounts whose switch is due."""
        for address in [a for a, when in self._switches.items() if when <= now_ms]:
            account, day = self.accounts[address], now_ms // DAY_MS
            self.schedule_cancel(account, None)
            count = account.cancels_triggered[1] if account.cancels_triggered[0] == day else 0
            account.cancels_triggered = (day, count + 1)
            for order in self.open_orders(account):
                if order.oid in account.open_orders:
                    self.remove(account, self.markets[order.coin], order, "scheduledCancel", now_ms)

    def remove(self, account: Account, market: Market, order: BookOrder, status: str, now_ms: int) -> None:
        """End an open order."""
        self.delist(account, order)
        self.ended(account, order, status, now_ms)

    def ended(self, account: Account, order: BookOrder, status: str, now_ms: int) -> None:
        """An order is over: say so, and let its TP/SL family follow."""
        self.tell(account, order, status, now_ms)
        if order.children or order.siblings:
            triggers.after_end(self, account, order, status, now_ms)

    # What the world is told.

    def tell(self, account: Account, order: BookOrder, status: str, now_ms: int) -> None:
        """Write an order's state into its history and into the streams."""
        if account.is_agent:
            return
        record = frontend_order(order, order.sz)
        account.history.pop(order.oid, None)
        account.history[order.oid] = {"order": record, "status": status, "statusTimestamp": now_ms}
        if order.cloid is not None:
            account.by_cloid[order.cloid] = order.oid
        while len(account.history) > MAX_HISTORY:
            oldest: Any = account.history.pop(next(iter(account.history)))
            account.by_cloid.pop(oldest["order"]["cloid"] or "", None)
        self.events.append(OrderEvent(account.address, order, status, now_ms, order.sz))

    def note(self, account: Account, delta: dict[str, Any], now_ms: int) -> None:
        """An entry of the account's ledger: anything but trades and funding."""
        if account.is_agent:
            return
        entry = {"time": now_ms, "hash": self.tx_hash(), "delta": delta}
        account.ledger.append(entry)
        self.events.append(LedgerEvent(account.address, entry))

    def tx_hash(self) -> str:
        """A new transaction hash."""
        self._next_hash += 1
        return "0x" + format(mix(self._next_hash), "016x") * 4

    # Prices.

    def update_mark(self, market: Market, submitted: list[Decimal], now_ms: int) -> None:
        """The median of the submitted marks and the local mark, moved by at most 1 %."""
        bid, ask = market.book.best_bid(), market.book.best_ask()
        prices = list(submitted)
        if bid is not None and ask is not None:
            prices.append(sorted([bid, ask, market.last_px])[1])
        if not prices:
            return
        prices.sort()
        middle = len(prices) // 2
        median = prices[middle] if len(prices) % 2 else (prices[middle - 1] + prices[middle]) / 2
        low, high = market.mark * Decimal("0.99"), market.mark * Decimal("1.01")
        self.set_mark(market, min(max(median, low), high), now_ms)

    def set_mark(self, market: Market, px: Decimal, now_ms: int) -> None:
        """A new mark price: triggers fire, and whoever cannot hold any longer is liquidated."""
        market.mark = round_price(px, market.info.sz_decimals, up=False)
        if market.triggers:
            triggers.check(self, market, now_ms)
        self.settle(now_ms)
        if market.at_cap:
            rules.enforce_cap(self, market, now_ms)
        self.remargin(market, now_ms)

    def remargin(self, market: Market, now_ms: int) -> None:
        """Liquidate whoever cannot hold any longer."""
        if market.holders:
            liquidation.check(self, market, now_ms)
