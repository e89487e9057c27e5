"""The settings of quoting, a part of the one table (`hip3.config.settings`)."""

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec

from hip3.config.describing import number, switch, text, whole


class QuoteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """HIP3_QUOTE_*. None means not given."""

    quote_markets: Annotated[
        str | None, text("markets that are quoted instead of taken, comma separated; a subset of HIP3_MARKETS")
    ] = None
    quote_preset: Annotated[
        Literal["weekend"] | None,
        text("weekend: hours, reference, sizes and widths for a closed underlying; single settings win over it"),
    ] = None
    quote_start: Annotated[
        Literal["cancel", "adopt"],
        text("quotes of an earlier run: cancelled at the start, or adopted with their place in the queue"),
    ] = "cancel"
    quote_modify: Annotated[
        bool, switch("a quote that rests whole is moved in one step, where the limits have room for both")
    ] = False
    quote_levels: Annotated[int, whole("rungs of the ladder on each side", 1, 10, market=True)] = 2
    quote_spacing_bps: Annotated[Decimal, number("from one rung to the next", ge="0", le="1000", market=True)] = (
        Decimal(5)
    )
    quote_size_usd: Annotated[Decimal, number("USD of the nearest rung", ge="11", market=True)] = Decimal(25)
    quote_size_decay: Annotated[
        Decimal, number("each further rung is so much of the one before", gt="0", le="1", market=True)
    ] = Decimal("0.6")
    quote_max_inventory_usd: Annotated[
        Decimal, number("USD in one market at most, in the worst case of all that may still fill", ge="11", market=True)
    ] = Decimal(40)
    quote_reference: Annotated[
        Literal["envelope", "oracle", "mark", "mid", "micro"],
        text("what quotes are priced off; envelope: the worse of oracle and book for each side", market=True),
    ] = "envelope"
    quote_min_half_bps: Annotated[
        Decimal, number("half the spread is at least this", gt="0", le="1000", market=True)
    ] = Decimal(5)
    quote_max_half_bps: Annotated[Decimal, number("and at most this", gt="0", le="5000", market=True)] = Decimal(100)
    quote_min_edge_bps: Annotated[
        Decimal, number("and so much more than the maker fee", ge="0", le="1000", market=True)
    ] = Decimal(2)
    quote_vol_factor: Annotated[
        Decimal, number("and so many times the volatility of HIP3_QUOTE_TAU_MS", ge="0", le="100", market=True)
    ] = Decimal("1.5")
    quote_tau_ms: Annotated[
        int, whole("for so long a quote is at risk before it can be moved", 100, 600_000, market=True)
    ] = 4000
    quote_skew: Annotated[
        Decimal, number("share of the half spread that a full inventory moves both sides", ge="0", le="10", market=True)
    ] = Decimal("0.5")
    quote_warmup_s: Annotated[
        int,
        whole("seconds of samples before the first quote", 2, 3600, market=True),
    ] = 60
    quote_max_gap_bps: Annotated[
        Decimal, number("no quotes while oracle and book are further apart", gt="0", le="1000", market=True)
    ] = Decimal(25)
    quote_closed_band_bps: Annotated[
        Decimal, number("weekend: no quotes while the book is further from its oracle", gt="0", le="5000", market=True)
    ] = Decimal(100)
    quote_max_spread_bps: Annotated[Decimal, number("no quotes into a wider book", gt="0", le="10000", market=True)] = (
        Decimal(150)
    )
    quote_jump_bps: Annotated[
        Decimal,
        number("no quotes for 5 s after such a move within a second", gt="0", le="1000", market=True),
    ] = Decimal(10)
    quote_min_interval_ms: Annotated[int, whole("between two improvements of one quote", 0, 600_000, market=True)] = (
        1000
    )
    quote_size_tolerance_pct: Annotated[
        Decimal, number("a quote that should be larger by this is placed anew", gt="0", le="1000", market=True)
    ] = Decimal(25)
    quote_fill_delay_ms: Annotated[
        int, whole("a quote that was filled is not placed anew before", 0, 600_000, market=True)
    ] = 2000
    quote_one_side_at: Annotated[
        Decimal,
        number("from this share of the inventory on only the side that reduces it", gt="0", le="1", market=True),
    ] = Decimal("0.8")
    quote_complete_at: Annotated[
        Decimal, number("at this share it is completed across the spread down to half", gt="0", le="1", market=True)
    ] = Decimal("0.95")
    quote_max_age_s: Annotated[int, whole("older inventory is completed whole", 1, 86_400, market=True)] = 900
    quote_carry_usd: Annotated[
        Decimal, number("USD of inventory that may stay over the end of a session", ge="0", market=True)
    ] = Decimal(0)
    completion_max_usd: Annotated[Decimal, number("USD of one order of a completion", ge="11", market=True)] = Decimal(
        50
    )
    completion_min_profit_bps: Annotated[
        Decimal, number("beyond entry and fee, where nothing presses", ge="-1000", le="1000", market=True)
    ] = Decimal(0)
    completion_max_loss_bps: Annotated[
        Decimal, number("worse than the entry at most, where it does", ge="0", le="5000", market=True)
    ] = Decimal(40)
    completion_max_loss_usd: Annotated[Decimal, number("and in USD, of the whole inventory", gt="0", market=True)] = (
        Decimal(10)
    )
    completion_exit: Annotated[bool, switch("the ordinary exit follows 5 s before a session ends, at any price")] = True
    quote_stop_loss_bps: Annotated[
        Decimal, number("inventory is left at this loss, at any price; 0 off", ge="0", le="10000", market=True)
    ] = Decimal(60)
    quote_toxic_addon_bps: Annotated[
        Decimal,
        number("more half spread while fills lose what they had earned", ge="0", le="1000", market=True),
    ] = Decimal(3)
    quote_addon_max_bps: Annotated[Decimal, number("all that is added, at most", ge="0", le="1000", market=True)] = (
        Decimal(15)
    )
    quote_side_pull_ms: Annotated[
        int, whole("a side rests for so long after two of its quotes filled within a second", 0, 300_000, market=True)
    ] = 30_000
    quote_cutoff_ms: Annotated[
        int, whole("no quote so long before a session ends or a blackout begins", 0, 3_600_000, market=True)
    ] = 60_000
    quote_sessions: Annotated[
        str | None,
        text(
            "hours in which a market may be quoted, written like HIP3_SESSIONS, which holds without",
            market=True,
        ),
    ] = None


WEEKEND: dict[str, Any] = {
    "quote_levels": 1, "quote_spacing_bps": Decimal(10), "quote_size_usd": Decimal(15),
    "quote_max_inventory_usd": Decimal(30), "quote_min_half_bps": Decimal(20), "quote_skew": Decimal("0.3"),
    "quote_sessions": "Fri 17:00-24:00 America/New_York; Sat 00:00-24:00 America/New_York; "
    "Sun 00:00-18:00 America/New_York",
}  # fmt: skip
"""What HIP3_QUOTE_PRESET=weekend sets where nothing else is given: few, small and wide quotes while the underlying is
closed, over before it opens again."""


def quote_faults(s: QuoteSettings, quoted: list[str], coins: list[str]) -> list[str]:
    """What is wrong with them together. `coins`: the configured markets, empty if none were named."""
    faults = []
    for coin in quoted:
        dex, _, name = coin.partition(":")
        if not dex or not name:
            faults.append(f"HIP3_QUOTE_MARKETS: {coin!r} is not of the form dex:COIN")
        elif coins and coin not in coins:
            faults.append(f"HIP3_QUOTE_MARKETS: {coin} is none of HIP3_MARKETS")
    if quoted and s.quote_stop_loss_bps and s.completion_max_loss_bps >= s.quote_stop_loss_bps:
        faults.append("HIP3_COMPLETION_MAX_LOSS_BPS must be below HIP3_QUOTE_STOP_LOSS_BPS")
    if s.quote_one_side_at > s.quote_complete_at:
        faults.append("HIP3_QUOTE_ONE_SIDE_AT is above HIP3_QUOTE_COMPLETE_AT")
    if s.quote_min_half_bps > s.quote_max_half_bps:
        faults.append("HIP3_QUOTE_MIN_HALF_BPS is above HIP3_QUOTE_MAX_HALF_BPS")
    return faults
