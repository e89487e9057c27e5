"""What cannot be read keeps nothing else from being left: one dex, one fill, the fees; and it is never taken for flat."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hip3.core.orders import RUN_TAG, Side
from hip3.errors import PreflightError, VenueReadError
from hip3.execution.truth.bootstrap import CHECKED_MS
from hip3.execution.truth.universe import UNREAD
from tests.builders import D
from tests.service.apps import status_of
from tests.world import VenueRest, World, quiet_world

GOLD, NVDA, AVGO = "xyz:GOLD", "xyz:NVDA", "para:AVGO"
OURS = f"0x{RUN_TAG}" + "1" * 24
Request = dict[str, Any]


def _failing(world: World, fails: Callable[[Request], bool]) -> None:
    """What `fails` picks answers HTTP 500 until `_healed`."""
    info = VenueRest.info.__get__(world.rest)

    def broken(request: Request) -> bytes:
        if fails(request):
            raise VenueReadError("/info: HTTP 500: null", status=500)
        return bytes(info(request))

    world.rest.info = broken  # type: ignore[method-assign]


def _healed(world: World) -> None:
    world.rest.info = VenueRest.info.__get__(world.rest)  # type: ignore[method-assign]


def _holding(tmp_path: Path, coin: str = GOLD, **settings: Any) -> World:
    world = quiet_world(tmp_path, markets=f"{GOLD},{NVDA},{AVGO}", on_disk=True, time_stop_ms=3000, **settings)
    world.by_hand(coin, Side.BUY, D("0.1") if coin == AVGO else D("0.01"), cloid=OURS)
    assert world.run_until(lambda: coin in world.trading.tracker.booked(), 3000)
    world.run(100)
    return world


@pytest.mark.parametrize("coin", [GOLD, AVGO])
@pytest.mark.parametrize(
    "fails",
    [
        lambda r: r["type"] == "meta" and r["dex"] == "para",
        lambda r: r["type"] == "userFees",
        lambda r: r["type"] == "perpDexs",
    ],
    ids=["meta of one dex", "fees", "the list of dexs"],
)
def test_a_start_leaves_what_is_held_by_the_markets_that_an_earlier_run_knew(
    tmp_path: Path, coin: str, fails: Callable[[Request], bool]
) -> None:
    world = _holding(tmp_path, coin)
    _failing(world, fails)
    world.restart()
    assert world.run_until(lambda: coin not in world.exchange_positions(), 15_000)
    world.run(5000)
    assert not world.ready
    _healed(world)
    assert world.run_until(lambda: world.ready, 30_000), world.readiness.reasons(world.clock.mono_ms())
    assert UNREAD not in world.trading.blocked.values()
    assert not world.trading.blocked


def test_a_market_that_changed_while_it_could_not_be_read_waits_for_a_person(tmp_path: Path) -> None:
    world = _holding(tmp_path)
    _failing(world, lambda r: r["type"] == "meta" and r["dex"] == "para")
    world.restart()
    market = world.venue.engine.markets[AVGO]
    market.info = market.info._replace(sz_decimals=market.info.sz_decimals - 1)
    _healed(world)
    assert world.run_until(lambda: world.ready, 30_000)
    assert "tick_size_unknown" in world.trading.blocked.get(AVGO)


def test_a_market_that_must_not_be_traded_is_not_opened_once_it_is_read(tmp_path: Path) -> None:
    world = _holding(tmp_path)
    _failing(world, lambda r: r["type"] == "meta" and r["dex"] == "para")
    world.restart()
    _healed(world)
    info = VenueRest.info.__get__(world.rest)

    def starred(request: Request) -> bytes:
        body = bytes(info(request))
        if request["type"] != "perpDexs":
            return body
        rows = msgspec.json.decode(body)
        return msgspec.json.encode([row and row | {"isStar": row["name"] == "para"} for row in rows])

    world.rest.info = starred  # type: ignore[method-assign]
    assert world.run_until(lambda: world.ready, 30_000)
    assert "permissioned" in (world.trading.blocked.get(AVGO) or "")


def test_a_key_that_may_not_sign_ends_no_start_that_has_a_position_to_look_after(tmp_path: Path) -> None:
    """An agent whose term ended while the service was down: its restart exited with 4, and nobody watched the position
    once the agent was approved again."""
    world = _holding(tmp_path)
    info, roles = VenueRest.info.__get__(world.rest), [b'{"role":"missing"}']

    def gone(request: Request) -> bytes:
        return roles[0] if roles and request["type"] == "userRole" else bytes(info(request))

    def restart() -> None:
        world.clock.advance(CHECKED_MS)
        world.venue.advance(world.exchange_ms())

    world.rest.info = gone  # type: ignore[method-assign]
    world.restart(restart)
    assert world.run_until(lambda: not world.exchange_positions(), 15_000)
    world.run(5000)
    assert not world.ready
    assert [why for why in world.readiness.reasons(world.clock.mono_ms()) if "does not exist on the exchange" in why]
    roles.clear()
    assert world.run_until(lambda: world.ready, 60_000, step_ms=50), world.readiness.reasons(world.clock.mono_ms())


def test_a_key_that_may_not_sign_ends_a_start_that_has_nothing_to_look_after(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, on_disk=True)
    world.rest.info = lambda request: (  # type: ignore[method-assign]
        b'{"role":"missing"}' if request["type"] == "userRole" else VenueRest.info(world.rest, request)
    )
    with pytest.raises(PreflightError, match="does not exist"):
        world.restart(lambda: world.clock.advance(CHECKED_MS))


def test_nothing_is_taken_from_an_earlier_run_where_it_left_nothing(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, markets=f"{GOLD},{AVGO}", on_disk=True)
    _failing(world, lambda r: r["type"] == "meta" and r["dex"] == "para")
    with pytest.raises(VenueReadError):
        world.restart()


def _odd_fill(world: World, coin: str, *, nameless: bool = False) -> None:
    """The rows of a market's fills have a shape that nobody foresaw."""
    info = VenueRest.info.__get__(world.rest)

    def odd(request: Request) -> bytes:
        body = bytes(info(request))
        if request["type"] not in ("userFills", "userFillsByTime"):
            return body
        rows = msgspec.json.decode(body)
        for row in (r for r in rows if r["coin"] == coin):
            row["px"] = None
            if nameless:
                del row["coin"]
        return msgspec.json.encode(rows)

    world.rest.info = odd  # type: ignore[method-assign]


@pytest.mark.parametrize("nameless", [False, True])
@pytest.mark.parametrize("odd", [GOLD, NVDA])
def test_a_fill_that_cannot_be_read_keeps_no_start_from_leaving(tmp_path: Path, odd: str, nameless: bool) -> None:
    """Of the market that is held, or of another that was closed long ago."""
    world = _holding(tmp_path)
    world.by_hand(NVDA, Side.BUY, D("0.3"))
    world.by_hand(NVDA, Side.SELL, D("0.3"))
    world.run(500)
    _odd_fill(world, odd, nameless=nameless)
    world.restart()
    assert world.run_until(lambda: GOLD not in world.exchange_positions(), 15_000)
    world.run(5000)
    assert not world.ready
    assert any("fills" in why for why in world.readiness.reasons(world.clock.mono_ms()))
    _healed(world)
    assert world.run_until(lambda: world.ready, 100_000, 50)


def test_one_dex_that_does_not_answer_hides_no_position_of_another(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, markets=f"{GOLD},{AVGO}", time_stop_ms=3000)
    world.run(65_000, 50)
    _failing(world, lambda r: r["type"] == "clearinghouseState" and r["dex"] == "para")
    world.filter_frame = lambda text: [] if '"userFills"' in text or '"orderUpdates"' in text else [text]
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    world.run(300)
    world.filter_frame = lambda text: [text]
    assert world.run_until(lambda: not world.exchange_positions(), 90_000, 50)


def test_a_part_of_a_reading_says_of_no_position_that_it_is_gone(tmp_path: Path) -> None:
    """The orders of its dex cannot be read, and its state shows nothing: for ten minutes, and more."""
    world = quiet_world(tmp_path, markets=f"{GOLD},{AVGO}", time_stop_ms=10_000_000)
    world.by_hand(AVGO, Side.BUY, D("0.1"))
    assert world.run_until(lambda: AVGO in world.trading.tracker.booked(), 3000)
    info = VenueRest.info.__get__(world.rest)

    def half(request: Request) -> bytes:
        if request.get("dex") == "para" and request["type"] == "frontendOpenOrders":
            raise VenueReadError("/info: HTTP 500: null", status=500)
        body = bytes(info(request))
        if request.get("dex") == "para" and request["type"] == "clearinghouseState":
            return msgspec.json.encode(msgspec.json.decode(body) | {"assetPositions": []})
        return body

    world.rest.info = half  # type: ignore[method-assign]
    world.run(600_000, 100)
    assert AVGO in world.trading.tracker.booked()


def test_an_account_that_cannot_be_read_for_minutes_is_not_entered(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, markets=GOLD, max_drawdown_pct=D(5))
    _failing(world, lambda r: r["type"] == "clearinghouseState")
    world.run(120_000, 50)
    assert world.ready
    assert world.run_until(lambda: not world.ready, 130_000, 50)
    status = status_of(world)
    assert status["state"] == "REDUCING"
    assert any("could not be read for 3 minutes" in why for why in status["reasons"])
    assert any("equity is unknown" in why for why in status["reasons"])
    _healed(world)
    assert world.run_until(lambda: world.ready, 90_000, 50)


def test_nothing_is_entered_for_a_minute_after_the_exchange_said_that_the_weight_is_spent(tmp_path: Path) -> None:
    """A position that is opened then can neither be protected nor left, where its orders are refused, too."""
    world = quiet_world(tmp_path)
    world.rest.refused_ms = world.clock.mono_ms()  # type: ignore[attr-defined]
    world.run(1000)
    assert not world.ready
    assert any("429" in why for why in status_of(world)["reasons"])
    assert status_of(world)["state"] == "REDUCING"
    world.run(58_000, 100)
    assert not world.ready
    assert world.run_until(lambda: world.ready, 3000)
