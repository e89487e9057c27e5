"""What sources disagree on or do not say about the exchange, as parameters (`--config`, table `[parameters]`).

The defaults are what the best source says; docs/exchange.md lists them.
"""

from decimal import Decimal

import msgspec


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One field per uncertain fact."""

    price_band: Decimal = Decimal("0.95")
    """How far a limit may be from the oracle; captures before mid-2026 say 0.8."""
    asset_suffix: bool = True
    """Whether order refusals end in ` asset=N`: live captures have it, the documentation has not."""
    expired_text: str = "Action already expired"
    invalid_asset_text: str = "Invalid asset"
    oracle_distance: Decimal = Decimal(0)
    """From how far from the oracle on an order is `Price too far from oracle`; undocumented, 0 switches it off."""
    hip3_funding_multiplier: Decimal = Decimal("0.5")
    """Inferred from the floor of observed rates, half of the main dex's."""
    rate_limited_text: str = "null"
    """Body of HTTP 429."""
    ip_weight_per_minute: int = 1200
    ws_users: int = 15
    """Distinct users in the subscriptions of an IP: the server's text says 15, the documentation 10."""
    blocks: bool = True
    """Whether actions are executed with the next block, makers and cancels first, or each at its arrival."""
    block_ms: int = 70
    latency_jitter_ms: int = 0
    """At most this much is added to the latency of each action, at random."""
    schedule_cancel_volume: Decimal = Decimal(1_000_000)
    """Traded volume from which on scheduleCancel is allowed; 0 switches the gate off."""
    sub_account_volume: Decimal = Decimal(100_000)
    """Traded volume from which on sub-accounts may be made; 0 switches the gate off."""


DEFAULT = Parameters()
