"""Observe in whole sessions: what is journalled beside trading, what of the gates, and that nothing is decided by it."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from hip3.ops.store import encode
from tests.stage import Stage
from tests.world import World

FOLLOWED = {"HIP3_FOLLOWUPS": "true"}


def _episodes(world: World) -> list[dict[str, Any]]:
    """As the journal has them on disk."""
    return [json.loads(encode(f)) for f in world.journal.of("episode")]


def test_a_taken_signal_is_followed_with_the_word_of_every_gate(tmp_path: Path) -> None:
    stage = Stage(tmp_path, FOLLOWED)
    assert stage.lag() is not None
    for _ in range(70):
        stage.quote(oracle=180)
        stage.run(500)
    told = [e for e in _episodes(stage.world) if e["episode"]["why"] is None]
    assert told
    assert told[0]["gates"] == {"would_pass": True, "first": None, "refused": {}, "decided": True}
    assert [a["s"] for a in told[0]["after"]] == ["late", "1", "3", "5", "10", "30"]
    assert {a["missing"] for a in told[0]["after"]} == {None}
    assert told[0]["episode"]["signal_id"] == 1
    assert told[0]["episode"]["bbo_lag_ms"] is not None


def test_a_refused_signal_s_counterfactual_names_the_gate_and_those_behind_it(tmp_path: Path) -> None:
    """The market is held: gate 7 refuses, and so would gate 3, whose limit the position fills."""
    stage = Stage(tmp_path, FOLLOWED | {"HIP3_MIN_HOLDING_MS": "10000000", "HIP3_TIME_STOP_MS": "600000"})
    stage.hold("0.01")
    assert stage.lag() is None
    stage.world.running.trading.observer.end(stage.world.clock.mono_ms())  # type: ignore[union-attr]
    told = [e for e in _episodes(stage.world) if e["episode"]["why"] is None]
    assert told[0]["gates"]["decided"]
    assert not told[0]["gates"]["would_pass"]
    assert "has_position" in told[0]["gates"]["refused"]
    assert told[0]["gates"]["first"] in told[0]["gates"]["refused"]


def test_a_signal_that_a_latch_refused_is_asked_of_all_the_same(tmp_path: Path) -> None:
    stage = Stage(tmp_path, FOLLOWED)
    stage.world.latch.trip("manual", "a test", stage.world.clock.wall_ms())
    assert stage.lag() is None
    stage.world.running.trading.observer.end(stage.world.clock.mono_ms())  # type: ignore[union-attr]
    gates = [e for e in _episodes(stage.world) if e["episode"]["why"] is None][0]["gates"]  # noqa: RUF015
    assert gates["first"] == "HardStop"
    assert set(gates["refused"]) == {"HardStop"}  # the others were asked, and would have let it pass


def test_following_changes_no_decision(tmp_path: Path) -> None:
    """The same session with and without: the same orders, at the same times."""
    orders = []
    for name, value in (("with", "true"), ("without", "false")):
        stage = Stage(tmp_path / name, {"HIP3_FOLLOWUPS": value})
        for step in range(1, 12):
            stage.quote(oracle=step * 30 % 170)
            stage.run(700)
        orders.append([(o.coin, o.side, o.px, o.sz, o.created_ms) for o in (*stage.entries(), *stage.exits())])
    assert orders[0] == orders[1]
    assert len(orders[0]) > 1


def test_a_cut_leaves_its_follow_ups_missing(tmp_path: Path) -> None:
    """evidence.md 8.2, case 11, through the service's own connection."""
    stage = Stage(tmp_path, FOLLOWED)
    assert stage.lag() is not None
    stage.run(300)
    stage.world.cut()
    stage.run(6000)
    stage.world.connect()
    for _ in range(60):
        stage.quote(oracle=180)
        stage.run(500)
    told = next(e for e in _episodes(stage.world) if e["episode"]["why"] is None)
    missing = {a["s"]: a["missing"] for a in told["after"]}
    assert missing["1"] == missing["3"] == missing["5"] == "not connected"
    assert missing["30"] is None
    assert told["cut"]
    assert Decimal(told["episode"]["edge_bps"]) > 0
