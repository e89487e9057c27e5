"""What an account is worth in each mode, and that a partial reading is none."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from hip3.core.events import OrderUpdate
from hip3.core.orders import Side
from hip3.errors import VenueReadError
from hip3.execution.truth import bootstrap
from hip3.execution.truth.account import AccountReport, ClockedRest, Proof, positions_of, prove, read_account
from hip3.execution.truth.bootstrap import read_beginning
from tests.builders import COIN, D, fill
from tests.fakes import FakeClock

STATE = {
    "marginSummary": {"accountValue": "1000.5"}, "time": 7,
    "assetPositions": [{"position": {"coin": COIN, "szi": "0.01", "entryPx": "4000.0", "positionValue": "41.0"}}],
}  # fmt: skip


MONEY = {"closedPnl": "0.0", "fee": "0.0"}


class _Rest:
    def __init__(self, **answers: Any) -> None:
        self._answers = answers

    def info_json(self, request: dict[str, Any]) -> Any:
        answer = self._answers.get(request["type"])
        if answer is None:
            raise VenueReadError("no answer")
        return answer

    def info(self, request: dict[str, Any]) -> bytes:
        import msgspec

        return msgspec.json.encode(self.info_json(request))


def _report() -> AccountReport:
    return read_account(_Rest(clearinghouseState=STATE, frontendOpenOrders=[], userFills=[]), "0x", ["xyz"])


def test_a_complete_reading() -> None:
    report = _report()
    assert report.positions == {COIN: (D("0.01"), D(4000))}
    assert (report.equity, report.marks, report.at_ms) == (D("1000.5"), {COIN: D(4100)}, 7)


@pytest.mark.parametrize("missing", ["clearinghouseState", "frontendOpenOrders", "userFills"])
def test_a_part_that_fails_makes_the_whole_unknown(missing: str) -> None:
    answers: dict[str, Any] = {"clearinghouseState": STATE, "frontendOpenOrders": [], "userFills": []}
    del answers[missing]
    with pytest.raises(VenueReadError):
        read_account(_Rest(**answers), "0x", ["xyz"])


@pytest.mark.parametrize("odd", [{}, {"marginSummary": {}}, {**STATE, "assetPositions": [{"position": {}}]}, [], 5])
def test_a_part_of_another_shape_makes_the_whole_unknown(odd: Any) -> None:
    with pytest.raises(VenueReadError):
        read_account(_Rest(clearinghouseState=odd or [0], frontendOpenOrders=[], userFills=[]), "0x", ["xyz"])


def test_a_proof_without_clearinghouse_state_comes_from_the_newest_fills_and_else_is_none() -> None:
    raw = {
        "coin": COIN,
        "px": "1",
        "sz": "0.01",
        "side": "B",
        "time": 1,
        "oid": 1,
        "tid": 1,
        "startPosition": "0.02",
    } | MONEY
    proof = prove(_Rest(frontendOpenOrders=[], userFills=[raw]), "0x", ["xyz"])
    assert proof.positions == {COIN: Decimal("0.03")}
    assert "userFills" in proof.source
    assert prove(_Rest(userFills=[raw]), "0x", ["xyz"]).orders is None
    assert prove(_Rest(frontendOpenOrders=[]), "0x", ["xyz"]).positions is None
    assert prove(_Rest(frontendOpenOrders=[], userFills=[raw | {"px": None}]), "0x", ["xyz"]).positions is None


class _TwoDexs(_Rest):
    """flx cannot be read; xyz shows a position."""

    def info_json(self, request: dict[str, Any]) -> Any:
        if request["type"] == "clearinghouseState" and request["dex"] == "flx":
            raise VenueReadError("HTTP 500")
        return super().info_json(request)


def _raw(number: int, coin: str = "flx:OIL") -> dict[str, Any]:
    return {
        "coin": coin, "px": "1", "sz": "1", "side": "B" if number % 2 else "A", "time": number, "oid": number,
        "tid": number, "startPosition": "0" if number % 2 else "1",
    } | MONEY  # fmt: skip


def test_fills_that_are_cut_off_prove_nothing_and_what_another_dex_shows_is_kept() -> None:
    """2,000 later fills of one market hide the position in another: `flatten` called that flat and exited with 0."""
    cut_off = [_raw(number) for number in range(2000, 0, -1)]
    proof = prove(_TwoDexs(clearinghouseState=STATE, frontendOpenOrders=[], userFills=cut_off), "0x", ["flx", "xyz"])
    assert proof.positions is None
    assert "not proved" in proof.sentence(0)
    assert f"held at least: {COIN}" in proof.sentence(0)
    assert "flx" in proof.source
    whole = prove(
        _TwoDexs(clearinghouseState=STATE, frontendOpenOrders=[], userFills=cut_off[1:]), "0x", ["flx", "xyz"]
    )
    assert whole.positions is not None
    assert set(whole.positions) == {COIN, "flx:OIL"}
    assert whole.by_fills


def test_fills_of_other_dexs_prove_no_position_in_ours() -> None:
    rows = [_raw(1, "para:AVGO"), _raw(1, "BTC"), _raw(1)]
    proof = prove(_TwoDexs(clearinghouseState=STATE, frontendOpenOrders=[], userFills=rows), "0x", ["flx", "xyz"])
    assert set(proof.positions or {}) == {COIN, "flx:OIL"}


def test_the_newest_fill_of_a_market_says_what_is_held() -> None:
    newest = fill(2, start_position=D("0.012"), side=fill().side.opposite)
    assert positions_of([newest, fill(1)]) == {}
    assert positions_of([fill(1)]) == {COIN: D("0.012")}


def test_cancel_all_leaves_the_stops_of_positions_and_takes_those_of_none() -> None:
    def order(coin: str, oid: int, **stop: Any) -> OrderUpdate:
        return OrderUpdate(coin, Side.SELL, oid, None, D(1), D(1), D(1), "open", 1, **stop)

    stop = {"reduce_only": True, "trigger_px": D(1)}
    orders = (order(COIN, 1, **stop), order("xyz:TSLA", 2, **stop), order(COIN, 3), order(COIN, 4, reduce_only=True))
    held = Proof(positions={COIN: D(1)}, orders=orders, source="")
    assert [o.oid for o in held.to_cancel()] == [2, 3, 4]
    assert [o.oid for o in Proof(positions=None, orders=orders, source="").to_cancel()] == [3, 4]
    assert Proof(positions=None, orders=None, source="").to_cancel() == []


def test_an_unreadable_fill_of_a_coin_elsewhere_spoils_nothing_and_one_of_ours_does() -> None:
    odd = {"coin": "+92260", "settled": True}
    answers: dict[str, Any] = {"clearinghouseState": STATE, "frontendOpenOrders": []}
    report = read_account(_Rest(**answers, userFills=[odd, _raw(1, COIN)]), "0x", ["xyz"])
    assert [f.coin for f in report.fills] == [COIN]
    for row in ({"coin": COIN}, {"coin": None}, {}, 5):
        with pytest.raises(VenueReadError):
            read_account(_Rest(**answers, userFills=[row]), "0x", ["xyz"])
    proof = prove(_TwoDexs(clearinghouseState=STATE, frontendOpenOrders=[], userFills=[odd, _raw(1)]), "0x", ["flx"])
    assert set(proof.positions or {}) == {"flx:OIL"}


def test_rows_that_are_skipped_count_towards_the_end_of_the_list() -> None:
    """A list that is full is cut off, however many of its rows could be read."""
    rows = [{"coin": "+1"}] * 1999
    answers: dict[str, Any] = {"clearinghouseState": STATE, "frontendOpenOrders": []}
    assert not read_account(_Rest(**answers, userFills=rows), "0x", ["xyz"]).cut_off
    assert read_account(_Rest(**answers, userFills=[*rows, _raw(1, COIN)]), "0x", ["xyz"]).cut_off
    proof = prove(_TwoDexs(clearinghouseState=STATE, frontendOpenOrders=[], userFills=[*rows, _raw(1)]), "0x", ["flx"])
    assert proof.positions is None


def test_what_goes_before_a_reading_is_no_part_of_its_way() -> None:
    """An exit by HTTP that took eight seconds put the exchange's clock four seconds off."""
    clock, told = FakeClock(), list[tuple[int, int]]()

    class Rest:
        left_ms = 0

        def info_json(self, request: dict[str, Any]) -> Any:
            clock.advance(7900)  # the exit
            self.left_ms = clock.mono_ms()
            clock.advance(100)
            return {"time": 5}

    clocked = ClockedRest(Rest(), clock.mono_ms, lambda ms, way: told.append((ms, way)))  # type: ignore[arg-type]
    clocked.info_json({"type": "exchangeStatus"})
    assert told == [(5, 100)]


def test_fills_of_elsewhere_hold_up_no_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another bot on the account that is filled each second on the main dex kept a start from ever ending."""
    elsewhere = msgspec.structs.replace(fill(1), coin="BTC", time_ms=99)
    report = SimpleNamespace(fills=(elsewhere, msgspec.structs.replace(fill(2), time_ms=5)), since_ms=10)
    monkeypatch.setattr(bootstrap, "read_positions", lambda rest, user, dexs: report)
    assert read_beginning(None, "0x", ["xyz"]) is report  # type: ignore[arg-type]
    report.fills = (msgspec.structs.replace(fill(2), time_ms=11), *report.fills)
    with pytest.raises(VenueReadError, match="did not stand still"):
        read_beginning(None, "0x", ["xyz"])  # type: ignore[arg-type]
