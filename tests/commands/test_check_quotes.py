"""What `check` says of quoted markets."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hip3.commands.check_quotes import quotes
from hip3.commands.check_trading import prices_of
from hip3.config.reading import MarketSettings
from hip3.config.settings import Settings
from hip3.errors import PreflightError
from tests.builders import D
from tests.world import World, quiet_world

GOLD = "xyz:GOLD"


def _settings(**values: Any) -> MarketSettings:
    return MarketSettings(Settings(markets=GOLD, quote_markets=GOLD, **values))


def _said(world: World, settings: MarketSettings, account: str | None = None) -> str:
    specs = world.trading.specs
    return quotes(settings, specs, prices_of(world.rest, specs), world.rest, world.exchange_ms(), account)


def test_what_would_rest_is_said_in_dollars_and_points(tmp_path: Path) -> None:
    text = _said(quiet_world(tmp_path), _settings())
    assert text.startswith(f"{GOLD}: 2")
    assert " and 1" in text.partition(" USD on each side")[0]
    assert "5 bps and more (maker fee 3 bps), at most 40 USD held" in text


@pytest.mark.parametrize(
    ("change", "values", "word"),
    [
        ({"maker_fee_bps": None}, {}, "maker fee is not known"),
        ({}, {"quote_size_usd": D(11), "quote_max_inventory_usd": D(11)}, "raise HIP3_QUOTE_SIZE_USD"),
        ({"sz_decimals": 6}, {"quote_min_half_bps": D("0.1")}, "too coarse"),
    ],
)
def test_a_market_that_cannot_be_quoted_is_a_fault(tmp_path: Path, change: Any, values: Any, word: str) -> None:
    world = quiet_world(tmp_path)
    spec = msgspec.structs.replace(world.trading.specs[GOLD], **change)
    prices = prices_of(world.rest, {GOLD: spec})
    with pytest.raises(PreflightError) as error:
        quotes(_settings(**values), {GOLD: spec}, prices, world.rest, world.exchange_ms(), None)
    assert word in error.value.faults[0]


class _Moves:
    """A market whose minutes alternate by so many basis points, and an address with so many actions."""

    def __init__(self, bps: float, cap: int) -> None:
        self._closes = [D(4000) * (1 + D(str(bps * (n % 2))) / 10_000) for n in range(60)]
        self._cap = cap

    def info_json(self, request: dict[str, Any]) -> Any:
        if request["type"] == "userRateLimit":
            return {"nRequestsUsed": 0, "nRequestsCap": self._cap}
        return [{"c": str(px)} for px in self._closes]


@pytest.mark.parametrize(("bps", "cap", "word"), [(1, 10_000, "that it may"), (20, 10_000, "HIP3_QUOTE_MIN_HALF_BPS=")])
def test_what_a_ladder_costs_is_held_against_what_is_left(tmp_path: Path, bps: float, cap: int, word: str) -> None:
    specs = quiet_world(tmp_path).trading.specs
    text = quotes(_settings(), specs, {GOLD: D(4000)}, _Moves(bps, cap), 0, "0x1")  # type: ignore[arg-type]
    assert word in text
    assert "actions a day" in text
