"""Worlds in which some markets may be cross, as on the exchange since September 2026, and who else sets their margin."""

from pathlib import Path
from typing import Any

import msgspec

from hip3.core.orders import Side
from hip3.venue.setup.settings import load_setup
from tests.builders import D
from tests.world import ALONE, World

GOLD, NVDA = "xyz:GOLD", "xyz:NVDA"


def margined(tmp_path: Path, markets: str, cross: tuple[str, ...], **settings: Any) -> World:
    """A world of these markets at 20x, of which those of `cross` may be cross; isolated is wished."""
    built_in = load_setup()
    found = [
        msgspec.structs.replace(m, max_leverage=20, margin_mode=None if m.coin in cross else m.margin_mode)
        for m in built_in.markets
    ]
    setup = msgspec.structs.replace(built_in, markets=found)
    return World(tmp_path, setup=setup, markets=markets, **(ALONE | {"margin": "isolated"} | settings))


def leverage_of(world: World, coin: str = GOLD) -> Any:
    """(leverage, whether isolated), by the exchange."""
    account = world.venue.engine.account(world.user)
    assert account is not None
    return world.venue.engine.leverage_of(account, world.venue.engine.markets[coin])


def set_by_hand(world: World, leverage: int, *, is_cross: bool) -> None:
    """A person sets the margin of gold."""
    world.sign({"type": "updateLeverage", "asset": 110003, "isCross": is_cross, "leverage": leverage})


def hold(world: World, coin: str = GOLD, size: str = "0.01") -> None:
    """A person buys, and the service has booked it."""
    world.by_hand(coin, Side.BUY, D(size))
    assert world.run_until(lambda: coin in world.trading.tracker.booked(), 3000)
