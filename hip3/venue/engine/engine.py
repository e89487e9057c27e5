"""The engine of the embedded exchange: what may be asked of its state, and in which order things happen. Pure.

`place` and `cancel_…` return the status entry of the answer. Rules and texts: docs/venue-facts.md F11 (validity),
F12 (matching). What it does not do yet stands in docs/exchange.md.

Every call runs to its end before the next: triggers that an order set off have fired and accounts that a mark broke
are liquidated when it returns. A status entry is `{"resting": …}`, `{"filled": …}`, `{"error": text}` or, for a TP/SL
child, a word.
"""

from decimal import Decimal
from typing import Any

from hip3.core.money import round_price
from hip3.venue.engine import endings, liquidation, placing, rules, triggers
from hip3.venue.engine.account import Account
from hip3.venue.engine.book import BookOrder
from hip3.venue.engine.model import Market, Request
from hip3.venue.engine.state import DAY_MS, State

_SUCCESS = "success"


class Engine(State):
    """The state with its rules at work. Confined to the venue's one thread.

    `modify`, `halts` and `funding` work on an engine from outside: nothing here needs them.
    """

    # Orders.

    def prevalidate(self, requests: list[Request]) -> str | None:
        """The first fault that refuses a whole action, without suffix; None if there is none. Ask before placing."""
        return rules.prevalidate(requests, self.parameters)

    def place(self, account: Account, r: Request, now_ms: int) -> dict[str, Any]:
        """Place one order: its status entry. A refusal is an `error` entry."""
        entry = placing.admit(self, account, r, now_ms)[1]
        triggers.settle(self, now_ms)
        return entry

    def place_group(self, account: Account, requests: list[Request], grouping: str, now_ms: int) -> list[Any]:
        """Place the orders of one action, which must not be empty: their status entries, in order.

        `grouping` is "na", "normalTpsl" or "positionTpsl" (docs/venue-facts.md F17, F18). Triggers fire when all are
        placed.
        """
        entries = placing.place_group(self, account, requests, grouping, now_ms)
        triggers.settle(self, now_ms)
        return entries

    # Cancels.

    def cancel_oid(self, account: Account, market: Market | None, oid: int, now_ms: int) -> Any:
        """Cancel by order id: "success", or an error entry if there is no such open order on the market.

        `market` is None for an asset that is none; the entry then says `asset=-1`.
        """
        order = account.open_orders.get(oid)
        if market is None or order is None or order.coin != market.info.coin:
            suffix = self.suffix(market) if market is not None else " asset=-1"
            return {"error": f"Order was never placed, already canceled, or filled.{suffix}"}
        self.remove(account, market, order, "canceled", now_ms)
        return _SUCCESS

    def cancel_cloid(self, account: Account, market: Market | None, cloid: str, now_ms: int) -> Any:
        """Cancel by client order id, in small letters: as `cancel_oid`."""
        return self.cancel_oid(account, market, account.by_cloid.get(cloid, -1), now_ms)

    def cancel_all(self, account: Account, coin: str, now_ms: int) -> None:
        """Take all orders of an account off one book (the market makers' requote). Users' orders end as canceled."""
        market = self.markets[coin]
        # A list of its own: orders leave `open_orders` as they end, and take their families with them.
        for order in [o for o in account.open_orders.values() if o.coin == coin]:
            if account.is_agent:  # nobody is told, and it has no family
                self.delist(account, order)
            elif order.oid in account.open_orders:
                self.remove(account, market, order, "canceled", now_ms)

    def rest_quote(self, account: Account, r: Request, now_ms: int) -> None:
        """A quote of the exchange's own maker: most rest at once, and what would trade goes the way of all orders.

        `account` must be an agent: no rule is asked, nobody is told. On a halted market the quote is refused.
        """
        if r.market.halted or r.market.book.would_cross(is_buy=r.is_buy, limit_px=r.px):
            self.place(account, r, now_ms)
            return
        order = self.new_order(account, r, now_ms)
        r.market.book.add(order)
        self.enlist(account, order)
        self.touched.add(order.coin)

    def schedule_cancel(self, account: Account, when_ms: int | None) -> None:
        """Set the dead man's switch of an account to `when_ms`, or take it back with None.

        Whether the account may is asked before, by the action (docs/venue-facts.md F24).
        """
        account.cancel_at_ms = when_ms
        self.switches.pop(account.address, None)
        if when_ms is not None:
            self.switches[account.address] = when_ms

    def run_switches(self, now_ms: int) -> None:
        """Cancel everything of the accounts whose switch is due, as `scheduledCancel`; each switch goes off once."""
        for address in [a for a, when in self.switches.items() if when <= now_ms]:
            account, day = self.accounts[address], now_ms // DAY_MS
            self.schedule_cancel(account, None)
            count = account.cancels_triggered[1] if account.cancels_triggered[0] == day else 0
            account.cancels_triggered = (day, count + 1)
            for order in self.open_orders(account):
                if order.oid in account.open_orders:
                    self.remove(account, self.markets[order.coin], order, "scheduledCancel", now_ms)

    def remove(self, account: Account, market: Market, order: BookOrder, status: str, now_ms: int) -> None:
        """End an open order with the exchange's word for why, and its family with it. KeyError if it is not open."""
        endings.remove(self, account, market, order, status, now_ms)

    # Prices.

    def update_mark(self, market: Market, submitted: list[Decimal], now_ms: int) -> None:
        """The median of the submitted marks and the local mark, moved by at most 1 % of the mark so far.

        The local mark is the median of bid, ask and last trade, and is missing while a side is empty. Without any
        price the mark stays, and nothing is looked at.
        """
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
        """A new mark price: triggers fire, and whoever cannot hold any longer is liquidated.

        `px` is rounded down to a legal price; ValueError if none is left. It may jump as far as it likes.
        """
        # Stops come before liquidation: an account that protected itself in time is not liquidated.
        market.mark = round_price(px, market.info.sz_decimals, up=False)
        if market.triggers:
            triggers.check(self, market, now_ms)
        triggers.settle(self, now_ms)
        if market.at_cap:
            rules.enforce_cap(self, market, now_ms)
        self.remargin(market, now_ms)

    def remargin(self, market: Market, now_ms: int) -> None:
        """Liquidate whoever cannot hold any longer at the mark as it is, as after a payment of funding."""
        if market.holders:
            liquidation.check(self, market, now_ms)
