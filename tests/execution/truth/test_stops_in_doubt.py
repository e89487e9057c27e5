"""A position that answers hide: its stop stays, what an earlier run kept of it stands, and no proof calls it flat."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hip3.core.events import Fill, OrderUpdate
from hip3.core.orders import RUN_TAG, Side
from hip3.execution.truth.account import AccountReport, prove
from hip3.execution.truth.bootstrap import with_remembered
from hip3.execution.truth.difference import GONE_MS, GONE_READINGS
from hip3.execution.truth.stops_in_doubt import StopsInDoubt
from hip3.position.held import Held
from tests.builders import COIN, D, fill
from tests.world import World, quiet_world

OURS = f"0x{RUN_TAG}" + "1" * 24
STOP = OrderUpdate(
    COIN, Side.SELL, 1, OURS, D(3900), D("0.01"), D("0.01"), "open", 100, reduce_only=True, placed_ms=100,
    trigger_px=D(3900),
)  # fmt: skip
ZERO = Decimal(0)


def _report(*fills: Fill, szi: str = "0") -> AccountReport:
    held = {COIN: (D(szi), D(4000))} if szi != "0" else {}
    return AccountReport(at_ms=500, since_ms=500, positions=held, orders=(STOP,), fills=fills, equity=ZERO, marks={})


def _closing(time_ms: int) -> Fill:
    return fill(9, side=Side.SELL, start_position=D("0.012"), sz=D("0.012"), time_ms=time_ms)


@pytest.mark.parametrize(
    ("fills", "doubtful"),
    [
        ((), True),
        ((_closing(99),), True),  # an older position's end
        ((_closing(100),), False),
        ((_closing(101),), False),
        ((fill(2, time_ms=300), _closing(101)), True),  # opened anew since
        ((_closing(101), fill(2, time_ms=50)), False),
    ],
)
def test_only_a_fill_that_closed_it_since_makes_a_stop_litter_at_once(fills: tuple[Fill, ...], doubtful: bool) -> None:
    assert bool(StopsInDoubt().look([STOP], fills, 0)) is doubtful


def test_a_position_that_is_not_shown_for_long_enough_is_gone() -> None:
    doubt = StopsInDoubt()
    times = [0, 1000, GONE_MS - 1, GONE_MS]
    assert [bool(doubt.look([STOP], (), now)) for now in times] == [True, True, True, False]
    few = StopsInDoubt()
    assert [bool(few.look([STOP], (), n * GONE_MS)) for n in range(GONE_READINGS)] == [True] * 2 + [False]
    assert not few.look([], (), 0)
    assert few.look([STOP], (), 10 * GONE_MS)  # it begins anew


# What an earlier run kept.

KEPT = Held(coin=COIN, entry_ms=100, entry_edge_bps=ZERO, szi=D("0.01"), entry_px=D(4000), as_of_ms=150)


@pytest.mark.parametrize(
    ("fills", "held", "until_ms"),
    [
        ((), "0.01", 150),
        ((_closing(149),), "0.01", 150),
        ((_closing(151),), "0", None),
        ((fill(3, time_ms=151, start_position=D("0.01"), sz=D("0.02")),), "0.03", 151),
    ],
)
def test_what_was_kept_stands_until_a_fill_or_a_reading_says_otherwise(
    fills: tuple[Fill, ...], held: str, until_ms: int | None
) -> None:
    report = with_remembered(_report(), [KEPT], ["xyz"], fills)
    assert report.positions.get(COIN, (ZERO, ZERO))[0] == D(held)
    assert report.remembered.get(COIN) == until_ms
    shown = _report(szi="0.02")
    assert with_remembered(shown, [KEPT], ["xyz"], fills).positions == shown.positions
    assert with_remembered(_report(), [KEPT], ["para"], fills).positions == {}


# Proofs.


class _Rest:
    def __init__(self, rows: list[dict[str, Any]] | None, cloid: str = OURS) -> None:
        stop = {
            "coin": COIN, "side": "A", "limitPx": "3900", "sz": "0.01", "origSz": "0.01", "oid": 1, "timestamp": 100,
            "cloid": cloid, "reduceOnly": True, "isTrigger": True, "triggerPx": "3900", "orderType": "Stop Market",
        }  # fmt: skip
        state = {"assetPositions": [], "time": 1}
        self._answers = {"frontendOpenOrders": [stop], "clearinghouseState": state, "userFills": rows}

    def info_json(self, request: dict[str, Any]) -> Any:
        return self._answers[request["type"]]

    def info(self, request: dict[str, Any]) -> bytes:
        return msgspec.json.encode(self._answers[request["type"]])


def _row(time_ms: int, **changes: Any) -> dict[str, Any]:
    return {
        "coin": COIN, "px": "1", "sz": "0.01", "side": "A", "time": time_ms, "oid": 5, "tid": 5, "startPosition": "0.01",
        "closedPnl": "0.0", "fee": "0.0",
    } | changes  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "proved"),
    [
        ([], False),
        ([_row(101)], True),
        ([_row(99)], False),
        ([_row(101), _row(101, px=None)], False),  # the one that cannot be read may be the newest
        (None, False),
    ],
)
def test_a_stop_of_ours_without_its_position_proves_nothing(rows: list[dict[str, Any]] | None, proved: bool) -> None:
    proof = prove(_Rest(rows), "0x", ["xyz"])
    assert (proof.positions == {}) is proved
    assert [o.oid for o in proof.to_cancel()] == ([1] if proved else [])


def test_a_stop_of_others_says_nothing_of_a_position() -> None:
    assert prove(_Rest([], cloid="0x" + "2" * 32), "0x", ["xyz"]).positions == {}


# The service.


def _hide(world: World, *, fills_alone: bool = False) -> Callable[[], None]:
    """The exchange answers as if the account had never been used; ends with the call of what it returns."""
    rest, real, frames = world.rest, world.rest.info, world.filter_frame

    def info(request: dict[str, Any]) -> bytes:
        body = real(request)
        if request["type"] == "clearinghouseState" and not fills_alone:
            return msgspec.json.encode(msgspec.json.decode(body) | {"assetPositions": []})
        return b"[]" if request["type"] == "userFills" else body

    def frame(text: str) -> list[str]:
        found = msgspec.json.decode(text)
        if found.get("channel") == "userFills":
            found["data"]["fills"] = []
        return [msgspec.json.encode(found).decode()]

    rest.info, world.filter_frame = info, frame  # type: ignore[method-assign]

    def end() -> None:
        rest.info, world.filter_frame = real, frames  # type: ignore[method-assign]

    return end


def _protected(tmp_path: Path, **settings: Any) -> World:
    world = quiet_world(tmp_path, protective_stop_bps=D(200), **settings)
    world.by_hand(COIN, Side.BUY, D("0.01"), cloid=OURS)
    assert world.run_until(lambda: len(world.listed("xyz")) == 1, 3000)
    world.run(1500)  # what a restart needs is kept
    return world


@pytest.mark.parametrize("policy", ["reconcile", "cancel_all"])
@pytest.mark.parametrize("remembered", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_a_hidden_position_keeps_its_stop_and_is_found(
    tmp_path: Path, policy: str, remembered: bool, known: bool
) -> None:
    """A start took the stop of an earlier run for litter, and the position was naked until it was found."""
    world = _protected(tmp_path, start_policy=policy)
    (stop,) = world.listed("xyz")
    ends = []

    def meanwhile() -> None:
        if not remembered:
            world.journal.keep("held", [])
        if not known:
            world.intents.open.clear()  # the start knows of the stop by its tag alone
        ends.append(_hide(world))

    world.restart(meanwhile)
    world.run(8000)
    assert not world.ready
    assert [o["oid"] for o in world.listed("xyz")] == [stop["oid"]]
    assert bool(world.trading.tracker.booked()) is remembered
    ends[0]()
    assert world.run_until(lambda: world.ready, 90_000, step_ms=50)
    assert world.trading.tracker.booked() == {COIN: D("0.01")}  # late fills are in what was kept
    assert [o["oid"] for o in world.listed("xyz")] == [stop["oid"]]


def test_what_is_never_shown_again_is_gone_after_a_minute(tmp_path: Path) -> None:
    world = _protected(tmp_path)
    world.restart(lambda: (world.journal.keep("held", []), _hide(world)))
    world.run(GONE_MS // 2, step_ms=50)
    assert len(world.listed("xyz")) == 1
    assert not world.ready
    assert world.run_until(lambda: world.ready, 60_000, step_ms=50)
    assert world.listed("xyz") == []


def test_a_stop_that_outlived_its_position_goes_before_ready(tmp_path: Path) -> None:
    world = _protected(tmp_path)
    account = world.venue.engine.account(world.user)
    assert account is not None
    (stop,) = world.venue.engine.markets[COIN].triggers.values()
    world.cut()
    world.by_hand(COIN, Side.SELL, D("0.01"), reduce_only=True)
    world.venue.engine.markets[COIN].triggers[stop.oid] = stop  # this exchange forgot to end it
    world.restart()
    assert world.run_until(lambda: world.ready, 10_000)
    assert not world.trading.tracker.booked()


def test_what_was_closed_by_hand_meanwhile_is_tried_and_trips_nothing(tmp_path: Path) -> None:
    """Without its fills it counted as held; four exits were refused, since nothing was there, and the latch tripped."""
    world = _protected(tmp_path, time_stop_ms=10_000)
    world.cut()
    world.by_hand(COIN, Side.SELL, D("0.01"), reduce_only=True)
    world.restart(lambda: _hide(world, fills_alone=True))
    assert world.run_until(lambda: bool(world.journal.of("exit")), 20_000, step_ms=50)
    assert world.run_until(lambda: world.ready, 90_000, step_ms=50)
    assert not world.trading.tracker.booked()
    assert not world.latch.tripped


@pytest.mark.parametrize("held", [True, False])
def test_round_trips_of_before_are_not_told_again_when_their_fills_come_late(tmp_path: Path, held: bool) -> None:
    """Three small losses became six, and the latch tripped."""
    world = quiet_world(tmp_path, protective_stop_bps=D(200))
    for number in range(3):
        world.by_hand(COIN, Side.BUY, D("0.01"), cloid=f"{OURS[:-2]}{number:02}")
        world.run(500)
        world.by_hand(COIN, Side.SELL, D("0.01"), reduce_only=True)
        world.run(500)
    if held:
        world.by_hand(COIN, Side.BUY, D("0.01"), cloid=OURS)
    world.run(3000)
    before, told = world.trading.tracker.totals(), len(world.journal.of("round_trip"))
    ends: list[Callable[[], None]] = []
    world.restart(lambda: ends.append(_hide(world)))
    world.run(8000)
    ends[0]()
    assert world.run_until(lambda: world.ready, 90_000, step_ms=50)
    world.run(61_000, step_ms=50)
    assert world.trading.tracker.totals() == before
    assert len(world.journal.of("round_trip")) == told == 3
    assert world.trading.tracker.booked() == ({COIN: D("0.01")} if held else {})
    assert not world.latch.tripped


def test_the_fill_of_a_position_that_was_adopted_is_asked_for_until_it_is_listed(tmp_path: Path) -> None:
    """Its result was in no sum before the next comparison, or never, where the service ended first."""
    world = quiet_world(tmp_path)
    world.by_hand(COIN, Side.BUY, D("0.01"), cloid=OURS)
    real = world.rest.info
    hidden: list[bool] = [True]

    def info(request: dict[str, Any]) -> bytes:
        return b"[]" if hidden[0] and request["type"] == "userFills" else real(request)

    world.rest.info = info  # type: ignore[method-assign]
    world.filter_frame = lambda text: [] if '"userFills"' in text else [text]
    assert world.run_until(lambda: bool(world.journal.of("adopted")), 140_000, step_ms=50)
    hidden[0] = False
    assert world.run_until(lambda: world.trading.tracker.totals()[1] > 0, 7000, step_ms=50)
    assert world.trading.tracker.booked() == {COIN: D("0.01")}
    assert world.trading.housekeeping.unexplained.coins == []
