"""A price-time order book. Pure.

Levels are lists in order of arrival; prices are kept sorted. Matching itself is the engine's; the
book answers who is next.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from hip3.core.money import ZERO


class Trigger(NamedTuple):
    """When a TP/SL order fires: the mark at or past `px`, above it or below it."""

    px: Decimal
    is_market: bool
    tpsl: str
    above: bool

    def due(self, mark: Decimal) -> bool:
        """Whether the mark has reached the trigger price."""
        return mark >= self.px if self.above else mark <= self.px


class BookOrder:
    """An order as the exchange keeps it: on the book, on its way there, or waiting for its trigger."""

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
        """A trigger order that has become a plain one."""
        self.position_tpsl = position_tpsl
        self.builder = builder
        self.waiting = False
        """A TP/SL child whose parent has not filled."""
        self.children: list[BookOrder] = []
        self.siblings: list[BookOrder] = []
        """The TP/SL orders of one group, itself included: when one fills, the others go."""

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
        level = self.levels.get(order.limit_px)
        if level is None:
            self.levels[order.limit_px] = [order]
            insort(self._keys, self._sign * order.limit_px)
        else:
            level.append(order)

    def remove(self, order: BookOrder) -> None:
        level = self.levels[order.limit_px]
        level.remove(order)
        if not level:
            del self.levels[order.limit_px]
            del self._keys[bisect_left(self._keys, self._sign * order.limit_px)]

    def best(self) -> Decimal | None:
        return abs(self._keys[0]) if self._keys else None

    def prices(self) -> Iterator[Decimal]:
        return (abs(key) for key in self._keys)


class Book:
    """Both sides of one market."""

    def __init__(self) -> None:
        self._bids = _Side(is_bid=True)
        self._asks = _Side(is_bid=False)

    def side(self, *, is_buy: bool) -> _Side:
        """The side that orders of this direction rest on."""
        return self._bids if is_buy else self._asks

    def add(self, order: BookOrder) -> None:
        """Rest an order behind the others at its price."""
        self.side(is_buy=order.is_buy).add(order)

    def remove(self, order: BookOrder) -> None:
        """Take an order off the book; it must rest there."""
        self.side(is_buy=order.is_buy).remove(order)

    def best_bid(self) -> Decimal | None:
        return self._bids.best()

    def best_ask(self) -> Decimal | None:
        return self._asks.best()

    def would_cross(self, *, is_buy: bool, limit_px: Decimal) -> bool:
        """Whether an order at `limit_px` would meet one of the other side."""
        best = self.best_ask() if is_buy else self.best_bid()
        if best is None:
            return False
        return limit_px >= best if is_buy else limit_px <= best

    def next_maker(self, *, is_buy: bool, limit_px: Decimal) -> BookOrder | None:
        """The resting order that a taker of this direction meets first, within its limit."""
        if not self.would_cross(is_buy=is_buy, limit_px=limit_px):
            return None
        side = self._asks if is_buy else self._bids
        best = side.best()
        assert best is not None
        return side.levels[best][0]

    def depth(self, *, is_buy: bool, levels: int) -> list[tuple[Decimal, Decimal, int]]:
        """(price, size, orders) of the best levels of one side."""
        side = self.side(is_buy=is_buy)
        out: list[tuple[Decimal, Decimal, int]] = []
        for price in side.prices():
            if len(out) == levels:
                break
            level = side.levels[price]
            out.append((price, sum((o.sz for o in level), ZERO), len(level)))
        return out

    def touch(self, *, is_buy: bool) -> tuple[Decimal, Decimal, int] | None:
        """The best level of one side, or None."""
        levels = self.depth(is_buy=is_buy, levels=1)
        return levels[0] if levels else None

    def impact_px(self, *, is_buy: bool, notional: Decimal) -> Decimal | None:
        """The mean price a market order of `notional` dollars would get; None without enough book."""
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
