"""What must hold of quotes, by the exchange's own record: one order of a key, and the worst side within the limits."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from hip3.core.money import ZERO
from hip3.core.orders import PendingOrder, Tif
from hip3.onethread.threads import Violation
from hip3.simulate.scene import Scene

DRIFT = Decimal("1.05")
"""A limit is of prices at admission; what is held has moved since."""
Key = tuple[str, str, int]


class QuotesThatLeft:
    """Quotes by key, as their bytes left; those that the exchange can execute no more are forgotten."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._left: dict[Key, set[str]] = {}
        self._orders: dict[str, PendingOrder] = {}

    def check(self, order: PendingOrder, may_land: Iterable[str]) -> None:
        """A quote leaves: no other order of its key, and none that it would trade with, rests or may be executed."""
        assert order.level is not None
        if order.tif is not Tif.ALO:
            raise Violation(f"a quote left as {order.tif.value}")
        key = (order.coin, order.side.value, order.level)
        account = self._scene.venue.engine.account(self._scene.user)
        resting = set() if account is None else {o.cloid for o in account.open_orders.values()}
        landing = resting | set(may_land)
        alive = self._left.get(key, set()) & landing - {order.cloid}
        if alive:
            raise Violation(f"a second quote of {key} leaves while {[self._scene.name(c) for c in alive]} may be alive")
        self._left[key] = {order.cloid}
        self._orders = {c: o for c, o in self._orders.items() if c in landing}
        for cloid, other in self._orders.items():
            opposed = other.coin == order.coin and other.side is not order.side
            if opposed and (order.px - other.px) * order.side.sign >= 0:
                raise Violation(f"a quote at {order.px} leaves against our own {self._scene.name(cloid)} at {other.px}")
        self._orders[order.cloid] = order


def worst_sides(
    scene: Scene, may_land: Iterable[tuple[str, bool, Decimal]], admitted: Mapping[str, PendingOrder]
) -> dict[str, Decimal]:
    """What each quoted market may come to, in USD: position and all buys, or position and all sells.

    `may_land`: coin, whether it buys, and USD of what is under way. Violation beyond a market's limits.
    """
    base = scene.settings.base
    quoted = base.quoted_coins
    sums = {(coin, buys): ZERO for coin in quoted for buys in (True, False)}
    account = scene.venue.engine.account(scene.user)
    for order in () if account is None else account.open_orders.values():
        known = admitted.get(order.cloid or "")
        if known is not None and known.level is not None and (known.coin, known.side.is_buy) in sums:
            sums[known.coin, known.side.is_buy] += order.sz * known.px
    for coin, buys, usd in may_land:
        if coin in quoted:
            sums[coin, buys] += usd
    out, limit = {}, min(base.max_notional_per_market, base.quote_max_inventory_usd)
    for coin in quoted:
        signed = scene.positions().get(coin, ZERO) * scene.venue.engine.markets[coin].mark
        worst = max(signed + sums[coin, True], sums[coin, False] - signed)
        if worst > limit * DRIFT:
            raise Violation(f"the quotes of {coin} may come to {worst:.2f} USD, their limit is {limit}")
        if worst:
            out[coin] = worst
    return out
