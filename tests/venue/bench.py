"""An engine with a few funded users: what the engine's tests share."""

from decimal import Decimal
from typing import Any

from hip3.venue.engine.account import Account
from hip3.venue.engine.book import Trigger
from hip3.venue.engine.engine import Engine
from hip3.venue.engine.model import FillEvent, Market, MarketInfo, OrderEvent, Request
from hip3.venue.setup.parameters import FundingTerms

D = Decimal
A, B, C = ("0x" + letter * 40 for letter in "abc")
GOLD, TSLA = "xyz:GOLD", "xyz:TSLA"


TERMS = FundingTerms(multiplier=D("0.5"), clamp=D("0.0005"))


class Bench:
    """Two markets of one dex around 4000; A, B and C hold 1000 USDC there unless said otherwise."""

    def __init__(self, *, margin_mode: str | None = "noCross", cash: str = "1000", max_leverage: int = 20) -> None:
        infos = [
            MarketInfo(coin, "xyz", 110_000 + n, 4, max_leverage, margin_mode, False, D(1), funding=TERMS)
            for n, coin in enumerate((GOLD, TSLA))
        ]
        self.engine = Engine([(info, D(4000)) for info in infos])
        self.now = 1_790_000_000_000
        for user in (A, B, C):
            self.engine.fund(user, "xyz", D(cash))

    def market(self, coin: str = GOLD) -> Market:
        return self.engine.markets[coin]

    def account(self, user: str) -> Account:
        return self.engine.accounts[user]

    def place(self, user: str, buy: bool, px: str, sz: str, tif: str = "Gtc", coin: str = GOLD, **kw: Any) -> Any:
        self.now += 1
        request = Request(self.market(coin), buy, D(px), D(sz), kw.get("reduce_only", False), tif, kw.get("cloid"))
        return self.engine.place(self.account(user), request, self.now)

    def tpsl(self, buy: bool, px: str, at: str, sz: str, tpsl: str, **kw: Any) -> Request:
        """A trigger order; `limit` instead of market if told."""
        is_market = not kw.get("limit", False)
        trigger = Trigger(D(at), is_market, tpsl, buy == (tpsl == "sl"))
        tif, on_position = "Ioc" if is_market else "Gtc", kw.get("on_position", False)
        market, cloid = self.market(kw.get("coin", GOLD)), kw.get("cloid")
        return Request(market, buy, D(px), D(sz), kw.get("reduce_only", True), tif, cloid, trigger, on_position)

    def group(self, user: str, requests: list[Request], grouping: str = "na") -> list[Any]:
        self.now += 1
        return self.engine.place_group(self.account(user), requests, grouping, self.now)

    def mark(self, px: str, coin: str = GOLD) -> None:
        self.now += 1
        self.engine.set_mark(self.market(coin), D(px), self.now)

    def open_long(self, user: str, sz: str, px: str = "4000", other: str = A, coin: str = GOLD) -> None:
        """`user` buys `sz` from `other`."""
        self.place(other, False, px, sz, coin=coin)
        assert "filled" in self.place(user, True, px, sz, "Ioc", coin)

    def size(self, user: str, coin: str = GOLD) -> D:
        return self.engine.position(self.account(user), self.market(coin))

    def words(self, user: str) -> list[tuple[int, str]]:
        """(oid, status) in the order they were told, from now on none of them again."""
        mine = [(e.order.oid, e.status) for e in self.engine.events if isinstance(e, OrderEvent) and e.user == user]
        self.engine.events = [e for e in self.engine.events if not (isinstance(e, OrderEvent) and e.user == user)]
        return mine

    def fills(self, user: str) -> list[dict[str, Any]]:
        return [e.fill for e in self.engine.events if isinstance(e, FillEvent) and e.user == user]

    def opened(self, user: str) -> list[int]:
        return [o.oid for o in self.engine.open_orders(self.account(user))]
