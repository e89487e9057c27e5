"""Quoter: in each round of the tick, what should rest in the quoted markets, against what may be alive there.

For a market that something happened to: stance, desired ladder, difference, cancels, placements. Confined to the tick;
others put events into its inbox, which is one step, and read single fields for the status. Everything that an entry
obeys a quote obeys: latch, READY epoch, limits in the tracker's critical section, budgets, an intent before the bytes.

Of one key no two orders may ever be alive: a placement needs an empty slot, which the tracker checks once more as it
admits. A cancel and its replacement are never in one round, since the exchange runs the placement first. With
HIP3_QUOTE_MODIFY a resting order is replaced in one step of the exchange; where that is not to be had, it is cancelled.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from hip3.core.ledger import OrderChanged, TrackerEvent
from hip3.core.market import MarketSpec, MarketView
from hip3.core.money import ONE, ZERO
from hip3.core.order_state import OrderState
from hip3.core.orders import PendingOrder, Side
from hip3.core.ports import Clock, Journal
from hip3.core.results import rounded
from hip3.execution.account_view import AccountView
from hip3.execution.entries.budget import ActionBudget
from hip3.execution.entries.executor import EntryLimits
from hip3.execution.link import Link
from hip3.execution.quotes.adoption import as_they_rest
from hip3.execution.quotes.cancelling import QUEUED_US, Cancelling
from hip3.execution.quotes.completion import Completion
from hip3.execution.quotes.facts import FactFinder
from hip3.execution.quotes.fleeing import Fleeing, oracles
from hip3.execution.quotes.heard import Heard
from hip3.execution.quotes.keys import key_of, pairs
from hip3.execution.quotes.market import QuotedMarket
from hip3.execution.quotes.pacing import Pacing
from hip3.execution.quotes.params import QuoteParams
from hip3.execution.quotes.placing import Placing
from hip3.execution.quotes.stance import Stance, open_sides, stance
from hip3.execution.readiness import Readiness
from hip3.execution.sending.address_budget import AddressBudget
from hip3.execution.sending.cloids import CloidSource
from hip3.execution.sending.scheduler import BatchScheduler
from hip3.feed.market_state import MarketState
from hip3.position.tracked import TrackedOrder
from hip3.position.tracker import PositionTracker
from hip3.strategy.fair import Fair
from hip3.strategy.ladder import Around, Key, Ladder, half_spread, ladder
from hip3.strategy.quote_diff import Slot, SlotState, Step, Tolerance, Why, diff

LOOK_MS = 1000
"""A market is looked at at least so often."""
CLOSED_ADDON_BPS = Decimal(10)
"""More half spread while the underlying is closed."""
TOXIC_BPS, TOXIC_MS = Decimal(10), 180_000
"""Where the latest fills lose more than this on the mean, their market is not quoted for so long."""
WAITED_US = 1_000_000
"""A quote that waited for longer was priced by a market that may have moved."""
_NOTHING = Fair(bid=ONE, ask=ONE, gap_bps=ZERO)
"""Where nothing is desired nothing is measured against it."""


class Done(msgspec.Struct, frozen=True):
    """One step of a decision, as the journal has it: `why` PLACE placed the order, any other wished its end."""

    cloid: str
    side: Side
    level: int
    why: Why


class Quoter:
    """See the module. `specs(coin)`: a market's facts as last read; `limits(coin)`: as for entries."""

    def __init__(
        self,
        *,
        clock: Clock,
        params: Mapping[str, QuoteParams],
        specs: Callable[[str], MarketSpec | None],
        limits: Callable[[str], EntryLimits],
        other_marks: Callable[[], dict[str, Decimal]],
        facts: FactFinder,
        completion: Completion,
        readiness: Readiness,
        market_state: MarketState,
        link: Link,
        view: AccountView,
        tracker: PositionTracker,
        scheduler: BatchScheduler,
        budget: ActionBudget,
        address: AddressBudget,
        cloids: CloidSource,
        journal: Journal,
    ) -> None:
        self._clock = clock
        self.markets = {coin: QuotedMarket(coin, p) for coin, p in params.items()}
        """By coin; the status reads it."""
        self._specs = specs
        self._facts = facts
        self._completion = completion
        self._readiness = readiness
        self._market_state = market_state
        self._link = link
        self._view = view
        self._tracker = tracker
        self._scheduler = scheduler
        self._address = address
        self._journal = journal
        self._heard = Heard(self.markets, tracker, journal, clock, scheduler.wake)
        self._next_ms = 0
        """No market is due before, if nothing happens."""
        keys = sum(2 * p.ladder.levels for p in params.values())
        self._pacing = Pacing(keys, cost=max((p.cost for p in params.values()), default=1))
        self._placing = Placing(
            clock=clock, limits=limits, other_marks=other_marks, readiness=readiness, market_state=market_state,
            tracker=tracker, scheduler=scheduler, budget=budget, pacing=self._pacing, cloids=cloids,
        )  # fmt: skip
        self._cancelling = Cancelling(clock=clock, view=view, tracker=tracker, scheduler=scheduler, journal=journal)
        self._fleeing = Fleeing(
            specs=specs, market_state=market_state, link=link, tracker=tracker, cancelling=self._cancelling,
        )  # fmt: skip

    # What others say.

    def quoted(self, coin: str) -> bool:
        """Whether a market is quoted. Any thread."""
        return coin in self.markets

    def tell(self, event: TrackerEvent) -> None:
        """A quote changed, or a fill was booked. Any thread; the tick looks at it."""
        self._heard.tell(event)

    def moved(self, view: MarketView) -> None:
        """Look at a market whose data changed with the next round; at once where a price has gone so far that a resting
        quote must retreat. The ws-reader; rest, where it read a book."""
        market = self.markets.get(view.coin)
        if market is None:
            return
        self._heard.changed[view.coin] = None
        wake = market.wake
        if wake is None:
            return
        low, high = wake
        if any(px is not None and not low <= px <= high for px in (view.oracle, view.mid)):
            market.wake = None  # once: the tick sets it anew
            self._fleeing.look_at(market, view.oracle)
            self._scheduler.wake()

    def counts(self, event: OrderChanged) -> bool:
        """Whether a change counts toward the HardStop. Any thread."""
        return self._heard.counts(event)

    def refuses(self, order: PendingOrder) -> str | None:
        """Why a queued quote must not leave: its market is not quoted any more, or it has waited since another round.
        The tick, before it signs."""
        market = self.markets.get(order.coin)
        if market is None or not market.stance.quotes:
            return "the market is not quoted now"
        if self._clock.mono_us() - order.decided_us > WAITED_US:
            return "it was decided too long ago"
        if order.replaces is not None and not self._may_replace(market, order):
            return "the quote that it was to replace does not rest whole any more, or is being cancelled"
        return None

    def _may_replace(self, market: QuotedMarket, order: PendingOrder) -> bool:
        """Whether the quote in whose place an order is to come still rests whole: its size is on top of what the other
        has executed."""
        return any(
            new.order.cloid == order.cloid and old.state is OrderState.OPEN and old.untouched
            and not market.keys.ending(old.order.cloid)
            for old, new in pairs(self._tracker.quotes(order.coin))
        )  # fmt: skip

    # The tick.

    def flee(self, now_ms: int) -> bool:
        """Cancel what an oracle has run over, and no more, not even say so: the round sends these cancels, and the next
        one follows at once."""
        return self._fleeing.step(now_ms)

    def step(self, now_ms: int) -> None:
        """One round: take what was heard, and look at each market that is due."""
        for market, gone in self._fleeing.take():
            self._note_fled(market, gone)
        self._heard.take(now_ms)
        self._pacing.refresh(self._address.state(), now_ms)
        for market in self._due(now_ms):
            market.view, market.due_ms = self._market_state.view(market.coin), now_ms + LOOK_MS
            self._look(market, market.view, now_ms)

    def _due(self, now_ms: int) -> list[QuotedMarket]:
        """Markets that something happened to, and those not looked at for a while, in the order of the settings."""
        changed, coins = self._heard.changed, set()
        while changed:
            coins.add(changed.popitem()[0])
        if not coins and now_ms < self._next_ms:
            return []
        due = [m for m in self.markets.values() if m.coin in coins or now_ms >= m.due_ms]
        self._next_ms = min((m.due_ms for m in self.markets.values() if m not in due), default=now_ms + LOOK_MS)
        return due

    def _look(self, market: QuotedMarket, view: MarketView | None, now_ms: int) -> None:
        fresh = view if view is not None and view.generation == self._link.generation else None
        orders = self._tracker.quotes(market.coin)
        slots = market.keys.slots(orders)
        spec = self._specs(market.coin)
        position = self._tracker.position(market.coin)
        szi = ZERO if position is None else position.szi
        mark = None if fresh is None else fresh.mark
        usd = szi * (mark or ZERO)
        if not self._facts.learn(market, fresh, orders, now_ms):
            market.fair = None
        completing = self._completion.step(market, position, fresh, spec, orders, now_ms)
        found = self._facts.of(market, spec, position, usd, self._pacing, completing, now_ms)
        before = market.stance
        market.stance, market.reasons, sides = stance(found)
        if market.stance is not before:
            self._journal.record("stance", coin=market.coin, stance=market.stance.value, reasons=market.reasons)
        desired: Ladder = {}
        if market.stance.quotes and spec is not None and fresh is not None and market.fair is not None:
            desired = self._desired(market, spec, fresh, orders, usd, sides, now_ms)
        elif market.stance is Stance.WAIT and found.starting and spec is not None:
            keep_bps = (spec.maker_fee_bps or ZERO) + market.params.ladder.min_edge_bps / 2
            desired = as_they_rest(orders, market.fair, open_sides(found), keep_bps)
        self._act(market, desired, slots, orders, spec, now_ms)
        live = [(key[0], slot.px) for key, slot in slots.items() if slot.state is SlotState.LIVE]
        rests = {side for side, _ in live}
        fee_bps = ZERO if spec is None else spec.maker_fee_bps or ZERO
        market.run_over = oracles(live, market.params, market.reference.basis_bps, fee_bps)
        worth = None if market.fair is None else market.fair.mid
        allowed = market.stance in (Stance.QUOTING, Stance.ONE_SIDED, Stance.PULLED)
        market.wake = market.bounds(bool(rests))
        for seconds, bps, usd in market.figures.look(worth, both=len(rests) == 2, allowed=allowed, now_ms=now_ms):
            self._journal.record("quote_markout", coin=market.coin, seconds=seconds, bps=rounded(bps, 4), usd=usd)
        self._judge(market, now_ms)

    def _judge(self, market: QuotedMarket, now_ms: int) -> None:
        """A market whose latest fills lose by far more than their spread rests, and is judged anew after that."""
        recent = market.figures.recent_bps(now_ms)
        if recent is not None and recent < -TOXIC_BPS:
            why = f"its latest fills lose {-recent:.1f} bps within 5 s"
            market.pulls.pull(why, now_ms + TOXIC_MS)
            market.figures.forget_recent()
            self._journal.record("quotes_pulled", coin=market.coin, why=why, text="", ms=TOXIC_MS)

    def _desired(
        self, market: QuotedMarket, spec: MarketSpec, view: MarketView, orders: list[TrackedOrder], usd: Decimal,
        sides: frozenset[Side], now_ms: int,
    ) -> Ladder:  # fmt: skip
        """The ladder that should rest now."""
        assert market.fair is not None
        assert spec.maker_fee_bps is not None
        p = market.params.ladder
        toxic = market.figures.recent_bps(now_ms)
        all_lose = toxic is not None and toxic < -spec.maker_fee_bps
        addon = market.params.toxic_addon_bps if all_lose else ZERO
        addon += CLOSED_ADDON_BPS if market.params.closed else ZERO
        half = half_spread(p, spec.maker_fee_bps, market.reference.sigma_bps, addon)
        market.half_bps = half
        if now_ms >= market.scale_until_ms:
            market.scale = ONE
        lean = 1 if self._pacing.lean else p.levels
        if market.scale != ONE or lean < p.levels:
            p = msgspec.structs.replace(p, size_usd=p.size_usd * market.scale, levels=min(p.levels, lean))
        fair = market.fair if all_lose else market.fair_beside_run(market.fair, now_ms)
        found = ladder(p, spec, fair, half, usd, self._around(market.coin, view, orders), sides)
        return market.keys.within_cuts(found, now_ms)

    def _around(self, coin: str, view: MarketView, orders: list[TrackedOrder]) -> Around:
        """The touch of the wire, and the account's own orders: also those whose end is not proved, and a person's."""
        buys, sells = list[Decimal](), list[Decimal]()
        for order in (t.order for t in orders):
            (buys if order.side.is_buy else sells).append(order.px)
        for foreign in self._tracker.foreign_orders():
            if foreign.coin == coin and not foreign.reduce_only:
                (buys if foreign.side.is_buy else sells).append(foreign.limit_px)
        return Around(
            bid=None if view.bid is None else view.bid.px, ask=None if view.ask is None else view.ask.px,
            own_buy=max(buys, default=None), own_sell=min(sells, default=None),
        )  # fmt: skip

    def _act(
        self, market: QuotedMarket, desired: Ladder, slots: dict[Key, Slot], orders: list[TrackedOrder],
        spec: MarketSpec | None, now_ms: int,
    ) -> None:  # fmt: skip
        """Cancel what should not rest, and place what is missing and may be placed."""
        self._cancelling.end_extras(market, orders, now_ms)
        steps = self._steps(market, desired, slots, spec, now_ms)
        done: list[Done] = []
        placed: list[PendingOrder] = []
        moves = [s for s in steps if s.moves]
        if moves and spec is not None:  # without its facts nothing is desired
            placed = self._placing.place(market, moves, spec, slots, now_ms)
        moved = {key_of(order) for order in placed}
        if moved:
            market.due_ms = now_ms + QUEUED_US // 1000
            self._next_ms = min(self._next_ms, market.due_ms)
        market.figures.counts["moved"] += len(moved)
        # A quote that is only too far away is better than none: it goes where its replacement can be paid for as well.
        beside = 1 + sum(s.why is Why.PLACE for s in steps)
        for step in (s for s in steps if s.rung is None or s.moves):
            if step.key in moved:
                done.append(Done(slots[step.key].cloid, *step.key, step.why))
                continue
            if step.why not in (Why.RISK, Why.RETREAT) and not self._pacing.take(beside=beside):
                continue
            done.append(Done(slots[step.key].cloid, *step.key, step.why))
            if step.why is Why.RETREAT:
                self._pacing.take(urgent=True)
            for order in (t.order for t in orders if key_of(t.order) == step.key):  # and the one that replaces it
                market.keys.cancel(order.cloid, now_ms)
            market.figures.counts["cancelled"] += 1
            market.figures.counts["moved"] += step.why is not Why.RISK
        self._cancelling.send(market, orders, now_ms)
        market.figures.counts["kept"] += len(slots) - len(done)
        wished = [s for s in steps if s.why is Why.PLACE]
        if wished and spec is not None:
            new = self._placing.place(market, wished, spec, slots, now_ms)
            market.figures.counts["placed"] += len(new)
            placed += new
        done += [Done(o.cloid, *key_of(o), Why.PLACE) for o in placed]
        if done:
            self._note(market, tuple(done))

    def _note_fled(self, market: QuotedMarket, gone: list[TrackedOrder]) -> None:
        """Quotes were cancelled that an oracle had run over."""
        for _ in gone:
            self._pacing.take(urgent=True)
        market.figures.counts["cancelled"] += len(gone)
        market.figures.counts["moved"] += len(gone)
        self._note(market, tuple(Done(t.order.cloid, *key_of(t.order), Why.RETREAT) for t in gone))

    def _note(self, market: QuotedMarket, steps: tuple[Done, ...]) -> None:
        """What was decided, and by what."""
        self._journal.record(
            "quote_decision", coin=market.coin, steps=steps, fair=market.fair, half_bps=market.half_bps,
            sigma_bps=market.reference.sigma_bps, stance=market.stance.value, reasons=market.reasons,
        )  # fmt: skip

    def _steps(
        self, market: QuotedMarket, desired: Ladder, slots: dict[Key, Slot], spec: MarketSpec | None, now_ms: int
    ) -> list[Step]:
        p, half = market.params, market.half_bps or ZERO
        lean = 4 if self._pacing.lean else 1
        fee = ZERO if spec is None else spec.maker_fee_bps or ZERO
        tolerance = Tolerance(
            half_bps=half, keep_bps=fee + p.ladder.min_edge_bps / 2,
            width_bps=self._pacing.width_bps(market.reference.sigma_bps, half) if half else ZERO, grow=p.grow,
            rich=self._pacing.rich, sz_decimals=0 if spec is None else spec.sz_decimals,
        )  # fmt: skip
        keys, moves = market.keys, p.modify and not market.only_anew
        return diff(
            desired, slots, market.fair or _NOTHING, tolerance,
            may_place=lambda key: keys.may_place(key, now_ms),
            may_improve=lambda key: keys.may_improve(key, now_ms, lean * p.min_interval_ms),
            may_move=lambda key: moves and keys.may_move(key, now_ms),
        )  # fmt: skip


class NoQuotes:
    """Where no market is quoted."""

    markets: Mapping[str, QuotedMarket] = {}

    def flee(self, now_ms: int) -> bool:
        """Nothing rests."""
        return False

    def step(self, now_ms: int) -> None:
        """Nothing to look at."""

    def refuses(self, order: PendingOrder) -> str | None:
        """A quote of an earlier run's settings."""
        return "no market is quoted"

    def tell(self, event: TrackerEvent) -> None:
        """Nothing to hear."""

    def counts(self, event: OrderChanged) -> bool:
        """Everything counts."""
        return True

    def moved(self, view: MarketView) -> None:
        """Nothing rests."""

    def quoted(self, coin: str) -> bool:
        """None is."""
        return False
