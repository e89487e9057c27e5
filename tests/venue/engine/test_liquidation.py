"""Liquidation: when it begins, what it costs, who takes over, and that nobody's debt becomes another's."""

import msgspec
import pytest

from hip3.venue.answers.user_streams import user_frames
from hip3.venue.engine.account import DexAccount, Position
from hip3.venue.engine.margin import liquidation_px, maintenance
from hip3.venue.engine.model import LedgerEvent, Market, MarketInfo, Request, UserEvent
from hip3.venue.setup.settings import load_setup
from hip3.venue.venue import Venue
from tests.venue.bench import GOLD, TSLA, A, B, Bench, C, D

START = 1_790_000_000_000


def _value(bench: Bench, user: str) -> D:
    return bench.account(user).dex("xyz").value(bench.engine.marks())


def _total(bench: Bench) -> D:
    """All cash and positions at mark, and what was paid as fees."""
    accounts = bench.engine.accounts.values()
    return sum((a.dex("xyz").value(bench.engine.marks()) + a.fees for a in accounts), D(0))


def _liquidation_px(bench: Bench, user: str, coin: str = GOLD) -> D:
    held = bench.account(user).dex("xyz")
    px = liquidation_px(held, held.positions[coin], bench.engine.markets, coin, bench.engine.marks())
    assert px is not None
    return px


def test_the_liquidation_price_of_the_documented_isolated_position() -> None:
    info = MarketInfo("ETH", "", 1, 4, 50, None, False, None)
    # The documented rawUsd is printed as -95.059824; one more digit follows from marginUsed and positionValue.
    market, held, position = Market(info, D("2985.9")), DexAccount(), Position(20, isolated=True)
    position.szi, position.iso_raw_usd, position.entry_ntl = D("0.0335"), D("-95.0598235"), D("100.04105")
    held.positions["ETH"] = position
    px = liquidation_px(held, position, {"ETH": market}, "ETH", {"ETH": D("2985.9")})
    assert px is not None
    assert str(px).startswith("2866.26936529")


def test_maintenance_is_half_of_initial_margin_tier_by_tier() -> None:
    tiers = ((D(0), 25), (D(1000), 10))
    info = MarketInfo("X", "", 1, 4, 25, None, False, None, tiers)
    assert maintenance(info, D(500)) == 10
    assert maintenance(info, D(1000)) == 20
    assert maintenance(info, D(3000)) == 120
    assert maintenance(info._replace(tiers=()), D(3000)) == 60


@pytest.mark.parametrize("margin_mode", ["noCross", None])
@pytest.mark.parametrize("long", [True, False])
def test_it_begins_exactly_at_the_printed_price(margin_mode: str | None, long: bool) -> None:
    bench = Bench(margin_mode=margin_mode, cash="100000")
    owner = C if long else A
    bench.account(owner).dex("xyz").raw_usd = D(50)
    bench.open_long(C, "0.2")
    px = _liquidation_px(bench, owner)
    bench.place(B, long, "3990" if long else "4010", "1")
    step = D("0.1") if long else D("-0.1")
    bench.mark(str(round(px, 1) + step))
    assert bench.size(owner) != 0
    bench.mark(str(round(px, 1) - step))
    assert bench.size(owner) == 0


def test_it_goes_to_the_book_and_keeps_what_is_left() -> None:
    bench = Bench(cash="50")
    bench.account(A).dex("xyz").raw_usd = bench.account(B).dex("xyz").raw_usd = D(10_000)
    bench.open_long(C, "0.2")
    resting = bench.place(C, False, "4200", "0.1", reduce_only=True)["resting"]["oid"]
    bench.place(B, True, "3895", "1")
    total = _total(bench)
    bench.words(C)
    bench.mark("3890")
    words = bench.words(C)
    assert words[0] == (resting, "liquidatedCanceled")
    assert [status for _, status in words[1:]] == ["open", "filled"]
    fill = bench.fills(C)[-1]
    assert (fill["dir"], fill["crossed"], fill["px"]) == ("Close Long", True, "3895.0")
    said = {"liquidatedUser": C, "markPx": "3890.0", "method": "market"}
    assert fill["liquidation"] == said
    assert bench.fills(B)[-1]["liquidation"] == said
    assert bench.size(C) == 0
    assert 0 < _value(bench, C) < 50
    assert _total(bench) == total
    record = bench.account(C).history[words[1][0]]["order"]
    assert isinstance(record, dict)
    assert record["tif"] == "LiquidationMarket"


def test_the_account_is_told_once_in_events_and_ledger() -> None:
    bench = Bench(cash="50")
    bench.account(A).dex("xyz").raw_usd = D(10_000)
    bench.open_long(C, "0.2")
    bench.engine.events.clear()
    for px in ("3890", "3889", "3888"):
        bench.mark(px)  # no book: it stays, and is tried again
    assert bench.size(C) == D("0.2")
    events = [e.data["liquidation"] for e in bench.engine.events if isinstance(e, UserEvent)]
    assert [(e["liquidated_user"], e["liquidated_ntl_pos"]) for e in events] == [(C, "778.0")]
    (entry,) = [e.entry["delta"] for e in bench.engine.events if isinstance(e, LedgerEvent)]
    assert entry["type"] == "liquidation"
    assert entry["liquidatedPositions"] == [{"coin": GOLD, "szi": "0.2"}]


def test_its_order_has_a_limit_where_nothing_is_left() -> None:
    bench = Bench(cash="45")
    bench.account(A).dex("xyz").raw_usd = bench.account(B).dex("xyz").raw_usd = D(10_000)
    bench.open_long(C, "0.2")
    bench.place(B, True, "3000", "1")
    bench.mark("3890")
    assert bench.size(C) == D("0.2")
    bench.place(B, True, "3850", "1")
    bench.mark("3889")
    assert bench.size(C) == 0
    assert _value(bench, C) >= 0


def test_above_a_hundred_thousand_a_fifth_goes_every_thirty_seconds() -> None:
    bench = Bench(cash="1000000")
    bench.account(C).dex("xyz").raw_usd = D(11_000)
    bench.open_long(C, "50")
    bench.place(B, True, "3890", "100")
    bench.mark("3891")
    assert bench.size(C) == 40
    bench.mark("3890")
    assert bench.size(C) == 40
    bench.now += 30_000
    bench.mark("3889")
    assert bench.size(C) == 32


@pytest.mark.parametrize("isolated", [True, False])
def test_where_cross_is_allowed_the_backstop_takes_position_and_margin(isolated: bool) -> None:
    bench = Bench(margin_mode=None, cash="45")
    bench.account(A).dex("xyz").raw_usd = D(10_000)
    bench.account(C).leverage[GOLD] = (20, isolated)
    bench.open_long(C, "0.2")
    total, before = _total(bench), bench.market().open_interest
    bench.mark("3870")
    assert bench.size(C) == D("0.2")  # between maintenance and two thirds of it: the book only
    bench.mark("3840")
    fill = bench.fills(C)[-1]
    assert (fill["dir"], fill["fee"]) == (f"Liquidated {'Isolated' if isolated else 'Cross'} Long", "0.0")
    assert fill["liquidation"]["method"] == "backstop"
    assert bench.size(C) == 0
    backstop = bench.engine.accounts["0x4" + "1".zfill(39)]
    assert bench.engine.position(backstop, bench.market()) == D("0.2")
    assert bench.market().open_interest == before
    assert _total(bench) == total + D(10) ** 12
    if not isolated:
        assert _value(bench, C) == 0


def test_without_a_backstop_the_most_profitable_of_the_other_side_is_closed() -> None:
    bench = Bench(cash="45")
    for user in (A, B):
        bench.account(user).dex("xyz").raw_usd = D(10_000)
    bench.place(B, False, "4000", "0.1")
    bench.place(C, True, "4000", "0.1", "Ioc")
    bench.place(A, False, "4002", "0.1")
    bench.place(C, True, "4002", "0.1", "Ioc")
    total = _total(bench)
    bench.mark("3700")
    assert bench.size(C) == 0
    assert (bench.size(A), bench.size(B)) == (0, 0)
    order = [e["startPosition"] for e in bench.fills(C) if e["dir"] == "Auto-Deleveraging"]
    assert order == ["0.2", "0.1"]
    gains = {user: bench.fills(user)[-1] for user in (A, B)}
    assert gains[A]["time"] == gains[B]["time"]
    assert "liquidation" not in gains[A]
    assert D(gains[A]["closedPnl"]) > D(gains[B]["closedPnl"]) > 0
    assert _value(bench, C) >= 0
    assert _total(bench) == total
    assert bench.market().open_interest == 0


def test_only_as_much_of_a_cross_account_goes_as_must() -> None:
    bench = Bench(margin_mode=None, cash="100000")
    held = bench.account(C).dex("xyz")
    held.raw_usd = D(100)
    bench.open_long(C, "0.2")
    bench.open_long(C, "0.1", coin=TSLA)
    bench.place(B, True, "3790", "1")
    bench.place(B, True, "3990", "1", coin=TSLA)
    bench.mark("3640")
    assert (bench.size(C), bench.size(C, TSLA)) == (0, D("0.1"))


def test_moving_the_market_liquidates_on_the_whole_exchange() -> None:
    venue = Venue(load_setup(), seed=3, profile="lively", now_ms=START)
    user = "0x" + "cd" * 20
    venue.engine.fund(user, "xyz", D(60))
    market = venue.engine.markets[GOLD]
    account = venue.engine.accounts[user]
    account.leverage[GOLD] = (20, True)
    ask = market.book.best_ask()
    assert ask is not None
    entry = venue.engine.place(account, Request(market, True, ask + 5, D("0.2"), False, "Ioc", None), START)
    assert "filled" in entry, entry
    venue.move(GOLD, market.mark * D("0.96"), START + 10)
    assert venue.engine.position(account, market) == 0
    assert "liquidation" in account.fills[-1]
    bid = market.book.best_bid()
    assert bid is not None
    assert abs(bid / market.oracle - 1) < D("0.001")
    venue.advance(START + 60_000)
    assert abs(market.mark / market.oracle - 1) < D("0.01")


def test_the_streams_tell_of_liquidation_and_of_orders_that_the_exchange_ended() -> None:
    bench = Bench(cash="50")
    bench.account(A).dex("xyz").raw_usd = bench.account(B).dex("xyz").raw_usd = D(10_000)
    bench.open_long(C, "0.2")
    resting = bench.place(C, False, "4200", "0.1", reduce_only=True)["resting"]["oid"]
    bench.place(B, True, "3895", "1")
    bench.engine.events.clear()
    bench.mark("3890")
    frames = [(key, msgspec.json.decode(text)) for key, text in user_frames(bench.engine.events)]
    mine = [(frame["channel"], frame["data"]) for key, frame in frames if key.endswith(C)]
    assert [channel for channel, _ in mine] == [
        "orderUpdates", "userFills", "user", "user", "user", "userNonFundingLedgerUpdates", "userHistoricalOrders",
    ]  # fmt: skip
    events = [data for channel, data in mine if channel == "user"]
    assert [next(iter(e)) for e in events] == ["fills", "liquidation", "nonUserCancel"]
    assert set(events[1]["liquidation"]) == {
        "lid", "liquidator", "liquidated_user", "liquidated_ntl_pos", "liquidated_account_value",
    }  # fmt: skip
    assert events[2] == {"nonUserCancel": [{"coin": GOLD, "oid": resting}]}
