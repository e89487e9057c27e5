"""Settings of one quoted market, as its parts take them."""

from decimal import Decimal

import msgspec

from hip3.core.windows import Sessions, Window
from hip3.strategy.completing import CompletionParams
from hip3.strategy.fair import Mode
from hip3.strategy.ladder import LadderParams


class QuoteParams(msgspec.Struct, frozen=True, kw_only=True):
    """See `.env.example`; distances are basis points, times milliseconds."""

    ladder: LadderParams
    reference: Mode
    warmup_s: int
    min_interval_ms: int
    """Between two changes of one key, unless it is a retreat or a risk."""
    grow: Decimal
    """A rung that should be larger by this share is improved."""
    fill_delay_ms: int
    """A key that was filled stays empty for so long."""
    one_sided_ms: int = 120_000
    """Inventory that has kept a market one-sided for longer is completed to half."""
    one_side_at: Decimal
    """At this share of the largest inventory only the side that reduces it is quoted."""
    closed: bool
    """The underlying does not trade in its sessions: the oracle is an echo of the book, and the mark stands for it."""
    closed_band_bps: Decimal
    max_gap_bps: Decimal
    max_spread_bps: Decimal
    jump_bps: Decimal
    side_pull_ms: int
    cutoff_ms: int
    """No quote this long before a session ends or a blackout begins."""
    sessions: Sessions
    blackout: tuple[Window, ...]
    complete_at: Decimal
    """At this share of the largest inventory it is completed down to half of it."""
    modify: bool
    """Quotes that rest whole are moved in one step of the exchange."""
    adopt: bool
    """Quotes of an earlier run stay through the warm-up."""
    max_age_ms: int
    """Older inventory is completed whole."""
    carry_usd: Decimal
    """What may stay over the end of a session."""
    completion: CompletionParams
    completion_exit: bool
    """Whether the ordinary exit follows just before a session ends."""
    toxic_addon_bps: Decimal
    """More half spread while fills lose what they had earned."""

    @property
    def cost(self) -> int:
        """Actions for one quote that moves: a cancel and a placement, or one step for both."""
        return 1 if self.modify else 2
