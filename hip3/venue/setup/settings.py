"""The embedded exchange's data file: markets, dexs and profiles.

Prices are Decimal; rates and basis points are the model's parameters, not money. What the model does with them:
`market.market`; where the figures come from: `markets.toml` and docs/exchange.md, "Calibration".
"""

import tomllib
from decimal import Decimal
from pathlib import Path

import msgspec

from hip3.core.money import ONE
from hip3.errors import ConfigError
from hip3.venue.setup.fault import Fault
from hip3.venue.setup.parameters import DEFAULT, FundingTerms, Parameters

DATA_FILE = Path(__file__).with_name("markets.toml")
"""The setup without any configuration."""


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a profile multiplies, and how touches scatter."""

    stale_factor: float
    """Of every market's `stale_per_hour`."""
    jump_factor: float
    """Of every market's `jumps_per_hour`."""
    edge_factor: float
    """Of `edge_bps`: the move of an episode over the edge it leaves."""
    thaw_factor: float
    """Of `thaw_s`: how much longer one maker sleeps than the edge lasts."""
    depth_factor: int
    """Of every market's `touch_usd`."""
    noise_factor: int
    """Of `noise_usd`."""
    touch_sigma: float
    """Of the logarithm of a touch's size around its median ..."""
    touch_max: float
    """... and the most it may be of it."""


class Common(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all markets share. An episode is a move of the outside price over two or three publications."""

    edge_bps: float
    """Mean edge that an episode with stale quotes leaves, exponential."""
    thaw_s: float
    """Mean time after which such an edge is gone, in seconds, exponential."""
    stale_share: float
    """Part of the jumps that find the makers asleep as well, 0 to 1."""
    jump_min_bps: float
    jump_max_bps: float
    """Jumps are uniform between the two."""
    noise_trades_per_minute: float
    """Mean per market."""
    noise_usd: int
    """Notional of a noise trader's order: between a third of it and twice as much."""


class Dex(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One builder dex; its place in the list is part of its assets' ids (docs/venue-facts.md F8)."""

    name: str
    """What stands before the colon of its coins."""
    full_name: str
    deployer: str
    """Address."""
    fee_scale: Decimal
    """deployerFeeScale (docs/venue-facts.md F7)."""
    collateral: int = 0
    """The token that its positions are margined in, one of `answers.spot.TOKENS`: 0 USDC, 360 USDH, 235 USDE."""
    funding_multiplier: Decimal = ONE
    """Of every market that has none of its own (docs/venue-facts.md F28)."""
    permissioned: bool = False
    """Shown as `isStar` (docs/venue-facts.md F35); nobody is kept out here."""


class MarketSetup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One market and how it behaves. What the exchange itself knows of it becomes a `MarketInfo`."""

    coin: str
    """With its dex in front on a builder dex: "xyz:GOLD"."""
    px: Decimal
    """Where it starts, in USD, unless a recording says otherwise."""
    sz_decimals: int
    max_leverage: int
    spread_bps: float
    """Between a maker's bid and ask."""
    basis_bps: float
    """How far the book's middle is from the outside price; negative: below."""
    oracle_step_bps: float
    """Standard deviation of one publication of 3 s; of a closed market, of the book over 5.4 s."""
    touch_usd: int
    """Median notional of a touch."""
    margin_mode: str | None = None
    """None, "noCross" or "strictIsolated", as in `MarketInfo`."""
    growth: bool = False
    fee_scale: Decimal | None = None
    """deployerFeeScale of this market; None: its dex's."""
    funding_multiplier: Decimal | None = None
    """None: its dex's."""
    funding_clamp: Decimal = FundingTerms().clamp
    funding_interest: Decimal = FundingTerms().interest
    closed: bool = False
    """The underlying is closed: the book walks by itself, and the oracle is a slow average of it."""
    stale_per_hour: float = 0
    """Episodes in which the makers are asleep, on average."""
    jumps_per_hour: float = 0
    """Larger moves, on average; most of them find the makers asleep as well."""
    oi_cap: Decimal = Decimal(25_000_000)
    """Highest open interest in USD; on builder dexs only."""
    category: str = ""
    """As the deployer's annotation says it (docs/venue-facts.md F44); empty: there is none."""
    display_name: str | None = None
    keywords: list[str] = []
    description: str = ""
    margin_tiers: list[tuple[Decimal, int]] = []
    """(lower bound of the notional in USD, highest leverage), rising from 0; none: `max_leverage` throughout."""

    @property
    def dex(self) -> str:
        """The dex by the coin's name; "" is the main one."""
        return self.coin.split(":")[0] if ":" in self.coin else ""


class VaultSetup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One vault: an address that its leader trades for the depositors."""

    address: str
    leader: str
    name: str


class VenueSetup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. `accounts` (address -> USDC on every dex) and `vaults` may be given by --config, `faults` by
    --faults; the built-in file has none of them."""

    profiles: dict[str, Profile]
    common: Common
    dexs: list[Dex]
    markets: list[MarketSetup]
    accounts: dict[str, Decimal] = {}
    vaults: list[VaultSetup] = []
    parameters: Parameters = DEFAULT
    faults: list[Fault] = []


def load_setup(path: Path | None = None, faults: Path | None = None) -> VenueSetup:
    """The built-in file, with the tables of `path` and `faults` in place of its own where given; the later wins.

    ConfigError, naming the file, for one that cannot be read, is not TOML or has a shape that is none. Whether coins,
    dexs and addresses fit each other is not looked at.
    """
    tables = tomllib.loads(DATA_FILE.read_text(encoding="utf-8"))
    name = path or DATA_FILE
    try:
        for name in (p for p in (path, faults) if p is not None):
            tables |= tomllib.loads(name.read_text(encoding="utf-8"))
        return msgspec.convert(tables, VenueSetup, strict=False)
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError([f"exchange configuration {name}: {error}"]) from None
