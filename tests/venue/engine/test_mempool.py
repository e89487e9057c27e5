"""Blocks: what is executed before what, and when; and how long an action travels."""

from typing import Any

import msgspec
import pytest

from hip3.exchange.signing import SigningKey, sign_l1_action
from hip3.venue.engine.mempool import CANCELS, MAKES, TAKES, Mempool, class_of
from hip3.venue.serving.output import HttpReply
from hip3.venue.setup.parameters import Parameters
from hip3.venue.setup.settings import load_setup
from hip3.venue.venue import Venue
from tests.venue.desk import GOLD, GOLD_ID, START, D, wire


def _order(*tifs: str) -> dict[str, Any]:
    return {"action": {"type": "order", "orders": [wire(True, "1", "1", tif) for tif in tifs]}}


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (_order("Alo", "Alo"), MAKES),
        (_order("Alo", "Gtc"), TAKES),
        (_order("Ioc"), TAKES),
        ({"action": {"type": "cancel", "cancels": []}}, CANCELS),
        ({"action": {"type": "cancelByCloid"}}, CANCELS),
        ({"action": {"type": "modify", "order": wire(True, "1", "1", "Alo")}}, MAKES),
        ({"action": {"type": "batchModify", "modifies": [{"order": wire(True, "1", "1")}]}}, TAKES),
        ({"action": {"type": "updateLeverage"}}, MAKES),
        ({"action": {"type": "order", "orders": 5}}, MAKES),
        ("nonsense", MAKES),
    ],
)
def test_the_class_of_an_action(request_: Any, kind: int) -> None:
    assert class_of(request_) == kind


def test_with_the_upgrade_that_is_announced_only_fast_cancels_come_before_takers() -> None:
    plain, fast = {"action": {"type": "cancel"}}, {"action": {"type": "cancelByCloid", "f": True}}
    assert [class_of(r, plain_cancels_last=True) for r in (plain, fast)] == [TAKES, CANCELS]
    pool = Mempool(0, 0, 1, plain_cancels_last=True)
    for number, request in enumerate((_order("Ioc"), plain, fast, _order("Alo"))):
        pool.add(number, request, number)
    assert pool.block(70) == ([3, 2], [0, 1])


def test_a_block_has_makers_and_cancels_before_takers_each_in_order_of_arrival() -> None:
    pool = Mempool(10, 0, 1)
    for number, request in enumerate(
        (_order("Ioc"), _order("Alo"), {"action": {"type": "cancel"}}, _order("Gtc"), _order("Alo"))
    ):
        pool.add(number, request, number)
    pool.add(100, _order("Alo"), "later")
    assert pool.block(70) == ([1, 4, 2], [0, 3])
    assert pool.next_due() == 110


def test_slow_cancels_and_takers_travel_as_long_as_was_measured() -> None:
    pool = Mempool(100, 0, 1, plain_cancel_ms=320, taking_ms=400)
    kinds = (_order("Ioc"), {"action": {"type": "cancel"}}, {"action": {"type": "cancel", "f": True}}, _order("Alo"))
    for number, request in enumerate(kinds):
        pool.add(0, request, number)
    assert [pool.pop() for _ in kinds] == [(100, 2), (100, 3), (420, 1), (500, 0)]
    at_once = Mempool(0, 0, 1, plain_cancel_ms=320, taking_ms=400)
    at_once.add(0, kinds[1], 1)
    assert at_once.next_due() == 0


def test_jitter_is_bounded_and_repeats_with_the_seed() -> None:
    def arrivals(seed: int) -> list[int]:
        pool = Mempool(100, 50, seed)
        for _ in range(50):
            pool.add(0, None, None)
        return [pool.pop()[0] for _ in range(50)]

    assert arrivals(1) == arrivals(1) != arrivals(2)
    assert 100 <= min(arrivals(1)) < max(arrivals(1)) <= 150


class Floor:
    """A venue with latency whose only participants are the test's."""

    def __init__(self, **parameters: Any) -> None:
        setup = msgspec.structs.replace(load_setup(), parameters=Parameters(**parameters))
        self.venue = Venue(setup, seed=1, profile="lively", now_ms=START, latency_ms=100)
        self.venue._models.clear()
        for account in self.venue.engine.accounts.values():
            for coin in self.venue.engine.markets:
                self.venue.engine.cancel_all(account, coin, START)
        self.venue.take_output()
        self._token = 0

    def key(self, number: int) -> SigningKey:
        key = SigningKey(bytes([number]) * 32)
        self.venue.engine.fund(key.address, "xyz", D(1000))
        return key

    def send(self, key: SigningKey, action: dict[str, Any], at: int) -> int:
        self._token += 1
        signature = sign_l1_action(key, action, at + self._token, mainnet=False)
        body = {"action": action, "nonce": at + self._token, "signature": signature}
        self.venue.http(self._token, "/exchange", msgspec.json.encode(body), at)
        return self._token

    def answers(self, until: int) -> dict[int, Any]:
        self.venue.advance(until)
        replies = [o for o in self.venue.take_output() if isinstance(o, HttpReply)]
        return {r.token: msgspec.json.decode(r.body)["response"]["data"]["statuses"][0] for r in replies}


def _place(*orders: dict[str, Any]) -> dict[str, Any]:
    return {"type": "order", "orders": list(orders), "grouping": "na"}


def test_a_cancel_that_arrives_after_a_taker_within_a_block_saves_the_maker() -> None:
    floor = Floor()
    maker, taker = floor.key(1), floor.key(2)
    floor.send(maker, _place(wire(False, "4000", "0.01", "Alo")), START)
    oid = floor.answers(START + 300)[1]["resting"]["oid"]
    take = floor.send(taker, _place(wire(True, "4000", "0.01", "Ioc")), START + 310)
    save = floor.send(maker, {"type": "cancel", "cancels": [{"a": GOLD_ID, "o": oid}]}, START + 315)
    answers = floor.answers(START + 600)
    assert answers[save] == "success"
    assert answers[take]["error"].startswith("Order could not immediately match")


def test_without_blocks_who_arrives_first_is_served_first() -> None:
    floor = Floor(blocks=False)
    maker, taker = floor.key(1), floor.key(2)
    floor.send(maker, _place(wire(False, "4000", "0.01", "Alo")), START)
    oid = floor.answers(START + 300)[1]["resting"]["oid"]
    take = floor.send(taker, _place(wire(True, "4000", "0.01", "Ioc")), START + 310)
    late = floor.send(maker, {"type": "cancel", "cancels": [{"a": GOLD_ID, "o": oid}]}, START + 315)
    answers = floor.answers(START + 600)
    assert "filled" in answers[take]
    assert "error" in answers[late]


def test_what_happens_has_the_time_of_its_block() -> None:
    floor = Floor(block_ms=50)
    floor.send(floor.key(1), _place(wire(False, "4000", "0.01", "Alo")), START + 3)
    assert floor.answers(START + 149) == {}
    assert "resting" in floor.answers(START + 150)[1]
    (order,) = floor.venue.engine.markets[GOLD].book.side(is_buy=False).levels[D(4000)]
    assert (order.placed_ms - START) % 50 == 0
