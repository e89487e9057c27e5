"""What must come about by itself once the faults are over: stops that cover, quotes that rest, limits that trip.

The other checks say what must not leave. These say what must be there, by the exchange's own books; each answers with
what is missing, "" where nothing is.
"""

from decimal import Decimal

from hip3.core.money import ZERO
from hip3.execution.quotes.stance import Stance
from hip3.service.running import Running
from hip3.simulate.scene import Scene

CENTS = Decimal("0.05")
"""A loss by so little more than its limit may be a matter of one fee."""


def unprotected(scene: Scene, running: Running | None) -> str:
    """A position that we look after and do not leave has stops of its whole size on the exchange."""
    trading = None if running is None else running.trading
    account = scene.venue.engine.account(scene.user)
    if trading is None or account is None:
        return ""
    for position in trading.tracker.positions():
        coin, szi = position.coin, scene.positions().get(position.coin, ZERO)
        bps = scene.settings.for_market(coin).protective_stop_bps
        leaving = trading.exits.requested(coin) is not None or coin in trading.exits.exiting()
        if not szi or bps <= 0 or leaving or not trading.exiting.ours_to_close(position):
            continue
        stops = [o for o in account.open_orders.values() if o.coin == coin and o.trigger is not None and o.reduce_only]
        cover = sum((o.sz for o in stops if o.is_buy is (szi < 0)), ZERO)
        if cover < abs(szi):
            return f"{szi} of {coin} stands, and its stops cover {cover}"
    return ""


def unquoted(scene: Scene, running: Running | None) -> str:
    """A market that nothing keeps from being quoted has a quote that rests."""
    trading = None if running is None else running.trading
    account = scene.venue.engine.account(scene.user)
    if trading is None or account is None:
        return ""
    resting = {o.coin for o in account.open_orders.values() if o.trigger is None and not o.reduce_only}
    for coin, market in trading.quotes.markets.items():
        if coin not in resting and market.stance in (Stance.WAIT, Stance.QUOTING):
            return f"nothing rests in {coin}, which is {market.stance.value}: {', '.join(market.reasons)}"
    return ""


def unlimited(scene: Scene) -> str:
    """What was lost by the exchange's own fills is no more than the limit, or the latch has tripped."""
    account = scene.venue.engine.account(scene.user)
    if account is None or scene.tripped:
        return ""
    net = sum((Decimal(str(f["closedPnl"])) - Decimal(str(f["fee"])) for f in account.fills), ZERO)
    net += sum((Decimal(str(row["delta"]["usdc"])) for row in account.funding_rows), ZERO)
    limit = scene.settings.base.hard_stop_max_loss_usd
    return f"{-net} USD are lost, the limit is {limit}, and the latch has not tripped" if -net > limit + CENTS else ""
