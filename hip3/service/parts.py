"""What the composition root puts together, by subject: what the functions of `trading` take and return."""

import queue
from collections.abc import Callable
from decimal import Decimal

import msgspec

from hip3.config.reading import MarketSettings
from hip3.core.blocked import Blocked
from hip3.core.ledger import PositionView
from hip3.core.market import MarketSpec
from hip3.core.ports import Clock, Intents, Journal, Sender
from hip3.exchange.clock_offset import ClockOffset
from hip3.exchange.nonce import NonceManager
from hip3.execution.account_view import AccountView
from hip3.execution.consequences import Consequences
from hip3.execution.entries.budget import ActionBudget
from hip3.execution.entries.executor import Executor
from hip3.execution.exits.exiting import Exiting
from hip3.execution.exits.risk_desk import RiskDesk, Trip
from hip3.execution.flow import TradeFlow
from hip3.execution.link import Link
from hip3.execution.market_in import MarketIn
from hip3.execution.orders_in import OrdersIn
from hip3.execution.quotes.quoter import NoQuotes, Quoter
from hip3.execution.readiness import Readiness
from hip3.execution.sending.address_budget import AddressBudget
from hip3.execution.sending.cloids import CloidSource
from hip3.execution.sending.identity import Identity
from hip3.execution.sending.loop import ExecutorLoop, HttpLane
from hip3.execution.sending.posts import PostRequestManager
from hip3.execution.sending.scheduler import BatchScheduler
from hip3.execution.sending.socket_trust import SocketTrust
from hip3.execution.truth.account import Proof, Rest
from hip3.execution.truth.bootstrap import Beginning
from hip3.execution.truth.housekeeping import Housekeeping
from hip3.execution.truth.margin import Margin
from hip3.execution.truth.markets import Markets
from hip3.execution.truth.resolver import Signed
from hip3.execution.truth.strangers import Strangers
from hip3.execution.truth.streams import StreamWatch
from hip3.execution.truth.universe import Universe
from hip3.feed.market_state import MarketState
from hip3.observe.observer import Observer
from hip3.position.exit_attempts import ExitDesk
from hip3.position.tracker import PositionTracker
from hip3.risk.guards import EntryGuards
from hip3.risk.hard_stop import HardStopLatch
from hip3.risk.market_flags import MarketFlags
from hip3.risk.market_gates import MarketGates
from hip3.risk.monitor import RiskEvent
from hip3.service.kept import Before
from hip3.strategy.detector import Detector


class Trading(msgspec.Struct, frozen=True, kw_only=True):
    """The wired parts."""

    specs: dict[str, MarketSpec]
    blocked: Blocked
    market_state: MarketState
    detector: Detector
    tracker: PositionTracker
    exits: ExitDesk
    view: AccountView
    link: Link
    scheduler: BatchScheduler
    posts: PostRequestManager
    flow: TradeFlow
    orders_in: OrdersIn
    consequences: Consequences
    exiting: Exiting
    executor: Executor | None
    loop: ExecutorLoop | None
    risk: RiskDesk
    risk_events: "queue.Queue[RiskEvent]"
    housekeeping: Housekeeping
    offset: ClockOffset
    address: AddressBudget
    gates: MarketGates
    guards: EntryGuards
    flags: MarketFlags
    markets: Markets
    quotes: Quoter | NoQuotes
    observer: Observer | None
    """Follows signals and near misses; None where the settings do not ask for it."""


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """What trading asks of the process around it. Any thread of its own may call them."""

    http: HttpLane
    """Posts cancels and exits by HTTP, while there is no socket."""
    wake_rest: Callable[[], None]
    trip: Trip
    """Trips the latch: code, detail, evidence."""
    ask_proof: Callable[[Callable[[Proof], None]], None]
    """Reads on the rest thread what the exchange says is open, and hands it over."""
    reconnect: Callable[[str], None]
    """Drops the connection, so that it is begun anew."""


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What trading is made of: settings, what was learnt, and the edges."""

    settings: MarketSettings
    clock: Clock
    universe: Universe
    identity: Identity | None
    user: str | None
    beginning: Beginning | None
    before: Before
    latch: HardStopLatch
    readiness: Readiness
    sender: Sender
    rest: Rest
    journal: Journal
    intents: Intents
    cloids: CloidSource
    signed: Signed
    links: Links
    give_way: Callable[[], None]
    """As `Runtime.give_way`."""


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """What we believe: orders, positions, exits under way, the account, the exchange's time."""

    tracker: PositionTracker
    exits: ExitDesk
    view: AccountView
    offset: ClockOffset
    strangers: Strangers
    link: Link
    blocked: Blocked
    """Markets that may not be entered, and why; grows while the service runs."""
    margins: dict[str, Margin]
    """How each market's next position is margined, as far as it is known; written by the rest thread."""
    liquidation: Callable[[PositionView], Decimal | None]
    """At which price the exchange closes a position; None where nobody knows. Any thread."""


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """Market data, and what is judged on it."""

    market_state: MarketState
    detector: Detector
    flags: MarketFlags
    gates: MarketGates
    streams: StreamWatch
    markets: Markets


class Outbox(msgspec.Struct, frozen=True, kw_only=True):
    """What waits to leave and what has left."""

    scheduler: BatchScheduler
    posts: PostRequestManager
    trust: SocketTrust
    cloids: CloidSource
    address: AddressBudget
    budget: ActionBudget
    nonces: NonceManager


class Inflow(msgspec.Struct, frozen=True, kw_only=True):
    """Where messages go and what follows from them."""

    quotes: Quoter | NoQuotes
    observer: Observer | None
    guards: EntryGuards
    executor: Executor | None
    exiting: Exiting
    risk_events: "queue.Queue[RiskEvent]"
    consequences: Consequences
    orders_in: OrdersIn
    market_in: MarketIn
    flow: TradeFlow
