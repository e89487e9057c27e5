"""The matching engine of the embedded exchange. Pure: time is an argument, events are returned.

It owns books, accounts and order ids. `place` and `cancel` return the status entry of the answer;
what the streams must tell is appended to `events` and taken by the venue. Rules and texts:
docs/venue-facts.md F11 (validity), F12 (matching). What it does not do yet stands in docs/exchange.md.
"""

from decimal import Decimal
from typing import Any

from hip3.core.money import (
    ZERO,
    decimals_of,
    div,
    is_legal_price,
    round_price,
    significant_figures,
    truncate,
)
from hip3.venue.account import USD_DECIMALS, Account
from hip3.venue.book import BookOrder
from hip3.venue.model import FillEvent, Market, MarketInfo, OrderEvent, Request, TradeEvent
from hip3.venue.numbers import num
from hip3.venue.orders import average, direction, fill_id, frontend_order, mix

MIN_NOTIONAL = Decimal(10)
PRICE_BAND = Decimal("0.95")
FIRST_OID = 500_000_000_000
MAX_HISTORY = 2000
_SUCCESS = "success"


class Engine:
    """All markets and accounts. Confined to the venue's one thread."""

    def __init__(self, markets: list[tuple[MarketInfo, Decimal]]) -> None:
        self.markets = {info.coin: Market(info, px) for info, px in markets}
        self.by_asset = {m.info.asset_id: m for m in self.markets.values()}
        self.accounts: dict[str, Account] = {}
        self.events: list[OrderEvent | FillEvent | TradeEvent] = []
        self.touched: set[str] = set()
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

    def marks(self) -> dict[str, Decimal]:
        """Mark price of every market."""
        return {coin: market.mark for coin, market in self.markets.items()}

    def leverage_of(self, account: Account, market: Market) -> tuple[int, bool]:
        """(leverage, isolated) that holds for a new position: the user's, else the default."""
        info = market.info
        isolated_only = info.margin_mode is not None
        return account.leverage.get(info.coin, (min(20, info.max_leverage), isolated_only))

    # Orders.

    def prevalidate(self, requests: list[Request]) -> str | None:
        """The first fault that refuses a whole action, without suffix; None if there is none."""
        for r in requests:
            decimals = r.market.info.sz_decimals
            if r.sz <= 0:
                return "Order has zero size."
            if decimals_of(r.sz) > decimals:
                return "Order has invalid size."
            if r.px <= 0 or (decimals_of(r.px) > max(0, 6 - decimals)):
                return "Order has invalid price."
            if abs(r.px - r.market.oracle) > PRICE_BAND * r.market.oracle:
                return "Order price cannot be more than 95% away from the reference price"
        return None

    def place(self, account: Account, r: Request, now_ms: int) -> dict[str, Any]:
        """Place one order: its status entry."""
        market = r.market
        order = BookOrder(
            oid=self._oid(), owner=account.address, coin=market.info.coin, is_buy=r.is_buy, limit_px=r.px,
            sz=r.sz, tif=r.tif, reduce_only=r.reduce_only, cloid=r.cloid, placed_ms=now_ms,
        )  # fmt: skip
        refusal = self._refusal(account, r, order)
        if refusal is not None:
            text, status = refusal
            if status is not None:
                self._tell(account, order, status, now_ms, order.sz)
            return {"error": f"{text} asset={market.info.asset_id}"}
        if r.reduce_only:
            held = abs(self._position(account, market))
            order.sz = min(order.sz, held)
        return self._execute(account, market, order, now_ms)

    def _refusal(self, account: Account, r: Request, order: BookOrder) -> tuple[str, str | None] | None:
        """(text, order status) of the first rule an order breaks."""
        market = r.market
        if market.halted:
            return "Trading is halted.", None
        if not is_legal_price(r.px, market.info.sz_decimals):
            assert significant_figures(r.px) > 5
            return "Price must be divisible by tick size.", "tickRejected"
        position = self._position(account, market)
        reduces = position != 0 and (position > 0) != r.is_buy
        if r.px * r.sz < MIN_NOTIONAL and not (reduces and r.sz >= abs(position)):
            return "Order must have minimum value of $10.", "minTradeNtlRejected"
        if r.reduce_only and not reduces:
            return "Reduce only order would increase position.", "reduceOnlyRejected"
        crosses = market.book.would_cross(is_buy=r.is_buy, limit_px=r.px)
        if r.tif == "Alo" and crosses:
            bid, ask = market.book.best_bid(), market.book.best_ask()
            bbo = f"{'' if bid is None else num(bid)}@{'' if ask is None else num(ask)}"
            return f"Post only order would have immediately matched, bbo was {bbo}.", "badAloPxRejected"
        if not account.is_agent and not self._has_margin(account, market, r, position):
            return "Insufficient margin to place order.", "perpMarginRejected"
        if r.tif in ("Ioc", "FrontendMarket") and not crosses:
            return "Order could not immediately match against any resting orders.", "iocCancelRejected"
        return None

    def _has_margin(self, account: Account, market: Market, r: Request, position: Decimal) -> bool:
        """Initial margin for what the order adds, at its limit price (docs/venue-facts.md F12)."""
        signed = r.sz if r.is_buy else -r.sz
        added = abs(position + signed) - abs(position)
        if added <= 0:
            return True
        leverage, _ = self.leverage_of(account, market)
        held = account.dex(market.info.dex)
        marks = self.marks()
        resting = sum((self._order_margin(account, o) for o in self._open_of(account, market.info.dex)), ZERO)
        free = held.cross_value(marks) - held.cross_margin(marks) - resting
        return div(added * r.px, Decimal(leverage)) <= free

    def _order_margin(self, account: Account, order: BookOrder) -> Decimal:
        if order.reduce_only:
            return ZERO
        leverage, _ = self.leverage_of(account, self.markets[order.coin])
        return div(order.sz * order.limit_px, Decimal(leverage))

    def _open_of(self, account: Account, dex: str) -> list[BookOrder]:
        return [o for o in self.open_orders(account) if self.markets[o.coin].info.dex == dex]

    @staticmethod
    def open_orders(account: Account) -> list[BookOrder]:
        """Resting orders of an account, oldest first."""
        return [o for o in account.open_orders.values() if isinstance(o, BookOrder)]

    def _position(self, account: Account, market: Market) -> Decimal:
        position = account.dex(market.info.dex).positions.get(market.info.coin)
        return position.szi if position is not None else ZERO

    def _execute(self, account: Account, market: Market, order: BookOrder, now_ms: int) -> dict[str, Any]:
        """Match, then rest or drop what is left."""
        self._tell(account, order, "open", now_ms, order.sz)
        asked = order.sz
        paid = self._match(account, market, order, now_ms)
        done = asked - order.sz
        self.touched.add(order.coin)
        if order.sz > 0 and order.tif in ("Gtc", "Alo"):
            market.book.add(order)
            account.open_orders[order.oid] = order
            if order.cloid is not None:
                account.by_cloid[order.cloid] = order.oid
            return {"resting": self._ids(order)}
        self._tell(account, order, "filled" if order.sz == 0 else "canceled", now_ms, order.sz)
        entry = {"totalSz": num(done), "avgPx": num(average(paid, done, market.info.sz_decimals))}
        return {"filled": entry | self._ids(order)}

    def _ids(self, order: BookOrder) -> dict[str, Any]:
        return {"oid": order.oid} if order.cloid is None else {"oid": order.oid, "cloid": order.cloid}

    def _match(self, account: Account, market: Market, order: BookOrder, now_ms: int) -> Decimal:
        """Trade against the book within the limit; returns the notional paid."""
        paid = ZERO
        while order.sz > 0:
            maker = market.book.next_maker(is_buy=order.is_buy, limit_px=order.limit_px)
            if maker is None:
                break
            other = self.accounts[maker.owner]
            if maker.owner == account.address:
                self._remove(other, market, maker, "selfTradeCanceled", now_ms)
                continue
            size = min(order.sz, maker.sz)
            self._trade(account, other, market, order, maker, size, now_ms)
            paid += size * maker.limit_px
        return paid

    def _trade(
        self,
        taker: Account,
        maker: Account,
        market: Market,
        order: BookOrder,
        resting: BookOrder,
        size: Decimal,
        now_ms: int,
    ) -> None:
        px = resting.limit_px
        before = self._position(taker, market), self._position(maker, market)
        taker_rate, maker_rate = market.rates()
        tid = fill_id(order.oid, resting.oid)
        tx = self._hash()
        order.sz -= size
        resting.sz -= size
        self._book_fill(taker, market, order, size, px, taker_rate, tid, tx, now_ms, crossed=True)
        self._book_fill(maker, market, resting, size, px, maker_rate, tid, tx, now_ms, crossed=False)
        self._count_open_interest(market, before, taker, maker)
        market.last_px = px
        market.day_notional += size * px
        market.day_base += size
        users = [taker.address, maker.address] if order.is_buy else [maker.address, taker.address]  # buyer first
        trade = {
            "coin": order.coin, "side": "B" if order.is_buy else "A", "px": num(px), "sz": num(size),
            "time": now_ms, "hash": tx, "tid": tid, "users": users,
        }  # fmt: skip
        market.trades.append(trade)
        del market.trades[:-30]
        self.events.append(TradeEvent(order.coin, trade))
        if resting.sz == 0:
            self._remove(maker, market, resting, "filled", now_ms)

    def _count_open_interest(
        self, market: Market, before: tuple[Decimal, Decimal], taker: Account, maker: Account
    ) -> None:
        after = self._position(taker, market), self._position(maker, market)
        longs = sum((max(a, ZERO) for a in after), ZERO) - sum((max(b, ZERO) for b in before), ZERO)
        market.open_interest += longs

    def _book_fill(
        self,
        account: Account,
        market: Market,
        order: BookOrder,
        size: Decimal,
        px: Decimal,
        rate: Decimal,
        tid: int,
        tx: str,
        now_ms: int,
        *,
        crossed: bool,
    ) -> None:
        dex = account.dex(market.info.dex)
        leverage, isolated = self.leverage_of(account, market)
        signed = size if order.is_buy else -size
        before, pnl = dex.apply_fill(order.coin, signed, px, leverage, isolated=isolated)
        fee = truncate(size * px * rate, USD_DECIMALS)
        dex.raw_usd -= fee
        account.fees += fee
        account.volume += size * px
        if account.is_agent:
            return
        fill: dict[str, Any] = {
            "coin": order.coin, "px": num(px), "sz": num(size), "side": "B" if order.is_buy else "A",
            "time": now_ms, "startPosition": num(before), "dir": direction(before, signed),
            "closedPnl": num(pnl), "hash": tx, "oid": order.oid, "crossed": crossed, "fee": num(fee),
            "tid": tid, "feeToken": "USDC", "twapId": None,
        }  # fmt: skip
        if order.cloid is not None:
            fill["cloid"] = order.cloid
        account.fills.append(fill)
        self.events.append(FillEvent(account.address, fill))
        self._shrink_reduce_only(account, market, now_ms)

    def _shrink_reduce_only(self, account: Account, market: Market, now_ms: int) -> None:
        """Resting reduce-only orders shrink with the position and go when it is gone."""
        position = self._position(account, market)
        for order in self.open_orders(account):
            if order.coin != market.info.coin or not order.reduce_only or order.sz == 0:
                continue  # one of size 0 was just filled and is about to leave the book
            if position == 0 or (position > 0) == order.is_buy:
                self._remove(account, market, order, "reduceOnlyCanceled", now_ms)
            elif order.sz > abs(position):
                order.sz = abs(position)

    # Cancels.

    def cancel_oid(self, account: Account, market: Market | None, oid: int, now_ms: int) -> Any:
        """Cancel by order id: "success" or an error entry."""
        order = account.open_orders.get(oid)
        if market is None or not isinstance(order, BookOrder) or order.coin != market.info.coin:
            asset = market.info.asset_id if market is not None else -1
            return {"error": f"Order was never placed, already canceled, or filled. asset={asset}"}
        self._remove(account, market, order, "canceled", now_ms)
        return _SUCCESS

    def cancel_cloid(self, account: Account, market: Market | None, cloid: str, now_ms: int) -> Any:
        """Cancel by client order id."""
        return self.cancel_oid(account, market, account.by_cloid.get(cloid, -1), now_ms)

    def cancel_all(self, account: Account, coin: str, now_ms: int) -> None:
        """Take all orders of an account off one book (the market makers' requote)."""
        market = self.markets[coin]
        for order in self.open_orders(account):
            if order.coin == coin:
                self._remove(account, market, order, "canceled", now_ms)

    def _remove(self, account: Account, market: Market, order: BookOrder, status: str, now_ms: int) -> None:
        market.book.remove(order)
        del account.open_orders[order.oid]
        self.touched.add(order.coin)
        self._tell(account, order, status, now_ms, order.sz)

    # What the world is told.

    def _tell(self, account: Account, order: BookOrder, status: str, now_ms: int, sz: Decimal) -> None:
        if account.is_agent:
            return
        record = frontend_order(order, sz)
        account.history.pop(order.oid, None)
        account.history[order.oid] = {"order": record, "status": status, "statusTimestamp": now_ms}
        if order.cloid is not None:
            account.by_cloid[order.cloid] = order.oid
        while len(account.history) > MAX_HISTORY:
            oldest: Any = account.history.pop(next(iter(account.history)))
            account.by_cloid.pop(oldest["order"]["cloid"] or "", None)
        self.events.append(OrderEvent(account.address, order, status, now_ms, sz))

    def _oid(self) -> int:
        self._next_oid += 1
        return self._next_oid

    def _hash(self) -> str:
        self._next_hash += 1
        return "0x" + format(mix(self._next_hash), "016x") * 4

    def update_mark(self, market: Market, submitted: list[Decimal]) -> None:
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
        market.mark = round_price(min(max(median, low), high), market.info.sz_decimals, up=False)
