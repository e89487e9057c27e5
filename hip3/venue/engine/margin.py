"""Margin arithmetic: maintenance by tiers, equity, the price at which a position is liquidated. Pure.

Maintenance is half of the initial margin at the highest leverage of the tier, cumulative over tiers
(docs/venue-facts.md F20). Divisions have 34 digits; nothing is rounded but the price that is shown. Positions given
must not be empty.
"""

from collections.abc import Mapping
from decimal import Decimal

from hip3.core.money import CTX, ONE, ZERO, div, truncate
from hip3.venue.engine.account import DexAccount, Position
from hip3.venue.engine.model import Market, MarketInfo

PX_DECIMALS = 10
"""To which digit a liquidation price is cut where it is shown."""


def maintenance(info: MarketInfo, notional: Decimal) -> Decimal:
    """Maintenance margin in USD of a position of this notional, which is not negative."""
    total = ZERO
    tiers = info.margin_tiers
    for number, (lower, leverage) in enumerate(tiers):
        upper = tiers[number + 1][0] if number + 1 < len(tiers) else None
        # Each tier asks for its own slice only, so that the margin does not jump where a tier begins.
        part = (notional if upper is None else min(notional, upper)) - lower
        if part <= 0:
            break
        total += div(part, Decimal(2 * leverage))
    return total


def maintenance_rate(info: MarketInfo, notional: Decimal) -> Decimal:
    """The part of one more dollar of notional that is needed as maintenance, at its tier: a fraction up to 0.5."""
    leverage = [lev for lower, lev in info.margin_tiers if lower <= notional][-1]
    return div(ONE, Decimal(2 * leverage))


def cross_maintenance(held: DexAccount, markets: Mapping[str, Market]) -> Decimal:
    """Maintenance margin in USD of all cross positions of a dex, at mark."""
    cross = ((markets[c], p) for c, p in held.positions.items() if not p.isolated)
    return sum((maintenance(m.info, abs(p.szi) * m.mark) for m, p in cross), ZERO)


def equity(held: DexAccount, position: Position, market: Market, marks: Mapping[str, Decimal]) -> Decimal:
    """What backs a position, in USD at mark: its own margin, or the cross account. Negative: a debt."""
    return position.margin_used(market.mark) if position.isolated else held.cross_value(marks)


def liquidation_px(
    held: DexAccount, position: Position, markets: Mapping[str, Market], coin: str, marks: Mapping[str, Decimal]
) -> Decimal | None:
    """The mark at which the position is liquidated, the others' marks staying; None if no positive price does it.

    Taken at the tier that the position is in now: far away, over the border of a tier, it is an estimate.
    """
    market = markets[coin]
    notional = abs(position.szi) * market.mark
    needed = maintenance(market.info, notional) if position.isolated else cross_maintenance(held, markets)
    spare = equity(held, position, market, marks) - needed
    side = 1 if position.szi > 0 else -1
    slope = 1 - maintenance_rate(market.info, notional) * side
    px = market.mark - side * div(div(spare, abs(position.szi)), slope)
    return truncate(px, PX_DECIMALS) if px > 0 else None


def bankruptcy_px(
    held: DexAccount, position: Position, market: Market, marks: Mapping[str, Decimal], fee: Decimal
) -> Decimal:
    """The price at which closing the whole position at fee rate `fee` leaves exactly nothing of what backs it.

    Not rounded, and zero or negative where no price leaves nothing; the caller bounds it.
    """
    backing = equity(held, position, market, marks)
    szi = position.szi
    return CTX.divide(szi * market.mark - backing, szi - abs(szi) * fee)
