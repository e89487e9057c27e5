"""All that can arrive, as values. Made by `exchange.wire`; consumed by feed, tracker and executor."""

from decimal import Decimal

import msgspec

from hip3.core.market import Level
from hip3.core.orders import Side


class BboUpdate(msgspec.Struct, frozen=True):
    """The touch changed. A side without quotes is None."""

    coin: str
    time_ms: int
    bid: Level | None
    ask: Level | None


class CtxUpdate(msgspec.Struct, frozen=True):
    """An asset context; the frame has no time of its own."""

    coin: str
    oracle: Decimal
    mark: Decimal
    open_interest: Decimal


class OrderUpdate(msgspec.Struct, frozen=True):
    """One item of orderUpdates, openOrders or orderStatus."""

    coin: str
    side: Side
    oid: int
    cloid: str | None
    limit_px: Decimal
    remaining: Decimal
    orig_sz: Decimal
    status: str
    status_ms: int
    reduce_only: bool = False
    placed_ms: int = 0
    """When the order was placed (exchange time)."""
    trigger_px: Decimal | None = None
    """Trigger orders, where the source shows it (frontendOpenOrders, orderStatus)."""

    @property
    def protects(self) -> bool:
        """A reduce-only trigger: it can only make a position smaller."""
        return self.reduce_only and self.trigger_px is not None


class Fill(msgspec.Struct, frozen=True):
    """One fill as the exchange books it. Its identity is (coin, time_ms, tid)."""

    coin: str
    side: Side
    px: Decimal
    sz: Decimal
    time_ms: int
    tid: int
    oid: int
    cloid: str | None
    start_position: Decimal
    closed_pnl: Decimal
    """Gross of fees (docs/venue-facts.md F7)."""
    fee: Decimal
    fee_token: str
    direction: str
    crossed: bool
    liquidation: bool = False

    @property
    def key(self) -> tuple[str, int, int]:
        return (self.coin, self.time_ms, self.tid)

    @property
    def signed_sz(self) -> Decimal:
        return self.sz if self.side is Side.BUY else -self.sz


class Funding(msgspec.Struct, frozen=True):
    """One funding payment. Its identity is (coin, time_ms)."""

    coin: str
    time_ms: int
    usdc: Decimal
    """Negative: paid."""

    @property
    def key(self) -> tuple[str, int]:
        return (self.coin, self.time_ms)


class OrderUpdates(msgspec.Struct, frozen=True):
    """A frame of orderUpdates; `malformed` items could not be read."""

    items: tuple[OrderUpdate, ...]
    malformed: int = 0


class UserFills(msgspec.Struct, frozen=True):
    """A frame of userFills: history first (`snapshot`), then increments."""

    fills: tuple[Fill, ...]
    snapshot: bool
    malformed: int = 0


class UserFundings(msgspec.Struct, frozen=True):
    """A frame of userFundings: history first, then each payment."""

    items: tuple[Funding, ...]
    malformed: int = 0


class Resting(msgspec.Struct, frozen=True):
    """Reply to one order: it is on the book."""

    oid: int


class Filled(msgspec.Struct, frozen=True):
    """Reply to one order: executed now; `total_sz` may be less than asked (the rest is gone)."""

    oid: int
    total_sz: Decimal
    avg_px: Decimal


class Refused(msgspec.Struct, frozen=True):
    """Reply to one order or cancel: the exchange said no."""

    text: str


class Accepted(msgspec.Struct, frozen=True):
    """Reply in one word: "success", "waitingForFill", "waitingForTrigger"."""

    word: str


Status = Resting | Filled | Refused | Accepted


class Statuses(msgspec.Struct, frozen=True):
    """An action was taken; one status per order or cancel, or fewer (see `execution.replies`)."""

    items: tuple[Status | None, ...]
    """None: an entry of a shape we do not know."""


class ActionRefused(msgspec.Struct, frozen=True):
    """status "err": the whole action was refused and not executed."""

    text: str


class RequestFailed(msgspec.Struct, frozen=True):
    """Post reply of type "error": the text mirrors an HTTP status and body."""

    text: str


class Unreadable(msgspec.Struct, frozen=True):
    """A reply whose meaning we do not know."""

    text: str


PostOutcome = Statuses | ActionRefused | RequestFailed | Unreadable


class PostReply(msgspec.Struct, frozen=True):
    """The answer to one WebSocket post."""

    post_id: int
    outcome: PostOutcome


class SubscriptionAck(msgspec.Struct, frozen=True):
    """The exchange acknowledged a subscription; `key` is `subscriptions.key_of` of it."""

    key: str


class Pong(msgspec.Struct, frozen=True):
    """Answer to our ping."""


class ErrorFrame(msgspec.Struct, frozen=True):
    """channel "error": something we sent was not acceptable."""

    text: str


class Ignored(msgspec.Struct, frozen=True):
    """A frame we do not use: unknown channel, or market data of a coin we did not ask for."""

    kind: str


class Malformed(msgspec.Struct, frozen=True):
    """A frame that does not parse; survived and counted by `kind`."""

    kind: str
    detail: str


Event = (
    BboUpdate
    | CtxUpdate
    | OrderUpdates
    | UserFills
    | UserFundings
    | PostReply
    | SubscriptionAck
    | Pong
    | ErrorFrame
    | Ignored
    | Malformed
)
