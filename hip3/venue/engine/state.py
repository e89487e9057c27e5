"""The state of the embedded exchange's engine: books, accounts, marks, order ids. Pure: time is an argument.

It has the reads and the elementary moves, each of which leaves it whole; what an exchange does with them are
functions on it (`endings`, `rules`, `matching`, `triggers`, `placing`, `liquidation`, `funding`, `halts`), and
`engine` puts these in order. What the streams must tell is appended to `events` and taken by the venue.

Oids, hashes and orders of dictionaries follow from the calls alone, so a run can be repeated.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from hip3.core.money import ZERO
from hip3.venue.engine import fees
from hip3.venue.engine.account import NO_TOKENS, Account
from hip3.venue.engine.book import BookOrder
from hip3.venue.engine.model import MAKER_RATE, TAKER_RATE, Event, LedgerEvent, Market, MarketInfo, OrderEvent, Request
from hip3.venue.engine.orders import frontend_order, mix
from hip3.venue.setup.parameters import DEFAULT, Parameters

FIRST_OID = 500_000_000_000
"""Oids count up from here, over all markets; a refused order uses one up, too."""
MAX_HISTORY = 2000
"""How many orders of an account are remembered, open ones included."""
DAY_MS = 86_400_000


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


class State:
    """All markets and accounts. Confined to the venue's one thread.

    `markets` are (what it is, starting price), in the order of their universes. Both dictionaries of them are
    complete from the start; accounts come when they are funded and never go.
    """

    def __init__(
        self,
        markets: list[tuple[MarketInfo, Decimal]],
        parameters: Parameters = DEFAULT,
        tokens: Mapping[str, int] = NO_TOKENS,
    ) -> None:
        self.parameters = parameters
        self.tokens = tokens
        """Builder dex -> its collateral token."""
        self.markets = {info.coin: Market(info, px) for info, px in markets}
        self.dexs = list(dict.fromkeys(m.info.dex for m in self.markets.values()))
        self.by_asset = {m.info.asset_id: m for m in self.markets.values()}
        self.accounts: dict[str, Account] = {}
        """By address in small letters."""
        self.events: list[Event] = []
        """In the order in which things happened. The publisher takes them by putting a new list here."""
        self.touched: set[str] = set()
        """Coins whose book changed since the publisher looked."""
        self.left = ZERO
        """Cash that was withdrawn, the fee for it included."""
        self.residue = ZERO
        """What cutting funding payments to 6 decimals has left over."""
        self.post_only = False
        """The minutes after a network upgrade: only post-only orders. Nothing here sets it."""
        self.maker_volume: dict[int, Decimal] = {}
        """UTC day -> maker volume of everybody, as the fee tiers count it."""
        self.recheck: dict[str, None] = {}
        """Coins whose triggers must be looked at again once the present order is done; in order, each once."""
        self._marks = _Marks(self.markets)
        self.switches: dict[str, int] = {}
        """Address -> when its dead man's switch cancels everything."""
        self.next_oid = FIRST_OID
        """The newest oid given out."""
        self.next_hash = 1
        """How many hashes were given out."""

    # Accounts.

    def account(self, address: str) -> Account | None:
        """The account of an address, None if it was never funded."""
        return self.accounts.get(address)

    def fund(self, address: str, dex: str, amount: Decimal, *, agent: bool = False) -> Account:
        """Put USD into a dex account; the account exists from now on, also by an amount of 0.

        Nobody is told: an entry in the ledger is `note`'s. `agent` says what a new account is.
        """
        account = self.accounts.get(address)
        if account is None:
            account = self.accounts[address] = Account(address, agent=agent, tokens=self.tokens)
            if not agent:
                account.mode = self.parameters.account_mode
        account.dex(dex).raw_usd += amount
        return account

    def marks(self) -> Mapping[str, Decimal]:
        """Mark price of every market: a view that follows the marks, not a copy."""
        return self._marks

    def leverage_of(self, account: Account, market: Market) -> tuple[int, bool]:
        """(leverage, isolated) that holds for a new position: the user's, else 20 or the market's highest, and cross
        where that is allowed. A position that is open has its own."""
        info = market.info
        leverage, isolated = account.leverage.get(info.coin, (20, False))
        return min(leverage, info.max_leverage), isolated or info.margin_mode is not None

    def position(self, account: Account, market: Market) -> Decimal:
        """Signed size held, 0 if none."""
        position = account.dex(market.info.dex).positions.get(market.info.coin)
        return position.szi if position is not None else ZERO

    def open_orders(self, account: Account, dex: str | None = None) -> list[BookOrder]:
        """Resting and dormant orders of an account, oldest first; of one dex if given.

        A new list: orders may be ended while it is walked. Those that ended with another one are still in it, so
        who ends orders looks each up in `account.open_orders` first.
        """
        orders = account.open_orders.values()
        return [o for o in orders if dex is None or self.markets[o.coin].info.dex == dex]

    # Fees.

    def base_rates(self, account: Account, now_ms: int) -> tuple[Decimal, Decimal]:
        """(taker, maker) of the account's volume tier, before discounts and the HIP-3 factor."""
        if not account.daily:
            return TAKER_RATE, MAKER_RATE
        return fees.base_rates(account, self.maker_volume, now_ms)

    def fee_rate(self, account: Account, market: Market, now_ms: int, *, crossed: bool) -> Decimal:
        """What the account pays on this market as taker (`crossed`) or maker; negative: it is paid."""
        rates = self.base_rates(account, now_ms)
        return fees.rate_of(market.info, rates[0] if crossed else rates[1], account.referral)

    def count_volume(self, account: Account, notional: Decimal, now_ms: int, *, crossed: bool) -> None:
        """Credit volume to the day, of the account and (maker) of the exchange.

        `notional` is as it counts for the tiers: a tenth on growth markets (docs/venue-facts.md F27).
        """
        day = now_ms // DAY_MS
        if not crossed:
            self.maker_volume[day] = self.maker_volume.get(day, ZERO) + notional
        if not account.is_agent:
            taken, made = account.daily.get(day, (ZERO, ZERO))
            account.daily[day] = (taken + notional, made) if crossed else (taken, made + notional)

    def volume_of(self, day: int) -> Decimal:
        """Maker volume of everybody on a UTC day, which is all volume, seen from one side. Growth markets count a
        tenth."""
        return self.maker_volume.get(day, ZERO)

    # Orders.

    def suffix(self, market: Market) -> str:
        """What the exchange appends to the refusal of one order; "" if parameters say so (docs/venue-facts.md F11)."""
        return f" asset={market.info.asset_id}" if self.parameters.asset_suffix else ""

    def new_order(self, account: Account, r: Request, now_ms: int) -> BookOrder:
        """An order with an id, nowhere yet: no book, no history, nobody told."""
        self.next_oid += 1
        return BookOrder(
            oid=self.next_oid, owner=account.address, coin=r.market.info.coin, is_buy=r.is_buy, limit_px=r.px,
            sz=r.sz, tif=r.tif, reduce_only=r.reduce_only, cloid=r.cloid, placed_ms=now_ms, trigger=r.trigger,
            position_tpsl=r.position_tpsl, builder=r.builder,
        )  # fmt: skip

    def enlist(self, account: Account, order: BookOrder) -> None:
        """Count an order among the open ones of its account; whoever calls puts it on a book or among triggers."""
        account.open_orders[order.oid] = order
        if order.cloid is not None:
            account.by_cloid[order.cloid] = order.oid

    def delist(self, account: Account, order: BookOrder) -> None:
        """Take an open order out of where it waits; it has not ended yet. KeyError if it is not open.

        Its cloid still leads to it, as to every order that is over.
        """
        market = self.markets[order.coin]
        if order.dormant:
            del market.triggers[order.oid]
        else:
            market.book.remove(order)
            self.touched.add(order.coin)
        del account.open_orders[order.oid]

    # What the world is told.

    def tell(self, account: Account, order: BookOrder, status: str, now_ms: int) -> None:
        """Write an order's state into its history and into the streams; of an agent's nothing.

        `status` is the exchange's word. A state that changes moves the order to the end of the history, and the
        oldest that is over goes with its cloid when there are too many.
        """
        if account.is_agent:
            return
        record = frontend_order(order, order.sz)
        # Out and in again: a key that stays would keep its old place.
        account.history.pop(order.oid, None)
        account.history[order.oid] = {"order": record, "status": status, "statusTimestamp": now_ms}
        # One that is open keeps its name, whatever else is refused under it.
        if order.cloid is not None and account.by_cloid.get(order.cloid) not in account.open_orders:
            account.by_cloid[order.cloid] = order.oid
        while len(account.history) > MAX_HISTORY:
            oid = next((o for o in account.history if o not in account.open_orders), None)
            if oid is None:
                break
            cloid = account.history.pop(oid)["order"]["cloid"]
            if account.by_cloid.get(cloid or "") == oid:
                del account.by_cloid[cloid]
        self.events.append(OrderEvent(account.address, order, status, now_ms, order.sz))

    def note(self, account: Account, delta: dict[str, Any], now_ms: int) -> None:
        """An entry of the account's ledger: anything but trades and funding. It moves no cash itself."""
        if account.is_agent:
            return
        entry = {"time": now_ms, "hash": self.tx_hash(), "delta": delta}
        account.ledger.append(entry)
        self.events.append(LedgerEvent(account.address, entry))

    def tx_hash(self) -> str:
        """A new transaction hash, 0x and 64 digits: the next of a fixed row."""
        self.next_hash += 1
        return "0x" + format(mix(self.next_hash), "016x") * 4
