"""The scene and its chronicle: the exchange of a plan, and a record of the journal as a line of the event log."""

from typing import TYPE_CHECKING, Any

import msgspec

from hip3.core.orders import PendingOrder
from hip3.simulate.plan import Plan
from hip3.venue.setup.parameters import Parameters
from hip3.venue.setup.settings import Common, Profile, VenueSetup, load_setup

if TYPE_CHECKING:
    from hip3.simulate.world import World

_LIVELY = Profile(
    stale_factor=600,
    jump_factor=600,
    edge_factor=1,
    thaw_factor=1,
    depth_factor=10,
    noise_factor=20,
    touch_sigma=0.5,
    touch_max=4,
)
_COMMON = Common(
    edge_bps=12, thaw_s=2.0, stale_share=0.8, jump_min_bps=5, jump_max_bps=60, noise_trades_per_minute=6, noise_usd=150
)


def line_of(world: "World", kind: str, fields: dict[str, Any]) -> str:
    """A record as a line of the event log; "" for those that say nothing new."""
    if kind == "order":
        event = fields["event"]
        why = event.why.replace(event.order.cloid, "it")
        return f"order {world.name(event.order.cloid)} {event.before.value} -> {event.after.value}: {why}"
    if kind == "fill":
        fill = fields["event"].fill
        return f"fill of {world.name(fill.cloid)}: {fill.sz} {fill.coin} at {fill.px}, {fields['event'].kind}"
    if kind == "certificate":
        return f"certificate of {world.name(fields['cloid'])}: {fields['how']}"
    if kind == "exit":
        order: PendingOrder = fields["order"]
        reason = order.exit_reason.value if order.exit_reason is not None else "-"
        return f"exit {world.name(order.cloid)} of {order.coin} for {reason}, attempt {order.attempt}"
    if kind == "state":
        return f"state {fields['word']} {fields['why']}"
    if kind in ("connected", "disconnected", "adopted", "market_blocked", "storm", "second_instance", "gap_accepted"):
        shown = " ".join(f"{k}={v}" for k, v in fields.items() if k != "cloid")
        return f"{kind} {shown}"
    return ""


def setup_of(plan: Plan) -> VenueSetup:
    """The exchange of a plan: its markets alone, restless and deep."""
    setup = load_setup()
    markets = [
        msgspec.structs.replace(
            m, stale_per_hour=4, jumps_per_hour=4, oracle_step_bps=4.0, spread_bps=min(m.spread_bps, 6)
        )
        for m in setup.markets
        if m.coin in plan.coins
    ]
    return msgspec.structs.replace(
        setup,
        markets=markets,
        profiles={"simulated": _LIVELY},
        common=_COMMON,
        parameters=Parameters(ip_weight_per_minute=12_000),
    )
