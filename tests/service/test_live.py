"""The live page's source: its frame is the status, its past is the journal's and the samples', results add up."""

import json
import socket
from decimal import Decimal
from pathlib import Path

from hip3.core.results import DAY_MS, NOTHING, Sums, split
from hip3.ops.history import History
from hip3.ops.told import latest, search, told_story
from hip3.service.live import Live
from hip3.service.results import Results
from hip3.service.snapshot import snapshot
from tests.world import World


def _traded(tmp_path: Path) -> World:
    """A session that has closed a round trip, on the production journal."""
    world = World(tmp_path, on_disk=True)
    world.connect()
    assert world.run_until(lambda: world.running.journal.figures.round_trips > 0)
    world.journal.drain(0)
    return world


def test_a_frame_is_the_status_of_its_moment_and_what_the_journal_wrote_since(tmp_path: Path) -> None:
    world = _traded(tmp_path)
    live = Live(world.running)
    ours, theirs = socket.socketpair()
    live.listeners.take(ours)
    live.step()
    first = snapshot(world.running)
    live.step()  # within the same second: nothing more
    world.run(15_000)
    world.journal.drain(0)
    live.step()
    second = snapshot(world.running)
    live.close()
    with theirs:
        parts = theirs.makefile("rb").read().decode().split("\n\n")
    frames = [json.loads(part.removeprefix("data: ")) for part in parts if part]
    assert [f["status"] for f in frames] == [json.loads(json.dumps(s)) for s in (first, second)]
    assert frames[0]["records"] == []
    assert frames[1]["records"] == latest(tmp_path / "journal.db")[-len(frames[1]["records"]) :]
    assert {one["kind"] for one in frames[1]["records"]} >= {"signal", "fill"}


def test_results_add_up_and_a_reload_shows_them(tmp_path: Path) -> None:
    world = _traded(tmp_path)
    live = Live(world.running)
    for _ in range(3):
        live.step()
        world.run(6000)
    result = snapshot(world.running)["result"]
    total = {
        name: Decimal(result["total"][name])
        for name in ("net_usd", "captured_usd", "moves_usd", "fees_usd", "funding_usd")
    }
    assert total["net_usd"] == total["captured_usd"] + total["moves_usd"] - total["fees_usd"] + total["funding_usd"]
    assert total["captured_usd"] > 0, "an entry is better than the oracle by its edge"
    assert result["today"] == result["total"], "the account's state began today"
    past = live.ask("/history", {"span": "hour"})
    assert len(past["results"]) == 3
    assert {one["kind"] for one in past["records"]} >= {"signal", "fill", "round_trip"}
    coin = next(one["market"] for one in past["records"] if one["kind"] == "fill")
    market = live.ask("/history", {"market": coin})
    assert len(market["prices"]) == 3
    assert {one["market"] for one in market["records"]} == {coin}
    live.close()


def test_the_search_finds_orders_and_their_story(tmp_path: Path) -> None:
    world = _traded(tmp_path)
    live = Live(world.running)
    fill = next(one for one in live.ask("/history", {})["records"] if one["kind"] == "fill")
    for wanted in (fill["cloid"], fill["cloid"][-6:], fill["market"], fill["market"].lower()):
        assert fill["cloid"] in {one["cloid"] for one in live.ask("/search", {"q": wanted})}, wanted
    for wanted in ("", "%", "_", "xyz:NONE", "'; DROP TABLE records"):
        assert live.ask("/search", {"q": wanted}) == []
    assert "outcome: filled" in live.ask("/explain", {"cloid": fill["cloid"]})
    assert live.ask("/explain", {"cloid": "0x00"}) is None
    assert search(tmp_path / "journal.db", "%") == []
    assert told_story(tmp_path / "journal.db", "") is None
    live.close()


def test_a_restart_goes_on_with_the_day_and_with_what_was_captured(tmp_path: Path) -> None:
    world = _traded(tmp_path)
    live = Live(world.running)
    live.step()
    before = snapshot(world.running)["result"]
    live.close()
    (tmp_path / "account.json").touch()
    world.restart()
    live = Live(world.running)
    live.step()
    after = snapshot(world.running)["result"]
    live.close()
    assert Decimal(after["total"]["captured_usd"]) == Decimal(before["total"]["captured_usd"])
    assert after["today"]["fees_usd"] == "0", "what today's first sample held was there before it"
    assert after["total"]["round_trips"] == before["total"]["round_trips"] > 0


def test_a_day_begins_with_what_was_kept_last_before_it(tmp_path: Path) -> None:
    world = _traded(tmp_path)
    history, now = History(tmp_path / "history.db"), world.clock.wall_ms()
    then = Sums(realized_usd="-7", fees_usd="1", funding_usd="0", captured_usd="2", open_usd="0", equity_usd=None)
    history.add(now // DAY_MS * DAY_MS - 1, then, {})
    results = Results()
    figures = world.running.journal.figures
    sums = results.look(world.trading, figures, history, now, knew_account=True)
    today = results.shown(sums)["today"]
    assert Decimal(today["fees_usd"]) == Decimal(sums.fees_usd) - 1
    results.look(world.trading, figures, history, now + DAY_MS, knew_account=True)
    assert results.shown(results.sums(world.trading, figures))["today"]["fees_usd"] == "0", "midnight came"
    history.close()


def test_what_is_not_known_is_null(tmp_path: Path) -> None:
    unknown = Sums(realized_usd="5", fees_usd="1", funding_usd="0", captured_usd="2", open_usd=None, equity_usd=None)
    shown = split(unknown, NOTHING)
    assert (shown["net_usd"], shown["moves_usd"], shown["fees_usd"]) == (None, None, "1")
    assert Results().shown(unknown)["today"] is None


def test_a_past_that_cannot_be_written_costs_nothing_else(tmp_path: Path) -> None:
    world = _traded(tmp_path)
    (tmp_path / "history.db").mkdir()
    live = Live(world.running)
    live.step()
    assert snapshot(world.running)["result"]["total"]["net_usd"] is not None
    live.close()
