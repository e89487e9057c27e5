"""A disk that takes nothing keeps no position open: while it runs, at a start, by hand, and as it stops.

`/dev/full` behind a file's name answers every write as a full disk does.
"""

from decimal import Decimal
from pathlib import Path

import pytest

from hip3.commands.asking import ask_or_wait
from hip3.core.orders import Side
from hip3.ops.intents import Intent, IntentLog
from hip3.ops.state_dir import StateLock, account_dir, began_ms
from hip3.ops.supervised import Supervised
from tests.stories.process import exchange, service
from tests.world import quiet_world

GOLD = "xyz:GOLD"


def _full(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
        path.symlink_to("/dev/full")


def test_what_supervision_notes_is_said_where_it_cannot_be_written(tmp_path: Path) -> None:
    _full(tmp_path / "runs.new", tmp_path / "stopped")
    supervised = Supervised(tmp_path)
    assert "No space left" in supervised.good()
    assert "No space left" in supervised.started(1)
    assert "No space left" in supervised.mark(1)


def test_a_log_that_cannot_be_made_shorter_is_read_and_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "intents.log"
    first = IntentLog(path)
    first.append(Intent("noop", 1, 77), new_risk=True)
    first.close()
    _full(tmp_path / "intents.new")
    again = IntentLog(path)
    assert again.recovered.nonce_floor == 77
    again.append(Intent("noop", 2, 78), new_risk=True)
    again.close()
    (tmp_path / "intents.new").unlink()
    assert IntentLog(path).recovered.nonce_floor == 78


def test_a_log_that_cannot_be_opened_takes_exits_and_is_tried_again(tmp_path: Path) -> None:
    from hip3.errors import JournalError

    log = IntentLog(tmp_path / "later" / "intents.log")
    with pytest.raises(JournalError):
        log.append(Intent("cancels", 1, 5), new_risk=False)
    (tmp_path / "later").mkdir()
    log.retry(2)
    assert (log.failed, log.behind) == ("", "")
    log.close()
    assert IntentLog(tmp_path / "later" / "intents.log").recovered.nonce_floor == 5


def test_a_log_that_cannot_be_read_keeps_entries_away_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "intents.log").mkdir()
    log = IntentLog(tmp_path / "intents.log")
    assert "cannot be read" in log.unread
    assert log.recovered.open == []


def test_a_lock_is_held_on_a_file_that_is_only_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hip3.errors import AlreadyRunning

    StateLock(tmp_path).release()
    real = Path.mkdir

    def no_space(self: Path, *args: object, **kw: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", no_space)
    held = StateLock(tmp_path)
    with pytest.raises(AlreadyRunning):
        StateLock(tmp_path)
    held.release()
    assert account_dir(tmp_path, "testnet", "0xabc").name == "testnet-0xabc"
    monkeypatch.setattr(Path, "mkdir", real)


def test_an_account_without_a_beginning_on_disk_begins_now(tmp_path: Path) -> None:
    _full(tmp_path / "account.new")
    assert began_ms(tmp_path, 9) == 9


def test_a_start_on_a_full_disk_leaves_the_position_it_finds(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, on_disk=True)
    world.by_hand(GOLD, Side.BUY, Decimal("0.01"))
    assert world.run_until(lambda: GOLD in world.trading.tracker.booked(), 3000)
    names = ("intents.new", "latch.new", "account.new", "journal.db", "journal.db-wal", "journal.db-shm")
    world.restart(lambda: _full(*(tmp_path / name for name in names)))
    assert world.flatten(10_000)
    assert not world.ready


def test_a_service_whose_disk_fills_up_still_leaves_and_stops_as_asked(tmp_path: Path) -> None:
    with exchange(2) as venue, service(tmp_path / "s", HIP3_API_URL=venue.url, HIP3_TIME_STOP_MS="600000") as run:
        run.wait_for(lambda s: bool(s["positions"]), 60, "a position")
        folder = next((tmp_path / "s" / "state").glob("*/latch.json")).parent
        _full(folder.parent / "runs.new", folder.parent / "stopped", folder / "latch.new")
        assert run.run("flatten").returncode == 0
        done = run.run("stop", "--flatten")
        assert "supervised starts are not kept off" in done.stderr
        assert done.returncode == 0
        assert run.wait(30) == 0


def test_a_stop_waits_for_a_service_that_has_only_just_begun(tmp_path: Path) -> None:
    asked: list[int] = []
    lock = StateLock(tmp_path)

    class Pause:
        def wait(self, seconds: float) -> None:
            asked.append(1)
            if len(asked) == 3:
                lock.release()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hip3.commands.asking.threading.Event", Pause)
        assert ask_or_wait(tmp_path, {"command": "stop"}) is None
    assert len(asked) == 3
