"""What actions and answers work on: the engine, and what the exchange keeps beside it.

Below the exchange as a whole (`venue.Venue`), which joins it with market, sockets and faults. Pure, confined to
the venue's one thread. Markets, dexs and vaults are those of the setup, for good; accounts come as they are funded.
"""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal

from hip3.core.money import ONE
from hip3.venue.books.agents import Agents, NonceSet
from hip3.venue.books.candles import Bar, Candles
from hip3.venue.books.past import Walk, past
from hip3.venue.books.sub_accounts import SubAccounts, Vault
from hip3.venue.engine.engine import Engine
from hip3.venue.engine.model import Annotation, Market, MarketInfo
from hip3.venue.engine.numbers import num
from hip3.venue.setup.parameters import FundingTerms
from hip3.venue.setup.settings import Dex, MarketSetup, VenueSetup

DRIP_USD = Decimal(1000)
"""What the faucet gives on each dex."""


class Books:
    """The books of one exchange. `px` says what each market of the setup starts at, in USD.

    `seed` and `profile` are only kept, for whoever asks. KeyError for a market without a starting price or on a dex
    that the setup does not have. Vaults exist at once, without cash; `accounts` of the setup are funded by the venue.
    """

    def __init__(self, setup: VenueSetup, px: dict[str, Decimal], *, seed: int, profile: str, now_ms: int) -> None:
        self.seed, self.profile = seed, profile
        self.dexs: list[Dex] = setup.dexs
        infos = _infos(setup)
        tokens = {dex.name: dex.collateral for dex in setup.dexs}
        self.engine: Engine = Engine([(info, px[info.coin]) for info in infos], setup.parameters, tokens)
        names = ["", *(dex.name for dex in setup.dexs)]
        self._by_dex = {name: [m for m in self.engine.markets.values() if m.info.dex == name] for name in names}
        self.agents: Agents = Agents()
        self.nonce_sets: dict[str, NonceSet] = {}
        """By signer; ask `nonces`."""
        self.signed: Counter[str] = Counter()
        """How many actions were signed for which network."""
        self.subs: SubAccounts = SubAccounts()
        for vault in setup.vaults:
            address = vault.address.lower()
            self.subs.vaults[address] = Vault(address, vault.leader.lower(), vault.name)
            self.engine.fund(address, "", Decimal(0))
        self.candles: dict[str, Candles] = {
            m.coin: Candles(m.coin, self.engine.markets[m.coin].last_px, now_ms, _past_of(m, px[m.coin], seed, now_ms))
            for m in setup.markets
        }

    # Markets.

    def has_dex(self, name: str) -> bool:
        """Whether there is such a dex; "" is the main one."""
        return name in self._by_dex

    def markets_of(self, dex: str) -> list[Market]:
        """Markets of a dex in the order of its universe, halted ones included; none for an unknown dex."""
        return self._by_dex.get(dex, [])

    # Accounts.

    def drip(self, address: str, now_ms: int) -> None:
        """The faucet: 1,000 USDC on the main and on every builder dex, as one deposit in the ledger. As often as
        asked."""
        self.fund_all(address, DRIP_USD)
        delta = {"type": "deposit", "usdc": num(DRIP_USD * len(self._by_dex))}
        self.engine.note(self.engine.accounts[address], delta, now_ms)

    def fund_all(self, address: str, amount: Decimal) -> None:
        """`amount` USDC into the account of every dex, which exists from now on; no entry in the ledger."""
        for dex in self._by_dex:
            self.engine.fund(address, dex, amount)

    def owner_of(self, signer: str, now_ms: int) -> str | None:
        """The account a signer may act for: its own, or its master's; None if it is neither funded nor an agent.

        A funded address acts for itself, even where somebody approved it as an agent.
        """
        return signer if self.engine.account(signer) is not None else self.agents.account_of(signer, now_ms)

    def nonces(self, signer: str) -> NonceSet:
        """The nonce set of a signer, made empty when first needed."""
        return self.nonce_sets.setdefault(signer, NonceSet())


def _past_of(market: MarketSetup, px: Decimal, seed: int, now_ms: int) -> Callable[[], dict[str, list[Bar]]]:
    """Makes the candles of before, as its oracle would have moved."""
    walk = Walk(f"{seed}:{market.coin}", market.oracle_step_bps, max(1, market.touch_usd))
    return lambda: past(walk, px, now_ms)


def _infos(setup: VenueSetup) -> list[MarketInfo]:
    """Every market with its asset id: the main dex counts from 0, builder dex n from 100,000 + 10,000 n
    (docs/venue-facts.md F8)."""
    index = {"": 0} | {dex.name: i for i, dex in enumerate(setup.dexs, 1)}
    scales = {dex.name: dex.fee_scale for dex in setup.dexs}
    multipliers = {dex.name: dex.funding_multiplier for dex in setup.dexs}
    counts = dict.fromkeys(index, 0)
    infos = []
    for m in setup.markets:
        base = 100_000 + 10_000 * index[m.dex] if m.dex else 0
        scale = scales.get(m.dex) if m.fee_scale is None else m.fee_scale
        multiplier = multipliers.get(m.dex, ONE) if m.funding_multiplier is None else m.funding_multiplier
        infos.append(_info(m, base + counts[m.dex], scale, multiplier))
        counts[m.dex] += 1
    return infos


def _info(m: MarketSetup, asset_id: int, fee_scale: Decimal | None, multiplier: Decimal) -> MarketInfo:
    tiers = tuple((lower, leverage) for lower, leverage in m.margin_tiers)
    return MarketInfo(
        m.coin, m.dex, asset_id, m.sz_decimals, m.max_leverage, m.margin_mode, m.growth, fee_scale, tiers,
        m.oi_cap if m.dex else None, FundingTerms(multiplier, m.funding_clamp, m.funding_interest),
        Annotation(m.category, m.display_name, tuple(m.keywords), m.description),
    )  # fmt: skip
