"""The exchange over a recording: accounts, orders, fees and funding its own, the market as it was written down.

Own orders meet what the tape of their market shows (`market.tape`), by a fill model (`market.filling`); a market is
quoted only for the moment in which an order is executed, so that a day of many markets costs what its orders cost.
What was taken stays taken until the recorded touch leaves that price: the same liquidity is never sold twice.

Nothing is published about the market: whoever listens hears the recorded frames. Confined to one thread, pure.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import msgspec

from hip3.core.money import ZERO
from hip3.venue.books.kept import Kept
from hip3.venue.engine import matching, triggers
from hip3.venue.engine.account import Account
from hip3.venue.engine.book import BookOrder
from hip3.venue.engine.mempool import TAKES, class_of
from hip3.venue.engine.model import Market, Request
from hip3.venue.market.crowd import AGENT_CASH
from hip3.venue.market.filling import BLOCK_MS, Fills, Queue, first_place, offered
from hip3.venue.market.own import Own, RecordedFunding
from hip3.venue.market.recording import RecordedModel, Recording
from hip3.venue.market.tape import Side, Tape, coin_of
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


class RecordedVenue(Venue):
    """See the module. `tapes` are filled by whoever reads the recording, ahead of `advance`. `own`: the recording is
    one of an account whose orders are repeated, None: it is judged by the fill model."""

    def __init__(
        self, setup: VenueSetup, *, tapes: dict[str, Tape], travels: Travels, fills: Fills, own: Own | None,
        px: dict[str, Decimal], seed: int, now_ms: int, limited: bool = False, kept: Kept | None = None,
    ) -> None:  # fmt: skip
        self._tapes, self._model, self._own = tapes, fills, own
        self._queues: dict[int, Queue] = {}
        self._taken: dict[tuple[str, bool], dict[Decimal, Decimal]] = {}
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
        quotes = [order for market in markets for order in self._quote(market, now, takes=takes)]
        agent = self._agent
        try:
            yield
        finally:
            for order, asked in quotes:
                if order.oid in agent.open_orders:
                    self.engine.delist(agent, order)
                if asked != order.sz:
                    side = self._taken.setdefault((order.coin, order.is_buy), {})
                    side[order.limit_px] = side.get(order.limit_px, ZERO) + asked - order.sz

    def _quote(self, market: Market, now: int, *, takes: bool) -> list[tuple[BookOrder, Decimal]]:
        out = []
        for is_buy in (True, False):
            for side in self._levels(market, now, is_buy=is_buy, takes=takes):
                if side.sz <= 0 or market.book.would_cross(is_buy=is_buy, limit_px=side.px):
                    continue  # a touch that our own order should have met is the queue's to judge
                order = self._rest(market, side, now, is_buy=is_buy)
                out.append((order, side.sz))
        return out

    def _levels(self, market: Market, now: int, *, is_buy: bool, takes: bool) -> list[Side]:
        """What stands on one side for an action that is executed now."""
        coin, tape = market.info.coin, self._tapes.get(market.info.coin)
        if tape is None:
            return []
        if self._own is not None:
            look = tape.look(now, before=not takes)
            touch = None if look is None else look.side(is_buy=is_buy)
            sizes = {} if touch is None else {touch.px: touch.sz}
            for side in self._own_levels(coin, now, is_buy) if takes else []:
                sizes[side.px] = sizes.get(side.px, ZERO) + side.sz  # one maker stood there, so it is one fill
            return [Side(px, sz) for px, sz in sizes.items()]
        arrived = tape.look(now - BLOCK_MS)
        before = None if arrived is None else arrived.side(is_buy=is_buy)
        if not takes:
            return [] if before is None else [before]
        look = tape.look(now)
        after = None if look is None else look.side(is_buy=is_buy)
        traded = tape.traded_in(now - BLOCK_MS, now)
        found = offered(
            self._model, before, after, traded, is_ask=not is_buy, sz_decimals=market.info.sz_decimals
        )  # fmt: skip
        if found is None:
            return []
        return [Side(found.px, found.sz - self._taken.get((coin, is_buy), {}).get(found.px, ZERO))]

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

    def _rest(self, market: Market, side: Side, now: int, *, is_buy: bool) -> BookOrder:
        agent = self._agent
        request = Request(market, is_buy, side.px, side.sz, False, "Gtc", None)
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
        wanted |= {coin for (coin, _), taken in self._taken.items() if taken}
        for coin in wanted - self._seen.keys():
            self._seen[coin] = now
        for coin in self._seen.keys() - wanted:
            del self._seen[coin]
        resting = {o.oid: o for a in users for o in a.open_orders.values() if not o.dormant}
        for oid in self._queues.keys() - resting.keys():
            del self._queues[oid]
        for oid, order in resting.items():
            if oid not in self._queues:
                tape = self._tapes.get(order.coin)
                look = None if tape is None else tape.look(now)
                front = None  # nothing was shown yet: the first touch at its price says what stands before it
                if look is not None:
                    front = first_place(order.limit_px, look.side(is_buy=order.is_buy), is_buy=order.is_buy)
                self._queues[oid] = Queue(order.limit_px, is_buy=order.is_buy, front=front)

    def _play(self, now: int) -> None:
        """What the tapes of the watched markets show up to now."""
        for coin, seen in sorted(self._seen.items()):
            tape = self._tapes.get(coin)
            if tape is None:
                continue
            self._seen[coin] = now
            market = self.engine.markets[coin]
            for look in tape.looks(seen, now):
                self._forget_taken(coin, look.bid, look.ask)
                if self._own is None:
                    self._meet(market, look.bid, look.ask, now)
            if self._own is None:
                for trade in tape.traded_in(seen, now):
                    self._fill(market, now, lambda queue, left, t=trade: queue.traded(t, left))  # type: ignore[misc]
            for context in tape.contexts(seen + 1, now):
                self._mark(market, context.oracle, context.mark, now)
        self._own_makers(now)

    def _forget_taken(self, coin: str, bid: Side | None, ask: Side | None) -> None:
        for is_buy, side in ((True, bid), (False, ask)):
            taken = self._taken.get((coin, is_buy))
            if taken:
                kept = {px: sz for px, sz in taken.items() if side is not None and px == side.px}
                self._taken[coin, is_buy] = kept

    def _meet(self, market: Market, bid: Side | None, ask: Side | None, now: int) -> None:
        for order in self._resting(market):
            queue = self._queues.get(order.oid)
            if queue is not None:
                queue.shown(bid if order.is_buy else ask)
        self._fill(market, now, lambda queue, left: queue.met(ask if queue.is_buy else bid, left))

    def _resting(self, market: Market) -> list[BookOrder]:
        """Users' resting orders of a market, the best price of each side first."""
        users = (a for a in self.engine.accounts.values() if not a.is_agent)
        orders = [o for a in users for o in a.open_orders.values() if o.coin == market.info.coin and not o.dormant]
        return sorted(orders, key=lambda o: (o.is_buy, -o.limit_px if o.is_buy else o.limit_px, o.oid))

    def _fill(self, market: Market, now: int, how_much: Callable[[Queue, Decimal], Decimal]) -> None:
        for order in self._resting(market):
            queue = self._queues.get(order.oid)
            size = ZERO if queue is None or order.sz <= 0 else how_much(queue, order.sz)
            if size > 0:
                self._take(market, order.limit_px, size, now, is_buy=not order.is_buy)

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
