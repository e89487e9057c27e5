"""The exchange of a plan: its markets alone, restless and deep."""

import msgspec

from hip3.simulate.plan import Plan
from hip3.venue.setup.parameters import Parameters
from hip3.venue.setup.settings import Common, Profile, VenueSetup, load_setup

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
