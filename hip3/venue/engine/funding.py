"""Funding: the premium sampled every 5 s, its mean paid every hour on the oracle price. Pure.

Rate of 8 hours = mean premium + clamp(interest - premium, +-0.05 %), paid by an eighth per hour, at most 4 % an
hour; longs pay when it is positive. On a builder dex the premium is the middle of the impact prices over the
oracle, and clamp, interest and a multiplier are the market's own; on the main dex it is how far the impact prices lie
beyond the oracle (docs/venue-facts.md F28). Payments are cut to 6 decimals; what is left of them over all accounts is
kept in `engine.residue`, so that cash adds up.
"""

from decimal import Decimal
from typing import Any

from hip3.core.money import ZERO, div, truncate
from hip3.venue.engine.account import USD_DECIMALS, Account, Position
from hip3.venue.engine.engine import Engine
from hip3.venue.engine.model import FundingEvent, Market
from hip3.venue.engine.numbers import num
from hip3.venue.setup.parameters import FundingTerms

SAMPLE_MS = 5000
HOUR_MS = 3_600_000
"""Samples and payments are due at multiples of these, in UTC."""
MAIN = FundingTerms(clamp=Decimal("0.0005"))
"""Of the main dex."""
CAP = Decimal("0.04")
"""Highest rate per hour, either way."""
RATE_DECIMALS = 10
IMPACT_USD = Decimal(6000)
IMPACT_USD_MAJOR = Decimal(20_000)
MAJORS = frozenset({"BTC", "ETH"})
"""The markets whose impact notional is the larger one."""
_NO_HASH = "0x" + "0" * 64


def impact_prices(market: Market) -> tuple[Decimal, Decimal] | None:
    """(bid, ask): mean prices of selling and buying the impact notional; None if a side is worth less. Not rounded."""
    notional = IMPACT_USD_MAJOR if market.info.coin in MAJORS else IMPACT_USD
    bid = market.book.impact_px(is_buy=False, notional=notional)
    ask = market.book.impact_px(is_buy=True, notional=notional)
    return None if bid is None or ask is None else (bid, ask)


def premium_of(market: Market, impact: tuple[Decimal, Decimal] | None) -> Decimal | None:
    """How far the book is from the oracle, as a fraction of it, cut to 10 decimals; None without impact prices.

    On the main dex it is 0 while the oracle lies between the impact prices.
    """
    if impact is None:
        return None
    bid, ask = impact
    if market.info.dex:
        return truncate(div((bid + ask) / 2, market.oracle) - 1, RATE_DECIMALS)
    beyond = max(ZERO, bid - market.oracle) - max(ZERO, market.oracle - ask)
    return truncate(div(beyond, market.oracle), RATE_DECIMALS)


def rate_of(market: Market, premium: Decimal) -> Decimal:
    """The hourly rate of a mean premium, a fraction cut to 10 decimals; positive: longs pay."""
    terms = market.info.funding if market.info.dex else MAIN
    eight_hours = premium + min(max(terms.interest - premium, -terms.clamp), terms.clamp)
    rate = div(eight_hours * terms.multiplier, Decimal(8))
    return truncate(min(max(rate, -CAP), CAP), RATE_DECIMALS)


class Funding:
    """Samples and pays for all markets. Confined to the venue's thread.

    From `now_ms` on, first at the next multiple of 5 s and of an hour; until the first sample a market has the rate
    of a premium of 0.
    """

    def __init__(self, engine: Engine, now_ms: int) -> None:
        self._engine = engine
        self._next_sample = now_ms - now_ms % SAMPLE_MS + SAMPLE_MS
        self._next_hour = now_ms - now_ms % HOUR_MS + HOUR_MS
        for market in engine.markets.values():
            market.funding = rate_of(market, market.premium)

    def advance(self, now_ms: int) -> None:
        """Sample and pay what is due. Once each, however late: time that was leapt over is not made up for.

        A sample comes before a payment, so the last one of an hour still counts to it.
        """
        if self._next_sample <= now_ms:
            self._next_sample = now_ms - now_ms % SAMPLE_MS + SAMPLE_MS
            for market in self._engine.markets.values():
                self._sample(market)
        if self._next_hour <= now_ms:
            self._next_hour = now_ms - now_ms % HOUR_MS + HOUR_MS
            for market in self._engine.markets.values():
                self.pay(market, now_ms)

    def _sample(self, market: Market) -> None:
        """One sample into the hour's mean. A book that is too thin has none, and the mean stays."""
        premium = premium_of(market, impact_prices(market))
        if premium is None:
            return
        total, count = market.premiums
        total, count = market.premiums = total + premium, count + 1
        market.premium = truncate(div(total, Decimal(count)), RATE_DECIMALS)
        market.funding = rate_of(market, market.premium)

    def pay(self, market: Market, now_ms: int) -> None:
        """Everybody with a position pays or gets the hour's rate on size x oracle, and the next hour begins.

        An isolated position pays out of its own cash. Whoever cannot hold any longer is liquidated when all have
        paid. Agents pay as well, so that cash adds up, and are not told.
        """
        coin = market.info.coin
        row = {
            "coin": coin, "fundingRate": num(market.funding), "premium": num(market.premium), "time": now_ms,
        }  # fmt: skip
        market.funding_history.append(row)
        # Nobody is liquidated while the accounts are walked: a backstop would be a new one among them.
        for account in self._engine.accounts.values():
            held = account.dexs.get(market.info.dex)
            position = held.positions.get(coin) if held is not None else None
            if held is not None and position is not None:
                paid = truncate(position.szi * market.oracle * market.funding, USD_DECIMALS)
                if position.isolated:
                    position.iso_raw_usd -= paid
                else:
                    held.raw_usd -= paid
                self._engine.residue += paid
                self._tell(account, market, position, paid, now_ms)
        market.premiums = (ZERO, 0)
        self._engine.remargin(market, now_ms)

    def _tell(self, account: Account, market: Market, position: Position, paid: Decimal, now_ms: int) -> None:
        if account.is_agent:
            return
        position.funding += paid
        position.funding_since_change += paid
        coin = market.info.coin
        account.funding_paid[coin] = account.funding_paid.get(coin, ZERO) + paid
        facts: dict[str, Any] = {
            "coin": coin, "usdc": num(-paid), "szi": num(position.szi), "fundingRate": num(market.funding),
            "nSamples": None,
        }  # fmt: skip
        row = {"time": now_ms, "hash": _NO_HASH, "delta": {"type": "funding", **facts}}
        account.funding_rows.append(row)
        self._engine.events.append(FundingEvent(account.address, {"time": now_ms, **facts}))
