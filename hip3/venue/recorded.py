"""The exchange over a recording: accounts, orders, fees and funding its own, the market as it was written down.

Own orders meet what the tape of their market shows (`market.tape`), by a fill model (`market.filling`); a market is
quoted only for the moment in which an order is executed, so that a day of many markets costs what its orders cost.
What was taken stays taken until the recorded touch leaves that price: the same liquidity is never sold twice.

Nothing is published about the market: whoever listens hears the recorded frames. Confined to one thread, pure.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from hip3.core.money import ZERO
from hip3.venue.books.kept import Kept
from hip3.venue.engine import matching, triggers
from hip3.venue.engine.account import Account
from hip3.venue.engine.book import BookOrder
from hip3.venue.engine.mempool import TAKES, class_of
from hip3.venue.engine.model import Market, Request
from hip3.venue.market.crowd import AGENT_CASH
from hip3.venue.market.filling import BLOCK_MS, Fills
from hip3.venue.market.offers import FRESH_MS, Behind, Offer, Offers
from hip3.venue.market.own import Own, RecordedFunding
from hip3.venue.market.queueing import Queue, Queueing, first_place
from hip3.venue.market.recording import RecordedModel, Recording
from hip3.venue.market.tape import Look, Side, Tape, Trade, coin_of
from hip3.venue.setup.settings import MarketSetup, VenueSetup
from hip3.venue.venue import Venue

NEVER = 1 << 60
_AGENT = "0x" + "a9e17" * 8
Travels = Callable[[int, Any], int]
"""(exchange time of the sending, request) -> milliseconds until it is executed, the block's wait included."""


class _Silent(Recording):
    """A market that nobody drives."""

    def __init__(self, px: dict[str, Decimal]) -> None:
        super().__init__([])
        self._px = px

    def covers(self, coin: str) -> bool:
        return True

    def px(self, market: MarketSetup) -> Decimal:
        return self._px.get(market.coin, market.px)

    def model(self, coin: str, now_ms: int) -> RecordedModel:
        return RecordedModel([], 0)


class Model(NamedTuple):
    """What is supposed where the recording does not say: who wins a race, who stands before a resting order, what is
    behind the touch, how far own orders move prices."""

    fills: Fills = Fills()
    queue: Queueing = Queueing()
    behind: Behind = "none"
    impact: Decimal = ZERO
    trades: bool = True
    """Trades of others are recorded: a resting order needs one to be filled, a touch that comes to it is not enough."""


class RecordedVenue(Venue):
    """See the module. `tapes` are filled by whoever reads the recording, ahead of `advance`. `own`: the recording is
    one of an account whose orders are repeated, None: it is judged by the model."""

    def __init__(
        self, setup: VenueSetup, *, tapes: dict[str, Tape], travels: Travels, model: Model, own: Own | None,
        px: dict[str, Decimal], seed: int, now_ms: int, limited: bool = False, kept: Kept | None = None,
    ) -> None:  # fmt: skip
        self._tapes, self._model, self._own = tapes, model, own
        self.offers = Offers(tapes, model.fills, model.behind, model.impact)
        self._queues: dict[int, Queue] = {}
        self._seen: dict[str, int] = {}
        """Watched coin -> up to when its tape was played."""
        self._played = 0
        """Up to when our own recorded fills were looked at."""
        self._quiet = True
        without = msgspec.structs.replace(setup.parameters, blocks=False)
        super().__init__(
            msgspec.structs.replace(setup, parameters=without), seed=seed, profile=next(iter(setup.profiles)),
            now_ms=now_ms, latency_ms=1, recording=_Silent(px), limited=limited, kept=kept, travels=travels,
        )  # fmt: skip
        self._pool = self._gateway.pool
        self._hours = RecordedFunding(self.engine, now_ms, self._funding_at, own)
        self._quiet = False

    # Time.

    def next_due(self) -> int:
        """When something is due."""
        return self._soonest()

    def _soonest(self) -> int:
        late = self._pool.next_due()
        watched = (self._tapes[coin].next_after(at) for coin, at in self._seen.items() if coin in self._tapes)
        due = [at for at in watched if at is not None]
        due += [late] if late is not None else []
        if self._own is not None:
            due += [fill.at_ms for fill in self._own.fills if fill.at_ms > self._played][:1]
        return min([*due, self._hours.next_hour, *self.engine.switches.values()], default=NEVER)

    def advance(self, now_ms: int) -> None:
        """Let everything happen that is due, in order of time; of one time makers and cancels, the market, takers."""
        if self._quiet:
            return
        while (due := self._soonest()) <= now_ms:
            self._now = max(self._now, due)
            self._happen(due)
        self._now = max(self._now, now_ms)

    def _happen(self, now: int) -> None:
        while (request := self._waiting(now)) is not None and class_of(request) != TAKES:
            self._arrive(request, now, takes=False)
        self._play(now)
        while (request := self._waiting(now)) is not None:
            self._arrive(request, now, takes=class_of(request) == TAKES)
        self._hours.advance(now)
        self.engine.run_switches(now)
        self.publish(now)
        self._watch(now)

    def _waiting(self, now: int) -> Any:
        """The next action that is executed at `now`; None: there is none."""
        return self._pool.peek() if (due := self._pool.next_due()) is not None and due <= now else None

    def _arrive(self, request: Any, now: int, *, takes: bool) -> None:
        markets = self._markets_of(request)
        for market in markets:
            self._reprice(market, now)
        with self._offers(markets, now, takes=takes):
            self._gateway.arrive()
        self._watch(now)

    def _markets_of(self, request: Any) -> list[Market]:
        """The markets that an action places orders in."""
        action = request.get("action") if isinstance(request, dict) else None
        if not isinstance(action, dict):
            return []
        orders = list(action.get("orders") or [])
        orders += [m.get("order") for m in action.get("modifies") or [] if isinstance(m, dict)]
        orders += [action["order"]] if isinstance(action.get("order"), dict) else []
        found = (self.engine.by_asset.get(o.get("a", -1)) for o in orders if isinstance(o, dict))
        return list({m.info.coin: m for m in found if m is not None}.values())

    def http(self, token: int, path: str, body: bytes, now_ms: int, ip: str = "") -> None:
        """As ever; who asks for an order book is shown the recorded touch."""
        if b'"l2Book"' not in body:
            super().http(token, path, body, now_ms, ip)
            return
        market = self.engine.markets.get(coin_of(body))
        with self._offers([] if market is None else [market], now_ms, takes=False):
            super().http(token, path, body, now_ms, ip)

    # What is offered.

    @contextmanager
    def _offers(self, markets: list[Market], now: int, *, takes: bool) -> Iterator[None]:
        """Quote the markets for as long as one action is executed, and count what it took."""
        quotes = [quote for market in markets for quote in self._quote(market, now, takes=takes)]
        agent = self._agent
        try:
            yield
        finally:
            for order, offer in quotes:
                if order.oid in agent.open_orders:
                    self.engine.delist(agent, order)
                if offer.sz != order.sz:
                    self.offers.took(order.coin, offer, offer.sz - order.sz, now, is_buy=order.is_buy)

    def _quote(self, market: Market, now: int, *, takes: bool) -> list[tuple[BookOrder, Offer]]:
        out = []
        for is_buy in (True, False):
            for offer in self._levels(market, now, is_buy=is_buy, takes=takes):
                if offer.sz <= 0 or market.book.would_cross(is_buy=is_buy, limit_px=offer.px):
                    continue  # a touch that our own order should have met is the queue's to judge
                out.append((self._rest(market, offer, now, is_buy=is_buy), offer))
        return out

    def _levels(self, market: Market, now: int, *, is_buy: bool, takes: bool) -> list[Offer]:
        """What stands on one side for an action that is executed now."""
        coin, tape = market.info.coin, self._tapes.get(market.info.coin)
        if tape is None:
            return []
        if takes and self._own is None:
            return self.offers.levels(coin, now, is_buy=is_buy, sz_decimals=market.info.sz_decimals)
        own = self._own is not None
        look = tape.look(now if own else now - BLOCK_MS, before=own and not takes)
        touch = None if look is None else look.side(is_buy=is_buy)
        sizes = {} if touch is None else {touch.px: touch.sz}
        for side in self._own_levels(coin, now, is_buy) if own and takes else []:
            sizes[side.px] = sizes.get(side.px, ZERO) + side.sz  # one maker stood there, so it is one fill
        return [Offer(px, sz, px) for px, sz in sizes.items()]

    def _own_levels(self, coin: str, now: int, is_buy: bool) -> list[Side]:
        """What our own recorded takings of this moment took from the shown side."""
        assert self._own is not None
        out = []
        for fill in self._own.fills:
            if fill.at_ms > now:
                break
            if fill.crossed and fill.at_ms == now and fill.coin == coin and fill.is_buy is not is_buy:
                out.append(Side(fill.px, fill.sz))
        return out

    def _rest(self, market: Market, offer: Offer, now: int, *, is_buy: bool) -> BookOrder:
        agent = self._agent
        request = Request(market, is_buy, offer.px, offer.sz, False, "Gtc", None)
        order = self.engine.new_order(agent, request, now)
        market.book.add(order)
        self.engine.enlist(agent, order)
        return order

    @property
    def _agent(self) -> Account:
        agent = self.engine.account(_AGENT)
        if agent is None or not set(self.engine.dexs) <= set(agent.dexs):
            for dex in self.engine.dexs:
                agent = self.engine.fund(_AGENT, dex, AGENT_CASH, agent=True)
        assert agent is not None
        return agent

    # What the tape plays to orders, positions and triggers.

    def _watch(self, now: int) -> None:
        """Play the tapes of those markets alone in which we have something to meet it."""
        users = [a for a in self.engine.accounts.values() if not a.is_agent]
        wanted = {order.coin for a in users for order in a.open_orders.values()}
        wanted |= {coin for a in users for dex in a.dexs.values() for coin, p in dex.positions.items() if p.szi}
        wanted |= self.offers.coins
        for coin in wanted - self._seen.keys():
            self._seen[coin] = now
        for coin in self._seen.keys() - wanted:
            del self._seen[coin]
        resting = {o.oid: o for a in users for o in a.open_orders.values() if not o.dormant}
        for oid in self._queues.keys() - resting.keys():
            del self._queues[oid]
        for oid, order in resting.items():
            if oid not in self._queues:
                self._queues[oid] = self._place_of(order, now)

    def _place_of(self, order: BookOrder, now: int) -> Queue:
        """Where an order that has come to rest stands."""
        tape = self._tapes.get(order.coin)
        book = None if tape is None else tape.depth(now, FRESH_MS)
        levels = None if book is None else book.levels(is_buy=order.is_buy)
        # Of a block of this very moment nobody knows whether it came before: its trades are still to be played, so what
        # stood before them is in front, too.
        looks = [] if tape is None else [tape.look(now)]
        if tape is not None and self._own is None:
            looks.append(tape.look(now, before=True))
        fronts = [
            first_place(order.limit_px, look.side(is_buy=order.is_buy), is_buy=order.is_buy, levels=levels)
            for look in looks
            if look is not None
        ]
        # None: nothing was shown yet; the first touch at its price says what stands before it.
        front = max((front for front in fronts if front is not None), default=None)
        return self._model.queue.queue(order.limit_px, is_buy=order.is_buy, front=front)

    def _play(self, now: int) -> None:
        """What the tapes of the watched markets show up to now."""
        for coin, seen in sorted(self._seen.items()):
            tape = self._tapes.get(coin)
            if tape is None:
                continue
            self._seen[coin] = now
            market = self.engine.markets[coin]
            # In order of time, a trade before the touch that it left behind, which has the same: its part of a level is
            # gone once.
            happened: list[Trade | Look] = [] if self._own is not None else [*tape.traded_in(seen, now)]
            happened += tape.looks(seen, now)
            for shown in sorted(happened, key=lambda one: (one.at_ms, isinstance(one, Look))):
                if isinstance(shown, Trade):
                    self._trade(market, shown, now)
                    continue
                self.offers.forget(coin, shown)
                if self._own is None:
                    self._meet(market, shown, now)
            for context in tape.contexts(seen + 1, now):
                self._mark(market, context.oracle, context.mark, now)
        self._own_makers(now)

    def _meet(self, market: Market, look: Look, now: int) -> None:
        """A touch: queues see it. Without recorded trades the other side fills an order that it came to."""
        for order in self._resting(market):
            queue = self._queues.get(order.oid)
            if queue is None:
                continue
            queue.shown(look.side(is_buy=order.is_buy))
            other = look.side(is_buy=not order.is_buy)
            if self._model.trades or other is None or order.sz <= 0:
                continue
            left = Side(other.px, self.offers.left(market.info.coin, other, is_buy=not order.is_buy))
            size = queue.met(left, order.sz)
            if size > 0:
                self.offers.took(
                    market.info.coin, Offer(other.px, left.sz, other.px), size, now, is_buy=not order.is_buy
                )
                self._take(market, order.limit_px, size, now, is_buy=not order.is_buy)

    def _trade(self, market: Market, trade: Trade, now: int) -> None:
        """A trade of others: in sum it fills no more than it traded."""
        left = trade.sz
        for order in self._resting(market):
            queue = self._queues.get(order.oid)
            size = ZERO if queue is None or order.sz <= 0 else min(left, queue.traded(trade, order.sz))
            if size > 0:
                left -= size
                self._take(market, order.limit_px, size, now, is_buy=not order.is_buy)

    def _resting(self, market: Market) -> list[BookOrder]:
        """Users' resting orders of a market, the best price of each side first."""
        users = (a for a in self.engine.accounts.values() if not a.is_agent)
        orders = [o for a in users for o in a.open_orders.values() if o.coin == market.info.coin and not o.dormant]
        return sorted(orders, key=lambda o: (o.is_buy, -o.limit_px if o.is_buy else o.limit_px, o.oid))

    def _take(self, market: Market, px: Decimal, size: Decimal, now: int, *, is_buy: bool) -> None:
        """Somebody else's order meets ours."""
        agent = self._agent
        order = self.engine.new_order(agent, Request(market, is_buy, px, size, False, "Ioc", None), now)
        matching.execute(self.engine, agent, market, order, now)
        triggers.settle(self.engine, now)

    def _own_makers(self, now: int) -> None:
        """Resting orders of ours are filled when they were; a fill whose order is not there is somebody else's now."""
        if self._own is None:
            return
        fills = self._own.fills
        for fill in [f for f in fills if self._played < f.at_ms <= now]:
            market = self.engine.markets.get(fill.coin)
            if fill.crossed or market is None:
                continue
            if any(o.cloid == fill.cloid for o in self._resting(market)):
                self._take(market, fill.px, fill.sz, now, is_buy=not fill.is_buy)
        self._played = max(self._played, now)
        while fills and fills[0].at_ms < now:
            fills.pop(0)

    def _reprice(self, market: Market, now: int) -> None:
        context = self._context_at(market.info.coin, now)
        if context is not None and market.info.coin not in self._seen:
            market.oracle, market.mark = context
        elif context is not None:
            market.oracle = context[0]

    def _context_at(self, coin: str, now: int) -> tuple[Decimal, Decimal] | None:
        tape = self._tapes.get(coin)
        context = None if tape is None else tape.context(now)
        return None if context is None else (context.oracle, context.mark)

    def held(self) -> list[str]:
        """Coins in which somebody has a position."""
        return [coin for coin, market in self.engine.markets.items() if market.holders]

    def pay_missed(self, coin: str, rows: Iterable[tuple[int, Decimal]]) -> None:
        """Payments that were due while nobody ran: (when, hourly rate)."""
        self._hours.missed(coin, rows)

    def _funding_at(self, coin: str, now: int) -> tuple[Decimal, Decimal] | None:
        """The recorded oracle and rate."""
        tape = self._tapes.get(coin)
        context = None if tape is None else tape.context(now)
        return None if context is None else (context.oracle, context.funding)

    def _mark(self, market: Market, oracle: Decimal, mark: Decimal, now: int) -> None:
        market.oracle = oracle
        if market.triggers or market.holders:
            with self._offers([market], now, takes=True):
                self.engine.set_mark(market, mark, now)
        else:
            market.mark = mark
