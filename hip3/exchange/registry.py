"""The universe: which markets exist, their asset ids, precision and fees. Pure parsers.

asset id = 100000 + dex index * 10000 + index in that dex's `meta`. The dex index is the position in
`perpDexs`, whose first entry is null and counts; the market index is the position in `meta(dex)`,
where delisted markets keep their place. Nothing else may be used to number markets: an order of the
ancestor went to another share because it trusted a different list (docs/venue-facts.md F8).

Used at a start and every minute after it, on the rest thread, and by commands. Rates are shares of the notional
(0.00045 is 4.5 bps); fields that end in `_bps` are basis points. Two functions read over HTTP (`read_markets`,
`read_again`); the others are pure.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Protocol

from hip3.core.market import DELISTED, MarketSpec
from hip3.core.money import ONE, TEN_THOUSAND, ZERO, parse
from hip3.core.near import like
from hip3.errors import ODD_ANSWERS, PreflightError, VenueReadError, WireError

BASE_TAKER_RATE = Decimal("0.00045")
"""The taker rate without volume tiers, for accounts whose fees are not known (observe)."""
BASE_MAKER_RATE = Decimal("0.00015")
"""The same of resting orders."""
HIP3_ASSET_BASE = 100_000
HIP3_ASSET_STEP = 10_000
"""So many ids each dex has (docs/venue-facts.md F8)."""
TICK_SIZE_UNKNOWN = "tick_size_unknown"
PERMISSIONED = "in a permissioned dex, whose deployer may cancel your orders, place others and move your collateral"
FEE_SCALE_UNKNOWN = "its fee scale is not known"
ASSUMED_SCALE = ONE
"""Of a market whose fee scale nobody tells: what is held there is counted and left at this cost, and nothing enters."""
_GROWTH_FACTOR = Decimal("0.1")


def dex_indices(perp_dexs: Any) -> "DexIndices":
    """Name of each builder dex -> (index, entry). WireError if the list is not as documented.

    `perp_dexs` is the answer to `perpDexs`. An entry of null takes its place and has no name.
    """
    if not isinstance(perp_dexs, list) or not perp_dexs or perp_dexs[0] is not None:
        raise WireError("perpDexs is not a list that starts with null")
    out: DexIndices = {}
    for index, entry in enumerate(perp_dexs):
        if entry is None:
            continue
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str):
            raise WireError(f"perpDexs entry {index} has no name")
        out[name] = (index, entry)
    return out


def permissioned(indices: "DexIndices") -> set[str]:
    """The dexs that admit whom their deployer likes, and let him act for his users (docs/venue-facts.md F35)."""
    return {name for name, (_, entry) in indices.items() if entry.get("isStar")}


def hip3_fee_factor(scale: Decimal, *, growth: bool) -> Decimal:
    """What a builder dex multiplies the base rate by (docs/venue-facts.md F7): `scale` is its deployerFeeScale."""
    factor = ONE + scale if scale < ONE else scale * 2
    return factor * _GROWTH_FACTOR if growth else factor


def taker_rate(user_fees: Any) -> Decimal:
    """The account's own taker rate after referral, before the HIP-3 factor, from `userFees`.

    `BASE_TAKER_RATE` for None; WireError if it cannot be read. Volume tiers are in it (docs/venue-facts.md F27).
    """
    if user_fees is None:
        return BASE_TAKER_RATE
    try:
        rate = parse(str(user_fees["userCrossRate"]))
        discount = parse(str(user_fees.get("activeReferralDiscount") or "0"))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WireError(f"userFees cannot be read: {error}") from None
    return rate * (ONE - discount)


def maker_rate(user_fees: Any) -> Decimal | None:
    """The account's own maker rate, before the HIP-3 factor; negative: a rebate, which no discount changes. None: not
    told. WireError if it cannot be read."""
    if user_fees is None or "userAddRate" not in user_fees:
        return None
    try:
        rate = parse(str(user_fees["userAddRate"]))
        discount = parse(str(user_fees.get("activeReferralDiscount") or "0"))
    except (TypeError, ValueError) as error:
        raise WireError(f"userFees cannot be read: {error}") from None
    return rate * (ONE - discount) if rate > 0 else rate


def _maker_bps(rate: Decimal | None, factor: Decimal, *, growth: bool) -> Decimal | None:
    """What a resting order costs on a market: a rebate has no part of the dex's factor (docs/venue-facts.md F27)."""
    if rate is None:
        return None
    return rate * (factor if rate >= 0 else (_GROWTH_FACTOR if growth else ONE)) * TEN_THOUSAND


def parse_meta(
    dex: str, dex_index: int, dex_entry: dict[str, Any], meta: Any, rate: Decimal, maker: Decimal | None = None
) -> tuple[dict[str, MarketSpec], dict[str, str]]:
    """All markets of one dex, and the ones that must not be traded with the reason.

    Reasons: `delisted`, `ambiguous`, `tick_size_unknown`, no fee scale. A market that is delisted, or whose fees nobody
    knows, is among both: what is held there is left by its parameters (docs/venue-facts.md F29). WireError if `meta` is
    not an object with a universe; ValueError or TypeError where a number of an entry is none. `rate` is the account's
    taker rate, `maker` its maker rate.
    """
    universe = meta.get("universe") if isinstance(meta, dict) else None
    if not isinstance(universe, list):
        raise WireError(f"meta of dex {dex!r} has no universe")
    specs: dict[str, MarketSpec] = {}
    blocked: dict[str, str] = {}
    for index, entry in enumerate(universe):
        coin = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(coin, str):
            continue  # a market without a name cannot be asked for; its place still counts
        if coin in specs or coin in blocked:
            # Twice the same name: nobody can tell which of the two ids is meant.
            specs.pop(coin, None)
            blocked[coin] = "ambiguous"
            continue
        decimals = entry.get("szDecimals")
        if entry.get("isDelisted"):
            blocked[coin] = DELISTED
        scale = _fee_scale(entry, dex_entry)
        if not isinstance(decimals, int) or isinstance(decimals, bool) or not 0 <= decimals <= 8:
            blocked.setdefault(coin, TICK_SIZE_UNKNOWN)
        else:
            if scale is None:
                blocked.setdefault(coin, FEE_SCALE_UNKNOWN)
            growth = entry.get("growthMode") == "enabled"
            factor = hip3_fee_factor(ASSUMED_SCALE if scale is None else scale, growth=growth)
            specs[coin] = MarketSpec(
                coin=coin,
                dex=dex,
                asset_id=HIP3_ASSET_BASE + dex_index * HIP3_ASSET_STEP + index,
                sz_decimals=decimals,
                max_leverage=_whole(entry.get("maxLeverage")),
                isolated_only=_isolated_only(entry),
                growth=growth,
                fee_factor=factor,
                taker_fee_bps=rate * factor * TEN_THOUSAND,
                maker_fee_bps=_maker_bps(maker, factor, growth=growth),
                collateral_token=_whole(meta.get("collateralToken")),
            )
    return specs, blocked


def _whole(given: Any) -> int | None:
    """A whole number; None where there is none: no default stands for it."""
    return given if isinstance(given, int) and not isinstance(given, bool) else None


def _fee_scale(entry: dict[str, Any], dex_entry: dict[str, Any]) -> Decimal | None:
    """What a market's fees are scaled by: its own figure, in older answers its dex's; None where nothing tells, or what
    tells is no number: a cost that nobody knows is none to trade on."""
    given = entry.get("deployerFeeScale", dex_entry.get("deployerFeeScale"))
    try:
        return None if given is None else parse(str(given))
    except ValueError:
        return None


def _isolated_only(entry: dict[str, Any]) -> bool:
    """Whether cross margin is not allowed: by `marginMode`, where there is none by the older `onlyIsolated`."""
    mode = entry.get("marginMode")
    return mode in ("strictIsolated", "noCross") or (mode is None and bool(entry.get("onlyIsolated")))


def select(
    wanted: Iterable[str], specs: dict[str, MarketSpec], blocked: dict[str, str], *, leaving: bool = False
) -> dict[str, MarketSpec]:
    """The configured markets that can be traded; why another cannot is added to `blocked`.

    One that is gone must not keep the rest from being looked after, at a restart with positions; a delisted one is
    chosen, too, for it may be listed again with a position in it. PreflightError if nothing is left that may be
    traded, unless there is something to leave: it names every one that is missing, delisted or ambiguous.
    """
    chosen: dict[str, MarketSpec] = {}
    faults: dict[str, str] = {}
    for coin in wanted:
        if coin in specs:
            chosen[coin] = specs[coin]
        if coin in specs and coin not in blocked:
            continue
        if blocked.get(coin) in (TICK_SIZE_UNKNOWN, FEE_SCALE_UNKNOWN, PERMISSIONED):
            continue  # watched for, not traded: the caller keeps the reason
        if coin in blocked:
            faults[coin] = f"is {blocked[coin]} on the exchange; take it out of HIP3_MARKETS"
        else:
            faults[coin] = f"does not exist on the exchange{like(coin, [*specs, *blocked])}"
    if faults and not leaving and all(coin in blocked for coin in chosen):
        raise PreflightError([f"market {coin} {why}" for coin, why in faults.items()])
    blocked |= {coin: why for coin, why in faults.items() if coin not in chosen}
    return chosen


def changed(old: MarketSpec, new: MarketSpec | None) -> str | None:
    """What is different about a market's parameters, or None; the account's own fee rate is none of them.

    Words for people, of the first difference alone; `new` is None where `meta` does not list the market any more.
    """
    if new is None:
        return "gone from meta"
    if new.sz_decimals != old.sz_decimals:
        return TICK_SIZE_UNKNOWN
    if new.asset_id != old.asset_id:
        return "asset id changed"
    for name in ("fee_factor", "isolated_only", "max_leverage", "collateral_token"):
        was, now = getattr(old, name), getattr(new, name)
        more = name == "max_leverage" and None not in (was, now) and now > was
        if was != now and not more:  # that more may be borrowed concerns nothing here
            return f"{name} changed from {was} to {now}"
    return None


def sum_fee_bps(override: Decimal | None, spec: MarketSpec) -> Decimal:
    """One taker leg in bps: the setting where given (0 at least), else the market's own."""
    return spec.taker_fee_bps if override is None else max(override, ZERO)


class InfoReader(Protocol):
    """What reading the markets needs of REST."""

    def info_json(self, request: dict[str, Any]) -> Any:
        """See `RestClient.info_json`."""
        ...


DexIndices = dict[str, tuple[int, dict[str, Any]]]
"""Name of a builder dex -> (its index in `perpDexs`, its entry there)."""


def read_markets(
    rest: InfoReader, indices: DexIndices, dexs: Iterable[str], rate: Decimal, maker: Decimal | None = None
) -> tuple[dict[str, MarketSpec], dict[str, str]]:
    """`meta` of every dex: all markets, and the ones that must not be traded with the reason.

    One request for each dex. KeyError for a dex that `indices` has not; else as `info_json` and `parse_meta` raise.
    """
    specs: dict[str, MarketSpec] = {}
    blocked: dict[str, str] = {}
    for dex in dexs:
        index, entry = indices[dex]
        good, bad = parse_meta(dex, index, entry, rest.info_json({"type": "meta", "dex": dex}), rate, maker)
        specs |= good
        blocked |= bad
    return specs, blocked


Again = dict[str, tuple[MarketSpec | None, str | None]]
"""Coin -> the market as it is now, and why it must stop if meta itself says so. A delisted one has both; None, None:
`meta` does not list it."""


def read_again(rest: InfoReader, specs: dict[str, MarketSpec], dexs: Iterable[str]) -> tuple[Again, dict[str, str]]:
    """Read `perpDexs` and `meta` again: our markets of the dexs that answered, and why others did not.

    Fees are as of the base rate: compare `fee_factor`, not `taker_fee_bps`. Of one dex all is told or nothing, so that
    a failed read changes nothing; a dex that is gone lists none of its markets. What `perpDexs` raises goes through.
    """
    indices = dex_indices(rest.info_json({"type": "perpDexs"}))
    out: Again = {}
    failed: dict[str, str] = {}
    for dex in dexs:
        found: dict[str, MarketSpec] = {}
        blocked: dict[str, str] = {}
        try:
            if dex in indices:
                found, blocked = read_markets(rest, indices, [dex], BASE_TAKER_RATE)
        except (VenueReadError, WireError, *ODD_ANSWERS) as error:
            failed[dex] = f"{type(error).__name__}: {error}"
        else:
            out |= {coin: (found.get(coin), blocked.get(coin)) for coin, spec in specs.items() if spec.dex == dex}
    return out, failed
