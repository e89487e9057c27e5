"""The embedded exchange's other participants: deployer, makers, noise traders. Pure.

The models (`market`) decide what each of them wants; here their wishes happen on the engine, through orders
like anybody's.
"""

from decimal import Decimal

from hip3.core.money import div, floor_size, round_price
from hip3.exchange.signing import keccak256
from hip3.venue.engine.account import Account
from hip3.venue.engine.engine import Engine
from hip3.venue.engine.model import Market, Request
from hip3.venue.market.market import (
    LADDER,
    MAKERS,
    UNIT,
    MarketModel,
    Publish,
    Quote,
    Take,
    Touch,
    Wish,
    moved,
    to_price,
)
from hip3.venue.market.recording import RecordedModel, Recording, at_least_minimum
from hip3.venue.setup.settings import VenueSetup

AGENT_CASH = Decimal(10) ** 12
_NOISE_REACH = Decimal("0.002")


def _address(name: str) -> str:
    return "0x" + keccak256(f"hip3 agent {name}".encode())[12:].hex()


class Crowd:
    """Drives all models and does what they wish. Confined to the venue's thread."""

    def __init__(
        self, engine: Engine, setup: VenueSetup, profile: str, seed: int, now_ms: int, recording: Recording
    ) -> None:
        self._engine = engine
        self.models: dict[str, MarketModel | RecordedModel] = {
            m.coin: recording.model(m.coin, now_ms)
            if recording.covers(m.coin)
            else MarketModel(m, setup.common, setup.profiles[profile], seed, now_ms)
            for m in setup.markets
        }
        self._basis_ema: dict[str, Decimal] = {}
        self._addresses = {name: _address(name) for name in ("noise", *(f"maker {n}" for n in range(MAKERS)))}

    def advance(self, now_ms: int) -> None:
        """Let every model do what is due."""
        for coin, model in self.models.items():
            market = self._engine.markets[coin]
            for _, wish in model.advance(now_ms):
                self._do(market, model, wish, now_ms)

    def _do(self, market: Market, model: MarketModel | RecordedModel, wish: Wish, now_ms: int) -> None:
        if isinstance(wish, Publish):
            self._set_oracle(market, to_price(wish.oracle), now_ms)
        elif isinstance(wish, Quote):
            self._requote(market, wish, now_ms)
        elif isinstance(wish, Touch):
            self._quote_touch(market, wish, now_ms)
        else:
            self._noise(market, model, wish, now_ms)

    def shift(self, ms: int) -> None:
        """Nobody of them does anything for so long."""
        for model in self.models.values():
            model.shift(ms)

    def move(self, coin: str, px: Decimal, now_ms: int) -> None:
        """The outside price jumps, everybody knows, and the deployer's 1 % limit does not hold."""
        market = self._engine.markets[coin]
        for maker in range(MAKERS):
            self._engine.cancel_all(self._agent(f"maker {maker}", market.info.dex), coin, now_ms)
        for wish in self.models[coin].jump(int(px * UNIT)):
            self._do(market, self.models[coin], wish, now_ms)
        self._basis_ema.pop(coin, None)
        market.oracle = round_price(px, market.info.sz_decimals, up=False)
        self._engine.set_mark(market, px, now_ms)

    def _set_oracle(self, market: Market, oracle: Decimal, now_ms: int) -> None:
        decimals = market.info.sz_decimals
        market.oracle = round_price(oracle, decimals, up=False)
        bid, ask = market.book.best_bid(), market.book.best_ask()
        submitted = [market.oracle]
        if bid is not None and ask is not None:
            gap = (bid + ask) / 2 - market.oracle
            ema = self._basis_ema.get(market.info.coin, gap)
            ema += (gap - ema) / 50
            self._basis_ema[market.info.coin] = ema
            submitted.append(market.oracle + ema)
        self._engine.update_mark(market, submitted, now_ms)

    def _agent(self, name: str, dex: str) -> Account:
        address = self._addresses[name]
        account = self._engine.account(address)
        if account is None or dex not in account.dexs:
            account = self._engine.fund(address, dex, AGENT_CASH, agent=True)
        return account

    def _requote(self, market: Market, quote: Quote, now_ms: int) -> None:
        info = market.info
        account = self._agent(f"maker {quote.maker}", info.dex)
        self._engine.cancel_all(account, info.coin, now_ms)
        for distance, share in LADDER:
            offset = quote.half_spread * max(distance, 10) // 10
            for is_buy in (True, False):
                px = to_price(moved(quote.fair, -offset if is_buy else offset))
                px = round_price(px, info.sz_decimals, up=not is_buy)
                sz = floor_size(div(Decimal(quote.touch_usd * share // 10), px), info.sz_decimals)
                if px * sz >= 10:
                    self._engine.rest_quote(account, Request(market, is_buy, px, sz, False, "Gtc", None), now_ms)

    def _quote_touch(self, market: Market, touch: Touch, now_ms: int) -> None:
        info = market.info
        account = self._agent("maker 0", info.dex)
        self._engine.cancel_all(account, info.coin, now_ms)
        for is_buy, px, sz in ((True, touch.bid, touch.bid_sz), (False, touch.ask, touch.ask_sz)):
            sz_quoted = at_least_minimum(px, sz, info.sz_decimals)
            self._engine.place(account, Request(market, is_buy, px, sz_quoted, False, "Gtc", None), now_ms)

    def _noise(self, market: Market, model: MarketModel | RecordedModel, take: Take, now_ms: int) -> None:
        best = market.book.best_ask() if take.is_buy else market.book.best_bid()
        if best is None:
            return
        info = market.info
        account = self._agent("noise", info.dex)
        reach = 1 + _NOISE_REACH if take.is_buy else 1 - _NOISE_REACH
        px = round_price(best * reach, info.sz_decimals, up=take.is_buy)
        sz = floor_size(div(Decimal(max(take.usd, 12)), best), info.sz_decimals)
        if px * sz >= 10:
            self._engine.place(account, Request(market, take.is_buy, px, sz, False, "Ioc", None), now_ms)
            for maker in range(MAKERS):
                model.requote(maker)
