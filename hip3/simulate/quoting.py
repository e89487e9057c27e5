"""What must hold of quotes, by the exchange's own record: one order of a key, and the worst side within the limits;
none while the position is being left or its session ends; no more than the budget of actions bears; and in the end the
service knows what rests."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from hip3.core.money import BASIS_POINT, ZERO, meets_minimum
from hip3.core.order_state import OrderState
from hip3.core.orders import PendingOrder, Side, Tif
from hip3.core.windows import parse_sessions
from hip3.execution.quotes.pacing import BURST, HORIZON_MS
from hip3.onethread.threads import Violation
from hip3.simulate.scene import Scene
from hip3.venue.engine.book import BookOrder

DRIFT = Decimal("1.05")
"""A limit is of prices at admission; what is held has moved since."""
LATE_MS = 2000
"""A second in which a quote may have waited, and one in which the session's end may have been looked up."""
LOSS = Decimal(2)
"""The entry that the service knows may lack a fill: a completion is bound by so many times its loss."""
UNPROVED_MS = 10_000
Key = tuple[str, str, int]


class QuotesThatLeft:
    """Quotes by key, as their bytes left; those that the exchange can execute no more are forgotten."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._left: dict[Key, set[str]] = {}
        self._orders: dict[str, PendingOrder] = {}
        self._count, self._since_ms = 0, scene.clock.mono_ms()
        """Of this process."""
        self._before: frozenset[str] = frozenset()
        """What rested as it began, and has to go first."""
        self._sessions = parse_sessions(scene.settings.base.quote_sessions)

    def new_process(self) -> None:
        """It begins with a burst of its own, and with the quotes that it finds."""
        self._count, self._since_ms = 0, self._scene.clock.mono_ms()
        cancels = self._scene.settings.base.quote_start == "cancel"
        self._before = frozenset(self._resting().keys() & self._orders.keys()) if cancels else frozenset()

    def _resting(self) -> dict[str, BookOrder]:
        account = self._scene.venue.engine.account(self._scene.user)
        return {} if account is None else {o.cloid: o for o in account.open_orders.values() if o.cloid}

    def check(self, order: PendingOrder, may_land: Iterable[str], *, leaving: bool) -> None:
        """A quote leaves: no other order of its key, and none that it would trade with, rests or may be executed.

        `leaving`: an exit of its market is under way.
        """
        assert order.level is not None
        if order.tif is not Tif.ALO:
            raise Violation(f"a quote left as {order.tif.value}")
        if not meets_minimum(order.px, order.sz):
            raise Violation(f"a quote left for {order.sz} at {order.px}")
        if leaving:
            raise Violation(f"a quote of {order.coin} leaves while its position is being left")
        self._check_session(order)
        resting = self._resting()
        old = next((o for o in resting.values() if o.oid == order.replaces), None)
        if old is None or (order.px - old.limit_px) * order.side.sign > 0:
            self._check_pace()  # one that goes away from the market never waits for the budget
        key = (order.coin, order.side.value, order.level)
        if self._before & resting.keys():
            raise Violation(f"a quote of {order.coin} leaves while those of an earlier run rest")
        landing = resting.keys() | set(may_land)
        alive = self._left.get(key, set()) & landing - {order.cloid}
        second = alive if old is None else alive - {old.cloid}
        if second:
            raise Violation(
                f"a second quote of {key} leaves while {[self._scene.name(c) for c in second]} may be alive"
            )
        self._left[key] = {order.cloid} | alive
        self._orders = {c: o for c, o in self._orders.items() if c in landing}
        for cloid, other in self._orders.items():
            opposed = other.coin == order.coin and other.side is not order.side
            if opposed and (order.px - other.px) * order.side.sign >= 0:
                raise Violation(f"a quote at {order.px} leaves against our own {self._scene.name(cloid)} at {other.px}")
        self._orders[order.cloid] = order

    def _check_session(self, order: PendingOrder) -> None:
        """None leaves once its session is about to end; where a clock was wrong nobody knows when that is."""
        scene = self._scene
        if any("clock" in m.kind or m.kind == "suspend" for m in scene.plan.mishaps):
            return
        at_ms = scene.exchange_ms() - LATE_MS + scene.settings.base.quote_cutoff_ms
        if not self._sessions.open_at(at_ms):
            raise Violation(f"a quote of {order.coin} leaves after the cut-off of its session")

    def _check_pace(self) -> None:
        """No more placements than the bucket holds and what came into it since."""
        scene = self._scene
        self._count += 1
        account = scene.venue.engine.account(scene.user)
        cap = 0 if account is None else account.action_cap
        most = BURST + (scene.clock.mono_ms() - self._since_ms) * cap / HORIZON_MS
        if self._count > most + 1:
            raise Violation(f"{self._count} quotes left since the start, the budget gives {most:.0f}")


def check_completion(scene: Scene, order: PendingOrder) -> None:
    """A completion leaves: never at a price far beyond the loss that it may make."""
    account = scene.venue.engine.account(scene.user)
    held = [] if account is None else [dex.positions.get(order.coin) for dex in account.dexs.values()]
    position = next((p for p in held if p is not None and p.szi), None)
    if position is None or (position.szi > 0) is (order.side is Side.BUY):
        return  # it will find nothing
    most = scene.settings.base.completion_max_loss_bps * LOSS * BASIS_POINT
    if (position.entry_px - order.px) * -order.side.sign > position.entry_px * most:
        raise Violation(f"a completion of {order.coin} leaves at {order.px}, its entry is {position.entry_px}")


def disagreement(scene: Scene, admitted: Mapping[str, PendingOrder]) -> str:
    """How the quotes that rest at the exchange are other ones than the service has, or should not rest; else empty.

    Once no fault is there any more this lasts no longer than from one comparison to the next.
    """
    running = scene.running
    if running is None or running.trading is None:
        return ""
    account = scene.venue.engine.account(scene.user)
    resting = [o.cloid or "" for o in ([] if account is None else account.open_orders.values())]
    rests = {c for c in resting if c in admitted and admitted[c].level is not None}
    for coin, market in running.trading.quotes.markets.items():
        orders = running.trading.tracker.quotes(coin)
        known = {t.order.cloid for t in orders}
        theirs = {c for c in rests if admitted[c].coin == coin}
        if known != theirs or any(t.state is not OrderState.OPEN for t in orders):
            return f"{coin}: {len(theirs)} quotes rest, the service has {len(known)}"
        if market.keys.unproved(scene.clock.mono_ms(), UNPROVED_MS):
            return f"{coin}: a cancel has no proof"
        if theirs and not market.stance.quotes:
            return f"{coin}: {len(theirs)} quotes rest, and it is {market.stance.value}"
    return ""


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


def entered_at(scene: Scene, admitted: Mapping[str, PendingOrder], coin: str) -> Decimal:
    """The admission price of the entry that a market's position has its newest fill of; 0: it is not of ours."""
    account = scene.venue.engine.account(scene.user)
    for fill in reversed(() if account is None else account.fills):
        meant = admitted.get(str(fill.get("cloid"))) if fill["coin"] == coin else None
        if meant is not None and not meant.reduce_only:
            return meant.admission_px
    return ZERO
