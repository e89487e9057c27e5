"""What must hold: after every step, when the service stops, and at the end. `Violation` says what did not."""

from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from hip3.core.ledger import PositionView
from hip3.core.money import ZERO, bps_of
from hip3.core.order_state import OrderState
from hip3.core.orders import ExitReason, PendingOrder
from hip3.execution.quotes.keys import key_of
from hip3.onethread.threads import Violation
from hip3.ops.state_dir import began_ms
from hip3.ops.store import JournalStore
from hip3.position.tracked import KeptTotals
from hip3.service.running import Running
from hip3.service.stop_wish import StopMode
from hip3.service.stopping import Outcome
from hip3.simulate.disk import Disk, ends_of
from hip3.simulate.scene import Scene
from hip3.simulate.witness import Witness

NEWEST = 10
"""So many of the ended orders are looked at after every step."""


def check_step(scene: Scene, witness: Witness, running: Running) -> None:
    """After every step of any thread."""
    latch, trading = running.latch, running.trading
    if latch is not None:
        state = latch.state()
        if scene.tripped and not state.tripped:
            raise Violation("the latch cleared by itself")
        if state.tripped and not latch._unwritten and not scene.tripped:
            scene.tripped = True
            scene.say(f"HARD STOP {state.reason}")
    if trading is None:
        return
    sent, completed, inflight = trading.posts.accounts()
    if sent - completed != inflight:
        raise Violation(f"{sent} posts sent, {completed} completed, but {inflight} in flight")
    if sent < witness.posts:  # more: a disconnect took a post before its first byte left
        raise Violation(f"{witness.posts} posts left, {sent} are counted")
    if inflight > scene.settings.base.max_inflight:
        raise Violation(f"{inflight} posts in flight, the limit is {scene.settings.base.max_inflight}")
    _check_orders(trading.tracker._orders)
    _check_sizes(scene, trading.tracker.booked())


def _check_sizes(scene: Scene, booked: dict[str, Decimal]) -> None:
    """No order of arrival books more than was ever traded on that side: then a fill counts twice."""
    account = scene.venue.engine.account(scene.user)
    for coin, szi in booked.items():
        side = "B" if szi > 0 else "A"
        fills = [] if account is None else [f for f in account.fills if f["coin"] == coin and f["side"] == side]
        if abs(szi) > sum((Decimal(str(f["sz"])) for f in fills), ZERO):
            raise Violation(f"{szi} of {coin} is booked, and never was so much traded")


def _check_orders(orders: Any) -> None:
    both = orders.live.keys() & orders.done.keys()
    if both:
        raise Violation(f"{both} are live and ended")
    for cloid in islice(reversed(orders.done), NEWEST):
        if not orders.done[cloid].state.terminal:
            raise Violation(f"{cloid} is {orders.done[cloid].state.value} and counted as ended")
    entries: set[tuple[str, object]] = set()
    for cloid, tracked in orders.live.items():
        if tracked.state.terminal:
            raise Violation(f"{cloid} is {tracked.state.value} and counted as live")
        replaces = tracked.order.replaces is not None
        if not tracked.order.reduce_only and tracked.generation and not replaces:  # an earlier run's may be unknown
            of = (tracked.order.coin, tracked.order.level if tracked.order.level is None else key_of(tracked.order))
            if of in entries:
                raise Violation(f"two live entries of {of} in the books")
            entries.add(of)


def unfinished(running: Running) -> bool:
    """Whether orders are without an end."""
    assert running.trading is not None
    orders = running.trading.tracker._orders
    return any(t.state is not OrderState.OPEN for t in orders.live.values()) or bool(orders.provisional)


def check_books(scene: Scene, witness: Witness, running: Running, outcome: Outcome) -> None:
    """As the service ends: what it says of itself is what the exchange has."""
    trading = running.trading
    if trading is None or outcome.proof is None or not outcome.clean or outcome.mode is not StopMode.FLATTEN:
        return
    account = scene.venue.engine.account(scene.user)
    if account is None or witness.hands or scene.venue.faults._running:
        return
    held = scene.positions()
    if held:
        raise Violation(f"it stopped flat, the exchange has {held}")
    ours = [o.cloid for o in account.open_orders.values() if o.cloid is not None]
    if ours:
        raise Violation(f"it stopped flat, orders of ours rest: {[scene.name(c) for c in ours]}")
    tracker = trading.tracker
    if tracker.booked() or tracker.unbooked() or tracker.live():
        raise Violation(f"flat, but booked {tracker.booked()}, unbooked {tracker.unbooked()}, live {tracker.live()}")
    realized, fees, fills, _ = tracker.totals()
    wanted = totals(scene)
    if (realized, fees, fills) != wanted:
        raise Violation(f"results are {(realized, fees, fills)}, by the exchange {wanted}")


READING_MS = 3000
"""No reading of the account takes longer."""


def check_adopted(scene: Scene, witness: Witness, coin: str, theirs: Decimal) -> None:
    """As the books take a size from a reading: the exchange had it, and not only before that reading."""
    if theirs not in witness.sizes.since(coin, scene.clock.mono_ms() - READING_MS):
        raise Violation(f"{theirs} of {coin} is adopted, and that is no longer so")


LARGE_BPS = 200
"""A result that no delay makes."""


def check_reason(scene: Scene, order: PendingOrder, position: PositionView) -> None:
    """As an exit is first tried for a result: the market bears half of it out, whatever a single quote says.

    Only where the result is a large one. A narrow stop is within what a price moves while it is under way, and within
    what an entry's price is not known by until its fill has come.
    """
    params = scene.settings.base
    if order.attempt > 1:
        return  # it was decided by a market that has moved since
    # A mark beyond the protective stop is one, too.
    quoted = order.coin in params.quoted_coins
    own = params.quote_stop_loss_bps if quoted else params.stop_loss_bps
    losses = [bps for bps in (own, params.protective_stop_bps) if bps]
    limit = {ExitReason.STOP_LOSS: -min(losses, default=ZERO), ExitReason.TAKE_PROFIT: params.take_profit_bps}
    wanted = limit.get(order.exit_reason) if order.exit_reason is not None else None
    if wanted is None or order.exit_reason is None or abs(wanted) < LARGE_BPS:
        return
    market = scene.venue.engine.markets[order.coin]
    touch = market.book.best_ask() if order.side.is_buy else market.book.best_bid()
    results = [
        bps_of(px - position.entry_px, position.entry_px) * (1 if position.szi > 0 else -1)
        for px in (market.mark, market.oracle, touch)
        if px is not None
    ]
    if not any(result / wanted * 2 >= 1 for result in results):
        raise Violation(f"an exit of {order.coin} for {order.exit_reason.value}, its results are {results}")


def check_kept(scene: Scene, disk: Disk, running: Running) -> None:
    """As the service ends by itself: the results that it knows are in its journal, unless the disk is full."""
    path = scene.file("journal.db")
    if running.trading is None or path is None or disk.journal_full:
        return
    known = running.trading.tracker.totals()[:3]
    kept = _kept_totals(path)
    if (kept.realized, kept.fees, kept.fills) != known:
        raise Violation(f"it knows {known}, and its journal keeps {(kept.realized, kept.fees, kept.fills)}")


def totals(scene: Scene) -> tuple[Decimal, Decimal, int]:
    """(closedPnl, fees, number) of the exchange's own fills, since a start has known the account: results count from
    then, and the first starts may all have been killed before they could read it."""
    account, kept = scene.venue.engine.account(scene.user), scene.file("account.json")
    since_ms = 0 if kept is None else began_ms(kept.parent, 0)
    fills = [] if account is None else [f for f in account.fills if f["time"] >= since_ms]
    return (
        sum((Decimal(str(f["closedPnl"])) for f in fills), ZERO),
        sum((Decimal(str(f["fee"])) for f in fills), ZERO), len(fills),
    )  # fmt: skip


def check_files(scene: Scene, witness: Witness) -> None:
    """At the end: every order that left has one end on disk, and it is the exchange's; so are the results."""
    path = scene.file("intents.log")
    if path is not None:
        scene.ends |= ends_of(path)
    account = scene.venue.engine.account(scene.user)
    assert account is not None
    executed: dict[str, Decimal] = {}
    for fill in account.fills:
        cloid = fill.get("cloid")
        if cloid is not None:
            executed[str(cloid)] = executed.get(str(cloid), ZERO) + Decimal(str(fill["sz"]))
    for cloid, order in witness.left.items():
        end, did = scene.ends.get(cloid), executed.get(cloid, ZERO)
        if end is None and cloid in witness.admitted:
            raise Violation(f"order {scene.name(cloid)} left and has no end on disk")
        if end is None:
            continue  # an exit that left while its intent could not be written, and its process was killed
        ended = OrderState(end)
        if did and ended not in (OrderState.FILLED, OrderState.CANCELED):
            raise Violation(f"order {scene.name(cloid)} is {end}, the exchange executed {did}")
        if not did and ended is OrderState.FILLED:
            raise Violation(f"order {scene.name(cloid)} is filled, the exchange executed nothing")
        if ended is OrderState.FILLED and did < order.sz and not order.reduce_only:
            raise Violation(f"order {scene.name(cloid)} is filled, the exchange executed {did} of {order.sz}")
    _check_journal(scene)


def _check_journal(scene: Scene) -> None:
    path = scene.file("journal.db")
    assert path is not None
    kept = _kept_totals(path)
    if (kept.realized, kept.fees, kept.fills) != totals(scene):
        raise Violation(f"the journal keeps {(kept.realized, kept.fees, kept.fills)}, by the exchange {totals(scene)}")


def _kept_totals(path: Path) -> KeptTotals:
    store = JournalStore(path)
    try:
        body = store.fact("totals")
    finally:
        store.close()
    return KeptTotals(since_ms=0) if body is None else msgspec.json.decode(body, type=KeptTotals)
