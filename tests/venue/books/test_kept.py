"""An exchange that is restarted on its state is the same one: what it answers, and what happens next."""

from typing import Any

import msgspec
import pytest

from hip3.errors import ConfigError
from hip3.exchange.signing import SigningKey
from hip3.venue.books.agents import NONCES_KEPT
from hip3.venue.books.kept import dump, read, restore
from hip3.venue.setup.settings import load_setup
from hip3.venue.venue import Venue
from tests.venue.desk import GOLD, GOLD_ID, START, D, Desk, wire

AVGO_ID = 120001
ADDRESSED = (
    "clearinghouseState", "openOrders", "frontendOpenOrders", "spotClearinghouseState", "historicalOrders", "userFills",
    "userRateLimit", "userFees", "userRole", "extraAgents", "subAccounts", "userNonFundingLedgerUpdates", "userFunding",
    "userAbstraction", "referral", "portfolio",
)  # fmt: skip


def _stop(px: str, sz: str, tpsl: str = "sl", *, buy: bool = False) -> dict[str, Any]:
    return wire(buy, px, sz, reduce_only=True) | {"t": {"trigger": {"isMarket": True, "triggerPx": px, "tpsl": tpsl}}}


def _busy() -> tuple[Desk, SigningKey, SigningKey]:
    """Two users with positions of both kinds, orders that rest and wait, a family, an agent, sub-accounts, a mode."""
    desk = Desk()
    one, two = desk.key(1), desk.key(2)
    for key, cross in ((one, False), (two, False)):
        desk.act(key, {"type": "updateLeverage", "asset": GOLD_ID, "isCross": cross, "leverage": 7})
    desk.trade(one, two, "0.05")
    desk.order(one, True, "3500", "0.01", cloid="0x" + "1" * 32)
    desk.order(two, True, "3500", "0.02")
    desk.act(one, {"type": "order", "orders": [_stop("3600", "0.05")], "grouping": "na"})
    family = [wire(True, "3400", "0.01"), _stop("3900", "0.01", "tp"), _stop("3300", "0.01")]
    desk.act(one, {"type": "order", "orders": family, "grouping": "normalTpsl"})
    desk.act(two, {"type": "scheduleCancel", "time": desk.now + 100_000})
    agent = SigningKey(b"\x09" * 32)
    assert desk.venue.books.agents.approve(one.address, agent.address, "bot", desk.now) is None
    desk.act(two, {"type": "agentSetAbstraction", "abstraction": "u"})
    return desk, one, agent


def _again(desk: Desk) -> Desk:
    """A new exchange on what the other one keeps."""
    other = Desk()
    body = dump(desk.venue.books, desk.now)
    restore(other.venue.books, read(body, "state.json"))
    other.now, other._nonce = desk.now, desk._nonce
    assert dump(other.venue.books, other.now) == body
    return other


def _all_that_is_told(desk: Desk) -> dict[str, Any]:
    users = [a.address for a in desk.venue.engine.accounts.values() if not a.is_agent]
    out = {}
    for user in users:
        for kind in ADDRESSED:
            for dex in ("", "xyz", "para"):
                out[user, kind, dex] = desk.info(kind, user=user, dex=dex, startTime=0)
    return out | {"meta": desk.info("metaAndAssetCtxs", dex="xyz")[0]}


def test_what_it_answers_is_the_same() -> None:
    desk, _, _ = _busy()
    assert _all_that_is_told(_again(desk)) == _all_that_is_told(desk)


def test_what_happens_next_is_the_same() -> None:
    desk, one, agent = _busy()
    third, told = desk.key(3), []
    for exchange in (desk, _again(desk)):
        engine, said = exchange.venue.engine, []
        said.append(exchange.order(third, False, "3500", "0.025", "Ioc"))  # the older of one price goes first
        said.append(exchange.order(third, False, "3400", "0.01", "Ioc"))  # the parent fills, its children are armed
        engine.set_mark(engine.markets[GOLD], D("3550"), exchange.now)  # the stop fires
        said.append(exchange.act(agent, {"type": "noop"}))
        said.append(
            exchange.act(one, {"type": "cancelByCloid", "cancels": [{"asset": GOLD_ID, "cloid": "0x" + "1" * 32}]})
        )
        exchange.now += 100_001
        engine.run_switches(exchange.now)
        told.append((said, _all_that_is_told(exchange)))
    assert told[0] == told[1]
    assert "filled" in told[0][0][0]


def test_no_nonce_is_taken_twice() -> None:
    desk, one, _ = _busy()
    nonce = desk._nonce
    other = _again(desk)
    refused = other.act(one, {"type": "noop"}, nonce=min(desk.venue.books.nonces(one.address).kept))
    assert "duplicate nonce" in refused["response"]
    for _ in range(NONCES_KEPT):
        other.act(one, {"type": "noop"})
    assert "too low" in other.act(one, {"type": "noop"}, nonce=nonce - 10)["response"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"version": 1}', b"\x00" * 10])
def test_a_file_of_another_kind_is_refused_with_what_to_do(body: bytes) -> None:
    with pytest.raises(ConfigError, match="another file with --state"):
        read(body, "x.json")
    newer = msgspec.json.decode(dump(Desk().venue.books, 0)) | {"version": 2}
    with pytest.raises(ConfigError, match="version 2"):
        read(msgspec.json.encode(newer), "x.json")


def test_markets_that_the_configuration_lost_are_named() -> None:
    desk, _, _ = _busy()
    kept = read(dump(desk.venue.books, desk.now), "x.json")
    without = Desk(markets=[m for m in load_setup().markets if m.coin != GOLD])
    with pytest.raises(ConfigError, match=f"positions or orders in {GOLD}; add"):
        restore(without.venue.books, kept)


def test_a_trigger_that_fired_stays_behind_who_rested_before_it() -> None:
    desk = Desk()
    one, two, three = desk.key(1), desk.key(2), desk.key(3)
    desk.trade(one, two, "0.05")
    limit = {"t": {"trigger": {"isMarket": False, "triggerPx": "4100", "tpsl": "tp"}}}
    desk.act(
        one, {"type": "order", "orders": [wire(False, "4200", "0.05", reduce_only=True) | limit], "grouping": "na"}
    )
    desk.order(three, False, "4200", "0.01")
    desk.venue.engine.set_mark(desk.venue.engine.markets[GOLD], D("4150"), desk.now)

    def asks(at: Desk) -> list[int]:
        return [o.oid for o in at.venue.engine.markets[GOLD].book.side(is_buy=False).levels[D(4200)]]

    assert asks(_again(desk)) == asks(desk) != sorted(asks(desk))


def test_the_hour_s_funding_goes_on() -> None:
    before = Venue(load_setup(), seed=1, profile="lively", now_ms=START)
    before.advance(START + 60_000)
    kept = read(dump(before.books, START + 60_000), "x")
    after = Venue(load_setup(), seed=1, profile="lively", now_ms=START + 60_000, kept=kept)
    for coin, market in before.engine.markets.items():
        again = after.engine.markets[coin]
        assert (again.premium, again.premiums[1] >= market.premiums[1]) == (market.premium, True)
