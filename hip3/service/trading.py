"""The composition root of trading: every object once, by constructor, complete at birth.

Tests call `build` with fakes in place of clock, sender, REST and journal.
"""

import queue
from collections.abc import Callable

from hip3.core.blocked import Blocked
from hip3.core.nonce_floor import floor_of
from hip3.core.orders import PendingOrder
from hip3.exchange.clock_offset import ClockOffset
from hip3.exchange.nonce import NonceManager
from hip3.execution.account_view import AccountView
from hip3.execution.consequences import Consequences
from hip3.execution.entries.budget import ActionBudget
from hip3.execution.entries.executor import Executor
from hip3.execution.entries.refusal_watch import RefusalWatch
from hip3.execution.exits.exiting import Exiting
from hip3.execution.exits.hard_stop_sequence import HardStopSequence
from hip3.execution.exits.protector import Protector
from hip3.execution.exits.risk_desk import KeptRisk, RiskDesk
from hip3.execution.flow import TradeFlow
from hip3.execution.link import Link
from hip3.execution.market_in import MarketIn
from hip3.execution.orders_in import OrdersIn
from hip3.execution.quotes.adoption import adoptable
from hip3.execution.quotes.completion import Completion
from hip3.execution.quotes.facts import FactFinder
from hip3.execution.quotes.quoter import NoQuotes, Quoter
from hip3.execution.sending.address_budget import AddressBudget
from hip3.execution.sending.identity import Identity
from hip3.execution.sending.loop import ExecutorLoop
from hip3.execution.sending.posts import PostRequestManager
from hip3.execution.sending.scheduler import BatchScheduler
from hip3.execution.sending.socket_trust import SocketTrust
from hip3.execution.truth.books import BooksByRest
from hip3.execution.truth.bootstrap import still_held
from hip3.execution.truth.fees import FeeWatch
from hip3.execution.truth.housekeeping import Helpers, Housekeeping
from hip3.execution.truth.margin import MarginSetter
from hip3.execution.truth.markets import Markets
from hip3.execution.truth.open_orders import OpenOrders
from hip3.execution.truth.resolver import Resolver
from hip3.execution.truth.strangers import Strangers
from hip3.execution.truth.streams import StreamWatch
from hip3.execution.truth.worth import UNKNOWN, Worth, tokens_of
from hip3.feed.market_state import MarketState
from hip3.observe.observer import Observer
from hip3.position.exit_attempts import ExitDesk
from hip3.position.flatten import newest_mark
from hip3.risk.drawdown import Drawdown
from hip3.risk.guards import EntryGuards
from hip3.risk.market_flags import MarketFlags
from hip3.risk.market_gates import MarketGates
from hip3.risk.monitor import RiskEvent, RiskMonitor
from hip3.risk.trial import Trial
from hip3.service.kept import anew, margin_changes, new_tracker, past
from hip3.service.params import (
    adopts,
    detector_params,
    drawdown_limits,
    entry_limits,
    exit_params,
    guard_settings,
    liquidation_of,
    market_gate_params,
    quote_params,
    risk_limits,
)
from hip3.service.parts import Books, Feed, Given, Inflow, Outbox, Trading
from hip3.strategy.detector import Detector

RISK_QUEUE = 10_000
Drop = Callable[[PendingOrder, str, int], None]
"""Takes an order out of the books that never left, and tells so."""


def build(given: Given) -> Trading:
    """Wire everything. Without an identity (observe) there is no executor and no tick."""
    books = _books(given)
    feed = _feed(given, books)
    outbox = _outbox(given, books)
    inflow = _inflow(given, books, feed, outbox)
    loop = None if given.identity is None else _loop(given, given.identity, books, feed, outbox, inflow)
    housekeeping = _housekeeping(given, books, feed, outbox, inflow)
    risk = _risk(given, books, feed, outbox, inflow)
    return Trading(
        specs=given.universe.specs, blocked=books.blocked, market_state=feed.market_state, detector=feed.detector,
        tracker=books.tracker, exits=books.exits, view=books.view, link=books.link, scheduler=outbox.scheduler,
        posts=outbox.posts, flow=inflow.flow, orders_in=inflow.orders_in, consequences=inflow.consequences,
        exiting=inflow.exiting, executor=inflow.executor, loop=loop, risk=risk, risk_events=inflow.risk_events,
        housekeeping=housekeeping, offset=books.offset, address=outbox.address, gates=feed.gates,
        guards=inflow.guards, flags=feed.flags, markets=feed.markets, quotes=inflow.quotes,
        observer=inflow.observer,
    )  # fmt: skip


def _books(g: Given) -> Books:
    offset = ClockOffset(g.clock)
    if g.before.clock is not None:  # what is judged now must be judged by the exchange's time
        offset.add(g.before.clock[0] + g.clock.mono_ms() - g.before.clock[1], 0)
    tracker = new_tracker(g.beginning, g.before.recovered, g.clock.mono_ms())
    exits = ExitDesk(g.settings.base.post_timeout_ms + 1000)
    view = AccountView(g.beginning.mode if g.beginning is not None else UNKNOWN)
    if g.beginning is not None:
        report = g.beginning.report
        view.take(report.marks, report.liquidations, report.margins, g.clock.mono_ms())
        known = list(still_held(report, g.beginning.held).values())
        exits.restore(anew(known, g.latch.state().reset, g.before), g.clock.mono_ms())
    margins = g.beginning.margins if g.beginning is not None else {}
    return Books(
        tracker=tracker, exits=exits, view=view, offset=offset, strangers=Strangers(),
        link=Link(g.clock.mono_ms()), blocked=Blocked(g.universe.blocked), margins=margins,
        liquidation=liquidation_of(g.settings, margins, g.universe.specs, view),
    )  # fmt: skip


def _feed(g: Given, books: Books) -> Feed:
    settings, specs, flags = g.settings, g.universe.specs, MarketFlags()
    gates = MarketGates(
        {c: market_gate_params(settings.for_market(c)) for c in specs}, flags, books.blocked.get,
        lambda coin, gate, why: g.journal.record("market_gate", coin=coin, gate=gate, why=why),
    )  # fmt: skip
    streams = StreamWatch(
        clock=g.clock, readiness=g.readiness, journal=g.journal, offset_ms=lambda: books.offset.offset_ms,
        reconnect=g.links.reconnect, disconnect_limit_ms=settings.base.disconnect_limit_ms,
    )  # fmt: skip
    detector = Detector(detector_params(settings, specs))
    markets = Markets(
        clock=g.clock, rest=g.rest, specs=specs, dexs=g.universe.dexs, blocked=books.blocked.market,
        approved=g.before.approved, caps=g.before.caps, flags=flags, journal=g.journal,
        renewed=lambda spec: detector.renew(detector_params(settings, {spec.coin: spec})),
        press=books.exits.press, reconnect=g.links.reconnect,
    )  # fmt: skip
    return Feed(
        market_state=MarketState(specs), detector=detector, flags=flags, gates=gates, streams=streams, markets=markets,
    )  # fmt: skip


def _outbox(g: Given, books: Books) -> Outbox:
    floor = floor_of(
        g.before.recovered.nonce_floor if g.before.recovered is not None else 0,
        books.offset.exchange_ms() if books.offset.known else None,
    )
    return Outbox(
        scheduler=BatchScheduler(g.settings.base.max_inflight, g.give_way), posts=PostRequestManager(), cloids=g.cloids,
        trust=SocketTrust(g.readiness, books.link, g.links.reconnect),
        address=AddressBudget(), budget=ActionBudget(g.settings.base.orders_per_second), nonces=NonceManager(floor),
    )  # fmt: skip


def _inflow(g: Given, books: Books, feed: Feed, outbox: Outbox) -> Inflow:
    settings, specs, clock = g.settings, g.universe.specs, g.clock
    guards = EntryGuards({c: guard_settings(settings.for_market(c)) for c in specs}, guard_settings(settings.base))
    executor = None if g.identity is None else _executor(g, books, feed, outbox, guards)

    def drop(order: PendingOrder, why: str, now_ms: int) -> None:
        consequences.dispatch(books.tracker.drop(order.cloid, why), now_ms)

    quotes = _quotes(g, books, feed, outbox, drop)
    leaving = {c: exit_params(settings, c) for c in specs}
    exiting = Exiting(
        clock=clock, specs=specs, params=leaving if g.identity else {},
        newest=feed.markets.newest, others=g.universe.others,
        other_params=exit_params(settings, ""), liquidation=books.liquidation, read_mark=books.view.mark_of,
        tracker=books.tracker, desk=books.exits, market_state=feed.market_state, scheduler=outbox.scheduler,
        cloids=outbox.cloids, journal=g.journal, exchange_ms=books.offset.exchange_ms,
        watch_foreign=settings.base.foreign_positions == "watch",
        drop=drop,
    )  # fmt: skip
    risk_events: queue.Queue[RiskEvent] = queue.Queue(maxsize=RISK_QUEUE)
    consequences = Consequences(
        exiting=exiting, view=books.view, readiness=g.readiness, strangers=books.strangers,
        refusals=RefusalWatch(feed.flags, g.journal, feed.markets.doubt), guards=guards,
        address=outbox.address, risk_events=risk_events, quotes=quotes,
        fees=FeeWatch(specs, feed.markets.fee_differs),
        journal=g.journal, wake_rest=g.links.wake_rest,
        on_risk_lost=lambda: g.links.trip("thread_dead", "the risk queue is full: events are lost", None),
    )  # fmt: skip
    orders_in = OrdersIn(
        clock=clock, dexs=g.universe.dexs, link=books.link, view=books.view, consequences=consequences,
        tracker=books.tracker, scheduler=outbox.scheduler, posts=outbox.posts, trust=outbox.trust,
        strangers=books.strangers, streams=feed.streams, address=outbox.address, journal=g.journal,
        wake_rest=g.links.wake_rest,
    )  # fmt: skip
    observer = _observer(g, feed)
    market_in = MarketIn(
        clock=clock, specs=specs, link=books.link, market_state=feed.market_state, detector=feed.detector,
        executor=executor, exiting=exiting, quotes=quotes,
        market_gates=feed.gates, readiness=g.readiness, streams=feed.streams,
        journal=g.journal, view=books.view, offset=books.offset, observer=observer,
        facts=None if observer is None else (executor or _executor(g, books, feed, outbox, guards)).facts,
    )  # fmt: skip
    flow = TradeFlow(
        clock=clock, listed=feed.markets.listed, link=books.link, view=books.view, market_in=market_in,
        orders_in=orders_in, readiness=g.readiness, streams=feed.streams, journal=g.journal,
        wake_rest=g.links.wake_rest, doubt_markets=feed.markets.doubt,
    )  # fmt: skip
    return Inflow(
        guards=guards, executor=executor, exiting=exiting, risk_events=risk_events, consequences=consequences,
        orders_in=orders_in, market_in=market_in, flow=flow, quotes=quotes, observer=observer,
    )  # fmt: skip


def _observer(g: Given, feed: Feed) -> Observer | None:
    if not g.settings.base.follows:
        return None
    specs = g.universe.specs
    return Observer(
        coins=list(specs), view=feed.market_state.view, cost_bps=feed.detector.cost_bps,
        fee_bps=lambda coin: g.settings.for_market(coin).taker_fee_bps or specs[coin].taker_fee_bps, journal=g.journal,
        late_ms=g.before.late_ms,
    )  # fmt: skip


def _executor(g: Given, books: Books, feed: Feed, outbox: Outbox, guards: EntryGuards) -> Executor:
    limits = {coin: entry_limits(g.settings, coin) for coin in g.universe.specs}
    return Executor(
        clock=g.clock, specs=g.universe.specs, limits=limits.__getitem__, blocked=books.blocked.get, latch=g.latch,
        other_marks=lambda: books.view.marks, readiness=g.readiness, market_state=feed.market_state,
        tracker=books.tracker, guards=guards, exchange_ms=books.offset.exchange_ms, exits=books.exits,
        budget=outbox.budget, address=outbox.address, scheduler=outbox.scheduler, posts=outbox.posts,
        cloids=outbox.cloids, quoted=frozenset(g.settings.base.quoted_coins).__contains__,
    )  # fmt: skip


def _quotes(g: Given, books: Books, feed: Feed, outbox: Outbox, drop: Drop) -> Quoter | NoQuotes:
    specs, base = g.universe.specs, g.settings.base
    quoted = [coin for coin in base.quoted_coins if coin in specs]
    if g.identity is None or not quoted:
        return NoQuotes()
    limits = {coin: entry_limits(g.settings, coin) for coin in quoted}
    facts = FactFinder(
        blocked=books.blocked.get, gate=feed.gates.blocks_now, latch=g.latch, readiness=g.readiness,
        exits=books.exits, flags=feed.flags, exchange_ms=books.offset.exchange_ms,
        watch_foreign=base.foreign_positions == "watch",
    )  # fmt: skip
    completion = Completion(
        clock=g.clock, desk=books.exits, tracker=books.tracker, scheduler=outbox.scheduler, cloids=outbox.cloids,
        journal=g.journal, exchange_ms=books.offset.exchange_ms, ends_within=facts.ends_within,
        drop=drop, watch_foreign=base.foreign_positions == "watch",
    )  # fmt: skip
    return Quoter(
        clock=g.clock, completion=completion, params={coin: quote_params(g.settings, coin) for coin in quoted},
        specs=specs.get, limits=limits.__getitem__, other_marks=lambda: books.view.marks, facts=facts,
        readiness=g.readiness, market_state=feed.market_state, link=books.link, view=books.view, tracker=books.tracker,
        scheduler=outbox.scheduler, budget=outbox.budget, address=outbox.address, cloids=outbox.cloids,
        journal=g.journal,
    )  # fmt: skip


def _loop(g: Given, identity: Identity, books: Books, feed: Feed, outbox: Outbox, inflow: Inflow) -> ExecutorLoop:
    base, market_state = g.settings.base, feed.market_state
    protector = Protector(
        clock=g.clock, specs=g.universe.specs, newest=feed.markets.newest,
        bps=lambda c: g.settings.for_market(c).protective_stop_bps,
        liquidation=books.liquidation, read_mark=books.view.mark_of,
        tracker=books.tracker, desk=books.exits, exiting=inflow.exiting, market_state=market_state,
        scheduler=outbox.scheduler, cloids=outbox.cloids, journal=g.journal,
    )  # fmt: skip
    return ExecutorLoop(
        clock=g.clock, identity=identity, asset_ids=g.universe.asset_ids, latch=g.latch, readiness=g.readiness,
        scheduler=outbox.scheduler, posts=outbox.posts, trust=outbox.trust, tracker=books.tracker, link=books.link,
        orders_in=inflow.orders_in, consequences=inflow.consequences, exits=inflow.exiting, stops=protector,
        quotes=inflow.quotes,
        stale=lambda coin, now_ms: feed.gates.stale(market_state.view(coin), now_ms),
        sender=g.sender, http=g.links.http, intents=g.intents, address=outbox.address, nonces=outbox.nonces,
        journal=g.journal, post_timeout_ms=base.post_timeout_ms, expires_after_ms=base.expires_after_ms,
        exchange_ms=books.offset.exchange_ms, latest_ms=books.offset.latest_ms,
    )  # fmt: skip


def _housekeeping(g: Given, books: Books, feed: Feed, outbox: Outbox, inflow: Inflow) -> Housekeeping:
    user = g.user if g.identity is not None else None
    by_rest = BooksByRest(
        rest=g.rest, user=user, dexs=g.universe.dexs, link=books.link, market_in=inflow.market_in,
        market_state=feed.market_state, leaving=books.exits.exiting, held=books.tracker.booked,
        marked=books.view.marked,
        connected=lambda: g.readiness.connected_now, flags=feed.flags, journal=g.journal, reconnect=g.links.reconnect,
    )  # fmt: skip
    helpers = Helpers(markets=feed.markets, books=by_rest)
    if g.identity is not None:
        resolver = Resolver(
            clock=g.clock, rest=g.rest, signed=g.signed, identity=g.identity, tracker=books.tracker,
            orders_in=inflow.orders_in, consequences=inflow.consequences, intents=g.intents, journal=g.journal,
            count_action=outbox.address.spend,
        )  # fmt: skip
        margin = MarginSetter(
            clock=g.clock, rest=g.rest, held=lambda coin: coin in books.tracker.booked(), signed=g.signed,
            identity=g.identity, specs=g.universe.specs, known=books.margins, read=g.before.margins,
            wished=lambda known: margin_changes(g.settings, known, g.universe.specs),
            blocked=books.blocked.margin, nonces=outbox.nonces, intents=g.intents, journal=g.journal,
            count_action=outbox.address.spend, exchange_ms=books.offset.exchange_ms,
        )  # fmt: skip
        feed.markets.opening = margin.look_again
        adopting = g.settings.base.quoted_coins if adopts(g.settings.base) else ()
        open_orders = OpenOrders(
            clock=g.clock, rest=g.rest, user=g.identity.account, tracker=books.tracker, orders_in=inflow.orders_in,
            scheduler=outbox.scheduler, readiness=g.readiness, journal=g.journal, strangers=books.strangers,
            known_before=g.intents.knows, markets=frozenset(g.universe.asset_ids),
            started_ms=g.beginning.report.at_ms if g.beginning else g.clock.wall_ms(),
            cancel_all=g.settings.base.start_policy == "cancel_all",
            adopted=lambda orders: adoptable(orders, books.tracker.get, adopting),
        )  # fmt: skip
        helpers = Helpers(
            markets=feed.markets, books=by_rest, resolver=resolver, margin=margin, open_orders=open_orders
        )
    worth, tokens = None, tokens_of(g.universe.specs.values())
    if g.beginning is not None and g.user is not None:
        worth = Worth(rest=g.rest, user=g.user, agreed=g.before.mode, tokens=tokens, view=books.view, journal=g.journal)
    books.offset.told = outbox.nonces.learned
    return Housekeeping(
        clock=g.clock, rest=g.rest, user=user, dexs=g.universe.dexs, tracker=books.tracker, link=books.link,
        view=books.view, orders_in=inflow.orders_in, consequences=inflow.consequences,
        readiness=g.readiness, journal=g.journal, offset=books.offset, address=outbox.address,
        strangers=books.strangers, streams=feed.streams, helpers=helpers, worth=worth,
    )  # fmt: skip


def _risk(g: Given, books: Books, feed: Feed, outbox: Outbox, inflow: Inflow) -> RiskDesk:
    base, kept = g.settings.base, g.before.risk or KeptRisk()
    sequence = None
    if g.identity is not None:
        sequence = HardStopSequence(
            clock=g.clock, latch=g.latch, scheduler=outbox.scheduler, tracker=books.tracker, exiting=inflow.exiting,
            consequences=inflow.consequences, journal=g.journal, flatten=base.hard_stop_flatten,
            ask_proof=g.links.ask_proof, doubt=books.view.doubt,
        )  # fmt: skip
    risk = RiskDesk(
        clock=g.clock, exchange_ms=books.offset.exchange_ms, events=inflow.risk_events,
        monitor=RiskMonitor(risk_limits(g.settings), kept.counters),
        drawdown=Drawdown(drawdown_limits(g.settings), kept.day),
        trial=Trial(kept.trial) if base.profile == "micro" else None, guards=inflow.guards, tracker=books.tracker,
        mark=lambda coin: newest_mark(
            coin, feed.market_state.view(coin), books.view.mark_of(coin), g.clock.mono_ms()
        ),
        view=books.view, readiness=g.readiness, journal=g.journal, sequence=sequence,
        streams=feed.streams, trip=g.links.trip, latch=g.latch, desk=books.exits,
    )  # fmt: skip
    if g.identity is not None:
        risk.begin(past(g.before, g.beginning, g.latch, base.quoted_coins))
    return risk
