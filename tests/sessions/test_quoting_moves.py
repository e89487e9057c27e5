"""HIP3_QUOTE_MODIFY: quotes that are moved in one step of the exchange, and everything that can come between."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hip3.core.order_state import OrderState
from hip3.core.orders import OrderBatch, Post, Side
from hip3.execution.quotes.refusals import POST_ONLY
from hip3.execution.quotes.stance import Stance
from hip3.venue.actions import order_actions
from hip3.venue.engine.engine import Request
from hip3.venue.engine.modify import INVALID
from tests.builders import D, order
from tests.sessions.quoting import GOLD, QuoteStage

BUY, SELL = Side.BUY, Side.SELL


class MovingStage(QuoteStage):
    """With room for every quote beside the one that replaces it."""

    def __init__(self, tmp_path: Path, **env: str) -> None:
        super().__init__(tmp_path, **({"quote_modify": "true", "quote_max_inventory_usd": "100"} | env))

    def offer(self, px: Decimal, size: Decimal, tif: str) -> Any:
        """Somebody sells so much at this price, on top of all that others bid there and above; their account."""
        engine, account = self.world.venue.engine, self.world.venue._crowd._agent("noise", "xyz")
        levels = engine.markets[GOLD].book.depth(is_buy=True, levels=1000)
        near = sum((sz for at, sz, _ in levels if at >= px), D(0))
        near -= sum((D(o["sz"]) for o in self.live(BUY) if D(o["limitPx"]) >= px), D(0))
        engine.place(
            account, Request(engine.markets[GOLD], False, px, near + size, False, tif, None), self.world.exchange_ms()
        )
        return account

    def moved(self) -> list[dict[str, Any]]:
        """The items of all moves that left."""
        return [m for a in self.actions("batchModify") for m in a["modifies"]]

    def agreed(self, count: int = 4) -> bool:
        """So many quotes rest, one of a key, and the books have the same."""
        keys = {(t.order.side, t.order.level) for t in self.orders}
        known = {t.order.cloid for t in self.orders if t.state is OrderState.OPEN}
        return known == {o["cloid"] for o in self.live()} and len(self.orders) == len(keys) == count


def test_a_retreat_is_one_action_for_each_quote_and_none_rests_twice(tmp_path: Path) -> None:
    stage = MovingStage(tmp_path)
    before = {o["oid"]: o for o in stage.live(BUY)}
    placed = len(stage.actions("order"))
    stage.move(-3)
    assert stage.until(lambda: bool(stage.moved()), 300)
    assert {m["oid"] for m in stage.moved()} == before.keys()
    assert all(m["order"]["t"] == {"limit": {"tif": "Alo"}} for m in stage.moved())
    assert stage.until(stage.agreed)
    assert not {o["oid"] for o in stage.live(BUY)} & before.keys()
    assert len(stage.actions("order")) == placed
    assert not stage.actions("cancel")
    stage.run(30_000)
    assert len(stage.moved()) == 2


def test_the_end_of_the_old_order_under_the_new_one_s_name_ends_the_old_one(tmp_path: Path) -> None:
    """Q11."""
    stage = MovingStage(tmp_path)
    old = {o["oid"] for o in stage.live(BUY)}

    def renamed(text: str) -> list[str]:
        frame = json.loads(text) if text.startswith('{"channel":"orderUpdates"') else {"data": []}
        names = {m["oid"]: m["order"]["c"] for m in stage.moved()}
        hit = [u for u in frame["data"] if u["status"] == "canceled" and u["order"]["oid"] in names]
        for update in hit:
            update["order"]["cloid"] = names[update["order"]["oid"]]
        return [json.dumps(frame, separators=(",", ":"))] if hit else [text]

    stage.world.filter_frame = renamed
    stage.move(-3)
    assert stage.until(lambda: bool(stage.moved()) and stage.agreed(), 3000)
    assert not old & {t.oid for t in stage.orders}
    stage.run(5000)
    assert stage.agreed()
    assert not stage.actions("cancel")


@pytest.mark.parametrize("takes_old", [True, False])
def test_a_move_that_would_cross_leaves_both_keys_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, takes_old: bool
) -> None:
    """Q12. With `takes_old` the exchange ends the old order, too, as was measured; else it lets it rest."""
    stage = MovingStage(tmp_path, quote_levels="1", rests=2)
    engine = stage.world.venue.engine
    engine.parameters = msgspec.structs.replace(engine.parameters, crossing_modify_ends_old=takes_old)
    honest, others = order_actions.replace, []

    def overtaken(state: Any, account: Any, target: Any, r: Request, now_ms: int, *, place: bool) -> Any:
        if r.is_buy and not others:
            others.append(stage.offer(r.px, D("0.01"), "Gtc"))
        return honest(state, account, target, r, now_ms, place=place)

    monkeypatch.setattr(order_actions, "replace", overtaken)
    stage.run(2000)
    stage.move(8)
    assert stage.until(lambda: stage.market.figures.counts["refused"] > 0)
    (bid,) = [m for m in stage.moved() if m["order"]["b"]]
    (other,) = others
    assert stage.until(lambda: stage.agreed(len(stage.live())), 3000)
    assert [m["oid"] for m in stage.moved()].count(bid["oid"]) == 1
    assert (bid["oid"] in {o["oid"] for o in stage.live()}) is not takes_old
    assert not stage.world.latch.tripped
    for resting in list(other.open_orders.values()):
        engine.cancel_oid(other, engine.markets[GOLD], resting.oid, stage.world.exchange_ms())
    stage.move(8)
    assert stage.until(lambda: stage.agreed(2), 60_000)


def test_the_old_order_of_a_refused_move_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Q12, where its end is not told."""
    stage = MovingStage(tmp_path, quote_levels="1", rests=2)
    (ask,), honest = stage.live(SELL), order_actions.replace

    def crossed(state: Any, account: Any, target: Any, r: Request, now_ms: int, *, place: bool) -> Any:
        if target != ask["oid"]:
            return honest(state, account, target, r, now_ms, place=place)
        stage.world.venue.engine.cancel_oid(account, r.market, target, now_ms)
        return {"error": f"{POST_ONLY[0]}, bbo was 1@2. asset=110003"}

    monkeypatch.setattr(order_actions, "replace", crossed)
    stage.drop('{"channel":"orderUpdates"')
    stage.move(-4)
    assert stage.until(lambda: any(m["oid"] == ask["oid"] for m in stage.moved()))
    assert stage.until(lambda: stage.agreed(2), 5000)
    assert [m["oid"] for m in stage.moved()].count(ask["oid"]) == 1


def test_a_quote_that_executed_in_part_is_not_moved(tmp_path: Path) -> None:
    """Q13, where the fill is known: the new size would be on top of what was executed."""
    stage = MovingStage(tmp_path)
    near = max(stage.live(BUY), key=lambda o: D(o["limitPx"]))
    stage.take(BUY, "0.001")
    assert stage.until(lambda: GOLD in stage.world.trading.tracker.booked())
    stage.move(-3)
    assert stage.until(lambda: bool(stage.actions("cancel")), 500)
    assert near["oid"] in {c["o"] for a in stage.actions("cancel") for c in a["cancels"]}
    assert near["oid"] not in {m["oid"] for m in stage.moved()}


def test_a_fill_while_a_move_is_under_way_stays_within_the_limits(tmp_path: Path) -> None:
    """Q13, where it is not: both count in full until the old order's end is proved."""
    stage = MovingStage(tmp_path, quote_levels="1", rests=2, quote_max_inventory_usd="50")
    (old,) = stage.live(BUY)
    stage.move(-3)
    assert stage.until(lambda: bool(stage.moved()), 300)
    held = stage.world.trading.tracker.ledger()
    assert held.buys[GOLD] > 2 * D(old["sz"]) * D(old["limitPx"]) * D("0.99")
    px = D(old["limitPx"])
    stage.offer(px, D("0.003"), "Ioc")
    stage.move(-3)
    assert stage.until(lambda: GOLD in stage.world.trading.tracker.booked())
    assert stage.until(lambda: any(o["side"] == "B" for o in stage.live()))
    bid = next(o for o in stage.live(BUY))
    most = stage.world.trading.tracker.booked()[GOLD] + D(bid["sz"])
    assert most * px <= 50


def test_a_move_without_an_answer_is_settled_by_the_status_of_both(tmp_path: Path) -> None:
    """Q14."""
    stage = MovingStage(tmp_path)
    old = {o["oid"] for o in stage.live(BUY)}
    stage.drop('{"channel":"post"', '{"channel":"orderUpdates"')
    stage.move(-3)
    stage.run(4000)
    assert len(stage.moved()) == 2  # nothing is tried a second time under a doubt
    assert stage.until(stage.agreed, 20_000)
    assert not stage.actions("cancel")
    assert not old & {t.oid for t in stage.orders}


def test_an_end_that_nobody_tells_is_asked_for(tmp_path: Path) -> None:
    stage = MovingStage(tmp_path)
    stage.drop('{"channel":"orderUpdates"')
    stage.move(-3)
    assert stage.until(lambda: bool(stage.moved()) and stage.agreed(), 8000)
    assert not stage.actions("cancel")


def test_a_doubt_about_the_old_order_ends_no_replacement(tmp_path: Path) -> None:
    """Its end is not told, and nobody knows its status: it is cancelled by its id, and what has replaced it stays."""
    stage = MovingStage(tmp_path)
    stage.drop('{"channel":"orderUpdates"')
    honest = stage.world.rest.info_json
    unknown = {"status": "unknownOid"}
    stage.world.rest.info_json = lambda r: unknown if r["type"] == "orderStatus" else honest(r)  # type: ignore[method-assign]
    stage.move(-3)
    assert stage.until(lambda: len(stage.moved()) == 2, 500)
    stage.run(500)
    new = {o["oid"] for o in stage.live(BUY)}
    assert stage.until(lambda: bool(stage.actions("cancel")), 8000)
    assert {c["o"] for a in stage.actions("cancel") for c in a["cancels"]} == {m["oid"] for m in stage.moved()}
    stage.run(3000)
    assert {o["oid"] for o in stage.live(BUY)} == new
    assert not new & {c["o"] for a in stage.actions("cancel") for c in a["cancels"]}


def test_without_room_for_both_a_quote_is_cancelled_and_placed_anew(tmp_path: Path) -> None:
    stage = MovingStage(tmp_path, quote_max_inventory_usd="40")
    stage.move(-3)
    assert stage.until(lambda: bool(stage.actions("cancel")), 300)
    assert not stage.moved()
    assert stage.until(stage.agreed)


def test_a_move_that_the_exchange_calls_invalid_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = MovingStage(tmp_path)
    monkeypatch.setattr(order_actions, "replace", lambda *a, **kw: {"error": INVALID})
    old = {o["oid"] for o in stage.live(BUY)}
    stage.move(-3)
    assert stage.until(lambda: bool(stage.journal("quotes_not_moved")))
    assert stage.until(lambda: not old & {o["oid"] for o in stage.live()}, 3000)  # they leave the old way
    assert len(stage.actions("batchModify")) == 1
    assert stage.until(stage.agreed)
    stage.move(-7)
    stage.run(5000)
    assert len(stage.actions("batchModify")) == 1
    assert not stage.world.latch.tripped


def test_a_move_that_cannot_leave_holds_no_retreat_up(tmp_path: Path) -> None:
    stage = MovingStage(tmp_path, max_inflight="5")
    posts, now_ms = stage.world.trading.posts, stage.world.clock.mono_ms()
    for number in range(4):  # so many that no quote leaves
        posts.register(Post(
            post_id=posts.next_id(), batch=OrderBatch((order(900 + number),)), nonce=number, generation=1 << 59,
            sent_ms=now_ms + 60_000, sent_us=0,
        ))  # fmt: skip
    old = {o["oid"] for o in stage.live(BUY)}
    stage.move(-3)
    assert stage.until(lambda: bool(stage.actions("cancel")), 1500)
    assert {c["o"] for a in stage.actions("cancel") for c in a["cancels"]} == old
    assert not stage.moved()


def test_what_stops_entries_takes_a_quote_that_is_being_moved(tmp_path: Path) -> None:
    stage = MovingStage(tmp_path)
    stage.move(-3)
    assert stage.until(lambda: bool(stage.moved()), 300)
    stage.world.latch.trip("manual", "a test", stage.world.clock.wall_ms())
    assert stage.until(lambda: not stage.live(), 5000)
    assert stage.until(lambda: not stage.orders, 5000)
    assert stage.market.stance is Stance.LEAVING
