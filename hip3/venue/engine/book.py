"""A price-time order book. Pure.

Levels are lists in order of arrival; prices are kept sorted. Matching itself is the engine's; the
book answers who is next (docs/venue-facts.md F12). A resting order's size may be lowered where it rests and keeps
its place; its price must not change, since a level is found by it.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from hip3.core.money import ZERO


class Trigger(NamedTuple):
    """When a TP/SL order fires: the mark at or past `px`, above it or below it (docs/venue-facts.md F17)."""

    px: Decimal
    is_market: bool
    """Whether it becomes an IOC near the mark when it fires, or a GTC at its own limit."""
    tpsl: str
    """"tp" or "sl": how it is named, `above` already follows from it and from the side."""
    above: bool

    def due(self, mark: Decimal) -> bool:
        """Whether the mark has reached the trigger price."""
        return mark >= self.px if self.above else mark <= self.px


class BookOrder:
    """An order as the exchange keeps it: on the book, on its way there, or waiting for its trigger.

    `sz` is what is left and `orig_sz` what was asked for; less may be left without a fill, where reduce-only shrank
    it. `owner` is the address of its account. `builder` is (address, tenths of a basis point). Two orders are the
    same only if they are one object.
    """

    __slots__ = (
        "builder", "children", "cloid", "coin", "fired", "is_buy", "limit_px", "oid", "orig_sz", "owner", "placed_ms",
        "position_tpsl", "reduce_only", "siblings", "sz", "tif", "trigger", "waiting",
    )  # fmt: skip

    def __init__(
        self,
        *,
        oid: int,
        owner: str,
        coin: str,
        is_buy: bool,
        limit_px: Decimal,
        sz: Decimal,
        tif: str,
        reduce_only: bool,
        cloid: str | None,
        placed_ms: int,
        trigger: Trigger | None = None,
        position_tpsl: bool = False,
        builder: tuple[str, int] | None = None,
    ) -> None:
        self.oid = oid
        self.owner = owner
        self.coin = coin
        self.is_buy = is_buy
        self.limit_px = limit_px
        self.sz = sz
        self.orig_sz = sz
        self.tif = tif
        self.reduce_only = reduce_only
        self.cloid = cloid
        self.placed_ms = placed_ms
        self.trigger = trigger
        self.fired = False
        """A trigger order that has become a plain one; for good."""
        self.position_tpsl = position_tpsl
        self.builder = builder
        self.waiting = False
        """A TP/SL child whose parent has not filled."""
        self.children: list[BookOrder] = []
        """Its TP/SL orders, while they wait for it."""
        self.siblings: list[BookOrder] = []
        """The TP/SL orders of one group, itself included: when one fills, the others go. One list for all of them,
        so that a modify replaces a member for everybody. Orders that are over stay in it."""

    @property
    def dormant(self) -> bool:
        """Whether it waits for its trigger, off the book."""
        return self.trigger is not None and not self.fired


class _Side:
    """One side: best price first through a sort key that is smallest for the best."""

    def __init__(self, *, is_bid: bool) -> None:
        self._sign = -1 if is_bid else 1
        self._keys: list[Decimal] = []
        self.levels: dict[Decimal, list[BookOrder]] = {}

    def add(self, order: BookOrder) -> None:
        """The last of its level; a level that is not there comes to be."""
        level = self.levels.get(order.limit_px)
        if level is None:
            self.levels[order.limit_px] = [order]
            insort(self._keys, self._sign * order.limit_px)
        else:
            level.append(order)

    def remove(self, order: BookOrder) -> None:
        """Out of its level; an empty level goes, so that the best one always has somebody."""
        level = self.levels[order.limit_px]
        level.remove(order)
        if not level:
            del self.levels[order.limit_px]
            del self._keys[bisect_left(self._keys, self._sign * order.limit_px)]

    def best(self) -> Decimal | None:
        # Prices are positive, so the sign that sorts them can be dropped.
        return abs(self._keys[0]) if self._keys else None

    def prices(self) -> Iterator[Decimal]:
        return (abs(key) for key in self._keys)


class Book:
    """Both sides of one market. It never crosses itself as long as only what is left of a match is added."""

    def __init__(self) -> None:
        self._bids = _Side(is_bid=True)
        self._asks = _Side(is_bid=False)
        self._impact: dict[tuple[bool, Decimal], Decimal | None] = {}
        """Impact prices of the book as it is: each context asks for them, and most books stand still between two."""

    def side(self, *, is_buy: bool) -> _Side:
        """The side that orders of this direction rest on."""
        return self._bids if is_buy else self._asks

    def add(self, order: BookOrder) -> None:
        """Rest an order behind the others at its price."""
        self._impact.clear()
        self.side(is_buy=order.is_buy).add(order)

    def remove(self, order: BookOrder) -> None:
        """Take an order off the book. KeyError or ValueError if it does not rest there."""
        self._impact.clear()
        self.side(is_buy=order.is_buy).remove(order)

    def resized(self) -> None:
        """Told by whoever changes the size of an order that rests here."""
        self._impact.clear()

    def best_bid(self) -> Decimal | None:
        """The highest price anybody buys at; None for an empty side."""
        return self._bids.best()

    def best_ask(self) -> Decimal | None:
        """The lowest price anybody sells at; None for an empty side."""
        return self._asks.best()

    def would_cross(self, *, is_buy: bool, limit_px: Decimal) -> bool:
        """Whether an order at `limit_px` would meet one of the other side."""
        best = self.best_ask() if is_buy else self.best_bid()
        if best is None:
            return False
        return limit_px >= best if is_buy else limit_px <= best

    def next_maker(self, *, is_buy: bool, limit_px: Decimal) -> BookOrder | None:
        """The resting order that a taker of this direction meets first; None if its limit reaches nobody.

        Best price first, then the oldest of the level. The order stays on the book.
        """
        if not self.would_cross(is_buy=is_buy, limit_px=limit_px):
            return None
        side = self._asks if is_buy else self._bids
        best = side.best()
        assert best is not None
        return side.levels[best][0]

    def depth(self, *, is_buy: bool, levels: int) -> list[tuple[Decimal, Decimal, int]]:
        """(price, size, number of orders) of at most `levels` levels of one side, best first."""
        side = self.side(is_buy=is_buy)
        out: list[tuple[Decimal, Decimal, int]] = []
        for price in side.prices():
            if len(out) == levels:
                break
            level = side.levels[price]
            out.append((price, sum((o.sz for o in level), ZERO), len(level)))
        return out

    def touch(self, *, is_buy: bool) -> tuple[Decimal, Decimal, int] | None:
        """(price, size, number of orders) of the best level of one side, or None."""
        levels = self.depth(is_buy=is_buy, levels=1)
        return levels[0] if levels else None

    def impact_px(self, *, is_buy: bool, notional: Decimal) -> Decimal | None:
        """The mean price a market order of `notional` USD would get; None if the side is worth less.

        `is_buy` is the order's direction. Not rounded, and nothing trades.
        """
        asked = (is_buy, notional)
        if asked not in self._impact:
            self._impact[asked] = self._mean_px(is_buy=is_buy, notional=notional)
        return self._impact[asked]

    def _mean_px(self, *, is_buy: bool, notional: Decimal) -> Decimal | None:
        paid = got = ZERO
        side = self.side(is_buy=not is_buy)
        for price in side.prices():
            size = sum((o.sz for o in side.levels[price]), ZERO)
            take = min(size * price, notional - paid)
            paid += take
            got += take / price
            if paid >= notional:
                return paid / got
        return None
