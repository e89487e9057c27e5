"""`check` against an exchange in odd states: what is wrong, what it means in money, and what to do."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import pytest

from hip3.commands.check import run_checks
from hip3.config.reading import MarketSettings
from hip3.config.settings import Settings
from hip3.core.money import taker_price
from hip3.core.orders import RUN_TAG, PendingOrder, Side, Tif
from hip3.exchange.embedded import key_number_one
from hip3.exchange.signing import SigningKey
from hip3.exchange.wire_out import leverage_action, order_action
from tests.stories.process import LocalExchange, local_exchange

D = Decimal
GOLD, NVDA, INDEX = "xyz:GOLD", "xyz:NVDA", "xyz:XYZ100"
MASTER = SigningKey(key_number_one(1))
AGENT = SigningKey(b"\x07" * 32)
DAY_MS = 86_400_000
OURS = f"0x{RUN_TAG}" + "1" * 24
Job = Callable[[Any, int], object]


class State(NamedTuple):
    """One odd state: how the exchange gets into it, with which settings it is met, and what must be said of it."""

    name: str
    finding: str
    words: tuple[str, ...]
    """What is wrong, what it means, what to do."""
    spoil: Callable[[LocalExchange], object] = lambda at: None
    settings: Mapping[str, Any] = MappingProxyType({})
    ok: bool = False


def _do(job: Job) -> Callable[[LocalExchange], object]:
    return lambda at: at.do(job)


def _info(coin: str, **changes: Any) -> Callable[[LocalExchange], object]:
    def job(venue: Any, now_ms: int) -> None:
        market = venue.engine.markets[coin]
        market.info = market.info._replace(**changes)

    return _do(job)


def _order(at: LocalExchange, cloid: str, coin: str = GOLD, *, rests: bool = False, cross: bool = False) -> None:
    def prices(venue: Any, now_ms: int) -> tuple[Decimal, int, int]:
        market = venue.engine.markets[coin]
        return market.oracle, market.info.asset_id, market.info.sz_decimals

    oracle, asset, sz_decimals = at.do(prices)
    away = D("0.9") if rests else D("1.02")
    wished = PendingOrder(
        cloid=cloid, coin=coin, side=Side.BUY, px=taker_price(oracle * away, sz_decimals, is_buy=True), sz=D("0.01"),
        reduce_only=False, created_ms=0, tif=Tif.GTC if rests else Tif.IOC,
    )  # fmt: skip
    now_ms = at.do(lambda venue, now_ms: now_ms)
    at.sign(MASTER, leverage_action(asset, is_cross=cross, leverage=10), now_ms)
    at.sign(MASTER, order_action([wished], {coin: asset}), now_ms + 1)


def _approve(until: Callable[[int], int]) -> Callable[[LocalExchange], object]:
    def job(venue: Any, now_ms: int) -> None:
        text = f"bot valid_until {until(now_ms)}"
        assert venue.books.agents.approve(MASTER.address, AGENT.address, text, now_ms) is None

    return _do(job)


def _star(venue: Any, now_ms: int) -> None:
    dexs = venue.books.dexs
    dexs[:] = [msgspec.structs.replace(dex, permissioned=dex.name == "xyz") for dex in dexs]


def _spent(venue: Any, now_ms: int) -> None:
    venue.engine.account(MASTER.address).actions_used = 9_600


AGENT_KEY = {"private_key": "0x" + "07" * 32, "account_address": MASTER.address}
STATES = [
    State("the clock is off", "clock", ("ms behind the exchange's", "no entry leaves", "set it (chrony, ntpd)"),
          _do(lambda venue, now_ms: setattr(venue, "clock_offset_ms", 10_000))),
    State("a market is delisted", "markets", (f"{GOLD} is delisted", "nothing trades there", "take it out of HIP3_MARKETS"),
          _do(lambda venue, now_ms: setattr(venue.engine.markets[GOLD], "halted", True)), {"markets": f"{GOLD},{NVDA}"}),
    State("a market's fee scale is missing", "markets",
          ("fee scale is not known", "what an order costs is not", "take it out of HIP3_MARKETS"),
          _info(GOLD, fee_scale=None), {"markets": f"{GOLD},{NVDA}"}),
    State("the dex is permissioned", "markets",
          ("permissioned dex", "move your collateral", "take it out of HIP3_MARKETS"), _do(_star)),
    State("fees that no edge pays", "costs",
          ("costs 54 bps of fees (0.27 USD of 50)", "never traded", "take it out of HIP3_MARKETS"),
          _info(GOLD, fee_scale=D(3)), {"max_edge_bps": D(40)}),
    State("no funds on a dex", "account", ("no funds on dex para", "no order fits", "transfer collateral there"),
          _do(lambda venue, now_ms: venue.engine.account(MASTER.address).dexs.pop("para")), {"dex": "xyz,para"}),
    State("a mode that nobody knows", "account",
          ("whose worth nobody knows", "no limit in percent can be kept", "set it to unified or to standard"),
          _do(lambda venue, now_ms: setattr(venue.engine.account(MASTER.address), "mode", "somethingNew"))),
    State("a cross position where isolated is wished", "open",
          ("is cross", "takes from all that the account has", f"./run.sh flatten {INDEX}"),
          lambda at: _order(at, "0x" + "2" * 32, INDEX, cross=True), {"markets": INDEX}),
    State("a position of others, managed", "open",
          ("opened by others, and CLOSED by our rules", "isolated 10x, liquidated at", "% away"),
          lambda at: _order(at, "0x" + "2" * 32), {"foreign_positions": "manage"}, ok=True),
    State("a position of ours in a market that is configured no more", "open",
          ("ours: left by its rules, though its market is not configured", "liquidated at"),
          lambda at: _order(at, OURS), {"markets": NVDA}, ok=True),
    State("an order of an earlier run", "open", ("1 orders of an earlier run rest", "cancelled at the start"),
          lambda at: _order(at, OURS, rests=True), ok=True),
    State("a stop behind the liquidation", "stops",
          ("HIP3_STOP_LOSS_BPS=900 lies beyond", "liquidation price", "lower it, or set HIP3_LEVERAGE"),
          settings={"stop_loss_bps": D(900), "leverage": 20, "margin": "isolated"}),
    State("a lot dearer than the limit", "sizes", ("the smallest order is 90.02 USD", "no entry is possible", "raise HIP3_MAX_NOTIONAL_PER_MARKET"),
          _do(lambda venue, now_ms: venue.move(NVDA, D(90_000), now_ms)), {"markets": NVDA}),
    State("the key is no agent", "agent", ("is not an approved agent of", "approve it on the exchange"), settings=AGENT_KEY),
    State("the agent ends soon", "agent", ("expires in 2 days", "approve a new one and change the key"),
          _approve(lambda now_ms: now_ms + 2 * DAY_MS + 60_000), AGENT_KEY),
    State("the address's actions are spent", "actions",
          ("9600 of the 10000 actions", "no entry leaves", "each dollar traded gives one more"), _do(_spent)),
    State("the request weight is spent", "markets", ("weight limit is spent", "try again in a minute"),
          _do(lambda venue, now_ms: venue._limits.charge("127.0.0.1", 1150, now_ms))),
]  # fmt: skip


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_what_is_odd_is_said_with_what_it_means_and_what_to_do(tmp_path: Path, state: State) -> None:
    with local_exchange() as at:
        state.spoil(at)
        base = Settings(
            network="embedded", api_url=at.url, private_key="0x" + key_number_one(1).hex(), markets=GOLD,
            state_dir=str(tmp_path / "state"), log_dir=str(tmp_path / "logs"),
        )  # fmt: skip
        found = run_checks(MarketSettings(msgspec.structs.replace(base, **state.settings)))
    said = " | ".join(f.text for f in found if f.name == state.finding and f.ok is state.ok)
    for word in state.words:
        assert word in said, (said, found)
    wrong = {f.name for f in found if not f.ok}
    assert wrong <= {state.finding} or state.name == "the request weight is spent", found
