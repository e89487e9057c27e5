"""The embedded exchange's data file: markets, dexs and profiles.

Prices are Decimal; rates and basis points are the model's parameters, not money.
"""

import tomllib
from decimal import Decimal
from pathlib import Path

import msgspec

from hip3.errors import ConfigError
from hip3.venue.setup.fault import Fault
from hip3.venue.setup.parameters import DEFAULT, Parameters

DATA_FILE = Path(__file__).with_name("markets.toml")


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a profile multiplies."""

    stale_factor: float
    jump_factor: float
    edge_factor: float
    thaw_factor: float
    depth_factor: int
    noise_factor: int
    touch_sigma: float
    """Of the logarithm of a touch's size around its median ..."""
    touch_max: float
    """... and the most it may be of it."""


class Common(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all markets share."""

    edge_bps: float
    thaw_s: float
    stale_share: float
    jump_min_bps: float
    jump_max_bps: float
    noise_trades_per_minute: float
    noise_usd: int


class Dex(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One builder dex."""

    name: str
    full_name: str
    deployer: str
    fee_scale: Decimal


class MarketSetup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One market and how it behaves."""

    coin: str
    px: Decimal
    sz_decimals: int
    max_leverage: int
    spread_bps: float
    basis_bps: float
    oracle_step_bps: float
    touch_usd: int
    margin_mode: str | None = None
    growth: bool = False
    closed: bool = False
    stale_per_hour: float = 0
    jumps_per_hour: float = 0
    oi_cap: Decimal = Decimal(25_000_000)
    margin_tiers: list[tuple[Decimal, int]] = []
    """(lower bound of the notional, highest leverage); none: `max_leverage` throughout."""

    @property
    def dex(self) -> str:
        return self.coin.split(":")[0] if ":" in self.coin else ""


class VaultSetup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One vault: an address that its leader trades for the depositors."""

    address: str
    leader: str
    name: str


class VenueSetup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. `accounts` (address -> USDC per dex) may be given by --config."""

    profiles: dict[str, Profile]
    common: Common
    dexs: list[Dex]
    markets: list[MarketSetup]
    accounts: dict[str, Decimal] = {}
    vaults: list[VaultSetup] = []
    parameters: Parameters = DEFAULT
    faults: list[Fault] = []


def load_setup(path: Path | None = None, faults: Path | None = None) -> VenueSetup:
    """The built-in file, with the tables of `path` and `faults` in place of its own where given. ConfigError."""
    tables = tomllib.loads(DATA_FILE.read_text(encoding="utf-8"))
    name = path or DATA_FILE
    try:
        for name in (p for p in (path, faults) if p is not None):
            tables |= tomllib.loads(name.read_text(encoding="utf-8"))
        return msgspec.convert(tables, VenueSetup, strict=False)
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError([f"exchange configuration {name}: {error}"]) from None
