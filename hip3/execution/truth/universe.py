"""Which markets there are: what must be learned first, at a start and by commands.

Confined to the rest thread (in `commands/`, without a service, to main). `VenueReadError` means "not now, try again";
`PreflightError` means "not like this": the settings and the exchange contradict each other.
"""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from hip3.config.settings import Settings
from hip3.core.market import MarketSpec, in_dexs
from hip3.errors import ODD_ANSWERS, PreflightError, VenueReadError, WireError
from hip3.exchange.registry import (
    BASE_TAKER_RATE,
    PERMISSIONED,
    DexIndices,
    dex_indices,
    maker_rate,
    permissioned,
    read_markets,
    select,
    taker_rate,
)
from hip3.execution.truth.account import Rest

UNREAD = "its parameters could not be read at the start: what is in it is left by those of before"
"""Why a market of a dex that did not answer is blocked, until it does."""
UNHEARD_OF = "its dex could not be read at the start, and no earlier run knew it: restart to trade it"
_UNREADABLE = (VenueReadError, WireError, *ODD_ANSWERS)


class Universe(msgspec.Struct, frozen=True):
    """The configured markets."""

    specs: dict[str, MarketSpec]
    """Those that are looked after, by coin, in the order of the settings: may be traded, or delisted for now."""
    blocked: dict[str, str]
    """Configured markets that must not be traded, with the reason."""
    dexs: list[str]
    """The configured dexs, or all builder dexs of the exchange where none is named."""
    asset_ids: dict[str, int]
    """Of all markets of the configured dexs: what rests in another market can be cancelled, too."""
    others: dict[str, MarketSpec] = {}
    """The markets of the configured dexs that are not configured: an operator may close a position there."""
    unread: dict[str, str] = {}
    """What did not answer (a dex, "userFees" or "perpDexs"), and why; of such a dex the markets are as `kept` has
    them."""

    @property
    def open(self) -> list[str]:
        """The coins that may be traded from the start."""
        return [coin for coin in self.specs if coin not in self.blocked]


def learn_universe(
    rest: Rest, settings: Settings, user: str | None, also: Iterable[str] = (), *, leaving: bool = False,
    kept: Mapping[str, MarketSpec] | None = None,
) -> Universe:  # fmt: skip
    """Read `perpDexs`, `userFees` and `meta` of every configured dex, and check the markets.

    `also`: dexs that are not configured any more and may hold something of ours; one that is gone is left out.
    Without a `user` (observe) fees are those of the base rate. Asset ids follow the places in `perpDexs` and `meta`
    (docs/venue-facts.md F8). A market that is missing, delisted or ambiguous is blocked with its reason. PreflightError
    for a dex that does not exist, or where no market is left; its faults say which. Where an earlier run left something
    (`leaving`) these are reasons and keep nothing else from being left. VenueReadError for an answer of another shape.

    With `kept`, the markets as an earlier run traded them, what does not answer raises nothing: it is in `unread`, its
    markets are those of `kept` and blocked, and fees are of the base rate. Enough to leave positions, and for no entry.
    """
    answers = _Answers(rest, kept)
    try:
        indices = answers.indices()
        known = list(indices) or list(dict.fromkeys(spec.dex for spec in (kept or {}).values()))
        dexs = settings.dexs or known
        missing = [dex for dex in dexs if indices and dex not in indices]
        if missing and not leaving:
            there = ", ".join(indices)
            raise PreflightError([f"dex {dex} does not exist on the exchange; it has {there}" for dex in missing])
        dexs = [dex for dex in dict.fromkeys([*dexs, *also]) if not indices or dex in indices]
        fees = None if user is None else answers.fees(user)
        specs, blocked = answers.markets(indices, dexs, fees)
        stars = permissioned(indices)
        blocked |= {coin: PERMISSIONED for coin, spec in specs.items() if spec.dex in stars}
    except WireError as error:
        raise VenueReadError(f"the universe cannot be read: {error}") from None
    named = settings.dexs or dexs
    usable = (coin for coin in specs if blocked.get(coin) in (None, UNREAD))
    wanted = settings.coins or [coin for coin in usable if in_dexs(coin, named)]
    if settings.profile == "micro":
        wanted = wanted[:1]  # the trial trades one market
    gone = {coin: f"its dex {coin.partition(':')[0]} is gone" for coin in wanted if in_dexs(coin, missing)}
    gone |= {coin: UNHEARD_OF for coin in wanted if coin not in specs and answers.lacks(coin)}
    blocked |= gone
    chosen = select([coin for coin in wanted if coin not in gone], specs, blocked, leaving=leaving)
    ids = {coin: spec.asset_id for coin, spec in specs.items()}
    others = {coin: spec for coin, spec in specs.items() if coin not in chosen}
    reasons = {c: why for c, why in blocked.items() if c in wanted}
    return Universe(chosen, reasons, dexs, ids, others, answers.unread)


class _Answers:
    """What is asked of the exchange; where `kept` is given a part that cannot be read is noted, and stands for
    nothing."""

    def __init__(self, rest: Rest, kept: Mapping[str, MarketSpec] | None) -> None:
        self._rest, self._kept = rest, kept
        self.unread: dict[str, str] = {}

    def _note(self, what: str, error: Exception) -> None:
        if self._kept is None:
            raise error
        self.unread[what] = f"{type(error).__name__}: {error}"

    def indices(self) -> DexIndices:
        """The builder dexs; empty where they cannot be read."""
        try:
            return dex_indices(self._rest.info_json({"type": "perpDexs"}))
        except _UNREADABLE as error:
            self._note("perpDexs", error)
            return {}

    def fees(self, user: str) -> Any:
        """The account's fees; None where they cannot be read."""
        try:
            fees = self._rest.info_json({"type": "userFees", "user": user})
            taker_rate(fees), maker_rate(fees)
        except _UNREADABLE as error:
            self._note("userFees", error)
            return None
        return fees

    def markets(
        self, indices: DexIndices, dexs: Collection[str], fees: Any
    ) -> tuple[dict[str, MarketSpec], dict[str, str]]:
        """All markets of these dexs, and those that must not be traded, with the reason."""
        rate = BASE_TAKER_RATE if fees is None else taker_rate(fees)
        specs: dict[str, MarketSpec] = {}
        blocked: dict[str, str] = {}
        for dex in dexs:
            good, bad = self._markets_of(dex, indices, rate, maker_rate(fees))
            specs |= good
            blocked |= bad
        return specs, blocked

    def _markets_of(
        self, dex: str, indices: DexIndices, rate: Decimal, maker: Decimal | None
    ) -> tuple[dict[str, MarketSpec], dict[str, str]]:
        if indices:
            try:
                return read_markets(self._rest, indices, [dex], rate, maker)
            except _UNREADABLE as error:
                self._note(dex, error)
        good = {coin: spec for coin, spec in (self._kept or {}).items() if spec.dex == dex}
        return good, dict.fromkeys(good, UNREAD)

    def lacks(self, coin: str) -> bool:
        """Whether a market's dex did not answer."""
        return "perpDexs" in self.unread or coin.partition(":")[0] in self.unread
