"""All that can arrive, as values. Made by `exchange.wire`; consumed by feed, tracker and executor.

Prices are USD for one unit of the asset, sizes units of the asset; times that end in `_ms` are the exchange's unless
said otherwise. Every number is finite. Of unknown words and shapes nothing is guessed: see `Ignored`, `Malformed`,
`Unreadable`.
"""

from decimal import Decimal

import msgspec

from hip3.core.market import Level
from hip3.core.orders import Side


class BboUpdate(msgspec.Struct, frozen=True):
    """The touch changed; nothing comes while it does not (docs/venue-facts.md F15). A side without quotes is None."""

    coin: str
    time_ms: int
    """Time of the book."""
    bid: Level | None
    ask: Level | None


class CtxUpdate(msgspec.Struct, frozen=True):
    """An asset context, about once a second; the frame has no time of its own (docs/venue-facts.md F15)."""

    coin: str
    oracle: Decimal
    """Positive, like the mark."""
    mark: Decimal
    open_interest: Decimal
    """In units of the asset."""


class OrderUpdate(msgspec.Struct, frozen=True):
    """One item of orderUpdates, openOrders or orderStatus: of any order of the account, on any dex, ours or not."""

    coin: str
    side: Side
    oid: int
    cloid: str | None
    limit_px: Decimal
    remaining: Decimal
    """What was not executed; 0 of a filled order. Size that the exchange took off a stop is missing from it, too."""
    orig_sz: Decimal
    status: str
    """The exchange's word; `order_state.state_of_status` reads it."""
    status_ms: int
    """When it took this status; when it was placed, where the source has no such time."""
    reduce_only: bool = False
    """False also where the source leaves it out."""
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
    """Positive."""
    time_ms: int
    tid: int
    """Both sides of a trade have the same."""
    oid: int
    cloid: str | None
    """None where the order had none."""
    start_position: Decimal
    """Signed size before this fill: fills form a chain, so a missing one shows."""
    closed_pnl: Decimal
    """Gross of fees (docs/venue-facts.md F7)."""
    fee: Decimal
    """In `fee_token`; negative is a rebate."""
    fee_token: str
    direction: str
    """The exchange's word for what it did, like "Open Long" or "Auto-Deleveraging"."""
    crossed: bool
    """We took; False: our order rested."""
    liquidation: bool = False
    """It carries a liquidation object; the other side's fill carries it, too (docs/venue-facts.md F20)."""

    @property
    def key(self) -> tuple[str, int, int]:
        """Its identity; two sources of the same fill have the same."""
        return (self.coin, self.time_ms, self.tid)

    @property
    def signed_sz(self) -> Decimal:
        """What it added to the signed position."""
        return self.sz if self.side is Side.BUY else -self.sz

    @property
    def end_position(self) -> Decimal:
        """Signed size after this fill."""
        return self.start_position + self.signed_sz


class Funding(msgspec.Struct, frozen=True):
    """One funding payment. Its identity is (coin, time_ms)."""

    coin: str
    time_ms: int
    usdc: Decimal
    """Negative: paid."""

    @property
    def key(self) -> tuple[str, int]:
        """Its identity; the stream's history repeats what was told before."""
        return (self.coin, self.time_ms)


class OrderUpdates(msgspec.Struct, frozen=True):
    """A frame of orderUpdates; `malformed` items could not be read."""

    items: tuple[OrderUpdate, ...]
    malformed: int = 0


class UserFills(msgspec.Struct, frozen=True):
    """A frame of userFills: history first (`snapshot`), then increments."""

    fills: tuple[Fill, ...]
    """Of all dexs (docs/venue-facts.md F13). A snapshot is newest first."""
    snapshot: bool
    malformed: int = 0
    """Items that could not be read; the chain of start positions shows the gap."""


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
    """Reply to one order or cancel: the exchange said no. `core.refusals` knows what follows."""

    text: str


class Accepted(msgspec.Struct, frozen=True):
    """Reply in one word: "success", "waitingForFill", "waitingForTrigger"; "default" for actions without entries."""

    word: str


Status = Resting | Filled | Refused | Accepted
"""What a reply says of one order or cancel."""


class Statuses(msgspec.Struct, frozen=True):
    """An action was taken; one status per order or cancel, or fewer (see `execution.replies`)."""

    items: tuple[Status | None, ...]
    """None: an entry of a shape we do not know."""


class ActionRefused(msgspec.Struct, frozen=True):
    """status "err": the whole action was refused and not executed. It comes with HTTP 200 (docs/venue-facts.md F6)."""

    text: str


class RequestFailed(msgspec.Struct, frozen=True):
    """Post reply of type "error": the text mirrors an HTTP status and body. Whether it was executed may be open."""

    text: str


class Unreadable(msgspec.Struct, frozen=True):
    """A reply whose meaning we do not know: the outcome of all it answers is unknown."""

    text: str


PostOutcome = Statuses | ActionRefused | RequestFailed | Unreadable
"""What became of one signed action, by its reply."""


class PostReply(msgspec.Struct, frozen=True):
    """The answer to one WebSocket post."""

    post_id: int
    """As we gave it; the only thing that pairs a reply with its post."""
    outcome: PostOutcome


class SubscriptionAck(msgspec.Struct, frozen=True):
    """The exchange acknowledged a subscription; `key` is `subscriptions.key_of` of it."""

    key: str


class Pong(msgspec.Struct, frozen=True):
    """Answer to our ping."""


class ErrorFrame(msgspec.Struct, frozen=True):
    """channel "error": something we sent was not acceptable. It does not say which post, if any."""

    text: str


class Ignored(msgspec.Struct, frozen=True):
    """A frame we do not use: a channel that we know and did not ask for, or one that we do not know."""

    kind: str
    """The channel; "unknown:" before one that is new to us."""


class Malformed(msgspec.Struct, frozen=True):
    """A frame that does not parse; survived and counted by `kind`."""

    kind: str
    """The channel; "json" or "encoding" where not even that could be read."""
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
"""One frame, read. `exchange.wire.parse_frame` makes it, `execution.flow` hands it on."""
