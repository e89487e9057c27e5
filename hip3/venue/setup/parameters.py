"""What sources disagree on or do not say about the exchange, as parameters (`--config`, table `[parameters]`).

The defaults are what the best source says (docs/exchange.md, "Approximate"). Amounts are in USD; texts are answers of
the exchange, word for word.
"""

from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

import msgspec

_Every = Annotated[int, msgspec.Meta(ge=1)]
"""Milliseconds between two of a kind."""


class FundingTerms(NamedTuple):
    """How a premium becomes a rate (docs/venue-facts.md F28)."""

    multiplier: Decimal = Decimal(1)
    clamp: Decimal = Decimal("0.0003")
    """How far interest may pull the rate of 8 hours from the premium."""
    interest: Decimal = Decimal("0.0001")
    """Per 8 hours."""


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One field per uncertain fact. Frozen: an exchange keeps them as long as it runs."""

    price_band: Decimal = Decimal("0.95")
    """How far a limit may be from the oracle, a fraction of it; captures before mid-2026 say 0.8."""
    asset_suffix: bool = True
    """Whether order refusals end in ` asset=N`: live captures have it, the documentation has not."""
    expired_text: str = "Action already expired"
    """Refusal of an action that comes after its `expiresAfter`."""
    invalid_asset_text: str = "Invalid asset"
    """Refusal of a whole order action with an asset that is none."""
    oracle_distance: Decimal = Decimal(0)
    """From how far from the oracle on, as a fraction of it, an order is `Price too far from oracle`; undocumented, 0
    switches it off."""
    market_fee_scales: bool = True
    """Whether each market of a builder dex names its own fee scale in `meta`, as since August 2026; before, its dex did
    in `perpDexs` (docs/venue-facts.md F7)."""
    account_mode: Literal["default", "disabled", "unifiedAccount", "portfolioMargin", "dexAbstraction"] = "default"
    """Mode of a new account (docs/venue-facts.md F16)."""
    pooled_gains: bool = True
    """Whether the spot total of a pooled account has the gains of open positions in it: six sources say so, one not."""
    signatures: Literal["both", "mainnet", "testnet"] = "both"
    """For which network actions may be signed: clients decide that by URL, and a real network takes its own alone."""
    fast_trigger_text: str = "Fast cancel is not supported for trigger orders."
    """Refusal of a cancel with `f` of an order that is a trigger; the exchange's own text is not known."""
    crossing_modify_ends_old: bool = True
    """Whether a modify to a post-only order that would cross takes the old order with it, as was measured on mainnet
    and testnet in summer 2026; the documentation does not say."""
    plain_cancel_ms: int = 0
    """How much longer a cancel without `f` travels than `--latency`; 320 in the measured round trips of July 2026."""
    taking_ms: int = 0
    """The same of an action with a GTC or IOC; 400 there."""
    plain_cancels_last: bool = False
    """Whether cancels without `f` have lost their place before takers, as is announced for an upgrade to come."""
    web_data_2: bool = False
    """Whether webData2 can be subscribed to, as before 2026-08-23 (docs/venue-facts.md F31)."""
    settlement: Literal["oracle", "mark"] = "oracle"
    """At which price a market that is taken off trading closes its positions (docs/venue-facts.md F29)."""
    rate_limited_text: str = "null"
    """Body of HTTP 429."""
    contexts_ms: _Every = 1000
    """Between two activeAssetCtx of a market: measured in September 2026; 15 s are announced (docs/venue-facts.md F15).
    """
    all_contexts_ms: _Every = 13_600
    """The same of allDexsAssetCtxs and assetCtxs."""
    books_ms: _Every = 5400
    """The same of l2Book with 20 levels."""
    fast_books_ms: _Every = 540
    """The same of l2Book with `fast`."""
    mids_ms: _Every = 5000
    """The same of allMids."""
    ip_weight_per_minute: int = 1200
    """docs/venue-facts.md F10."""
    ws_users: int = 14
    """Distinct users in the subscriptions of an IP: so many were measured in August 2026, though the server's text says
    15 and the documentation 10."""
    blocks: bool = True
    """Whether actions are executed with the next block, makers and cancels first, or each at its arrival. Without a
    latency they are executed at once, either way (docs/venue-facts.md F32)."""
    block_ms: _Every = 70
    """Between two blocks; the market, funding and streams go by them even where actions do not."""
    latency_jitter_ms: int = 0
    """At most this much is added to the latency of each action, at random."""
    schedule_cancel_volume: Decimal = Decimal(1_000_000)
    """Traded volume from which on scheduleCancel is allowed; 0 switches the gate off (docs/venue-facts.md F24)."""
    sub_account_volume: Decimal = Decimal(100_000)
    """Traded volume from which on sub-accounts may be made; 0 switches the gate off (docs/venue-facts.md F26)."""


DEFAULT = Parameters()
"""What holds where a configuration says nothing."""
