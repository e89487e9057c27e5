"""What `check` says of quoted markets: what would rest there, and what it would cost of the address's actions.

Reads alone; main. USD, basis points.
"""

from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any

from hip3.config.reading import MarketSettings, shown
from hip3.core.market import MarketSpec
from hip3.core.money import CTX, MIN_NOTIONAL_USD, ONE, ZERO, bps_of, div, parse
from hip3.core.orders import SIDES, Side
from hip3.errors import PreflightError
from hip3.execution.quotes.pacing import KEPT, KEPT_PER_KEY
from hip3.execution.truth.account import Rest
from hip3.service.params import quote_params
from hip3.strategy.fair import Fair
from hip3.strategy.ladder import Around, Ladder, coarse_tick_bps, half_spread, ladder, least_half_bps

MINUTES, LEAST_MINUTES = 60, 10
"""The volatility is that of the last hour's minutes; fewer than so many say nothing."""
DAY_S = Decimal(86_400)


def quotes(
    settings: MarketSettings, specs: Mapping[str, MarketSpec], prices: Mapping[str, Decimal], rest: Rest, now_ms: int,
    account: str | None,
) -> str:  # fmt: skip
    """What each quoted market gets. PreflightError names those that no quote is possible in.

    VenueReadError, KeyError, TypeError, ValueError: it cannot be read. `account`: whose actions they cost, if known.
    """
    coins = [coin for coin in settings.base.quoted_coins if coin in specs and coin in prices]
    ladders, faults = {}, []
    for coin in coins:
        found = _ladder(settings, specs[coin], prices[coin], ZERO)
        if isinstance(found, str):
            faults.append(f"{coin}: {found}")
        else:
            ladders[coin] = found
    if faults:
        raise PreflightError(faults)
    keys = sum(map(len, ladders.values()))
    left = None if account is None else _left(rest, account, keys)
    return "; ".join(
        _rests(settings, specs[coin], found) + _pace(settings, specs[coin], found, rest, now_ms, left, len(coins))
        for coin, found in ladders.items()
    )


def _ladder(settings: MarketSettings, spec: MarketSpec, px: Decimal, sigma_bps: Decimal) -> Ladder | str:
    """What would rest around this price without inventory, or why nothing can."""
    p, fee = quote_params(settings, spec.coin).ladder, spec.maker_fee_bps
    if fee is None:
        return "its maker fee is not known, so it is not quoted"
    least = least_half_bps(p, fee)
    if p.max_half_bps < least:
        return f"its widest spread loses after the maker fee; raise HIP3_QUOTE_MAX_HALF_BPS to {shown(least)} at least"
    tick = coarse_tick_bps(p, spec, fee, px)
    if tick is not None:
        return f"its tick of {tick:.2f} bps is too coarse for this spread; raise HIP3_QUOTE_MIN_HALF_BPS"
    around = Around(bid=None, ask=None, own_buy=None, own_sell=None)
    half = half_spread(p, fee, sigma_bps, ZERO)
    found = ladder(p, spec, Fair(bid=px, ask=px, gap_bps=ZERO), half, ZERO, around, frozenset(Side))
    return found or (
        f"no quote of {shown(p.size_usd)} USD rounded to its lot is worth {MIN_NOTIONAL_USD} USD and within "
        f"{shown(p.max_inventory_usd)} USD; raise HIP3_QUOTE_SIZE_USD and HIP3_QUOTE_MAX_INVENTORY_USD"
    )


def _rests(settings: MarketSettings, spec: MarketSpec, found: Ladder) -> str:
    params = quote_params(settings, spec.coin)
    p = params.ladder
    half = half_spread(p, spec.maker_fee_bps or ZERO, ZERO, ZERO)
    buys = " and ".join(f"{found[key].usd:.2f}" for key in sorted(found, key=lambda k: k[1]) if key[0] is Side.BUY)
    most = settings.for_market(spec.coin).max_notional_per_market
    limit = min(p.max_inventory_usd, most)
    return (
        f"{spec.coin}: {buys} USD on each side from {shown(half.normalize())} bps and more (maker fee "
        f"{shown((spec.maker_fee_bps or ZERO).normalize())} bps), at most {shown(limit)} USD held"
        f"{_room(found, limit) if params.modify else ''}"
    )


def _room(found: Ladder, limit: Decimal) -> str:
    """What is to be said where a quote and the one that replaces it do not fit into the limit together."""
    side = max(sum((r.usd for (of, _), r in found.items() if of is s), ZERO) for s in SIDES)
    largest = max(r.usd for r in found.values())
    if side + largest <= limit:
        return ""
    return (
        f", without room for a quote beside the one that replaces it, so HIP3_QUOTE_MODIFY does nothing (one at a time "
        f"needs {side + largest:.0f} USD, all of a side {2 * side:.0f})"
    )


def _pace(
    settings: MarketSettings, spec: MarketSpec, found: Ladder, rest: Rest, now_ms: int, left: Decimal | None,
    shared: int,
) -> str:  # fmt: skip
    """How many actions a day this ladder wants, against this market's part of what is left.

    A random walk leaves the band from retreat (a quarter of the half spread) to improvement (half of it) in their
    product over the variance. What the budget does not give is not sent: quotes follow later, never wider.
    """
    sigma = _sigma_bps(rest, spec.coin, now_ms)
    if sigma is None:
        return ", how it moves is not known yet"
    p = quote_params(settings, spec.coin)
    half = half_spread(p.ladder, spec.maker_fee_bps or ZERO, sigma, ZERO)
    band = max(ONE, half / 4) * max(3 * ONE, half / 2)
    wanted = div(len(found) * p.cost * sigma * sigma * DAY_S, band)
    out = f", {sigma:.2f} bps in a second: about {wanted:.0f} actions a day"
    if left is None:
        return out
    part = div(left, Decimal(shared))
    if wanted <= part:
        return f"{out} of {part:.0f} that it may"
    fits = CTX.sqrt(div(8 * len(found) * p.cost * sigma * sigma * DAY_S, part)) if part else None
    advice = f"HIP3_QUOTE_MIN_HALF_BPS={fits:.0f}, or fewer levels, would do with them" if fits else "none are left"
    return f"{out}, but it may {part:.0f}: improvements wait, retreats do not; {advice}"


def _left(rest: Rest, account: str, keys: int) -> Decimal:
    """Actions that quotes may use within a day."""
    answer: Any = rest.info_json({"type": "userRateLimit", "user": account})
    left = int(answer["nRequestsCap"]) - int(answer["nRequestsUsed"]) - KEPT - KEPT_PER_KEY * keys
    return Decimal(max(0, left))


def _sigma_bps(rest: Rest, coin: str, now_ms: int) -> Decimal | None:
    """Basis points in the root of a second, by the closes of the last hour's minutes."""
    asked = {"coin": coin, "interval": "1m", "startTime": now_ms - MINUTES * 60_000, "endTime": now_ms}
    closes = [parse(c["c"]) for c in rest.info_json({"type": "candleSnapshot", "req": asked})]
    moves = [bps_of(after - before, before) for before, after in pairwise(closes)]
    if len(moves) < LEAST_MINUTES:
        return None
    return CTX.sqrt(div(sum((m * m for m in moves), ZERO), Decimal(60 * len(moves))))
