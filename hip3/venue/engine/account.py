"""Accounts of the embedded exchange: cash per dex, positions, margin. Pure.

In standard mode every dex is a margin account of its own; in the pooled modes all dexs of one collateral token share
one (docs/venue-facts.md F16). `raw_usd` is its cash: a buy takes
price x size out of it, a sell puts it in, so that value = raw_usd + sum of szi x mark. An isolated
position has cash of its own, which is moved there when it grows and back when it shrinks. Marks are given as a
mapping by coin; a coin it does not have is a KeyError.

Cash is exact: fees are truncated to 6 decimals, entry notionals are kept, so closedPnl of a whole
round trip is exactly what was paid out (docs/venue-facts.md F7).
"""

from collections import deque
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

from hip3.core.money import CTX, ZERO, div, truncate
from hip3.venue.engine.book import BookOrder

POOLED = frozenset({"unifiedAccount", "portfolioMargin", "dexAbstraction"})
"""Modes whose dexs share their cash, as `userAbstraction` names them; the others are "default" and "disabled"."""
MODES = POOLED | {"default", "disabled"}
USDC = 0
"""The token that a dex without another one is margined in."""
NO_TOKENS: Mapping[str, int] = {}
USD_DECIMALS = 6
"""To which digit cash that comes of a division is cut."""


class Position:
    """One position: it exists as long as its size is not zero, and is the same object through a flip.

    `szi` is signed, in units; `entry_ntl` is what its size was bought or sold for, in USD and not negative.
    `leverage` is what the user had set when it was opened, or has set since.
    """

    __slots__ = (
        "entry_ntl", "funding", "funding_since_change", "iso_raw_usd", "isolated", "leverage", "liquidated_ms", "szi",
    )  # fmt: skip

    def __init__(self, leverage: int, *, isolated: bool) -> None:
        self.szi = ZERO
        self.entry_ntl = ZERO
        self.leverage = leverage
        self.isolated = isolated
        self.iso_raw_usd = ZERO
        """Cash of an isolated position, as `raw_usd` is the dex's; 0 for a cross one."""
        self.funding = ZERO
        """Paid since it was opened, in USD; negative: received."""
        self.funding_since_change = ZERO
        """The same since its last fill."""
        self.liquidated_ms: int | None = None
        """When a liquidation order was sent last; None: never."""

    @property
    def entry_px(self) -> Decimal:
        """Mean entry price, not rounded; 0 without a size."""
        return div(self.entry_ntl, abs(self.szi)) if self.szi else ZERO

    def unrealized(self, mark: Decimal) -> Decimal:
        """Gain at `mark` in USD, before fees and funding; negative: loss."""
        value = abs(self.szi) * mark - self.entry_ntl
        return value if self.szi > 0 else -value

    def margin_used(self, mark: Decimal) -> Decimal:
        """Cross: notional / leverage, truncated. Isolated: what is set aside, at mark, which may be negative."""
        if self.isolated:
            return self.iso_raw_usd + self.szi * mark
        return truncate(div(abs(self.szi) * mark, Decimal(self.leverage)), USD_DECIMALS)


class DexAccount:
    """One user's margin account: on one dex, in a pooled mode on all of one token (docs/venue-facts.md F13, F16).

    `raw_usd` is its cash outside isolated positions and may be negative while positions are held; `positions` has
    those that are not zero, by coin. A fill changes all cash together by exactly -size x price, however it is split
    between cross and isolated, so the two sides of a trade cancel out.
    """

    def __init__(self) -> None:
        self.raw_usd = ZERO
        self.positions: dict[str, Position] = {}

    def apply_fill(
        self, coin: str, signed_sz: Decimal, px: Decimal, leverage: int, *, isolated: bool
    ) -> tuple[Decimal, Decimal]:
        """Book one fill without its fee: (signed size before, closedPnl in USD).

        `leverage` and `isolated` are for a position that the fill opens; one that exists keeps its own. A fill past
        zero closes and opens. Margin is not checked here: rules and liquidation do that.
        """
        position = self.positions.get(coin)
        if position is None:
            position = self.positions[coin] = Position(leverage, isolated=isolated)
        before = position.szi
        position.funding_since_change = ZERO
        closing = ZERO
        if before and (before > 0) != (signed_sz > 0):
            closing = min(abs(before), abs(signed_sz))
        pnl = self._close(position, closing, px) if closing else ZERO
        opening = abs(signed_sz) - closing
        if opening:
            self._open(position, opening if signed_sz > 0 else -opening, px)
        if not position.szi:
            del self.positions[coin]
        return before, pnl

    def _open(self, position: Position, signed: Decimal, px: Decimal) -> None:
        """Grow a position; margin set aside is rounded up, so that it never backs less than its leverage says."""
        notional = abs(signed) * px
        position.szi += signed
        position.entry_ntl += notional
        if position.isolated:
            margin = div(notional, Decimal(position.leverage)).quantize(Decimal("0.000001"), ROUND_CEILING, CTX)
            self.raw_usd -= margin
            position.iso_raw_usd += margin - signed * px
        else:
            self.raw_usd -= signed * px

    def _close(self, position: Position, size: Decimal, px: Decimal) -> Decimal:
        """Shrink a position by `size`: the gain. The last part takes what is left, so that cutting loses nothing."""
        held = abs(position.szi)
        sign = 1 if position.szi > 0 else -1
        whole = size == held
        share = position.entry_ntl if whole else truncate(div(position.entry_ntl * size, held), USD_DECIMALS)
        pnl = (size * px - share) * sign
        if position.isolated:
            equity = position.iso_raw_usd + position.szi * px
            freed = equity if whole else truncate(div(equity * size, held), USD_DECIMALS)
            position.iso_raw_usd += sign * size * px - freed
            self.raw_usd += freed
        else:
            self.raw_usd += sign * size * px
        position.szi -= sign * size
        position.entry_ntl -= share
        return pnl

    def cross_value(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Account value of the cross part in USD: cash, and cross positions at mark."""
        return self.raw_usd + sum((p.szi * marks[c] for c, p in self.positions.items() if not p.isolated), ZERO)

    def value(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Account value in USD with the isolated positions."""
        isolated = (p.margin_used(marks[c]) for c, p in self.positions.items() if p.isolated)
        return self.cross_value(marks) + sum(isolated, ZERO)

    def cross_margin(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Initial margin of the cross positions in USD, each cut to 6 decimals."""
        return sum((p.margin_used(marks[c]) for c, p in self.positions.items() if not p.isolated), ZERO)


class Account:
    """One address: a user, a sub-account, a vault or a builder.

    `agent` accounts are the exchange's own traders and backstops: no margin, no history, no streams, never
    liquidated. They have nothing to do with the agents that sign for a user (`books.agents`). Histories are bounded
    and oldest first; their rows are as the answers show them.
    """

    def __init__(self, address: str, *, agent: bool = False, tokens: Mapping[str, int] = NO_TOKENS) -> None:
        self.address = address
        self.is_agent = agent
        self.mode = "default"
        """As `userAbstraction` answers; `modes.set_mode` changes it."""
        self.tokens = tokens
        """Dex -> its collateral token; one that is not in it has USDC."""
        self.dexs: dict[str, DexAccount] = {}
        """In a pooled mode several names have the same part."""
        self.leverage: dict[str, tuple[int, bool]] = {}
        """coin -> (leverage, isolated) where the user set it; else `State.leverage_of` has the default."""
        self.spots: dict[int, Decimal] = {}
        """Token -> what is in spot beside the pools."""
        self.volume = ZERO
        """USD traded ever, as taker and as maker, at its full amount on every market."""
        self.credited = ZERO
        """The same as tiers and the limit of actions count it: a tenth on growth markets (docs/venue-facts.md F27)."""
        self.fees = ZERO
        """What it paid the exchange: fees less rebates, and reserved actions; a builder's part is not in it."""
        self.actions_used = 0
        self.reserved = 0
        """Actions bought on top of what the volume gives."""
        self.over_limit_ms: int | None = None
        """When it acted last beyond its limit (docs/venue-facts.md F33)."""
        self.cancel_at_ms: int | None = None
        """The dead man's switch; None: off. `Engine.schedule_cancel` sets it."""
        self.cancels_triggered = (0, 0)
        """(UTC day, how often the switch fired on it)."""
        self.open_orders: dict[int, BookOrder] = {}
        """Resting and dormant orders by oid, oldest first."""
        self.by_cloid: dict[str, int] = {}
        """cloid in small letters -> oid of the order that was told of last under it, open or over."""
        self.history: dict[int, dict[str, Any]] = {}
        """oid -> frontend order with status, the newest 2000."""
        self.fills: deque[dict[str, Any]] = deque(maxlen=10_000)
        self.funding_paid: dict[str, Decimal] = {}
        """coin -> all that was ever paid; negative: received."""
        self.funding_rows: deque[dict[str, Any]] = deque(maxlen=10_000)
        self.daily: dict[int, tuple[Decimal, Decimal]] = {}
        """UTC day -> (taken, made) volume as the fee tiers count it."""
        self.referral = ZERO
        """Discount on fees for having named a referrer, a fraction."""
        self.builders: dict[str, int] = {}
        """Approved builders and the highest fee of each, in tenths of a basis point."""
        self.ledger: deque[dict[str, Any]] = deque(maxlen=10_000)
        """Deposits, transfers, liquidations, oldest first."""

    def dex(self, name: str) -> DexAccount:
        """The margin account on a dex, made empty when first needed; any name will do."""
        found = self.dexs.get(name)
        if found is None:
            beside = (self.dexs[other] for other in self.sharing(name) if other in self.dexs)
            found = self.dexs[name] = next(beside, None) or DexAccount()
        return found

    @property
    def pooled(self) -> bool:
        """Whether dexs share their cash."""
        return self.mode in POOLED

    def sharing(self, name: str) -> list[str]:
        """The dexs whose cash and positions back each other with those of `name`, as far as they were ever needed."""
        if not self.pooled:
            return [name]
        token = self.tokens.get(name, USDC)
        return [other for other in self.dexs if self.tokens.get(other, USDC) == token]

    def parts(self) -> list[DexAccount]:
        """Its margin accounts, each once."""
        return list({id(held): held for held in self.dexs.values()}.values())

    @property
    def action_cap(self) -> int:
        """How many actions the address may have sent so far: 10,000, one per dollar traded, what was bought."""
        return 10_000 + int(self.credited) + self.reserved
