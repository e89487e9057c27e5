"""Where the exchange half works: a socket that swallows posts, a node behind, one dex that is gone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hip3.core.orders import RUN_TAG, Side
from hip3.errors import VenueReadError
from hip3.execution.link import Link
from hip3.execution.sending.socket_trust import AWAY_MS, SocketTrust
from tests.builders import D
from tests.world import VenueRest, World, quiet_world

GOLD, AVGO = "xyz:GOLD", "para:AVGO"
OURS = f"0x{RUN_TAG}" + "1" * 24
Request = dict[str, Any]


def _holding(tmp_path: Path, size: str = "0.01", **settings: Any) -> World:
    world = quiet_world(tmp_path, time_stop_ms=3000, **settings)
    world.by_hand(GOLD, Side.BUY, D(size), cloid=OURS)
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 3000)
    return world


def _answers(world: World, change: Callable[[Request, Any], Any]) -> None:
    """What the exchange answers over REST goes through `change(request, answer)`."""
    info = VenueRest.info.__get__(world.rest)
    world.rest.info = lambda r: msgspec.json.encode(change(r, msgspec.json.decode(info(r))))  # type: ignore[method-assign]


@pytest.mark.parametrize("reply", [None, '{"type":"error","payload":"500 internal"}'])
def test_a_socket_that_swallows_posts_holds_no_exit(tmp_path: Path, reply: str | None) -> None:
    world = _holding(tmp_path, markets=GOLD)
    pending: list[str] = []

    def swallow(text: str) -> None:
        post_id = msgspec.json.decode(text)["id"]
        pending.append(f'{{"channel":"post","data":{{"id":{post_id},"response":{reply}}}}}')

    world.sender._deliver = swallow
    for _ in range(30):
        world.run(1000, 20)
        for text in pending if reply is not None else []:
            world.inject(text)
        pending.clear()
    assert world.exchange_positions() == {}
    assert world.generation > 1  # another connection was made


class _Reducing:
    def __init__(self) -> None:
        self.why = ""

    def reduce(self, owner: str, why: str) -> bool:
        self.why = why
        return True


def _talking() -> Link:
    link = Link(0)
    link.last_event_ms = 1 << 60
    return link


def test_a_socket_is_tried_again_and_kept_away_for_longer_each_time_it_fails() -> None:
    said, dropped, link = _Reducing(), list[str](), _talking()
    trust = SocketTrust(said, link, dropped.append)  # type: ignore[arg-type]
    trust.lost(0, 0)
    assert not trust.away(0)
    trust.answered()
    trust.lost(1000, 1000)
    trust.lost(2000, 2000)
    assert trust.away(2000 + AWAY_MS - 1)
    assert said.why
    assert len(dropped) == 1
    assert not trust.away(2000 + AWAY_MS)
    assert not said.why
    trust.lost(70_000, 70_000)  # the one that tried it
    assert trust.away(70_000 + 2 * AWAY_MS - 1)
    assert not trust.away(70_000 + 2 * AWAY_MS)
    trust.answered()
    trust.lost(300_000, 300_000)
    assert not trust.away(300_000)


def test_a_connection_that_was_dead_is_tried_as_soon_as_anything_is_heard_again() -> None:
    said, link = _Reducing(), Link(0)
    trust = SocketTrust(said, link, lambda why: None)  # type: ignore[arg-type]
    link.last_event_ms = 1000
    trust.lost(900, 5900)
    trust.lost(1000, 6000)
    assert trust.away(6000)
    link.connected_ms = link.last_event_ms = 9000  # another one, of which nothing was heard yet
    assert trust.away(9000)
    link.last_event_ms = 9100
    assert not trust.away(9100)
    assert not said.why
    trust.lost(9200, 14_200)
    assert trust.away(14_200), "one is enough, until a post was answered"
    link.last_event_ms = 14_300
    assert not trust.away(14_300)
    link.last_event_ms = 19_000
    trust.lost(14_400, 19_400)
    link.last_event_ms = 19_500
    assert trust.away(19_500), "this one spoke, and answered no post"


def test_an_answer_and_a_loss_at_one_time_leave_no_reason_behind() -> None:
    said = _Reducing()
    trust = SocketTrust(said, _talking(), lambda why: trust.answered())  # type: ignore[arg-type]
    trust.lost(1000, 1000)
    trust.lost(2000, 2000)
    assert not trust.away(2000)
    assert not said.why


def test_a_node_that_is_behind_makes_no_exit_expire(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, markets=GOLD, time_stop_ms=20_000)

    def behind(request: Request, answer: Any) -> Any:
        if request["type"] in ("exchangeStatus", "clearinghouseState"):
            answer["time"] -= 8000
        return answer

    _answers(world, behind)
    world.trading.offset.doubt()
    world.run(40_000, 50)
    world.by_hand(GOLD, Side.BUY, D("0.01"), cloid=OURS)
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 3000)
    assert world.run_until(lambda: not world.exchange_positions(), 60_000, 50)
    account = world.venue.engine.account(world.user)
    assert account is not None
    assert account.actions_used < 40


def test_a_time_that_is_far_ahead_is_not_believed(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, markets=GOLD)
    offset, now = world.trading.offset, world.exchange_ms()
    offset.heard(now + 50_000)
    assert now + 49_000 <= offset.latest_ms() <= now + 51_000
    offset.heard(now + 3_600_000)
    assert offset.latest_ms() <= now + 51_000
    assert abs(offset.exchange_ms() - now) < 1000


def test_an_exit_has_seconds_to_arrive_however_short_entries_live(tmp_path: Path) -> None:
    world = _holding(tmp_path, markets=GOLD, expires_after_ms=50)
    assert world.run_until(lambda: not world.exchange_positions(), 10_000)


@pytest.mark.parametrize("gone", [False, True])
def test_one_dex_that_does_not_answer_hides_no_new_lot_of_another(tmp_path: Path, gone: bool) -> None:
    world = quiet_world(tmp_path, markets=f"{GOLD},{AVGO}", time_stop_ms=70_000, on_disk=True)
    world.by_hand(GOLD, Side.BUY, D("0.0105"), cloid=OURS)
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 3000)
    market = world.venue.engine.markets[GOLD]
    market.info = market.info._replace(sz_decimals=market.info.sz_decimals - 1)

    def without_para(request: Request, answer: Any) -> Any:
        if request["type"] == "meta" and request.get("dex") == "para":
            raise VenueReadError("/info: HTTP 500: null", status=500)
        if gone and request["type"] == "perpDexs":
            return [entry for entry in answer if entry is None or entry["name"] != "para"]
        return answer

    _answers(world, without_para)
    assert world.run_until(lambda: world.exchange_positions()[GOLD] < D("0.001"), 150_000, 50)  # but for the dust
    assert not world.latch.tripped
    assert "tick_size_unknown" in (world.trading.blocked.get(GOLD) or "")
    if gone:
        assert world.trading.blocked.get(AVGO)


def test_a_start_without_markets_goes_by_what_was_read_last_and_not_by_what_was_approved(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, markets=f"{GOLD},{AVGO}", time_stop_ms=100_000, on_disk=True)
    world.by_hand(GOLD, Side.BUY, D("0.0105"), cloid=OURS)
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 3000)
    market = world.venue.engine.markets[GOLD]
    market.info = market.info._replace(sz_decimals=market.info.sz_decimals - 1)
    assert world.run_until(lambda: "tick_size_unknown" in (world.trading.blocked.get(GOLD) or ""), 70_000, 50)

    def without_meta(request: Request, answer: Any) -> Any:
        if request["type"] == "meta":
            raise VenueReadError("/info: HTTP 500: null", status=500)
        return answer

    _answers(world, without_meta)
    world.restart()
    assert world.run_until(lambda: world.exchange_positions()[GOLD] < D("0.001"), 60_000, 50)
    assert not world.latch.tripped


def test_a_difference_is_not_forgotten_while_its_dex_does_not_answer(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, markets=f"{GOLD},{AVGO}", time_stop_ms=3000)
    world.run(65_000, 50)
    asked = [0]

    def every_second_time(request: Request, answer: Any) -> Any:
        if request["type"] == "clearinghouseState" and request["dex"] == "para":
            asked[0] += 1
            if asked[0] % 2:
                raise VenueReadError("/info: HTTP 500: null", status=500)
        return [] if request["type"] == "userFills" else answer

    _answers(world, every_second_time)
    world.filter_frame = lambda text: [] if '"userFills"' in text or '"orderUpdates"' in text else [text]
    world.by_hand(AVGO, Side.BUY, D("0.1"))
    assert world.run_until(lambda: not world.exchange_positions(), 300_000, 50)
