"""The benchmarks run, say what they measured, and exit as promised. No test asserts a time."""

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hip3.bench import command, others, reference, rows, signed
from hip3.bench.command import Sizes, bench
from hip3.bench.rig import Broken
from hip3.bench.rows import Row, at_least, at_most, table
from hip3.bench.stats import Samples
from hip3.core.orders import OrderBatch
from tests.ops.screen import lines, terminal
from tests.world import World

ROOT = Path(__file__).resolve().parents[2]
TINY = Sizes(
    calls=20, frames=100, shots=2, pages=5, page_shots=11, few_markets=3, many_markets=6, few_orders=2, many_orders=20, ticks=20, quotes=10,
    load_markets=5, load_rate=20, busy_rate=20, load_ms=300, starts=1, record_ms=300, record_rounds=1, soak_messages=5000, soak_orders=300,
    growth_markets=4, growth_rate=20, growth_ms=2000,
)  # fmt: skip
KEYS = {
    "path",
    "measured",
    "unit",
    "median",
    "p99",
    "ratio",
    "faster",
    "goal",
    "met",
    "note",
    "beside_percent",
    "quiet_percent",
}
GOALS = {
    "signed frame, 1 order": 3,
    "bbo frame to decision": 1,
    "bbo frames, one after the other": 1,
    "signal to socket, idle": 1,
    "signal to socket, 20 messages/s": 1,
    "signal to processed reply": 2,
    "signal to processed reply, own part": 1,
    "userFills frame to ledger": 1,
    "userFills frame to ledger, 99th percentile in medians": 1,
    "signal to socket, TLS": 1,
    "signal to processed reply, TLS": 1,
    "20 messages/s, 4 markets": 1,
    "20 messages/s, 4 markets: signal to socket": 1,
    "20 messages/s, 4 markets: memory": 1,
    "signal to socket, pages open": 1,
    "bbo frame, 3 -> 6 markets": 1,
    "tick, 2 -> 20 resting orders": 1,
    "taken bbo frame, others quoted": 1,
    "tick, 10 resting quotes": 1,
    "decided, 4 keys": 1,
    "oracle jump to cancel, idle": 1,
    "20 frames/s recorded, 5 markets: frame in, p99": 1,
    "20 frames/s recorded, 5 markets: signal to socket": 1,
    "20 frames/s recorded, 5 markets: processor": 1,
    "20 frames/s recorded, 5 markets: lost": 1,
    "start to READY": 1,
    "resident memory when READY": 1,
    "20 messages/s, 5 markets": 1,
    "memory, 5,000 messages, 300 orders": 1,
}


@pytest.mark.long
def test_every_row_is_measured_and_the_exit_code_says_whether_goals_are_met(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(others, "share_percent", lambda: 0.0)
    code = bench(as_json=True, sizes=TINY)
    said = capsys.readouterr()
    assert said.out, said.err
    result = json.loads(said.out)
    assert result["machine"].keys() >= {"processor", "cores", "python", "packages", "load_average"}
    found = result["rows"]
    assert all(row.keys() == KEYS for row in found)
    assert all(row["median"] is not None for row in found), [r for r in found if r["median"] is None]
    judged: dict[str, int] = {}
    for row in found:
        if row["goal"] is not None:
            judged[row["path"]] = judged.get(row["path"], 0) + 1
    assert judged == GOALS
    assert code == (4 if any(row["met"] is False for row in found) else 0)


def test_the_checked_in_result_is_a_whole_run_and_names_no_machine() -> None:
    text = (ROOT / "docs" / "bench-results.json").read_text()
    result = json.loads(text)
    assert all(row.keys() == KEYS for row in result["rows"])
    wanted = {goal for path in GOALS for goal in [path.split(",")[0]] if not re.search(r"\d", goal)}
    assert wanted <= {row["path"].split(",")[0] for row in result["rows"]}
    assert re.fullmatch(r"[0-9a-f]{12}", result["machine"]["commit"]), "of a checkout without changes"
    assert not re.search(r"/(home|root|tmp|work|usr|opt)/|\blocalhost\b", text)


def _answers(monkeypatch: pytest.MonkeyPatch, *found: Row) -> None:
    monkeypatch.setattr(command, "measure", lambda folder, sizes, tell: found)
    monkeypatch.setattr(others, "share_percent", lambda: 0.0)


def _row(ratio: float, **changes: Any) -> Row:
    return Row(**{"path": "p", "measured": "floor", "median": 1.0, "ratio": ratio, "goal": at_most(2)} | changes)


def test_a_missed_goal_exits_four_and_a_row_not_measured_does_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _answers(monkeypatch, _row(2.0), rows.absent("p", "SDK", at_least(5)))
    assert bench(as_json=False) == 0
    out = capsys.readouterr().out
    assert rows.NOT_INSTALLED in out
    assert "ok" in out
    _answers(monkeypatch, _row(1.0), _row(2.1))
    assert bench(as_json=False) == 4
    assert "MISS" in capsys.readouterr().out


def test_beside_other_work_no_goal_is_judged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """And the file of `--all` says how much others had, and which commit it is of."""

    def two(folder: Path, sizes: Sizes, tell: Callable[[str], None]) -> Iterator[Row]:
        tell("first")
        yield _row(2.1)
        tell("second")
        yield _row(2.1)

    shares = iter((others.MOST_PERCENT + 1.0, others.MOST_PERCENT - 1.0, 0.0))
    monkeypatch.setattr(others, "share_percent", lambda: next(shares))
    monkeypatch.setattr(command, "measure", two)
    monkeypatch.setattr(command.replaying, "measure", lambda *_: [_row(1.0)])
    assert command.bench_all(tmp_path / "all.json") == 4
    found = json.loads((tmp_path / "all.json").read_text())
    assert [(row["met"], row["beside_percent"]) for row in found["rows"]] == [(None, 11.0), (False, 9.0), (True, 9.0)]
    assert found["machine"].keys() >= {"commit", "load_average"}
    assert "busy" in capsys.readouterr().out


def test_what_others_take_is_what_we_do_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of four hundred ticks of all cores others have a hundred, stolen ones among them, and we had fifty of the rest."""
    (tmp_path / str(os.getpid())).mkdir()

    def machine(user: int, idle: int, steal: int, own: int) -> None:
        (tmp_path / "stat").write_text(f"cpu  {user} 0 0 {idle} 0 0 0 {steal} 0 0\n")
        (tmp_path / str(os.getpid()) / "stat").write_text(f"1 (a (b) c) R 0 {'0 ' * 9}{own} 0 0 0 0\n")

    monkeypatch.setattr(others, "_PROC", tmp_path)
    monkeypatch.setattr(others, "pause", lambda _: machine(user=230, idle=250, steal=120, own=60))
    machine(user=100, idle=0, steal=100, own=10)
    assert others.share_percent() == 25.0


def test_a_service_that_does_not_do_its_part_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> list[Row]:
        raise Broken("it did not start")

    monkeypatch.setattr(command, "measure", broken)
    assert bench(as_json=False) == 1
    assert "it did not start" in capsys.readouterr().err


def test_each_figure_is_told_when_it_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run takes minutes: who waits sees what is under way, and what came of the last."""
    seen = list[str]()
    _measures(monkeypatch, lambda: seen.append(capsys.readouterr().err))
    assert bench(as_json=True) == 0
    before, between = seen
    assert "the first" in before
    assert _row(1.5).short in between
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 2


def test_on_a_terminal_the_figures_run_by_above_a_line_of_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, seen = terminal(monkeypatch), list[list[str]]()
    _measures(monkeypatch, lambda: seen.append(lines(screen.getvalue())))
    assert bench(as_json=True) == 0
    before, between = seen
    assert before[-1].endswith(f"0 of {command.PHASES}, the first")
    assert any(_row(1.5).short in line for line in between[:-1])
    assert f"1 of {command.PHASES}, " in between[-1]
    assert not [line for line in lines(screen.getvalue()) if f" of {command.PHASES}" in line]


def _measures(monkeypatch: pytest.MonkeyPatch, look: Callable[[], None]) -> None:
    """Two rows, with a look while each is measured."""

    def measure(folder: Path, sizes: Sizes, tell: Callable[[str], None]) -> Iterator[Row]:
        for what in ("the first", "the second"):
            tell(what)
            look()
            yield _row(1.5)

    monkeypatch.setattr(command, "measure", measure)
    monkeypatch.setattr(others, "share_percent", lambda: 0.0)  # the tests beside this one are others, too


@pytest.mark.parametrize(("goal", "value", "met"), [(at_most(5), 5.0, True), (at_least(3), 2.9, False)])
def test_a_goal_includes_its_bound(goal: rows.Goal, value: float, met: bool) -> None:
    assert _row(value, goal=goal).met is met


def test_the_table_fits_a_terminal_and_names_a_path_once() -> None:
    long = Row(
        path="signal to socket, 500 messages/s", measured="SDK, without coincurve", median=12_345.6, p99=98_765.4,
        ratio=123.4, faster=True, goal=at_most(5000, "p99"),
    )  # fmt: skip
    text = table([long, long])
    assert max(len(line) for line in text.splitlines()) <= rows.WIDTH
    assert text.count(long.path) == 1


def test_samples_are_sorted_and_summed_up() -> None:
    taken = Samples.of([3.0, 1.0, 2.0])
    assert (taken.us, taken.median, taken.p99) == ((1.0, 2.0, 3.0), 2.0, 3.0)


def test_without_the_sdk_its_rows_say_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "module", lambda name: None)
    found = [row for row in signed.measure(10) if row.measured in (signed.SDK_WITH, signed.SDK_WITHOUT)]
    assert len(found) == 6
    assert {(row.note, row.met, row.median) for row in found} == {(rows.NOT_INSTALLED, None, None)}


def test_the_pure_python_signer_signs_the_same() -> None:
    sdk, wallet = reference.module("utils.signing"), reference.wallet(signed.SECRET)
    action = {"type": "noop"}
    native = sdk.sign_l1_action(wallet, action, None, 1, None, False)
    with reference.pure_python():
        assert sdk.sign_l1_action(wallet, action, None, 1, None, False) == native


def test_what_is_signed_here_is_what_the_service_sends(tmp_path: Path) -> None:
    """For the same orders, nonce and expiry: byte for byte the frames of a run."""
    world = World(tmp_path)
    assert world.run_until(lambda: len(world.journal.of("sent")) >= 4)
    ids = {coin: spec.asset_id for coin, spec in world.trading.specs.items()}
    posts = {fields["post"].post_id: fields["post"] for fields in world.journal.of("sent")}
    texts = {post["id"]: text for post, text in zip(world.sender.posts(), world.sender.sent, strict=True)}
    for number, post in posts.items():
        assert isinstance(post.batch, OrderBatch)
        expires = json.loads(texts[number])["request"]["payload"]["expiresAfter"]
        assert signed.signed_frame(post.batch, ids, world.key, post.nonce, expires, number) == texts[number]
