"""The table of what was asked for: every named test exists, every mutant applies, and (long) is caught."""

import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from hip3.core.decisions import Rejected, RejectReason
from hip3.errors import Hip3Error, SigningError
from hip3.execution.entries.budget import ActionBudget
from tests import coverage_table
from tests.builders import order
from tests.coverage_position import Row
from tests.coverage_table import ROWS
from tests.world import World

ROOT = Path(__file__).resolve().parents[1]


def test_the_page_is_the_table() -> None:
    assert (ROOT / "docs" / "coverage.md").read_text() == coverage_table.document()


@pytest.mark.parametrize("row", ROWS, ids=lambda r: r.ids)
def test_every_row_names_a_test_that_exists_and_a_mutant_that_applies(row: Row) -> None:
    path, _, name = row.test.partition("::")
    assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.M), row.test
    assert (ROOT / row.module).read_text().count(row.old) == 1, f"{row.ids}: the mutant's place is gone or not unique"
    assert row.old != row.new


def test_every_item_of_the_specification_has_a_row() -> None:
    ids = {i for row in ROWS for i in row.ids.split()}
    wanted = {f"C-{n}" for n in range(1, 7)} | {f"N-{n}" for n in range(1, 7)} | {f"B-{n}" for n in range(1, 10)}
    wanted |= {f"S-{n}" for n in range(1, 9)} | {f"P-{n}" for n in range(1, 13)} | {f"I-{n}" for n in range(1, 9)}
    wanted |= {f"W-{n}" for n in range(1, 10)} | {f"R-{n}" for n in range(1, 6)} | {f"D-{n}" for n in range(1, 5)}
    wanted |= {f"NN-{n}" for n in range(1, 7)} | {f"CON-{n}" for n in range(1, 7)} | {f"SUG-{n}" for n in range(1, 7)}
    wanted |= {"PM-SEC-1", "PM-PERF-1", "PM-QUAL-1"} | {f"PM-STD-{n}" for n in range(1, 6)}
    wanted |= {f"PM-TEST-{n}" for n in range(1, 6)} | {f"PM-REC-{n}" for n in range(1, 4)}
    wanted |= {f"PM-PAT-{n}" for n in range(1, 4)} | {f"PM-ANTI-{n}" for n in range(1, 4)}
    wanted |= {"RS-1", "RS-1b", "RS-2a", "RS-2b", "RS-2c", "RS-2e"} | {f"RS-{n}" for n in range(3, 6)}
    wanted |= {f"RS-6.{n}" for n in range(1, 6)} | {f"Q{n}" for n in range(1, 45)}
    assert wanted <= ids, sorted(wanted - ids)


@pytest.mark.long
def test_every_mutant_is_caught(tmp_path: Path) -> None:
    """Patch a copy of the project, row by row, and see the named test fail."""
    copy = tmp_path / "copy"
    shutil.copytree(
        ROOT, copy, ignore=shutil.ignore_patterns(".venv", ".git", "state", "logs", ".*_cache", "__pycache__")
    )
    survived = []
    for row in ROWS:
        file = copy / row.module
        text = file.read_text()
        file.write_text(text.replace(row.old, row.new))
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", "-m", "long or not long",
             row.test], cwd=copy, capture_output=True, text=True, check=False, timeout=300,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},  # two changes of one length within a second look alike
        )  # fmt: skip
        if run.returncode != 1:
            survived.append(f"{row.ids} (exit {run.returncode})")
        file.write_text(text)
    assert not survived, survived
    print(f"{len(ROWS)} mutants caught")


# Tests of items that stand nowhere else.


def test_a_latch_that_trips_between_queue_and_send_lets_nothing_leave(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    assert world.run_until(lambda: world.ready, 3000)
    wished = order(9, coin="xyz:GOLD", epoch=world.generation)
    world.trading.tracker.admit(wished, lambda ledger, w: w)
    world.trading.scheduler.enqueue_new(wished, 0)
    world.latch.trip("manual", "test", world.clock.wall_ms())
    assert world.trading.loop is not None
    nonce, nonces = world.trading.loop.last_nonce, len(world.intents.records)
    world.tick()
    assert world.trading.loop.last_nonce == nonce  # it was not even signed
    assert not [text for text in world.sender.sent if wished.cloid in text]
    assert len(world.intents.records) == nonces
    assert wished.coin not in world.trading.tracker.ledger().entries


class _Overtaken:
    """A lock at whose n-th release another thread runs to its end: the schedule that loses a count."""

    def __init__(self, run_other: Any, at: int) -> None:
        self._lock = threading.Lock()
        self._run_other, self._at, self._count = run_other, at, 0

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *exc: object) -> None:
        self._lock.release()
        self._count += 1
        if self._count == self._at:
            self._run_other()


def test_a_budget_whose_reset_is_overtaken_gives_no_more_than_its_limit() -> None:
    """One thread is about to reset the window; another resets it and takes everything first."""
    for at in range(1, 4):
        budget, answers = ActionBudget(3), []

        def other(budget: ActionBudget = budget, answers: list[bool] = answers) -> None:
            answers.extend([budget.try_consume(1000) for _ in range(5)])

        budget._lock = _Overtaken(other, at)  # type: ignore[assignment]
        answers.extend([budget.try_consume(1000) for _ in range(5)])
        assert sum(answers) == 3


def test_a_refused_enqueue_leaves_nothing_behind(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, max_inflight=5)
    world.trading.scheduler.high_watermark = 0
    assert world.run_until(lambda: bool(world.journal.of("signal")), 60_000)
    verdict = world.journal.of("signal")[0]["verdict"]
    assert isinstance(verdict, Rejected)
    assert verdict.reason is RejectReason.INFLIGHT_FULL
    assert world.trading.tracker.ledger().occupied == set()
    assert world.trading.executor is not None
    assert world.trading.executor._budget.used == 0


def test_every_cloid_is_new_and_recognisable_as_ours() -> None:
    from hip3.core.orders import RUN_TAG
    from hip3.execution.sending.cloids import CloidSource

    sources = [CloidSource() for _ in range(3)]
    cloids = [source.next() for source in sources for _ in range(500)]
    assert len(set(cloids)) == 1500
    assert all(re.fullmatch(rf"0x{RUN_TAG}[0-9a-f]{{24}}", cloid) for cloid in cloids)


def test_errors_carry_their_fields() -> None:
    error = SigningError("no", cloid="0x1", nonce=5)
    assert error.fields == {"cloid": "0x1", "nonce": 5}
    with pytest.raises(TypeError):
        Hip3Error("the base is never raised")


def test_eight_threads_ten_thousand_calls(tmp_path: Path) -> None:
    """No duplicate nonce, no budget overrun, no lost or doubled reservation, at the smallest switch interval."""
    from hip3.exchange.nonce import NonceManager
    from hip3.position.tracker import PositionTracker

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        nonces, budget, tracker = NonceManager(), ActionBudget(1000), PositionTracker()
        given: list[list[int]] = [[] for _ in range(8)]
        taken, admitted = [0] * 8, [0] * 8

        def work(index: int) -> None:
            for number in range(10_000):
                given[index].append(nonces.next(5))
                taken[index] += budget.try_consume(7)
                if number % 100 == 0:
                    wished = order(index * 100_000 + number, coin=f"x:{number}")
                    admitted[index] += tracker.admit(wished, lambda v, w: None if w.coin in v.entries else w)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(100)
    finally:
        sys.setswitchinterval(before)
    every = [n for mine in given for n in mine]
    assert len(set(every)) == 80_000
    assert sum(taken) == 1000
    assert sum(admitted) == 100 == len(tracker.live())
